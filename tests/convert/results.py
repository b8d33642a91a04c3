"""Helpers: convert result segments alone, with a report and specimens that the test gives."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.verbatim import SOURCE_FIELD
from adapter.convert.environment import Environment
from adapter.convert.observation import RULES, build_observations
from adapter.convert.order_context import OrderContext
from adapter.convert.rules import Plan, compile_rules
from adapter.hl7v2.grouping import group
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

HEADER = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260115103000-0500||ORU^R01^ORU_R01|MSG1|P|2.9\rPID|1||12345^^^HOSP||TEST^PATIENT\r"
REQUEST = "OBR|1|ORD1|FIL1|PANEL^Panel^L\r"


@cache
def surroundings() -> tuple[Environment, dict[str, Plan]]:
    environment = Environment(load_tables(), default_offset="-05:00")
    return environment, {name: compile_rules(rules, environment) for name, rules in RULES.items()}


def convert(*segments: str, request: str = REQUEST) -> Assembly:
    """Convert an order; its Specimens carry their number, the patient is fixed."""
    environment, plans = surroundings()
    message = read_message((HEADER + request + "\r".join(segments)).encode())
    assembly = Assembly(message, environment, patient_reference={"reference": "urn:uuid:patient"}, patient_key="patient")
    for order in group(message).patient_results[0].orders:
        report: dict[str, Any] = {"resourceType": "DiagnosticReport"}
        service_request: dict[str, Any] = {"resourceType": "ServiceRequest"}
        specimens = [
            ({"reference": f"urn:uuid:specimen-{one.segment.number}"}, {"resourceType": "Specimen"}, one.segment)
            for one in order.specimens
        ]
        assembly.resources["report"] = report
        assembly.resources["request"] = service_request
        key = (order.request[3], order.request[4]) if order.request is not None else ("", "")
        build_observations(assembly, plans, OrderContext(order, report, key, service_request, specimens))
    return assembly


def result(*segments: str, request: str = REQUEST) -> dict[str, Any]:
    """Convert one result and give its Observation."""
    contexts = convert(*segments, request=request).observations
    assert len(contexts) == 1
    return contexts[0].observation


def slugs(assembly: Assembly) -> list[str]:
    return [issue.slug for issue in assembly.issues]


def obx(kind: str, value: str, units: str = "", **fields: str) -> str:
    """Write an OBX; `f8="H"` sets OBX-8. The status is final unless given."""
    parts = ["OBX", "1", kind, "2345-7^Glucose^LN", "", value, units, "", "", "", "", "F"]
    for name, text in fields.items():
        number = int(name[1:])
        parts += [""] * (number + 1 - len(parts))
        parts[number] = text
    return "|".join(parts)


def kept_fields(observation: dict[str, Any]) -> dict[str, str]:
    """Fields kept verbatim, by name."""
    found = [one["extension"] for one in observation.get("extension", ()) if one["url"] == SOURCE_FIELD]
    return {parts[0]["valueString"]: parts[1]["valueString"] for parts in found}
