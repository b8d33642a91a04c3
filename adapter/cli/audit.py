"""`b2m-adapter audit`: the account of every message, so that a loss is found before a patient misses the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AUDIT_EPILOG = """
Example:  b2m-adapter audit fixtures/serum/above-range.hl7

Exit status: 0 nothing is lost; 1 a component is lost; 2 usage, configuration or table fault; 3 a file could not be read.
"""


def audit(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files with messages (.gz is unpacked); none or - means standard input.", metavar="[FILE]..."),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help="Output that is looked at: transaction, message, collection or ndjson.")
    ] = "transaction",
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone of times without offset, such as Europe/Berlin.", metavar="ZONE")
    ] = "",
    mappings: Annotated[
        list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object for each message.")] = False,
    show_phi: Annotated[bool, typer.Option("--show-phi", help="Show what the sender wrote. This is patient data.")] = False,
) -> None:
    """Say what became of every component of v2 messages: mapped, kept verbatim, dropped for a written reason, or lost."""
    from adapter.cli.filter import settings_from
    from adapter.cli.messages import raw_messages
    from adapter.cli.tables import loaded
    from adapter.explain.account import account_of
    from adapter.explain.outputs import Workbench
    from adapter.explain.rendering import account_data, account_lines
    from adapter.fhir.json import dumps
    from adapter.issues import Rejected
    from adapter.pipeline import Pipeline

    settings = settings_from(to=to, timezone=timezone, mappings=mappings or ())
    tables = loaded(mappings)
    pipeline, workbench = Pipeline(tables, settings), Workbench(tables, settings)
    lost = 0
    for number, raw in enumerate(raw_messages(files or (), settings.limit), 1):
        account, fate = None, "FHIR: it leaves as it came but for what enrichment adds; see b2m-adapter explain"
        if raw.format != "json":
            outcome = pipeline(raw)
            fate = f"{outcome.fate}: {outcome.issues[-1].slug}" if outcome.issues else outcome.fate
            try:
                account = account_of(pipeline.read(raw.data), raw.data, workbench) if outcome.fate == "converted" else None
            except Rejected as rejected:
                fate = f"rejected: {rejected.issue.slug}"
        if account is not None:
            lost += account.counts["lost"]
        if as_json:
            row = {"message": number, **(account_data(account, show_phi) if account is not None else {"fate": fate})}
            typer.echo(dumps(row))
        elif account is None:
            typer.echo(f"message {number}: {fate}")
        else:
            first, *others = account_lines(account, show_phi)
            typer.echo("\n".join([f"message {number}: {first}", *others]))
    if lost:
        raise typer.Exit(1)


audit.__doc__ = f"{audit.__doc__}\n{AUDIT_EPILOG}"
