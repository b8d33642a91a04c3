"""`b2m-adapter spool`: what the service has received, what became of it, and the way back for what was not delivered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, cast

import typer

if TYPE_CHECKING:
    from adapter.service.spool.overview import Overview, Selection, State

MISSING, USAGE = 1, 2
app = typer.Typer(
    help="Look into the spool of the service, try dead letters again, give them up, take them out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Spool = Annotated[Path | None, typer.Option("--spool", help="Folder of the spool.", metavar="DIR")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings of the service, which name the folder.", metavar="FILE")]
Destination = Annotated[str, typer.Option("--destination", help="Only as far as this destination goes.", metavar="NAME")]
Sender = Annotated[str, typer.Option("--sender", help="Only of this sender: MSH-3, or MSH-3|MSH-4.", metavar="NAME")]
Since = Annotated[
    str,
    typer.Option("--since", help="Received since: 2026-05-04, 2026-05-04T03:00Z, or so long ago: 90m, 24h, 7d.", metavar="WHEN"),
]
States = Annotated[
    list[str] | None,
    typer.Option("--state", help="received, waiting, dead, rejected, delivered, dropped, unselected, converted (repeatable)."),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a line.")]


@app.command(name="list", epilog="Example:  b2m-adapter spool list --spool spool --state dead --state rejected")
def list_messages(
    spool: Spool = None,
    config: Config = None,
    state: States = None,
    destination: Destination = "",
    sender: Sender = "",
    since: Since = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="The newest so many; 0: all.")] = 1000,
    as_json: Json = False,
) -> None:
    """List messages: number, time, state, sender, reason. No patient data.

    Exit status 0, also when there is none; 2: there is no spool, or it cannot be read.
    """
    import json

    selection = _selection(state, destination, sender, since)
    overview = _overview(spool, config)
    for entry in overview.entries(selection, limit=limit):
        if as_json:
            print(json.dumps(entry._asdict(), ensure_ascii=False))
        else:
            print(
                f"{entry.number:>8}  {entry.received}  {entry.state:<10}  {_visible(entry.sender):<24}  {_visible(entry.reason)}"
            )


@app.command(epilog="Example:  b2m-adapter spool show --spool spool 17")
def show(
    number: Annotated[int, typer.Argument(help="Number of the message.")],
    spool: Spool = None,
    config: Config = None,
    source: Annotated[bool, typer.Option("--source", help="Print the message as it came: patient data.")] = False,
    output: Annotated[bool, typer.Option("--output", help="Print the converted output, if it is kept: patient data.")] = False,
    as_json: Json = False,
) -> None:
    """Show what became of one message: state, issues, each destination. No patient data but with --source or --output.

    Exit status 0; 1: there is no such message, or what was asked for is not kept any longer; 2: there is no spool.
    """
    import json

    overview = _overview(spool, config)
    entry = overview.entry(number)
    if entry is None:
        _end(MISSING, f"the spool has no message {number}.")
    finished = overview.finished(number)
    if source or output:
        data = overview.source(number) if source else (finished.output if finished else None)
        if not data:
            _end(MISSING, f"the {'message' if source else 'output'} of {number} is not kept.")
        sys.stdout.buffer.write(data)
        return
    row: dict[str, object] = entry._asdict()
    if finished is not None:
        row |= {
            "recorded": finished.converted_at,
            "tables": finished.tables,
            "issues": json.loads(finished.issues),
            "deliveries": [delivery._asdict() for delivery in finished.deliveries],
            "output_kept": finished.output is not None,
        }
    row["source_kept"] = bool(overview.source(number))
    print(json.dumps(row, ensure_ascii=False, indent=None if as_json else 2))


@app.command(epilog="Example:  b2m-adapter spool retry --spool spool --dead --reason http-422")
def retry(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of messages.", metavar="[N]...")] = None,
    spool: Spool = None,
    config: Config = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that are dead or rejected.")] = False,
    destination: Destination = "",
    reason: Annotated[str, typer.Option("--reason", help="Of those only what has this text in its reason.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Deliver as it is, even where a newer version of the result was delivered since.")
    ] = False,
) -> None:
    """Ask the service to convert and deliver dead letters again; while none runs, the request waits for its start.

    Exit status 0: all were asked for; 1: at least one is neither dead nor rejected, the others were; 2: usage, or no spool.
    """
    from adapter.service.spool.overview import DEAD_LETTERS, Selection

    if bool(numbers) == dead:
        _end(USAGE, "give numbers, or --dead.")
    overview = _overview(spool, config)
    if dead:
        chosen = [entry.number for entry in overview.entries(Selection(DEAD_LETTERS, destination, reason=reason))]
        missing: list[int] = []
    else:
        chosen, missing = _sort_out(overview, numbers or (), destination, ("dead", "rejected"))
    _ask(_folder(spool, config), "retry", chosen, destination, reason="", forced=force)
    _report("retry", chosen, missing, "neither dead nor rejected")


@app.command(epilog="Example:  b2m-adapter spool drop --spool spool 17 --reason 'test message of the vendor'")
def drop(
    numbers: Annotated[list[int], typer.Argument(help="Numbers of messages.", metavar="N...")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded. No patient data.")],
    spool: Spool = None,
    config: Config = None,
    destination: Destination = "",
) -> None:
    """Give messages up: they are not delivered (any further) and stay recorded as dropped, with the reason.

    Exit status 0: all were asked for; 1: at least one is finished or unknown, the others were; 2: usage, or no spool.
    """
    if not reason.strip():
        _end(USAGE, "--reason: say why.")
    overview = _overview(spool, config)
    chosen, missing = _sort_out(overview, numbers, destination, ("received", "waiting", "dead", "rejected"))
    _ask(_folder(spool, config), "drop", chosen, destination, reason=reason.strip(), forced=False)
    _report("drop", chosen, missing, "finished or unknown")


@app.command(epilog="Example:  b2m-adapter spool export --spool spool --to dead-letters")
def export(
    to: Annotated[Path, typer.Option("--to", help="Folder; the files are readable by their owner only.", metavar="DIR")],
    spool: Spool = None,
    config: Config = None,
    state: States = None,
    destination: Destination = "",
    sender: Sender = "",
    since: Since = "",
) -> None:
    """Write messages as they came into a folder, each with its reason beside: patient data. Default: dead and rejected ones.

    Exit status 0; 1: at least one message is not kept any longer; 2: usage, no spool, or the folder cannot be written.
    """
    from adapter.service.spool.export import export as write

    selection = _selection(state or ["dead", "rejected"], destination, sender, since)
    overview = _overview(spool, config)
    try:
        written, gone = write(overview, selection, to)
    except OSError as error:
        _end(USAGE, f"{to}: cannot be written ({error.strerror}).")
    print(f"{written} messages written to {to}")
    if gone:
        _end(MISSING, f"not kept any longer: {', '.join(map(str, gone))}.")


def _selection(state: Sequence[str] | None, destination: str, sender: str, since: str) -> Selection:
    from adapter.service.spool.overview import STATES, Selection

    unknown = [name for name in state or () if name not in STATES]
    if unknown:
        _end(USAGE, f"--state: {unknown[0]} is none of {', '.join(STATES)}.")
    return Selection(cast("list[State]", list(state or ())), destination, sender, _moment(since))


def _moment(text: str) -> str:
    """Read `--since`."""
    import re
    from datetime import UTC, datetime, timedelta

    from adapter.service.spool.files import instant

    if not text:
        return ""
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if ago:
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        return instant(datetime.now(UTC) - timedelta(**{unit: int(ago[1])}))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _end(USAGE, f"--since: {text} is no date, no time and no duration such as 24h.")
    return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _folder(spool: Path | None, config: Path | None) -> Path:
    if spool is not None:
        return spool
    from adapter.cli.config import settings_or_exit

    return settings_or_exit(config).spool.folder


def _overview(spool: Path | None, config: Path | None) -> Overview:
    from adapter.service.spool.files import SpoolFault
    from adapter.service.spool.overview import Overview

    if spool is None and config is None:
        _end(USAGE, "give --spool DIR or --config FILE.")
    try:
        return Overview(_folder(spool, config))
    except SpoolFault as fault:
        _end(USAGE, f"{fault}.")


def _sort_out(
    overview: Overview, numbers: Iterable[int], destination: str, states: tuple[State, ...]
) -> tuple[list[int], list[int]]:
    """Tell the messages that are in one of some states from the others."""
    from adapter.service.spool.overview import Selection

    asked = sorted(set(numbers))
    fitting = {entry.number for entry in overview.entries(Selection(states, destination, numbers=asked))}
    return [number for number in asked if number in fitting], [number for number in asked if number not in fitting]


def _ask(folder: Path, action: Literal["retry", "drop"], numbers: list[int], destination: str, reason: str, forced: bool) -> None:
    from adapter.service.spool.files import SpoolFault, SpoolFull, instant
    from adapter.service.spool.requests import Request, RequestBox

    now = instant()
    try:
        box = RequestBox(folder)
        box.ask([Request(0, now, action, number, destination, reason, forced) for number in numbers])
        box.close()
    except (SpoolFault, SpoolFull) as fault:
        _end(USAGE, f"{fault}: nothing was asked for.")


def _report(action: str, chosen: list[int], missing: list[int], why: str) -> None:
    print(f"{action}: asked for {len(chosen)} messages")
    if missing:
        _end(MISSING, f"{why}: {', '.join(map(str, missing))}.")


def _visible(text: str) -> str:
    """Keep what a sender wrote from steering the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _end(status: int, text: str) -> NoReturn:
    typer.echo(f"b2m-adapter: {text}", err=True)
    raise typer.Exit(status)
