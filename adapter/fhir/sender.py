"""Who sent a FHIR Bundle: application and facility, as MSH-3 and MSH-4 would name them.

From the MessageHeader (`source.name`, `source.endpoint`, `sender`), or from the Provenance that this adapter writes in its place
(agents `transmitter` and `author`), so that a converted message read again meets the same rows of `senders.csv`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.fhir.references import Index, Resource, resolve, resources_of

_URN = ("urn:oid:", "urn:uuid:", "urn:dns:")
_URI_SYSTEM = "urn:ietf:rfc:3986"


class Sender(NamedTuple):
    """Names of a sender.

    Parameters
    ----------
    application : tuple of str
        Name and universal id; the id is absent when unknown, both when nothing is known.
    facility : tuple of str
        Likewise.
    """

    application: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()


def sender_of(bundle: Resource, names: Index) -> Sender:
    """Find the sender of a Bundle.

    Parameters
    ----------
    bundle : dict
        The Bundle.
    names : Index
        Its resources.

    Returns
    -------
    Sender
        Empty when the Bundle does not say.
    """
    for _, full_url, resource in resources_of(bundle):
        if resource["resourceType"] == "MessageHeader":
            source = _dict(resource.get("source"))
            facility = _facility(resource.get("sender"), resource, full_url, names)
            return Sender(_names(source.get("name"), source.get("endpoint")), facility)
    found = Sender()
    for _, full_url, resource in resources_of(bundle):
        if resource["resourceType"] == "Provenance" and not found.application:
            found = _from_provenance(resource, full_url, names)
    return found


def _from_provenance(provenance: Resource, full_url: str, names: Index) -> Sender:
    application: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()
    agents = provenance.get("agent")
    for agent in agents if isinstance(agents, list) else []:
        who = _dict(_dict(agent).get("who"))
        role = _role(_dict(agent))
        if role == "transmitter" and not application:
            application = _names(who.get("display"), _dict(who.get("identifier")).get("value"))
        elif role == "author" and not facility:
            facility = _facility(who, provenance, full_url, names)
    return Sender(application, facility) if application else Sender()


def _role(agent: Resource) -> str:
    kind = _dict(agent.get("type"))
    codings = kind.get("coding")
    first = codings[0] if isinstance(codings, list) and codings else None
    return str(_dict(first).get("code") or kind.get("text", ""))


def _facility(reference: Any, container: Resource, full_url: str, names: Index) -> tuple[str, ...]:
    organization = resolve(reference, container, full_url, names)
    if organization is None:
        return _names(_dict(reference).get("display"), None)
    identifiers = organization.get("identifier")
    first = _dict(identifiers[0]) if isinstance(identifiers, list) and identifiers else {}
    universal = first.get("value") if first.get("system") == _URI_SYSTEM else None
    return _names(organization.get("name"), universal)


def _names(name: Any, uri: Any) -> tuple[str, ...]:
    """Name and universal id; the id of a `urn:` without its prefix, as an HD has it. Other URLs are addresses, no ids."""
    prefix = next((prefix for prefix in _URN if isinstance(uri, str) and uri.startswith(prefix)), "")
    universal = uri.removeprefix(prefix) if prefix else ""
    text = name if isinstance(name, str) else ""
    return (text, universal) if universal else (text,) if text else ()


def _dict(value: Any) -> Resource:
    return value if isinstance(value, dict) else {}
