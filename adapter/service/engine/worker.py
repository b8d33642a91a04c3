"""What runs in a converter process: chunks of messages in, what became of them out, over one socket.

Each direction is a stream of pickles with their length in front. The first thing that comes is the settings of the conversion
and the tables, which the engine has checked; whenever a pair comes again it is taken into use for the chunks behind it. The end
of the stream ends the process. No clock decides anything here; the engine watches how long a chunk takes.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from adapter.collector import settle
from adapter.hl7v2.framing import RawMessage
from adapter.issues import CATALOGUE
from adapter.pipeline import Fate, Pipeline
from adapter.service.engine.gate import NO_CONTENTS, Contents, contents_of, contents_of_resource
from adapter.service.spool.records import Version

HEAD = struct.Struct("<Q")
_NICER = 5
#: Issues of one message that are kept; the last one says why it was rejected.
_ISSUES = 500


class Task(NamedTuple):
    """A message to convert: its number, its format and its bytes."""

    number: int
    format: Literal["er7", "json"]
    data: bytes


class Converted(NamedTuple):
    """What the conversion made of a message.

    Parameters
    ----------
    number : int
        Number of the message in the spool.
    fate : {"converted", "rejected", "unselected"}
        As in `pipeline.Outcome`.
    slug : str
        Issue that rejected it.
    issues : bytes
        JSON array of objects with slug, place and detail, without patient data: errors and warnings, and all where nothing
        was converted.
    slugs : tuple of str
        Slugs of all issues.
    line : bytes
        Output without line end; several lines for NDJSON; empty when there is none.
    contents : Contents
        What the output updates and shares.
    tables : str
        Version of the tables.
    """

    number: int
    fate: Fate
    slug: str
    issues: bytes
    slugs: tuple[str, ...]
    line: bytes
    contents: Contents
    tables: str


def convert_one(pipeline: Pipeline, task: Task) -> Converted:
    """Convert one message.

    Parameters
    ----------
    pipeline : Pipeline
        The way through.
    task : Task
        The message.

    Returns
    -------
    Converted
        Never raises for what the message holds.
    """
    number, form, data = task
    written: list[dict[str, Any]] = []
    outcome = pipeline(RawMessage(form, data, 0), written)
    fate, found = outcome.fate, outcome.issues
    slugs = tuple([issue.slug for issue in found])
    told = [issue for issue in found if fate != "converted" or CATALOGUE[issue.slug].severity != "information"]
    kept = [{"slug": issue.slug, "place": issue.place, "detail": issue.detail} for issue in told[-_ISSUES:]]
    issues = orjson.dumps(kept)
    slug = slugs[-1] if fate == "rejected" and slugs else ""
    line, contents = b"", NO_CONTENTS
    if fate == "converted":
        line = outcome.lines[0] if len(outcome.lines) == 1 else b"\n".join(outcome.lines)
        # reading the line again would take a fifth of the time of the conversion
        contents = contents_of_resource(written[0], data, number) if len(written) == 1 else contents_of(line, data, number)
    return Converted(number, fate, slug, issues, slugs, line, contents, pipeline.tables.version)


def rejected(number: int, tables: str, detail: str) -> Converted:
    """Reject a message on which the program failed."""
    issues = orjson.dumps([{"slug": "internal-error", "place": "", "detail": detail}])
    return Converted(number, "rejected", "internal-error", issues, ("internal-error",), b"", NO_CONTENTS, tables)


def packed(value: Any) -> bytes:
    """A value as it goes over the socket."""
    text = pickle.dumps(value, 5)
    return HEAD.pack(len(text)) + text


def to_wire(converted: Converted) -> tuple[Any, ...]:
    """Plain tuples: a class in a pickle costs more than its content."""
    number, fate, slug, issues, slugs, line, (transaction, versions, shared, order), tables = converted
    return number, fate, slug, issues, slugs, line, transaction, [version[:4] for version in versions], shared, order, tables


def from_wire(row: tuple[Any, ...]) -> Converted:
    """The other end of `to_wire`."""
    number, fate, slug, issues, slugs, line, transaction, versions, shared, order, tables = row
    contents = Contents(
        transaction, tuple([Version(one, rank, issued, time, number) for one, rank, issued, time in versions]), shared, order
    )
    return Converted(number, fate, slug, issues, slugs, line, contents, tables)


def serve(connection: socket.socket, convert: Callable[[Pipeline, Task], Converted] = convert_one) -> None:
    """Convert what comes until the stream ends.

    Parameters
    ----------
    connection : socket.socket
        To the engine.
    convert : callable
        Converts one message.
    """
    pipeline: Pipeline | None = None
    with connection, connection.makefile("rb") as stream:
        while True:
            head = stream.read(HEAD.size)
            if len(head) < HEAD.size:
                return
            text = stream.read(HEAD.unpack(head)[0])
            kind, number, *rest = pickle.loads(text)
            if kind == "tables":
                pipeline = Pipeline(*rest)
                settle(again=True)
                connection.sendall(packed((number, [])))
            else:
                assert pipeline is not None
                tasks: Sequence[tuple[int, Literal["er7", "json"], bytes]] = rest[0]
                connection.sendall(packed((number, [to_wire(convert(pipeline, Task(*task))) for task in tasks])))


def main() -> None:
    """Run a converter on the socket whose number is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # the engine closes the stream when it is time to go
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICER)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        try:
            serve(connection)
        except (ConnectionError, BrokenPipeError):
            # the engine is gone
            sys.exit(0)


if __name__ == "__main__":
    main()
