"""The invariants of Bundle (bdl-1 to bdl-12 of FHIR R4), which compare places that a JSON schema cannot compare.

They are part of the structural validation: `adapter.fhir.validation` calls them for a Bundle that fits the schema.
"""

from __future__ import annotations

from typing import Any

Fault = tuple[str, str]

_WITH_REQUEST = frozenset({"batch", "transaction", "history"})
_WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})


def bundle_faults(bundle: dict[str, Any], path: str = "Bundle") -> list[Fault]:
    """Check the invariants of a Bundle and of the Bundles in it.

    Parameters
    ----------
    bundle : dict
        A Bundle that fits the schema.
    path : str
        Where it stands.

    Returns
    -------
    list of (str, str)
        Path and reason of each fault.
    """
    kind = bundle.get("type", "")
    entries: list[dict[str, Any]] = bundle.get("entry", [])
    faults = _header_faults(bundle, kind, entries, path)
    with_request, with_response, searched = kind in _WITH_REQUEST, kind in _WITH_RESPONSE, kind == "searchset"
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(entries):
        resource = entry.get("resource")
        if ("request" in entry) is not with_request:
            reason = "is required" if with_request else "is not allowed"
            faults.append((f"{path}.entry[{index}].request", f"{reason} in a Bundle of type {kind} (bdl-3)"))
        if ("response" in entry) is not with_response:
            reason = "is required" if with_response else "is not allowed"
            faults.append((f"{path}.entry[{index}].response", f"{reason} in a Bundle of type {kind} (bdl-4)"))
        if "search" in entry and not searched:
            faults.append((f"{path}.entry[{index}].search", "is allowed in search results only (bdl-2)"))
        if resource is None and "request" not in entry and "response" not in entry:
            faults.append((f"{path}.entry[{index}]", "has no resource, no request and no response (bdl-5)"))
        full_url = entry.get("fullUrl")
        if full_url is not None and kind != "history":
            key = (full_url, resource.get("meta", {}).get("versionId", "") if resource else "")
            if key in seen:
                faults.append((f"{path}.entry[{index}].fullUrl", "stands twice in the Bundle (bdl-7)"))
            seen.add(key)
        if full_url is not None and "/_history/" in full_url:
            faults.append((f"{path}.entry[{index}].fullUrl", "must not name a version (bdl-8)"))
        if resource is not None and resource["resourceType"] == "Bundle":
            faults += bundle_faults(resource, f"{path}.entry[{index}].resource")
    return faults


def _header_faults(bundle: dict[str, Any], kind: str, entries: list[dict[str, Any]], path: str) -> list[Fault]:
    faults: list[Fault] = []
    first = entries[0].get("resource", {}).get("resourceType") if entries else None
    if "total" in bundle and kind not in {"searchset", "history"}:
        faults.append((f"{path}.total", "is allowed in search results and histories only (bdl-1)"))
    if kind == "document":
        identifier = bundle.get("identifier", {})
        if "system" not in identifier or "value" not in identifier:
            faults.append((f"{path}.identifier", "a document needs an identifier with system and value (bdl-9)"))
        if "timestamp" not in bundle:
            faults.append((f"{path}.timestamp", "a document needs a timestamp (bdl-10)"))
        if first != "Composition":
            faults.append((f"{path}.entry[0].resource", "the first resource of a document is a Composition (bdl-11)"))
    if kind == "message" and first != "MessageHeader":
        faults.append((f"{path}.entry[0].resource", "the first resource of a message is a MessageHeader (bdl-12)"))
    return faults
