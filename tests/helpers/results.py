"""A short view of the Observations in an output, in which a hand-written expectation reads like a line of a laboratory report.

`result("serum/above-range.hl7") == Result(loinc="1952-1", value="2.45 mg/L", flags=["H computed"], ...)`
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapter.config import Settings
from adapter.fhir.canonical import INTERPRETATION, LOINC, MARK, TRANSLATION, UCUM
from adapter.fhir.json import loads
from helpers.fixtures import convert_fixture

#: Said in passing of nearly every message; no expectation repeats them.
EVERYDAY = {"code-without-system", "identifier-without-system"}
LOCAL_SYSTEM = "http://hl7.org/fhir/StructureDefinition/originalText"


@dataclass
class Result:
    """One result as it leaves.

    loinc: `1952-1`, `1952-1 added` (by the adapter), empty when there is no LOINC coding.
    value: `2.45 mg/L` (digits as they leave, UCUM code), `1.80 "MG/L"` (unit as text only), `"pending"` (text),
        `absent: unknown` (dataAbsentReason).
    as_sent: the translation of the value: the quantity that does not stand in it.
    flags: codes in order; ` computed` when the adapter added it; quoted when it is text without a code.
    ranges: `0.6..2.4 mg/L "0.6-2.4"`; the part before the quotes only as far as low and high are there; the row at the end when
        it comes from a table.
    """

    loinc: str = ""
    value: str = ""
    as_sent: str = ""
    flags: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    status: str = "final"


def resources(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Every resource in output lines, taken out of Bundles."""
    for line in lines:
        yield from _inner(loads(line))


def _inner(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if resource["resourceType"] == "Bundle":
        for entry in resource.get("entry", ()):
            yield from _inner(entry["resource"])
    else:
        yield resource


def observations(lines: list[bytes]) -> list[dict[str, Any]]:
    return [resource for resource in resources(lines) if resource["resourceType"] == "Observation"]


def results(fixture: str, settings: Settings = Settings()) -> list[Result]:
    """The results of a fixture, in the order of the output."""
    outcomes = convert_fixture(fixture, settings)
    return [view(observation) for outcome in outcomes for observation in observations(outcome.lines)]


def result(fixture: str, settings: Settings = Settings()) -> Result:
    """The only result of a fixture."""
    (only,) = results(fixture, settings)
    return only


def issues(fixture: str, settings: Settings = Settings()) -> list[str]:
    """Slugs and places of what was noticed, sorted, without what is said of nearly every message: `flag-conflict OBX[1]-8`."""
    found = (issue for outcome in convert_fixture(fixture, settings) for issue in outcome.issues if issue.slug not in EVERYDAY)
    return sorted(f"{issue.slug} {issue.place}".strip() for issue in found)


def fates(fixture: str) -> list[str]:
    return [outcome.fate for outcome in convert_fixture(fixture)]


def view(observation: dict[str, Any]) -> Result:
    """The short view of an Observation or a component of one."""
    quantity = observation.get("valueQuantity", {})
    translated = [item["valueQuantity"] for item in quantity.get("extension", ()) if item["url"] == TRANSLATION]
    return Result(
        loinc=_loinc(observation.get("code", {})),
        value=_value(observation),
        as_sent=" and ".join(map(amount, translated)),
        flags=[_flag(concept) for concept in observation.get("interpretation", ())],
        ranges=[_range(element) for element in observation.get("referenceRange", ())],
        status=observation.get("status", ""),
    )


def amount(quantity: dict[str, Any]) -> str:
    """`<0.5 mg/L`: the digits exactly as they stand in the JSON."""
    text = f'"{quantity["unit"]}"' if "unit" in quantity else ""
    unit = quantity["code"] if quantity.get("system") == UCUM and "code" in quantity else text
    return f"{quantity.get('comparator', '')}{digits(quantity.get('value', ''))} {unit}".strip()


def digits(number: Decimal | int | str) -> str:
    text = getattr(number, "text", None)
    return text if text is not None else format(number, "f") if isinstance(number, Decimal) else str(number)


def _is_marked(element: dict[str, Any]) -> bool:
    return any(item["url"] == MARK for item in element.get("extension", ()))


def _row(element: dict[str, Any]) -> str:
    parts = [part for item in element.get("extension", ()) if item["url"] == MARK for part in item["extension"]]
    return next((part["valueString"] for part in parts if part["url"] == "row"), "")


def _loinc(code: dict[str, Any]) -> str:
    codings = code.get("coding", [])
    first = next((coding for coding in codings if coding.get("system") == LOINC), None)
    if first is None:
        return ""
    place = "" if codings[0] is first else " not first"
    return first["code"] + (" added" if _is_marked(first) else "") + place


def _value(observation: dict[str, Any]) -> str:
    if "valueQuantity" in observation:
        return amount(observation["valueQuantity"])
    if "valueString" in observation:
        return f'"{observation["valueString"]}"'
    if "valueRange" in observation:
        return " to ".join(amount(observation["valueRange"][end]) for end in ("low", "high") if end in observation["valueRange"])
    if "valueRatio" in observation:
        return " : ".join(amount(observation["valueRatio"][part]) for part in ("numerator", "denominator"))
    if "valueCodeableConcept" in observation:
        return " + ".join(coding["code"] for coding in observation["valueCodeableConcept"]["coding"])
    others = [str(value) for name, value in observation.items() if name.startswith("value") and not isinstance(value, dict)]
    if others:
        return others[0]
    reason = observation.get("dataAbsentReason", {}).get("coding", ())
    return "absent: " + "+".join(coding["code"] for coding in reason) if reason else ""


def _flag(concept: dict[str, Any]) -> str:
    codings = concept.get("coding", ())
    code = next((coding["code"] for coding in codings if coding.get("system") == INTERPRETATION), None)
    shown = code if code is not None else f'"{next((coding["code"] for coding in codings), concept.get("text"))}"'
    if _is_marked(concept):
        assert "computed" in concept["text"]
        return f"{shown} computed"
    return shown


def _range(element: dict[str, Any]) -> str:
    low, high = element.get("low"), element.get("high")
    bounds = ""
    if low or high:
        units = {amount({**bound, "value": ""}) for bound in (low, high) if bound}
        assert len(units) == 1, "low and high have different units"
        bounds = f"{digits(low['value']) if low else ''}..{digits(high['value']) if high else ''}"
        bounds += f" {unit}" if (unit := units.pop()) else ""
    text = f'"{element["text"]}"' if "text" in element else ""
    row = _row(element) if _is_marked(element) else ""
    return " ".join(part for part in (bounds, text, row) if part)
