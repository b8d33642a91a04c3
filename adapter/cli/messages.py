"""The messages of files (or standard input) for the commands that look at messages one by one; `convert` streams instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake

USAGE, BROKEN = 2, 3


def raw_messages(files: Sequence[Path], limit: int) -> Iterator[RawMessage]:
    """Give every message of the files, in order.

    Parameters
    ----------
    files : sequence of Path
        Files; `.gz` is unpacked; `-`, or none at all, is standard input.
    limit : int
        Largest message in bytes.

    Yields
    ------
    RawMessage
        Without the further parts of a message that is too large.

    Raises
    ------
    typer.Exit
        With 2 for what is no file, before anything is read; with 3 for a file that cannot be read.
    """
    for path in files:
        if str(path) != "-" and not path.is_file():
            print(f"b2m-adapter: {path} is no file.", file=sys.stderr)
            raise typer.Exit(USAGE)
    for path in files or (Path("-"),):
        intake = Intake(limit=limit)
        for raw in intake.feed(_bytes(path)) + intake.finish():
            if not raw.continued:
                yield raw


def _bytes(path: Path) -> bytes:
    import zlib

    try:
        if str(path) == "-":
            return sys.stdin.buffer.read()
        if path.suffix == ".gz":
            import gzip

            return gzip.decompress(path.read_bytes())
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as failure:
        print(f"b2m-adapter: {path} could not be read: {failure}", file=sys.stderr)
        raise typer.Exit(BROKEN) from None
