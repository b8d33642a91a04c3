"""The file `work.db`: its tables, transactions on it, and whether it fits the `intake.db` beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from adapter.service.spool.files import SpoolFault, SpoolFull, checkpoint, open_database, reason_of, shrink, used_bytes
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
        self._database = open_database(folder / FILE, SCHEMA, VERSION)
        try:
            self._check_pair()
        except BaseException:
            self._database.close()
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
            database = self._database
            try:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            except BaseException as error:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise SpoolFull(reason_of(error)) from error
                raise

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Give what a statement selects."""
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def each(self, statement: str, values: Sequence[object] = ()) -> Generator[tuple[Any, ...], None, None]:
        """Give what a statement selects, row by row, as long as the caller asks; nobody else uses the file meanwhile."""
        with self._lock:
            rows = self._database.execute(statement, values)
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
            return used_bytes(self._database)

    def shrink(self, pages: int) -> None:
        """Give free pages back to the file system, so many at most."""
        with self._lock:
            shrink(self._database, pages)

    def checkpoint(self) -> None:
        """Copy the log into the database."""
        with self._lock:
            checkpoint(self._database, self.folder / f"{FILE}-wal")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _check_pair(self) -> None:
        """Refuse a `work.db` of another `intake.db`, or of a younger state of it: numbers would mean other messages."""
        intake = open_intake(self.folder)
        try:
            (identity,) = intake.execute("SELECT identity FROM spool").fetchone()
            (newest,) = intake.execute("SELECT ifnull(max(number), 0) FROM message").fetchone()
        finally:
            intake.close()
        ours = self.noted("spool")
        if not ours:
            with self.transaction() as database:
                database.execute("INSERT INTO progress (name, value) VALUES ('spool', ?)", (identity,))
        elif ours != identity or int(self.rows("SELECT ifnull(max(number), 0) FROM message")[0][0]) > newest:
            raise SpoolFault(
                f"{self.folder}: work.db knows messages that intake.db does not have. Restore both files from one backup; or move"
                " work.db away: then all that intake.db holds is converted and delivered again."
            )
