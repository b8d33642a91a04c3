"""PRT, ROL -> PractitionerRole: who took part in what, in which role (v2-to-FHIR PRT[PractitionerRole], ROL; A38).

PRT (v2.7 and later) and ROL (until v2.7) say the same in different fields; both have rules for the same target. In the rules
`Participation` is what belongs to the person and the organization behind the role. Devices of results (PRT-10 after OBX) are
the matter of the observation.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept, mapped_concept
from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.identifiers import identifier_ei
from adapter.convert.datatypes.text import components, put
from adapter.convert.datatypes.times import date, date_time
from adapter.convert.datatypes.verbatim import keep_source, source_extension, source_field
from adapter.convert.environment import Environment
from adapter.convert.parties import location, organization, practitioner, practitioner_xcn, share_role
from adapter.convert.party import add_to
from adapter.convert.rules import Builder, Plan, Rule, Targets, apply_rules
from adapter.hl7v2.message import Segment, valued

#: Roles (tables 0912, 0443) that make somebody the patient's general practitioner.
GENERAL_PRACTITIONER_ROLES = frozenset({"PP", "FHCP"})


def role_code(segment: Segment) -> str:
    """Give the code of the role: PRT-4.1 or ROL-3.1, of whatever table (A38)."""
    return components(segment[4 if segment.name == "PRT" else 3], 1)[0]


def practitioner_identifier(text: str, environment: Environment) -> Any:
    """PLN -> Identifier (v2-to-FHIR PLN[Identifier])."""
    parts = text.split("^")
    found: dict[str, Any] = {}
    kind = environment.memo(mapped_concept("0338"))[parts[1]][0] if len(parts) > 1 and valued(parts[1]) else None
    if kind is not None:
        found["type"] = kind
    number = components(parts[0], 1)[0]
    if number:
        found["value"] = number
    if len(parts) > 3 and valued(parts[3]):
        put(found.setdefault("period", {}), "end", date(parts[3], environment))
    if any(valued(part) for part in (*parts[2:3], *parts[4:])):
        found["extension"] = [source_extension("PLN", text)]
    return found or None


def _further(text: str) -> str:
    return "~".join([part for part in text.split("~") if valued(part)][1:])


def _person(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        found = [practitioner(assembly, segment, number, part) for part in text.split("~") if valued(part)]
        persons = [one for one in found if one is not None]
        if persons:
            targets["Participation"]["practitioner"] = persons[0]
        if len(persons) > 1:
            keep_source(targets["PractitionerRole"], f"{segment.name}-{number}", _further(text))

    return build


def _unit_type(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        found = assembly.value(codeable_concept, segment, number, text)
        if found is not None:
            targets["Participation"]["unit_type"] = found

    return build


def _organization(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        found = [organization(assembly, segment, number, part) for part in text.split("~") if valued(part)]
        organizations = [one for one in found if one is not None]
        if organizations:
            targets["Participation"]["organization"] = organizations[0]
        if len(organizations) > 1:
            keep_source(targets["PractitionerRole"], f"{segment.name}-{number}", _further(text))

    return build


def _location(number: int) -> Builder:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        for part in text.split("~"):
            found = location(assembly, segment, number, part) if valued(part) else None
            if found is not None:
                targets["PractitionerRole"].setdefault("location", []).append(found)

    return build


def _kept(name: str) -> Rule:
    return Rule(name, "PractitionerRole.extension[]", source_field(name), repeats="whole", note="no element in PractitionerRole")


_ACTION = "says how a receiver should change its records; the output is a whole message"

PRT_RULES: tuple[Rule, ...] = (
    Rule("PRT-1", "PractitionerRole.identifier[]", identifier_ei),
    Rule("PRT-2", drop=_ACTION),
    Rule("PRT-3", drop=_ACTION),
    Rule("PRT-4", "PractitionerRole.code[]", mapped_concept("0912"), repeats="each", table="0912", note="A38"),
    Rule("PRT-5", "Participation.practitioner", build=_person(5), repeats="whole"),
    Rule("PRT-6", "PractitionerRole.specialty[]", codeable_concept, repeats="each"),
    Rule("PRT-7", "Participation.organization.type[]", build=_unit_type(7)),
    Rule("PRT-8", "Participation.organization", build=_organization(8), repeats="whole"),
    Rule("PRT-9", "PractitionerRole.location[]", build=_location(9), repeats="whole"),
    _kept("PRT-10"),
    Rule("PRT-11", "PractitionerRole.period.start", date_time),
    Rule("PRT-12", "PractitionerRole.period.end", date_time),
    _kept("PRT-13"),
    Rule("PRT-14", "Participation.address[]", address, repeats="each"),
    Rule("PRT-15", "PractitionerRole.telecom[]", contact_point, repeats="each"),
    *(_kept(f"PRT-{number}") for number in range(16, 24)),
    Rule("PRT-24", "PractitionerRole.identifier[]", practitioner_identifier, repeats="each"),
)

ROL_RULES: tuple[Rule, ...] = (
    Rule("ROL-1", "PractitionerRole.identifier[]", identifier_ei),
    Rule("ROL-2", drop=_ACTION),
    Rule("ROL-3", "PractitionerRole.code[]", mapped_concept("0443"), repeats="each", table="0443"),
    Rule("ROL-4", "Participation.practitioner", build=_person(4), repeats="whole"),
    Rule("ROL-5", "PractitionerRole.period.start", date_time),
    Rule("ROL-6", "PractitionerRole.period.end", date_time),
    _kept("ROL-7"),
    Rule("ROL-8", drop=_ACTION),
    Rule("ROL-9", "PractitionerRole.specialty[]", codeable_concept, repeats="each"),
    Rule("ROL-10", "Participation.organization.type[]", build=_unit_type(10)),
    Rule("ROL-11", "Participation.address[]", address, repeats="each"),
    Rule("ROL-12", "PractitionerRole.telecom[]", contact_point, repeats="each"),
    Rule("ROL-13", "PractitionerRole.location[]", build=_location(13), repeats="whole"),
    Rule("ROL-14", "Participation.organization", build=_organization(14), repeats="whole"),
)

RULES: dict[str, tuple[Rule, ...]] = {"PRT>PractitionerRole": PRT_RULES, "ROL>PractitionerRole": ROL_RULES}


def _read(assembly: Assembly, plans: dict[str, Plan], segment: Segment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Apply the rules: what the role says itself, and who is behind it."""
    role: dict[str, Any] = {}
    behind: dict[str, Any] = {}
    targets = {"PractitionerRole": role, "Participation": behind}
    apply_rules(plans[f"{segment.name}>PractitionerRole"], assembly, segment, targets)
    unit_type = behind.get("unit_type")
    if unit_type is not None and "organization" in behind:
        add_to(assembly, behind["organization"], "type", [unit_type])
    elif unit_type is not None:
        name = "PRT-7" if segment.name == "PRT" else "ROL-10"
        role.setdefault("extension", []).append(source_extension(name, segment[int(name[4:])]))
    return role, behind


