"""OBX-15, OBX-16, OBX-23 to OBX-25 and PRT -> Observation.performer, and the device and place that PRT name.

The performing organisation is OBX-23 with the address OBX-24; OBX-15 only where OBX-23 is blank. OBX-16 and OBX-25 are
PractitionerRoles (`responsibleObserver`, `MDIR`), the director's for that organisation (A16, A17).
The performers of a message repeat from OBX to OBX: they are built once per message for each set of the five fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.contacts import address
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.participation import role_of
from adapter.convert.parties import device, location, organization, organization_of_producer, practitioner_role
from adapter.convert.rules import Plan, Targets
from adapter.hl7v2.message import Segment, valued

PRACTITIONER_ROLE = "http://terminology.hl7.org/CodeSystem/practitioner-role"
TABLE_0912 = "http://terminology.hl7.org/CodeSystem/v2-0912"
EVENT_LOCATION = "http://hl7.org/fhir/StructureDefinition/event-location"

Reference = dict[str, str]


def _repetitions(text: str) -> list[str]:
    if "~" not in text:
        return [text] if valued(text) else []
    return [part for part in text.split("~") if valued(part)]


def _organizations(assembly: Assembly, segment: Segment) -> list[Reference]:
    """Build OBX-23 with OBX-24, else OBX-15."""
    named = _repetitions(segment[23])
    if named:
        place = segment[24] if len(named) == 1 else ""
        found = [organization(assembly, segment, 23, text, place) for text in named]
    else:
        found = [organization_of_producer(assembly, segment, 15, text) for text in _repetitions(segment[15])]
    return [reference for reference in found if reference is not None]


def _performers(assembly: Assembly, segment: Segment) -> list[Reference]:
    found: list[Reference | None] = [
        practitioner_role(assembly, segment, 16, text, "responsibleObserver", PRACTITIONER_ROLE)
        for text in _repetitions(segment[16])
    ]
    organizations = _organizations(assembly, segment)
    found += organizations
    for text in _repetitions(segment[25]):
        director_of = organizations[0] if organizations else None
        found.append(practitioner_role(assembly, segment, 25, text, "MDIR", TABLE_0912, director_of))
    return [reference for reference in found if reference is not None]


def build_performers(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-15, 16, 23, 24, 25 together -> performer; whichever of them comes first does it."""
    observation = targets["Observation"]
    if "performer" in observation:
        return
    fields = segment.fields
    # OBX-24 is the address of the one organization of OBX-23, and without it no performer's
    named = len(fields) > 23 and fields[23]
    key = "|".join(fields[15:17] + fields[23 if named else 25 : 26])
    if named:
        key += "|"
    found = assembly.performers.get(key)
    if found is None:
        found = assembly.performers[key] = _performers(assembly, segment)
    if found:
        observation["performer"] = found.copy()


def organizations_of(assembly: Assembly, performers: Sequence[Reference]) -> list[dict[str, Any]]:
    """Give the Organizations among performers."""
    resources = assembly.resources
    return [
        resource for performer in performers if (resource := resources[performer["reference"]])["resourceType"] == "Organization"
    ]


def keep_producer(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-15 beside OBX-23: kept as sent."""
    if valued(segment[23]):
        targets["Observation"].setdefault("extension", []).append(source_extension("OBX-15", text))


def keep_address(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-24 without one OBX-23 that it belongs to: kept as sent."""
    named = segment.fields[23]
    if not named or len(_repetitions(named)) != 1:
        targets["Observation"].setdefault("extension", []).append(source_extension("OBX-24", text))


def build_device(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-18, PRT-10 -> device; FHIR allows one, further ones are kept as sent."""
    observation = targets["Observation"]
    number = 18 if segment.name == "OBX" else 10
    texts = _repetitions(text)
    if texts and "device" not in observation:
        found = device(assembly, segment, number, texts.pop(0))
        if found is not None:
            observation["device"] = found
    if texts:
        observation.setdefault("extension", []).append(source_extension(f"{segment.name}-{number}", "~".join(texts)))


def _add_places(assembly: Assembly, segment: Segment, observation: dict[str, Any]) -> None:
    """PRT-9, PRT-14 -> where it was observed (extension event-location)."""
    found = [location(assembly, segment, 9, text) for text in _repetitions(segment[9])]
    for text in _repetitions(segment[14]):
        where = assembly.value(address, segment, 14, text)
        if where is not None:
            found.append(assembly.share({"resourceType": "Location", "address": where}, (assembly.sender_key, text)))
    for reference in found:
        if reference is not None:
            observation.setdefault("extension", []).append({"url": EVENT_LOCATION, "valueReference": reference})


#: Fields of PRT that are read here, or say how a receiver should change its records.
_READ = frozenset({0, 2, 3, 9, 10, 14})


def add_participant(assembly: Assembly, plans: dict[str, Plan], segment: Segment, observation: dict[str, Any]) -> None:
    """PRT behind OBX -> performer, device and place of the Observation (A38).

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict of str to Plan
        Compiled rules; `participation` has those of PRT.
    segment : Segment
        The PRT.
    observation : dict
        The Observation; changed.
    """
    if valued(segment[5]) or valued(segment[8]):
        found = role_of(assembly, plans, segment)
        if found is not None and found not in observation.get("performer", ()):
            observation.setdefault("performer", []).append(found)
    else:
        kept = [(number, text) for number, text in enumerate(segment.fields) if number not in _READ and valued(text)]
        for number, text in kept:
            observation.setdefault("extension", []).append(source_extension(f"PRT-{number}", text))
    if valued(segment[10]):
        build_device(assembly, segment, segment[10], {"Observation": observation})
    _add_places(assembly, segment, observation)
