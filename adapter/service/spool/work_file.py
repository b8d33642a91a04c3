"""The file `work.db`: its tables, transactions on it, and whether it fits the `intake.db` beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from adapter.service.spool.files import (
    SpoolFault,
    SpoolFull,
    checkpoint,
    instant,
    lengthen_log,
    open_database,
    reason_of,
    shrink,
    used_bytes,
)
from adapter.service.spool.intake import open_intake

FILE = "work.db"
VERSION = 1

# message.kept: the data is still in intake.db. output.data: zlib.
SCHEMA = """
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destination (name TEXT PRIMARY KEY, first_number INTEGER NOT NULL, seen TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, slug TEXT NOT NULL, issues BLOB NOT NULL, tables TEXT NOT NULL,
    converted_at TEXT NOT NULL, kept INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS message_kept ON message (number) WHERE kept = 1;
CREATE INDEX IF NOT EXISTS message_rejected ON message (number) WHERE state = 'rejected';
CREATE TABLE IF NOT EXISTS output (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER NOT NULL, destination TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    next_attempt TEXT NOT NULL, reason TEXT NOT NULL, delivered_at TEXT NOT NULL, patient TEXT NOT NULL,
    PRIMARY KEY (number, destination)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (destination, number) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_of_patient ON delivery (destination, patient, number) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_dead ON delivery (destination, number) WHERE state = 'dead';
CREATE TABLE IF NOT EXISTS result (
    identity TEXT PRIMARY KEY, rank INTEGER NOT NULL, issued TEXT NOT NULL, message_time TEXT NOT NULL, number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS result_number ON result (number);
"""


class WorkFile:
    """The open file. Written by one process; usable from several of its threads.

    Parameters
    ----------
    folder : Path
        Folder of the spool; `intake.db` is made, too, if it is not there.

    Raises
    ------
    SpoolFault
        The spool cannot be opened, or the two files are not of one spool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._database: sqlite3.Connection | None = open_database(folder / FILE, SCHEMA, VERSION)
        try:
            self._check_pair()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all that is done within, or nothing of it.

        Raises
        ------
        SpoolFull
            Nothing of it was done.
        """
        with self._lock:
            database = self._opened()
            try:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            except BaseException as error:
                self._back_out(database, error)
                if isinstance(error, sqlite3.Error):
                    raise SpoolFull(reason_of(error)) from error
                raise

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Give what a statement selects."""
        with self._lock:
            return self._opened().execute(statement, values).fetchall()

    def each(self, statement: str, values: Sequence[object] = ()) -> Generator[tuple[Any, ...], None, None]:
        """Give what a statement selects, row by row, as long as the caller asks; nobody else uses the file meanwhile."""
        with self._lock:
            rows = self._opened().execute(statement, values)
            try:
                yield from rows
            finally:
                rows.close()

    def noted(self, name: str) -> str:
        """Give a value of the table `progress`; empty when it is not there."""
        rows = self.rows("SELECT value FROM progress WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def size(self) -> int:
        """Give the size of the file without its free pages, in bytes."""
        with self._lock:
            return used_bytes(self._opened())

    def shrink(self, pages: int) -> None:
        """Give free pages back to the file system, so many at most."""
        with self._lock:
            shrink(self._opened(), pages)

    def checkpoint(self) -> None:
        """Copy the log into the database."""
        with self._lock:
            checkpoint(self._opened())

    def lengthen_log(self) -> None:
        """Make room in the log for what is to come, before it comes; see `files.lengthen_log`."""
        with self._lock:
            lengthen_log(self._opened(), self.folder / f"{FILE}-wal")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _opened(self) -> sqlite3.Connection:
        """Give the open file; one that was closed after a fault is opened anew, but never made anew."""
        if self._database is None:
            if not (self.folder / FILE).exists():
                raise SpoolFull(f"{FILE} is gone")
            try:
                self._database = open_database(self.folder / FILE, SCHEMA, VERSION)
            except SpoolFault as error:
                raise SpoolFull(str(error)) from error
        return self._database

    def _back_out(self, database: sqlite3.Connection, error: BaseException) -> None:
        """Undo a transaction. After a fault of the disk the file is opened anew: its state is not known."""
        try:
            if database.in_transaction:
                database.execute("ROLLBACK")
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_FULL) & 0xFF
            if not isinstance(error, sqlite3.Error) or code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                return
        except sqlite3.Error:
            pass
        database.close()
        self._database = None

    def _check_pair(self) -> None:
        """Refuse a `work.db` of another `intake.db`, or of a younger state of it: numbers would mean other messages."""
        intake = open_intake(self.folder)
        try:
            (identity,) = intake.execute("SELECT identity FROM spool").fetchone()
            (newest,) = intake.execute("SELECT ifnull(max(number), 0) FROM message").fetchone()
            ours = self.noted("spool")
            if not ours:
                with self.transaction() as database:
                    database.execute("INSERT INTO progress (name, value) VALUES ('spool', ?)", (identity,))
            elif ours != identity or int(self.rows("SELECT ifnull(max(number), 0) FROM message")[0][0]) > newest:
                raise SpoolFault(
                    f"{self.folder}: work.db knows messages that intake.db does not have. Restore both files from one backup; or"
                    " move work.db away: then all that intake.db holds is converted and delivered again."
                )
            self._pass_over(intake)
        finally:
            intake.close()

    def _pass_over(self, intake: sqlite3.Connection) -> None:
        """Count messages whose data is gone as done."""
        cursor = int(self.noted("cursor") or 0)
        jump, numbers = _gone(intake, cursor)
        if jump == cursor and not numbers:
            return
        now = instant()
        with self.transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO message (number, state, slug, issues, tables, converted_at, kept)"
                " VALUES (?, 'converted', '', X'5B5D', '', ?, 0)",
                [(number, now) for number in numbers],
            )
            database.execute(
                "INSERT INTO progress (name, value) VALUES ('cursor', ?)"
                " ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                (jump,),
            )


def _gone(intake: sqlite3.Connection, cursor: int) -> tuple[int, list[int]]:
    """Find messages behind the cursor whose data is gone: nothing would be recorded of them, and the cursor stay before them.

    They are there when `work.db` is new or from a backup, beside an `intake.db` from which retention has taken.

    Returns
    -------
    tuple
        How far the cursor may go at once; numbers that have to be recorded.
    """
    numbers: list[int] = []
    last = jump = cursor
    for number, gone in intake.execute("SELECT number, data IS NULL FROM message WHERE number > ? ORDER BY number", (cursor,)):
        if jump < last:
            numbers += range(last + 1, number)
        elif not gone:
            jump = number - 1
        if gone:
            numbers.append(number)
            jump = number if jump == last else jump
        last = number
    return jump, numbers
