"""PV1, PV2 -> Encounter, with its Locations and participants (v2-to-FHIR PV1[Encounter], PV2[Encounter]).

An Encounter is built only where the visit is identified: a visit number (PV1-19), an alternate one (PV1-50) or an admission
(PV1-44; A36). Financial data (PV1-20 and following) would need a Coverage with a payor that the message does not name.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept, coding, first_of, mapped_concept
from adapter.convert.datatypes.identifiers import IDENTIFIER_TYPE, identifier_cx
from adapter.convert.datatypes.quantities import decimal_of
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import components, leaf, put, string
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.verbatim import source_field, unread
from adapter.convert.environment import Environment
from adapter.convert.participation import role_of
from adapter.convert.parties import PARTICIPATION_TYPE, location, practitioner
from adapter.convert.party import registered_cx, with_system
from adapter.convert.rules import Builder, Plan, Rule, Targets, apply_rules
from adapter.hl7v2.grouping import PatientResult
from adapter.hl7v2.message import Segment, valued
from adapter.tables.index import UCUM_SYSTEM

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
R5_ENCOUNTER = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter."


def visit_number(text: str, environment: Environment) -> Any:
    """CX of PV1-19 -> Identifier of type VN; another type sent stays beside it (v2-to-FHIR PV1[Encounter]:41-44)."""
    found = identifier_cx(text, environment)
    if found is None:
        return None
    codings = [{"system": IDENTIFIER_TYPE, "code": "VN"}]
    sent = found.get("type", {}).get("coding", [])
    codings += [one for one in sent if one.get("code") != "VN"]
    if len(codings) == 1 and sent:
        codings = sent
    return {**found, "type": {"coding": codings, "text": "visit number"}}


def first_coding(text: str, environment: Environment) -> Any:
    """CWE of PV1-2 -> Coding of the class of the encounter; a class that the map does not have stays as sent (A36)."""
    concept = environment.memo(mapped_concept("0004"))[text][0]
    codings = concept.get("coding") if concept is not None else None
    if codings:
        return first_of(codings, text)
    return {"display": concept["text"]} if concept is not None and "text" in concept else None


def arrival_mode(text: str, environment: Environment) -> Any:
    """CWE of PV2-38 -> Coding."""
    concept = environment.memo(mapped_concept("0430"))[text][0]
    codings = concept.get("coding") if concept is not None else None
    return first_of(codings, text) if codings else coding(text, environment)


def days(text: str, environment: Environment) -> Any:
    """NM -> Duration in days (v2-to-FHIR NM[Quantity-LengthOfStay])."""
    read = decimal_of(leaf(text))
    if read is None or read[0] < 0:
        environment.fault("value-not-a-number", detail="a number of days is expected here", value=text)
        return None
    return {"value": read[0], "unit": "days", "system": UCUM_SYSTEM, "code": "d"}


def discharge_kind(text: str, environment: Environment) -> Any:
    """DLD.1 -> type of the Location of discharge (v2-to-FHIR DLD[Location-Discharge])."""
    return codeable_concept(text.partition("^")[0].replace("&", "^"), environment)


def _place(number: int, status: str, kind: str = "") -> Builder:
    """Make the builder that adds a location of the encounter with its status."""

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            reference = location(assembly, segment, number, part) if valued(part) else None
            if reference is None:
                continue
            entry: dict[str, Any] = {"location": reference, "status": status}
            if number == 3 and segment.name == "PV1" and components(segment[2], 1)[0] == "P":
                entry["status"] = "planned"
            if kind:
                url = "http://hl7.org/fhir/StructureDefinition/subject-locationClassification"
                concept = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/subject-location", "code": kind}]}
                entry["extension"] = [{"url": url, "valueCodeableConcept": concept}]
            targets["Encounter"].setdefault("location", []).append(entry)

    return build


def _participant(number: int, code: str, display: str) -> Builder:
    """Make the builder that adds a participant of the encounter for each repetition."""

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            reference = practitioner(assembly, segment, number, part) if valued(part) else None
            if reference is not None:
                kind = {"coding": [{"system": PARTICIPATION_TYPE, "code": code, "display": display}], "text": display}
                participants = targets["Encounter"].setdefault("participant", [])
                participants.append({"type": [kind], "individual": reference})

    return build


def _class(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    encounter = targets["Encounter"]
    found = assembly.value(first_coding, segment, 2, text)
    if found is not None:
        encounter["class"] = found
    if not valued(segment[45]):
        # What the code says beyond the status stands in `class`; it needs no second copy here.
        row = assembly.environment.tables.vocabulary["0004-status"].get(components(text, 1)[0])
        encounter["status"] = row.target if row is not None else "unknown"


def _bed_status(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Set the state of the bed or room of PV1-3 (v2-to-FHIR PV1[Encounter]:65)."""
    parts = components(segment[3], 3)
    found = assembly.value(mapped_concept("0116"), segment, 40, text)
    if found is None or not found.get("coding"):
        return
    if parts[1] or parts[2]:
        reference = location(assembly, segment, 3, segment[3])
        if reference is not None:
            assembly.resources[reference["reference"]].setdefault("operationalStatus", found["coding"][0])
    else:
        targets["Encounter"].setdefault("extension", []).append(source_field("PV1-40")(text, assembly.environment))


