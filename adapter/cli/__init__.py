"""The command line: `b2m-adapter`.

Each command parses its flags, calls one function and sets the exit status. Everything heavy is imported inside the
functions, because a one-shot run should cost its work and not its imports.
"""

from __future__ import annotations

from typing import Annotated

import typer

from adapter import __version__
from adapter.cli.audit import audit
from adapter.cli.config import app as config_app
from adapter.cli.convert import convert
from adapter.cli.diff import diff
from adapter.cli.explain import explain
from adapter.cli.generate import generate
from adapter.cli.replay import replay
from adapter.cli.send import send
from adapter.cli.serve import EPILOG as SERVE_EPILOG
from adapter.cli.serve import serve
from adapter.cli.spool import app as spool_app
from adapter.cli.tables_work import app as tables_app

app = typer.Typer(
    name="b2m-adapter",
    help="Beta-2 microglobulin results from HL7 v2 ORU messages and FHIR Observations to enriched FHIR R4.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(convert)
app.command()(explain)
app.command()(audit)
app.command()(diff)
app.command()(generate)
app.command()(replay)
app.command()(send)
app.command(epilog=SERVE_EPILOG)(serve)
app.add_typer(tables_app, name="tables")
app.add_typer(spool_app, name="spool")
app.add_typer(config_app, name="config")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"b2m-adapter {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Beta-2 microglobulin results from HL7 v2 ORU messages and FHIR Observations to enriched FHIR R4."""


def main() -> None:
    """Run the command line."""
    app()
