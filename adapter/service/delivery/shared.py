"""Resources that the messages of many patients create: organisations, practitioners, their roles, places, devices (pure).

Two transactions that create the same organisation at the same moment both find none and leave two. So these resources are created
by a transaction of their own first, one at a time; in the message's own transaction the same conditional creates then find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from adapter.fhir.json import dumps, loads

SHARED = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "Device"})


def shared_searches(entries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Find the shared resources that a transaction creates.

    Parameters
    ----------
    entries : sequence of dict
        Entries with requests.

    Returns
    -------
    tuple of str
        `Organization?identifier=system|value`, for those conditional creates that refer to no other entry but each other.
    """
    candidates = {
        entry.get("fullUrl", ""): entry
        for entry in entries
        if entry["request"].get("ifNoneExist") and entry.get("resource", {}).get("resourceType") in SHARED
    }
    references: dict[str, list[str]] = {url: [] for url in candidates}
    for url, entry in candidates.items():
        _collect(entry["resource"], references[url])
    others = {entry.get("fullUrl", "") for entry in entries} - candidates.keys()
    while True:
        outside = [url for url, names in references.items() if not others.isdisjoint(names)]
        if not outside:
            return tuple(dict.fromkeys(_search(entry) for entry in candidates.values()))
        for url in outside:
            del candidates[url], references[url]
            others.add(url)


def shared_transaction(line: bytes, searches: Iterable[str]) -> bytes:
    """Cut the creation of shared resources out of a transaction.

    Parameters
    ----------
    line : bytes
        A transaction Bundle.
    searches : iterable of str
        From `shared_searches`.

    Returns
    -------
    bytes
        A transaction of those entries, every number as written.
    """
    wanted = frozenset(searches)
    entries = [
        entry for entry in loads(line)["entry"] if entry.get("request", {}).get("ifNoneExist") and _search(entry) in wanted
    ]
    return dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _collect(value: dict[str, Any] | list[Any], references: list[str]) -> None:
    """Collect the texts of all references."""
    for inner in value.values() if type(value) is dict else value:
        if type(inner) is dict:
            target = inner.get("reference")
            if type(target) is str:
                references.append(target)
            _collect(inner, references)
        elif type(inner) is list:
            _collect(inner, references)


def _search(entry: dict[str, Any]) -> str:
    return f"{entry['request'].get('url', '')}?{entry['request']['ifNoneExist']}"
