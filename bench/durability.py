"""kill -9 at random points under load: nothing that was acknowledged is lost, nothing is delivered twice, order is kept.

A service (`b2m-adapter serve`) receives results over MLLP and delivers to a FHIR server. Every patient has orders, and every
order comes first final, then corrected several times, one after the other over one connection. Meanwhile a process of the service
is killed again and again: the supervisor (then the whole service is started again), the engine, a converter, an HTTP worker. A
sender whose connection breaks sends the message again that was not acknowledged, as an interface engine does. At the end the
server is asked:

- each acknowledged message has its Provenance there (its id is made from the message);
- each result is there once, with the value of the last message of its order;
- the history of each result has the values in the order they were sent, none twice.

    python bench/durability.py --server http://127.0.0.1:8090/fhir --kills 200
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables
from tools.ports import free_port

VERSIONS = 4
START, END = b"\x0b", b"\x1c\r"
#: status of a service that cannot start
BROKEN = 3


def message(patient: int, order: int, version: int) -> bytes:
    """One result of one order of one patient; the value tells which: order number and version."""
    status = "F" if version == 0 else "C"
    moment = f"202601{1 + version:02d}120000+0000"
    return (
        f"MSH|^~\\&|KILLTEST^2.999.1^ISO|TEST LABORATORY^2.999.2^ISO|RECEIVER|TEST|{moment}||ORU^R01^ORU_R01|"
        f"K{patient}-{order}-{version}|P|2.5.1||||||UNICODE UTF-8\r"
        f"PID|1||K{patient:05d}^^^TEST&2.999.3&ISO^MR||PATIENT^TEST||19600101|F\r"
        f"OBR|1|P{patient}-{order}^TESTEHR^2.999.4^ISO|F{patient}-{order}^KILLTEST^2.999.1^ISO|1952-1^B2M^LN|||20260101080000+0000"
        f"|||||||||||||||{moment}||LAB|{status}\r"
        f"OBX|1|NM|1952-1^B2M^LN||{order}.{version:02d}|mg/L|0.8-2.2||||{status}|||20260101080000+0000||||||||TEST LABORATORY\r"
        "SPM|1|||119364003^Serum^SCT\r"
    ).encode()


class Expected:
    """What the server must hold for a message: the address of its Provenance, from a conversion of our own."""

    def __init__(self) -> None:
        self._pipeline = Pipeline(load_tables(), Settings(to="transaction"))

    def provenance(self, data: bytes) -> str:
        (line,) = self._pipeline(RawMessage("er7", data, 0)).lines
        (found,) = [
            entry["request"]["url"] for entry in json.loads(line)["entry"] if entry["resource"]["resourceType"] == "Provenance"
        ]
        return str(found).removeprefix("Provenance/")


@dataclass
class Load:
    """The senders of a run, and what they were told."""

    port: int
    seed: int
    connections: int
    pause: float
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: list[tuple[int, int, int]] = field(default_factory=list)
    sent: set[tuple[int, int, int]] = field(default_factory=set)
    resent: int = 0
    faults: list[str] = field(default_factory=list)

    def run(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._sender, args=(number,), daemon=True) for number in range(self.connections)]
        for thread in threads:
            thread.start()
        return threads

    def _sender(self, number: int) -> None:
        """Send as `_send`; a fault ends the thread, and must not pass for silence."""
        try:
            self._send(number)
        except Exception as failure:
            self.faults.append(f"a sender ended: {type(failure).__name__}: {failure}")

    def _send(self, number: int) -> None:
        """Messages of the patients of one connection, each sent until it is acknowledged."""
        stream = self._messages(number)
        connection: socket.socket | None = None
        current = next(stream)
        again = False
        while True:
            try:
                if connection is None:
                    connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                with self.lock:
                    self.sent.add(current)
                    self.resent += again
                again = True
                connection.sendall(START + message(*current) + END)
                answer = b""
                while END not in answer:
                    more = connection.recv(65536)
                    if not more:
                        raise ConnectionError("closed")
                    answer += more
            except OSError:
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(0.05)
                if self.stop.is_set():
                    return
                continue
            control_id = "K{}-{}-{}".format(*current)
            fields = answer.split(b"MSA|")[1].split(b"\r")[0].split(b"|")
            if fields[1].decode() != control_id:
                self.faults.append(f"the answer to {control_id} is for another message")
                return
            if fields[0] != b"AA":
                time.sleep(0.1)
                continue
            with self.lock:
                self.acknowledged.append(current)
            again = False
            if self.stop.is_set():
                connection.close()
                return
            current = next(stream)
            time.sleep(self.pause)

    def _messages(self, number: int) -> Iterator[tuple[int, int, int]]:
        """Patients of this connection in turns; the versions of an order one after the other, other orders between them."""
        dice = random.Random(self.seed * 1000 + number)
        order = 0
        while True:
            waiting = [(number * 100_000 + 4 * order + patient, 1 + patient, 0) for patient in range(4)]
            order += 1
            while waiting:
                index = dice.randrange(len(waiting))
                patient, which, version = waiting[index]
                yield patient, which, version
                if version + 1 < VERSIONS:
                    waiting[index] = (patient, which, version + 1)
                else:
                    del waiting[index]


class Service:
    """`b2m-adapter serve` under test, and what may be killed of it."""

    def __init__(self, folder: Path, server: str, port: int, processes: int = 1) -> None:
        self.folder = folder
        self.config = folder / "adapter.toml"
        self.config.write_text(
            f'[mllp]\nport = {port}\n[http]\nport = 0\n[spool]\nfolder = "{folder / "spool"}"\n'
            f"[convert]\nprocesses = {processes}\n"
            f'[[delivery]]\nname = "server"\nkind = "fhir-server"\nurl = "{server}"\n'
            "retry_seconds = 0.1\nretry_limit_seconds = 2\n"
        )
        self.port = port
        self.log = (folder / "service.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and again where it says that it cannot, as a service manager does.

        The processes of a supervisor that was killed keep the lock of the spool until they have ended; on a busy machine that
        takes longer than the next service waits for it.
        """
        command = [sys.executable, "-m", "adapter.cli", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self.process.poll() == BROKEN:
                self.process = subprocess.Popen(command, stderr=self.log, stdout=subprocess.DEVNULL)
            elif self.process.returncode is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}; see {self.folder / 'service.log'}")
            time.sleep(0.02)
        raise RuntimeError("the service does not listen")

    def kill(self, dice: random.Random) -> str:
        """Kill one process of the service, chosen by chance; give its kind."""
        assert self.process is not None
        victims = {"supervisor": self.process.pid}
        for child in _children(self.process.pid):
            kind = "engine" if _children(child) else "worker"
            victims[f"{kind}-{child}"] = child
            victims.update({f"converter-{one}": one for one in _children(child)})
        name = dice.choice(sorted(victims, key=lambda one: (one != "supervisor", one)))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victims[name], signal.SIGKILL)
        if name == "supervisor":
            self.process.wait()
            self.start()
        return name.split("-")[0]

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(90)


