"""Messages on their way into the spool, and how a resend is told from a new message.

A resend is found by two short numbers, one of sender and control id, one of the content; what they find is compared in full, so
that no accident of hashing can lose a message.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple

_INSERT = """
INSERT INTO message (received, format, door, peer, sender, control_id, patient, answer, claim, content, digest, size, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_DIGITS = "0123456789"
#: Digits at the end of a control id that count as a number.
_COUNTED = 15
_AT_ONCE = (1, 4, 16, 64, 256)
_SELECT_KNOWN = {count: f"SELECT 1 FROM message WHERE claim IN ({', '.join('?' * count)}) LIMIT 1" for count in _AT_ONCE}


class Arrival(NamedTuple):
    """One message that a door has received.

    Parameters
    ----------
    data : bytes
        The message as it came, without framing.
    format : {"er7", "json"}
        How it is written.
    door : str
        `mllp`, `http`, or the name of a watched folder.
    peer : str
        Address of the other side; the file name for a folder.
    sender : str
        Who sent it: `MSH-3|MSH-4`, or what stands for it in FHIR.
    control_id : str
        MSH-10, or what stands for it in FHIR; empty where there is none.
    patient : str
        Digest that names the patient, for order; empty where unknown.
    answer : bool
        Whether the door waits for what becomes of it.
    """

    data: bytes
    format: Literal["er7", "json"]
    door: str
    peer: str = ""
    sender: str = ""
    control_id: str = ""
    patient: str = ""
    answer: bool = False


class Placed(NamedTuple):
    """Where a message stands in the spool.

    Parameters
    ----------
    number : int
        Its number; for a resend the number of the first one.
    kind : {"new", "resend", "reused-id"}
        `reused-id`: taken as a new message, although this sender has used the control id for another content.
    """

    number: int
    kind: Literal["new", "resend", "reused-id"]


class Stored(NamedTuple):
    """One message in the spool; the fields of `Arrival`, its number, when it was received (`files.instant`), SHA-256 of the data.

    `data` is empty once the retention time has ended.
    """

    number: int
    received: str
    format: str
    door: str
    peer: str
    sender: str
    control_id: str
    patient: str
    answer: bool
    digest: bytes
    data: bytes


class Identity(NamedTuple):
    """What tells a resend: short numbers to look up, the digest to compare."""

    claim: int | None
    content: int
    digest: bytes


def storable(arrival: Arrival) -> Arrival:
    """Replace what no text of SQLite can hold: halves of surrogate pairs."""
    _, _, _, *texts, _, _ = arrival
    if texts[0].isascii() and texts[1].isascii() and texts[2].isascii():
        return arrival
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        peer, sender, control_id = (text.encode(errors="backslashreplace").decode() for text in texts)
        return arrival._replace(peer=peer, sender=sender, control_id=control_id)
    return arrival


def identity_of(arrival: Arrival) -> Identity:
    """Make what tells a resend of a message; a v2 message without control id has none."""
    digest = sha256(arrival.data).digest()
    content = int.from_bytes(digest[:8], "big", signed=True)
    if not arrival.control_id and arrival.format == "er7":
        # two equal v2 messages without a control id may be two results
        return Identity(None, content, digest)
    return Identity(_claim(arrival.sender, arrival.control_id), content, digest)


def _claim(sender: str, control_id: str) -> int:
    """Number of a control id. Those that a sender counts up lie side by side, so that a commit writes few pages of the index."""
    length = len(control_id)
    split = max(len(control_id.rstrip(_DIGITS)), length - _COUNTED)
    counted = control_id[split:]
    start = _start(sender, control_id[:split], length - split)
    # as a signed number of 64 bits
    return (start + int(counted or "0") + 2**63) % 2**64 - 2**63


@lru_cache(4096)
def _start(sender: str, beginning: str, digits: int) -> int:
    """Number at which the control ids of a sender with this beginning start."""
    return int.from_bytes(blake2b(f"{sender}\0{beginning}\0{digits}".encode(), digest_size=8).digest(), "big", signed=True)


def place_all(
    database: sqlite3.Connection, arrivals: Sequence[Arrival], identities: Sequence[Identity], time: str
) -> list[Placed]:
    """Insert messages unless they are resends; inside a transaction of the caller."""
    claims = [identity.claim for identity in identities if identity.claim is not None]
    if len(set(claims)) < len(claims) or _known(database, claims):
        return [place(database, arrival, identity, time) for arrival, identity in zip(arrivals, identities, strict=True)]
    rows = [_row(arrival, identity, time) for arrival, identity in zip(arrivals, identities, strict=True)]
    if len(rows) == 1:
        last = database.execute(_INSERT, rows[0]).lastrowid
    else:
        database.executemany(_INSERT, rows)
        (last,) = database.execute("SELECT last_insert_rowid()").fetchone()
    assert last is not None
    # each row has the number behind the one before it
    return [Placed(number, "new") for number in range(last - len(rows) + 1, last + 1)]


def _known(database: sqlite3.Connection, claims: Sequence[int]) -> bool:
    """Tell whether one of these numbers stands in the spool; one statement for all, because statements cost more than rows."""
    for start in range(0, len(claims), _AT_ONCE[-1]):
        part = list(claims[start : start + _AT_ONCE[-1]])
        marks = next(count for count in _AT_ONCE if count >= len(part))
        # the last one again and again up to the marks: so there are few statements, and SQLite keeps them compiled
        values = part + part[-1:] * (marks - len(part))
        if database.execute(_SELECT_KNOWN[marks], values).fetchone() is not None:
            return True
    return False


def _row(arrival: Arrival, identity: Identity, time: str) -> tuple[object, ...]:
    """A row of the table."""
    claim, content, digest = identity
    data, form, door, peer, sender, control_id, patient, answer = arrival
    return (time, form, door, peer, sender, control_id, patient, answer, claim, content, digest, len(data), data)


def place(database: sqlite3.Connection, arrival: Arrival, identity: Identity, time: str) -> Placed:
    """Insert one message unless it is a resend."""
    claim, content, digest = identity
    sender, control_id = arrival.sender, arrival.control_id
    kind: Literal["new", "reused-id"] = "new"
    if claim is not None:
        known = database.execute("SELECT sender, control_id FROM message WHERE claim = ? LIMIT 1", (claim,)).fetchone()
        if known is not None:
            rows = database.execute(
                "SELECT number, digest, sender, control_id FROM message WHERE claim = ? AND content = ? ORDER BY number",
                (claim, content),
            ).fetchall()
            for number, *found in rows:
                if found == [digest, sender, control_id]:
                    return Placed(number, "resend")
            if control_id and known == (sender, control_id):
                kind = "reused-id"
    number = database.execute(_INSERT, _row(arrival, identity, time)).lastrowid
    assert number is not None
    return Placed(number, kind)


def stored(row: tuple[int, str, str, str, str, str, str, str, int, bytes, bytes | None]) -> Stored:
    """Read a row of `intake.db`."""
    return Stored(*row[:8], bool(row[8]), row[9], row[10] or b"")
