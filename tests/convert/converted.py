"""Helpers: convert a whole message as the driver does, without enrichment, and look at its resources."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.config import Settings
from adapter.convert.datatypes.verbatim import SOURCE_FIELD
from adapter.convert.message import Conversion, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

HEADER = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260115103000-0500||ORU^R01^ORU_R01|M1|P|2.5.1"
PID = "PID|1||123^^^HOSP&2.16.840.1.113883.3.999.9&ISO^MR||TEST^PATIENT"
ORC = "ORC|RE|ORD1^EHR|FIL1^LIS"
OBR = "OBR|1|ORD1^EHR|FIL1^LIS|PANEL^Panel^L|||20260115080000-0500||||||||||||||||||F"
OBX = "OBX|1|NM|2345-7^Glucose^LN||4.20|mmol/L|||||F"


@cache
def converter() -> Converter:
    return Converter(load_tables(), Settings(to="message"))


def convert(*segments: str, header: str = HEADER) -> Conversion:
    source = "\r".join((header, *segments)).encode()
    return converter().convert(read_message(source), source)


def resources(conversion: Conversion, kind: str) -> list[dict[str, Any]]:
    return [entry.resource for entry in conversion.entries if entry.resource["resourceType"] == kind]


def only(conversion: Conversion, kind: str) -> dict[str, Any]:
    found = resources(conversion, kind)
    assert len(found) == 1
    return found[0]


def target(conversion: Conversion, reference: dict[str, Any]) -> dict[str, Any]:
    """Resource that a reference means."""
    return next(entry.resource for entry in conversion.entries if entry.full_url == reference["reference"])


def url(conversion: Conversion, kind: str) -> str:
    """Full url of the only resource of a kind: its identity."""
    found = [entry.full_url for entry in conversion.entries if entry.resource["resourceType"] == kind]
    assert len(found) == 1
    return found[0]


def slugs(conversion: Conversion) -> list[str]:
    return [issue.slug for issue in conversion.issues]


def kept(resource: dict[str, Any]) -> dict[str, str]:
    """Fields that stay on a resource as sent, by name."""
    found = [one["extension"] for one in resource.get("extension", ()) if one["url"] == SOURCE_FIELD]
    return {parts[0]["valueString"]: parts[1]["valueString"] for parts in found}


def fields(name: str, **values: str) -> str:
    """Write a segment: `fields("PV1", f2="I", f19="V1")`."""
    numbers = {int(key[1:]): text for key, text in values.items()}
    return "|".join([name, *(numbers.get(number, "") for number in range(1, max(numbers) + 1))])
