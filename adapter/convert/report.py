"""OBR, ORC -> DiagnosticReport (v2-to-FHIR OBR[DiagnosticReport], ORC[DiagnosticReport]): the rules, the status and the request.

`order.build_order` walks the segments; the rules here are the report's part of them. What the guide leaves without a place stays
on the report as sent.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly, Policy
from adapter.convert.datatypes.codes import codeable_concept, mapped_code, mapped_concept
from adapter.convert.datatypes.identifiers import identifier_ei
from adapter.convert.datatypes.text import put
from adapter.convert.datatypes.times import date_time, instant, make_period
from adapter.convert.datatypes.verbatim import first_repetition, further_repetitions, keep_source, source_extension, source_field
from adapter.convert.environment import Environment
from adapter.convert.participation import role_code, role_of
from adapter.convert.parties import PARTICIPATION_TYPE, location, practitioner, practitioner_ndl, share_role
from adapter.convert.rules import Builder, Plan, Rule, Targets
from adapter.hl7v2.message import Segment, valued

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
PERFORMER_FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
RESEARCH_STUDY = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/event-statusReason"

#: Reports that a later message completes; a transaction creates them only where they are not known.
UNFINISHED = frozenset({"registered", "preliminary", "partial"})
#: Roles of PRT (tables 0912, 0443) at the report (A38).
_PERFORMER_ROLES = frozenset({"ARI", "TN", "TR"})
_INTERPRETER_ROLES = frozenset({"PRI"})


def time_span(text: str, environment: Environment) -> Any:
    """Two TS fields, joined by `|` -> Period: OBR-7 and OBR-8."""
    start, _, end = text.partition("|")
    return make_period(start, end, environment, "", "")


def set_times(assembly: Assembly, segment: Segment, holder: dict[str, Any], moment: str, span: str) -> None:
    """Set the time of OBR-7, or the Period of OBR-7 and OBR-8 where an end is sent."""
    fields = segment.fields
    start = fields[7]
    end = fields[8] if len(fields) > 8 else ""
    if end and valued(end):
        found = assembly.value(time_span, segment, 7, f"{start if valued(start) else ''}|{end}")
        if found is not None:
            holder[span] = found
    else:
        put(holder, moment, assembly.value(date_time, segment, 7, start))


def _effective(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    report = targets["DiagnosticReport"]
    if "effectivePeriod" not in report:
        set_times(assembly, segment, report, "effectiveDateTime", "effectivePeriod")


def _interpreter(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    for part in text.split("~"):
        reference = role_of_ndl(assembly, segment, 32, part, "")
        if reference is not None:
            targets["DiagnosticReport"].setdefault("resultsInterpreter", []).append(reference)


def _performer(number: int, function: str) -> Builder:
    """Make the builder of performers with their function (v2-to-FHIR OBR[DiagnosticReport]:42-49)."""

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            reference = role_of_ndl(assembly, segment, number, part, function)
            if reference is not None:
                concept = {"coding": [{"system": PARTICIPATION_TYPE, "code": function}]}
                extension = [{"url": PERFORMER_FUNCTION, "valueCodeableConcept": concept}]
                targets["DiagnosticReport"].setdefault("performer", []).append({"extension": extension, **reference})

    return build


def role_of_ndl(assembly: Assembly, segment: Segment, number: int, text: str, function: str) -> dict[str, str] | None:
    """NDL -> PractitionerRole with person, time and place (v2-to-FHIR NDL[PractitionerRole]).

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    segment : Segment
        Where the text stands.
    number : int
        Field number.
    text : str
        One repetition in ER7.
    function : str
        What he does, to tell his roles apart.

    Returns
    -------
    dict or None
        Reference; None when nobody is named.
    """
    if not valued(text):
        return None
    person, rest = practitioner_ndl(text)
    parts = rest.split("^")
    parts += [""] * (10 - len(parts))
    role: dict[str, Any] = {}
    if valued(parts[0]) or valued(parts[1]):
        found = assembly.value(time_span, segment, number, f"{parts[0]}|{parts[1]}")
        if found is not None:
            role["period"] = found
    # NDL.4 to NDL.11 are PL.1 to PL.8
    place = "^".join(parts[2:10]).rstrip("^")
    where = location(assembly, segment, number, place) if place else None
    if where is not None:
        role["location"] = [where]
    return share_role(assembly, role, practitioner(assembly, segment, number, person), None, (function, rest))


def _kept(name: str, note: str = "no element in DiagnosticReport") -> Rule:
    return Rule(name, "DiagnosticReport.extension[]", source_field(name), repeats="whole", note=note)


#: Fields of OBR that neither DiagnosticReport nor ServiceRequest nor Specimen has an element for.
_OBR_KEPT = (12, 18, 19, 20, 21, 26, 28, 30, 33, 36, 37, 38, 40, 41, 42, 43, 44, 45, 48, 49, 51, 52, 55)

OBR_RULES: tuple[Rule, ...] = (
    Rule("OBR-1", drop="number of the segment"),
    Rule("OBR-4", "DiagnosticReport.code", first_repetition(codeable_concept), repeats="whole", note="A06"),
    Rule("OBR-4", "DiagnosticReport.extension[]", further_repetitions("OBR-4"), repeats="further"),
    Rule("OBR-7", "DiagnosticReport.effectiveDateTime", build=_effective, note="A25; with OBR-8 effectivePeriod"),
    Rule("OBR-8", "DiagnosticReport.effectivePeriod", build=_effective),
    Rule("OBR-22", "DiagnosticReport.issued", instant, note="A25"),
    Rule("OBR-23", drop="what the practice is charged; no element in DiagnosticReport and no use for a result"),
    Rule("OBR-24", "DiagnosticReport.category[]", mapped_concept("0074"), repeats="each", table="0074"),
    Rule("OBR-25", "DiagnosticReport.status", mapped_code("0123", report=False), table="0123", note="A03"),
    Rule("OBR-32", "DiagnosticReport.resultsInterpreter[]", build=_interpreter, repeats="whole"),
    Rule("OBR-34", "DiagnosticReport.performer[]", build=_performer(34, "SPRF"), repeats="whole"),
    Rule("OBR-35", "DiagnosticReport.performer[]", build=_performer(35, "TRANS"), repeats="whole"),
    *(_kept(f"OBR-{number}") for number in _OBR_KEPT),
)

ORC_RULES: tuple[Rule, ...] = (
    Rule("ORC-16", f"DiagnosticReport.extension({STATUS_REASON}).valueCodeableConcept", codeable_concept),
    *(_kept(f"ORC-{number}") for number in (13, 27, 34, 35, 36, 37)),
)


def study_reference(text: str, environment: Environment) -> Any:
    """EI of CTI-1 -> Reference to the study by its number: a ResearchStudy of our own would need a status that nobody sent."""
    identifier = identifier_ei(text, environment)
    return None if identifier is None else {"type": "ResearchStudy", "identifier": identifier}


CTI_RULES: tuple[Rule, ...] = (
    Rule("CTI-1", f"DiagnosticReport.extension({RESEARCH_STUDY}).valueReference", study_reference),
    _kept("CTI-2"),
    _kept("CTI-3"),
)


def new_report(assembly: Assembly) -> dict[str, Any]:
    """Make a DiagnosticReport with what R4 requires, to be filled; status and code are unknown until the message gives them."""
    absent = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    report: dict[str, Any] = {"resourceType": "DiagnosticReport", "status": "unknown", "code": absent}
    if assembly.patient_reference is not None:
        report["subject"] = assembly.patient_reference
    if assembly.encounter_reference is not None:
        report["encounter"] = assembly.encounter_reference
    for segment in assembly.visit_segments:
        keep_source(report, segment.name, segment.text)
    return report


def check_status(assembly: Assembly, request: Segment | None, report: dict[str, Any]) -> None:
    """Report a status that is missing or that table 0123 gives no FHIR status for (A03)."""
    if report["status"] == "unknown":
        detail = "OBR-25 is empty" if request is None or not valued(request[25]) else "OBR-25 has no FHIR status"
        assembly.report("status-unknown", request, 25, detail=detail)


def add_report(assembly: Assembly, request: Segment | None, report: dict[str, Any], key: tuple[str, ...]) -> tuple[str, ...]:
    """Put the report into the message.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    request : Segment or None
        OBR.
    report : dict
        The DiagnosticReport.
    key : tuple of str
        Its key without the patient.

    Returns
    -------
    tuple of str
        The key it got. Two reports of one message with the same number and code are told apart by their order only, which is
        reported: a later correction of one of them could not be told from the other.
    """
    policy: Policy = "absent" if report["status"] in UNFINISHED else "update"
    unique, count = key, 1
    while ("DiagnosticReport", assembly.patient_key, *unique) in assembly.shared:
        count += 1
        unique = (*key, str(count))
    if count > 1:
        assembly.report("identity-ambiguous", request, 3, detail=f"report {count} with this number and code in the message")
    reference = assembly.share(report, (assembly.patient_key, *unique), policy)
    assembly.reports.append(reference["reference"])
    return unique


def add_participant(assembly: Assembly, plans: dict[str, Plan], segment: Segment, report: dict[str, Any]) -> bool:
    """PRT after OBR -> performer or interpreter of the report (A38).

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    segment : Segment
        PRT or ROL.
    report : dict
        The DiagnosticReport; changed.

    Returns
    -------
    bool
        Whether the role is one of the report.
    """
    code = role_code(segment)
    if code in _PERFORMER_ROLES:
        name = "performer"
    elif code in _INTERPRETER_ROLES:
        name = "resultsInterpreter"
    else:
        return False
    reference = role_of(assembly, plans, segment)
    if reference is None:
        report.setdefault("extension", []).append(source_extension(segment.name, segment.text))
    else:
        report.setdefault(name, []).append(reference)
    return True
