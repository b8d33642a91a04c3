"""The fast way through the patient and the visit: both recur whole, message after message, while a patient is in the house.

What PID, PV1 and their like give depends on their texts and the sender alone. When the same texts come a second time, everything
that they gave is remembered (resources, references, issues), and from the third time on it is copied into the message. Only the
first patient of a message is treated so, because nothing stands in the message yet that his parties could be shared with.

A patient without an identifier belongs to one message and is never remembered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.convert.assembly import Assembly, new_entry
from adapter.convert.encounter import build_encounter
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.patient import build_patient
from adapter.convert.rules import Plan
from adapter.fhir.bundle import Entry
from adapter.hl7v2.grouping import PatientResult
from adapter.issues import Issue

#: Patients of one generation (see `Recent`): the memory that they take, and those who come often within a short time.
_PATIENTS = 256
#: Longer texts are not worth remembering.
_KEY_LENGTH = 2000


class Template(NamedTuple):
    """What patient and visit added to an empty message; fields as in `Assembly`."""

    entries: list[Entry]
    shared: dict[tuple[str, ...], dict[str, str]]
    parties: dict[tuple[DatatypeFunction, str, int, str], dict[str, str]]
    issues: list[Issue]
    patient_reference: dict[str, str]
    encounter_reference: dict[str, str] | None
    visit_kept: bool


def build_patient_and_visit(assembly: Assembly, plans: dict[str, Plan], result: PatientResult) -> None:
    """Build the Patient, the Encounter and what hangs on them; the same as `build_patient` and `build_encounter`.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    result : PatientResult
        The segments of the patient and of the visit.
    """
    environment = assembly.environment
    key = "" if assembly.entries or assembly.issues or not environment.remembers else _key(assembly, result)
    known: dict[str, Template | bool] = environment.patient_templates
    template = known.get(key) or environment.patient_templates.recall(key)
    if template.__class__ is Template:
        _copy(assembly, template, result)
        return
    build_patient(assembly, plans, result)
    build_encounter(assembly, plans, result)
    if key:
        _remember(environment, key, _template(assembly) if template else True)


def _key(assembly: Assembly, result: PatientResult) -> str:
    """Give the texts of the segments, each with its number, which issues mention; empty without a patient or when too long."""
    if result.patient is None:
        return ""
    segments = (result.patient, *result.patient_segments, *result.visit)
    key = "\r".join([f"{segment.number}{segment.text}" for segment in segments])
    return f"{assembly.sender_key}\r{key}" if len(key) <= _KEY_LENGTH else ""


def _remember(environment: Environment, key: str, value: Template | bool) -> None:
    if value:
        if len(environment.patient_templates) >= _PATIENTS:
            environment.patient_templates.age()
        environment.patient_templates.keep(key, value)


def _own(resource: dict[str, Any]) -> dict[str, Any]:
    """Copy a resource and its lists, which may still be added to; what they hold is never changed."""
    return {name: value.copy() if value.__class__ is list else value for name, value in resource.items()}


def _template(assembly: Assembly) -> Template | bool:
    """Take what is in the message; False where it belongs to this message alone."""
    if assembly.patient_reference is None or any(issue.slug == "patient-without-identifier" for issue in assembly.issues):
        return False
    return Template(
        [entry._replace(resource=_own(entry.resource)) for entry in assembly.entries],
        assembly.shared.copy(),
        assembly.parties.copy(),
        assembly.issues.copy(),
        assembly.patient_reference,
        assembly.encounter_reference,
        bool(assembly.visit_segments),
    )


def _copy(assembly: Assembly, template: Template, result: PatientResult) -> None:
    """Put what a template holds into a message that is empty."""
    entries, assembly_resources = assembly.entries, assembly.resources
    for resource, full_url, *request in template.entries:
        copied = _own(resource)
        entries.append(new_entry((copied, full_url, *request)))
        assembly_resources[full_url] = copied
    assembly.shared.update(template.shared)
    assembly.parties.update(template.parties)
    assembly.issues += template.issues
    assembly.patient_reference = template.patient_reference
    assembly.patient_key = template.patient_reference["reference"]
    assembly.patient = assembly_resources[assembly.patient_key]
    assembly.encounter_reference = template.encounter_reference
    assembly.visit_segments = result.visit if template.visit_kept else ()
