"""A pool of converter processes that outlives their deaths.

A chunk goes to the process with the least work, at most two to each, so that it never waits for the engine. When a process dies
or does not answer in time it is ended and started again, and the messages of its chunks are converted one by one in a process
of their own: a message that ends that process `KILLS` times, or takes too long there, is rejected as `internal-error`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from adapter.config import Settings
from adapter.service.engine.worker import HEAD, Converted, Task, from_wire, packed, rejected
from adapter.service.logs import log
from adapter.tables.index import Tables

KILLS = 3
UNDER_WAY = 2
#: How long a process may take to start.
START_SECONDS = 60
#: How long a chunk may take, beside the time for its size.
CHUNK_SECONDS = 30
_SECONDS_A_MEGABYTE = 10
#: Pause before a process is started again that did not come up.
_RESTART_SECONDS = 1
_RESTART_LIMIT_SECONDS = 30


class ConverterGone(Exception):  # noqa: N818  (it tells what happened to a process)
    """A converter process died, or was ended because it did not answer."""

    def __init__(self, late: bool) -> None:
        super().__init__("no answer in time" if late else "the process died")
        self.late = late


class _Wire(asyncio.Protocol):
    """The engine's end of the socket to a converter."""

    def __init__(self) -> None:
        self.answers: dict[int, asyncio.Future[list[tuple[Any, ...]]]] = {}
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= HEAD.size:
            end = HEAD.size + HEAD.unpack_from(buffer)[0]
            if len(buffer) < end:
                return
            # it comes from a process that the engine started, over a socket that nobody else has
            with memoryview(buffer) as whole:
                number, rows = pickle.loads(whole[HEAD.size : end])
            del buffer[:end]
            answer = self.answers.pop(number, None)
            if answer is not None and not answer.done():
                answer.set_result(rows)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(ConverterGone(late=False))
        self.answers.clear()


