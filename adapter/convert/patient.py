"""PID, PD1, NK1 -> Patient; PID-21 -> RelatedPerson; PID-33, PID-34 -> Provenance; PD1-7 -> Observation.

Who the patient is, is decided by the first identifier of PID-3 that has a system and is no placeholder: it is the key of
everything else in the message. Without such an identifier the key is the number with the sender; without any number the patient
belongs to this one message, because results must never reach the record of somebody else.

Next of kin are in `next_of_kin.py`. NTE after PID has no element (A11).
"""

from __future__ import annotations

import hashlib
from typing import Any

from adapter.convert import participation
from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept, mapped_concept
from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.identifiers import identifier_cx
from adapter.convert.datatypes.names import human_name
from adapter.convert.datatypes.text import components, leaf, string
from adapter.convert.datatypes.times import date_time, instant
from adapter.convert.datatypes.unmapped_codes import required_code
from adapter.convert.datatypes.verbatim import keep_source, source_field, unread
from adapter.convert.next_of_kin import NK1_RULES, build_contact
from adapter.convert.participation import add_general_practitioner
from adapter.convert.parties import organization, organization_of_authority, practitioner
from adapter.convert.party import fill, keep_sources, registered_cx
from adapter.convert.patient_fields import (
    PATIENT_EXTENSION,
    account_number,
    birth_date,
    birth_place,
    contact_point_with_use,
    drivers_license,
    name_text,
    nested_extension,
    organization_name,
    social_security_number,
    unknown_identity,
    whole_number,
    wrapped,
    yes_no,
)
from adapter.convert.rules import Plan, Rule, Targets, apply_rules
from adapter.hl7v2.grouping import PatientResult
from adapter.hl7v2.message import Segment, valued

LOINC = "http://loinc.org"
PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

#: PID-3 texts that stand for "no number", in capitals. Numbers of nothing but 0 or 9 count as well.
PLACEHOLDERS = frozenset(["UNKNOWN", "UNK", "NONE", "NULL", "N/A", "NA", "NIL", "TBD", "TEMP", "ANONYMOUS", "NOTKNOWN", "-", "?"])


def is_placeholder(number: str) -> bool:
    """Tell whether an identifier stands for "no number": one word for it, only zeros, or five and more nines."""
    text = number.strip().upper()
    digits = text.replace("-", "")
    return text in PLACEHOLDERS or not digits.strip("0") or (len(digits) > 4 and not digits.strip("9"))


def _patient_of_message(assembly: Assembly, segment: Segment) -> tuple[str, ...]:
    """Key of a patient without number: this message and this PID, so that nobody else's results join."""
    digest = hashlib.sha256("\r".join(line.text for line in assembly.message.segments).encode()).hexdigest()
    return ("message", assembly.sender_key, digest, str(segment.number))


