"""The command line, in this process (`run`) or as a real one (`start`)."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import click
import pytest
from typer.main import get_command

from adapter.cli import app


@dataclass
class Run:
    """What a run of `b2m-adapter` left: exit status, lines of standard output, text of standard error."""

    status: int
    lines: list[bytes]
    stderr: str


@cache
def command_line() -> click.Command:
    """The command line as `app` makes it, which takes longer than most of what it is asked for here."""
    return get_command(app)


def run(*arguments: str | Path, stdin: bytes = b"") -> Run:
    """Run the command line in this process."""
    streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
    with patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]), pytest.raises(SystemExit) as ended:
        command_line()([str(argument) for argument in arguments])
    for stream in streams[1:]:
        stream.flush()
    output, errors = (stream.buffer.getvalue() for stream in streams[1:])
    return Run(ended.value.code, output.splitlines(), errors.decode())


def convert_command(*arguments: str | Path, stdin: bytes = b"") -> Run:
    return run("convert", *arguments, stdin=stdin)


def start(*arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
    """Start the command line as a process of its own, with pipes."""
    command = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(command, env=environment, **{**pipes, **options})


def issues_in(file: Path) -> list[dict]:
    """Rows of an issue file."""
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def slugs_in(file: Path) -> list[str]:
    return [row["slug"] for row in issues_in(file)]


def rejected_in(folder: Path) -> dict[bytes, dict]:
    """Bytes of each rejected message, and the reason beside it."""
    files = sorted(path for path in folder.iterdir() if not path.name.endswith(".reason.json"))
    return {path.read_bytes(): json.loads((path.parent / (path.name + ".reason.json")).read_bytes()) for path in files}
