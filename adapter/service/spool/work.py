"""`work.db`: what became of each message. The engine alone writes it, one transaction a group.

A message that has no row here is work to do. Messages are finished out of order; the cursor is the number up to which all of
them have a row, so that a start looks only at what lies above it. The output of a message is kept while a destination still wants
it (waiting or dead), and goes when the last one has it or was told to drop it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from adapter.service.spool.records import Backlog, Delivery, Finished, Version, Waiting
from adapter.service.spool.work_file import WorkFile

__all__ = ["Backlog", "Delivery", "Finished", "Version", "Waiting", "WorkStore"]

_DELIVERY = "destination, state, attempts, next_attempt, reason, delivered_at"
_NAMES_AT_ONCE = 500


class WorkStore(WorkFile):
    """What became of the messages. Written by one process; usable from several of its threads.

    Parameters
    ----------
    folder : Path
        Folder of the spool; `intake.db` is made, too, if it is not there.

    Raises
    ------
    SpoolFault
        The spool cannot be opened, or the two files are not of one spool.
    """

    # -- writing -------------------------------------------------------------------------------------------------------

    def record(self, finished: Sequence[Finished], *, request: int = 0) -> None:
        """Record what became of messages, all or nothing; a message that has been recorded is recorded anew.

        Parameters
        ----------
        finished : sequence of Finished
            In any order.
        request : int
            Number of the last request of an operator that this fulfils; 0: none.

        Raises
        ------
        SpoolFull
            Nothing of it was recorded.
        """
        # compressed for the case that a destination is away for long: a quarter of the size for 50 us a message
        wanted = [
            (message.number, zlib.compress(message.output, 1))
            for message in finished
            if message.output is not None and any(delivery.state in ("waiting", "dead") for delivery in message.deliveries)
        ]
        with self.transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO message (number, state, slug, issues, tables, converted_at) VALUES (?, ?, ?, ?, ?, ?)",
                [message[:6] for message in finished],
            )
            database.executemany(
                f"INSERT OR REPLACE INTO delivery (number, {_DELIVERY}, patient) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(message.number, *delivery, message.patient) for message in finished for delivery in message.deliveries],
            )
            database.executemany("INSERT OR REPLACE INTO output (number, data) VALUES (?, ?)", wanted)
            _remove_unwanted(database, [message.number for message in finished])
            _put_versions(database, [version for message in finished for version in message.versions])
            _advance(database)
            _note_request(database, request)

    def progress(self, number: int, deliveries: Sequence[Delivery], versions: Sequence[Version] = ()) -> None:
        """Record what became of deliveries of one message; see `progress_all`."""
        self.progress_all([(number, delivery) for delivery in deliveries], versions)

    def progress_all(
        self, deliveries: Sequence[tuple[int, Delivery]], versions: Sequence[Version] = (), *, request: int = 0
    ) -> None:
        """Record what became of deliveries of messages that are recorded already, all or nothing.

        Parameters
        ----------
        deliveries : sequence of (int, Delivery)
            Number of the message and the new state.
        versions : sequence of Version
            What stands at the receivers from now on.
        request : int
            As in `record`.

        Raises
        ------
        SpoolFull
            Nothing of it was recorded.
        """
        with self.transaction() as database:
            database.executemany(
                # what an operator dropped while it was tried stays dropped, unless it has arrived
                "UPDATE delivery SET state = ?1, attempts = ?2, next_attempt = ?3, reason = ?4, delivered_at = ?5"
                " WHERE number = ?6 AND destination = ?7 AND (state <> 'dropped' OR ?1 = 'delivered')",
                [(*delivery[1:], number, delivery.destination) for number, delivery in deliveries],
            )
            _remove_unwanted(database, list({number for number, _ in deliveries}))
            _put_versions(database, versions)
            _note_request(database, request)

    def drop(self, number: int, *, destination: str = "", reason: str, time: str, request: int = 0) -> None:
        """Give a message up: what is waiting, dead, rejected or not converted yet is recorded as dropped.

        Parameters
        ----------
        number : int
            Of the message.
        destination : str
            Only there; empty: everywhere, and the message itself if it was rejected or has no row yet.
        reason : str
            Why, as the operator wrote it.
        time : str
            Now (`files.instant`).
        request : int
            As in `record`.

        Raises
        ------
        SpoolFull
            Nothing of it was recorded.
        """
        with self.transaction() as database:
            database.execute(
                "UPDATE delivery SET state = 'dropped', reason = ?, next_attempt = '', delivered_at = ?"
                " WHERE number = ? AND state IN ('waiting', 'dead') AND ? IN ('', destination)",
                (reason, time, number, destination),
            )
            if not destination:
                database.execute("UPDATE message SET state = 'dropped' WHERE number = ? AND state = 'rejected'", (number,))
                database.execute(
                    "INSERT OR IGNORE INTO message (number, state, slug, issues, tables, converted_at)"
                    " VALUES (?, 'dropped', '', X'5B5D', '', ?)",
                    (number, time),
                )
            _remove_unwanted(database, [number])
            _advance(database)
            _note_request(database, request)

    def see(self, destinations: Sequence[str], newest: int, time: str) -> dict[str, int]:
        """Note which destinations there are, and tell with which message each of them begins.

        A destination that is new in a spool that has had others begins with what is received from now on.

        Parameters
        ----------
        destinations : sequence of str
            Names as configured.
        newest : int
            Greatest number that was given (`IntakeStore.newest`).
        time : str
            Now (`files.instant`).

        Returns
        -------
        dict of str to int
            First number by name.
        """
        with self.transaction() as database:
            known = dict(database.execute("SELECT name, first_number FROM destination").fetchall())
            first = newest + 1 if known else 1
            database.executemany(
                "INSERT OR IGNORE INTO destination (name, first_number, seen) VALUES (?, ?, ?)",
                [(name, first, time) for name in destinations],
            )
        return {name: known.get(name, first) for name in destinations}

    # -- reading -------------------------------------------------------------------------------------------------------

    def cursor(self) -> int:
        """Give the number up to which every message is recorded."""
        return int(self.noted("cursor") or 0)

    def newest(self) -> int:
        """Give the greatest number that is recorded; 0 where there is none."""
        return int(self.rows("SELECT ifnull(max(number), 0) FROM message")[0][0])

    def request(self) -> int:
        """Give the number of the last request that was fulfilled."""
        return int(self.noted("request") or 0)

    def unrecorded(self, numbers: Sequence[int]) -> list[int]:
        """Give those of some numbers that are not recorded, in their order.

        Parameters
        ----------
        numbers : sequence of int
            Of messages in `intake.db` above the cursor.
        """
        if not numbers:
            return []
        low, high = min(numbers), max(numbers)
        recorded = {number for (number,) in self.rows("SELECT number FROM message WHERE number BETWEEN ? AND ?", (low, high))}
        return [number for number in numbers if number not in recorded]

    def known(self, identities: Sequence[str]) -> dict[str, Version]:
        """Give what stands at the receivers under some identities."""
        found: dict[str, Version] = {}
        for start in range(0, len(identities), _NAMES_AT_ONCE):
            part = identities[start : start + _NAMES_AT_ONCE]
            marks = ", ".join("?" * len(part))
            statement = f"SELECT identity, rank, issued, message_time, number FROM result WHERE identity IN ({marks})"
            found.update((row[0], Version(*row)) for row in self.rows(statement, part))
        return found

    def waiting(self, destination: str, now: str, limit: int, *, after: int = 0) -> list[Waiting]:
        """Give what a destination has not taken yet and may be tried now, in order.

        A message behind one of the same patient that may not be tried yet is left out.

        Parameters
        ----------
        destination : str
            Its name.
        now : str
            Now (`files.instant`).
        limit : int
            How many at most.
        after : int
            Only those behind this number.
        """
        rows = self.rows(
            f"""
            SELECT number, patient, {_DELIVERY}, (SELECT data FROM output WHERE output.number = this.number)
            FROM delivery AS this
            WHERE state = 'waiting' AND destination = ?1 AND number > ?2 AND next_attempt <= ?3 AND NOT EXISTS (
                SELECT 1 FROM delivery AS earlier
                WHERE earlier.state = 'waiting' AND earlier.destination = ?1 AND earlier.patient = this.patient
                AND this.patient <> '' AND earlier.number < this.number AND earlier.next_attempt > ?3)
            ORDER BY number LIMIT ?4
            """,
            (destination, after, now, limit),
        )
        return [Waiting(row[0], row[1], Delivery(*row[2:8]), _unpacked(row[8])) for row in rows]

    def finished(self, number: int) -> Finished | None:
        """Give what became of one message; `None` when it is not recorded. Its `versions` are not given."""
        return finished_of(self.rows, number)

    def backlog(self) -> list[Backlog]:
        """Count what is waiting and dead at each destination, and what was rejected; costs as much as there is of it."""
        rows = self.rows(
            """
            SELECT destination, state, count(*), min(number) FROM delivery WHERE state = 'waiting' GROUP BY destination
            UNION ALL
            SELECT destination, state, count(*), min(number) FROM delivery WHERE state = 'dead' GROUP BY destination
            UNION ALL
            SELECT '', 'rejected', count(*), min(number) FROM message WHERE state = 'rejected' HAVING count(*) > 0
            """
        )
        return [Backlog(*row) for row in rows]


def finished_of(select: Callable[[str, tuple[int]], list[tuple[Any, ...]]], number: int) -> Finished | None:
    """Read what became of one message, through a function that selects from `work.db`."""
    rows = select(
        "SELECT state, slug, issues, tables, converted_at,"
        " (SELECT data FROM output WHERE output.number = message.number) FROM message WHERE number = ?",
        (number,),
    )
    if not rows:
        return None
    state, slug, issues, tables, converted_at, output = rows[0]
    found = select(f"SELECT {_DELIVERY}, patient FROM delivery WHERE number = ? ORDER BY destination", (number,))
    patient = found[0][6] if found else ""
    deliveries = tuple(Delivery(*row[:6]) for row in found)
    return Finished(number, state, slug, issues, tables, converted_at, patient, _unpacked(output), deliveries)


def _unpacked(output: bytes | None) -> bytes | None:
    return None if output is None else zlib.decompress(output)


def _remove_unwanted(database: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Let outputs go that no destination wants any longer."""
    database.executemany(
        "DELETE FROM output WHERE number = ?1 AND NOT EXISTS ("
        " SELECT 1 FROM delivery WHERE delivery.number = ?1 AND state IN ('waiting', 'dead'))",
        [(number,) for number in numbers],
    )


def _put_versions(database: sqlite3.Connection, versions: Sequence[Version]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO result (identity, rank, issued, message_time, number) VALUES (?, ?, ?, ?, ?)", versions
    )


def _advance(database: sqlite3.Connection) -> None:
    """Move the cursor over all rows that follow it without a gap."""
    row = database.execute("SELECT value FROM progress WHERE name = 'cursor'").fetchone()
    cursor = start = row[0] if row else 0
    for (number,) in database.execute("SELECT number FROM message WHERE number > ? ORDER BY number", (cursor,)):
        if number != cursor + 1:
            break
        cursor = number
    if cursor > start:
        database.execute("INSERT OR REPLACE INTO progress (name, value) VALUES ('cursor', ?)", (cursor,))


def _note_request(database: sqlite3.Connection, request: int) -> None:
    if request:
        database.execute("INSERT OR REPLACE INTO progress (name, value) VALUES ('request', ?)", (request,))
