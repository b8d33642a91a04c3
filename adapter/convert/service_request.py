"""ORC, OBR -> ServiceRequest: the rules (v2-to-FHIR ORC[ServiceRequest], OBR[ServiceRequest]).

`order.build_order` walks the segments, OBR first; ORC then adds what OBR does not say (A15). Order numbers stand on the report as
well. Requester and timing need several fields together and have files of their own.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept, coding, first_of, mapped_code, mapped_concept
from adapter.convert.datatypes.contacts import contact_point
from adapter.convert.datatypes.identifiers import identifier_cx, identifier_of_pair, identifier_typed, typed
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import put
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.unmapped_codes import required_code
from adapter.convert.datatypes.verbatim import first_repetition, further_repetitions, source_extension, source_field
from adapter.convert.environment import Environment
from adapter.convert.rules import Builder, Rule, Targets
from adapter.convert.specimen import coded_note
from adapter.hl7v2.message import Segment, valued

BUSINESS_EVENT = "http://hl7.org/fhir/StructureDefinition/businessEvent"
STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
CALLBACK = "http://hl7.org/fhir/StructureDefinition/servicerequest-order-callback-phone-number"

#: Resources that have the numbers of an order.
_NUMBERED = ("ServiceRequest", "DiagnosticReport")
_ORDER_CONTROL = coded_in("0119")
#: From this version on ORC-4 is an EIP: group number of the placer and of the filler.
_GROUP_NUMBER_PAIR = ("2.8.2", "2.9", "2.9.1")


def add_identifier(resource: dict[str, Any], identifier: dict[str, Any]) -> None:
    """Add an order number unless it is there; of two that differ by the authority only, the one that names it stays (A15)."""
    there: list[dict[str, Any]] = resource.setdefault("identifier", [])
    if identifier in there:
        return
    value = identifier.get("value")
    for index, other in enumerate(there):
        if other.get("value") == value and other.get("type") == identifier.get("type"):
            if identifier.keys() <= {"type", "value"}:
                return
            if other.keys() <= {"type", "value"}:
                there[index] = identifier
                return
    there.append(identifier)


def _number(number: int, kind: str) -> Builder:
    """Make the builder of placer (PLAC) and filler (FILL) order number, the same in OBR and ORC."""
    function = identifier_typed(kind)

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        environment = assembly.environment
        identifier, faults = (environment.memos.get(function) or environment.memo(function))[text]
        if faults:
            assembly.report_faults(segment, number, faults)
        if identifier is None:
            return
        for name in _NUMBERED:
            if name in targets:
                resource = targets[name]
                if "identifier" not in resource:
                    resource["identifier"] = [identifier]
                elif identifier not in resource["identifier"]:
                    add_identifier(resource, identifier)

    return build


def alternate_number(text: str, environment: Environment) -> Any:
    """CX of OBR-53, ORC-33 -> Identifier of type PLAC; another type sent stays beside it."""
    found = identifier_cx(text, environment)
    if found is None:
        return None
    placer = typed("PLAC")
    sent = [one for one in found.get("type", {}).get("coding", []) if one.get("code") != "PLAC"]
    return {**found, "type": {"coding": placer["coding"] + sent}}


def _alternate_numbers(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            identifier = assembly.value(alternate_number, segment, number, part) if valued(part) else None
            if identifier is not None:
                add_identifier(targets["ServiceRequest"], identifier)

    return build


def _group_number(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """ORC-4 -> requisition, and an identifier of the report (v2-to-FHIR ORC[ServiceRequest]:15-23)."""
    pair = assembly.message.version in _GROUP_NUMBER_PAIR
    placer = assembly.value(identifier_of_pair(1, "PGN") if pair else identifier_typed("PGN"), segment, 4, text)
    filler = assembly.value(identifier_of_pair(2, "FGN"), segment, 4, text) if pair else None
    if placer is not None and "ServiceRequest" in targets:
        targets["ServiceRequest"]["requisition"] = placer
    if filler is not None and "ServiceRequest" in targets:
        add_identifier(targets["ServiceRequest"], filler)
    for identifier in (placer, filler):
        if identifier is not None:
            add_identifier(targets["DiagnosticReport"], identifier)


def _filler_group(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    identifier = assembly.value(identifier_typed("FGN"), segment, 38, text)
    if identifier is not None:
        add_identifier(targets["ServiceRequest"], identifier)


def _event(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """ORC-1, ORC-9 -> one `businessEvent` with what happened and when (A28)."""
    request = targets["ServiceRequest"]
    if "extension" in request and any(one["url"] == BUSINESS_EVENT for one in request["extension"]):
        return
    parts: list[dict[str, Any]] = []
    fields = segment.fields
    if valued(fields[1]):
        control = assembly.value(_ORDER_CONTROL, segment, 1, fields[1])
        if control is not None:
            parts.append({"url": "value", "valueCodeableConcept": {"coding": [control]}})
    if len(fields) > 9 and valued(fields[9]):
        date: dict[str, Any] = {"url": "date"}
        put(date, "valueDateTime", assembly.value(date_time, segment, 9, fields[9]))
        if len(date) > 1:
            parts.append(date)
    if parts:
        request.setdefault("extension", []).append({"url": BUSINESS_EVENT, "extension": parts})


def _status_reason(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """ORC-16 -> why the order is as it is, unless ORC-5 gives it another status."""
    found = assembly.value(codeable_concept, segment, 16, text.partition("~")[0])
    if found is not None and not valued(segment[5]):
        extension = {"url": STATUS_REASON, "valueCodeableConcept": found}
        targets["ServiceRequest"].setdefault("extension", []).append(extension)


def _callback(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            found = assembly.value(contact_point, segment, number, part) if valued(part) else None
            extension = {"url": CALLBACK, "valueContactPoint": found}
            if found is not None and extension not in targets["ServiceRequest"].get("extension", ()):
                targets["ServiceRequest"].setdefault("extension", []).append(extension)

    return build


def confidentiality(text: str, environment: Environment) -> Any:
    """CWE of ORC-28 -> Coding for `meta.security`."""
    concept = mapped_concept("0177")(text, environment)
    codings = concept.get("coding") if concept is not None else None
    return first_of(codings, text) if codings else coding(text, environment)


def parent_number(text: str, environment: Environment) -> Any:
    """EIP -> Identifier of the parent order: that of the filler, else that of the placer (A23)."""
    filler = identifier_of_pair(2, "FILL")(text, environment)
    return filler if filler is not None else identifier_of_pair(1, "PLAC")(text, environment)


def _parent(number: int) -> Builder:
    """Make the builder of `basedOn`: the parent's number, and the parent itself where it is in this message."""

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            identifier = assembly.value(parent_number, segment, number, part) if valued(part) else None
            if identifier is None:
                continue
            parents = targets["ServiceRequest"].setdefault("basedOn", [])
            if any(one.get("identifier") == identifier for one in parents):
                continue
            parent: dict[str, Any] = {"type": "ServiceRequest", "identifier": identifier}
            url = order_with(assembly, identifier)
            if url:
                parent["reference"] = url
            if all(valued(one) for one in part.split("^")[:2]) and "^" in part:
                parent["extension"] = [source_extension(f"{segment.name}-{number}", part)]
            parents.append(parent)

    return build


