"""Generated messages, replayed twice by the program and through a running service: times, and are all results the same?

    python bench/replay.py [--count 10000]

Exit status 1 when two runs do not say the same of every message. The page is written for an unchanged run and for one in which
the time zone changes most messages (without a manifest, so that no time goes into the search for causes).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.ports import free_port

COMMAND = [sys.executable, "-m", "adapter.cli"]
LIMIT = 10_000_000


def timed(*arguments: object, **options: Any) -> tuple[float, subprocess.CompletedProcess[bytes]]:
    started = time.perf_counter()
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, check=False, **options)
    return time.perf_counter() - started, done


def said(report: Path) -> tuple[Any, Any]:
    """What a run says of every message and every result."""
    data = json.loads(report.read_text())
    return data["messages"], data["courses"]


def latencies(report: Path) -> str:
    found = json.loads(report.read_text())["against"]["latencies"]
    return ", ".join(f"{name} {one / 1_000_000:.1f}" for name, one in found.items())


@contextlib.contextmanager
def service(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a service; gives its HTTP and MLLP addresses."""
    http, mllp, log = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", folder / "service.log"
    options = ["--http", http, "--mllp", mllp, "--spool", folder / "spool", "--to-folder", folder / "out"]
    with log.open("wb") as errors:
        process = subprocess.Popen([*COMMAND, "serve", *map(str, options)], stderr=errors)
    try:
        ready = False
        while not ready:
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://{http}/ready", timeout=5).close()
                ready = "engine-started" in log.read_text()
        yield f"http://{http}", mllp
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main() -> int:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        messages = folder / "messages"
        messages.mkdir()
        with (messages / "feed.hl7").open("wb") as feed:
            subprocess.run([*COMMAND, "generate", "--seed", "7", "--count", str(count)], stdout=feed, check=True)
        rows: list[tuple[str, float, str]] = []
        reports: list[Path] = []

        def replayed(title: str, *options: object, through: bool = False) -> None:
            report = folder / f"{len(reports)}.json"
            seconds, done = timed("replay", messages, "--json", report, *options)
            if done.returncode != 0:
                raise SystemExit((done.stdout + done.stderr).decode()[-2000:])
            reports.append(report)
            rows.append((title, seconds, f"answers (ms): {latencies(report)}" if through else ""))

        rows.append(("accept (`--update`)", timed("replay", "--update", messages)[0], ""))
        replayed("replay")
        replayed("replay again, `--html`", "--html", folder / "same.html")
        with service(folder) as (http, mllp):
            replayed("`--against` HTTP, 4 connections", "--against", http, "--connections", 4, through=True)
            replayed(
                "`--against` MLLP, 4 connections",
                "--against",
                mllp,
                "--connections",
                4,
                "--results",
                folder / "out",
                through=True,
            )
        (messages / "replay.manifest.json.gz").unlink()
        seconds, done = timed("replay", messages, "--timezone", "Europe/Berlin", "--html", folder / "changed.html")
        rows.append(("another time zone, `--html`", seconds, done.stdout.decode().splitlines()[-1]))
        same = all(said(report) == said(reports[0]) for report in reports[1:])
        sizes = {page: (folder / page).stat().st_size for page in ("same.html", "changed.html")}
    print(f"| {count} messages | seconds | |\n|---|---:|---|")
    for title, seconds, note in rows:
        print(f"| {title} | {seconds:.1f} | {note} |")
    print(f"\nPage: {sizes['same.html']} bytes unchanged, {sizes['changed.html']} bytes changed (limit {LIMIT}).")
    print(f"All runs say {'the same' if same else 'DIFFERENT THINGS'} of every message and result.")
    return 0 if same and max(sizes.values()) < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
