"""What a short run costs is mostly its start: nothing is imported that the command does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from adapter.cli import app

MESSAGE = b"MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1\rPID|1||1^^^HOSPITAL\rOBR|1||7|1952-1^B2M^LN\r"
#: Imported by `b2m-adapter` itself, by other commands, or with a flag.
NEEDLESS = ("rich", "pydantic", "aiohttp", "fhir", "hl7apy", "attr", "starlette", "adapter.service", "adapter.cli.replay")


def modules_of(*arguments: str, stdin: bytes = b"") -> set[str]:
    """Modules that a run of the program has imported at its end."""
    program = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); from adapter.cli import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", program, *arguments], input=stdin, capture_output=True, check=True)
    return set(ran.stderr.decode().splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("convert",), ("convert", "--to", "ndjson")])
def test_converting_imports_nothing_that_it_does_not_need(arguments: tuple[str, ...]) -> None:
    found = modules_of(*arguments, stdin=MESSAGE)
    assert "adapter.pipeline" in found
    assert found.isdisjoint(NEEDLESS)


def test_a_command_does_not_import_the_others() -> None:
    found = {name for name in modules_of("tables", "check") if name.startswith("adapter.cli.")}
    assert found == {"adapter.cli.tables", "adapter.cli.tables_work"}


def test_every_command_of_the_help_can_be_built() -> None:
    group = get_command(app)
    context = group.make_context("b2m-adapter", ["--version"], resilient_parsing=True)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        assert command is not None and command.name == name
