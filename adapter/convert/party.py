"""What all parties have in common: a key, an identifier, and one resource in a message whoever names it first.

The key is a number with the universal id of its authority, both as sent; where there is none, the sender, the identifier as
sent and the name (A41): a bare number means nothing outside its sender, and two people may share one in different places.
Tables give identifiers their systems, never the keys: a corrected table must not make another resource of the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.identifiers import hd_uri, identifier_cx
from adapter.convert.datatypes.text import PLAIN, components
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.environment import DatatypeFunction, Environment, Fault, add_shortcut
from adapter.hl7v2.message import Segment, valued


class Party(NamedTuple):
    """A resource as the text of its field describes it.

    Parameters
    ----------
    resource : dict
        Template; copied before it goes into a message.
    key : tuple of str
        Its key, from source fields only.
    registered : bool
        The key holds wherever it is sent; otherwise it holds within its sender.
    identifier : int or None
        Index of the identifier with system, for conditional requests.
    """

    resource: dict[str, Any]
    key: tuple[str, ...]
    registered: bool
    identifier: int | None


def normalised(*names: str) -> str:
    """Give names in the form that is compared: case folded, blanks single."""
    return "\x1f".join(" ".join(name.casefold().split()) for name in names)


def registered_number(number: str, authority: str, environment: Environment) -> tuple[str, ...]:
    """Give the key of a number whose authority (HD in ER7) has a universal id; empty for a bare namespace or no number."""
    uri = environment.memo(hd_uri)[authority][0] if number and authority else None
    return (uri, number) if uri is not None else ()


def registered_cx(text: str, environment: Environment) -> tuple[str, ...]:
    """CX -> key of the number, see `registered_number`."""
    number, _, _, authority = components(text, 4)[:4]
    return registered_number(number, authority, environment)


def _authority_uri(text: str, environment: Environment) -> str | None:
    """CX without its number (`check digit^scheme^authority`) -> URI of the authority, when it has a universal id."""
    authority = components(text, 3)[2]
    uri: str | None = environment.memo(hd_uri)[authority][0] if authority else None
    return uri


def _usual_cx(text: str, environment: Environment) -> tuple[tuple[str, ...], tuple[Fault, ...]] | None:
    """Do what `registered_cx` does, for plain numbers: what follows them recurs."""
    number, _, rest = text.partition("^")
    if not number or not PLAIN.issuperset(number):
        return None
    uri = environment.memo(_authority_uri)[rest][0]
    return ((uri, number) if uri is not None else ()), ()


add_shortcut(registered_cx, _usual_cx)


def with_system(resource: dict[str, Any]) -> int | None:
    """Give the index of the first identifier with system and value."""
    for index, identifier in enumerate(resource.get("identifier", ())):
        if "system" in identifier and "value" in identifier:
            return index
    return None


def identified(resource: dict[str, Any], registered: tuple[str, ...], bare: tuple[str, ...]) -> Party:
    """Make a party: its key is the registered number, else the bare texts."""
    return Party(resource, registered or bare, bool(registered), with_system(resource))


def share_field(
    assembly: Assembly, segment: Segment, number: int, function: DatatypeFunction, text: str
) -> dict[str, str] | None:
    """Make the party of a field and share it in the message."""
    if not valued(text):
        return None
    party: Party | None = assembly.value(function, segment, number, text)
    if party is None:
        return None
    # the same field with the same text again says nothing beyond: the resource is there and complete
    known = (function, segment.name, number, text)
    reference = assembly.parties.get(known)
    if reference is None:
        reference = assembly.parties[known] = share_party(assembly, party, ((f"{segment.name}-{number}", text),))
    return reference


def share_party(assembly: Assembly, party: Party, sources: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
    """Share a party in the message; without a registered number it belongs to the sender."""
    resource = {name: list(value) if value.__class__ is list else value for name, value in party.resource.items()}
    key = party.key if party.registered else (assembly.sender_key, *party.key)
    return share_filled(assembly, resource, key, identifier=party.identifier, sources=sources)


def read_identifier(text: str, places: dict[int, int], environment: Environment) -> dict[str, Any] | None:
    """Read the identifier inside XCN or XON as the CX it is; faults name the components as sent."""
    parts = text.split("^")
    raw = [""] * 5
    for target, source in places.items():
        if source <= len(parts):
            raw[target - 1] = parts[source - 1]
    if not any(valued(part) for part in raw):
        return None
    found, faults = environment.memo(identifier_cx)["^".join(raw).rstrip("^")]
    for fault in faults:
        head, dot, rest = fault.component.partition(".")
        environment.fault(fault.slug, f"{places[int(head)]}{dot}{rest}" if head else "", fault.detail, fault.value)
    identifier: dict[str, Any] | None = found
    return identifier


def add_to(assembly: Assembly, reference: dict[str, str], name: str, values: list[Any]) -> None:
    """Add values to a list of a resource in the message, each once."""
    resource = assembly.resources[reference["reference"]]
    there = resource.get(name, [])
    more = [one for one in values if one not in there]
    if more:
        resource[name] = there + more


#: Elements of the resources that are shared and may have one of several types, of which only one may be there.
_CHOICE = re.compile(r"_?(deceased|multipleBirth|occurrence|quantity|asNeeded)[A-Z]")


def share_filled(
    assembly: Assembly,
    resource: dict[str, Any],
    key: tuple[str, ...],
    *,
    identifier: int | None = None,
    sources: Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """Share a resource; what it says beyond the one that is there already is added to that one.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    resource : dict
        The resource, its top level and its lists its own.
    key : tuple of str
        Its key.
    identifier : int, optional
        Index of the identifier with system that names it.
    sources : sequence of (str, str)
        Names and texts of the fields or segments it comes from, kept when it contradicts what is there already.

    Returns
    -------
    dict
        Reference to the shared resource.
    """
    reference = assembly.share(resource, key, identifier=identifier)
    there = assembly.resources[reference["reference"]]
    if there is not resource and not fill(there, resource):
        keep_sources(there, sources)
    return reference


def keep_sources(resource: dict[str, Any], sources: Sequence[tuple[str, str]]) -> None:
    """Keep fields or segments on a resource as sent, each text once."""
    extensions = [source_extension(name, text) for name, text in sources]
    more = [one for one in extensions if one not in resource.get("extension", ())]
    if more:
        resource["extension"] = [*resource.get("extension", ()), *more]


def fill(there: dict[str, Any], more: dict[str, Any]) -> bool:
    """Add to a resource what another description of the same thing says beyond it; what is there stays.

    Parameters
    ----------
    there : dict
        The resource; changed.
    more : dict
        The other description. Lists are joined, other elements fill what is empty.

    Returns
    -------
    bool
        Whether everything it says is there now; not so where it contradicts.
    """
    whole = True
    for name, value in more.items():
        found = there.get(name)
        if found is None:
            choice = _CHOICE.match(name)
            if choice is not None and any(other.lstrip("_").startswith(choice[1]) for other in there):
                whole = False
            else:
                there[name] = value
        elif found == value:
            continue
        elif found.__class__ is list:
            there[name] = found + [one for one in value if one not in found]
        else:
            whole = False
    return whole
