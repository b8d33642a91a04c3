"""The files of one manifest, run again and compared: `Replayed`.

Bytes are compared first; only what differs is read, compared by meaning, and traced to its causes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

from adapter import __version__
from adapter.config import Settings
from adapter.fhir.json import dumps
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.header import header_of
from adapter.pipeline import Outcome
from adapter.replay.accepted import Accepted, AcceptedForm, Record, accept, issue_texts, read_accepted, together
from adapter.replay.causes import find_causes, setting_differences, settings_in_use
from adapter.replay.comparison import Difference
from adapter.replay.courses import Courses
from adapter.replay.manifest import FILE, Manifest, old_tables
from adapter.replay.origins import Explainer
from adapter.replay.program import changed_parts
from adapter.replay.report import Cause, ElementChange, MessageResult, Report, Versions
from adapter.replay.sources import messages_in
from adapter.replay.trial import Changed, record_differences
from adapter.tables.difference import differences
from adapter.tables.index import Tables

Outcomes = Callable[[Iterable[RawMessage]], Iterator[Outcome]]
"""Gives the outcome of each message, in the order of the messages."""

MakeOutcomes = Callable[[Tables, Settings], Outcomes]
"""Makes the function that gives outcomes under some tables and settings."""

_STRICT = Cause("unknown", "nothing in meaning", "versions, ids or order, which only --strict counts")
_NO_MANIFEST = Cause("unknown", "not known", f"there is no {FILE}; it is written when outputs are accepted")


class Witness(Protocol):
    """Who gives outcomes in the place of this program, and may not tell all of them."""

    def completed(self, record: Record, accepted: Record | None) -> Record:
        """Take over from the accepted record what the witness cannot tell."""

    def cause(self, raw: RawMessage, record: Record) -> Cause | None:
        """Tell whether the witness itself is the cause that a record is not as accepted."""


class CannotReplay(Exception):  # noqa: N818  (the folder is at fault)
    """The folders cannot be replayed at all: nothing was compared. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay, and how.

    Parameters
    ----------
    folders : tuple of Path
        Folders or files.
    settings : dict of str to Any
        Settings that are stronger than those of the manifest, by name.
    update : bool
        Whether to accept what came out.
    strict : bool
        Whether order, ids and volatile elements count.
    only_sender : str
        Only messages of this sender (`MSH-3|MSH-4`, with wildcards); empty: all.
    only_file : str
        Only files whose path fits (with wildcards); empty: all.
    explain : int
        For how many messages of each cause the components behind the elements are looked up.
    courses : bool
        Whether the results of patients over time are gathered.
    witness : Witness or None
        Who gives the outcomes, where it is not this program.
    """

    folders: tuple[Path, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    update: bool = False
    strict: bool = False
    only_sender: str = ""
    only_file: str = ""
    explain: int = 10
    courses: bool = False
    witness: Witness | None = None


@dataclass(slots=True)
class _File:
    """A message file: where it stands, what was accepted, what comes out now."""

    path: Path
    accepted: Accepted | None
    records: list[Record] = field(default_factory=list)
    #: message number, message, outcome of those that are not byte for byte as accepted
    outcomes: dict[int, tuple[RawMessage, Outcome]] = field(default_factory=dict)
    results: list[MessageResult] = field(default_factory=list)
    input_issues: tuple[str, ...] = ()
    #: number of the last message that runs; 0: none does
    last: int = 0
    #: whether all of them run
    whole: bool = True
    _by_digest: dict[str, Record] = field(default_factory=dict)

    def known(self, digest: str) -> Record | None:
        """Give what was accepted for a message."""
        if not self._by_digest and self.accepted is not None:
            self._by_digest = {record.digest: record for record in self.accepted.records}
        return self._by_digest.get(digest)


class Replayed:
    """The files of one manifest, run and compared."""

    def __init__(
        self, request: Request, manifest: Manifest | None, tables: Tables, settings: Settings, report: Report, courses: Courses
    ) -> None:
        self.request = request
        self.manifest = manifest
        self.tables = tables
        self.settings = settings
        self.report = report
        self.courses = courses
        self.form = AcceptedForm(tables.version, __version__)
        if request.strict and manifest is not None:
            # other versions than the accepted ones stay as they are, and differ
            self.form = AcceptedForm(manifest.tables_version, manifest.version)
        self.changed: list[tuple[Changed, MessageResult]] = []
        self.to_accept: list[tuple[Path, Accepted]] = []
        self.explainer: Explainer | None = None
        self.old_explainer: Explainer | None = None

    def run(self, paths: Sequence[Path], outcomes: Outcomes, progress: Callable[[int], None]) -> None:
        """Run the files, compare, find causes; what is found goes into the report."""
        files: list[_File] = []
        # the messages of a file are read while those of the files before it are converted
        waiting: deque[tuple[_File, int]] = deque()
        for outcome in outcomes(self._messages(paths, files, waiting)):
            file, number = waiting.popleft()
            self._take(file, number, outcome)
            progress(1)
            if number == file.last:
                self._finish(file)
        for file in files:
            if not file.last:
                self._finish(file)
        self._trace()

    def accept(self) -> None:
        """Take what came out for right: write the outputs that are others than the accepted ones."""
        for path, accepted in self.to_accept:
            accept(path, accepted)
        self.report.accepted += len(self.to_accept)

    def _messages(self, paths: Sequence[Path], files: list[_File], waiting: deque[tuple[_File, int]]) -> Iterator[RawMessage]:
        for path in paths:
            try:
                messages, issues = messages_in(path, self.settings.limit)
                file = _File(path, read_accepted(path), input_issues=issue_texts(issues))
            except (OSError, EOFError, ValueError) as failure:
                raise CannotReplay(f"{path} could not be read: {failure}") from None
            files.append(file)
            chosen = list(enumerate(messages, 1))
            if self.request.only_sender:
                chosen = [(number, raw) for number, raw in chosen if fnmatch(sender_of(raw), self.request.only_sender)]
                file.whole = len(chosen) == len(messages)
            file.last = chosen[-1][0] if chosen else 0
            for number, raw in chosen:
                file.outcomes[number] = (raw, _PENDING)
                waiting.append((file, number))
                yield raw

    def _take(self, file: _File, number: int, outcome: Outcome) -> None:
        raw = file.outcomes.pop(number)[0]
        record = self._record(self.form, outcome, file)
        file.records.append(record)
        result = MessageResult(near(file.path), number, sender_of(raw), "missing", outcome.fate, record.issues, outcome.results)
        file.results.append(result)
        if self.request.courses:
            self.courses.add(outcome.lines, self.tables, len(self.report.messages))
        self.report.messages.append(result)
        accepted = file.accepted
        if accepted is not None and len(accepted.records) >= number and accepted.records[number - 1] == record:
            result.status = "same"
        else:
            file.outcomes[number] = (raw, outcome)

    def _record(self, form: AcceptedForm, outcome: Outcome, file: _File) -> Record:
        record = form.record(outcome)
        return record if self.request.witness is None else self.request.witness.completed(record, file.known(record.digest))

    def _finish(self, file: _File) -> None:
        """Compare a file whose messages all came out, and let go of what is not needed any more."""
        self._compare(file)
        now = Accepted(tuple(file.records), file.input_issues)
        if now != file.accepted and (now.records or file.accepted is not None):
            self.to_accept.append((file.path, now))
        file.accepted, file.records, file.results, file.outcomes, file._by_digest = None, [], [], {}, {}

    def _compare(self, file: _File) -> None:
        if not file.whole and file.accepted is not None:
            pairs = _chosen(file)
        else:
            pairs = together(file.accepted.records if file.accepted else (), file.records)
        for old, record, result in _with_results(pairs, file.results):
            if record is None or result is None:
                assert old is not None
                gone = MessageResult(near(file.path), 0, "", "gone", old.fate, old.issues, old_lines=_texts(old.lines))
                self.report.messages.append(gone)
            elif old == record:
                result.status = "same"
            else:
                self._differs(file, old, record, result)
        said = file.accepted.input_issues if file.accepted is not None else ()
        if file.accepted is not None and file.whole and said != file.input_issues:
            self.report.faults.append(f"{near(file.path)}: issues of the input: {list(said)} -> {list(file.input_issues)}")

    def _differs(self, file: _File, old: Record | None, record: Record, result: MessageResult) -> None:
        raw, outcome = file.outcomes[result.number]
        # what it means is compared without the versions, whatever --strict counts
        meant = self._record(AcceptedForm(self.tables.version, __version__), outcome, file)
        found = record_differences(old, meant) if old is not None else []
        causes: list[list[Cause]] = []
        if old is not None and not found and old.digest != record.digest:
            found = [Difference("message", old.digest, record.digest)]
        elif old is not None and not found:
            if not self.request.strict:
                result.status = "equivalent"
                return
            found = record_differences(old, record, strict=True) or _first_byte(old, record)
            causes = [[_STRICT]] * len(found)
        if self.request.witness is not None and not causes:
            cause = self.request.witness.cause(raw, meant)
            causes = [[cause]] * len(found) if cause is not None else []
        result.source = _source_text(raw)
        result.new_lines = _texts(record.lines)
        if old is None:
            return
        result.status = "different"
        result.old_lines = _texts(old.lines)
        self.changed.append((Changed(raw, old, meant, found, causes), result))

    def _trace(self) -> None:
        """Find causes and origins of what changed."""
        old = None
        if self.manifest is not None:
            old = self._versions(self.manifest)
        else:
            in_use = settings_in_use(self.settings)
            self.report.versions.append(Versions("", "", __version__, "", self.tables.version, in_use=in_use))
        explained: Counter[int] = Counter()
        for changed, result in self.changed:
            if not changed.causes:
                changed.causes = [[_NO_MANIFEST]] * len(changed.differences)
            for difference, causes in zip(changed.differences, changed.causes, strict=True):
                change = ElementChange(
                    difference.path, _json(difference.old), _json(difference.new), difference.old_at, difference.new_at
                )
                change.causes = [self._index(cause) for cause in causes]
                result.changes.append(change)
            mine = {cause for change in result.changes for cause in change.causes}
            # what made a value is known of the outputs of this program only
            own = all(self.report.causes[cause].kind != "service" for cause in mine)
            if own and any(explained[cause] < self.request.explain for cause in mine):
                explained.update(mine)
                self._explain(changed, result, old)

    def _versions(self, manifest: Manifest) -> Tables | None:
        versions = Versions(near(manifest.folder), manifest.version, __version__, manifest.tables_version, self.tables.version)
        self.report.versions.append(versions)
        versions.in_use = settings_in_use(self.settings)
        versions.settings = tuple(
            f"{name} {old} -> {new}" for name, old, new in setting_differences(manifest.settings, self.settings)
        )
        if not self.changed:
            return None
        old = old_tables(manifest)
        rows = differences(old, self.tables) if old is not None else []
        versions.rows, versions.parts = len(rows), len(changed_parts(manifest.program))
        meant = [changed for changed, _ in self.changed if not changed.causes]
        find_causes(meant, manifest, old, self.tables, self.settings, rows)
        return old

    def _explain(self, changed: Changed, result: MessageResult, old: Tables | None) -> None:
        if self.explainer is None:
            self.explainer = Explainer(self.tables, self.settings)
        if self.old_explainer is None and old is not None and self.manifest is not None:
            self.old_explainer = Explainer(old, self.manifest.settings)
        new_origins, old_origins = self.explainer.origins(changed.raw), None
        if self.old_explainer is not None and changed.old.digest == changed.new.digest:
            old_origins = self.old_explainer.origins(changed.raw)
        for difference, change in zip(changed.differences, result.changes, strict=True):
            if difference.new_at is not None:
                change.new_from = new_origins(difference.new_at)
            if difference.old_at is not None and old_origins is not None:
                change.old_from = old_origins(difference.old_at)
        result.explained = True

    def _index(self, cause: Cause) -> int:
        if cause not in self.report.causes:
            self.report.causes.append(cause)
        return self.report.causes.index(cause)


#: Stands where a message was handed out and its outcome is not there yet.
_PENDING = Outcome("rejected", b"")


def _chosen(file: _File) -> list[tuple[Record | None, Record | None]]:
    """Pair some messages of a file with what was accepted: by digest, since others are left out."""
    assert file.accepted is not None
    waiting = list(file.accepted.records)
    pairs: list[tuple[Record | None, Record | None]] = []
    for record in file.records:
        found = next((one for one in waiting if one.digest == record.digest), None)
        if found is not None:
            waiting.remove(found)
        pairs.append((found, record))
    return pairs


def _with_results(
    pairs: Sequence[tuple[Record | None, Record | None]], results: Sequence[MessageResult]
) -> Iterator[tuple[Record | None, Record | None, MessageResult | None]]:
    waiting = iter(results)
    for old, record in pairs:
        yield old, record, next(waiting) if record is not None else None


def _first_byte(old: Record, new: Record) -> list[Difference]:
    """Say where outputs of the same meaning begin to differ: another order of the members of an object."""
    for number, (one, other) in enumerate(zip(old.lines, new.lines, strict=False), 1):
        if one != other:
            place = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
            return [Difference(f"line {number} byte {place + 1}", _excerpt(one, place), _excerpt(other, place))]
    return [Difference("order of lines or issues", None, None)]


def _excerpt(line: bytes, place: int) -> str:
    return line[max(0, place - 20) : place + 40].decode("utf-8", "replace")


def sender_of(raw: RawMessage) -> str:
    """Name the sender of a v2 message: the first components of MSH-3 and MSH-4, joined by `|`; empty where nothing is said."""
    if raw.format != "er7":
        return ""
    line = raw.data[:1024].lstrip(b"\xef\xbb\xbf\x0b\r\n ").split(b"\r")[0].split(b"\n")[0].decode("utf-8", "replace")
    parts = line.split(line[3]) if len(line) > 4 else []
    return "|".join(part.split(line[4])[0] for part in parts[2:4]) if len(parts) > 3 else ""


def _source_text(raw: RawMessage) -> str:
    """Read a message for people: as UTF-8, else in the character set that it names, else byte by byte."""
    for codec in ("utf-8", header_of(raw.data).codec):
        try:
            return raw.data.decode(codec)
        except UnicodeDecodeError:
            pass
    return raw.data.decode("latin-1")


def _texts(lines: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(line.decode("utf-8", "replace") for line in lines)


def _json(value: Any) -> str | None:
    return None if value is None else dumps(value).decode()


def near(path: Path) -> str:
    """Write a path as seen from the working folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)
