"""A service of its own in a temporary folder, and what can be seen of it from outside: answers, spool, outputs, memory.

`with Service() as service:` starts `b2m-adapter serve` on loopback ports that are free, and stops it at the end; a service that
does not stop with status 0 is a fault. Messages are told by their digest, which the spool and the names of the outputs show.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from tools.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START, END = b"\x0b", b"\x1c\r"
FINISHED = {"delivered", "rejected", "unselected", "dropped", "dead"}


def result(control_id: str, results: int = 1) -> bytes:
    """A message with as many results as asked for, each with a value of its own."""
    header = (
        f"MSH|^~\\&|OUTSIDE^2.999.1^ISO|TEST LABORATORY^2.999.2^ISO|RECEIVER|TEST|20260113102030+0000||ORU^R01^ORU_R01|"
        f"{control_id}|P|2.5.1||||||UNICODE UTF-8\r"
        f"PID|1||T{control_id}^^^TEST&2.999.3&ISO^MR||PATIENT^TEST||19600101|F\r"
        f"OBR|1|P{control_id}^TESTEHR^2.999.4^ISO|F{control_id}^OUTSIDE^2.999.1^ISO|1952-1^B2M^LN|||20260113080000+0000"
        "|||||||||||||||20260113101500+0000||LAB|F\r"
    )
    lines = [
        f"OBX|{number + 1}|NM|1952-1^B2M^LN|{number + 1}|1.{number:02d}|mg/L|0.8-2.2||||F|||20260113080000+0000\r"
        for number in range(results)
    ]
    return (header + "".join(lines) + "SPM|1|||119364003^Serum^SCT\r").encode()


def digest(data: bytes) -> str:
    """As `spool list` and the names of outputs show it."""
    return sha256(data).hexdigest()[:16]


def acknowledged(answer: bytes) -> list[tuple[str, str]]:
    """Code and control id of every acknowledgement in an answer."""
    text = answer.replace(b"\0", b"").decode("latin-1").replace("\n", "\r")
    rows = [line.split("|") for line in text.split("\r") if line.lstrip("\x0b").startswith("MSA|")]
    return [(row[1], row[2]) for row in rows if len(row) > 2]


def accepted(*messages: bytes) -> list[tuple[str, str]]:
    """What `acknowledged` gives where each of these was taken, in this order."""
    return [("AA", data.split(b"|", 10)[9].decode()) for data in messages]


def exchange(port: int, data: bytes, *, seconds: float = 10) -> bytes:
    """Send a message in a frame and give its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(START + data + END)
        answer = b""
        while END not in answer:
            more = connection.recv(65536)
            if not more:
                raise ConnectionError("closed without an answer")
            answer += more
    return answer


class Service:
    """The service.

    Parameters
    ----------
    settings : str
        More lines of TOML.
    mllp, http : str
        More lines of the sections `[mllp]` and `[http]`.
    token : str
        Bearer token of the HTTP door; empty: none.
    """

    def __init__(self, settings: str = "", *, mllp: str = "", http: str = "", token: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="service-"))
        self.mllp, self.http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http}"
        self.out = self.folder / "out"
        self.headers = {"authorization": f"Bearer {token}"} if token else {}
        http += f'\ntoken = "{token}"' if token else ""
        (self.folder / "adapter.toml").write_text(
            f"[mllp]\nport = {self.mllp}\n{mllp}\n[http]\nport = {self.http}\n{http}\n"
            f'[spool]\nfolder = "{self.folder / "spool"}"\n'
            f'[[delivery]]\nname = "folder"\nkind = "folder"\nfolder = "{self.out}"\n{settings}\n'
        )

    def __enter__(self) -> Service:
        command = [sys.executable, "-m", "adapter.cli", "serve", "--config", str(self.folder / "adapter.toml")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, cwd=ROOT)
        try:
            self.until(lambda: self.get("/ready") and any(row["event"] == "engine-started" for row in self.logged()))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            print(self.log.read_text()[-4000:], file=sys.stderr)
        status = self._end()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and status:
            raise AssertionError(f"the service ended with status {status}")

    def _end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def logged(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def faults(self) -> list[str]:
        """Log lines that tell of a fault of the program; whatever a client does, there must be none."""
        told = [json.dumps(row) for row in self.logged() if row["level"] == "error" or "fault" in row]
        return told + [line for line in self.log.read_text().splitlines() if line and not line.startswith("{")]

    def until(self, holds: Callable[[], object], seconds: float = 30) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if holds():
                    return
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended with status {self.process.returncode}")
            time.sleep(0.05)
        raise AssertionError(f"did not come about within {seconds} s")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=self.headers), timeout=10) as answer:
            return bytes(answer.read())

    def processes(self) -> list[int]:
        """The supervisor and everything below it."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                found += [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def memory(self) -> dict[int, int]:
        """Memory of each process in bytes: its own pages, and its part of the shared ones (Pss)."""
        sizes = {}
        for pid in self.processes():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                sizes[pid] = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return sizes

    def spool(self) -> list[dict[str, str]]:
        """What stands in the spool, as the command shows it."""
        command = [sys.executable, "-m", "adapter.cli", "spool", "list", "--json", "--limit", "0"]
        listed = subprocess.run([*command, "--spool", str(self.folder / "spool")], capture_output=True, check=True, cwd=ROOT)
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def settled(self, seconds: float = 120) -> list[dict[str, str]]:
        """Wait until every message is finished; give them."""
        rows: list[dict[str, str]] = []

        def done() -> bool:
            rows[:] = self.spool()
            return all(row["state"] in FINISHED for row in rows)

        self.until(done, seconds)
        return rows

    def outputs(self) -> dict[str, list[Path]]:
        """Files that were delivered, by digest of the message; every name that is not whole is a fault."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.out.iterdir()) if self.out.exists() else ():
            assert not path.name.startswith("."), f"something partial stays: {path.name}"
            found.setdefault(path.name.split(".")[0].split("-")[1], []).append(path)
        return found

    def check_delivered(self, messages: dict[bytes, int]) -> None:
        """Check that each of these messages is in the spool and was delivered once, whole.

        Parameters
        ----------
        messages : dict of bytes to int
            Messages that were acknowledged, and how many results each holds.
        """
        rows = self.settled()
        states = {row["digest"]: row["state"] for row in rows}
        outputs = self.outputs()
        for data, results in messages.items():
            control_id = data.split(b"|", 10)[9].decode("latin-1")
            assert states.get(digest(data)) == "delivered", (
                f"{control_id} was acknowledged; its state is {states.get(digest(data))}"
            )
            paths = outputs.get(digest(data), [])
            assert len(paths) == 1, f"{control_id} was delivered {len(paths)} times"
            bundle = json.loads(paths[0].read_bytes(), parse_float=str)
            kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
            assert kinds.count("Observation") == results, f"{control_id} has {kinds.count('Observation')} of {results} results"
        delivered = sum(row["state"] == "delivered" for row in rows)
        files = [path for paths in outputs.values() for path in paths]
        assert len(files) == delivered, f"{delivered} messages are delivered, {len(files)} files are there"
        for path in files:
            text = path.read_bytes()
            assert text.endswith(b"}\n"), f"{path.name} is not whole"
            json.loads(text)


def user_time(pids: list[int]) -> float:
    """Processor seconds of processes."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
