"""Messages between their conversion and their record, and the writing of records in groups.

A flight is recorded when all its destinations have it, or when one of them fails or takes longer than `PROMPT_SECONDS`: then
its output goes into the spool with it, and the lane of that destination goes on from there. What becomes of deliveries after
that is recorded as progress. A group is written when it has `GROUP` messages or is `GROUP_SECONDS` old; the disk syncs a group
at the price of one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapter.service import metrics
from adapter.service.delivery.parcel import Parcel
from adapter.service.engine.lanes import Attempt, Lane
from adapter.service.engine.worker import Converted
from adapter.service.logs import log, log_fault
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import Stored
from adapter.service.spool.records import Delivery, Finished, Version
from adapter.service.spool.work import WorkStore

GROUP = 512
#: Nobody waits for the record; each one keeps the disk from the doors.
GROUP_SECONDS = 100 / 1000
PROMPT_SECONDS = 1
#: With so many outputs in memory nothing new is converted; with half of it the oldest are recorded as waiting.
FLIGHTS = 4096
FLIGHT_BYTES = 96 * 2**20
_MOMENT_SECONDS = 1 / 1000
_TICK_SECONDS = 1 / 4
#: Pause after the spool could not be written.
_FULL_SECONDS = 1


class Flight:
    """A message between its conversion and its record."""

    __slots__ = ("begun", "converted", "deliveries", "open", "parcel", "request", "skipped", "slow", "stored", "versions")

    def __init__(
        self,
        stored: Stored,
        converted: Converted,
        parcel: Parcel | None,
        versions: tuple[Version, ...],
        lanes: Iterable[str],
        request: int = 0,
    ) -> None:
        self.stored, self.converted, self.parcel, self.versions = stored, converted, parcel, versions
        self.open = set(lanes)
        self.deliveries: dict[str, Delivery] = {name: Delivery(name, "waiting") for name in self.open}
        # lanes that did not take it, because they are behind
        self.skipped: set[str] = set()
        self.begun, self.request = time.monotonic(), request
        self.slow = False

    @property
    def size(self) -> int:
        """Bytes of output that it holds."""
        return len(self.parcel.line) if self.parcel is not None else 0


class Flights:
    """All flights, and their recorder.

    Parameters
    ----------
    work : WorkStore
        Where they are recorded.
    lanes : mapping
        Lanes by name.
    recorded : callable
        Told the flights that were recorded.
    latest : callable
        Whether a version is the latest that was decided of its result. An earlier one is not recorded any more: the one that
        replaces it was recorded before it was delivered, and must not be forgotten.
    """

    def __init__(
        self,
        work: WorkStore,
        lanes: Mapping[str, Lane],
        recorded: Callable[[list[Flight]], None],
        latest: Callable[[Version], bool],
    ) -> None:
        self._work, self._lanes, self._recorded, self._latest = work, lanes, recorded, latest
        self._flights: dict[int, Flight] = {}
        self._ready: list[Flight] = []
        self._writing: dict[int, Flight] = {}
        self._progress: list[tuple[int, Delivery]] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        self._requests: dict[int, bool] = {}
        self._ending = False
        self._moment = time.monotonic() - 1, ""
        self.room = asyncio.Event()
        self.room.set()

    def __contains__(self, number: int) -> bool:
        return number in self._flights or number in self._writing

    def __len__(self) -> int:
        return len(self._flights) + len(self._writing)

    def open(self, flight: Flight) -> None:
        """Take a flight; one without destinations is ready to be recorded."""
        self._flights[flight.stored.number] = flight
        self._bytes += flight.size
        if flight.request:
            self._requests[flight.request] = False
        if not flight.open:
            self._ready.append(flight)
            self._wake.set()
        if len(self) >= FLIGHTS or self._bytes >= FLIGHT_BYTES:
            self.room.clear()
            self._wake.set()

    def expect(self, request: int) -> None:
        """Note an operator's request before its message is converted: requests are recorded as fulfilled in their order."""
        self._requests[request] = False

    def fulfilled(self, request: int) -> None:
        """Note a request that needs no message."""
        self._requests[request] = True
        self._wake.set()

    def skipped(self, lane: str) -> list[Parcel]:
        """Give what a lane did not take and may not find in the spool yet; the lane takes it now."""
        found = []
        for flights in (self._writing, self._flights):
            for flight in flights.values():
                if lane in flight.skipped and flight.parcel is not None:
                    flight.skipped.discard(lane)
                    found.append(flight.parcel)
        return found

    def attempted(self, lane: str, number: int, attempt: Attempt) -> None:
        """Note what became of an attempt to deliver."""
        state: Any = attempt.state
        if state == "waiting":
            again = instant(datetime.now(UTC) + timedelta(seconds=attempt.again_in))
            delivery = Delivery(lane, state, attempt.attempts, again, attempt.reason)
        else:
            delivery = Delivery(lane, state, attempt.attempts, "", attempt.reason, self._now())
        flight = self._flights.get(number)
        if flight is None:
            # recorded, or being so
            self._progress.append((number, delivery))
            self._wake.set()
            return
        flight.deliveries[lane] = delivery
        if state == "waiting":
            flight.slow = True
            self._wake.set()
            return
        flight.open.discard(lane)
        if not flight.open:
            self._ready.append(flight)
            self._wake.set()

    def _now(self) -> str:
        """The present moment; many deliveries end in the same millisecond."""
        now = time.monotonic()
        if now - self._moment[0] >= _MOMENT_SECONDS:
            self._moment = now, instant()
        return self._moment[1]

    async def run(self) -> None:
        """Record until `end`."""
        while not self._ending:
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            if self._wake.is_set() and len(self._ready) < GROUP:
                await asyncio.sleep(GROUP_SECONDS)
            self._wake.clear()
            await self.write(self._due())

    def end(self) -> None:
        """Let `run` come to its end; then nothing is being written any longer."""
        self._ending = True
        self._wake.set()

    async def write_all(self) -> None:
        """Record everything, at the end; what is not delivered waits in the spool."""
        await self.write(list(self._flights.values()))

    async def write(self, flights: list[Flight]) -> None:
        """Record flights and progress, and try again until the spool takes them."""
        progress, self._progress = self._progress, []
        for flight in flights:
            self._writing[flight.stored.number] = self._flights.pop(flight.stored.number)
        self._ready = [flight for flight in self._ready if flight.stored.number in self._flights]
        now = instant()
        finished = [_finished(flight, now, tuple(filter(self._latest, flight.versions))) for flight in flights]
        fulfilled = self._fulfilled(flights)
        if not flights and not progress and not fulfilled:
            return
        while True:
            try:
                begun = time.perf_counter()
                await asyncio.to_thread(_record, self._work, finished, progress, fulfilled)
                metrics.stage("record", time.perf_counter() - begun)
                break
            except SpoolFull as full:
                # the messages stay in memory and in intake.db; nothing new is read meanwhile
                log("spool-full", "error", reason=full.reason)
                self.room.clear()
                await asyncio.sleep(_FULL_SECONDS)
        self._written(flights, progress)

    def _due(self) -> list[Flight]:
        """Flights that are to be recorded now."""
        chosen = self._ready
        before = time.monotonic() - PROMPT_SECONDS
        crowded = len(self) > FLIGHTS // 2 or self._bytes > FLIGHT_BYTES // 2
        waiting = []
        for flight in self._flights.values():
            if flight.open and (flight.slow or flight.begun < before or crowded):
                waiting.append(flight)
        return [*chosen, *waiting]

    def _written(self, flights: list[Flight], progress: list[tuple[int, Delivery]]) -> None:
        for flight in flights:
            number = flight.stored.number
            del self._writing[number]
            self._bytes -= flight.size
            for name in flight.open:
                self._lanes[name].recorded(number)
        settled: dict[str, list[int]] = {}
        for number, delivery in [
            *progress,
            *((flight.stored.number, delivery) for flight in flights for delivery in flight.deliveries.values()),
        ]:
            if delivery.state != "waiting":
                settled.setdefault(delivery.destination, []).append(number)
        for name, numbers in settled.items():
            self._lanes[name].settled(numbers)
        if len(self) < FLIGHTS and self._bytes < FLIGHT_BYTES:
            self.room.set()
        try:
            self._recorded(flights)
        except Exception:
            # counting must not stop the recording
            log_fault("metrics-failed")

    def _fulfilled(self, flights: list[Flight]) -> int:
        """Number up to which all requests of operators are fulfilled with this group; 0 when it changes nothing."""
        for flight in flights:
            if flight.request:
                self._requests[flight.request] = True
        last = 0
        for number in sorted(self._requests):
            if not self._requests[number]:
                break
            last = number
            del self._requests[number]
        return last


def _record(work: WorkStore, finished: list[Finished], progress: list[tuple[int, Delivery]], fulfilled: int) -> None:
    if finished:
        work.record(finished, request=fulfilled)
    if progress or not finished:
        work.progress_all(progress, request=0 if finished else fulfilled)


def _finished(flight: Flight, now: str, versions: tuple[Version, ...]) -> Finished:
    stored, converted = flight.stored, flight.converted
    return Finished(
        stored.number,
        converted.fate,
        converted.slug,
        converted.issues,
        converted.tables,
        now,
        flight.parcel.patient if flight.parcel is not None else stored.patient,
        flight.parcel.line if flight.parcel is not None else None,
        tuple(flight.deliveries.values()),
        versions,
    )
