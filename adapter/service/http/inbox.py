"""Makes messages durable for all requests of a worker: what arrived within one turn of the loop goes into one transaction.

The transaction runs in the loop, because handing it to a thread and back costs more than the wait for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from adapter.service import metrics
from adapter.service.spool.arrivals import Arrival, Placed
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import IntakeStore


class Inbox:
    """The way of this worker into the spool.

    Parameters
    ----------
    store : IntakeStore
        Where messages are kept.
    wake : int
        File number of the engine's wake-up pipe; -1 when there is none.
    """

    def __init__(self, store: IntakeStore, wake: int = -1) -> None:
        self.store = store
        self._wake = wake
        self._waiting: list[tuple[Arrival, asyncio.Future[Placed]]] = []

    async def put(self, arrival: Arrival) -> Placed:
        """Keep a message; it is on the disk on return.

        Raises
        ------
        SpoolFull
            It was not kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Placed] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._commit)
        self._waiting.append((arrival, future))
        return await future

    def _commit(self) -> None:
        group, self._waiting = self._waiting, []
        began = time.perf_counter()
        try:
            placed = self.store.put([arrival for arrival, _ in group], instant())
        except Exception as failure:
            # whatever it is, nothing was kept, and each sender has to hear of it
            full = failure if isinstance(failure, SpoolFull) else SpoolFull(type(failure).__name__)
            for _, future in group:
                if not future.done():
                    future.set_exception(full)
            return
        metrics.stage("commit", time.perf_counter() - began, len(group))
        if self._wake >= 0:
            # a full pipe means that the engine has not looked yet; it will find these, too
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._wake, b"+")
        for (_, future), place in zip(group, placed, strict=True):
            metrics.received("http", place.kind)
            if not future.done():
                future.set_result(place)
