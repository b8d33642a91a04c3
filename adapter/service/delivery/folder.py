"""Output as files, one a message, moved into place whole.

`00000017-<digest>.json`: the number of the message in the spool and the beginning of the SHA-256 of the message as it came. The
same message has the same name, so that a repetition overwrites itself. A file is written under a name that begins with a dot,
synced, renamed; then the folder is synced. Several files are done at once, because the disk syncs many at the price of a few.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from adapter.service.delivery.parcel import Again, Delivered, Parcel, Result

# From so many files on the whole file system is synced at once.
_MANY = 8
#: From the start of one batch to that of the next, in seconds: what comes meanwhile is one batch. Each keeps the disk from the
#: doors.
BATCH_SECONDS = 50 / 1000


class Folder:
    """A folder.

    Parameters
    ----------
    name : str
        As configured.
    folder : Path
        Made (0700) when it is not there. Files are readable by the owner only: they are patient data.
    """

    batch = 512
    concurrency = 1

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._next: float = 0

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Result]:
        """Write all of them, or none is reported as delivered."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next:
            await asyncio.sleep(self._next - loop.time())
        self._next = loop.time() + BATCH_SECONDS
        try:
            await asyncio.to_thread(write_files, self._folder, [(file_name(parcel), parcel.line) for parcel in parcels])
        except OSError as failure:
            return [Again(f"the folder cannot be written ({failure.strerror or type(failure).__name__})")] * len(parcels)
        return [Delivered()] * len(parcels)

    async def close(self) -> None:
        """Nothing is held open."""


def file_name(parcel: Parcel) -> str:
    """Name of the file of a parcel; several lines are NDJSON."""
    suffix = "ndjson" if b"\n" in parcel.line else "json"
    return f"{parcel.number:08d}-{parcel.digest.hex()[:16]}.{suffix}"


def write_files(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Write files so that each appears whole or not at all; they are durable on return.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    files : sequence of (str, bytes)
        Names and contents, which end with a line end afterwards. They appear in this order.

    Raises
    ------
    OSError
        Some may be in place; writing them again is harmless.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    opened: list[int] = []
    temporary = [f".{name}.part" for name, _ in files]
    done = 0
    try:
        for hidden, (_, content) in zip(temporary, files, strict=True):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            opened.append(os.open(hidden, flags, 0o600, dir_fd=handle))
            _write(opened[-1], content)
        _sync(handle, opened)
        for hidden, (name, _) in zip(temporary, files, strict=True):
            os.rename(hidden, name, src_dir_fd=handle, dst_dir_fd=handle)
            done += 1
        os.fsync(handle)
    finally:
        for file in opened:
            os.close(file)
        for hidden in temporary[done : len(opened)]:
            os.unlink(hidden, dir_fd=handle)
        os.close(handle)


def _sync(folder: int, files: Sequence[int]) -> None:
    """Sync files: one by one, or with the whole file system, which costs a fifth when there are many."""
    whole = _syncfs() if len(files) >= _MANY else None
    if whole is None:
        for file in files:
            os.fsync(file)
    elif whole(folder):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _syncfs() -> Callable[[int], int] | None:
    """syncfs(2), where the system has it (Linux): it returns when all is on the disk, or with the fault of the disk."""
    try:
        return cast("Callable[[int], int]", ctypes.CDLL(None, use_errno=True).syncfs)
    except (AttributeError, OSError):
        return None


def _write(file: int, content: bytes) -> None:
    text = memoryview(content if content.endswith(b"\n") else content + b"\n")
    while text:
        text = text[os.write(file, text) :]
