"""Observations, specimens and flags for the tests of enrichment."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from adapter.enrich.enricher import Enricher
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue

Enrich = Callable[..., list[Issue]]
"""Fixture `enrich(resource, specimen, **context)`."""

Site = Callable[..., Enricher]
"""Fixture `site(settings, senders=[{...}], ranges=[{...}])`."""

SPECIMENS = {
    "serum": {"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "SER"},
    "urine": {"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "UR"},
    "urine 24 h": {"system": "http://snomed.info/sct", "code": "276833005"},
    "csf": {"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "CSF"},
}
SERUM, URINE, RATE = "1952-1", "1953-9", "10873-8"
"""LOINC codes of mass concentration in serum and in urine, and of the mass rate in 24 hour urine."""


def observation(code: str = SERUM, value: str | None = "2.0", unit: str = "mg/L", text: str = "", **more: Any) -> dict[str, Any]:
    """Make an Observation with a sent LOINC code, a value, and a range as text."""
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
    }
    if value is not None:
        made["valueQuantity"] = {"value": Decimal(value), **({"unit": unit} if unit else {})}
    if text:
        made["referenceRange"] = [{"text": text}]
    return {**made, **more}


def flag(*codes: str) -> list[dict[str, Any]]:
    """Make interpretations as sent."""
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    return [{"coding": [{"system": system, "code": code}]} for code in codes]


def codes_of(resource: dict[str, Any]) -> list[str]:
    """Give the codes of the interpretations in order."""
    return [concept["coding"][0]["code"] for concept in resource.get("interpretation", [])]


def slugs(issues: list[Issue]) -> set[str]:
    return {issue.slug for issue in issues}


def context_of(resource: dict[str, Any], specimen: str | dict[str, Any] = "", **context: Any) -> ObservationContext:
    """Put an Observation into its surroundings; `specimen` is a key of `SPECIMENS` or a Specimen."""
    if isinstance(specimen, str):
        specimen = {"resourceType": "Specimen", "type": {"coding": [SPECIMENS[specimen]]}} if specimen else {}
    return ObservationContext(resource, specimen=specimen or None, **context)