def order_with(assembly: Assembly, identifier: dict[str, Any]) -> str:
    """Find the one ServiceRequest in the message that has this number."""
    found = [
        url
        for url, resource in assembly.resources.items()
        if resource["resourceType"] == "ServiceRequest" and identifier in resource.get("identifier", ())
    ]
    return found[0] if len(found) == 1 else ""


def read_after_the_walk(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Do nothing yet: what needs ORC and OBR together is read when both have been walked."""


def _kept(name: str) -> Rule:
    return Rule(name, "ServiceRequest.extension[]", source_field(name), repeats="whole", note="no element in ServiceRequest")


_CHARGES = "insurance and charges; no element in ServiceRequest and no use for a result"

OBR_RULES: tuple[Rule, ...] = (
    Rule("OBR-2", "DiagnosticReport.identifier[]", build=_number(2, "PLAC"), note="A15; ServiceRequest.identifier[] as well"),
    Rule("OBR-3", "DiagnosticReport.identifier[]", build=_number(3, "FILL"), note="A15; ServiceRequest.identifier[] as well"),
    Rule("OBR-4", "ServiceRequest.code", first_repetition(codeable_concept), repeats="whole", note="A06"),
    *required_code("OBR-5", "ServiceRequest.priority", "0485"),
    Rule("OBR-6", "ServiceRequest.occurrenceDateTime", date_time),
    Rule("OBR-11", "ServiceRequest.intent", mapped_code("0065", report=False), table="0065", note="A51"),
    Rule("OBR-13", "ServiceRequest.note[]", coded_note, repeats="each", note="A50"),
    Rule("OBR-16", "ServiceRequest.requester", build=read_after_the_walk, note="`requester.set_requester`"),
    Rule("OBR-17", f"ServiceRequest.extension({CALLBACK}).valueContactPoint", build=_callback(17), repeats="whole", note="A28"),
    Rule("OBR-27", "ServiceRequest.occurrenceTiming", build=read_after_the_walk, note="`timing.add_timing`; A24"),
    Rule("OBR-29", "ServiceRequest.basedOn[]", build=_parent(29), repeats="whole", note="A23"),
    Rule("OBR-31", "ServiceRequest.reasonCode[]", codeable_concept, repeats="each"),
    Rule("OBR-46", "ServiceRequest.orderDetail[]", codeable_concept, repeats="each"),
    Rule("OBR-47", "ServiceRequest.orderDetail[]", codeable_concept, repeats="each"),
    _kept("OBR-50"),
    Rule("OBR-53", "ServiceRequest.identifier[]", build=_alternate_numbers(53), repeats="whole"),
    Rule("OBR-54", "ServiceRequest.basedOn[]", build=_parent(54), repeats="whole", note="A23"),
)

ORC_RULES: tuple[Rule, ...] = (
    Rule("ORC-1", f"ServiceRequest.extension({BUSINESS_EVENT})", build=_event, note="A28; the status as well, A14"),
    Rule("ORC-2", "DiagnosticReport.identifier[]", build=_number(2, "PLAC"), note="A15; ServiceRequest.identifier[] as well"),
    Rule("ORC-3", "DiagnosticReport.identifier[]", build=_number(3, "FILL"), note="A15; ServiceRequest.identifier[] as well"),
    Rule("ORC-4", "DiagnosticReport.identifier[]", build=_group_number, note="ServiceRequest.requisition as well"),
    Rule("ORC-5", "ServiceRequest.status", build=read_after_the_walk, table="0038", note="A14"),
    Rule("ORC-6", drop="says which answers the placer wants; no use for a result"),
    Rule("ORC-7", "ServiceRequest.occurrenceTiming", build=read_after_the_walk, note="`timing.add_timing`; A24"),
    Rule("ORC-8", "ServiceRequest.basedOn[]", build=_parent(8), repeats="whole", note="A23"),
    Rule("ORC-9", f"ServiceRequest.extension({BUSINESS_EVENT})", build=_event, note="A28 A57"),
    *(Rule(f"ORC-{number}", "DiagnosticReport.Provenance.agent[]", build=read_after_the_walk) for number in (10, 11, 17, 19)),
    Rule("ORC-17", "DiagnosticReport.extension[]", further_repetitions("ORC-17"), repeats="further"),
    *(Rule(f"ORC-{number}", "ServiceRequest.requester", build=read_after_the_walk) for number in (12, 21, 22, 23, 24)),
    Rule("ORC-14", f"ServiceRequest.extension({CALLBACK}).valueContactPoint", build=_callback(14), repeats="whole"),
    _kept("ORC-15"),
    _kept("ORC-18"),
    _kept("ORC-25"),
    *(Rule(f"ORC-{number}", drop=_CHARGES) for number in (20, 26, 32)),
    Rule(
        "ORC-16",
        f"ServiceRequest.extension({STATUS_REASON})",
        build=_status_reason,
        note="only without ORC-5",
    ),
    Rule("ORC-28", "ServiceRequest.meta.security[]", confidentiality, repeats="each", table="0177"),
    Rule("ORC-28", "DiagnosticReport.meta.security[]", confidentiality, repeats="each", table="0177"),
    Rule("ORC-29", "ServiceRequest.locationCode[]", mapped_concept("0482"), table="0482"),
    _kept("ORC-30"),
    _kept("ORC-31"),
    Rule("ORC-33", "ServiceRequest.identifier[]", build=_alternate_numbers(33), repeats="whole", note="A55"),
    Rule("ORC-38", "ServiceRequest.identifier[]", build=_filler_group),
)
