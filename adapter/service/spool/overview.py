"""Both files of a spool for a reader who changes nothing: what stands where, and why. Works while the service runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from adapter.service.spool import intake, work_file
from adapter.service.spool.files import BUSY_SECONDS, SpoolFault, reason_of
from adapter.service.spool.records import Finished
from adapter.service.spool.work import finished_of

State = Literal["received", "waiting", "dead", "rejected", "delivered", "dropped", "unselected", "converted"]
STATES: tuple[State, ...] = get_args(State)
#: What a person has to look at.
DEAD_LETTERS: tuple[State, ...] = ("dead", "rejected")

# what is dead anywhere is dead: a person has to look, whatever the other destinations do
_STATE = """
CASE
    WHEN message.state IS NULL THEN 'received'
    WHEN message.state <> 'converted' THEN message.state
    ELSE coalesce((
        SELECT state FROM delivery WHERE delivery.number = received.number AND ? IN ('', destination)
        ORDER BY CASE state WHEN 'dead' THEN 1 WHEN 'waiting' THEN 2 WHEN 'delivered' THEN 3 ELSE 4 END LIMIT 1), 'converted')
END
"""
_PAGE = 500


class Entry(NamedTuple):
    """One message, without patient data.

    Parameters
    ----------
    number : int
        Its number.
    received : str
        When (`files.instant`).
    door : str
        Where it came in.
    sender : str
        MSH-3 and MSH-4.
    format : str
        `er7` or `json`.
    size : int
        Bytes.
    digest : str
        First 16 digits of the SHA-256 of the message.
    state : str
        One of `STATES`.
    reason : str
        Issue that rejected it, or why it is not delivered.
    """

    number: int
    received: str
    door: str
    sender: str
    format: str
    size: int
    digest: str
    state: State
    reason: str


class Selection(NamedTuple):
    """Which messages; an empty field selects all.

    Parameters
    ----------
    states : sequence of str
        One of these.
    destination : str
        That have to go there; state and reason are those of this destination.
    sender : str
        MSH-3, its first component, or `MSH-3|MSH-4`.
    since : str
        Received from this moment on.
    reason : str
        Text that the reason has.
    numbers : sequence of int
        One of these.
    """

    states: Sequence[State] = ()
    destination: str = ""
    sender: str = ""
    since: str = ""
    reason: str = ""
    numbers: Sequence[int] = ()


class Overview:
    """A spool, read only.

    Parameters
    ----------
    folder : Path
        Folder of the spool.

    Raises
    ------
    SpoolFault
        There is no spool, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        received, done = folder / intake.FILE, folder / work_file.FILE
        try:
            if not received.is_file():
                raise SpoolFault(f"{folder}: there is no spool here ({intake.FILE} is missing)")
            self._database = sqlite3.connect(
                f"{done.absolute().as_uri()}?mode=ro" if done.is_file() else ":memory:", uri=True, timeout=BUSY_SECONDS
            )
            if not done.is_file():
                # no engine has run yet: nothing became of anything
                self._database.executescript(work_file.SCHEMA)
            self._database.execute("ATTACH ? AS intake", (f"{received.absolute().as_uri()}?mode=ro",))
            self._database.execute("SELECT 1 FROM intake.message LIMIT 1").fetchone()
            self._database.execute("SELECT 1 FROM main.message LIMIT 1").fetchone()
        except OSError as error:
            raise SpoolFault(f"{folder}: the spool cannot be read ({error.strerror})") from error
        except sqlite3.Error as error:
            raise SpoolFault(f"{folder}: {reason_of(error)}") from error

    def entries(self, selection: Selection = Selection(), *, limit: int = 0) -> Iterator[Entry]:
        """Give messages in order.

        Parameters
        ----------
        selection : Selection
            Which.
        limit : int
            The newest so many only; 0: all.
        """
        statement, values = _query(selection)
        if limit:
            statement = f"SELECT * FROM ({statement} ORDER BY number DESC LIMIT {limit})"
        # read in pages, so that a long listing does not hold the log back
        last = 0
        while True:
            page = self._database.execute(
                f"SELECT * FROM ({statement}) WHERE number > ? ORDER BY number LIMIT {_PAGE}", (*values, last)
            ).fetchall()
            yield from (Entry(*row) for row in page)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def entry(self, number: int) -> Entry | None:
        """Give one message; `None` when there is none of this number."""
        statement, values = _query(Selection())
        row = self._database.execute(f"SELECT * FROM ({statement}) WHERE number = ?", (*values, number)).fetchone()
        return None if row is None else Entry(*row)

    def finished(self, number: int) -> Finished | None:
        """Give what became of one message, its output included; `None` when it is not recorded."""
        return finished_of(lambda statement, values: self._database.execute(statement, values).fetchall(), number)

    def source(self, number: int) -> bytes:
        """Give a message as it came; empty when it is not kept any longer."""
        row = self._database.execute("SELECT data FROM intake.message WHERE number = ?", (number,)).fetchone()
        return bytes(row[0] or b"") if row else b""

    def close(self) -> None:
        """Close the files."""
        self._database.close()


def _query(selection: Selection) -> tuple[str, list[object]]:
    """Write the selection as SQL; values are bound."""
    inner = f"""
    SELECT received.number AS number, received, door, sender, format, size, lower(substr(hex(digest), 1, 16)) AS digest,
    {_STATE} AS state, coalesce(nullif(message.slug, ''), (
        SELECT reason FROM delivery WHERE delivery.number = received.number AND reason <> '' AND ? IN ('', destination)
        ORDER BY CASE state WHEN 'dead' THEN 1 ELSE 2 END LIMIT 1), '') AS reason
    FROM intake.message AS received LEFT JOIN main.message AS message ON message.number = received.number
    """
    values: list[object] = [selection.destination, selection.destination]
    where = []
    wanted = set(selection.states)
    if wanted and wanted <= {"dead", "waiting", "rejected"}:
        # these have an index; the rest of the spool need not be read
        where.append(
            "received.number IN (SELECT number FROM delivery WHERE state = 'dead' UNION SELECT number FROM delivery"
            " WHERE state = 'waiting' UNION SELECT number FROM main.message WHERE state = 'rejected')"
        )
    if selection.destination:
        where.append("EXISTS (SELECT 1 FROM delivery WHERE delivery.number = received.number AND destination = ?)")
        values.append(selection.destination)
    if selection.sender:
        where.append("(sender = ? OR substr(sender, 1, length(?) + 1) IN (? || '|', ? || '^'))")
        values += [selection.sender] * 4
    if selection.since:
        where.append("received >= ?")
        values.append(selection.since)
    if selection.numbers:
        where.append("received.number IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(selection.numbers)))
    if where:
        inner += " WHERE " + " AND ".join(where)
    outer = [f"state IN ({', '.join('?' * len(selection.states))})"] if selection.states else []
    values += selection.states
    if selection.reason:
        outer.append("instr(reason, ?)")
        values.append(selection.reason)
    return f"SELECT * FROM ({inner})" + (" WHERE " + " AND ".join(outer) if outer else ""), values
