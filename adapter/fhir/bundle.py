"""Resources and their requests to Bundles (transaction, message, collection) or to NDJSON, and FHIR input to such entries.

The order of entries is the caller's; in a message the MessageHeader comes first. Nested values may be shared between resources,
so references are rewritten by copying (`references.rewritten`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from adapter.fhir.identity import resource_uuid
from adapter.fhir.json import dumps
from adapter.fhir.references import index, references_in, resolve, resources_of, rewritten

BundleKind = Literal["transaction", "message", "collection"]
# Results that are final replace what was sent before; everything else is created once and never overwritten.
_RESULTS = frozenset({"Observation", "DiagnosticReport"})
_NOT_FINAL = frozenset({"registered", "preliminary", "partial"})
_URN_UUID = "urn:uuid:"


class Entry(NamedTuple):
    """A resource and what a transaction does with it.

    Parameters
    ----------
    resource : dict
        The resource.
    full_url : str
        `urn:uuid:...`, or the URL under which a FHIR sender keeps it.
    method : str
        `POST`, `PUT`, `PATCH` or `DELETE`.
    url : str
        Request URL relative to the server's base: `Patient`, `Observation?identifier=system|value`.
    if_none_exist : str
        Search that makes a `POST` conditional; empty: unconditional.
    if_match : str
        Version that a `PUT` expects; empty: any.
    """

    resource: dict[str, Any]
    full_url: str
    method: str
    url: str
    if_none_exist: str = ""
    if_match: str = ""


def bundle(
    entries: Sequence[Entry], kind: BundleKind, *, identifier: dict[str, Any] | None = None, timestamp: str = ""
) -> dict[str, Any]:
    """Assemble a Bundle.

    Parameters
    ----------
    entries : sequence of Entry
        Resources in output order.
    kind : {"transaction", "message", "collection"}
        Type of the Bundle. Requests are part of a transaction only (bdl-3).
    identifier : dict, optional
        `Bundle.identifier`.
    timestamp : str
        `Bundle.timestamp`, an instant with zone; empty: left out.

    Returns
    -------
    dict
        The Bundle. It shares the resources of the entries.
    """
    whole: dict[str, Any] = {"resourceType": "Bundle"}
    if identifier:
        whole["identifier"] = identifier
    whole["type"] = kind
    if timestamp:
        whole["timestamp"] = timestamp
    if kind == "message":
        entries = sorted(entries, key=lambda entry: entry.resource["resourceType"] != "MessageHeader")
    if kind == "transaction":
        listed = []
        for entry in entries:
            request = {"method": entry.method, "url": entry.url}
            if entry.if_match:
                request["ifMatch"] = entry.if_match
            if entry.if_none_exist:
                request["ifNoneExist"] = entry.if_none_exist
            listed.append({"fullUrl": entry.full_url, "resource": entry.resource, "request": request})
    else:
        listed = [{"fullUrl": entry.full_url, "resource": _never_empty(entry)} for entry in entries]
    if listed:
        whole["entry"] = listed
    return whole


def _never_empty(entry: Entry) -> dict[str, Any]:
    """Give an entry's resource; one of which nothing is known but that it exists gets its id (ele-1: no element is empty)."""
    resource = entry.resource
    return resource if len(resource) > 1 else {**resource, "id": entry.full_url.removeprefix(_URN_UUID)}


