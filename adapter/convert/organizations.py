"""XON, HD, CWE -> Organization (v2-to-FHIR XON[Organization], HD[Organization], CWE[Organization]; A49)."""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import URI_SYSTEM, Assembly
from adapter.convert.datatypes.coding_systems import code_system
from adapter.convert.datatypes.contacts import address as address_xad
from adapter.convert.datatypes.text import any_valued, components, keep
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.locations import universal_identifier
from adapter.convert.party import Party, add_to, identified, normalised, read_identifier, registered_number, share_field
from adapter.hl7v2.message import Segment, valued

#: Components of CX (number, check digit, authority, type) and where XON has them (HL7 v2.5.1 chapter 2, 2.A.89).
_XON_AS_CX = {1: 10, 2: 4, 4: 6, 5: 7}
#: Components of CWE without an element: versions, OIDs of coding systems and value sets.
_CWE_WITHOUT_ELEMENT = (7, 8, *range(13, 40))
#: Components without an element: kind of name, check digit scheme, facility, name representation.
_XON_WITHOUT_ELEMENT = (2, 5, 8, 9, *range(11, 30))


def _named_organization(
    identifiers: list[dict[str, Any]], name: str, registered: tuple[str, ...], bare: tuple[str, ...]
) -> Party | None:
    """Make an Organization of its identifiers, its name, and what identifies it as sent."""
    resource: dict[str, Any] = {"resourceType": "Organization"}
    if identifiers:
        resource["identifier"] = identifiers
    if name:
        resource["name"] = name
    if len(resource) == 1:
        return None
    return identified(resource, registered, (*bare, normalised(name)))


def organization_xon(text: str, environment: Environment) -> Party | None:
    """XON -> Organization (v2-to-FHIR XON[Organization]).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    Party or None
        None when neither a name nor a number is valued.
    """
    parts = components(text, 10)
    identifier = read_identifier(text, _XON_AS_CX if parts[9] else {**_XON_AS_CX, 1: 3}, environment)
    number, namespace = parts[9] or parts[2], parts[5]
    registered = registered_number(number, namespace, environment)
    party = _named_organization([identifier] if identifier is not None else [], parts[0], registered, (number, namespace))
    if party is not None and (any_valued(parts, _XON_WITHOUT_ELEMENT) or (parts[9] and parts[2] not in ("", parts[9]))):
        keep(party.resource, text)
    return party


def organization(assembly: Assembly, segment: Segment, number: int, text: str, address: str = "") -> dict[str, str] | None:
    """XON -> Organization.

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
    address : str
        XAD field with the address of the organization; it follows the field of the name in the segment.

    Returns
    -------
    dict or None
        Reference; None when nothing is valued.
    """
    reference = share_field(assembly, segment, number, organization_xon, text)
    if reference is not None and valued(address):
        add_to(assembly, reference, "address", _each(assembly, address_xad, segment, number + 1, address))
    return reference


def _each(assembly: Assembly, function: DatatypeFunction, segment: Segment, number: int, text: str) -> list[Any]:
    found = [assembly.value(function, segment, number, part) for part in text.split("~") if valued(part)]
    return [one for one in found if one is not None]


def organization_hd(text: str, environment: Environment) -> Party | None:
    """HD -> Organization (v2-to-FHIR HD[Organization], A49).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    Party or None
        None when nothing is valued.
    """
    parts = components(text, 3)
    identifiers: list[dict[str, Any]] = [{"value": parts[0]}] if parts[0] else []
    universal = universal_identifier(parts, environment)
    if universal is not None:
        identifiers.append(universal)
    registered = (URI_SYSTEM, universal["value"]) if universal is not None and "system" in universal else ()
    party = _named_organization(identifiers, "", registered, tuple(parts))
    if party is not None and any(parts[3:]):
        keep(party.resource, text)
    return party


def organization_of_authority(assembly: Assembly, segment: Segment, number: int, text: str) -> dict[str, str] | None:
    """HD -> Organization, for example of the sending facility (MSH-4).

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
        Reference; None when nothing is valued.
    """
    return share_field(assembly, segment, number, organization_hd, text)


def organization_cwe(text: str, environment: Environment) -> Party | None:
    """CWE -> Organization (v2-to-FHIR CWE[Organization]); further triplets are further identifiers and names of it.

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    Party or None
        None when nothing is valued.
    """
    parts = components(text, 12)
    identifiers: list[dict[str, Any]] = []
    names = [parts[8]] if parts[8] else []
    for first in (0, 3, 9):
        code, title, system_name = parts[first : first + 3]
        if code:
            identifier: dict[str, Any] = {"value": code}
            system = code_system(system_name, environment) if system_name else None
            if system is not None:
                identifier["system"] = system
            elif system_name:
                identifier["assigner"] = {"display": system_name}
            identifiers.append(identifier)
        if title and title not in names:
            names.append(title)
    sent = tuple(part for first in (0, 3, 9) for part in (parts[first], parts[first + 2]))
    party = _named_organization(identifiers, names[0] if names else "", (), sent)
    if party is not None and len(names) > 1:
        party.resource["alias"] = names[1:]
    if party is not None and any_valued(parts, _CWE_WITHOUT_ELEMENT):
        keep(party.resource, text)
    return party


def organization_of_producer(assembly: Assembly, segment: Segment, number: int, text: str) -> dict[str, str] | None:
    """CWE -> Organization, for example of the producer of a result (OBX-15).

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
        Reference; None when nothing is valued.
    """
    return share_field(assembly, segment, number, organization_cwe, text)
