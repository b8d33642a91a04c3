"""`b2m-adapter tables test|diff|unmapped|export|import`: prove the tables, weigh a change, find what is missing, exchange."""

from __future__ import annotations

import typer

from adapter.cli.tables import Json, Mappings, app, loaded, near_path, print_json

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
