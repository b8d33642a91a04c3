"""`b2m-adapter tables test|diff|unmapped|export|import`: prove the tables, weigh a change, find what is missing, exchange."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.tables import TABLE_FAULT, Json, Mappings, app, loaded, near_path, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapter.tables.worklist import Draft

__all__ = ["app"]

FAILED = 1


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
