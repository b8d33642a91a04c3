"""Real output in hand-written pages: runs the commands of ```console blocks and puts what they print below them.

A block is a list of commands, each on a line that begins with `$ `; what follows until the next command is its output (standard
output and error). The commands of a page with `<!-- one shell -->` run in one shell (`shell_session.py`). A ```json block after
`<!-- observation of FILE -->` is the Observation that the filter makes of that file.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

from tools.shell_session import MARKER, told_in_one_shell

ROOT = Path(__file__).resolve().parents[1]
_CONSOLE = re.compile(r"(?<=```console\n).*?(?=^```)", re.S | re.M)
_OBSERVATION = re.compile(r"(<!-- observation of (\S+) -->\n```json\n).*?(^```)", re.S | re.M)
SECONDS = 60


def environment() -> dict[str, str]:
    """Give the environment of a reader, with the command on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}


def run(command: str) -> str:
    """Run a command line as a reader would, from the top folder."""
    (ROOT / "build").mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout.decode()


def _console(block: re.Match[str]) -> str:
    commands = [line[2:] for line in block[0].splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{_ended(run(command))}" for command in commands)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _observation(block: re.Match[str]) -> str:
    text = run(f"b2m-adapter convert --quiet --to ndjson --pretty {block[2]} 2>/dev/null")
    start = text.index('{\n  "resourceType": "Observation"')
    return block[1] + text[start : text.index("\n}\n", start) + 3] + block[3]


def refreshed(page: str) -> str:
    """Give a page with the output that its commands print now.

    Parameters
    ----------
    page : str
        Markdown.

    Returns
    -------
    str
        The page, its console and observation blocks renewed.
    """
    if MARKER in page:
        (ROOT / "build").mkdir(exist_ok=True)
        with (ROOT / "build" / "tutorial.lock").open("w") as lock:
            # the page works in one folder: one run at a time
            fcntl.flock(lock, fcntl.LOCK_EX)
            return told_in_one_shell(page, ROOT, environment())
    return _OBSERVATION.sub(_observation, _CONSOLE.sub(_console, page))
