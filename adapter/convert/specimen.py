"""SPM -> Specimen; OBR -> Specimen where no SPM is sent (v2-to-FHIR SPM[Specimen], OBR[Specimen], SPS[Specimen-Source]; A12).

Where SPM is sent it describes the specimen; with exactly one SPM, OBR-7 to OBR-15 fill what it leaves open. Without SPM, OBR
makes a Specimen only if it says something about one (OBR-9, 10, 14 or 15). With several SPM nobody can say which one OBR means:
its fields stay on the report, as sent.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept, mapped_concept
from adapter.convert.datatypes.identifiers import identifier_cx, identifier_typed, identifiers_eip
from adapter.convert.datatypes.quantities import composite_quantity
from adapter.convert.datatypes.text import components, keep, promoted, put, string
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.unmapped_codes import required_code
from adapter.convert.datatypes.verbatim import first_repetition, further_repetitions, source_extension, source_field
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.notes import build_notes
from adapter.convert.order_identity import specimen_key
from adapter.convert.participation import role_code, role_of
from adapter.convert.parties import practitioner
from adapter.convert.party import fill, keep_sources
from adapter.convert.report import set_times, time_span
from adapter.convert.rules import Builder, Plan, Rule, Targets, apply_rules
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment, valued

Built = tuple[dict[str, str], dict[str, Any], Segment | None]

#: Fields of OBR about the specimen. Those that make a Specimen where no SPM is sent, and those that only add to one.
REQUEST_FIELDS = (9, 10, 14, 15)
REQUEST_FIELDS_THAT_ADD = (39,)
_COLLECTED = ("collectedDateTime", "_collectedDateTime", "collectedPeriod")


def collected_quantity(text: str, environment: Environment) -> Any:
    """CQ -> SimpleQuantity; None when the amount is no plain number (A30)."""
    value = environment.memo(composite_quantity)[text + "|"][0]
    if value is None or value.name != "Quantity" or "comparator" in value.content:
        return None
    return value.content


def _quantity(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        specimen = targets["Specimen"]
        found = assembly.value(collected_quantity, segment, number, text)
        if found is not None:
            specimen.setdefault("collection", {})["quantity"] = found
        else:
            assembly.report("value-not-a-number", segment, number, detail="an amount is expected here", value=text)
            specimen.setdefault("extension", []).append(source_extension(f"{segment.name}-{number}", text))

    return build


def note(text: str, environment: Environment) -> Any:
    """ST -> Annotation."""
    found = string(text, environment)
    return None if found is None else {"text": found}


def coded_note(text: str, environment: Environment) -> Any:
    """CWE -> Annotation with its text; the code is kept as sent."""
    parts = components(text, 9)
    title = parts[8] or parts[1] or parts[0] or parts[4] or parts[3]
    if not title:
        return None
    found: dict[str, Any] = {"text": title}
    if "^" in text:
        keep(found, text)
    return found


def _identify(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(identifiers_eip, segment, 2, text)
    if found:
        targets["Specimen"]["identifier"] = [*targets["Specimen"].get("identifier", ()), *found]


def _parents(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Point to the parents by their numbers; a parent that is in the message is found by the same number on the server."""
    for part in text.split("~"):
        identifiers = assembly.value(identifiers_eip, segment, 3, part) if valued(part) else None
        if identifiers:
            parent: dict[str, Any] = {"type": "Specimen", "identifier": identifiers[-1]}
            if len(identifiers) > 1:
                parent["extension"] = [source_extension("SPM-3", part)]
            targets["Specimen"].setdefault("parent", []).append(parent)


#: Fields of SPM about the container, of which SPM describes one: element and datatype function.
_CONTAINER: dict[int, tuple[str, DatatypeFunction]] = {
    6: ("additiveCodeableConcept", first_repetition(mapped_concept("0371"))),
    27: ("type", codeable_concept),
}


def _container(number: int) -> Builder:
    name, function = _CONTAINER[number]

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        found = assembly.value(function, segment, number, text)
        if found is not None:
            targets["Specimen"].setdefault("container", [{}])[0][name] = found

    return build