def _identify(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Take the identifiers, choose the one that decides who it is, and put the patient into the message."""
    patient = targets["Patient"]
    before: int = len(patient.get("identifier", ()))
    chosen: int | None = None
    key: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    for part in text.split("~"):
        identifier = assembly.value(identifier_cx, segment, 3, part) if valued(part) else None
        if identifier is None:
            continue
        patient.setdefault("identifier", []).append(identifier)
        value = identifier.get("value")
        if value is None or is_placeholder(value) or registered:
            continue
        registered = assembly.environment.memo(registered_cx)[part][0]
        if registered:
            key = registered
        elif not key:
            sent = components(part, 5)
            key = (assembly.sender_key, sent[3], sent[4], value)
        if "system" in identifier and (registered or chosen is None):
            chosen = len(patient["identifier"]) - 1
    if not key:
        detail = "PID-3 holds a placeholder" if len(patient.get("identifier", ())) > before else "PID-3 holds no number"
        assembly.report("patient-without-identifier", segment, 3, detail=detail)
        key = _patient_of_message(assembly, segment)
    _enter(assembly, patient, key, chosen)


def _enter(assembly: Assembly, patient: dict[str, Any], key: tuple[str, ...], identifier: int | None) -> None:
    assembly.patient_reference = assembly.share(patient, key, identifier=identifier)
    assembly.patient = assembly.resources[assembly.patient_reference["reference"]]
    assembly.patient_key = assembly.patient_reference["reference"]


def _county(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Give the county to the only address that names none, else to an address of its own (v2-to-FHIR PID[Patient]:17-20)."""
    county = assembly.value(string, segment, 12, text)
    if county is None:
        return
    addresses: list[dict[str, Any]] = targets["Patient"].setdefault("address", [])
    if len(addresses) == 1 and "district" not in addresses[0]:
        addresses[0] = {**addresses[0], "district": county}
    elif len(addresses) != 1 or addresses[0]["district"] != county:
        addresses.append({"district": county})


def _mother(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    for part in text.split("~"):
        identifier = assembly.value(identifier_cx, segment, 21, part) if valued(part) else None
        if identifier is not None and assembly.patient_reference is not None:
            mother = {
                "resourceType": "RelatedPerson",
                "identifier": [identifier],
                "patient": assembly.patient_reference,
                "relationship": [{"coding": [{"system": ROLE_CODE, "code": "MTH", "display": "mother"}]}],
            }
            assembly.share(mother, (assembly.patient_key, "mother", part))


def _multiple_birth(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(yes_no, segment, 24, text)
    if found is not None and not valued(segment[25]):
        targets["Patient"]["multipleBirthBoolean"] = found
    else:
        keep_source(targets["Patient"], "PID-24", text)


def _death_indicator(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(yes_no, segment, 30, text)
    if found is not None and not valued(segment[29]):
        targets["Patient"]["deceasedBoolean"] = found
    else:
        keep_source(targets["Patient"], "PID-30", text)


def _animal(part: str) -> Any:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        number = 35 if part == "species" else 36
        found = assembly.value(codeable_concept, segment, number, text)
        if found is None:
            return
        extensions: list[dict[str, Any]] = targets["Patient"].setdefault("extension", [])
        url = PATIENT_EXTENSION + "animal"
        animal = next((one for one in extensions if one["url"] == url), None)
        if animal is None:
            animal = {"url": url, "extension": []}
            extensions.append(animal)
        animal["extension"].append({"url": part, "valueCodeableConcept": found})

    return build


def _updated_by(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    reference = organization_of_authority(assembly, segment, 34, text)
    if reference is not None:
        kind = {"coding": [{"system": PARTICIPANT_TYPE, "code": "performer"}]}
        targets["Provenance"]["agent"] = [{"type": kind, "who": reference}]


_ADMINISTRATIVE = "administrative, without an element in Patient and without use for a result"


def _kept(name: str, why: str) -> Rule:
    return Rule(name, "Patient.extension[]", source_field(name), repeats="whole", note=why)


PID_RULES: tuple[Rule, ...] = (
    Rule("PID-1", drop="number of the segment"),
    Rule("PID-2", "Patient.identifier[]", identifier_cx, repeats="each"),
    Rule("PID-3", "Patient.identifier[]", build=_identify, repeats="whole", note="A04 A41"),
    Rule("PID-4", "Patient.identifier[]", identifier_cx, repeats="each"),
    Rule("PID-5", "Patient.name[]", human_name, repeats="each"),
    Rule("PID-6", f"Patient.extension({PATIENT_EXTENSION}mothersMaidenName).valueString", name_text, repeats="each"),
    Rule("PID-7", "Patient.birthDate", birth_date, note="A25 A26"),
    *required_code("PID-8", "Patient.gender", "0001"),
    Rule("PID-9", "Patient.name[]", human_name, repeats="each"),
    _kept("PID-10", "race has no element in FHIR R4; the guide leaves it to extensions of single countries"),
    Rule("PID-11", "Patient.address[]", address, repeats="each"),
    Rule("PID-12", "Patient.address[].district", build=_county),
    Rule("PID-13", "Patient.telecom[]", contact_point_with_use("home"), repeats="each", note="A27"),
    Rule("PID-14", "Patient.telecom[]", contact_point_with_use("work"), repeats="each", note="A27"),
    Rule("PID-15", "Patient.communication[]", wrapped("language", codeable_concept), repeats="each"),
    Rule("PID-16", "Patient.maritalStatus", mapped_concept("0002"), table="0002"),
    Rule("PID-17", f"Patient.extension({PATIENT_EXTENSION}religion).valueCodeableConcept", mapped_concept("0006"), table="0006"),
    Rule("PID-18", "Patient.identifier[]", account_number, repeats="each", note="left to the implementer: type AN"),
    Rule("PID-19", "Patient.identifier[]", social_security_number, repeats="each", note="A52"),
    Rule("PID-20", "Patient.identifier[]", drivers_license, repeats="each"),
    Rule("PID-21", "Patient.RelatedPerson", build=_mother, repeats="whole"),
    _kept("PID-22", "ethnic group has no element in FHIR R4; the guide leaves it to extensions of single countries"),
    Rule("PID-23", f"Patient.extension({PATIENT_EXTENSION}birthPlace).valueAddress", birth_place),
    Rule("PID-24", "Patient.multipleBirthBoolean", build=_multiple_birth, table="0136", note="only without PID-25"),
    Rule("PID-25", "Patient.multipleBirthInteger", whole_number),
    Rule("PID-25", "Patient.extension[]", unread("PID-25", whole_number), repeats="whole"),
    Rule("PID-26", "Patient.extension[]", nested_extension(PATIENT_EXTENSION + "citizenship", "code"), repeats="each"),
    _kept("PID-27", "the guide's extension for it was never published"),
    Rule("PID-28", "Patient.extension[]", nested_extension(PATIENT_EXTENSION + "nationality", "code"), repeats="each"),
    Rule("PID-29", "Patient.deceasedDateTime", date_time),
    Rule("PID-30", "Patient.deceasedBoolean", build=_death_indicator, table="0136", note="only without PID-29"),
    Rule("PID-31", f"Patient.extension({PATIENT_EXTENSION}unknownIdentity).valueCodeableConcept", unknown_identity, note="A28"),
    _kept("PID-32", "reliability of the identity data has no element in Patient"),
    Rule("PID-33", "Provenance.occurredDateTime", date_time, note="only with PID-34"),
    Rule("PID-33", "Provenance.recorded", instant, note="only with PID-34"),
    Rule("PID-34", "Provenance.agent[]", build=_updated_by, note="only with PID-33"),
    Rule("PID-35", "Patient.extension[]", build=_animal("species")),
    Rule("PID-36", "Patient.extension[]", build=_animal("breed")),
    _kept("PID-37", "no element in Patient"),
    _kept("PID-38", "no element in Patient"),
    Rule("PID-39", "Patient.extension[]", nested_extension(PATIENT_EXTENSION + "citizenship", "code"), repeats="each"),
    Rule("PID-40", "Patient.telecom[]", contact_point, repeats="each", note="A27"),
)


def _general_practitioner(number: int, function: Any) -> Any:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            reference = function(assembly, segment, number, part) if valued(part) else None
            if reference is not None and reference not in targets["Patient"].get("generalPractitioner", ()):
                targets["Patient"].setdefault("generalPractitioner", []).append(reference)

    return build


def _living_will(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    found = assembly.value(mapped_concept("0315"), segment, 7, text)
    if found is None or assembly.patient_reference is None:
        return
    statement = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "75320-2"}]},
        "subject": assembly.patient_reference,
        "valueCodeableConcept": found,
    }
    assembly.share(statement, (assembly.patient_key, "PD1-7", leaf(text)))


PD1_RULES: tuple[Rule, ...] = (
    _kept("PD1-1", "living dependency has no element in Patient"),
    _kept("PD1-2", "living arrangement has no element in Patient"),
    Rule("PD1-3", "Patient.generalPractitioner[]", build=_general_practitioner(3, organization), repeats="whole"),
    Rule("PD1-4", "Patient.generalPractitioner[]", build=_general_practitioner(4, practitioner), repeats="whole"),
    Rule("PD1-5", drop=_ADMINISTRATIVE),
    _kept("PD1-6", "the guide's extension for a handicap is retired (A28)"),
    Rule("PD1-7", "Patient.Observation", build=_living_will, table="0315"),
    _kept("PD1-8", "organ donation has no element in Patient"),
    *(Rule(f"PD1-{number}", drop=_ADMINISTRATIVE) for number in range(9, 14)),
    Rule("PD1-14", f"Patient.extension({PATIENT_EXTENSION}congregation).valueString", organization_name, repeats="each"),
    _kept("PD1-15", "advance directives have no element in Patient"),
    *(Rule(f"PD1-{number}", drop=_ADMINISTRATIVE) for number in range(16, 22)),
    _kept("PD1-22", "advance directives have no element in Patient"),
)


RULES: dict[str, tuple[Rule, ...]] = {"PID": PID_RULES, "PD1": PD1_RULES, "NK1": NK1_RULES, **participation.RULES}


def build_patient(assembly: Assembly, plans: dict[str, Plan], result: PatientResult) -> None:
    """Build the Patient and what hangs on it; set `patient`, `patient_reference` and `patient_key` of the assembly.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    result : PatientResult
        The patient's segments. Without PID nothing is built.
    """
    assembly.patient = assembly.patient_reference = None
    assembly.patient_key = ""
    segment = result.patient
    if segment is None:
        return
    patient: dict[str, Any] = {"resourceType": "Patient"}
    targets: dict[str, dict[str, Any]] = {"Patient": patient}
    if not valued(segment[3]):
        assembly.report("patient-without-identifier", segment, 3, detail="PID-3 is empty")
        _enter(assembly, patient, _patient_of_message(assembly, segment), None)
    update: dict[str, Any] = {"resourceType": "Provenance"}
    if valued(segment[33]) and valued(segment[34]):
        targets["Provenance"] = update
    elif valued(segment[33]) or valued(segment[34]):
        number = 33 if valued(segment[33]) else 34
        keep_source(patient, f"PID-{number}", segment[number])
    apply_rules(plans["PID"], assembly, segment, targets)
    for other in result.patient_segments:
        _build_other(assembly, plans, other, targets)
    if assembly.patient is not patient and assembly.patient is not None and not fill(assembly.patient, patient):
        keep_sources(assembly.patient, [("PID", segment.text)])
    if "agent" in update:
        _add_update(assembly, segment, update)


def _build_other(assembly: Assembly, plans: dict[str, Plan], segment: Segment, targets: Targets) -> None:
    """Convert a segment that follows PID."""
    if segment.name == "PD1":
        apply_rules(plans["PD1"], assembly, segment, targets)
    elif segment.name == "NK1":
        contact = build_contact(assembly, plans, segment)
        if contact is not None:
            targets["Patient"].setdefault("contact", []).append(contact)
        else:
            keep_source(targets["Patient"], segment.name, segment.text)
    elif segment.name in ("PRT", "ROL"):
        add_general_practitioner(assembly, plans, segment, targets["Patient"])
    else:
        # NTE as well: Patient has no note (A11).
        assembly.keep_segment(segment, targets["Patient"])


def _add_update(assembly: Assembly, segment: Segment, update: dict[str, Any]) -> None:
    """Say who changed the patient's data last (PID-33, PID-34)."""
    update["target"] = [assembly.patient_reference]
    update["activity"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE"}]}
    if "recorded" not in update:
        absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        kept = update.pop("_recorded", {"extension": []})
        update["_recorded"] = {"extension": [*kept["extension"], absent]}
    assembly.share(update, (assembly.patient_key, segment[33], segment[34]), "put")
