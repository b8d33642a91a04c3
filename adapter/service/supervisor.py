"""The process that the user starts: opens the doors, keeps the other processes running, passes signals on, stops in order.

It runs the MLLP door and the folder watchers itself, because they do little but write to the spool. SIGTERM and SIGINT stop: the
doors take no more and finish what they have, HTTP workers finish their requests, then the engine finishes what it has under way;
the rest waits in the spool. SIGHUP reloads the tables: they are checked here first, and with faults the old ones stay in use.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

import orjson

from adapter.collector import settle
from adapter.issues import Issue
from adapter.service import metrics
from adapter.service.child import Assignment, Child, Kind
from adapter.service.logs import log
from adapter.service.mllp import MllpDoor
from adapter.service.sender_rows import processing_ids_of
from adapter.service.settings import ServiceSettings
from adapter.service.spool.arrivals import Arrival, Placed
from adapter.service.spool.files import SpoolFull
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.work import WorkStore
from adapter.service.watch import watch
from adapter.tables.reload import Reloader

#: How long a new service waits for the last process of an old one to let go of the spool.
LOCK_SECONDS = 15.0
#: The engine is woken once for all that comes in such a time: it takes the processor and the disk from the doors.
WAKE_SECONDS = 0.005
#: Time to finish: doors, HTTP workers, engine.
DOOR_SECONDS, HTTP_SECONDS, ENGINE_SECONDS = 10.0, 15.0, 30.0
#: A process that ends by itself is started again after this pause, doubled up to the longest while it ends soon again.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


class SpoolInUse(Exception):  # noqa: N818  (a fact, no fault of the program)
    """Another service works on this spool."""


class Supervisor:
    """A running service.

    Parameters
    ----------
    settings : ServiceSettings
        Settings without faults (`checks.faults_of`).
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._tables = Reloader(settings.convert.mappings)
        self._stopping = asyncio.Event()
        self._children: dict[str, Child] = {}
        self._door: MllpDoor | None = None
        self._failed = False
        self._waking = False
        self._processing_ids = processing_ids_of(self._tables.tables)

    async def run(self) -> bool:
        """Serve until a signal asks to stop.

        Returns
        -------
        bool
            Whether all went well; False when a part of the supervisor itself failed.

        Raises
        ------
        SpoolInUse
            Another service works on this spool.
        OSError
            An address is taken, or a folder cannot be used.
        """
        folder = self._settings.spool.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.ExitStack() as opened:
            lock = opened.enter_context(_closing(await _locked(folder / "lock")))
            metrics.prepare(folder / "metrics")
            self._store = IntakeStore(folder, free_bytes=self._settings.spool.free_megabytes * 2**20)
            opened.callback(self._store.close)
            with contextlib.suppress(SpoolFull):
                # what is in the way is told when the first message comes
                self._store.lengthen_log()
            self._work = opened.enter_context(contextlib.closing(WorkStore(folder)))
            reading, self._wake = os.pipe()
            os.set_blocking(self._wake, False)
            opened.callback(os.close, self._wake)
            opened.callback(os.close, reading)
            ours, theirs = socket.socketpair()
            opened.enter_context(theirs)
            assignments = {"engine": self._assignment("engine", wake=reading, answers=theirs.fileno(), lock=lock)}
            if self._settings.http.enabled:
                listener = opened.enter_context(_listener(self._settings.http.host, self._settings.http.port))
                log("listening", door="http", host=self._settings.http.host, port=listener.getsockname()[1])
                for number in range(self._settings.http.workers):
                    assignments[f"http-{number}"] = self._assignment(
                        "http", wake=self._wake, listener=listener.fileno(), lock=lock
                    )
            await self._serve(assignments, ours)
        return not self._failed

    def _assignment(self, kind: Kind, **files: int) -> Assignment:
        return Assignment(kind, self._settings, **files)

    async def _serve(self, assignments: dict[str, Assignment], answers: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        keepers = [asyncio.create_task(self._keep(name, assignment)) for name, assignment in assignments.items()]
        followers = [asyncio.create_task(self._follow_answers(answers))]
        watchers = [
            asyncio.create_task(watch(one, self._put, self._stopping, sender_ids=self._sender_ids))
            for one in self._settings.watch
        ]
        for task in (*keepers, *followers, *watchers):
            task.add_done_callback(self._ended)
        if self._settings.mllp.enabled:
            self._door = MllpDoor(self._settings.mllp, self._put, sender_ids=self._sender_ids, outcome_of=self._outcome_of)
            await self._door.start()
        settle()
        log("started", pid=os.getpid(), tables=self._tables.tables.version[:12])
        await self._stopping.wait()
        log("stopping")
        if self._door is not None:
            await self._door.stop(DOOR_SECONDS)
        await _finished(watchers)
        await asyncio.gather(*(child.stop(HTTP_SECONDS) for name, child in self._children.items() if name != "engine"))
        if "engine" in self._children:
            await self._children["engine"].stop(ENGINE_SECONDS)
        for task in (*keepers, *followers):
            task.cancel()
        await asyncio.gather(*keepers, *followers, return_exceptions=True)
        log("stopped")

    def _put(self, arrivals: Sequence[Arrival], moment: str) -> list[Placed]:
        """Make messages durable and wake the engine."""
        placed = self._store.put(arrivals, moment)
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(WAKE_SECONDS, self._wake_engine)
        return placed

    def _wake_engine(self) -> None:
        self._waking = False
        # a full pipe means that the engine has not woken up yet from an earlier byte
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"1")

    def _sender_ids(self, application: str, facility: str) -> Collection[str]:
        """Processing ids of a sender's row in the tables in force."""
        return self._processing_ids(application, facility)

    def _outcome_of(self, number: int) -> tuple[str, Sequence[Issue]] | None:
        """What became of a message that came before: what its resend is told."""
        found = self._work.finished(number)
        if found is None:
            return None
        return found.state, [Issue(row["slug"], row["place"], row["detail"]) for row in orjson.loads(found.issues or b"[]")]

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part of the supervisor that fails ends the service: a service manager starts it again, and nothing is lost."""
        if not task.cancelled() and task.exception() is not None:
            log("part-failed", "error", fault=repr(type(task.exception())))
            self._failed = True
            self._stopping.set()

    async def _keep(self, name: str, assignment: Assignment) -> None:
        """Start a child again whenever it ends, until the service stops."""
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            child = self._children[name] = await Child.start(assignment)
            status = await child.ended()
            metrics.process_ended(child.pid)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            log("process-ended", "error", name=name, pid=child.pid, status=status, again_in_seconds=pause)
            metrics.restarted(assignment.kind)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _follow_answers(self, answers: socket.socket) -> None:
        """Hand what the engine says on the conversion of messages to the door that waits for it."""
        reader, _writer = await asyncio.open_connection(sock=answers, limit=2**20)
        while True:
            try:
                line = await reader.readline()
                if not line:
                    return
                if self._door is not None and line != b"\n":
                    said = orjson.loads(line)
                    issues = [Issue(row["slug"], row.get("place", ""), row.get("detail", "")) for row in said["issues"]]
                    self._door.answer(said["number"], said["fate"], issues)
            except ValueError:
                # half a line of an engine that died while it wrote, or one beyond the limit: the message counts as late
                log("answer-unreadable", "warning")

    def _reload(self) -> None:
        """Take changed tables into use, if they have no faults."""
        found = self._tables.reload()
        result: Literal["changed", "same", "refused"] = "refused" if found.faults else "changed" if found.changed else "same"
        metrics.reload(result)
        for fault in found.faults:
            log("tables-refused", "error", fault=str(fault))
        log("tables-reloaded", result=result, tables=found.tables.version[:12])
        self._processing_ids = processing_ids_of(found.tables)
        if self._door is not None:
            self._door.use(self._sender_ids)
        if found.changed:
            settle(again=True)
        for name, child in self._children.items():
            # a refused set is not offered to them; what HTTP workers read besides (tokens) is their own
            if not found.faults or name != "engine":
                child.tell("reload")


@contextlib.contextmanager
def _closing(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


async def _locked(path: Path) -> int:
    """Lock the spool for this service; children inherit the lock, so that it lasts until the last of them is gone."""
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(number)
                raise SpoolInUse(str(path.parent)) from None
            await asyncio.sleep(0.1)


def _listener(host: str, port: int) -> socket.socket:
    """Open the HTTP port; workers accept from the one socket in turns."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


async def _finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Give tasks that see the stop a moment to end; then end them."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=DOOR_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
