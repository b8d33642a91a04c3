"""Output as lines on standard output, for a program at the other end of a pipe.

What was written may be written again after a crash; a receiver knows it by the identifier of the Bundle. A pipe whose reader is
gone is a fault of the destination: messages wait in the spool.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from adapter.service.delivery.parcel import Again, Delivered, Parcel, Result

_STDOUT = 1


class Stdout:
    """Standard output, or another open file.

    Parameters
    ----------
    name : str
        As configured.
    file : int
        File descriptor.
    """

    batch = 64
    concurrency = 1

    def __init__(self, name: str, file: int = _STDOUT) -> None:
        self.name = name
        self._file = file
        # what is left of a line that a fault has cut; the same line comes again and is completed
        self._rest = b""

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Result]:
        """Write the lines; a reader that is slow holds up this destination only."""
        lines = [parcel.line + b"\n" for parcel in parcels]
        begun = bool(self._rest) and lines[0].endswith(self._rest)
        if begun:
            lines[0] = self._rest
        written, fault = await asyncio.to_thread(self._write, b"".join(lines))
        results: list[Result] = []
        for line in lines:
            if written < len(line):
                break
            written -= len(line)
            results.append(Delivered())
        self._rest = b""
        if len(results) < len(lines):
            cut = lines[len(results)]
            if written or (begun and not results):
                self._rest = cut[written:]
            results += [Again(fault)] * (len(lines) - len(results))
        return results

    async def close(self) -> None:
        """Standard output is not ours to close."""

    def _write(self, text: bytes) -> tuple[int, str]:
        """Write; gives how many bytes went out, and the fault."""
        left = memoryview(text)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as failure:
            return len(text) - len(left), f"standard output cannot be written ({failure.strerror or type(failure).__name__})"
        return len(text), ""
