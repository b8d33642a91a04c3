"""`b2m-adapter replay`: folders of messages against their accepted outputs, with the cause of every difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapter.config import Settings
    from adapter.replay.against import Service
    from adapter.replay.compared import MakeOutcomes, Outcomes
    from adapter.replay.report import Report
    from adapter.tables.index import Tables

REPLAY_EPILOG = """
Beside NAME.hl7 stand NAME.expected.ndjson (output) and NAME.expected.issues (fate and issues of each message);
replay.manifest.json.gz holds the settings, table rows and program that they were accepted with. What is shown and written holds
values of the messages: patient data, unless the messages are made up.

Example:  b2m-adapter replay fixtures

Exit status: 0 every message comes out as accepted, or was accepted now; 1 one does not, has no accepted output or is gone, or
there is no message; 2 usage, unreadable file or table fault.
"""

FAILED, USAGE = 1, 2


def replay(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with messages (or files), searched to the bottom.", metavar="FOLDER...")
    ],
    update: Annotated[bool, typer.Option("--update", help="Show what changes, then accept it.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Order, ids, and versions count, too: byte for byte.")] = False,
    to: Annotated[str | None, typer.Option("--to", help="As in convert. Default of this and the next five: as accepted.")] = None,
    units: Annotated[str | None, typer.Option("--units", help="Which quantity stands in value: canonical or as-sent.")] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="Zone of times without offset.", metavar="ZONE")] = None,
    mappings: Annotated[
        list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", help="Judge beyond the one result: change, iss or notes (repeatable).", metavar="JUDGEMENT"),
    ] = None,
    validate: Annotated[str | None, typer.Option("--validate", help="Check of the output: structure, full or off.")] = None,
    only_sender: Annotated[
        str, typer.Option("--only-sender", help="Only messages of this sender, such as 'LIS|*' (MSH-3|MSH-4).", metavar="SENDER")
    ] = "",
    only_file: Annotated[
        str, typer.Option("--filter", help="Only files whose path fits, such as '*/urine/*'.", metavar="PATTERN")
    ] = "",
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Number of worker processes.")] = 1,
    explain: Annotated[
        int,
        typer.Option("--explain", min=0, help="For how many messages of each cause to look up the components behind elements."),
    ] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the whole report to this file.", metavar="FILE")] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML for a CI server, one test case a message.", metavar="FILE")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a page to read: causes, filter, texts, charts.", metavar="FILE")
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            help="Send the messages through the service running there: HOST:PORT (MLLP) or http(s)://...",
            metavar="ENDPOINT",
        ),
    ] = "",
    results: Annotated[
        Path | None, typer.Option("--results", help="With MLLP: folder that the service delivers to.", metavar="DIR")
    ] = None,
    rate: Annotated[str, typer.Option("--rate", help="With --against: at most so many messages a second.")] = "",
    connections: Annotated[int, typer.Option("--connections", min=1, max=1000, help="With --against: connections at once.")] = 1,
    tls_ca: Annotated[
        Path | None, typer.Option("--tls-ca", help="With --against: trust these authorities.", metavar="FILE")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="With --against: file with the bearer token for HTTP.", metavar="FILE")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every message and element, not the first of each cause.")] = False,
) -> None:
    """Run messages again, compare with the accepted outputs, and name the table row, setting or code behind each difference."""
    from adapter.cli.filter import settings_from
    from adapter.replay.compared import CannotReplay, Request
    from adapter.replay.rendering import json_bytes, junit_bytes, text_lines
    from adapter.replay.run import replay as run_replay
    from adapter.tables.load import TableFaults

    given: dict[str, Any] = {
        "to": to,
        "units": units,
        "timezone": timezone,
        "mappings": mappings,
        "context": context,
        "validate": validate,
    }
    given = {name: value for name, value in given.items() if value is not None}
    checked = settings_from(**given)
    try:
        service = _service(against, results, rate, connections, tls_ca, token_file)
    except (CannotReplay, OSError, ValueError) as failure:
        typer.echo(f"b2m-adapter: {failure}", err=True)
        raise typer.Exit(USAGE) from None
    if service is not None and update:
        typer.echo(
            "b2m-adapter: outputs of this program are accepted, not those of a service: leave --against or --update out", err=True
        )
        raise typer.Exit(USAGE)
    request = Request(
        folders=tuple(folders),
        settings={name: getattr(checked, name) for name in given},
        update=update,
        strict=strict,
        only_sender=only_sender,
        only_file=only_file,
        explain=explain,
        courses=json_file is not None or html_file is not None,
        witness=service,
    )
    try:
        with _progress() as progress:
            report = run_replay(request, service.make_outcomes if service is not None else _outcomes(jobs), progress)
    except CannotReplay as failure:
        typer.echo(f"b2m-adapter: {failure}", err=True)
        raise typer.Exit(USAGE) from None
    except TableFaults as faults:
        for fault in faults.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(USAGE) from None
    if service is not None:
        report.against = service.told()
    # files first: a pager that is closed early must not cost them
    if json_file is not None:
        _write(json_file, json_bytes(report))
    if junit_file is not None:
        _write(junit_file, junit_bytes(report))
    if html_file is not None:
        from adapter.replay.html.page import html_bytes

        _write(html_file, html_bytes(report))
    for line in text_lines(report, every=show_all):
        typer.echo(line)
    raise typer.Exit(_status(report, update))


def _service(
    against: str, results: Path | None, rate: str, connections: int, tls_ca: Path | None, token_file: Path | None
) -> Service | None:
    """Find the service that gives the outcomes; raises CannotReplay, ValueError, OSError for what cannot be."""
    if not against:
        if results is not None or rate or connections != 1 or tls_ca is not None or token_file is not None:
            raise ValueError("--results, --rate, --connections, --tls-ca and --token-file go with --against")
        return None
    from adapter.cli.send import scaled
    from adapter.clients.endpoint import client_context, endpoint_of
    from adapter.clients.sending import SendOptions
    from adapter.replay.against import Service, Target

    where = endpoint_of(against, tls=tls_ca is not None)
    options = SendOptions(
        connections=connections,
        interval_nanoseconds=10**12 // scaled("--rate", rate, 1000) if rate else 0,
        tls=client_context(tls_ca, None, None) if where.tls else None,
        token=token_file.read_text(encoding="utf-8").strip() if token_file is not None else "",
    )
    return Service(Target(where, options, results))


def _status(report: Report, update: bool) -> int:
    """What was looked at and accepted is no failure; an empty run is one all the same."""
    if update:
        return 0 if any(message.number for message in report.messages) else FAILED
    return 0 if report.passed else FAILED


def _outcomes(jobs: int) -> MakeOutcomes:
    from adapter.replay.run import in_this_process

    if jobs == 1:
        return in_this_process

    def in_workers(tables: Tables, settings: Settings) -> Outcomes:
        from adapter.cli.workers import convert_in_workers

        return lambda messages: convert_in_workers(settings, iter(messages), jobs)

    return in_workers


def _progress() -> AbstractContextManager[Callable[[int], None]]:
    """Show progress on standard error where it is a terminal; elsewhere it would be noise."""
    import sys
    from contextlib import contextmanager

    @contextmanager
    def shown() -> Iterator[Callable[[int], None]]:
        if not sys.stderr.isatty():
            yield lambda count: None
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.completed} messages"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("replay", total=None)
            yield lambda count: bar.advance(task, count)

    return shown()


def _write(path: Path, data: bytes) -> None:
    """Write with mode 0600: a report holds patient data."""
    import os
    import stat

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077 and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except OSError as failure:
        typer.echo(f"b2m-adapter: {path} could not be written: {failure.strerror}", err=True)
        raise typer.Exit(USAGE) from None


replay.__doc__ = f"{replay.__doc__}\n{REPLAY_EPILOG}"