def _destination(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    kind = assembly.value(discharge_kind, segment, 37, text)
    if kind is not None:
        place = {"resourceType": "Location", "type": [kind]}
        reference = assembly.share(place, (assembly.sender_key, "discharge", text.partition("^")[0]))
        targets["Encounter"].setdefault("hospitalization", {})["destination"] = reference
    _, _, effective = text.partition("^")
    if valued(effective):
        targets["Encounter"].setdefault("extension", []).append(source_field("PV1-37.2")(effective, assembly.environment))


def _episode(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Point to the episode by its number: an EpisodeOfCare of our own would need a status that nobody sent."""
    identifier = assembly.value(identifier_cx, segment, 54, text)
    if identifier is not None:
        episodes = targets["Encounter"].setdefault("episodeOfCare", [{"type": "EpisodeOfCare"}])
        episodes[0]["identifier"] = identifier


def _episode_description(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(string, segment, 53, text)
    if found is not None:
        targets["Encounter"].setdefault("episodeOfCare", [{"type": "EpisodeOfCare"}])[0]["display"] = found


def _ended(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    encounter = targets["Encounter"]
    period = encounter.setdefault("period", {})
    put(period, "end", assembly.value(date_time, segment, 45, text))
    encounter["status"] = "finished"


def _kept(name: str) -> Rule:
    return Rule(name, "Encounter.extension[]", source_field(name), repeats="whole", note="no element in Encounter")


_FINANCIAL = "contract, charge and account data; a Coverage or Account would need a payor that the message does not name (A36)"
_ADMINISTRATIVE = "administrative, without an element in Encounter and without use for a result"

PV1_RULES: tuple[Rule, ...] = (
    Rule("PV1-1", drop="number of the segment"),
    Rule("PV1-2", "Encounter.class", build=_class, table="0004", note="A36"),
    Rule("PV1-3", "Encounter.location[]", build=_place(3, "active"), repeats="whole", note="A66"),
    Rule("PV1-4", "Encounter.type[]", mapped_concept("0007"), table="0007"),
    Rule("PV1-5", "Encounter.hospitalization.preAdmissionIdentifier", identifier_cx),
    Rule("PV1-6", "Encounter.location[]", build=_place(6, "completed"), repeats="whole"),
    Rule("PV1-7", "Encounter.participant[]", build=_participant(7, "ATND", "attender"), repeats="whole"),
    Rule("PV1-8", "Encounter.participant[]", build=_participant(8, "REF", "referrer"), repeats="whole", note="A36"),
    Rule("PV1-9", "Encounter.participant[]", build=_participant(9, "CON", "consultant"), repeats="whole"),
    Rule("PV1-10", "Encounter.serviceType", mapped_concept("0069"), table="0069"),
    Rule("PV1-11", "Encounter.location[]", build=_place(11, "active", "temporary"), repeats="whole", note="A36"),
    _kept("PV1-12"),
    Rule("PV1-13", "Encounter.hospitalization.reAdmission", mapped_concept("0092"), table="0092"),
    Rule("PV1-14", "Encounter.hospitalization.admitSource", codeable_concept),
    Rule("PV1-15", "Encounter.hospitalization.specialArrangement[]", mapped_concept("0009"), repeats="each", table="0009"),
    Rule("PV1-16", "Encounter.hospitalization.specialCourtesy[]", codeable_concept, repeats="each"),
    Rule("PV1-17", "Encounter.participant[]", build=_participant(17, "ADM", "admitter"), repeats="whole"),
    Rule("PV1-18", "Encounter.type[]", codeable_concept, note="left to the implementer: a second type"),
    Rule("PV1-19", "Encounter.identifier[]", visit_number),
    *(Rule(f"PV1-{number}", drop=_FINANCIAL) for number in range(20, 36)),
    Rule("PV1-36", "Encounter.hospitalization.dischargeDisposition", codeable_concept),
    Rule("PV1-37", "Encounter.hospitalization.destination", build=_destination),
    Rule("PV1-38", "Encounter.hospitalization.dietPreference[]", codeable_concept, repeats="each"),
    _kept("PV1-39"),
    Rule("PV1-40", "Encounter.location[].location.operationalStatus", build=_bed_status, table="0116"),
    Rule("PV1-41", drop=_FINANCIAL),
    Rule("PV1-42", "Encounter.location[]", build=_place(42, "reserved"), repeats="whole", note="A36"),
    _kept("PV1-43"),
    Rule("PV1-44", "Encounter.period.start", date_time),
    Rule("PV1-45", "Encounter.period.end", build=_ended),
    *(Rule(f"PV1-{number}", drop=_FINANCIAL) for number in range(46, 50)),
    Rule("PV1-50", "Encounter.identifier[]", identifier_cx, repeats="each"),
    Rule("PV1-51", drop=_ADMINISTRATIVE),
    Rule("PV1-52", "Encounter.participant[]", build=_participant(52, "PART", "Participation"), repeats="whole"),
    Rule("PV1-53", "Encounter.episodeOfCare[].display", build=_episode_description, note="A28"),
    Rule("PV1-54", "Encounter.episodeOfCare[].identifier", build=_episode),
)

#: Fields of PV2 that say something about the patient's stay; the others only steer the hospital's administration.
_PV2_KEPT = (2, 4, 7, 10, 12, 21, 24, 33, 36, 40, 41, 42, 43, 44, 45)
_PV2_MAPPED = (1, 3, 8, 9, 11, 13, 22, 25, 38)

PV2_RULES: tuple[Rule, ...] = (
    Rule("PV2-1", "Encounter.location[]", build=_place(1, "planned"), repeats="whole"),
    Rule("PV2-3", "Encounter.reasonCode[]", codeable_concept, repeats="each"),
    Rule("PV2-8", f"Encounter.extension({R5_ENCOUNTER}plannedStartDate).valueDateTime", date_time),
    Rule("PV2-9", f"Encounter.extension({R5_ENCOUNTER}plannedEndDate).valueDateTime", date_time, note="A28"),
    Rule("PV2-11", "Encounter.length", days),
    Rule("PV2-11", "Encounter.extension[]", unread("PV2-11", days), repeats="whole"),
    Rule("PV2-13", "Encounter.participant[]", build=_participant(13, "REF", "referrer"), repeats="whole"),
    Rule("PV2-22", "Encounter.meta.security[]", coded_in("0136"), note="PV2[Encounter]:31"),
    Rule("PV2-25", "Encounter.priority", mapped_concept("0217"), table="0217"),
    Rule(
        "PV2-38",
        "Encounter.extension(http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival).valueCoding",
        arrival_mode,
        table="0430",
    ),
    *(_kept(f"PV2-{number}") for number in _PV2_KEPT),
    *(Rule(f"PV2-{number}", drop=_ADMINISTRATIVE) for number in range(1, 51) if number not in _PV2_KEPT + _PV2_MAPPED),
)

RULES: dict[str, tuple[Rule, ...]] = {"PV1": PV1_RULES, "PV2": PV2_RULES}


def build_encounter(assembly: Assembly, plans: dict[str, Plan], result: PatientResult) -> None:
    """Build the Encounter and set `encounter_reference` of the assembly.

    Parameters
    ----------
    assembly : Assembly
        The message being converted; its patient is there already.
    plans : dict
        Compiled rules by name.
    result : PatientResult
        Has the segments of the visit.
    """
    assembly.encounter_reference = None
    assembly.visit_segments = ()
    visit = next((segment for segment in result.visit if segment.name == "PV1"), None)
    if visit is None or (len(visit.fields) <= 19 or not any(valued(visit[number]) for number in (19, 44, 50))):
        for segment in result.visit:
            assembly.report("visit-not-identified", segment)
        assembly.visit_segments = result.visit
        return
    absent = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    encounter: dict[str, Any] = {"resourceType": "Encounter", "status": "unknown", "class": absent}
    if assembly.patient_reference is not None:
        encounter["subject"] = assembly.patient_reference
    targets = {"Encounter": encounter}
    apply_rules(plans["PV1"], assembly, visit, targets)
    for segment in result.visit:
        if segment.name == "PV2":
            apply_rules(plans["PV2"], assembly, segment, targets)
        elif segment.name in ("PRT", "ROL"):
            _add_role(assembly, plans, segment, encounter)
        elif segment is not visit:
            assembly.keep_segment(segment, encounter)
    key, chosen = _key(assembly, visit, encounter)
    assembly.encounter_reference = assembly.share(encounter, key, identifier=chosen)


def _add_role(assembly: Assembly, plans: dict[str, Plan], segment: Segment, encounter: dict[str, Any]) -> None:
    reference = role_of(assembly, plans, segment)
    if reference is None:
        assembly.keep_segment(segment, encounter, "it names nobody")
        return
    participant: dict[str, Any] = {"individual": reference}
    codes = assembly.resources[reference["reference"]].get("code")
    if codes:
        participant["type"] = codes
    encounter.setdefault("participant", []).append(participant)


def _key(assembly: Assembly, visit: Segment, encounter: dict[str, Any]) -> tuple[tuple[str, ...], int | None]:
    """Give the key: the first registered visit number, else the number or the admission as sent, with patient and sender."""
    identifier = with_system(encounter)
    known = assembly.environment.memo(registered_cx)
    for text in (visit[19], *visit[50].split("~")):
        registered = known[text][0]
        if registered:
            return (assembly.patient_key, *registered), identifier
    number = next(visit[field] for field in (19, 50, 44) if valued(visit[field]))
    return (assembly.patient_key, assembly.sender_key, number), identifier
