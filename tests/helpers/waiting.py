"""Waiting for something to be so. The time is for a machine that does other things, too: what holds is seen at once."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 30.0


async def until(holds: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait in a loop."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


def eventually(holds: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait where there is no loop; a connection that fails meanwhile is no end."""
    end = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except OSError:
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Tell whether a process has ended, though its parent may not have noticed."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
