"""Peak memory of the real filter on a long stream that comes through a pipe.

The stream is generated while it is read, every message a new one, so that memos and buffers meet what a feed would bring. The
peak is the largest resident set of the filter's process as the operating system counted it (`wait4`), without any child of it.

Linux hands that figure down: a program starts with the peak of the process that started it (fork, and then exec keeps the larger
one). So a small process stands between, or the peak would be that of whoever measures.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from time import perf_counter

import stream
from cold_start import command

BATCH = 100
#: Starts the program that it is given, with its own standard input; tells its exit status and its peak in kB.
_STARTER = """
import os, sys
silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
started = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(started, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Result of the long run.

    Parameters
    ----------
    peak : float
        Largest resident set, in MB (10^6 bytes).
    size, messages : int
        What went in: bytes and messages.
    seconds : float
        Wall clock of the run, the generator beside it on another core.
    status : int
        Exit status of the filter.
    """

    peak: float
    size: int
    messages: int
    seconds: float
    status: int


def measure(size: int) -> Memory:
    """Send a stream through `b2m-adapter convert`.

    Parameters
    ----------
    size : int
        Bytes to send, rounded up to whole messages.

    Returns
    -------
    Memory
        Peak and what went in.
    """
    start = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _STARTER, str(command()), "convert"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None
    sent = count = 0
    source = stream.messages()
    with process.stdin as pipe:
        while sent < size:
            batch = b"".join([stream.framed(next(source)) for _ in range(BATCH)])
            pipe.write(batch)
            sent += len(batch)
            count += BATCH
    with process.stdout as told:
        status, peak = map(int, told.read().split())
    process.wait()
    return Memory(peak * 1024 / 1e6, sent, count, perf_counter() - start, status)
