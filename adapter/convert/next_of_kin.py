"""NK1 -> Patient.contact (v2-to-FHIR NK1[Patient]; A37: a contact, not a RelatedPerson, so that nothing dangles).

In the rules `PatientContact` is one `Patient.contact`, `ContactPerson` the contact of the Organization that NK1-13 names.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import mapped_concept
from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.names import human_name
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.unmapped_codes import required_code
from adapter.convert.datatypes.verbatim import keep_source, source_field
from adapter.convert.parties import organization
from adapter.convert.party import add_to
from adapter.convert.patient_fields import contact_point_with_use
from adapter.convert.rules import Plan, Rule, Targets, apply_rules
from adapter.hl7v2.message import Segment, valued


def _employer(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    references = [organization(assembly, segment, 13, part) for part in text.split("~") if valued(part)]
    found = [reference for reference in references if reference is not None]
    if found:
        targets["PatientContact"]["organization"] = found[0]
    if len(found) > 1:
        keep_source(targets["PatientContact"], "NK1-13", "~".join([part for part in text.split("~") if valued(part)][1:]))


def _kept(number: int) -> Rule:
    name = f"NK1-{number}"
    return Rule(name, "PatientContact.extension[]", source_field(name), repeats="whole", note="A37: no element in contact")


NK1_RULES: tuple[Rule, ...] = (
    Rule("NK1-1", drop="number of the segment"),
    Rule("NK1-2", "PatientContact.name", human_name),
    Rule("NK1-3", "PatientContact.relationship[]", mapped_concept("0063"), repeats="each", table="0063"),
    Rule("NK1-4", "PatientContact.address", address),
    Rule("NK1-5", "PatientContact.telecom[]", contact_point, repeats="each"),
    Rule("NK1-6", "PatientContact.telecom[]", contact_point_with_use("work"), repeats="each"),
    Rule("NK1-7", "PatientContact.relationship[]", mapped_concept("0131"), repeats="each", table="0131"),
    Rule("NK1-8", "PatientContact.period.start", date_time),
    Rule("NK1-9", "PatientContact.period.end", date_time),
    _kept(10),
    _kept(11),
    _kept(12),
    Rule("NK1-13", "PatientContact.organization", build=_employer, repeats="whole"),
    _kept(14),
    *required_code("NK1-15", "PatientContact.gender", "0001"),
    *(_kept(number) for number in range(16, 30)),
    Rule("NK1-30", "ContactPerson.name", human_name),
    Rule("NK1-31", "ContactPerson.telecom[]", contact_point, repeats="each"),
    Rule("NK1-32", "ContactPerson.address", address),
    *(_kept(number) for number in range(33, 40)),
    Rule("NK1-40", "PatientContact.telecom[]", contact_point, repeats="each"),
    Rule("NK1-41", "PatientContact.telecom[]", contact_point, repeats="each"),
)


def build_contact(assembly: Assembly, plans: dict[str, Plan], segment: Segment) -> dict[str, Any] | None:
    """Build a `Patient.contact`.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    segment : Segment
        NK1.

    Returns
    -------
    dict or None
        None when it names nobody: FHIR wants a name, a way of contact or an organization (pat-1).
    """
    contact: dict[str, Any] = {}
    person: dict[str, Any] = {}
    apply_rules(plans["NK1"], assembly, segment, {"PatientContact": contact, "ContactPerson": person})
    if person:
        if "organization" in contact:
            add_to(assembly, contact["organization"], "contact", [person])
        else:
            text = "|".join(segment[number] for number in (30, 31, 32))
            contact.setdefault("extension", []).append(source_field("NK1-30 to NK1-32")(text, assembly.environment))
    if contact.keys().isdisjoint(("name", "telecom", "address", "organization")):
        assembly.report("required-field-missing", segment, 2, detail="NK1 names nobody; it is no contact")
        return None
    return contact
