"""The URLs that this project defines and the URLs of the code systems and extensions that several rooms use.

`CANONICAL_BASE` is a name, not an address: `example.org` is reserved (RFC 2606) and resolves to nothing of ours. The definitions
below it are shipped in `adapter/fhir/definitions/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CANONICAL_BASE = "http://b2m-fhir-adapter.example.org"
"""Base of every canonical URL that this project defines; the only place where it is written."""

MARK = CANONICAL_BASE + "/StructureDefinition/mark"
"""Extension on what the adapter added: rule, table row and table version."""

TABLES_VERSION = CANONICAL_BASE + "/CodeSystem/tables-version"
"""System of the tag that names the content hash of the tables, where nothing else in a resource does."""

SOURCE_FIELD = CANONICAL_BASE + "/StructureDefinition/source-field"
"""Extension for a field of HL7 v2 that FHIR has no place for: `field` (its name) and `text` (as sent)."""

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
INTERPRETATION_SYSTEMS = frozenset(
    {
        INTERPRETATION,
        "http://terminology.hl7.org/CodeSystem/v2-0078",
        "http://hl7.org/fhir/v2/0078",
        "http://hl7.org/fhir/v3/ObservationInterpretation",
    }
)
"""Systems under which senders write the codes of HL7 table 0078; all mean the codes of `INTERPRETATION`."""

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
"""The same quantity in another unit; stands on a Quantity."""


def structure_definition(name: str) -> dict[str, Any]:
    """Read a shipped StructureDefinition.

    Parameters
    ----------
    name : str
        Last part of its URL, e.g. `mark`.

    Returns
    -------
    dict
        The resource.
    """
    path = Path(__file__).parent / "definitions" / f"StructureDefinition-{name}.json"
    definition: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return definition
