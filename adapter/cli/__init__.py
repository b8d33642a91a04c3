"""The command line: `b2m-adapter`.

Each command parses its flags, calls one function and sets the exit status. Everything heavy is imported inside the
functions, because a one-shot run should cost its work and not its imports. For the same reason a command is imported and its
flags are built when it is asked for: those of all commands took a tenth of the time of a short run.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

from adapter import __version__

_COMMANDS = {
    "convert": "convert:convert",
    "explain": "explain:explain",
    "audit": "audit:audit",
    "diff": "diff:diff",
    "generate": "generate:generate",
    "replay": "replay:replay",
    "send": "send:send",
    "serve": "serve:serve",
    "tables": "tables_work:app",
    "spool": "spool:app",
    "config": "config:app",
}
"""Where each command stands: module of this package, and the function or the group in it; `EPILOG` ends a function's help."""

# rich would only be in the way: help and errors are plain text, the same on every terminal and in every log.
_PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class _OnDemand(TyperGroup):
    """A group whose commands are built when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Build a command, or give the one that was built before."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _built(cmd_name)
        return self.commands.get(cmd_name)


def _built(name: str) -> click.Command:
    place, _, attribute = _COMMANDS[name].partition(":")
    module = import_module(f"adapter.cli.{place}")
    found = getattr(module, attribute)
    if not isinstance(found, typer.Typer):
        one = typer.Typer(**_PLAIN)
        one.command(epilog=getattr(module, "EPILOG", None))(found)
        found = one
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    name="b2m-adapter",
    help="Beta-2 microglobulin results from HL7 v2 ORU messages and FHIR Observations to enriched FHIR R4.",
    no_args_is_help=True,
    cls=_OnDemand,
    **_PLAIN,
)


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
