"""`b2m-adapter generate`: test messages from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapter.replay.generate.report import Generated

FORMS = ("er7", "fhir", "mixed")

GENERATE_EPILOG = """
The patients do not exist, and no value is a fact: levels lie where the ranges of the tables and published cut-offs put them.
--faults takes a share of messages (0.1), names of faults (repeatable; every message that has a place for it gets one of them),
both, or as-counted: each fault as often as it was counted in public feeds. --list-faults prints them.

Example:  b2m-adapter generate --seed 7 --count 3 --form mixed

Exit status: 0 written; 2 usage; 3 output failed.
"""


def generate(
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 1,
    count: Annotated[int, typer.Option("--count", min=1, help="Number of messages.")] = 100,
    form: Annotated[str, typer.Option("--form", help="What to write: er7 (HL7 v2), fhir or mixed.")] = "er7",
    faults: Annotated[
        list[str] | None,
        typer.Option("--faults", help="Spoil messages: a share, a name (repeatable) or as-counted.", metavar="RATE|NAME"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write one file a message into this folder.", metavar="DIR")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Put the messages into one HL7 batch (FHS, BHS, BTS, FTS).")] = False,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Write what is known of each message to this file as NDJSON.", metavar="FILE"),
    ] = None,
    base_date: Annotated[
        str, typer.Option("--base-date", help="Day on which the messages begin.", metavar="YYYY-MM-DD")
    ] = "2026-01-05",
    patients: Annotated[int, typer.Option("--patients", min=1, max=100_000, help="Patients under care at a time.")] = 20,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Print the faults and stop.")] = False,
) -> None:
    """Write synthetic test messages: senders with habits of their own, patients with courses, corrections and resends."""
    from datetime import date
    from itertools import islice

    from adapter.replay.generate.faults import plan_of
    from adapter.replay.generate.habits import faults as fault_rows
    from adapter.replay.generate.stream import generate as messages_of

    if list_faults:
        for fault in fault_rows().values():
            typer.echo(f"{fault.name:24} {fault.form:5} {fault.counted}/{fault.messages:<5} {fault.issue}".rstrip())
        return
    try:
        if form not in FORMS:
            raise ValueError(f"--form {form!r} is none of {', '.join(FORMS)}")
        if batch and (form != "er7" or out is not None):
            raise ValueError("--batch goes with --form er7 and standard output")
        plan = plan_of(faults or [])
        base = date.fromisoformat(base_date)
    except ValueError as error:
        typer.echo(f"b2m-adapter: {error}", err=True)
        raise typer.Exit(2) from None
    messages = islice(messages_of(seed, form=form, base=base, patients=patients, faults=plan), count)
    try:
        if labels is not None:
            with labels.open("wb") as file:
                _write(_labelled(messages, file), out, batch)
        else:
            _write(messages, out, batch)
    except BrokenPipeError:
        _close_quietly()
    except OSError as error:
        typer.echo(f"b2m-adapter: output failed: {error}", err=True)
        raise typer.Exit(3) from None


generate.__doc__ = f"{generate.__doc__}\n{GENERATE_EPILOG}"


def _labelled(messages: Iterable[Generated], file: BinaryIO) -> Iterator[Generated]:
    from adapter.fhir.json import dumps

    for message in messages:
        file.write(dumps(message.label) + b"\n")
        yield message


def _write(messages: Iterable[Generated], out: Path | None, batch: bool) -> None:
    from adapter.replay.generate.writing import file_name, in_batch, in_stream

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for message in messages:
            (out / file_name(message)).write_bytes(message.data)
        return
    import sys

    for data in in_batch(messages) if batch else in_stream(messages):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _close_quietly() -> None:
    """A reader that has seen enough is no failure; Python must not flush into the closed pipe at exit."""
    import os
    import sys

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
