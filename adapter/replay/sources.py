"""The messages of a folder: every file that may hold messages, taken apart as the filter does."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapter.config import MESSAGE_LIMIT
from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake
from adapter.issues import Issue

SUFFIXES = (".hl7", ".er7", ".txt", ".json", ".ndjson")
"""Files that are read, each with `.gz` behind it, too."""

#: Stands in the names of accepted outputs, which are no messages.
EXPECTED = ".expected."
_OWN_FILES = "replay."


@dataclass(frozen=True, slots=True)
class Source:
    """One message of the folder: its file, its number in it from 1, and its bytes."""

    file: str
    number: int
    raw: RawMessage

    def __str__(self) -> str:
        return f"{self.file} message {self.number}"


def message_files(folder: Path) -> list[Path]:
    """Find the files that hold messages.

    Parameters
    ----------
    folder : Path
        Searched with its sub-folders; a file stands for itself.

    Returns
    -------
    list of Path
        Files with a suffix of `SUFFIXES` that are no accepted output, by path.
    """
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if _holds_messages(path) and path.is_file())


def _holds_messages(path: Path) -> bool:
    name = path.name
    if EXPECTED in name or name.startswith((_OWN_FILES, ".")):
        return False
    return name.removesuffix(".gz").endswith(SUFFIXES)


def read_file(path: Path) -> bytes:
    """Read a file, unpacked where it is packed; raises OSError or EOFError."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def messages_in(path: Path, limit: int = MESSAGE_LIMIT) -> tuple[list[RawMessage], list[Issue]]:
    """Take a file apart.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Largest message, in bytes.

    Returns
    -------
    list of RawMessage
        Messages, without the further parts of one that is too large.
    list of Issue
        What was noticed about the stream itself, such as a wrong count of a batch.

    Raises
    ------
    OSError, EOFError
        The file cannot be read or unpacked.
    """
    intake = Intake(limit)
    messages = intake.feed(read_file(path)) + intake.finish()
    return [raw for raw in messages if not raw.continued], list(intake.issues)


def messages_of(folder: Path) -> Iterator[Source]:
    """Read every message of a folder, in the order of the paths.

    Parameters
    ----------
    folder : Path
        Searched with its sub-folders.

    Yields
    ------
    Source
        Messages.
    """
    for path in message_files(folder):
        for number, raw in enumerate(messages_in(path)[0], 1):
            yield Source(str(path.relative_to(folder)) if path != folder else path.name, number, raw)
