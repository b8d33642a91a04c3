"""The lane of one destination: what it still has to get, in order per patient, with retries.

A lane holds an item for each message. The message's output stands in memory until the message is recorded in the spool; from
then on the item is a number, and the output is read again when it is delivered. Beyond `ITEMS` the lane is behind: further
messages are in the spool only, and it fetches them by number when there is room. So a destination that is down costs little
memory and holds up nobody.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from random import Random
from typing import NamedTuple, Protocol

from adapter.service import metrics
from adapter.service.delivery.breaker import CLOSED, Breaker, pause_after
from adapter.service.delivery.parcel import Again, Dead, Delivered, Destination, Parcel, Result
from adapter.service.logs import log, log_fault

#: Items that a lane holds.
ITEMS = 20_000
#: Attempts after which a message is dead that fails while others go through.
LONE_FAILURES = 10
_NOBODY = ("",)


class Retry(NamedTuple):
    """When to try again: first pause and longest pause in seconds, faults in a row that open the breaker."""

    first: float = 1
    limit: float = 300
    faults: int = 5


class Attempt(NamedTuple):
    """What became of an attempt; `again_in`: seconds until the next one."""

    state: str
    attempts: int
    reason: str = ""
    again_in: float = 0


class Spool(Protocol):
    """What a lane needs of the spool and the engine."""

    def load(self, lane: str, number: int) -> Parcel | None:
        """Output of a recorded message; None when this destination is not to get it any longer."""

    def backlog(self, lane: str, limit: int) -> list[tuple[int, str, int]]:
        """Number, patient and attempts of what is recorded as waiting, in order."""

    def skipped(self, lane: str) -> list[Parcel]:
        """What the lane did not take and may not be recorded yet; the lane takes it now."""

    def attempted(self, lane: str, number: int, attempt: Attempt) -> None:
        """Hear what became of an attempt."""


class _Item:
    __slots__ = ("attempts", "behind", "failures", "keys", "lone", "number", "others", "parcel", "seen")

    def __init__(self, number: int, keys: Sequence[str], parcel: Parcel | None, attempts: int = 0) -> None:
        self.number, self.keys, self.parcel, self.attempts = number, keys, parcel, attempts
        # chains in which others stand before it
        self.behind = 0
        # failures by reason since it came; failures while others went through; successes of the lane at the last failure;
        # whether others went through since the first one
        self.failures: dict[str, int] = {}
        self.lone = 0
        self.seen = -1
        self.others = False


class Lane:
    """The lane.

    Parameters
    ----------
    destination : Destination
        Where it leads.
    spool : Spool
        Where outputs wait and who hears of attempts.
    retry : Retry
        When to try again.
    breaker_changed : callable
        Told the state of the breaker.
    clock : callable
        Monotonic seconds.
    random : Random, optional
        For jitter.
    """

    def __init__(
        self,
        destination: Destination,
        spool: Spool,
        retry: Retry,
        *,
        breaker_changed: Callable[[int], None] = lambda state: None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        items: int = ITEMS,
    ) -> None:
        self.name = destination.name
        self._destination, self._spool, self._retry, self._clock = destination, spool, retry, clock
        self._random = random or Random()
        self._breaker = Breaker(retry.faults, retry.first, retry.limit, breaker_changed, self._random)
        self._limit = items
        self._items: dict[int, _Item] = {}
        # items in order, by key of the patient
        self._chains: dict[str, deque[_Item]] = {}
        # items that are first in all their chains and not under way: when they are due, number
        self._due: list[tuple[float, int]] = []
        self._settled: set[int] = set()
        self._successes = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        # what an earlier run left is fetched first
        self.behind = True

    def __len__(self) -> int:
        return len(self._items)

    @property
    def prompt(self) -> bool:
        """Whether outputs may wait in memory: nothing hints that they will have to wait long."""
        return not self.behind and self._breaker.state == CLOSED

    def add(self, parcel: Parcel) -> bool:
        """Take a message; False when the lane is behind, and will fetch it from the spool once it is recorded."""
        if self.behind or len(self._items) >= self._limit:
            self.behind = True
            self._wake.set()
            return False
        self._append(parcel.number, parcel.patient, parcel)
        self._wake.set()
        return True

    def recorded(self, number: int) -> None:
        """Hear that a message is in the spool: its output need not stay in memory."""
        item = self._items.get(number)
        if item is not None:
            item.parcel = None

    def settled(self, numbers: Iterable[int]) -> None:
        """Hear that the end of deliveries is recorded."""
        self._settled.difference_update(numbers)

    def hurry(self) -> None:
        """Try everything now; for an operator who mended the destination."""
        self._hurry(self._clock())
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`."""
        while not self._stopping:
            try:
                self._refill()
                wait = self._begin()
            except Exception:
                # the spool cannot be read just now
                log_fault("lane-failed", destination=self.name)
                wait = 1
            if self._wake.is_set():
                self._wake.clear()
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def stop(self) -> None:
        """Begin nothing more and wait for what is under way."""
        self._stopping = True
        self._wake.set()
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._destination.close()

    def cancel(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()

    def _append(self, number: int, patient: str, parcel: Parcel | None, attempts: int = 0) -> None:
        there = self._items.get(number)
        if there is not None:
            # dropped by an operator and asked for again before the lane saw it
            there.parcel = parcel
            return
        # what a destination takes in batches stays in one row
        keys = patient.split() if patient and self._destination.batch == 1 else _NOBODY
        item = self._items[number] = _Item(number, keys, parcel, attempts)
        for key in keys:
            chain = self._chains.get(key)
            if chain is None:
                self._chains[key] = deque((item,))
            else:
                chain.append(item)
                item.behind += 1
        if not item.behind:
            heapq.heappush(self._due, (0, number))

    def _refill(self) -> None:
        """Fetch what waits in the spool, when the lane is behind and has room."""
        if not self.behind or len(self._items) > self._limit // 2:
            return
        rows = self._spool.backlog(self.name, self._limit)
        for number, patient, attempts in rows:
            if number not in self._items and number not in self._settled:
                self._append(number, patient, None, attempts)
        if len(rows) < self._limit:
            for parcel in self._spool.skipped(self.name):
                if parcel.number not in self._items:
                    self._append(parcel.number, parcel.patient, parcel)
            self.behind = False

    def _begin(self) -> float | None:
        """Begin what can begin; gives the seconds until more can, or None when only an event can change that."""
        now = self._clock()
        while self._due and len(self._under_way) < self._destination.concurrency:
            wait = max(self._breaker.opens_in(now), self._due[0][0] - now)
            if wait > 0:
                return wait
            _, number = heapq.heappop(self._due)
            first = self._items[number]
            items = [first] if self._destination.batch == 1 else list(islice(self._chains[""], self._destination.batch))
            self._breaker.begin()
            task = asyncio.create_task(self._attempt(items))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        # behind: what is missing is on its way into the spool
        return 1 if self.behind else None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._wake.set()

    async def _attempt(self, items: Sequence[_Item]) -> None:
        due: float = 0
        free: list[_Item] = []
        try:
            parcels = []
            gone = []
            for item in items:
                parcel = item.parcel or self._spool.load(self.name, item.number)
                if parcel is None:
                    gone.append(item)
                else:
                    parcels.append((item, parcel))
            for item in gone:
                # delivered, dropped or taken away meanwhile
                free += self._remove(item)
            if parcels:
                begun = time.perf_counter()
                results = await self._destination.deliver([parcel for _, parcel in parcels])
                metrics.stage("deliver", time.perf_counter() - begun)
                due = self._judge([item for item, _ in parcels], results, free)
            else:
                self._breaker.success()
        except asyncio.CancelledError:
            raise
        except Exception:
            # a fault of the program itself must not end the lane
            log_fault("delivery-failed", destination=self.name)
            now = self._clock()
            self._breaker.fault(now)
            due = now + self._retry.limit
        finally:
            left = [item for item in items if item.number in self._items and not item.behind]
            for item in left:
                heapq.heappush(self._due, (due, item.number))
            for item in free:
                if item.number in self._items and item not in left:
                    heapq.heappush(self._due, (0, item.number))

    def _judge(self, items: Sequence[_Item], results: Sequence[Result], free: list[_Item]) -> float:
        """Follow the results; gives when what is left is due again, and adds what has become first in its chains to `free`."""
        now = self._clock()
        due: float = 0
        for item, result in zip(items, results, strict=True):
            item.attempts += 1
            if isinstance(result, Delivered):
                self._successes += 1
                if self._breaker.success():
                    self._hurry(now)
                free += self._settle(item, Attempt("delivered", item.attempts))
            elif isinstance(result, Dead) or self._is_hopeless(item, result):
                if isinstance(result, Dead):
                    # it answered, so it works
                    self._breaker.success()
                elif result.destination:
                    self._breaker.fault(now)
                log("delivery-dead", "error", destination=self.name, number=item.number, reason=result.reason)
                free += self._settle(item, Attempt("dead", item.attempts, result.reason))
            else:
                if not due:
                    # of a batch only the first one tells about the destination
                    due = now + self._pause(item, result, now)
                self._spool.attempted(self.name, item.number, Attempt("waiting", item.attempts, result.reason, due - now))
        return due

    def _pause(self, item: _Item, result: Again, now: float) -> float:
        if result.destination:
            self._breaker.fault(now, result.after)
        else:
            self._breaker.success()
        log("delivery-failed", "warning", destination=self.name, number=item.number, reason=result.reason, attempts=item.attempts)
        return max(pause_after(sum(item.failures.values()) - 1, self._retry.first, self._retry.limit, self._random), result.after)

    def _is_hopeless(self, item: _Item, result: Again) -> bool:
        """Whether the fault is the message's: it recurs too often, or again and again while others go through."""
        item.failures[result.reason] = count = item.failures.get(result.reason, 0) + 1
        if item.seen >= 0 and self._successes > item.seen:
            item.others = True
            item.lone += result.message
        item.seen = self._successes
        if result.limit and count >= result.limit:
            # while nothing goes through the destination may answer so to everything
            return item.others or not result.destination
        return item.lone >= LONE_FAILURES

    def _hurry(self, now: float) -> None:
        """The destination is back: what waits for its next attempt need not."""
        self._due = [(min(due, now), number) for due, number in self._due]
        heapq.heapify(self._due)

    def _settle(self, item: _Item, attempt: Attempt) -> list[_Item]:
        self._settled.add(item.number)
        free = self._remove(item)
        self._spool.attempted(self.name, item.number, attempt)
        return free

    def _remove(self, item: _Item) -> list[_Item]:
        """Take an item out; gives those that are first in all their chains now."""
        free = []
        for key in item.keys:
            chain = self._chains[key]
            if chain[0] is not item:
                # of a batch
                chain.remove(item)
                continue
            chain.popleft()
            if not chain:
                del self._chains[key]
                continue
            chain[0].behind -= 1
            if not chain[0].behind:
                free.append(chain[0])
        del self._items[item.number]
        return free
