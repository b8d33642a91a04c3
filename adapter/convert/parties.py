"""Who takes part: Practitioner (XCN, CNN), PractitionerRole, Organization (XON, HD, CWE), Device (EI), Location (PL).

Each occurs once in a message, whoever names it first; what later mentions add is added to it. A transaction creates it
unless it is known, and never changes a master record.

The key is an identifier with system; where there is none, the sender, the identifier as sent and the name (A41): a bare number
means nothing outside the sender that wrote it, and two people may share one in different places.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import mapped_concept
from adapter.convert.datatypes.coding_systems import code_system
from adapter.convert.datatypes.contacts import address as address_xad
from adapter.convert.datatypes.identifiers import identifier_cx, identifier_ei
from adapter.convert.datatypes.names import human_name_xcn
from adapter.convert.datatypes.text import any_valued, components, keep, leaf
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.locations import location, share_filled, universal_identifier
from adapter.hl7v2.message import Segment, valued

__all__ = [
    "device",
    "location",
    "organization",
    "organization_of_authority",
    "organization_of_producer",
    "practitioner",
    "practitioner_role",
]

PARTICIPATION_TYPE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

#: Components of CX (number, check digit, authority, type) and where XCN and XON have them (HL7 v2.5.1 chapter 2, 2.A.88, 2.A.89).
_XCN_AS_CX = {1: 1, 2: 11, 4: 9, 5: 13}
_XON_AS_CX = {1: 10, 2: 4, 4: 6, 5: 7}
#: Components without an element: source table, check digit scheme, facility, name context, jurisdiction, agency.
_XCN_WITHOUT_ELEMENT = (8, 12, 14, 16, 22, 23)
#: Likewise: kind of name, check digit scheme, facility, name representation.
_XON_WITHOUT_ELEMENT = (2, 5, 8, 9)


class Party(NamedTuple):
    """A resource as the text of its field describes it.

    Parameters
    ----------
    resource : dict
        Template; copied before it goes into a message.
    key : tuple of str
        Its key.
    identifier : int or None
        Index of the identifier with system.
    """

    resource: dict[str, Any]
    key: tuple[str, ...]
    identifier: int | None


def normalised(*names: str) -> str:
    """Give names in the form that is compared: case folded, blanks single."""
    return "\x1f".join(" ".join(name.casefold().split()) for name in names)


def _identified(resource: dict[str, Any], bare: tuple[str, ...]) -> Party:
    """Make a party: its key is the first identifier with a system, else the bare texts."""
    for index, identifier in enumerate(resource.get("identifier", ())):
        if "system" in identifier and "value" in identifier:
            return Party(resource, (identifier["system"], identifier["value"]), index)
    return Party(resource, bare, None)


def _share(assembly: Assembly, segment: Segment, number: int, function: DatatypeFunction, text: str) -> dict[str, str] | None:
    """Make the party of a field and share it in the message."""
    if not valued(text):
        return None
    party: Party | None = assembly.value(function, segment, number, text)
    return None if party is None else share_party(assembly, party)


def share_party(assembly: Assembly, party: Party) -> dict[str, str]:
    """Share a party in the message; without an identifier with system it belongs to the sender."""
    resource = {name: list(value) if value.__class__ is list else value for name, value in party.resource.items()}
    key = party.key if party.identifier is not None else (assembly.sender_key, *party.key)
    return share_filled(assembly, resource, key, identifier=party.identifier)


def _as_cx(text: str, places: dict[int, int], environment: Environment) -> dict[str, Any] | None:
    """Read the identifier inside XCN or XON as the CX it is; faults name the components as sent."""
    parts = text.split("^")
    raw = [""] * 5
    for target, source in places.items():
        if source <= len(parts):
            raw[target - 1] = parts[source - 1]
    if not valued(raw[0]):
        return None
    found, faults = environment.memo(identifier_cx)["^".join(raw).rstrip("^")]
    for fault in faults:
        head, dot, rest = fault.component.partition(".")
        environment.fault(fault.slug, f"{places[int(head)]}{dot}{rest}" if head else "", fault.detail, fault.value)
    identifier: dict[str, Any] | None = found
    return identifier


def practitioner_xcn(text: str, environment: Environment) -> Party | None:
    """XCN -> Practitioner (v2-to-FHIR XCN[Practitioner], A54: the degree is a qualification).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    Party or None
        None when neither a number nor a name is valued.
    """
    parts = text.split("^")
    resource: dict[str, Any] = {"resourceType": "Practitioner"}
    identifier = _as_cx(text, _XCN_AS_CX, environment)
    if identifier is not None:
        resource["identifier"] = [identifier]
    name = human_name_xcn(text, environment)
    if name is not None:
        resource["name"] = [name]
    degree = environment.memo(mapped_concept("0360"))[parts[6]][0] if len(parts) > 6 and valued(parts[6]) else None
    if degree is not None:
        resource["qualification"] = [{"code": degree}]
    if len(resource) == 1:
        return None
    clean = components(text, 13)
    if any_valued(clean, _XCN_WITHOUT_ELEMENT):
        keep(resource, text)
    bare = (clean[0], clean[8], clean[12], normalised(*components(clean[1], 1, "&")[:1], *clean[2:5]))
    return _identified(resource, bare)


def practitioner(assembly: Assembly, segment: Segment, number: int, text: str) -> dict[str, str] | None:
    """XCN -> Practitioner.

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
    return _share(assembly, segment, number, practitioner_xcn, text)


