"""The filter behind `b2m-adapter convert`: files in, lines out, issues and rejects to their places, the exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, NoReturn, cast

import orjson
import typer

from adapter.collector import settle
from adapter.config import (
    CONTEXT_SWITCHES,
    MESSAGE_LIMIT,
    OUTPUT_FORMS,
    UNITS,
    VALIDATIONS,
    OutputForm,
    Settings,
    Units,
    Validation,
)
from adapter.fhir.json import dumps, loads
from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake
from adapter.issues import CATALOGUE, Issue
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.index import Tables
from adapter.tables.load import TableFaults, load_tables
from adapter.tables.missing import Facts, facts_of

if TYPE_CHECKING:
    from adapter.enrich.context.change import History

BLOCK = 256 * 1024
OK, SOME_REJECTED, USAGE, BROKEN = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """Where things come from and go to; the flags of `b2m-adapter convert`."""

    files: tuple[Path, ...]
    source: str
    unselected: Path | None
    issues: Path | None
    fail_on: frozenset[str]
    rejects: Path | None
    history: Path | None
    jobs: int
    show_phi: bool
    pretty: bool
    quiet: bool


@dataclass(slots=True)
class Tally:
    """What was counted in a run."""

    fates: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    results: int = 0

    def status(self, fail_on: frozenset[str]) -> int:
        """Exit status of the run."""
        return SOME_REJECTED if self.fates["rejected"] or any(self.issues[slug] for slug in fail_on) else OK


class _InputError(Exception):
    """A file could not be read."""


def settings_from(
    *,
    to: str = "",
    units: str = "canonical",
    only: Sequence[str] = (),
    timezone: str = "",
    validate: str = "structure",
    check_v2: bool = False,
    attach_source: bool = False,
    limit: int = MESSAGE_LIMIT,
    mappings: Sequence[Path] = (),
    context: Sequence[str] = (),
) -> Settings:
    """Check the flags and make the settings; a wrong one ends the program with status 2 before anything is read."""
    _choice("--to", to, ("", *OUTPUT_FORMS))
    _choice("--units", units, UNITS)
    _choice("--validate", validate, VALIDATIONS)
    switches = [switch.strip() for text in context for switch in text.split(",")]
    for switch in switches:
        _choice("--context", switch, CONTEXT_SWITCHES)
    if timezone:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            _usage(f"--timezone {timezone!r} is no IANA zone; write one such as Europe/Berlin or UTC.")
    return Settings(
        to=cast("OutputForm", to) if to else None,
        units=cast("Units", units),
        only=tuple(only),
        timezone=timezone,
        validate=cast("Validation", validate),
        check_v2=check_v2,
        attach_source=attach_source,
        limit=limit,
        mappings=tuple(mappings),
        context=tuple(switch for switch in CONTEXT_SWITCHES if switch in switches),
    )


def run_filter(settings: Settings, options: FilterOptions) -> int:
    """Convert the files (or standard input) to standard output.

    Parameters
    ----------
    settings : Settings
        How to convert.
    options : FilterOptions
        Where from and where to.

    Returns
    -------
    int
        Exit status: 0, 1, 2 or 3 as the command's help says.
    """
    _choice("--from", options.source, ("", "er7", "fhir"))
    for slug in options.fail_on:
        _choice("--fail-on", slug, tuple(CATALOGUE))
    try:
        tables = load_tables(settings.mappings)
    except TableFaults as faults:
        for fault in faults.faults:
            print(fault, file=sys.stderr)
        return USAGE
    for pack in settings.only:
        _choice("--only", pack, tuple(tables.packs))
    if tables.overrides and not options.quiet:
        removed = sum(override.removed for override in tables.overrides)
        replaced = len(tables.overrides) - removed
        print(f"b2m-adapter: sites replace {replaced} and remove {removed} rows (see: b2m-adapter tables show)", file=sys.stderr)
    for path in options.files:
        if str(path) != "-" and not path.is_file():
            _usage(f"{path} is no file.")
    if options.history is not None and ("change" not in settings.context or options.jobs > 1):
        _usage("--history goes with --context change, and with one job: results must be compared in the order of the input.")
    tally = Tally()
    try:
        with ExitStack() as stack:
            sink = _Sink(options, stack, tally)
            stream_issues: list[Issue] = []
            history = stack.enter_context(_history(options.history)) if options.history is not None else None
            for outcome in _outcomes(tables, settings, options, stream_issues, history):
                sink.take(outcome)
            sink.finish(stream_issues)
    except BrokenPipeError:
        # the reader has had enough (`| head`): end quietly, and keep the interpreter from flushing into the closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return tally.status(options.fail_on)
    except (_InputError, OSError, EOFError) as failure:
        print(f"b2m-adapter: stopped part-way: {failure}", file=sys.stderr)
        return BROKEN
    if not tally.fates:
        tally.issues["no-message"] += 1
        kind = CATALOGUE["no-message"]
        print(f"input: {kind.severity} no-message: {kind.meaning} {kind.action}", file=sys.stderr)
    _summary(tally)
    return tally.status(options.fail_on)


@contextmanager
def _history(path: Path) -> Iterator[History]:
    """Open the history; a file that is none ends the program with status 2 before anything is read."""
    import sqlite3

    from adapter.cli.history import SqliteHistory

    try:
        history = SqliteHistory(path)
    except (sqlite3.Error, OSError) as failure:
        _usage(f"--history {path} cannot be used: {failure}.")
    try:
        yield history
    finally:
        history.close()


def _outcomes(
    tables: Tables, settings: Settings, options: FilterOptions, stream_issues: list[Issue], history: History | None
) -> Iterator[Outcome]:
    messages = _messages(settings, options, stream_issues)
    if options.jobs == 1:
        pipeline = Pipeline(tables, settings, history)
        settle()
        return map(pipeline, messages)
    settle()
    from adapter.cli.workers import convert_in_workers

    return convert_in_workers(settings, messages, options.jobs)


def _messages(settings: Settings, options: FilterOptions, stream_issues: list[Issue]) -> Iterator[RawMessage]:
    force: Literal["er7", "json"] | None = None
    if options.source:
        force = "er7" if options.source == "er7" else "json"
    for path in options.files or (Path("-"),):
        intake = Intake(limit=settings.limit, force=force)
        for block in _blocks(path):
            yield from intake.feed(block)
            _stream_issues(intake, stream_issues)
            # what is done leaves before the next block is waited for: an engine may feed one message at a time
            sys.stdout.buffer.flush()
        yield from intake.finish()
        _stream_issues(intake, stream_issues)


def _stream_issues(intake: Intake, taken: list[Issue]) -> None:
    """Take what the intake noticed about the stream itself, such as a wrong count of a batch."""
    taken += intake.issues
    intake.issues.clear()


def _blocks(path: Path) -> Iterator[bytes]:
    """Read a file (or standard input) block by block; `.gz` is unpacked on the way."""
    import zlib

    with ExitStack() as stack:
        try:
            if str(path) == "-":
                stream = cast("BinaryIO", sys.stdin.buffer)
            elif path.suffix == ".gz":
                import gzip

                stream = cast("BinaryIO", stack.enter_context(gzip.open(path, "rb")))
            else:
                stream = stack.enter_context(path.open("rb"))
            read = getattr(stream, "read1", stream.read)
            while block := read(BLOCK):
                yield block
        except (OSError, EOFError, zlib.error) as failure:
            raise _InputError(f"{path} could not be read: {failure}") from failure


class _Sink:
    """Where outcomes go: lines to standard output, issues to stderr and file, rejects and unselected to their places."""

    def __init__(self, options: FilterOptions, stack: ExitStack, tally: Tally) -> None:
        self.options = options
        self.tally = tally
        self.number = 0
        self.out = sys.stdout.buffer
        self.issue_file: IO[bytes] | None = None
        self.unselected: IO[bytes] | None = None
        #: the message that was rejected last: a large one comes in parts
        self.reject: Path | None = None
        if options.issues is not None:
            self.issue_file = stack.enter_context(_private(options.issues))
        if options.unselected is not None:
            self.unselected = stack.enter_context(_private(options.unselected))
        if options.rejects is not None:
            options.rejects.mkdir(parents=True, exist_ok=True, mode=0o700)

    def take(self, outcome: Outcome) -> None:
        if outcome.continued:
            if self.reject is not None:
                with self.reject.open("ab") as kept:
                    kept.write(outcome.source)
            return
        self.number += 1
        self.tally.fates[outcome.fate] += 1
        self.tally.results += outcome.results
        if outcome.lines:
            lines = [dumps(loads(line), indent=True) for line in outcome.lines] if self.options.pretty else outcome.lines
            self.out.write(b"\n".join(lines) + b"\n")
        if outcome.issues:
            self._issues(outcome.issues, outcome.sender)
        if outcome.fate == "rejected":
            self._reject(outcome)
        elif outcome.fate == "unselected" and self.unselected is not None:
            self.unselected.write(outcome.source)
            if not outcome.source.endswith((b"\r", b"\n")):
                self.unselected.write(b"\r")

    def finish(self, stream_issues: Iterable[Issue]) -> None:
        self.number = 0
        self._issues(stream_issues)
        self.out.flush()

    def _issues(self, issues: Iterable[Issue], sender: Facts = ()) -> None:
        for issue in issues:
            self.tally.issues[issue.slug] += 1
            severity = issue.severity
            if self.issue_file is not None:
                row: dict[str, object] = {
                    "message": self.number,
                    "severity": severity,
                    "slug": issue.slug,
                    "place": issue.place,
                    "detail": issue.detail,
                }
                if facts := facts_of(issue, sender):
                    row["facts"] = dict(facts)
                if self.options.show_phi and issue.value:
                    row["value"] = issue.value
                self.issue_file.write(orjson.dumps(row) + b"\n")
            if severity != "information" and not self.options.quiet:
                print(self._line(issue), file=sys.stderr)

    def _line(self, issue: Issue) -> str:
        where = f" at {issue.place}" if issue.place else ""
        detail = f": {issue.detail}" if issue.detail else ""
        value = f" [{issue.value!r}]" if self.options.show_phi and issue.value else ""
        whose = f"message {self.number}" if self.number else "input"
        return f"{whose}: {issue.severity} {issue.slug}{where}{detail}{value}. {issue.kind.action}"

    def _reject(self, outcome: Outcome) -> None:
        if self.options.rejects is None:
            return
        import hashlib

        name = f"{self.number:08d}-{hashlib.sha256(outcome.source).hexdigest()[:16]}"
        self.reject = self.options.rejects / name
        with _private(self.reject) as kept:
            kept.write(outcome.source)
        reason = outcome.issues[-1]
        row = {"slug": reason.slug, "place": reason.place, "detail": reason.detail, "action": reason.kind.action}
        with _private(self.options.rejects / (name + ".reason.json")) as beside:
            beside.write(orjson.dumps(row) + b"\n")


def _private(path: Path) -> IO[bytes]:
    """Open for writing with mode 0600: these files may hold patient data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _summary(tally: Tally) -> None:
    fates = tally.fates
    parts = [f"{fates['converted']} converted ({tally.results} results)"]
    parts += [f"{fates[fate]} {fate}" for fate in ("rejected", "unselected") if fates[fate]]
    counted = ", ".join(f"{slug} {count}" for slug, count in sorted(tally.issues.items()))
    print(f"b2m-adapter: {', '.join(parts)}" + (f"; issues: {counted}" if counted else ""), file=sys.stderr)


def _choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        _usage(f"{flag} {value!r} is not one of: {', '.join(choice for choice in choices if choice)}.")


def _usage(text: str) -> NoReturn:
    print(f"b2m-adapter: {text}", file=sys.stderr)
    raise typer.Exit(USAGE)
