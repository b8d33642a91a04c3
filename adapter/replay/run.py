"""The replay: messages of folders run again and compared with what was accepted.

Messages are grouped by the manifest that they belong to, because its settings and tables are those of the comparison. Where
outcomes come from is the caller's (`MakeOutcomes`): a pipeline in this process, several processes, a running service.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from time import perf_counter_ns

from adapter.config import Settings
from adapter.pipeline import Pipeline
from adapter.replay.accepted import accepted_files, issues_file, output_file
from adapter.replay.compared import CannotReplay, MakeOutcomes, Outcomes, Replayed, Request, near
from adapter.replay.courses import Courses
from adapter.replay.manifest import FILE, Manifest, manifest_bytes, manifest_of, nearest_manifest, read_manifest
from adapter.replay.report import Group, MessageResult, Report
from adapter.replay.sources import SUFFIXES, message_files
from adapter.tables.index import Tables
from adapter.tables.load import load_tables


def replay(request: Request, make_outcomes: MakeOutcomes, progress: Callable[[int], None] = lambda count: None) -> Report:
    """Run the messages of folders again and compare.

    Parameters
    ----------
    request : Request
        What and how.
    make_outcomes : MakeOutcomes
        Where outcomes come from.
    progress : function
        Called with the number of messages that are done.

    Returns
    -------
    Report
        What was found; with `update`, what was accepted then.

    Raises
    ------
    CannotReplay
        There is no such folder, two files share an accepted output, a file cannot be read.
    TableFaults
        The tables cannot be used.
    """
    if request.update and (request.only_sender or request.only_file or any(folder.is_file() for folder in request.folders)):
        raise CannotReplay("outputs are accepted for whole folders: give folders, without --only-sender and --filter")
    started = perf_counter_ns()
    report = Report()
    courses = Courses()
    done: list[tuple[Replayed, list[Path]]] = []
    for manifest_file, files in _groups(request, report).items():
        manifest = _manifest(manifest_file)
        settings = replace(manifest.settings if manifest else Settings(), **request.settings)
        tables = load_tables(settings.mappings)
        replayed = Replayed(request, manifest, tables, settings, report, courses)
        replayed.run(files, make_outcomes(tables, settings), progress)
        done.append((replayed, files))
    _add_gone(request, report)
    _judge(report, request.update)
    _group(report)
    report.courses = courses.found()
    report.nanoseconds = perf_counter_ns() - started
    if request.update:
        manifests = _manifests(request, done)
        for replayed, _ in done:
            replayed.accept()
        for file, data in manifests.items():
            if not file.is_file() or file.read_bytes() != data:
                file.write_bytes(data)
    return report


def in_this_process(tables: Tables, settings: Settings) -> Outcomes:
    """Give outcomes by a pipeline in this process."""
    pipeline = Pipeline(tables, settings)
    return lambda messages: map(pipeline, messages)


def _groups(request: Request, report: Report) -> dict[Path | None, list[Path]]:
    """Find the files by the manifest that they belong to; a folder without any is a fault."""
    found: dict[Path | None, list[Path]] = {}
    known: dict[Path, Path | None] = {}
    outputs: dict[Path, Path] = {}
    for folder in request.folders:
        if not folder.exists():
            raise CannotReplay(f"{folder}: there is no such folder")
        paths = message_files(folder)
        if not paths:
            report.faults.append(f"{folder}: it holds no message file ({', '.join(SUFFIXES)}, each also with .gz)")
        for path in paths:
            output = output_file(path).absolute()
            if output in outputs:
                if outputs[output] == path.absolute():
                    continue
                raise CannotReplay(f"{path} and {outputs[output].name} share the accepted output {output.name}: rename one")
            outputs[output] = path.absolute()
            if request.only_file and not fnmatch(str(path), request.only_file):
                continue
            if path.parent not in known:
                known[path.parent] = nearest_manifest(path.parent)
            found.setdefault(known[path.parent], []).append(path)
    return found


def _manifest(file: Path | None) -> Manifest | None:
    try:
        return read_manifest(file) if file is not None else None
    except ValueError as failure:
        raise CannotReplay(str(failure)) from None


def _add_gone(request: Request, report: Report) -> None:
    """Find accepted outputs whose message file is gone; with `update` they go, too."""
    for folder in request.folders:
        if not folder.is_dir() or request.only_file:
            continue
        used = {file for path in message_files(folder) for file in (output_file(path), issues_file(path))}
        for file in accepted_files(folder):
            if file in used:
                continue
            if file.name.removesuffix(".gz").endswith(".ndjson"):
                report.messages.append(MessageResult(near(file), 0, "", "gone"))
            if request.update:
                file.unlink()


def _judge(report: Report, update: bool) -> None:
    """Note what makes the run a failure, whatever the messages say."""
    replayed = [message for message in report.messages if message.number]
    if not replayed:
        report.faults.append("no message was replayed")
    elif all(message.status == "missing" for message in replayed) and not update:
        report.faults.append("nothing is accepted: look at the output, and accept it with --update")


def _group(report: Report) -> None:
    groups: dict[int, Group] = {}
    for number, message in enumerate(report.messages):
        for change in message.changes:
            for cause in change.causes:
                group = groups.setdefault(cause, Group(cause))
                group.elements += 1
                if not group.messages or group.messages[-1] != number:
                    group.messages.append(number)
    report.groups = sorted(groups.values(), key=lambda group: (-len(group.messages), -group.elements, group.cause))


def _manifests(request: Request, done: Sequence[tuple[Replayed, list[Path]]]) -> dict[Path, bytes]:
    """Make the manifests of what is accepted: where one stands within the folders, else at the top of them.

    One that stands above is left alone: it belongs to outputs that were not looked at, too.
    """
    found: dict[Path, bytes] = {}
    tops = [folder.absolute() for folder in request.folders]
    for replayed, files in done:
        manifest = replayed.manifest
        if manifest is not None and any(manifest.folder.is_relative_to(top) for top in tops):
            places = {manifest.folder}
        else:
            places = {next(top for top in tops if path.absolute().is_relative_to(top)) for path in files}
        for place in places:
            found[place / FILE] = manifest_bytes(manifest_of(place, replayed.tables, replayed.settings))
    return found