def _collected(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    collection = targets["Specimen"].setdefault("collection", {})
    start, _, end = text.partition("^")
    if valued(end):
        found = assembly.value(time_span, segment, 17, f"{start if valued(start) else ''}|{end}")
        if found is not None:
            collection["collectedPeriod"] = found
    elif valued(start):
        put(collection, "collectedDateTime", assembly.value(date_time, segment, 17, start))
    if not collection:
        del targets["Specimen"]["collection"]


def _kept(name: str) -> Rule:
    return Rule(name, "Specimen.extension[]", source_field(name), repeats="whole", note="no element in Specimen")


_SPM_KEPT = (5, 9, 10, 11, 13, 15, 16, 19, 22, 23, 25, 26, 28, 29)

SPM_RULES: tuple[Rule, ...] = (
    Rule("SPM-1", drop="number of the segment"),
    Rule("SPM-2", "Specimen.identifier[]", build=_identify, note="A29"),
    Rule("SPM-3", "Specimen.parent[]", build=_parents, repeats="whole"),
    Rule("SPM-4", "Specimen.type", mapped_concept("0487"), table="0487", note="A06"),
    Rule("SPM-6", "Specimen.container[].additiveCodeableConcept", build=_container(6), repeats="whole", table="0371"),
    Rule("SPM-6", "Specimen.extension[]", further_repetitions("SPM-6"), repeats="further"),
    Rule("SPM-7", "Specimen.collection.method", mapped_concept("0488"), table="0488"),
    Rule("SPM-8", "Specimen.collection.bodySite", codeable_concept),
    Rule("SPM-12", "Specimen.collection.quantity", build=_quantity(12), note="A30"),
    Rule("SPM-14", "Specimen.note[]", note, repeats="each"),
    Rule("SPM-17", "Specimen.collection.collectedDateTime", build=_collected, note="with an end collectedPeriod"),
    Rule("SPM-18", "Specimen.receivedTime", date_time),
    *required_code("SPM-20", "Specimen.status", "0136-specimen"),
    Rule("SPM-21", "Specimen.condition[]", mapped_concept("0490"), repeats="each", table="0490", note="unmapped in the guide"),
    Rule("SPM-24", "Specimen.condition[]", mapped_concept("0493"), repeats="each", table="0493"),
    Rule("SPM-27", "Specimen.container[].type", build=_container(27)),
    Rule("SPM-30", "Specimen.accessionIdentifier", first_repetition(identifier_cx), repeats="whole"),
    Rule("SPM-30", "Specimen.extension[]", further_repetitions("SPM-30"), repeats="further"),
    Rule("SPM-31", "Specimen.identifier[]", identifier_cx, repeats="each", note="A44"),
    Rule("SPM-32", "Specimen.identifier[]", identifier_typed("SHIP"), repeats="each", note="A44"),
    *(_kept(f"SPM-{number}") for number in _SPM_KEPT),
)

RULES: dict[str, tuple[Rule, ...]] = {"SPM": SPM_RULES}


def _collection_time(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    collection = targets["Specimen"].setdefault("collection", {})
    if "collectedPeriod" not in collection:
        set_times(assembly, segment, collection, "collectedDateTime", "collectedPeriod")


def _collector(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    first = next(part for part in text.split("~") if valued(part))
    reference = practitioner(assembly, segment, 10, first)
    if reference is not None:
        targets["Specimen"].setdefault("collection", {})["collector"] = reference


#: Components of SPS (HL7 v2.5.1 chapter 2, 2.A.75) and where they go.
_SOURCE_PARTS: tuple[tuple[int, str, DatatypeFunction], ...] = (
    (1, "type", mapped_concept("0487")),
    (2, "additive", mapped_concept("0371")),
    (3, "note", note),
    (4, "bodySite", mapped_concept("0163")),
    (6, "condition", mapped_concept("0493")),
)


def _source(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """SPS of OBR-15 -> type, additive, note, body site, condition; site modifier and role have no element."""
    specimen = targets["Specimen"]
    parts = text.split("^")
    for number, name, function in _SOURCE_PARTS:
        if number > len(parts) or not valued(parts[number - 1]):
            continue
        found = assembly.value(function, segment, 15, promoted(parts[number - 1]))
        if found is None:
            continue
        if name == "type":
            specimen["type"] = found
        elif name == "additive":
            specimen["container"] = [{"additiveCodeableConcept": found}]
        elif name == "bodySite":
            specimen.setdefault("collection", {})["bodySite"] = found
        else:
            specimen.setdefault(name, []).append(found)
    if any(valued(part) for part in (*parts[4:5], *parts[6:])):
        specimen.setdefault("extension", []).append(source_extension("OBR-15", text))


OBR_RULES: tuple[Rule, ...] = (
    Rule("OBR-7", "Specimen.collection.collectedDateTime", build=_collection_time, note="A12; with OBR-8 collectedPeriod"),
    Rule("OBR-8", "Specimen.collection.collectedPeriod", build=_collection_time, note="A12"),
    Rule("OBR-9", "Specimen.collection.quantity", build=_quantity(9), note="A12 A30"),
    Rule("OBR-10", "Specimen.collection.collector", build=_collector, repeats="whole", note="A12"),
    Rule("OBR-10", "Specimen.extension[]", further_repetitions("OBR-10"), repeats="further"),
    Rule("OBR-14", "Specimen.receivedTime", date_time, note="A12"),
    Rule("OBR-15", "Specimen.type", build=_source, note="A12"),
    Rule("OBR-39", "Specimen.note[]", coded_note, repeats="each"),
)


#: Where OBR says what an element of the specimen says; the times of OBR-7 and OBR-8 stand on the report as well.
_FIELD_OF_ELEMENT = {
    "quantity": 9,
    "collector": 10,
    "receivedTime": 14,
    "type": 15,
    "bodySite": 15,
    "container": 15,
    "condition": 15,
}


def request_describes_specimen(order: Order) -> bool:
    """Tell whether the fields of OBR describe the one specimen of the order (A12)."""
    if order.request is None or len(order.specimens) > 1:
        return False
    request = order.request
    return bool(order.specimens) or any(valued(request[number]) for number in REQUEST_FIELDS)


def build_specimens(
    assembly: Assembly, plans: dict[str, Plan], order: Order, from_request: dict[str, Any], report: tuple[str, ...]
) -> list[Built]:
    """Build the Specimens of an order.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    order : Order
        The segments of the order.
    from_request : dict
        What OBR says about the specimen; empty when that is not known to be this specimen.
    report : tuple of str
        Key of the report.

    Returns
    -------
    list of (dict, dict, Segment or None)
        Reference, resource, and the SPM it comes from.
    """
    if not order.specimens:
        return [_add(assembly, dict(from_request), None, report)] if from_request else []
    built = []
    for group in order.specimens:
        specimen: dict[str, Any] = {}
        apply_rules(plans["SPM"], assembly, group.segment, {"Specimen": specimen})
        if from_request and order.request is not None:
            _complete(specimen, from_request, order.request)
        if group.others:
            notes = build_notes(assembly, plans, [segment for segment in group.others if segment.name == "NTE"])
            if notes:
                specimen["note"] = [*specimen.get("note", ()), *notes]
        for segment in group.others:
            if segment.name == "PRT" and role_code(segment) == "SC":
                add_collector(assembly, plans, segment, specimen)
            elif segment.name != "NTE":
                assembly.keep_segment(segment, specimen)
        built.append(_add(assembly, specimen, group.segment, report))
    return built


def _complete(specimen: dict[str, Any], more: dict[str, Any], request: Segment) -> None:
    """Add what OBR says beyond SPM: what SPM says stays, and what contradicts it is kept as sent."""
    if all(specimen.get(name) == value for name, value in more.items()):
        return
    collection = specimen.get("collection", {})
    other = more.get("collection", {})
    timed = any(name in collection for name in _COLLECTED)
    joined = {name: value for name, value in other.items() if not (timed and name in _COLLECTED)} | collection
    contradicting = [name for name, value in other.items() if name in joined and joined[name] != value]
    contradicting += [name for name, value in more.items() if name in specimen and specimen[name] != value]
    fill(specimen, {name: value for name, value in more.items() if name not in ("collection", "condition")})
    if "condition" in more and "condition" not in specimen:
        specimen["condition"] = more["condition"]
    numbers = sorted({_FIELD_OF_ELEMENT[name] for name in contradicting if name in _FIELD_OF_ELEMENT})
    keep_sources(specimen, [(f"OBR-{number}", request[number]) for number in numbers])
    if joined:
        specimen["collection"] = joined


def add_collector(assembly: Assembly, plans: dict[str, Plan], segment: Segment, specimen: dict[str, Any]) -> None:
    """PRT with role SC -> collector, where none is named yet (A38)."""
    collection = specimen.get("collection", {})
    reference = role_of(assembly, plans, segment) if "collector" not in collection else None
    if reference is not None:
        specimen["collection"] = {**collection, "collector": reference}
    else:
        specimen.setdefault("extension", []).append(source_extension(segment.name, segment.text))


def _add(assembly: Assembly, specimen: dict[str, Any], segment: Segment | None, report: tuple[str, ...]) -> Built:
    """Put the specimen into the message; the same specimen under another order adds what it says beyond."""
    resource = {"resourceType": "Specimen", **specimen}
    if assembly.patient_reference is not None:
        resource["subject"] = assembly.patient_reference
    reference = assembly.share(resource, (assembly.patient_key, *specimen_key(assembly, segment, report)))
    there = assembly.resources[reference["reference"]]
    if there is not resource:
        before, new = there.get("collection", {}), resource.pop("collection", {})
        timed = any(name in before for name in _COLLECTED)
        collection = {name: value for name, value in new.items() if not (timed and name in _COLLECTED)} | before
        whole = all(collection.get(name) == value for name, value in new.items())
        if not (fill(there, resource) and whole) and segment is not None:
            keep_sources(there, [(segment.name, segment.text)])
        if collection:
            there["collection"] = collection
    return reference, there, segment
