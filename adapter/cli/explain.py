"""`b2m-adapter explain`: why an element of the output is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXPLAIN_EPILOG = """
Example:  b2m-adapter explain --path Observation.interpretation fixtures/serum/above-range.hl7

Exit status: 0 explained; 1 a message was rejected or has no such element; 2 usage, configuration or table fault; 3 a file could
not be read.
"""


def explain(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files with messages (.gz is unpacked); none or - means standard input.", metavar="[FILE]..."),
    ] = None,
    path: Annotated[
        str,
        typer.Option("--path", help="Only this element and those below, such as Observation.interpretation.", metavar="PATH"),
    ] = "",
    message: Annotated[int, typer.Option("--message", min=0, help="Only this message, counted from 1.", metavar="N")] = 0,
    to: Annotated[
        str, typer.Option("--to", help="Output that is looked at: transaction, message, collection or ndjson.")
    ] = "transaction",
    units: Annotated[str, typer.Option("--units", help="Which quantity stands in value: canonical or as-sent.")] = "canonical",
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone of times without offset, such as Europe/Berlin.", metavar="ZONE")
    ] = "",
    mappings: Annotated[
        list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object for each message.")] = False,
    show_phi: Annotated[
        bool, typer.Option("--show-phi", help="Show what the sender wrote and the values in the output. This is patient data.")
    ] = False,
) -> None:
    """Show for each element of the output the components, rules and table rows that made it, and the issues that came up."""
    from adapter.cli.filter import settings_from
    from adapter.cli.messages import raw_messages
    from adapter.cli.tables import loaded
    from adapter.explain.explanation import explain_fhir, explain_v2
    from adapter.explain.outputs import Workbench
    from adapter.explain.rendering import explanation_data, explanation_lines, row_text
    from adapter.explain.selection import select, steps
    from adapter.fhir.json import dumps
    from adapter.pipeline import Pipeline

    settings = settings_from(to=to, units=units, timezone=timezone, mappings=mappings or ())
    try:
        _ = steps(path) if path else []
    except ValueError:
        typer.echo(f"b2m-adapter: --path {path!r} is no path; write one such as Observation.interpretation.", err=True)
        raise typer.Exit(2) from None
    tables = loaded(mappings)
    pipeline, workbench, row = Pipeline(tables, settings), Workbench(tables, settings, note_rows=True), row_text(tables)
    found = failed = False
    for number, raw in enumerate(raw_messages(files or (), settings.limit), 1):
        if message not in (0, number):
            continue
        outcome = pipeline(raw)
        explanation = None
        if outcome.fate == "converted" and raw.format == "json":
            explanation = explain_fhir(raw.data, tables, settings)
        elif outcome.fate == "converted":
            explanation = explain_v2(pipeline.read(raw.data), raw.data, workbench)
        if explanation is None:
            failed = failed or outcome.fate == "rejected"
            reason = outcome.issues[-1] if outcome.issues else None
            why = f" {reason.slug} at {reason.place}: {reason.detail}" if reason is not None else ""
            row_of_fate = {"message": number, "fate": outcome.fate, "why": why.strip()}
            typer.echo(dumps(row_of_fate) if as_json else f"message {number}: {outcome.fate}{why}")
            continue
        if path:
            explanation = select(explanation, path)
        found = found or bool(explanation.elements)
        if as_json:
            data = {"message": number, "tables": tables.version, **explanation_data(explanation, row, show_phi)}
            typer.echo(dumps(data))
        else:
            lines = [f"message {number}, tables {tables.version[:12]}", *explanation_lines(explanation, row, show_phi)]
            typer.echo("\n".join(lines))
    if failed or not found:
        raise typer.Exit(1)


explain.__doc__ = f"{explain.__doc__}\n{EXPLAIN_EPILOG}"
