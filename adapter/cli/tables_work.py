"""`b2m-adapter tables test|diff|unmapped|export|import`: prove the tables, weigh a change, find what is missing, exchange."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.tables import TABLE_FAULT, Json, Mappings, app, loaded, near_path, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from adapter.replay.table_change import Replayed
    from adapter.tables.difference import Difference
    from adapter.tables.export import Resource
    from adapter.tables.index import Tables
    from adapter.tables.worklist import Draft

__all__ = ["app"]

FAILED = 1
_SHOWN = 10


@app.command(epilog="Example:  b2m-adapter tables test --mappings mappings/sites/example")
def test(mappings: Mappings = None, as_json: Json = False) -> None:
    """Run every row of tests.csv through the whole conversion.

    Exit status 0: every row comes out as it says; 1: one does not, or there is none; 2: table fault.
    """
    from adapter.replay.examples import run_examples

    verdict = run_examples(loaded(mappings))
    failures = [failure._replace(file=near_path(failure.file)) for failure in verdict.failures]
    if as_json:
        print_json({"examples": verdict.examples, "failures": [failure._asdict() for failure in failures]})
    else:
        for failure in failures:
            typer.echo(str(failure))
        failed = len({failure.row for failure in failures})
        typer.echo(f"{verdict.examples} examples, {failed} failed.")
        if not verdict.examples:
            typer.echo("No pack has a tests.csv: nothing was tested.")
    if failures or not verdict.examples:
        raise typer.Exit(FAILED)


@app.command(epilog="Example:  b2m-adapter tables diff shipped mappings/sites/example --replay fixtures")
def diff(
    old: Annotated[str, typer.Argument(help="Tables in use: a table folder, a site folder, or the word shipped.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Tables to come, likewise.", metavar="NEW")],
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Run the messages of this folder with both sets of tables.", metavar="FOLDER")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which rows differ, and with --replay which outputs they change, before anybody uses them.

    Exit status 0: no row differs; 1: some do; 2: table fault, or the folder holds no message.
    """
    from adapter.replay.sources import messages_of
    from adapter.replay.table_change import replay_change
    from adapter.tables.difference import differences

    before, after = _set_of(old), _set_of(new)
    found = differences(before, after)
    replayed = None
    if replay is not None:
        replayed = replay_change(before, after, found, messages_of(replay))
        if not replayed.messages:
            typer.echo(f"b2m-adapter: {replay} holds no message: nothing was replayed.", err=True)
            raise typer.Exit(TABLE_FAULT)
    if as_json:
        print_json(_difference_as_json(before, after, found, replayed))
    else:
        for difference in found:
            typer.echo(str(difference))
        kinds = [difference.kind for difference in found]
        typer.echo(", ".join(f"{kinds.count(kind)} {kind}" for kind in ("added", "removed", "changed")))
        if replayed is not None:
            _print_effects(replayed)
    if found:
        raise typer.Exit(FAILED)


def _set_of(name: str) -> Tables:
    from adapter.tables.difference import tables_of
    from adapter.tables.load import TableFaults

    if name == "shipped":
        return loaded([])
    try:
        return tables_of(Path(name))
    except TableFaults as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(TABLE_FAULT) from None


def _print_effects(replayed: Replayed) -> None:
    typer.echo(f"{len(replayed.changed)} of {replayed.messages} messages change")
    for effect in replayed.effects:
        issues = f" ({', '.join(effect.issues)})" if effect.issues else ""
        rows = ", ".join(f"{row.sheet}.csv row {row.row}" for row in effect.rows)
        typer.echo(f"{len(effect.messages)} through {rows}{issues}")
        for message in effect.messages[:_SHOWN]:
            typer.echo(f"    {message}")
        if len(effect.messages) > _SHOWN:
            typer.echo(f"    and {len(effect.messages) - _SHOWN} more (--json names all)")


def _difference_as_json(
    before: Tables, after: Tables, found: Sequence[Difference], replayed: Replayed | None
) -> dict[str, object]:
    rows = [
        {
            "kind": difference.kind,
            "file": f"{difference.sheet}.csv",
            "row": difference.row,
            "cells": {name: list(pair) for name, pair in difference.cells.items()},
        }
        for difference in found
    ]
    answer: dict[str, object] = {"old": before.version, "new": after.version, "rows": rows}
    if replayed is not None:
        effects = [
            {"rows": [row.row for row in effect.rows], "messages": effect.messages, "issues": effect.issues}
            for effect in replayed.effects
        ]
        answer["replay"] = {"messages": replayed.messages, "changed": replayed.changed, "effects": effects}
    return answer


