"""What operators ask for: `b2m-adapter spool retry` and `drop`.

Requests stand in `intake.db`, because they come from outside as messages do, and the engine alone writes `work.db`. The engine
looks for them every second; while no service runs they wait for its next start. What a request changed and that it was handled
are recorded in one transaction of `work.db`, so that none is handled twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

from adapter.service.spool.files import SpoolFull, reason_of
from adapter.service.spool.intake import open_intake


class Request(NamedTuple):
    """One wish of an operator for one message.

    Parameters
    ----------
    number : int
        Of the request; given by the spool.
    asked : str
        When (`files.instant`).
    action : {"retry", "drop"}
        `retry`: convert and deliver again what was rejected or is dead. `drop`: never deliver it; it stays recorded as dropped.
    message : int
        Number of the message.
    destination : str
        One destination only; empty: all.
    reason : str
        Why, as the operator wrote it.
    forced : bool
        Deliver as it is, even where something newer was delivered since.
    """

    number: int
    asked: str
    action: Literal["retry", "drop"]
    message: int
    destination: str = ""
    reason: str = ""
    forced: bool = False


class RequestBox:
    """The requests of a spool.

    Parameters
    ----------
    folder : Path
        Folder of the spool.

    Raises
    ------
    SpoolFault
        The spool cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = Lock()
        self._database = open_intake(folder)

    def ask(self, requests: Sequence[Request]) -> None:
        """Keep requests, durable on return; their `number` is not read.

        Raises
        ------
        SpoolFull
            None of them was kept.
        """
        self._change(
            "INSERT INTO request (asked, action, message, destination, reason, forced) VALUES (?, ?, ?, ?, ?, ?)",
            [request[1:] for request in requests],
        )

    def after(self, number: int, limit: int = 256) -> list[Request]:
        """Give the requests behind a number, in order."""
        with self._lock:
            rows: list[tuple[Any, ...]] = self._database.execute(
                "SELECT number, asked, action, message, destination, reason, forced FROM request WHERE number > ?"
                " ORDER BY number LIMIT ?",
                (number, limit),
            ).fetchall()
        return [Request(*row)._replace(forced=bool(row[6])) for row in rows]

    def remove(self, up_to: int) -> None:
        """Delete requests that were handled.

        Raises
        ------
        SpoolFull
            The spool is not writable now.
        """
        self._change("DELETE FROM request WHERE number <= ?", [(up_to,)])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(statement, rows)
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise SpoolFull(reason_of(error)) from error
