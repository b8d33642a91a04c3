"""ORC, OBR -> ServiceRequest, DiagnosticReport and Specimen: one walk over each segment fills all three.

The ServiceRequest is built when the order has a number (ORC-2, ORC-3, OBR-2, OBR-3; A14). The rules of the request stand in
`service_request.py`, those of the report in `report.py`, those of the specimen in `specimen.py`.
"""

from __future__ import annotations

from typing import Any

from adapter.convert import report as reports
from adapter.convert import service_request as service_requests
from adapter.convert import specimen as specimens
from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import mapped_code
from adapter.convert.datatypes.text import components, put
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.notes import build_notes
from adapter.convert.order_context import OrderContext
from adapter.convert.order_identity import order_keys
from adapter.convert.participation import role_code, role_of
from adapter.convert.party import fill, keep_sources
from adapter.convert.report import DATA_ABSENT_REASON, add_participant, add_report, check_status, new_report
from adapter.convert.requester import add_provenance, set_requester
from adapter.convert.rules import Plan, Rule, Targets, apply_rules
from adapter.convert.specimen import Built, add_collector, build_specimens, request_describes_specimen
from adapter.convert.timing import TQ1_RULES, add_timing
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment, valued

REPORT_NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"

RULES: dict[str, tuple[Rule, ...]] = {
    "ORC": service_requests.ORC_RULES + reports.ORC_RULES,
    "OBR": service_requests.OBR_RULES + reports.OBR_RULES + specimens.OBR_RULES,
    "TQ1": TQ1_RULES,
    "CTI": reports.CTI_RULES,
}


def _fields_of(target: str, name: str) -> frozenset[int]:
    """Give the fields of a segment that have rules for one resource only, and for no other."""
    own = {rule.field for rule in RULES[name] if rule.target.partition(".")[0] == target}
    other = {rule.field for rule in RULES[name] if rule.target.partition(".")[0] != target}
    return frozenset(own - other)


_OF_REQUEST = {name: _fields_of("ServiceRequest", name) for name in ("ORC", "OBR")}


def build_order(assembly: Assembly, plans: dict[str, Plan], order: Order) -> OrderContext:
    """Build ServiceRequest, Specimens and DiagnosticReport of an order.

    Parameters
    ----------
    assembly : Assembly
        The message being converted; its patient and visit are there already.
    plans : dict
        Compiled rules by name.
    order : Order
        The segments of the order.

    Returns
    -------
    OrderContext
        What the results of the order need; the report may still be filled.
    """
    request, common = order.request, order.common_order
    report = new_report(assembly)
    service_request = _new_request(assembly, order)
    from_request: dict[str, Any] = {}
    targets: dict[str, dict[str, Any]] = {"DiagnosticReport": report}
    if service_request is not None:
        targets["ServiceRequest"] = service_request
    if request_describes_specimen(order):
        targets["Specimen"] = from_request
    for segment in (request, common):
        if segment is not None:
            apply_rules(plans[segment.name], assembly, segment, targets)
            _keep_homeless(segment, targets, order)
    check_status(assembly, request, report)
    key, request_key = order_keys(assembly, order)
    reference: dict[str, str] | None = None
    if service_request is not None:
        _set_status(assembly, order, service_request)
        if "orderDetail" in service_request and "code" not in service_request:
            # prr-1: details need a code that they detail.
            service_request["code"] = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
        add_timing(assembly, plans, order, service_request)
        set_requester(assembly, order, service_request)
        reference = _add_request(assembly, order, service_request, request_key)
        report["basedOn"] = [reference]
        service_request = assembly.resources[reference["reference"]]
    elif order.timing:
        report.setdefault("extension", []).extend(source_extension(segment.name, segment.text) for segment in order.timing)
    built = build_specimens(assembly, plans, order, from_request, key)
    if built:
        report["specimen"] = [specimen for specimen, _, _ in built]
    _add_notes(assembly, plans, order, report, service_request)
    for segment in order.others:
        _add_other(assembly, plans, segment, report, service_request, built)
    key = add_report(assembly, request, report, key)
    if common is not None:
        add_provenance(assembly, common, reference or {"reference": assembly.entries[-1].full_url})
    return OrderContext(order, report, key, service_request, built)


