"""Opening the SQLite files of the spool, and what is common to them.

A transaction is on the disk when its commit returns: WAL mode with `synchronous=FULL` syncs the log at each commit. The engine
copies the log into the database (checkpoint), so that a door has to do it only where no engine runs and the log grows beyond
`LOG_PAGES`. Pages of 4 kB and incremental vacuum are measured choices: larger pages make the log grow, and the bookkeeping of
the vacuum costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

#: How long a writer waits for another one, in seconds. Longer would stop the loop of a door.
BUSY_SECONDS = 2
#: Size of the log, in pages of 4 kB, at which a door copies it into the database itself.
LOG_PAGES = 16_384
#: Length of the log, in bytes, from which `checkpoint` starts it again from its beginning. The file keeps its size.
LOG_BYTES = 8 * 2**20
#: How long `lengthen_log` makes the log, in bytes: about what a busy second writes.
LOG_READY_BYTES = 32 * 2**20

_RESTART_MILLISECONDS = 20

_PRAGMAS = (
    "PRAGMA page_size = 4096",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = FAST",
    f"PRAGMA wal_autocheckpoint = {LOG_PAGES}",
    f"PRAGMA journal_size_limit = {LOG_PAGES * 4096}",
)
#: SQLite's names for the faults that pass when somebody frees space, mends the disk, or another writer is done.
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk or the database is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_READONLY: "the spool is not writable",
    sqlite3.SQLITE_CANTOPEN: "the spool cannot be opened",
    sqlite3.SQLITE_BUSY: "another process holds the spool",
    sqlite3.SQLITE_LOCKED: "another process holds the spool",
    sqlite3.SQLITE_CORRUPT: "the spool file is damaged",
    sqlite3.SQLITE_NOTADB: "the spool file is no SQLite database",
}


class SpoolFault(Exception):  # noqa: N818 - as the issues say it
    """The spool cannot be opened or does not fit together; `str()` says what is wrong and what to do."""


class SpoolFull(Exception):  # noqa: N818
    """The spool takes nothing now: no space, a fault of the disk, or another writer for too long. Nothing of the call was kept.

    Parameters
    ----------
    reason : str
        What is the matter, without patient data.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def instant(moment: datetime | None = None) -> str:
    """Write a moment as the spool writes all of them: UTC, milliseconds, sortable as text.

    Parameters
    ----------
    moment : datetime, optional
        With time zone; default: now.

    Returns
    -------
    str
        For example `2026-05-04T03:02:01.000Z`.
    """
    moment = moment.astimezone(UTC) if moment is not None else datetime.now(UTC)
    # strftime takes ten times as long
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def make_folder(folder: Path) -> None:
    """Make the folder of the spool, readable by its owner only, and durable itself.

    Raises
    ------
    SpoolFault
        It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SpoolFault(f"{folder}: the folder of the spool cannot be made ({error.strerror})") from error
    with contextlib.suppress(OSError):
        # where the folder above cannot be read it was made by somebody else, long before
        above = os.open(folder.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def open_database(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open one of the files for writing, and make it if it is not there.

    Transactions are begun and ended by the caller (`BEGIN IMMEDIATE`, `COMMIT`).

    Parameters
    ----------
    path : Path
        The file.
    schema : str
        Statements that make what is not there yet.
    version : int
        Of the schema.

    Returns
    -------
    sqlite3.Connection
        Usable from any thread, by one at a time.

    Raises
    ------
    SpoolFault
        It cannot be opened, is no database, or is of a newer version of this program.
    """
    make_folder(path.parent)
    try:
        _make_file(path)
        database = sqlite3.connect(path, timeout=BUSY_SECONDS * 5, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise SpoolFault(f"{path}: cannot be opened ({error})") from error
    try:
        for pragma in _PRAGMAS:
            database.execute(pragma).fetchall()
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise SpoolFault(f"{path}: written by a newer version of this program (schema {found}, known up to {version})")
        if found < version:
            database.executescript(f"BEGIN IMMEDIATE;\n{schema}\nPRAGMA user_version = {version};\nCOMMIT;")
        database.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    except sqlite3.Error as error:
        database.close()
        raise SpoolFault(f"{path}: {reason_of(error)}") from error
    except SpoolFault:
        database.close()
        raise
    return database


def _make_file(path: Path) -> None:
    """Make the file, readable by its owner only, unless it is there.

    One that is there is not touched: a process that closes any handle of a file loses all its POSIX locks on it, also those of
    its other connections. Another process would take itself for the last one then, and delete the log that is still written to
    (SQLite, How To Corrupt, section 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def reason_of(error: sqlite3.Error) -> str:
    """Say what a fault of SQLite means, without patient data."""
    code = getattr(error, "sqlite_errorcode", None)
    # the lower byte is the primary result code; the rest says where it happened
    return str(error) if code is None else _REASONS.get(code & 0xFF, str(error))


def free_bytes(folder: Path) -> int:
    """Give the space that is free on the disk of a folder, in bytes."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def used_bytes(database: sqlite3.Connection) -> int:
    """Give the size of a database without its free pages, in bytes."""
    pages, free = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    return int(pages - free) * 4096


def shrink(database: sqlite3.Connection, pages: int) -> None:
    """Give free pages of a database back to the file system, so many at most.

    Raises
    ------
    SpoolFull
        Not now.
    """
    try:
        # `execute` would take one step only, which is one page
        database.executescript(f"PRAGMA incremental_vacuum({pages})")
    except sqlite3.Error as error:
        raise SpoolFull(reason_of(error)) from error


def lengthen_log(database: sqlite3.Connection, log: Path) -> None:
    """Make the log as long as it will become: a commit that only overwrites waits half as long for the disk.

    A file that grows has its size and its blocks written at each sync, too. What does not fit into the cache of a transaction
    goes into the log, and stays there without meaning when the transaction is undone: the next commit writes over it.

    Parameters
    ----------
    database : sqlite3.Connection
        A connection outside a transaction.
    log : Path
        Its `-wal` file.

    Raises
    ------
    SpoolFull
        Not now; nothing depends on it.
    """
    try:
        (cache,) = database.execute("PRAGMA cache_size").fetchone()
        missing = LOG_READY_BYTES - (log.stat().st_size if log.exists() else 0)
        if missing <= 0:
            return
        database.execute("PRAGMA cache_size = 10")
        try:
            database.execute("BEGIN IMMEDIATE")
            database.execute("CREATE TABLE room (data)")
            database.execute("INSERT INTO room VALUES (zeroblob(?))", (LOG_READY_BYTES,))
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
            database.execute(f"PRAGMA cache_size = {cache}")
    except sqlite3.Error as error:
        raise SpoolFull(reason_of(error)) from error


def checkpoint(database: sqlite3.Connection) -> None:
    """Copy the log into the database without holding up its writers, and start the log again if it is long.

    Parameters
    ----------
    database : sqlite3.Connection
        A connection outside a transaction.

    Raises
    ------
    SpoolFull
        Not now.
    """
    try:
        (_, pages, _) = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages * 4096 >= LOG_BYTES:
            # This one holds the writers: nearly everything has been copied by now, and it does not wait for long readers.
            database.execute(f"PRAGMA busy_timeout = {_RESTART_MILLISECONDS}")
            try:
                database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            finally:
                database.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    except sqlite3.Error as error:
        raise SpoolFull(reason_of(error)) from error
