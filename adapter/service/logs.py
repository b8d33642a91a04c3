"""Structured logs: one JSON object a line on standard error, without patient data.

An event is a fixed word and named facts (`log("connection-refused", door="mllp", peer="10.0.0.7")`). Nothing that a sender wrote
goes in but what is named here: sender application and facility, and the number of the message in the spool.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

Level = Literal["debug", "info", "warning", "error"]
_LOGGER = logging.getLogger("b2m_adapter")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _JsonLines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "event": record.getMessage() if record.name == _LOGGER.name else record.name,
            **getattr(record, "facts", {}),
        }
        if record.name != _LOGGER.name:
            # a library's own words: they may quote what came in, so only their place is kept
            row["place"] = f"{record.module}:{record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            # type and place; the text of an exception may hold patient data
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
            row["fault"] = f"{type(record.exc_info[1]).__name__} in {place}"
        return orjson.dumps(row, default=str).decode()


def start_logs(process: str, level: Level = "info") -> None:
    """Send the logs of this process to standard error.

    Parameters
    ----------
    process : str
        Name of the process: `supervisor`, `engine`, `http`.
    level : {"debug", "info", "warning", "error"}
        Lowest level that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(_LEVELS[level])


def log(event: str, level: Level = "info", **facts: object) -> None:
    """Write an event.

    Parameters
    ----------
    event : str
        Fixed word: `started`, `message-rejected`.
    level : {"debug", "info", "warning", "error"}
        How bad it is.
    **facts : object
        What is particular to it, without patient data.
    """
    _LOGGER.log(_LEVELS[level], event, extra={"facts": facts})


def log_fault(event: str, **facts: object) -> None:
    """Write an event with the exception that is being handled, by type and place."""
    _LOGGER.error(event, exc_info=True, extra={"facts": facts})