def _new_request(assembly: Assembly, order: Order) -> dict[str, Any] | None:
    """Make a ServiceRequest with what R4 requires; None where the order has no number (A14)."""
    numbers = order.request.fields[2:4] if order.request is not None else []
    if order.common_order is not None:
        numbers += order.common_order.fields[2:4]
    if not any(map(valued, numbers)):
        return None
    request: dict[str, Any] = {"resourceType": "ServiceRequest", "status": "unknown", "intent": "order"}
    absent = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    request["subject"] = assembly.patient_reference or absent
    if assembly.encounter_reference is not None:
        request["encounter"] = assembly.encounter_reference
    return request


def _keep_homeless(segment: Segment, targets: Targets, order: Order) -> None:
    """Keep on the report, as sent, the fields of resources that are not built: no order number, or not this one specimen."""
    fields: list[int] = []
    if "ServiceRequest" not in targets:
        fields += [number for number in _OF_REQUEST[segment.name] if valued(segment[number])]
    if "Specimen" not in targets and segment.name == "OBR":
        fields += [number for number in specimens.REQUEST_FIELDS + specimens.REQUEST_FIELDS_THAT_ADD if valued(segment[number])]
    if fields:
        extensions = targets["DiagnosticReport"].setdefault("extension", [])
        extensions += [source_extension(f"{segment.name}-{number}", segment[number]) for number in sorted(fields)]


def _set_status(assembly: Assembly, order: Order, request: dict[str, Any]) -> None:
    """Set the status: by ORC-5, else by ORC-1, else by OBR-25, else unknown (A14)."""
    vocabulary = assembly.environment.tables.vocabulary
    common = order.common_order
    for segment, number, table in ((common, 5, "0038"), (common, 1, "0119"), (order.request, 25, "0123-request")):
        text = segment.fields[number] if segment is not None and len(segment.fields) > number else ""
        if segment is None or not valued(text):
            continue
        row = vocabulary[table].get(text) if text.isalnum() else vocabulary[table].get(components(text, 1)[0])
        if row is not None and number == 5:
            put(request, "status", assembly.value(mapped_code(table), segment, number, text))
            return
        if row is not None:
            # The code itself stands elsewhere: ORC-1 in the business event, OBR-25 in the report.
            request["status"] = row.target
            return
        if number == 5:
            assembly.report("code-not-mapped", segment, 5, detail="table 0038", value=segment[5])
            request.setdefault("extension", []).append(source_extension("ORC-5", segment[5]))


def _add_request(assembly: Assembly, order: Order, request: dict[str, Any], key: tuple[str, ...]) -> dict[str, str]:
    """Put the ServiceRequest into the message; the same order again adds what it says beyond."""
    reference = assembly.share(request, (assembly.patient_key, *key))
    there = assembly.resources[reference["reference"]]
    if there is not request and not fill(there, request):
        sources = [(segment.name, segment.text) for segment in (order.common_order, order.request) if segment is not None]
        keep_sources(there, sources)
    return reference


def _add_notes(
    assembly: Assembly, plans: dict[str, Plan], order: Order, report: dict[str, Any], service_request: dict[str, Any] | None
) -> None:
    """NTE after OBR or ORC -> notes of the request, and of the report by the extension for R5's `note` (A11)."""
    notes = build_notes(assembly, plans, order.notes) if order.notes else []
    if notes and service_request is not None:
        service_request["note"] = [*service_request.get("note", ()), *notes]
    if notes:
        extensions = report.setdefault("extension", [])
        extensions += [{"url": REPORT_NOTE, "valueAnnotation": note} for note in notes]


def _add_other(
    assembly: Assembly,
    plans: dict[str, Plan],
    segment: Segment,
    report: dict[str, Any],
    service_request: dict[str, Any] | None,
    built: list[Built],
) -> None:
    """PRT and ROL of the order go where their role belongs (A38), CTI to the report; other segments have no mapping."""
    holder = report if service_request is None else service_request
    if segment.name == "CTI":
        apply_rules(plans["CTI"], assembly, segment, {"DiagnosticReport": report})
        return
    if segment.name not in ("PRT", "ROL"):
        assembly.keep_segment(segment, holder)
        return
    if add_participant(assembly, plans, segment, report):
        return
    code = role_code(segment)
    if code == "SC" and len(built) == 1:
        add_collector(assembly, plans, segment, built[0][1])
    elif code == "OP" and service_request is not None and "requester" not in service_request:
        reference = role_of(assembly, plans, segment)
        if reference is not None:
            service_request["requester"] = reference
    else:
        holder.setdefault("extension", []).append(source_extension(segment.name, segment.text))
