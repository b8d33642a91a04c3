"""Messages of a spool as files: the bytes as they came, and beside them why they are there."""

from __future__ import annotations

import json
import os
from pathlib import Path

from adapter.service.spool.overview import Overview, Selection

_SUFFIXES = {"er7": ".hl7", "json": ".json"}


def export(overview: Overview, selection: Selection, folder: Path) -> tuple[int, list[int]]:
    """Write messages into a folder; a repetition overwrites its own files.

    Parameters
    ----------
    overview : Overview
        The spool.
    selection : Selection
        Which messages.
    folder : Path
        Made with mode 0700 if it is not there; the files have 0600: they are patient data.

    Returns
    -------
    written : int
        How many messages.
    gone : list of int
        Numbers of those that are not there any longer.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written, gone = 0, []
    for entry in overview.entries(selection):
        source = overview.source(entry.number)
        if not source:
            gone.append(entry.number)
            continue
        name = f"{entry.number:08d}-{entry.digest}"
        write_private(folder / (name + _SUFFIXES[entry.format]), source)
        write_private(folder / (name + ".reason.json"), json.dumps(entry._asdict(), ensure_ascii=False).encode() + b"\n")
        written += 1
    return written, gone


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
