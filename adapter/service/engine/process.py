"""The engine's process: opens the spool, makes the destinations, follows the supervisor, keeps the spool tidy.

A byte in the wake-up pipe means that there are new messages. Told to `reload`, it reads the tables again; a set with faults is
refused and the one in use stays. Told to `stop`, it finishes what is under way, for `STOP_SECONDS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

from adapter.collector import settle
from adapter.config import Settings
from adapter.service import metrics
from adapter.service.child import Assignment, commands
from adapter.service.delivery.make import make_destination
from adapter.service.delivery.parcel import Destination
from adapter.service.engine.answers import Answers
from adapter.service.engine.converters import Converters
from adapter.service.engine.engine import Engine
from adapter.service.engine.lanes import Retry
from adapter.service.engine.operators import Operators, follow
from adapter.service.logs import log, log_fault
from adapter.service.settings import ConvertSettings, FhirServerDestination, ServiceSettings
from adapter.service.spool.believed_clock import BelievedClock
from adapter.service.spool.files import SpoolFull
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.records import Backlog
from adapter.service.spool.requests import RequestBox
from adapter.service.spool.retention import tidy
from adapter.service.spool.work import WorkStore
from adapter.tables.reload import Reloader

STOP_SECONDS = 10
_NICER = 5
_CHECKPOINT_SECONDS = 1
_TIDY_SECONDS = 60
_REQUEST_SECONDS = 1
# A folder and standard output recover soon, or a person has to do something.
_LOCAL_RETRY = Retry(1, 30, 3)


def conversion_settings(settings: ConvertSettings) -> Settings:
    """Settings of the conversion, as the pipeline takes them."""
    return Settings(
        to=settings.to,
        units=settings.units,
        only=settings.only,
        timezone=settings.timezone,
        validate=settings.validate_output,
        attach_source=settings.attach_source,
        mappings=settings.mappings,
        context=settings.context,
    )


def destinations_of(settings: ServiceSettings) -> list[tuple[Destination, Retry]]:
    """Make the destinations, each with its way to try again."""
    return [
        (
            make_destination(one),
            Retry(one.retry_seconds, one.retry_limit_seconds, one.breaker_faults)
            if isinstance(one, FhirServerDestination)
            else _LOCAL_RETRY,
        )
        for one in settings.delivery
    ]


def burst_share_of(settings: ServiceSettings) -> float:
    """Give the engine's part of the time in a burst: all of it where senders wait for the conversion."""
    waited_for = settings.mllp.enabled and settings.mllp.acknowledge == "converted"
    return 1 if waited_for else settings.convert.burst_share


def without_destination(work: WorkStore, settings: ServiceSettings) -> list[Backlog]:
    """Find what waits for destinations that were taken out of the settings or renamed: nobody delivers it, and it stays."""
    names = {one.name for one in settings.delivery}
    return [one for one in work.backlog() if one.state == "waiting" and one.destination not in names]


async def engine_process(assignment: Assignment) -> None:
    """Run the engine until the supervisor says stop or is gone.

    Parameters
    ----------
    assignment : Assignment
        Settings; the reading end of the wake-up pipe; the socket to the MLLP door, or -1.

    Raises
    ------
    adapter.tables.load.TableFaults
        The tables have faults.
    adapter.service.spool.files.SpoolFault
        The spool cannot be opened.
    """
    settings = assignment.settings
    # doors come first; what runs behind them waits in the spool. Converters are nicer still
    os.nice(_NICER)
    reloader = Reloader(settings.convert.mappings)
    folder = settings.spool.folder
    with contextlib.ExitStack() as stack:
        intake, kept = (stack.enter_context(contextlib.closing(IntakeStore(folder))) for _ in range(2))
        work = stack.enter_context(contextlib.closing(WorkStore(folder)))
        box = stack.enter_context(contextlib.closing(RequestBox(folder)))
        with contextlib.suppress(SpoolFull):
            work.lengthen_log()
        converters = Converters(
            conversion_settings(settings.convert),
            reloader.tables,
            settings.convert.processes,
            restarted=lambda: metrics.restarted("converter"),
        )
        answers = await Answers.connect(socket.socket(fileno=assignment.answers)) if assignment.answers >= 0 else None
        engine = Engine(
            intake,
            work,
            converters,
            destinations_of(settings),
            answers.send if answers is not None else lambda converted: None,
            burst_share_of(settings),
        )
        stop = asyncio.Event()
        reload = asyncio.Event()
        _listen(assignment.wake, engine)
        if not settings.delivery:
            log("no-destination", "warning")
        for one in without_destination(work, settings):
            log("destination-gone", "warning", destination=one.destination, messages=one.messages, oldest=one.oldest)
        helpers = [
            asyncio.create_task(follow(Operators(engine, kept, work, box), _REQUEST_SECONDS)),
            asyncio.create_task(_housekeeping(kept, work, settings)),
            asyncio.create_task(_reloads(reload, reloader, converters)),
            asyncio.create_task(commands(reload.set, stop.set)),
        ]
        for helper in helpers:
            helper.add_done_callback(_failed(stop))
        settle()
        log("engine-started", pid=os.getpid(), tables=reloader.tables.version, recorded_to=work.cursor())
        try:
            await engine.run(stop, STOP_SECONDS)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            if answers is not None:
                answers.close()
        log("engine-stopped", pid=os.getpid())


def _failed(stop: asyncio.Event) -> Callable[[asyncio.Task[None]], None]:
    """End the engine when a helper fails: the supervisor starts it again."""

    def check(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log("helper-failed", "error", fault=type(task.exception()).__name__)
            stop.set()

    return check


def _listen(wake: int, engine: Engine) -> None:
    """Wake the engine for each byte in the pipe."""
    if wake < 0:
        return
    loop = asyncio.get_running_loop()
    os.set_blocking(wake, False)

    def drain() -> None:
        try:
            if not os.read(wake, 65536):
                loop.remove_reader(wake)
        except BlockingIOError:
            pass
        engine.wake()

    loop.add_reader(wake, drain)


async def _housekeeping(intake: IntakeStore, work: WorkStore, settings: ServiceSettings) -> None:
    """Copy the logs into the databases, and let go what need not be kept."""
    loop = asyncio.get_running_loop()
    next_tidy = loop.time()
    clock = BelievedClock()
    while True:
        now = clock.now()
        try:
            await asyncio.to_thread(intake.checkpoint)
            await asyncio.to_thread(work.checkpoint)
            if loop.time() >= next_tidy:
                done = await asyncio.to_thread(tidy, intake, work, settings.spool, now)
                if not done:
                    next_tidy = loop.time() + _TIDY_SECONDS
        except SpoolFull as full:
            log("spool-full", "error", reason=full.reason)
        except Exception:
            log_fault("housekeeping-failed")
        await asyncio.sleep(_CHECKPOINT_SECONDS)


async def _reloads(asked: asyncio.Event, reloader: Reloader, converters: Converters) -> None:
    """Take changed tables into use when asked to."""
    while True:
        await asked.wait()
        asked.clear()
        found = await asyncio.to_thread(reloader.reload)
        for fault in found.faults:
            log("table-fault", "error", file=fault.file, line=fault.line, column=fault.column, what=fault.what)
        metrics.reload("refused" if found.faults else "changed" if found.changed else "same")
        if found.changed:
            await converters.use(found.tables)
        log("tables-reloaded", "error" if found.faults else "info", tables=found.tables.version, changed=found.changed)
