"""Messages on their way into the spool, and how a resend is told from a new message.

A resend is found by two short numbers, one of sender and control id, one of the content; what they find is compared in full, so
that no accident of hashing can lose a message.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple

_INSERT = """
INSERT INTO message (received, format, door, peer, sender, control_id, patient, answer, claim, content, digest, size, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


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
    texts = (arrival.peer, arrival.sender, arrival.control_id)
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
    claim = blake2b(f"{arrival.sender}\0{arrival.control_id}".encode(), digest_size=8).digest()
    return Identity(int.from_bytes(claim, "big", signed=True), content, digest)


def place(database: sqlite3.Connection, arrival: Arrival, identity: Identity, time: str) -> Placed:
    """Insert one message unless it is a resend."""
    claim, content, digest = identity
    data, form, door, peer, sender, control_id, patient, answer = arrival
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
    row = (time, form, door, peer, sender, control_id, patient, answer, claim, content, digest, len(data), data)
    number = database.execute(_INSERT, row).lastrowid
    assert number is not None
    return Placed(number, kind)


def stored(row: tuple[int, str, str, str, str, str, str, str, int, bytes, bytes | None]) -> Stored:
    """Read a row of `intake.db`."""
    return Stored(*row[:8], bool(row[8]), row[9], row[10] or b"")
