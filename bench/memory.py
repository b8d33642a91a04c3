"""Peak memory of the real filter on a long stream that comes through a pipe.

The stream is generated while it is read, every message a new one, so that memos and buffers meet what a feed would bring. The
peak is the largest resident set of the filter's process as the operating system counted it (`wait4`), without any child of it.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from time import perf_counter

import stream
from cold_start import command

BATCH = 100


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
        [str(command()), "convert"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    sent = count = 0
    source = stream.messages()
    with process.stdin as pipe:
        while sent < size:
            batch = b"".join([stream.framed(next(source)) for _ in range(BATCH)])
            pipe.write(batch)
            sent += len(batch)
            count += BATCH
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Memory(usage.ru_maxrss * 1024 / 1e6, sent, count, perf_counter() - start, process.returncode)