def role_of(assembly: Assembly, plans: dict[str, Plan], segment: Segment) -> dict[str, str] | None:
    """PRT or ROL -> PractitionerRole.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    segment : Segment
        PRT or ROL.

    Returns
    -------
    dict or None
        Reference; None when the segment names neither a person nor an organization.
    """
    role, behind = _read(assembly, plans, segment)
    person = behind.get("practitioner")
    if person is not None and "address" in behind:
        add_to(assembly, person, "address", behind["address"])
    return share_role(assembly, role, person, behind.get("organization"), tuple(segment.fields[3:]))


def _related_person(assembly: Assembly, plans: dict[str, Plan], segment: Segment) -> dict[str, str] | None:
    """PRT, ROL -> RelatedPerson: somebody around the patient, not the general practitioner (v2-to-FHIR PRT[RelatedPerson])."""
    number = 5 if segment.name == "PRT" else 4
    text = next((part for part in segment[number].split("~") if valued(part)), "")
    party = assembly.environment.memo(practitioner_xcn)[text][0] if text else None
    if party is None or assembly.patient_reference is None:
        return None
    role: dict[str, Any] = {}
    behind: dict[str, Any] = {"practitioner": None}
    apply_rules(plans[f"{segment.name}>PractitionerRole"], assembly, segment, {"PractitionerRole": role, "Participation": behind})
    person: dict[str, Any] = {"resourceType": "RelatedPerson", "patient": assembly.patient_reference}
    person.update({name: list(value) for name, value in party.resource.items() if name in ("identifier", "name")})
    for name, target in (("code", "relationship"), ("telecom", "telecom"), ("period", "period"), ("extension", "extension")):
        if name in role:
            person[target] = role[name]
    if "address" in behind:
        person["address"] = behind["address"]
    return assembly.share(person, (assembly.patient_key, *segment.fields[3:]))


def add_general_practitioner(assembly: Assembly, plans: dict[str, Plan], segment: Segment, patient: dict[str, Any]) -> None:
    """PRT or ROL after PID: the general practitioner, or another person around the patient.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    segment : Segment
        PRT or ROL.
    patient : dict
        The Patient; changed.
    """
    if role_code(segment) in GENERAL_PRACTITIONER_ROLES:
        reference = role_of(assembly, plans, segment)
        if reference is not None:
            patient.setdefault("generalPractitioner", []).append(reference)
    else:
        reference = _related_person(assembly, plans, segment)
    if reference is None:
        assembly.keep_segment(segment, patient, "it names nobody")
