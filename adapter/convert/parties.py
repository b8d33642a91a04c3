"""Who takes part: Practitioner (XCN, CNN), PractitionerRole, Device (EI); Organization and Location are named here as well.

Each occurs once in a message, whoever names it first; what later mentions add is added to it. A transaction creates it
unless it is known, and never changes a master record. `party.py` says what identifies them.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import mapped_concept
from adapter.convert.datatypes.identifiers import identifier_ei
from adapter.convert.datatypes.names import human_name_xcn
from adapter.convert.datatypes.text import any_valued, components, keep, leaf
from adapter.convert.environment import Environment
from adapter.convert.locations import location
from adapter.convert.organizations import organization, organization_of_authority, organization_of_producer
from adapter.convert.party import Party, identified, normalised, read_identifier, registered_number, share_field
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

#: Components of CX (number, check digit, authority, type) and where XCN has them (HL7 v2.5.1 chapter 2, 2.A.88).
_XCN_AS_CX = {1: 1, 2: 11, 4: 9, 5: 13}
#: Components without an element: source table, check digit scheme, facility, name context, jurisdiction, agency.
_XCN_WITHOUT_ELEMENT = (8, 12, 14, 16, 22, 23)


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
    identifier = read_identifier(text, _XCN_AS_CX, environment)
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
    return identified(resource, registered_number(clean[0], parts[8] if len(parts) > 8 else "", environment), bare)


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
    return share_field(assembly, segment, number, practitioner_xcn, text)


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
    parts = components(text, 4)
    registered = registered_number(parts[0], "^".join(parts[1:4]), environment)
    return identified({"resourceType": "Device", "identifier": [identifier]}, registered, tuple(parts))


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
    return share_field(assembly, segment, number, device_ei, text)


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
