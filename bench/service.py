"""The service under load, beside a bare server that only makes messages durable, one that does nothing, and a peer.

In rounds, so that all servers meet the same noise: each server is started, loaded over 1 and over 16 connections by the same
client (`load.py`, a process of its own), and stopped; medians over the rounds are printed, and ratios to the bare durable server.
Then the bare durable server and the adapter under a load that lasts (`SUSTAINED` seconds), and what is delivered meanwhile: a
burst says nothing on what happens when what runs behind the door may wait no longer.
Then: how fast messages of two results come out as files (from the first byte in to the last file), and how many requests a second
`/convert` answers. With `--soak N` instead: N messages through one service, and the memory of its processes meanwhile.

    python bench/service.py [--rounds 3] [--quick] [--soak 1000000]
"""

from __future__ import annotations

import argparse
import atexit
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
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
#: What has to hold: messages a second on 1 and 16 connections, share of the bare durable server, p99 in ms, end to end, HTTP.
ONE, SIXTEEN, SHARE, P99, END_TO_END, HTTP = 2_000, 8_000, 0.6, 20.0, 2_500, 2_500
#: Seconds under a load that lasts, and what the client has to send at most in a second.
SUSTAINED, MOST = 30, 40_000


class Figure(NamedTuple):
    """One load: messages a second, and times from request to answer in milliseconds."""

    rate: float
    p50: float
    p99: float


class Server(NamedTuple):
    """A server that can be started: its name, and what to run (`PORT` and `FOLDER` stand for both)."""

    name: str
    command: tuple[str, ...]


def servers() -> list[Server]:
    """All servers that can run here."""
    bare = str(HERE / "bare_servers.py")
    found = [
        Server("bare asyncio, answers at once, keeps nothing", (sys.executable, bare, "echo", "PORT")),
        Server("bare asyncio, one SQLite transaction a turn", (sys.executable, bare, "enqueue", "PORT", "FOLDER")),
        Server(
            "b2m-adapter serve",
            (*ADAPTER, "--mllp", "PORT", "--http", "off", "--spool", "FOLDER/spool", "--to-folder", "FOLDER/out"),
        ),
    ]
    bridge = shutil.which("hl7v2-fhir-bridge", path=str(Path(sys.executable).parent))
    if bridge is None:
        print("hl7v2-fhir-bridge is not installed: its row is missing")
    else:
        found.append(
            Server("hl7v2-fhir-bridge serve, to files, not durable", (bridge, "serve", "--port", "PORT", "--out", "FOLDER/out"))
        )
    return found


ADAPTER = (sys.executable, "-m", "adapter.cli", "serve", "--log-level", "warning")


@contextlib.contextmanager
def running(command: tuple[str, ...]) -> Iterator[tuple[int, Path, int]]:
    """Start a server on a free port in a new folder; give port, folder and process.

    The folder goes at the end of the program only: ext4 passes over inodes that were freed in the last minutes, one by one, so
    that whoever makes files after many were removed pays 100 us for each.
    """
    name = tempfile.mkdtemp(prefix="b2m-bench-")
    atexit.register(shutil.rmtree, name, ignore_errors=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        folder = Path(name)
        (folder / "out").mkdir()
        words = [word.replace("PORT", str(port)).replace("FOLDER", name) for word in command]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            for _ in range(1500):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text()[-2000:])
                time.sleep(0.02)
            # whatever a server still has to load after it listens
            time.sleep(1.5)
            yield port, folder, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def load(protocol: str, port: int, connections: int, count: int, seconds: float = 0) -> Figure:
    """Load a server with the client in its own process; with seconds only so long."""
    command = [
        sys.executable,
        str(HERE / "load.py"),
        protocol,
        str(port),
        "--connections",
        str(connections),
        "--messages",
        str(count),
        "--seconds",
        str(seconds),
    ]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} of {count} messages were refused")
    return Figure(found["messages"] / found["seconds"], found["p50"], found["p99"])


