"""Folder intake: files that senders drop into a folder become messages in the spool.

The folder is looked at every `poll_seconds`. A file is taken when its size and its time of change have stood still for
`settle_seconds` and its name is no temporary one. Its messages go into the spool group by group, and only when all of them are
durable it moves to `done` or `rejected` (`watch_files.py`). What is in the spool already when a reading breaks off (a crash, a
stop) is recognised as resends when the file is read again. What cannot be read or moved is reported once and tried at each look.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from adapter.issues import CATALOGUE, Issue
from adapter.service import metrics
from adapter.service.logs import log
from adapter.service.settings import Seconds, WatchSettings
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import Arrival, Placed
from adapter.service.watch_files import (
    MANY,
    Found,
    Refused,
    SenderIds,
    keep_refused,
    messages,
    move,
    open_regular,
    reasons,
    write_reason,
)

#: Makes messages durable: `IntakeStore.put`.
Put = Callable[[Sequence[Arrival], str], list[Placed]]
#: Messages of one transaction, and about how many bytes; the loop stands still for it.
_GROUP, _GROUP_BYTES = 64, 2**20
#: First and longest pause while the spool takes nothing, in seconds.
_FIRST_PAUSE, _PAUSE = 1, 30
_TEMPORARY_ENDS = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")


class _Look(NamedTuple):
    """A file as it was seen: what changes when somebody writes to it."""

    device: int
    inode: int
    size: int
    changed: int


class Reading(NamedTuple):
    """What reading a file came to: how many messages were taken and refused, and the first of the refused ones."""

    look: _Look
    taken: int
    refused: int
    first: list[Refused]

    @property
    def damaged(self) -> bool:
        """Whether the file breaks off."""
        return any(message.issue.slug == "file-damaged" for message in self.first)


class Folder:
    """What is in a watched folder, from look to look.

    Parameters
    ----------
    settings : WatchSettings
        Of the folder.
    """

    def __init__(self, settings: WatchSettings) -> None:
        self.settings = settings
        self.path = settings.folder
        self.done = settings.done or settings.folder / "done"
        self.rejected = settings.rejected or settings.folder / "rejected"
        self._seen: dict[str, tuple[_Look, int]] = {}
        self._reported: set[tuple[str, str]] = set()
        #: Files that were read and could not be moved yet.
        self.unmoved: dict[str, Reading] = {}

    def ready(self, now: int) -> list[tuple[Path, _Look]]:
        """Find the files that are complete, the oldest first.

        Parameters
        ----------
        now : int
            A clock that only goes forward, in nanoseconds.
        """
        try:
            entries = list(os.scandir(self.path))
        except OSError as error:
            self.report("", "folder-unreadable", error.strerror)
            return []
        self.over("", "folder-unreadable")
        seen: dict[str, tuple[_Look, int]] = {}
        complete: list[tuple[Path, _Look]] = []
        settled = int(self.settings.settle_seconds * 10**9)
        for entry in entries:
            look = self._look(entry)
            if look is None:
                continue
            before = self._seen.get(entry.name)
            since = before[1] if before is not None and before[0] == look else now
            seen[entry.name] = look, since
            if now - since >= settled and (before is not None or not settled):
                if look.size:
                    complete.append((self.path / entry.name, look))
                else:
                    # its sender may still have it open
                    self.report(entry.name, "file-empty", inode=look.inode)
        self._seen = seen
        names = {entry.name for entry in entries} | {""}
        self._reported = {(name, event) for name, event in self._reported if name in names}
        self.unmoved = {name: read for name, read in self.unmoved.items() if name in seen and seen[name][0] == read.look}
        return sorted(complete, key=lambda found: (found[1].changed, found[0].name))

    def _look(self, entry: os.DirEntry[str]) -> _Look | None:
        name = entry.name
        if name.startswith(".") or name.lower().endswith(_TEMPORARY_ENDS):
            return None
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            # it went while we looked
            return None
        if not stat.S_ISREG(found.st_mode):
            if self.path / name not in (self.done, self.rejected):
                self.report(name, "no-regular-file", inode=found.st_ino)
            return None
        return _Look(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def report(self, name: str, event: str, reason: str | None = "", **facts: object) -> None:
        """Log an event of a file once; a file is told by its inode, since its name may be that of a patient."""
        if (name, event) not in self._reported:
            self._reported.add((name, event))
            log(event, "warning", folder=self.settings.name, reason=reason, **facts)

    def over(self, name: str, event: str) -> None:
        """Forget that an event was reported."""
        self._reported.discard((name, event))

    def unchanged(self, look: _Look, handle: int) -> bool:
        """Tell whether an open file is still as it was seen."""
        found = os.fstat(handle)
        return look == (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


async def watch(settings: WatchSettings, put: Put, stop: asyncio.Event, *, sender_ids: SenderIds | None = None) -> None:
    """Take files until told to stop.

    Parameters
    ----------
    settings : WatchSettings
        Of the folder.
    put : callable
        Makes messages durable, as `IntakeStore.put`; called in the loop.
    stop : asyncio.Event
        Set to end; the transaction under way is finished, the file stays for the next start.
    sender_ids : callable, optional
        As `hl7v2.admission.admit` takes it.
    """
    folder = Folder(settings)
    while not stop.is_set():
        for path, look in await asyncio.to_thread(folder.ready, time.monotonic_ns()):
            if stop.is_set():
                return
            try:
                await _take(folder, path, look, put, stop, sender_ids)
            except FileNotFoundError:
                # its sender took it back
                continue
            except OSError as error:
                folder.report(path.name, "file-not-taken", error.strerror, inode=look.inode)
            except Exception as failure:
                # one file must not keep the others out
                folder.report(path.name, "file-failed", type(failure).__name__, inode=look.inode)
        await _pause(stop, settings.poll_seconds)


async def _take(folder: Folder, path: Path, look: _Look, put: Put, stop: asyncio.Event, sender_ids: SenderIds | None) -> None:
    """Take one file: its messages into the spool, then the file to its place."""
    if path.name not in folder.unmoved:
        reading = await _read(folder, path, look, put, stop, sender_ids)
        if reading is None:
            return
        if reading.taken and reading.refused and not reading.damaged:
            await asyncio.to_thread(_keep_refused, folder, path, sender_ids)
        folder.unmoved[path.name] = reading
    await asyncio.to_thread(_put_away, folder, path, folder.unmoved[path.name])
    del folder.unmoved[path.name]


async def _read(
    folder: Folder, path: Path, look: _Look, put: Put, stop: asyncio.Event, sender_ids: SenderIds | None
) -> Reading | None:
    """Read a file into the spool; `None` when it has to be read again later."""
    taken = refused = 0
    first: list[Refused] = []
    with await asyncio.to_thread(open_regular, path) as file:
        found = messages(file, path.name, folder.settings, sender_ids)
        while group := await asyncio.to_thread(_group, found):
            if not folder.unchanged(look, file.fileno()):
                # somebody writes to it after all; it counts from when it stands still again
                return None
            arrivals = [message for message in group if isinstance(message, Arrival)]
            if arrivals and not await _put(folder, arrivals, put, stop):
                return None
            taken += len(arrivals)
            for message in group:
                if isinstance(message, Refused) and not message.raw.continued:
                    refused += 1
                    metrics.refused("watch", message.issue.slug)
                    if len(first) < MANY or message.issue.slug == "file-damaged":
                        first.append(message._replace(raw=message.raw._replace(data=b"")))
                elif isinstance(message, Issue):
                    metrics.issue(message.slug, message.severity)
                    log(message.slug, "warning", folder=folder.settings.name, inode=look.inode, detail=message.detail)
        if not folder.unchanged(look, file.fileno()):
            return None
    return Reading(look, taken, refused, first)


def _group(found: Iterator[Found]) -> list[Found]:
    """Read the messages of one transaction; none at the end of the file."""
    group: list[Found] = []
    size = 0
    for message in islice(found, _GROUP):
        group.append(message)
        if not isinstance(message, Issue):
            size += len(message.data if isinstance(message, Arrival) else message.raw.data)
        if size >= _GROUP_BYTES:
            break
    return group


async def _put(folder: Folder, arrivals: list[Arrival], put: Put, stop: asyncio.Event) -> bool:
    """Make messages durable, as soon as the spool takes them; False when the end came before."""
    pause: Seconds = _FIRST_PAUSE
    while not stop.is_set():
        try:
            placed = put(arrivals, instant())
        except SpoolFull as full:
            folder.report("", "spool-full", full.reason)
            await _pause(stop, pause)
            pause = min(2 * pause, _PAUSE)
            continue
        folder.over("", "spool-full")
        for place in placed:
            metrics.received("watch", place.kind)
        return True
    return False


def _keep_refused(folder: Folder, path: Path, sender_ids: SenderIds | None) -> None:
    with open_regular(path) as file:
        keep_refused(messages(file, path.name, folder.settings, sender_ids), path.name, folder.rejected)


def _put_away(folder: Folder, path: Path, reading: Reading) -> None:
    """Move a file whose messages are durable; beside one that is rejected stands why."""
    if reading.taken and not reading.damaged:
        move(path, folder.done)
    else:
        told = reasons(reading.first) or [{"slug": "no-message", "action": CATALOGUE["no-message"].action}]
        reason = {"file": path.name, "taken": reading.taken, "refused": reading.refused, "issues": told}
        write_reason(move(path, folder.rejected), reason)
    facts = {"taken": reading.taken, "refused": reading.refused}
    log("file-taken", "warning" if reading.refused else "info", folder=folder.settings.name, inode=reading.look.inode, **facts)


async def _pause(stop: asyncio.Event, seconds: Seconds) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
