"""PL -> a chain of Locations: bed in room in floor in point of care in building in facility (v2-to-FHIR PL[Location], A66).

Each valued level is a Location of its own, `partOf` the next coarser one; the finest is the one that others refer to. A room
"101" says nothing without its ward and house, so the key of a level is the levels above it and its own text.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import URI_SYSTEM, Assembly
from adapter.convert.datatypes.codes import mapped_concept
from adapter.convert.datatypes.identifiers import authority, hd_uri, identifier_ei
from adapter.convert.datatypes.table_codes import table_coding
from adapter.convert.datatypes.text import components, keep, leaf, promoted
from adapter.convert.environment import Environment
from adapter.convert.party import share_filled
from adapter.hl7v2.message import Segment

PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"

#: Component of PL and code of its physical type, coarsest first. FHIR has no code for a point of care (A66).
LEVELS: tuple[tuple[int, str, str], ...] = (
    (4, "si", "Site"),
    (7, "bu", "Building"),
    (1, "", ""),
    (8, "lvl", "Level"),
    (2, "ro", "Room"),
    (3, "bd", "Bed"),
)


def universal_identifier(parts: list[str], environment: Environment) -> dict[str, Any] | None:
    """HD.2, HD.3 -> Identifier: a registered universal id is a URI and its system says so (A49).

    Parameters
    ----------
    parts : list of str
        Clean components of the HD: namespace, universal id, type of the universal id.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        None when there is neither a universal id nor a type of one.
    """
    if not any(parts[1:3]):
        return None
    uri = hd_uri("^".join(parts), environment)
    found: dict[str, Any] = {}
    if len(parts) > 2 and parts[2]:
        found["type"] = environment.memo(mapped_concept("0301"))[parts[2]][0]
    if uri is not None:
        found["system"] = URI_SYSTEM
    if parts[1]:
        found["value"] = uri or parts[1]
    return found


def level_identifiers(text: str, environment: Environment) -> list[dict[str, Any]]:
    """HD or IS of one level -> its identifiers, the name first (v2-to-FHIR HD[Identifier])."""
    parts = components(promoted(text), 3)
    found: list[dict[str, Any]] = [{"value": parts[0]}] if parts[0] else []
    universal = universal_identifier(parts, environment)
    if universal is not None:
        found.append(universal)
    return found


def location_parts(text: str, environment: Environment) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """PL -> the Locations of its levels, coarsest first, each with its part of the key, and the URI that makes them unique.

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    tuple of (list of (str, dict), str)
        Key part and resource of each level; universal id of the facility, or empty when the sender has to stand in for it.
    """
    raw = [part if leaf(part) else "" for part in text.split("^")]
    raw += [""] * (11 - len(raw))
    levels: list[tuple[str, dict[str, Any]]] = []
    for number, code, display in LEVELS:
        identifiers = level_identifiers(raw[number - 1], environment) if raw[number - 1] else []
        if identifiers:
            place: dict[str, Any] = {"resourceType": "Location", "identifier": identifiers, "mode": "instance"}
            if code:
                place["physicalType"] = {"coding": [{"system": PHYSICAL_TYPE, "code": code, "display": display}]}
            levels.append((f"{number}={raw[number - 1]}", place))
    if not levels:
        if not raw[8] and not raw[9]:
            return [], ""
        levels.append((f"9={raw[8]}^{raw[9]}", {"resourceType": "Location", "mode": "instance"}))
    finest = levels[-1][1]
    if raw[8]:
        finest["description"] = leaf(raw[8])
    if raw[9]:
        identifier = identifier_ei(promoted(raw[9]), environment)
        if identifier is not None:
            finest["identifier"] = [*finest.get("identifier", ()), identifier]
    if raw[5]:
        finest["type"] = [{"coding": [table_coding("0305", leaf(raw[5]), environment, "6")]}]
    if raw[4] or any(raw[11:]) or any(raw[number - 1].count("&") > 2 for number, _, _ in LEVELS):
        # Table 0306 is the sender's own; what it means for the place, FHIR cannot say.
        keep(finest, text)
    if raw[10]:
        system, assigner = authority(promoted(raw[10]), environment)
        for _, place in levels:
            if "identifier" in place:
                place["identifier"] = [_assigned(one, system, assigner) for one in place["identifier"]]
    facility = hd_uri(promoted(raw[3]), environment) if "&" in raw[3] else None
    return levels, facility or ""


def _assigned(identifier: dict[str, Any], system: str | None, assigner: dict[str, Any] | None) -> dict[str, Any]:
    """Name who assigned an identifier, where it does not say so itself."""
    found = dict(identifier)
    if system and "system" not in found:
        found["system"] = system
    if assigner:
        found.setdefault("assigner", assigner)
    return found


def location(assembly: Assembly, segment: Segment, number: int, text: str) -> dict[str, str] | None:
    """PL -> Location and the Locations it is part of.

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

    Returns
    -------
    dict or None
        Reference to the finest level; None when nothing is valued.
    """
    levels, facility = assembly.value(location_parts, segment, number, text)
    reference: dict[str, str] | None = None
    key: tuple[str, ...] = (facility or assembly.sender_key,)
    for part, template in levels:
        key = (*key, part)
        place = dict(template)
        if "identifier" in place:
            place["identifier"] = list(place["identifier"])
        if reference is not None:
            place["partOf"] = reference
        reference = share_filled(assembly, place, key)
    return reference