def acknowledgements(rounds: int, one: int, sixteen: int) -> dict[str, tuple[list[Figure], list[Figure]]]:
    """Load all servers in turns."""
    figures: dict[str, tuple[list[Figure], list[Figure]]] = {server.name: ([], []) for server in servers()}
    for _ in range(rounds):
        for server in servers():
            slow = "bridge" in server.name
            with running(server.command) as (port, _folder, _pid):
                figures[server.name][0].append(load("mllp", port, 1, one // 10 if slow else one))
                figures[server.name][1].append(load("mllp", port, 16, sixteen // 20 if slow else sixteen))
    return figures


class Sustained(NamedTuple):
    """A load that lasts: the figures of the bare durable server and of the adapter, files delivered a second meanwhile."""

    bare: Figure
    adapter: Figure
    delivered: float


def sustained(connections: int, seconds: float) -> Sustained:
    """Load both servers for so long."""
    _, bare, adapter = servers()[:3]
    most = int(MOST * seconds) if connections > 1 else int(MOST * seconds / 4)
    with running(bare.command) as (port, _folder, _pid):
        first = load("mllp", port, connections, most, seconds)
    with running(adapter.command) as (port, folder, _pid):
        second = load("mllp", port, connections, most, seconds)
        return Sustained(first, second, _files(folder / "out") / seconds)


def end_to_end(count: int, processes: int) -> float:
    """Messages a second from the first byte received to the last file written."""
    command = (*ADAPTER, "--mllp", "PORT", "--http", "off", "--spool", "FOLDER/spool", "--to-folder", "FOLDER/out")
    with running((*command, "--processes", str(processes))) as (port, folder, _pid):
        began = time.perf_counter()
        load("mllp", port, 16, count)
        while _files(folder / "out") < count:
            time.sleep(0.02)
            if time.perf_counter() - began > 600:
                raise RuntimeError("not everything was delivered")
        return count / (time.perf_counter() - began)


def http(count: int, workers: int) -> Figure:
    """Requests a second of `/convert` on 16 connections."""
    command = (*ADAPTER, "--mllp", "off", "--http", "PORT", "--spool", "FOLDER/spool", "--to-folder", "FOLDER/out")
    os.environ["B2M_ADAPTER_HTTP__WORKERS"] = str(workers)
    try:
        with running(command) as (port, _folder, _pid):
            load("http", port, 16, 200)
            return load("http", port, 16, count)
    finally:
        del os.environ["B2M_ADAPTER_HTTP__WORKERS"]


def soak(count: int, step: int) -> list[tuple[int, float, dict[str, float]]]:
    """Memory (proportional share, MB) of each process of one service while many messages pass; output goes to standard output."""
    command = (*ADAPTER, "--mllp", "PORT", "--http", "off", "--spool", "FOLDER/spool", "--to-stdout")
    rows = []
    with running(command) as (port, folder, pid):
        for done in range(step, count + 1, step):
            began = time.perf_counter()
            load("mllp", port, 16, step)
            while _lines(folder) < done:
                time.sleep(0.1)
            rows.append((done, step / (time.perf_counter() - began), _memory(pid)))
            print(
                f"{done:,}: {rows[-1][1]:,.0f}/s, {', '.join(f'{name} {size:.0f} MB' for name, size in rows[-1][2].items())}",
                flush=True,
            )
            # nobody needs what was written; the disk would fill
            _shorten(folder)
    return rows


_counted = 0


def _lines(folder: Path) -> int:
    with (folder / "log").open("rb") as log:
        return _counted + sum(block.count(b"\n") for block in iter(lambda: log.read(2**20), b""))


def _shorten(folder: Path) -> None:
    global _counted
    _counted = _lines(folder)
    os.truncate(folder / "log", 0)


def _files(folder: Path) -> int:
    with os.scandir(folder) as found:
        return sum(1 for one in found if one.name.endswith(".json"))


def _memory(pid: int) -> dict[str, float]:
    found = {"supervisor": _share(pid)}
    for child in _children(pid):
        converters = _children(child)
        found["engine"] = _share(child)
        found["converters"] = sum(_share(one) for one in converters)
    return found


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _share(pid: int) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def report(figures: dict[str, tuple[list[Figure], list[Figure]]]) -> list[str]:
    """Rows of a table: medians over the rounds."""
    bare = figures[servers()[1].name]
    lines = [
        "| server | 1 connection, msgs/s | p50 | p99 ms | ratio | 16 connections, msgs/s | p50 | p99 ms | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, both in figures.items():
        cells = []
        for mine, theirs in zip(both, bare, strict=True):
            ratio = median(one.rate / other.rate for one, other in zip(mine, theirs, strict=True))
            p50, p99 = median(one.p50 for one in mine), median(one.p99 for one in mine)
            cells.append(f"{median(one.rate for one in mine):,.0f} | {p50:.2f} | {p99:.2f} | {ratio:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def sustained_report(lasting: dict[int, list[Sustained]]) -> list[str]:
    """Rows of a table: medians over the rounds."""
    lines = [
        "\n| connections | bare durable, msgs/s | b2m-adapter serve, msgs/s | p99 ms | ratio | delivered meanwhile, msgs/s |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for connections, rounds in lasting.items():
        bare, mine = median(one.bare.rate for one in rounds), median(one.adapter.rate for one in rounds)
        p99, delivered = median(one.adapter.p99 for one in rounds), median(one.delivered for one in rounds)
        lines.append(f"| {connections} | {bare:,.0f} | {mine:,.0f} | {p99:.2f} | {_share_of(rounds):.2f} | {delivered:,.0f} |")
    return lines


def _share_of(rounds: list[Sustained]) -> float:
    return median(one.adapter.rate / one.bare.rate for one in rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--soak", type=int, default=0, metavar="N")
    options = parser.parse_args()
    if options.soak:
        soak(options.soak, min(options.soak, 50_000))
        return 0
    part = 10 if options.quick else 1
    figures = acknowledgements(options.rounds, 10_000 // part, 80_000 // part)
    print(*report(figures), sep="\n", flush=True)
    mine, bare = figures["b2m-adapter serve"], figures[servers()[1].name]
    lasting = {connections: [sustained(connections, SUSTAINED / part) for _ in range(options.rounds)] for connections in (1, 16)}
    print(*sustained_report(lasting), sep="\n", flush=True)
    whole = median(end_to_end(20_000 // part, 2) for _ in range(options.rounds))
    requests = [http(20_000 // part, 2) for _ in range(options.rounds)]
    verdicts = [
        ("durable ACK, 1 connection, msgs/s", median(one.rate for one in mine[0]), ONE, True),
        ("durable ACK, 16 connections, msgs/s", median(one.rate for one in mine[1]), SIXTEEN, True),
        ("p99, 1 connection, ms", median(one.p99 for one in mine[0]), P99, False),
        ("p99, 16 connections, ms", median(one.p99 for one in mine[1]), P99, False),
        ("share of the bare durable server, 1 connection", _ratio(mine[0], bare[0]), SHARE, True),
        ("share of the bare durable server, 16 connections", _ratio(mine[1], bare[1]), SHARE, True),
        ("the same under a load that lasts, 1 connection", _share_of(lasting[1]), SHARE, True),
        ("the same under a load that lasts, 16 connections", _share_of(lasting[16]), SHARE, True),
        ("end to end into a folder, msgs/s", whole, END_TO_END, True),
        ("HTTP convert, 16 connections, requests/s", median(one.rate for one in requests), HTTP, True),
    ]
    print("\n| figure | measured | limit | |\n|---|---:|---:|---|")
    good = True
    for what, measured, limit, least in verdicts:
        holds = measured >= limit if least else measured <= limit
        good &= holds
        print(f"| {what} | {measured:,.2f} | {'at least' if least else 'at most'} {limit:g} | {'holds' if holds else 'MISSED'} |")
    return 0 if good else 1


def _ratio(mine: list[Figure], theirs: list[Figure]) -> float:
    return median(one.rate / other.rate for one, other in zip(mine, theirs, strict=True))


if __name__ == "__main__":
    sys.exit(main())
