"""The engine: from `intake.db` through the converters and the gate into the lanes of the destinations; recorded in `work.db`.

    feed      reads what is new in order of arrival, in chunks, a bounded number under way
    convert   in other processes (`converters.py`); chunks come back in order
    gate      holds back updates that are older than what went before (`gate.py`)
    lanes     deliver, each destination at its own pace (`lanes.py`)
    flights   record in groups (`flights.py`)

After a crash everything that is not recorded is done again. That changes nothing at the receivers: the output is the same, its
requests are conditional, and before a version replaces another one it is recorded that it will, so that the older one cannot
come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from adapter.service import metrics
from adapter.service.delivery.parcel import Destination, Parcel
from adapter.service.engine.converters import Converters
from adapter.service.engine.flights import Flight, Flights
from adapter.service.engine.gate import contents_of, decide, held_back, newest
from adapter.service.engine.lanes import Attempt, Lane, Retry
from adapter.service.engine.pace import Pace
from adapter.service.engine.stale import stale_issues
from adapter.service.engine.tally import Tally
from adapter.service.engine.worker import Converted, Task, rejected
from adapter.service.logs import log, log_fault
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import IntakeStore, Stored
from adapter.service.spool.records import Version
from adapter.service.spool.work import WorkStore

CHUNK = 32
CHUNK_BYTES = 2 * 2**20
#: What is read from the spool at once.
READ = 512
READ_BYTES = 8 * 2**20
#: How long nothing is read when no door has said that there is something.
POLL_SECONDS = 1
_PAUSE_SECONDS = 1


class Errand(NamedTuple):
    """A message to be worked on, and for whom.

    Parameters
    ----------
    stored : Stored
        The message.
    lanes : tuple of str or None
        Destinations; None: all that it is for.
    request : int
        Number of the operator's request; 0: it has just arrived.
    forced : bool
        Delivered as it is, even where something newer was delivered.
    """

    stored: Stored
    lanes: tuple[str, ...] | None = None
    request: int = 0
    forced: bool = False


class Engine:
    """The engine.

    Parameters
    ----------
    intake, work : IntakeStore, WorkStore
        The spool.
    converters : Converters
        Started by `run`.
    destinations : sequence of (Destination, Retry)
        Where output goes.
    answer : callable
        Told the number, the fate and the issues (JSON) of a message whose door waits for it.
    burst_share : float
        Part of the time that it works while far more comes in than can be converted (`pace.py`).
    """

    def __init__(
        self,
        intake: IntakeStore,
        work: WorkStore,
        converters: Converters,
        destinations: Sequence[tuple[Destination, Retry]],
        answer: Callable[[Converted], None] = lambda converted: None,
        burst_share: float = 1,
    ) -> None:
        self._intake, self._work, self._converters, self._answer = intake, work, converters, answer
        self.lanes = {
            destination.name: Lane(destination, self, retry, breaker_changed=_breaker_metric(destination.name))
            for destination, retry in destinations
        }
        self.flights = Flights(work, self.lanes, self._recorded, self._latest)
        # versions that are decided and not recorded yet
        self._versions: dict[str, Version] = {}
        self._pace = Pace(burst_share)
        self._wake = asyncio.Event()
        self._queue: asyncio.Queue[tuple[list[Errand], asyncio.Task[list[Converted]], float]] = asyncio.Queue(
            converters.capacity + 1
        )
        self._feeding = asyncio.Lock()
        #: Set when it works.
        self.started = asyncio.Event()
        self._tally = Tally()
        # numbers from the converters' door to the lanes'
        self._busy: set[int] = set()
        self._skipped: set[int] = set()
        self._last = 0
        self._newest = 0

    # -- what the process calls ------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for new messages."""
        self._wake.set()

    async def run(self, stop: asyncio.Event, seconds: float = 10) -> None:
        """Work until told to stop.

        Parameters
        ----------
        stop : asyncio.Event
            Set when it is time to end.
        seconds : float
            How long messages that are under way may take then; what is not done by then stays in the spool.
        """
        self._newest = self._intake.newest()
        self._firsts = self._work.see(list(self.lanes), self._newest, instant())
        self._last = self._work.cursor()
        await self._converters.start()
        gate = asyncio.create_task(self._gate())
        recorder = asyncio.create_task(self.flights.run())
        lanes = [asyncio.create_task(lane.run()) for lane in self.lanes.values()]
        feed = asyncio.create_task(self._feed())
        self.started.set()
        ended = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([gate, recorder, feed, ended, *lanes], return_when=asyncio.FIRST_COMPLETED)
            if ended not in done:
                # a part that ends by itself has failed; the supervisor starts the process again
                for task in done:
                    task.result()
            feed.cancel()
            await self._drain(gate, seconds)
        finally:
            for task in (feed, gate, ended):
                task.cancel()
            await asyncio.gather(feed, gate, ended, return_exceptions=True)
            while not self._queue.empty():
                self._queue.get_nowait()[1].cancel()
            await self._converters.stop()
            await self._end_lanes(lanes)
            self.flights.end()
            try:
                async with asyncio.timeout(max(seconds, 1)):
                    await recorder
                    await self.flights.write_all()
            except TimeoutError:
                log("not-recorded", "error", messages=len(self.flights))

    def skip(self, number: int) -> None:
        """Leave out a message that was not converted yet: an operator dropped it."""
        if number > self._last:
            self._skipped.add(number)

    async def submit(self, errands: Sequence[Errand]) -> None:
        """Put messages into work again, for an operator."""
        async with self._feeding:
            await self._send(list(errands))

    def is_under_way(self, number: int) -> bool:
        """Whether a message is being worked on now."""
        return number in self._busy or number in self.flights

    # -- what the lanes call (lanes.Spool) ------------------------------------------------------------------------------

    def load(self, lane: str, number: int) -> Parcel | None:
        """Read a recorded output, and hold back what has become older than what was delivered meanwhile."""
        finished, stored = self._work.finished(number), self._intake.get(number)
        if finished is None or finished.output is None or stored is None:
            return None
        if not any(one.destination == lane and one.state == "waiting" for one in finished.deliveries):
            return None
        line = finished.output
        contents = contents_of(line, stored.data, number)
        stale = decide(contents.versions, self._known([version.identity for version in contents.versions]))
        if stale:
            line = held_back(line, stale)
        return Parcel(number, stored.digest, finished.patient, line, contents.transaction, contents.shared)

    def backlog(self, lane: str, limit: int) -> list[tuple[int, str, int]]:
        """Give what waits for a destination in the spool."""
        rows = self._work.rows(
            "SELECT number, patient, attempts FROM delivery WHERE state = 'waiting' AND destination = ? ORDER BY number LIMIT ?",
            (lane, limit),
        )
        return [(number, patient, attempts) for number, patient, attempts in rows]

    def skipped(self, lane: str) -> list[Parcel]:
        """Give what a lane did not take; see `Flights.skipped`."""
        return self.flights.skipped(lane)

    def attempted(self, lane: str, number: int, attempt: Attempt) -> None:
        """Note what became of an attempt."""
        self._tally.attempt(lane, "again" if attempt.state == "waiting" else attempt.state)
        self.flights.attempted(lane, number, attempt)

    # -- feed ---------------------------------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        while True:
            await self.flights.room.wait()
            self._wake.clear()
            found = self._intake.after(self._last, READ, byte_limit=READ_BYTES)
            if not found:
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            errands = [Errand(stored) for stored in found]
            if found[0].number <= self._newest:
                # a start: some above the cursor are recorded already
                open_numbers = set(self._work.unrecorded([stored.number for stored in found]))
                errands = [errand for errand in errands if errand.stored.number in open_numbers]
            async with self._feeding:
                await self._send(errands)
                self._last = found[-1].number
            if len(found) < READ:
                self._pace.idle()
            elif pause := self._pace.pause(self._last, self._intake.newest()):
                await asyncio.sleep(pause)

    async def _send(self, errands: list[Errand]) -> None:
        """Cut into chunks and give them to the converters; waits while too many are under way."""
        size = max(1, min(CHUNK, -(-len(errands) // self._converters.capacity)))
        chunk: list[Errand] = []
        length = 0
        for errand in errands:
            chunk.append(errand)
            length += len(errand.stored.data)
            if len(chunk) >= size or length >= CHUNK_BYTES:
                await self._put(chunk)
                chunk, length = [], 0
        if chunk:
            await self._put(chunk)

    async def _put(self, chunk: list[Errand]) -> None:
        tasks = [Task(errand.stored.number, errand.stored.format, errand.stored.data) for errand in chunk]  # type: ignore[arg-type]
        numbers = {task.number for task in tasks}
        self._busy |= numbers
        conversion = asyncio.create_task(self._converters.convert(tasks))
        try:
            await self._queue.put((chunk, conversion, time.perf_counter()))
        except asyncio.CancelledError:
            # it is time to stop; they stay in the spool
            self._busy -= numbers
            conversion.cancel()
            raise

    # -- gate ---------------------------------------------------------------------------------------------------------------

    async def _gate(self) -> None:
        """Take chunks in the order in which they were read."""
        while True:
            chunk, task, begun = await self._queue.get()
            converted = await task
            self._tally.stage("convert", time.perf_counter() - begun)
            await self._take(chunk, converted)
            self._busy.difference_update(one.number for one in converted)

    async def _take(self, chunk: Sequence[Errand], converted: Sequence[Converted]) -> None:
        """Decide what may overwrite what, and open the flights."""
        known = self._known([version.identity for one in converted for version in one.contents.versions])
        ahead: list[Version] = []
        flights: list[Flight] = []
        for errand, one in zip(chunk, converted, strict=True):
            stored = errand.stored
            if stored.number in self._skipped and not errand.request:
                self._skipped.discard(stored.number)
                continue
            if stored.answer and not errand.request:
                self._answer(one)
            versions: tuple[Version, ...] = ()
            parcel = None
            if one.fate == "converted":
                try:
                    one, line, versions = _gated(one, known, errand.forced)
                except Exception:
                    # a fault of the program; it would come again after each start
                    log_fault("gate-failed", number=stored.number)
                    one = rejected(stored.number, one.tables, "what it may overwrite could not be decided")
            if one.fate == "converted":
                ahead += [version for version in versions if version.identity in known]
                for version in versions:
                    known[version.identity] = self._versions[version.identity] = version
                transaction, _, shared, order = one.contents
                parcel = Parcel(stored.number, stored.digest, order or stored.patient, line, transaction, shared)
            lanes = self._lanes_of(errand) if parcel is not None else ()
            flights.append(Flight(stored, one, parcel, versions, lanes, errand.request))
        if ahead:
            await self._record_ahead(ahead)
        for flight in flights:
            self.flights.open(flight)
            for name in flight.open:
                assert flight.parcel is not None
                lane = self.lanes[name]
                if not lane.add(flight.parcel):
                    flight.skipped.add(name)
                if not lane.prompt:
                    flight.slow = True

    def _lanes_of(self, errand: Errand) -> Sequence[str]:
        if errand.lanes is not None:
            return [name for name in errand.lanes if name in self.lanes]
        return [name for name in self.lanes if errand.stored.number >= self._firsts[name]]

    def _known(self, identities: Sequence[str]) -> dict[str, Version]:
        """What stands at the receivers, or will when what is decided is done."""
        ours = self._versions
        found = {identity: ours[identity] for identity in identities if identity in ours}
        rest = [identity for identity in identities if identity not in found]
        return {**self._work.known(rest), **found} if rest else found

    async def _record_ahead(self, versions: Sequence[Version]) -> None:
        """Record that versions will replace others, before they do."""
        while True:
            try:
                await asyncio.to_thread(self._work.progress_all, [], versions)
                return
            except SpoolFull as full:
                log("spool-full", "error", reason=full.reason)
                await asyncio.sleep(_PAUSE_SECONDS)

    def _latest(self, version: Version) -> bool:
        return self._versions.get(version.identity) is version

    def _recorded(self, flights: list[Flight]) -> None:
        now = datetime.now(UTC)
        for flight in flights:
            for version in flight.versions:
                if self._latest(version):
                    del self._versions[version.identity]
            self._tally.message(flight, now)
        self._tally.flush()

    # -- end ----------------------------------------------------------------------------------------------------------------

    async def _drain(self, gate: asyncio.Task[None], seconds: float) -> None:
        """Let what is under way come to its end, for a time."""
        try:
            async with asyncio.timeout(seconds):
                while not gate.done() and (self._busy or self._prompt_flights()):
                    await asyncio.sleep(POLL_SECONDS / 50)
        except TimeoutError:
            log("stopped-in-the-middle", "warning", messages=len(self.flights))

    def _prompt_flights(self) -> bool:
        """Whether flights may land soon; what waits for a destination that is down does not."""
        return any(lane.prompt and len(lane) for lane in self.lanes.values())

    async def _end_lanes(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await asyncio.gather(*(lane.stop() for lane in self.lanes.values()))
        except TimeoutError:
            for lane in self.lanes.values():
                lane.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _gated(one: Converted, known: dict[str, Version], forced: bool) -> tuple[Converted, bytes, tuple[Version, ...]]:
    """Hold back what is stale; gives the versions that take their place from now on."""
    versions = one.contents.versions
    if forced:
        return one, one.line, versions
    stale = decide(versions, known)
    if not stale:
        return one, one.line, versions
    return stale_issues(one, stale), held_back(one.line, stale), tuple(newest(versions, known))


def _breaker_metric(name: str) -> Callable[[int], None]:
    words = ("closed", "half-open", "open")

    def changed(state: int) -> None:
        metrics.breaker(name, state)
        log("breaker", "warning" if state else "info", destination=name, state=words[state])

    return changed