class Converter:
    """One converter process, as the engine sees it."""

    def __init__(self, process: subprocess.Popen[bytes], transport: asyncio.Transport, wire: _Wire) -> None:
        self.process, self._transport, self._wire = process, transport, wire
        self._numbers = itertools.count(1)
        self.seconds: float = 0

    @classmethod
    async def start(cls, settings: Settings, tables: Tables, command: Sequence[str]) -> Converter:
        """Start a process and wait until it is ready; raises `ConverterGone`."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                # what a library prints must not get between the lines of a destination
                stdout=subprocess.DEVNULL,
                # ^C of a terminal goes to the supervisor only
                process_group=0,
            )
        loop = asyncio.get_running_loop()
        transport, wire = await loop.create_connection(_Wire, sock=ours)
        converter = cls(process, transport, wire)
        try:
            await converter.use(settings, tables)
        except BaseException:
            converter.end()
            raise
        return converter

    @property
    def under_way(self) -> int:
        """Chunks that it has not answered."""
        return len(self._wire.answers)

    @property
    def gone(self) -> asyncio.Future[None]:
        """Done when the process is gone."""
        return self._wire.gone

    @property
    def alive(self) -> bool:
        """Whether it can be given work."""
        return not self._wire.gone.done()

    async def use(self, settings: Settings, tables: Tables) -> None:
        """Give it tables for the chunks to come; raises `ConverterGone`."""
        await self._ask(("tables",), (tables, settings), START_SECONDS)

    async def convert(self, tasks: Sequence[Task], seconds: float) -> list[Converted]:
        """Convert a chunk; raises `ConverterGone`."""
        size = sum(len(task.data) for task in tasks)
        rows = await self._ask(("chunk",), ([tuple(task) for task in tasks],), seconds + _SECONDS_A_MEGABYTE * (size / 2**20))
        return [from_wire(row) for row in rows]

    def end(self) -> None:
        """End the process at once."""
        self._transport.abort()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    async def _ask(self, kind: tuple[str], content: tuple[Any, ...], seconds: float) -> list[tuple[Any, ...]]:
        if not self.alive:
            raise ConverterGone(late=False)
        number = next(self._numbers)
        answer: asyncio.Future[list[tuple[Any, ...]]] = asyncio.get_running_loop().create_future()
        self._wire.answers[number] = answer
        self._transport.write(packed((*kind, number, *content)))
        # what stands before it in the same process has its time too
        self.seconds += seconds
        try:
            async with asyncio.timeout(self.seconds):
                return await answer
        except TimeoutError:
            self.end()
            raise ConverterGone(late=True) from None
        finally:
            self.seconds -= seconds


class Converters:
    """The pool.

    Parameters
    ----------
    settings : Settings
        How to convert.
    tables : Tables
        Checked tables.
    processes : int
        How many processes.
    restarted : callable
        Called for each process that had to be started again.
    chunk_seconds : float
        How long a chunk may take, beside the time for its size.
    command : sequence of str, optional
        How to start a process; the number of its socket is put behind.
    """

    def __init__(
        self,
        settings: Settings,
        tables: Tables,
        processes: int,
        *,
        restarted: Callable[[], None] = lambda: None,
        chunk_seconds: float = CHUNK_SECONDS,
        command: Sequence[str] = (sys.executable, "-m", "adapter.service.engine.worker"),
    ) -> None:
        self._settings, self.tables, self._processes = settings, tables, processes
        self._restarted, self._chunk_seconds, self._command = restarted, chunk_seconds, tuple(command)
        self._pool: list[Converter] = []
        self._lone: Converter | None = None
        self._lone_lock = asyncio.Lock()
        self._places = asyncio.Semaphore(processes * UNDER_WAY)
        self._changed = asyncio.Condition()
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def capacity(self) -> int:
        """Chunks that may be under way."""
        return self._processes * UNDER_WAY

    async def start(self) -> None:
        """Start the processes; returns when the first one is ready."""
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._processes)]
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._pool))

    async def stop(self) -> None:
        """End the processes."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for converter in self._pool:
            converter.end()
        self._pool.clear()
        self._end_lone()

    async def use(self, tables: Tables) -> None:
        """Take other tables into use for the chunks to come; the caller has checked them."""
        self.tables = tables
        for converter in [*self._pool, *([self._lone] if self._lone is not None else [])]:
            # one that is gone is started again with them
            with contextlib.suppress(ConverterGone):
                await converter.use(self._settings, tables)

    async def convert(self, tasks: Sequence[Task]) -> list[Converted]:
        """Convert a chunk.

        Parameters
        ----------
        tasks : sequence of Task
            The messages.

        Returns
        -------
        list of Converted
            One for each message, in order, whatever becomes of the processes.
        """
        async with self._places:
            async with self._changed:
                await self._changed.wait_for(lambda: any(one.alive for one in self._pool))
            converter = min((one for one in self._pool if one.alive), key=lambda one: one.under_way)
            try:
                return await converter.convert(tasks, self._chunk_seconds)
            except ConverterGone as gone:
                log("converter-failed", "error", reason=str(gone), messages=len(tasks))
        async with self._lone_lock:
            try:
                return [await self._alone(task) for task in tasks]
            finally:
                self._end_lone()

    async def _alone(self, task: Task) -> Converted:
        """Convert one message in a process that does nothing else."""
        for kill in range(1, KILLS + 1):
            try:
                if self._lone is None:
                    self._lone = await self._started()
                (converted,) = await self._lone.convert([task], self._chunk_seconds)
            except ConverterGone as gone:
                self._end_lone()
                log("message-ends-converter", "error", number=task.number, reason=str(gone), times=kill)
                if gone.late:
                    return rejected(task.number, self.tables.version, f"no answer within {self._chunk_seconds:g} s")
            else:
                return converted
        return rejected(task.number, self.tables.version, f"it ended its process {KILLS} times")

    def _end_lone(self) -> None:
        if self._lone is not None:
            self._lone.end()
            self._lone = None

    async def _keep(self) -> None:
        """Keep one place of the pool filled."""
        while True:
            converter = await self._started()
            async with self._changed:
                self._pool.append(converter)
                self._changed.notify_all()
            try:
                await asyncio.shield(converter.gone)
            except asyncio.CancelledError:
                return
            self._pool.remove(converter)
            converter.end()
            self._restarted()

    async def _started(self) -> Converter:
        """Start a process; what cannot be started is tried again and again, for nothing can be done without it."""
        pause: float = _RESTART_SECONDS
        while True:
            tables = self.tables
            try:
                converter = await Converter.start(self._settings, tables, self._command)
                if tables is not self.tables:
                    # they changed while it started
                    await converter.use(self._settings, self.tables)
                return converter
            except (ConverterGone, OSError) as failure:
                log("converter-not-started", "error", reason=type(failure).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RESTART_LIMIT_SECONDS)