def ndjson(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Give the resources as they stand alone in Bulk Data: each with an `id`, references as `Type/id`.

    Parameters
    ----------
    entries : sequence of Entry
        Resources in output order; they are not changed.

    Returns
    -------
    list of dict
        One resource a line. A resource without `id` gets the UUID of its `fullUrl`.
    """
    targets: dict[str, str] = {}
    identified: list[dict[str, Any]] = []
    for entry in entries:
        resource = entry.resource
        if "id" not in resource:
            url = entry.full_url
            uuid = url.removeprefix(_URN_UUID) if url.startswith(_URN_UUID) else resource_uuid(url)
            resource = {"resourceType": resource["resourceType"], "id": uuid, **resource}
        targets.setdefault(entry.full_url, f"{resource['resourceType']}/{resource['id']}")
        identified.append(resource)
    return [rewritten(resource, targets) for resource in identified]


def entries_of(resource: dict[str, Any], *, requests: bool = True) -> list[Entry]:
    """Take FHIR input apart, so that it can leave in another form.

    A request that came in stays. Otherwise the sender's `id` is never used as an address on the receiving server, where it may be
    another patient's: with an identifier that has a system the request is conditional on it (created once; final results are
    updated), without one the resource is put under a UUID of its content, which is its full URL then. References inside the
    Bundle become full URLs.

    Parameters
    ----------
    resource : dict
        A resource, or a Bundle of any type. It is not changed.
    requests : bool
        Whether the entries are written to a server. If not (message, collection), each resource keeps the `id` it came with.

    Returns
    -------
    list of Entry
        One for each resource, in order.
    """
    entry_of = _entry if requests else _entry_as_sent
    if resource["resourceType"] != "Bundle":
        return [entry_of(resource, _URN_UUID + _content_uuid(resource), {})]
    names = index(resource)
    found: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
    full_urls: dict[int, str] = {}
    for number, full_url, inner in resources_of(resource):
        request = resource["entry"][number].get("request", {})
        if not full_url:
            full_url = _URN_UUID + _content_uuid(inner, str(number))
        elif requests and not full_url.startswith(_URN_UUID) and not _keeps_id(inner, request):
            full_url = _URN_UUID + _content_uuid(inner, full_url)
        full_urls[id(inner)] = full_url
        found.append((inner, full_url, request))
    entries = []
    for inner, full_url, request in found:
        targets = {}
        for _, reference in references_in(inner, ""):
            target = resolve(reference, inner, full_url, names)
            if target is not None and id(target) in full_urls:
                targets[reference["reference"]] = full_urls[id(target)]
        entries.append(entry_of(rewritten(inner, targets), full_url, request))
    return entries


def _content_uuid(resource: dict[str, Any], *parts: str) -> str:
    return resource_uuid(resource["resourceType"], *parts, dumps(resource).decode())


def _keeps_id(resource: dict[str, Any], request: dict[str, Any]) -> bool:
    """Tell whether a resource is written with the `id` it came with: by the request that came, or created by an identifier."""
    if request.get("method") in {"POST", "PUT"}:
        return True
    return bool(_search(resource)) and not _is_updated(resource)


def _is_updated(resource: dict[str, Any]) -> bool:
    """Tell whether a resource is a result that replaces what was sent before."""
    return resource["resourceType"] in _RESULTS and resource.get("status") not in _NOT_FINAL


def _entry_as_sent(resource: dict[str, Any], full_url: str, request: dict[str, Any]) -> Entry:
    return Entry(resource, full_url, "POST", resource["resourceType"])


def _entry(resource: dict[str, Any], full_url: str, request: dict[str, Any]) -> Entry:
    kind = resource["resourceType"]
    if request.get("method") in {"POST", "PUT"}:
        return Entry(
            resource, full_url, request["method"], request["url"], request.get("ifNoneExist", ""), request.get("ifMatch", "")
        )
    search = _search(resource)
    if search and _is_updated(resource):
        return Entry({name: value for name, value in resource.items() if name != "id"}, full_url, "PUT", f"{kind}?{search}")
    if search:
        return Entry(resource, full_url, "POST", kind, search)
    uuid = full_url.removeprefix(_URN_UUID)
    return Entry({**resource, "id": uuid}, full_url, "PUT", f"{kind}/{uuid}")


def _search(resource: dict[str, Any]) -> str:
    """Search by the first identifier that has a system and a value; empty when there is none."""
    identifiers = resource.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
        if isinstance(identifier, dict) and identifier.get("system") and identifier.get("value"):
            return f"identifier={quote(identifier['system'], safe=':/')}|{quote(identifier['value'], safe='')}"
    return ""