@app.command(
    epilog="Example:  b2m-adapter convert --issues issues.ndjson feed.hl7 >feed.ndjson; b2m-adapter tables unmapped issues.ndjson"
)
def unmapped(
    issues: Annotated[list[Path], typer.Argument(help="Issue files of `convert --issues`.", metavar="ISSUES.ndjson...")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the drafts as table files into this new folder.", metavar="DIR")
    ] = None,
) -> None:
    """List the rows that are missing as CSV, counted, the most frequent first.

    With --out they are written as table files of a site: fill in what is empty, then `tables check`.
    """
    from adapter.tables.worklist import IssueFileError, read_issues, work_list

    try:
        read = [issue for path in issues for issue in read_issues(str(path), path.read_text(encoding="utf-8").splitlines())]
    except (OSError, UnicodeDecodeError, IssueFileError) as failure:
        typer.echo(f"b2m-adapter: {failure}", err=True)
        raise typer.Exit(TABLE_FAULT) from None
    drafts = work_list(read)
    columns = ("sender_application", "sender_facility", "code_system", "code", "name", "spelling", "note")
    rows = [[str(draft.seen), draft.file, *(draft.cells.get(column, "") for column in columns)] for draft in drafts]
    if out is None:
        typer.echo(csv_text(("count", "file", *columns), rows), nl=False)
        return
    files: dict[str, list[Draft]] = {}
    for draft in drafts:
        files.setdefault(draft.file, []).append(draft)
    for name, group in files.items():
        write_new(out / name, csv_text(tuple(group[0].cells), [list(draft.cells.values()) for draft in group]))


@app.command(epilog="Example:  b2m-adapter tables export --format conceptmap --out build/export")
def export(
    form: Annotated[
        str, typer.Option("--format", help="conceptmap, observationdefinition, valueset or codesystem.", metavar="FORMAT")
    ],
    out: Annotated[Path, typer.Option("--out", help="New folder for the resources, one file each.", metavar="DIR")],
    mappings: Mappings = None,
) -> None:
    """Write the tables as FHIR R4 resources. The same tables give the same bytes."""
    from functools import partial

    from adapter.enrich.mark import RULES
    from adapter.fhir.full_validation import full_faults
    from adapter.fhir.json import dumps
    from adapter.tables.export import FORMATS, code_systems
    from adapter.tables.export_concept_maps import concept_maps

    formats: dict[str, Callable[[Tables], list[Resource]]] = {
        **FORMATS,
        "conceptmap": concept_maps,
        "codesystem": partial(code_systems, rules=RULES),
    }
    if form not in formats:
        typer.echo(f"b2m-adapter: --format {form!r} is not one of: {', '.join(sorted(formats))}.", err=True)
        raise typer.Exit(TABLE_FAULT)
    for resource in formats[form](loaded(mappings)):
        name = f"{resource['resourceType']}-{resource['id']}"
        for path, reason in full_faults(resource):
            typer.echo(
                f"b2m-adapter: {name} is no valid FHIR: {path} {reason}. A cell of the tables cannot be written in FHIR.",
                err=True,
            )
            raise typer.Exit(TABLE_FAULT)
        write_new(out / f"{name}.json", dumps(resource, indent=True).decode() + "\n")


@app.command(name="import", epilog="Example:  b2m-adapter tables import ConceptMap-local-codes.json --out my-site")
def import_(
    file: Annotated[Path, typer.Argument(help="FHIR ConceptMap (.json) or CSV with LOINC and local codes.", metavar="FILE")],
    out: Annotated[Path, typer.Option("--out", help="New site folder for codes.csv.", metavar="DIR")],
    application: Annotated[str, typer.Option("--application", help="Sending application of all rows that name none.")] = "",
    facility: Annotated[str, typer.Option("--facility", help="Sending facility of all rows that name none.")] = "",
    system: Annotated[str, typer.Option("--system", help="Coding system of all rows that name none.")] = "",
    mappings: Mappings = None,
) -> None:
    """Make codes.csv of a site from a ConceptMap or a list of local codes; what the checker refuses is listed.

    Exit status 0: every row was taken; 1: some were refused; 2: the file cannot be read, or no row was taken.
    """
    from adapter.fhir.json import loads
    from adapter.issues import Rejected
    from adapter.tables.columns import CODES
    from adapter.tables.import_codes import ImportFileError, candidates_of_concept_map, candidates_of_csv, take

    given = {"sender_application": application, "sender_facility": facility, "code_system": system}
    defaults = {column: cell for column, cell in given.items() if cell}
    tables = loaded(mappings)
    try:
        text = file.read_text(encoding="utf-8-sig")
        source = f"imported from {file.name}"
        if text.lstrip().startswith("{"):
            candidates = candidates_of_concept_map(loads(text), source, defaults)
        else:
            candidates = candidates_of_csv(text, source, defaults)
    except (OSError, UnicodeDecodeError, ImportFileError, Rejected) as failure:
        typer.echo(f"b2m-adapter: {file}: {failure}.", err=True)
        raise typer.Exit(TABLE_FAULT) from None
    imported = take(candidates, tables)
    for refused in imported.refused:
        typer.echo(f"{file}: row {refused.place} ({refused.what}) refused: {' '.join(refused.reasons)}", err=True)
    for pack, rows in sorted(imported.rows.items()):
        write_new(out / pack / "codes.csv", csv_text(CODES.header, [[row[column] for column in CODES.header] for row in rows]))
    count = sum(map(len, imported.rows.values()))
    typer.echo(f"taken: {count}, refused: {len(imported.refused)}")
    if imported.refused or not count:
        raise typer.Exit(FAILED if count else TABLE_FAULT)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows as CSV with LF line ends."""
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet: what a person has filled in is never written over. Ends with status 2 otherwise."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as failure:
        typer.echo(f"b2m-adapter: {failure}. Choose a new folder.", err=True)
        raise typer.Exit(TABLE_FAULT) from None
    typer.echo(f"wrote {near_path(str(path))}")
