"""What operators ask for (`b2m-adapter spool retry`, `drop`): taken from the request box, one after the other.

A request is fulfilled when what it changed is recorded; after a crash it is taken again. A request for a message that is being
worked on at this moment waits until that is over, and those behind it wait too.
"""

from __future__ import annotations

import asyncio

from adapter.service.engine.engine import Engine, Errand
from adapter.service.logs import log
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.requests import Request, RequestBox
from adapter.service.spool.work import WorkStore

AT_ONCE = 256


class Operators:
    """The requests of operators.

    Parameters
    ----------
    engine : Engine
        Who works on them.
    intake, work, box : IntakeStore, WorkStore, RequestBox
        The spool.
    """

    def __init__(self, engine: Engine, intake: IntakeStore, work: WorkStore, box: RequestBox) -> None:
        self._engine, self._intake, self._work, self._box = engine, intake, work, box
        self._last = work.request()
        self._removed = 0

    async def look(self) -> int:
        """Take what was asked for since the last time; gives how many requests were taken.

        Raises
        ------
        SpoolFull
            The spool is not writable now; nothing is lost.
        """
        taken = 0
        for request in await asyncio.to_thread(self._box.after, self._last, AT_ONCE):
            if self._engine.is_under_way(request.message):
                break
            if request.action == "drop":
                await self._drop(request)
            else:
                await self._retry(request)
            self._last = request.number
            taken += 1
        fulfilled = self._work.request()
        if fulfilled > self._removed:
            await asyncio.to_thread(self._box.remove, fulfilled)
            self._removed = fulfilled
        return taken

    async def _drop(self, request: Request) -> None:
        if not request.destination:
            self._engine.skip(request.message)
        if self._intake.get(request.message) is not None:
            await asyncio.to_thread(
                self._work.drop, request.message, destination=request.destination, reason=request.reason, time=instant()
            )
        log("message-dropped", number=request.message, destination=request.destination)
        self._engine.flights.fulfilled(request.number)

    async def _retry(self, request: Request) -> None:
        """Convert again, with the tables of now, and deliver where it is dead; everywhere when it was rejected."""
        finished = self._work.finished(request.message)
        stored = self._intake.get(request.message)
        lanes: tuple[str, ...] | None = None
        if finished is not None and finished.state == "converted":
            wanted = [one for one in finished.deliveries if request.destination in ("", one.destination)]
            for one in wanted:
                if one.state == "waiting" and one.destination in self._engine.lanes:
                    self._engine.lanes[one.destination].hurry()
            lanes = tuple(one.destination for one in wanted if one.state in ("dead", "dropped"))
        elif request.destination:
            lanes = (request.destination,)
        if finished is None or stored is None or not stored.data or lanes == ():
            log("retry-without-effect", "warning", number=request.message, destination=request.destination)
            self._engine.flights.fulfilled(request.number)
            return
        self._engine.flights.expect(request.number)
        log("message-retried", number=request.message, destination=request.destination, forced=request.forced)
        await self._engine.submit([Errand(stored, lanes, request.number, request.forced)])


async def follow(operators: Operators, seconds: float) -> None:
    """Look for requests again and again until cancelled."""
    while True:
        try:
            taken = await operators.look()
        except SpoolFull as full:
            log("spool-full", "error", reason=full.reason)
            taken = 0
        if not taken:
            await asyncio.sleep(seconds)
