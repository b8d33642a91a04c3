"""A running engine in the test's own process, on a spool of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from adapter.config import Settings
from adapter.pipeline import Pipeline
from adapter.service.delivery.parcel import Delivered, Destination, Parcel, Result
from adapter.service.engine.converters import Converters
from adapter.service.engine.engine import Engine
from adapter.service.engine.lanes import Retry
from adapter.service.engine.operators import Operators
from adapter.service.engine.process import conversion_settings, destinations_of
from adapter.service.engine.worker import Converted, Task, convert_one
from adapter.service.settings import ConvertSettings, ServiceSettings, SpoolSettings
from adapter.service.spool.files import instant
from adapter.service.spool.intake import Arrival, IntakeStore
from adapter.service.spool.requests import Request, RequestBox
from adapter.service.spool.work import WorkStore
from adapter.tables.load import load_tables
from helpers.waiting import until

TRANSACTIONS = Settings(to="transaction")


@cache
def shipped_tables():
    return load_tables(())


class ConvertersInProcess:
    """Converters without processes."""

    capacity = 2

    def __init__(self, settings: Settings = TRANSACTIONS) -> None:
        self._pipeline = Pipeline(shipped_tables(), settings)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def convert(self, tasks: Sequence[Task]) -> list[Converted]:
        await asyncio.sleep(0)
        return [convert_one(self._pipeline, task) for task in tasks]


@dataclass
class Memory:
    """A destination that keeps what it gets; `answer` says what becomes of a parcel."""

    name: str = "memory"
    batch: int = 1
    concurrency: int = 4
    answer: Callable[[Parcel], Result] = lambda parcel: Delivered()
    got: list[Parcel] = field(default_factory=list)

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Result]:
        await asyncio.sleep(0)
        results = [self.answer(parcel) for parcel in parcels]
        self.got += [parcel for parcel, result in zip(parcels, results, strict=True) if isinstance(result, Delivered)]
        return results

    async def close(self) -> None: ...

    @property
    def numbers(self) -> list[int]:
        return [parcel.number for parcel in self.got]


@dataclass
class Running:
    """A running engine and its spool."""

    engine: Engine
    intake: IntakeStore
    work: WorkStore
    box: RequestBox
    operators: Operators
    answers: list[Converted]

    def put(self, *messages: bytes, patient: str | Callable[[bytes], str] = "", answer: bool = False) -> list[int]:
        """Put v2 messages (or FHIR JSON) into the spool, as a door does; gives their numbers."""
        arrivals = [
            Arrival(
                data,
                "json" if data.startswith(b"{") else "er7",
                "mllp",
                sender="LAB|FAC",
                control_id=f"{self.intake.newest()}-{index}",
                patient=patient(data) if callable(patient) else patient,
                answer=answer,
            )
            for index, data in enumerate(messages)
        ]
        placed = self.intake.put(arrivals, instant())
        self.engine.wake()
        return [one.number for one in placed]

    async def recorded(self, number: int) -> None:
        """Wait until everything up to a number is recorded."""
        await until(lambda: self.work.cursor() >= number)

    def state(self, number: int, destination: str = "memory") -> str:
        """State of a delivery, else of the message."""
        finished = self.work.finished(number)
        if finished is None:
            return ""
        return next((one.state for one in finished.deliveries if one.destination == destination), finished.state)

    async def ask(self, action: str, message: int, **wish: object) -> None:
        """Ask for something as an operator does, and wait until it is fulfilled."""
        self.box.ask([Request(0, instant(), action, message, **wish)])  # type: ignore[arg-type]
        taken = 0
        while not taken:
            taken = await self.operators.look()
            await asyncio.sleep(0.01)
        last = self.operators._last
        await until(lambda: self.work.request() >= last)


def settings_of(folder: Path, **sections: object) -> ServiceSettings:
    """Settings of a service whose spool is in a folder."""
    return ServiceSettings(spool=SpoolSettings(folder=folder / "spool"), **sections)  # type: ignore[arg-type]


@asynccontextmanager
async def engine_of(
    folder: Path,
    settings: ServiceSettings | None = None,
    *,
    destinations: Sequence[Destination] | None = None,
    retry: Retry = Retry(0.01, 0.05, 3),
    processes: bool = False,
    stop_seconds: float = 5,
) -> AsyncIterator[Running]:
    """Run an engine.

    Parameters
    ----------
    folder : Path
        The spool is in its folder `spool`.
    settings : ServiceSettings, optional
        Conversion and destinations.
    destinations : sequence of Destination, optional
        In place of those of the settings.
    retry : Retry
        For `destinations`.
    processes : bool
        Whether to convert in processes, as the service does; else in this one, which starts at once.
    """
    settings = settings or settings_of(folder)
    conversion: ConvertSettings = settings.convert
    with (
        closing(IntakeStore(settings.spool.folder)) as intake,
        closing(WorkStore(settings.spool.folder)) as work,
        closing(RequestBox(settings.spool.folder)) as box,
    ):
        chosen = destinations_of(settings) if destinations is None else [(one, retry) for one in destinations]
        own = conversion_settings(conversion)
        converters = Converters(own, shipped_tables(), conversion.processes) if processes else ConvertersInProcess(own)
        answers: list[Converted] = []
        engine = Engine(intake, work, converters, chosen, answers.append)  # type: ignore[arg-type]
        stop = asyncio.Event()
        task = asyncio.create_task(engine.run(stop, stop_seconds))
        try:
            await asyncio.wait([task, asyncio.create_task(engine.started.wait())], return_when=asyncio.FIRST_COMPLETED)
            yield Running(engine, intake, work, box, Operators(engine, intake, work, box), answers)
        finally:
            stop.set()
            await task


def crash(running: Running) -> None:
    """Make as if the power went off now: nothing more is written."""

    def off(*_: object, **__: object) -> None:
        raise RuntimeError("no power")

    running.work.record = running.work.progress_all = off  # type: ignore[method-assign,assignment]
