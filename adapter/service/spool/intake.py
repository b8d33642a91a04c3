"""`intake.db`: what was received, exactly as it came, in the order of arrival. Doors write it, several processes at once.

`put` is durable on return and takes a whole group in one transaction, because the sync of the disk costs more than the rows.
Resends are recognised (`arrivals.py`). Numbers are never used twice: they count on from the newest row, and a trigger keeps that
row (`AUTOINCREMENT` would write one more page at each commit, a quarter of the throughput of one connection).
"""

from __future__ import annotations

import sqlite3
import time as clock
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from adapter.service.spool.arrivals import Arrival, Placed, Stored, identity_of, place_all, storable, stored
from adapter.service.spool.files import (
    SpoolFault,
    SpoolFull,
    checkpoint,
    free_bytes,
    lengthen_log,
    open_database,
    reason_of,
    shrink,
    used_bytes,
)

__all__ = ["Arrival", "IntakeStore", "Placed", "SpoolFault", "SpoolFull", "Stored", "open_intake"]

FILE = "intake.db"
VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (identity TEXT NOT NULL);
INSERT INTO spool (identity) SELECT lower(hex(randomblob(16))) WHERE NOT EXISTS (SELECT 1 FROM spool);
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, received TEXT NOT NULL, format TEXT NOT NULL, door TEXT NOT NULL, peer TEXT NOT NULL,
    sender TEXT NOT NULL, control_id TEXT NOT NULL, patient TEXT NOT NULL, answer INTEGER NOT NULL,
    claim INTEGER, content INTEGER NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL, data BLOB
);
CREATE INDEX IF NOT EXISTS message_identity ON message (claim, content) WHERE claim IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS message_newest_stays BEFORE DELETE ON message
WHEN old.number = (SELECT max(number) FROM message) BEGIN SELECT RAISE(ABORT, 'the newest row holds the number'); END;
CREATE TABLE IF NOT EXISTS request (
    number INTEGER PRIMARY KEY AUTOINCREMENT, asked TEXT NOT NULL, action TEXT NOT NULL, message INTEGER NOT NULL,
    destination TEXT NOT NULL, reason TEXT NOT NULL, forced INTEGER NOT NULL
);
"""
_COLUMNS = "number, received, format, door, peer, sender, control_id, patient, answer, digest, data"
#: How long the free space of the disk is believed.
_SPACE_NANOSECONDS = 10**9


def open_intake(folder: Path) -> sqlite3.Connection:
    """Open `intake.db` of a spool folder, and make both if they are not there.

    Raises
    ------
    SpoolFault
        It cannot be opened.
    """
    return open_database(folder / FILE, _SCHEMA, VERSION)


class IntakeStore:
    """The received messages. Usable from several threads and processes at once.

    Parameters
    ----------
    folder : Path
        Folder of the spool; made if it is not there.
    free_bytes : int
        With less free space on the disk nothing is taken.

    Raises
    ------
    SpoolFault
        The spool cannot be opened.
    """

    def __init__(self, folder: Path, *, free_bytes: int = 0) -> None:
        self.folder = folder
        self._free_bytes = free_bytes
        self._space_until = 0
        self._lock = Lock()
        self._database: sqlite3.Connection | None = open_intake(folder)

    def put(self, arrivals: Sequence[Arrival], time: str) -> list[Placed]:
        """Keep messages; all of them are on the disk on return.

        Parameters
        ----------
        arrivals : sequence of Arrival
            In the order of arrival. Resends among them are recognised, too.
        time : str
            When they were received (`files.instant`).

        Returns
        -------
        list of Placed
            One for each arrival.

        Raises
        ------
        SpoolFull
            Nothing of them was kept. The next call may work again.
        """
        arrivals = [storable(arrival) for arrival in arrivals]
        identities = [identity_of(arrival) for arrival in arrivals]
        with self._lock:
            database = self._writable()
            try:
                database.execute("BEGIN IMMEDIATE")
                placed = place_all(database, arrivals, identities, time)
                database.execute("COMMIT")
            except sqlite3.Error as error:
                self._back_out(database, error)
                raise SpoolFull(reason_of(error)) from error
        return placed

    def after(self, number: int, limit: int, *, byte_limit: int = 64 * 2**20) -> list[Stored]:
        """Give the messages behind a number, in order; without those whose data is gone.

        Parameters
        ----------
        number : int
            The last one that the caller has seen.
        limit : int
            How many at most.
        byte_limit : int
            Stop when so much data was read; the first one is given in any case.
        """
        found: list[Stored] = []
        size = 0
        with self._lock:
            statement = f"SELECT {_COLUMNS} FROM message WHERE number > ? AND data IS NOT NULL ORDER BY number LIMIT ?"
            rows = self._readable().execute(statement, (number, limit))
            for row in rows:
                found.append(stored(row))
                size += len(found[-1].data)
                if size >= byte_limit:
                    break
            rows.close()
        return found

    def get(self, number: int) -> Stored | None:
        """Give one message; `None` when the spool has none of this number."""
        with self._lock:
            row = self._readable().execute(f"SELECT {_COLUMNS} FROM message WHERE number = ?", (number,)).fetchone()
        return None if row is None else stored(row)

    def newest(self) -> int:
        """Give the greatest number that was given; 0 for an empty spool."""
        with self._lock:
            return int(self._readable().execute("SELECT ifnull(max(number), 0) FROM message").fetchone()[0])

    def received_from(self, number: int) -> str:
        """Give when the first message from a number on was received; empty when there is none."""
        with self._lock:
            row = (
                self._readable()
                .execute("SELECT received FROM message WHERE number >= ? ORDER BY number LIMIT 1", (number,))
                .fetchone()
            )
        return "" if row is None else str(row[0])

    def size(self) -> int:
        """Give the size of the file without its free pages, in bytes."""
        with self._lock:
            return used_bytes(self._readable())

    def identity(self) -> str:
        """Give the identity of this spool, which `work.db` must share."""
        with self._lock:
            return str(self._readable().execute("SELECT identity FROM spool").fetchone()[0])

    def remove(self, numbers: Sequence[int]) -> None:
        """Let the data of messages go; what recognises a resend stays.

        Raises
        ------
        SpoolFull
            The spool is not writable now.
        """
        self._change("UPDATE message SET data = NULL, peer = '' WHERE number = ?", [(number,) for number in numbers])

    def forget(self, numbers: Sequence[int]) -> None:
        """Delete the rows of messages whose data is gone; a resend of them is not recognised any longer.

        Raises
        ------
        SpoolFull
            The spool is not writable now.
        """
        self._change(
            "DELETE FROM message WHERE number = ? AND data IS NULL AND number < (SELECT max(number) FROM message)",
            [(number,) for number in numbers],
        )

    def shrink(self, pages: int) -> None:
        """Give free pages back to the file system, so many at most."""
        with self._lock:
            shrink(self._readable(), pages)

    def checkpoint(self) -> None:
        """Copy the log into the database; the engine does so about every second, so that no door has to."""
        with self._lock:
            checkpoint(self._readable())

    def lengthen_log(self) -> None:
        """Make room in the log for what is to come, before it comes; see `files.lengthen_log`."""
        with self._lock:
            lengthen_log(self._readable(), self.folder / f"{FILE}-wal")

    def writable(self) -> str:
        """Tell why nothing can be taken now, or nothing."""
        with self._lock:
            try:
                self._writable().execute("BEGIN IMMEDIATE").connection.execute("ROLLBACK")
            except SpoolFull as error:
                return error.reason
            except sqlite3.Error as error:
                return reason_of(error)
        return ""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        with self._lock:
            database = self._readable()
            try:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(statement, rows)
                database.execute("COMMIT")
            except sqlite3.Error as error:
                self._back_out(database, error)
                raise SpoolFull(reason_of(error)) from error

    def _readable(self) -> sqlite3.Connection:
        if self._database is None:
            if not (self.folder / FILE).exists():
                # a disk that is gone: what a new file took would be lost to the spool when the disk is back
                raise SpoolFull(f"{FILE} is gone")
            try:
                self._database = open_intake(self.folder)
            except SpoolFault as error:
                raise SpoolFull(str(error)) from error
        return self._database

    def _writable(self) -> sqlite3.Connection:
        now = clock.monotonic_ns()
        if now >= self._space_until:
            try:
                free = free_bytes(self.folder)
            except OSError as error:
                raise SpoolFull(f"the folder of the spool cannot be read ({error.strerror})") from error
            if free < self._free_bytes:
                raise SpoolFull(f"less than {self._free_bytes // 2**20} MB are free on the disk of the spool")
            self._space_until = now + _SPACE_NANOSECONDS
        return self._readable()

    def _back_out(self, database: sqlite3.Connection, error: sqlite3.Error) -> None:
        """Undo a transaction. After anything but a full disk or a lock the file is opened anew: its state is not known."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        try:
            if database.in_transaction:
                database.execute("ROLLBACK")
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                return
        except sqlite3.Error:
            pass
        database.close()
        self._database = None
