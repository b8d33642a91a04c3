"""Cold start: a whole process that converts one file of one message, from start to exit, by the wall clock.

Three processes take turns: an interpreter that does nothing, the yardstick as a script, and `b2m-adapter convert FILE`. The first
shows what the interpreter itself costs on this machine. Bytecode is kept between the runs, as it is where the program is
installed, whatever the environment says; compiling the sources anew would come on top of each start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import stream

HERE = Path(__file__).parent
RUNS = 15


def measure(runs: int = RUNS) -> dict[str, float]:
    """Measure the three processes.

    Parameters
    ----------
    runs : int
        Times each is started.

    Returns
    -------
    dict of str to float
        Median in seconds, by name.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one.hl7"
        file.write_bytes(next(stream.two_result_messages()).encode())
        commands = {
            "`python -c pass`": [sys.executable, "-c", "pass"],
            "yardstick as a script": [sys.executable, str(HERE / "yardstick.py"), str(file)],
            "`b2m-adapter convert FILE`": [str(command()), "convert", str(file)],
        }
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(runs + 1):
            for name, line in commands.items():
                start = perf_counter()
                subprocess.run(line, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                # the first round reads files from the disk
                if run:
                    times[name].append(perf_counter() - start)
    return {name: median(found) for name, found in times.items()}


def command() -> Path:
    """Give the installed `b2m-adapter` of this interpreter."""
    found = Path(sys.executable).parent / "b2m-adapter"
    if not found.exists():
        sys.exit(f"{found} is missing: install the project first (`make bench` does)")
    return found
