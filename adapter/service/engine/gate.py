"""What may overwrite what: the conditional updates of a transaction that are older than what was delivered before (pure).

A final or corrected result goes out as an update by identifier. When it arrives after a newer version of the same result it
must not replace it; the update then becomes a conditional create of the same identifier, so that the server keeps what it has,
creates the result if it has none, and references inside the transaction still resolve. A result with a request by id (`PUT
Observation/17`, from FHIR senders only) is left out instead, and references to it name the id.

Order of two versions of a result: not final before final; then the time of issue (OBR-22, `issued`), then the time of the
message (MSH-7, `Bundle.timestamp`), then the status (final, amended, corrected, withdrawn), then the order of arrival. Times
compare as far as both are known (`moment.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from adapter.fhir.json import dumps, loads
from adapter.fhir.references import rewritten
from adapter.service.delivery.shared import shared_searches
from adapter.service.engine.moment import moment, order
from adapter.service.spool.records import Version

# HL7 v2-to-FHIR, tables 0085 and 0123; FHIR R4 ObservationStatus and DiagnosticReportStatus
# 0 not final; 1 final, or not known; 2 amended or appended; 3 corrected; 4 withdrawn
_RANKS = {
    "registered": 0,
    "preliminary": 0,
    "partial": 0,
    "amended": 2,
    "appended": 2,
    "corrected": 3,
    "cancelled": 4,
    "entered-in-error": 4,
}
_FINAL = 1
# Their address is made of the message: no other message writes them.
_OF_ONE_MESSAGE = frozenset({"Provenance"})


class Contents(NamedTuple):
    """What the engine needs to know of an output.

    Parameters
    ----------
    transaction : bool
        Whether it is a transaction Bundle; nothing else has requests.
    versions : tuple of Version
        One for each update.
    shared : tuple of str
        Searches of the shared resources that it creates: `Organization?identifier=system|value`. Only those that refer to
        nothing but each other.
    order : str
        Keys with blanks between them: two messages that have one in common are delivered in order. Digests of the patients'
        searches; of FHIR input also of everything else that is not shared, because its identifiers need not tell the patient.
    """

    transaction: bool
    versions: tuple[Version, ...]
    shared: tuple[str, ...]
    order: str = ""


NO_CONTENTS = Contents(False, (), ())


def contents_of(line: bytes, raw: bytes, number: int) -> Contents:
    """Read what an output updates and shares.

    Parameters
    ----------
    line : bytes
        Output, as JSON. Numbers are not looked at.
    raw : bytes
        The message as it came: MSH-7 is taken from it where the Bundle has no timestamp because no zone is known.
    number : int
        Number of the message.

    Returns
    -------
    Contents
        Empty for what is no transaction.
    """
    try:
        whole = orjson.loads(line)
    except orjson.JSONDecodeError:
        # several lines (NDJSON), which have no requests
        return NO_CONTENTS
    return contents_of_resource(whole, raw, number)


def contents_of_resource(whole: Any, raw: bytes, number: int) -> Contents:
    """Read what an output updates and shares from the resource that it was written from; see `contents_of`."""
    if not isinstance(whole, dict) or whole.get("resourceType") != "Bundle" or whole.get("type") != "transaction":
        return NO_CONTENTS
    entries: list[dict[str, Any]] = [entry for entry in whole.get("entry", ()) if "request" in entry]
    updates = [
        entry
        for entry in entries
        if entry["request"].get("method") == "PUT" and entry.get("resource", {}).get("resourceType") not in _OF_ONE_MESSAGE
    ]
    versions: tuple[Version, ...] = ()
    if updates:
        message_time = moment(whole.get("timestamp") or _header_time(raw))
        reported = _issued_by_report(entries)
        versions = tuple(
            Version(
                entry["request"]["url"],
                _RANKS.get(entry["resource"].get("status", ""), _FINAL),
                _issued(entry["resource"]) or reported.get(entry.get("fullUrl", ""), ""),
                message_time,
                number,
            )
            for entry in updates
            if "resource" in entry
        )
    shared = shared_searches(entries)
    return Contents(True, versions, shared, _order(entries, raw, frozenset(shared)))


def versions_of(line: bytes, raw: bytes, number: int) -> tuple[Version, ...]:
    """Versions that an output brings; see `contents_of`."""
    return contents_of(line, raw, number).versions


def older(one: Version, other: Version) -> bool:
    """Tell whether a version is older than another and must not replace it.

    Parameters
    ----------
    one, other : Version
        Versions of the same identity.

    Returns
    -------
    bool
        By class, issue, message, status, arrival; False for the same message.
    """
    if one.number == other.number:
        return False
    if (one.rank > 0) != (other.rank > 0):
        return one.rank == 0
    by_time = order(one.issued, other.issued) or order(one.message_time, other.message_time)
    if by_time:
        return by_time < 0
    return (one.rank, one.number) < (other.rank, other.number)


def decide(versions: Iterable[Version], known: Mapping[str, Version]) -> frozenset[str]:
    """Find the updates that are older than what stands at the receivers.

    Parameters
    ----------
    versions : iterable of Version
        What a message brings.
    known : mapping
        Identity to the newest version before it.

    Returns
    -------
    frozenset of str
        Identities that are stale.
    """
    return frozenset(version.identity for version in versions if (at := known.get(version.identity)) and older(version, at))


def newest(versions: Iterable[Version], known: Mapping[str, Version]) -> list[Version]:
    """Versions of a message that take the place of what is known."""
    return [version for version in versions if not ((at := known.get(version.identity)) and older(version, at))]


def held_back(line: bytes, stale: frozenset[str]) -> bytes:
    """Rewrite the stale updates of a transaction.

    Parameters
    ----------
    line : bytes
        A transaction Bundle.
    stale : frozenset of str
        Identities from `decide`.

    Returns
    -------
    bytes
        The same Bundle, every number as written: a conditional update became a conditional create; an update by id was left out.
    """
    whole = loads(line)
    kept = []
    targets: dict[str, str] = {}
    for entry in whole["entry"]:
        request = entry.get("request", {})
        url = request.get("url", "")
        if request.get("method") != "PUT" or url not in stale:
            kept.append(entry)
            continue
        kind, conditional, search = url.partition("?")
        if conditional:
            kept.append({**entry, "request": {"method": "POST", "url": kind, "ifNoneExist": search}})
        elif entry.get("fullUrl"):
            targets[entry["fullUrl"]] = url
    if targets:
        kept = [rewritten(entry, targets) for entry in kept]
    whole["entry"] = kept
    return dumps(whole)


def _order(entries: Iterable[dict[str, Any]], raw: bytes, shared: frozenset[str]) -> str:
    """Keys by which messages are kept in order: what the receiver goes by, however the sender wrote the patient."""
    everything = raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    names = []
    for entry in entries:
        request = entry["request"]
        kind = entry.get("resource", {}).get("resourceType")
        if kind == "Patient" or (everything and kind not in _OF_ONE_MESSAGE):
            search = request.get("ifNoneExist")
            name = f"{request.get('url', '')}?{search}" if search else request.get("url", "")
            if name not in shared:
                names.append(name if "?" in name or "/" in name else entry.get("fullUrl", ""))
    return " ".join(dict.fromkeys([blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest() for name in names]))


def _issued(resource: dict[str, Any]) -> str:
    """Moment of issue: the text as sent where it stands beside, because seconds or zone may not have been known."""
    for extension in (resource.get("_issued") or {}).get("extension", ()):
        found = moment(extension.get("valueString", ""))
        if found:
            return found
    return moment(resource.get("issued") or (resource.get("meta") or {}).get("lastUpdated") or "")


def _issued_by_report(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Full URL of a result to the moment at which its report was issued."""
    found: dict[str, str] = {}
    for entry in entries:
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "DiagnosticReport":
            issued = _issued(resource)
            if issued:
                for reference in resource.get("result", ()):
                    found.setdefault(reference.get("reference", ""), issued)
    return found


def _header_time(raw: bytes) -> str:
    """MSH-7 of an ER7 message."""
    start = raw[:4096].lstrip(b"\xef\xbb\xbf\x0b\r\n ")
    if not start.startswith(b"MSH") or len(start) < 9:
        return ""
    fields = start.splitlines()[0].split(start[3:4], 7)
    return fields[6].decode("latin-1").partition("^")[0] if len(fields) > 6 else ""
