r"""A tutorial's commands in one shell, as a reader types them: variables, folders and jobs in the background live on.

A page that bears `<!-- one shell -->` is run so, from the top folder. It may name more in comments:

    <!-- ports 2575 8575 -->       these ports are replaced by free ones where the commands run, and shown as written
    <!-- varies '\d+\.\d\d ms' as '… ms' -->   output that differs from run to run, and how it is shown
    <!-- file build/a.hl7 -->      the block behind this comment is written into the file before the next command
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from tools.ports import free_port

MARKER = "<!-- one shell -->"
_PORTS = re.compile(r"<!-- ports ([\d ]+) -->")
_VARIES = re.compile(r"<!-- varies '(.+?)' as '(.*?)' -->")
_PART = re.compile(
    r"<!-- file (?P<file>\S+) -->\n```\w*\n(?P<content>.*?)^```|(?<=```console\n)(?P<console>.*?)(?=^```)", re.S | re.M
)
_END = "\x01end of command\x01"


class Session:
    """One bash that runs commands one after the other.

    Parameters
    ----------
    folder : Path
        Where it starts.
    environment : mapping of str to str
        Its environment.
    seconds : int
        How long all commands together may take.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], seconds: int) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.start()

    def run(self, command: str) -> str:
        """Run a command and give what it prints; `$?` of it is there for the next one."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{command}\n_status=$?; printf '\\n{_END}\\n'; (exit $_status)\n".encode())
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            if line.decode().rstrip("\n") == _END:
                return "".join(lines).removesuffix("\n")
            lines.append(line.decode())
        raise RuntimeError(f"the shell ended or took too long at: {command}\n{''.join(lines)}")

    def close(self) -> None:
        """End the shell and what it left in the background."""
        self._timer.cancel()
        self._kill()
        self._bash.wait()

    def _kill(self) -> None:
        if self._bash.poll() is None:
            os.killpg(self._bash.pid, signal.SIGKILL)


def told_in_one_shell(page: str, folder: Path, environment: Mapping[str, str], seconds: int = 300) -> str:
    """Run the commands of a page and put what they print below them.

    Parameters
    ----------
    page : str
        Markdown.
    folder : Path
        Where the shell starts; files are seen from it.
    environment : mapping of str to str
        Of the shell.
    seconds : int
        How long the whole page may take.

    Returns
    -------
    str
        The page with its output renewed.
    """
    shown = [port for ports in _PORTS.findall(page) for port in ports.split()]
    ports = {port: str(free_port()) for port in shown}
    varies = [(re.compile(pattern), text) for pattern, text in _VARIES.findall(page)]
    session = Session(folder, environment, seconds)

    def one(command: str) -> str:
        for port, used in ports.items():
            command = re.sub(rf"\b{port}\b", used, command)
        output = session.run(command)
        for port, used in ports.items():
            output = re.sub(rf"\b{used}\b", port, output)
        for pattern, text in varies:
            output = pattern.sub(text, output)
        return output if not output or output.endswith("\n") else output + "\n"

    def part(found: re.Match[str]) -> str:
        if found["file"]:
            _write(folder / found["file"], found["content"])
            return found[0]
        commands = [line[2:] for line in found["console"].splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{one(command)}" for command in commands)

    try:
        return _PART.sub(part, page)
    finally:
        session.close()


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