def practitioner_role(
    assembly: Assembly,
    segment: Segment,
    number: int,
    text: str,
    code: str,
    system: str,
    organization: dict[str, str] | None = None,
) -> dict[str, str] | None:
    """XCN -> PractitionerRole that names the Practitioner, what he does and for whom.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    segment : Segment
        Where the text stands.
    number : int
        Field number.
    text : str
        One repetition of XCN in ER7; may be empty when there is an organization.
    code, system : str
        What he does; an empty code says nothing.
    organization : dict, optional
        Reference to the Organization he does it for.

    Returns
    -------
    dict or None
        Reference; None when there is neither a person nor an organization.
    """
    role: dict[str, Any] = {}
    if code:
        role["code"] = [{"coding": [{"system": system, "code": code}]}]
    return share_role(assembly, role, practitioner(assembly, segment, number, text), organization, (code, system))


def share_role(
    assembly: Assembly,
    role: dict[str, Any],
    person: dict[str, str] | None,
    organization: dict[str, str] | None,
    key: tuple[str, ...],
) -> dict[str, str] | None:
    """Share a PractitionerRole.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    role : dict
        What the role says beside person and organization.
    person, organization : dict or None
        References.
    key : tuple of str
        What tells this role from others of the same person and organization.

    Returns
    -------
    dict or None
        Reference; None when there is neither a person nor an organization.
    """
    if person is None and organization is None:
        return None
    resource: dict[str, Any] = {"resourceType": "PractitionerRole", **role}
    whose = ["", ""]
    if person is not None:
        resource["practitioner"] = person
        whose[0] = person["reference"]
    if organization is not None:
        resource["organization"] = organization
        whose[1] = organization["reference"]
    return assembly.share(resource, (*whose, *key))


def _named_organization(identifiers: list[dict[str, Any]], name: str) -> Party | None:
    """Make an Organization of its identifiers and its name."""
    resource: dict[str, Any] = {"resourceType": "Organization"}
    if identifiers:
        resource["identifier"] = identifiers
    if name:
        resource["name"] = name
    if len(resource) == 1:
        return None
    bare = [one.get("value", "") for one in identifiers] + [one.get("assigner", {}).get("display", "") for one in identifiers]
    return _identified(resource, (*bare, normalised(name)))


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
    identifier = _as_cx(text, _XON_AS_CX if parts[9] else {**_XON_AS_CX, 1: 3}, environment)
    party = _named_organization([identifier] if identifier is not None else [], parts[0])
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
    reference = _share(assembly, segment, number, organization_xon, text)
    if reference is not None and valued(address):
        add_to(assembly, reference, "address", _each(assembly, address_xad, segment, number + 1, address))
    return reference


def _each(assembly: Assembly, function: DatatypeFunction, segment: Segment, number: int, text: str) -> list[Any]:
    found = [assembly.value(function, segment, number, part) for part in text.split("~") if valued(part)]
    return [one for one in found if one is not None]


def add_to(assembly: Assembly, reference: dict[str, str], name: str, values: list[Any]) -> None:
    """Add values to a list of a resource in the message, each once."""
    resource = assembly.resources[reference["reference"]]
    there = resource.get(name, [])
    more = [one for one in values if one not in there]
    if more:
        resource[name] = there + more


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
    return _named_organization(identifiers, "")


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
    return _share(assembly, segment, number, organization_hd, text)


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
    party = _named_organization(identifiers, names[0] if names else "")
    if party is not None and len(names) > 1:
        party.resource["alias"] = names[1:]
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
    return _share(assembly, segment, number, organization_cwe, text)


def device_ei(text: str, environment: Environment) -> Party | None:
    """EI -> Device (v2-to-FHIR EI[Identifier-Extension], A05).

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
    identifier = identifier_ei(text, environment)
    if identifier is None:
        return None
    return _identified({"resourceType": "Device", "identifier": [identifier]}, tuple(components(text)))


def device(assembly: Assembly, segment: Segment, number: int, text: str) -> dict[str, str] | None:
    """EI -> Device.

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
    return _share(assembly, segment, number, device_ei, text)


def practitioner_ndl(text: str) -> tuple[str, str]:
    """NDL.1 -> the XCN it means: CNN has the authority as three components, XCN as one (HL7 v2.5.1 chapter 2, 2.A.9, 2.A.47).

    Parameters
    ----------
    text : str
        NDL in ER7. A sender that writes XCN where NDL stands is understood: its first component has no subcomponents and the
        second, the start of the work in NDL, is no time.

    Returns
    -------
    tuple of (str, str)
        XCN in ER7, and what the NDL says beside the person (`start^end^location`), in ER7.
    """
    first, _, rest = text.partition("^")
    if "&" not in first and rest and leaf(rest.partition("^")[0]) and not rest[0].isdigit():
        return text, ""
    parts = first.split("&")
    parts += [""] * (11 - len(parts))
    authority = "&".join(parts[8:11]).rstrip("&")
    return "^".join([*parts[:8], authority]).rstrip("^"), rest