def _children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    names = {int(one): _command(int(one)) for one in found}
    return [one for one, command in names.items() if "resource_tracker" not in command]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def waiting(spool: Path) -> int:
    """Messages in the spool that are not delivered yet, as the command says."""
    command = [
        sys.executable,
        "-m",
        "adapter.cli",
        "spool",
        "list",
        "--spool",
        str(spool),
        "--json",
        "--state",
        "received",
        "--state",
        "waiting",
    ]
    out = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return sum(1 for line in out.splitlines() if line.strip())


def resources(server: str, kind: str) -> Iterator[dict[str, Any]]:
    """All resources of a type, page by page."""
    url: str | None = f"{server}/{kind}?_count=200"
    while url:
        page = _get(url)
        yield from (entry["resource"] for entry in page.get("entry", ()))
        url = next((link["url"] for link in page.get("link", ()) if link["relation"] == "next"), None)


def _get(url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Accept": "application/fhir+json", "Cache-Control": "no-cache"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer, parse_float=str)
        return found


def judge(load: Load, server: str, *, history: bool) -> list[str]:
    """Compare what the senders were told with what the server holds; give what is wrong."""
    wrong = list(load.faults)
    expected = Expected()
    there = {resource["id"] for resource in resources(server, "Provenance")}
    lost = [one for one in set(load.acknowledged) if expected.provenance(message(*one)) not in there]
    wrong += [f"acknowledged and not delivered: {len(lost)} messages, such as {lost[:3]}"] if lost else []
    known = {expected.provenance(message(*one)) for one in load.sent}
    wrong += [f"{len(there - known)} Provenances of messages that nobody sent"] if there - known else []
    last: dict[tuple[int, int], int] = {}
    for patient, order, version in load.acknowledged:
        last[patient, order] = max(last.get((patient, order), -1), version)
    # what was sent last may have arrived without its acknowledgement
    possible = defaultdict(set)
    for patient, order, version in load.sent:
        if version >= last.get((patient, order), 0):
            possible[patient, order].add(version)
    patients = {f"Patient/{one['id']}": int(one["identifier"][0]["value"][1:]) for one in resources(server, "Patient")}
    if len(set(patients.values())) != len(patients):
        wrong.append("a patient is there twice")
    found: Counter[tuple[int, int]] = Counter()
    for one in resources(server, "Observation"):
        order, version = (int(part) for part in str(one["valueQuantity"]["value"]).split("."))
        # a server may store 1.10 as 1.1; versions are below 10, so the second digit tells
        key = (patients[one["subject"]["reference"]], order)
        found[key] += 1
        if version not in possible[key]:
            wrong.append(f"{key} stands at version {version}, acknowledged was {last.get(key)}")
        if history:
            versions = [
                int(str(entry["resource"]["valueQuantity"]["value"]).split(".")[1])
                for entry in reversed(_get(f"{server}/Observation/{one['id']}/_history?_count=50")["entry"])
            ]
            if versions != sorted(set(versions)):
                wrong.append(f"{key} had versions {versions}")
    wrong += [f"{key} is there {count} times" for key, count in found.items() if count > 1]
    wrong += [f"{key} is not there" for key in last if not found[key]]
    return wrong


def run(
    server: str,
    kills: int,
    *,
    seed: int = 1,
    connections: int = 4,
    rate: float = 15,
    longest_wait: float = 4.0,
    history: bool = True,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Run the whole, with about `rate` messages a second and at most `longest_wait` seconds between kills; give what is wrong."""
    dice = random.Random(seed)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), server, port)
        service.start()
        load = Load(port, seed, connections, connections / rate)
        threads = load.run()
        killed: Counter[str] = Counter()
        began = time.monotonic()
        for number in range(kills):
            time.sleep(dice.uniform(0.05, longest_wait))
            killed[service.kill(dice)] += 1
            if (number + 1) % 20 == 0:
                seconds = time.monotonic() - began
                say(f"{number + 1} kills, {len(load.acknowledged)} acknowledged, {load.resent} sent again, {seconds:.0f} s")
        load.stop.set()
        for thread in threads:
            thread.join(60)
        load.faults += [f"{thread.name} did not end" for thread in threads if thread.is_alive()]
        left = waiting(Path(folder) / "spool")
        until = time.monotonic() + 1200
        while left and time.monotonic() < until:
            time.sleep(1)
            left = waiting(Path(folder) / "spool")
        status = service.stop()
        wrong = [] if not left else [f"{left} messages are still in the spool"]
        wrong += [] if status == 0 else [f"the service ended with {status}"]
        wrong += judge(load, server, history=history)
        if not load.acknowledged:
            wrong.append("nothing was acknowledged: the run shows nothing")
        say(
            f"{kills} kills ({', '.join(f'{count} {name}' for name, count in sorted(killed.items()))}), "
            f"{len(set(load.acknowledged))} messages acknowledged, {load.resent} sent again, {len(wrong)} wrong"
        )
        if wrong:
            say((Path(folder) / "service.log").read_text()[-3000:])
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=15, help="messages a second; a server that is slower makes the end longer")
    parser.add_argument("--no-history", action="store_true", help="for servers that keep no history")
    options = parser.parse_args()
    wrong = run(
        options.server,
        options.kills,
        seed=options.seed,
        connections=options.connections,
        rate=options.rate,
        history=not options.no_history,
    )
    for line in wrong[:50]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
