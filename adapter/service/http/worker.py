"""One process of the HTTP door: uvicorn on a socket that the supervisor opened and several such processes share.

A reload reads the tables and the token again, between requests; what has faults is refused, and the old ones stay. A stop takes
no more connections, answers what is under way, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from adapter.service import metrics
from adapter.service.http.app import Door
from adapter.service.http.authorization import AccessFault, Authorization
from adapter.service.http.conversions import Conversions
from adapter.service.http.inbox import Inbox
from adapter.service.http.protocol import limited
from adapter.service.logs import log
from adapter.service.settings import ServiceSettings
from adapter.service.spool.gauges import SpoolGauges
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.work import WorkStore
from adapter.service.tls import server_context

if TYPE_CHECKING:
    from adapter.service.child import Assignment

#: Requests under way at a stop have so long to be answered, in seconds: less than the supervisor waits.
STOP_SECONDS = 12
_HEADERS = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]


class Worker:
    """The door of one process.

    Parameters
    ----------
    settings : ServiceSettings
        Settings of the service.
    wake : int
        File number of the engine's wake-up pipe; -1 when there is none.
    snapshot : metrics.Snapshot or None
        Where the gauges of the spool come from.

    Raises
    ------
    AccessFault
        The door must not be opened as configured.
    TableFaults
        The tables have faults.
    SpoolFault
        The spool cannot be opened.
    """

    def __init__(self, settings: ServiceSettings, wake: int = -1, snapshot: metrics.Snapshot | None = None) -> None:
        self._settings = settings
        self._authorization = Authorization(settings.http)
        self._conversions = Conversions(settings.convert)
        self._store = IntakeStore(settings.spool.folder, free_bytes=settings.spool.free_megabytes * 2**20)
        if wake >= 0:
            os.set_blocking(wake, False)
        door = Door(settings, self._conversions, Inbox(self._store, wake), self._authorization, snapshot)
        self._server = _Server(_config(settings, door))

    @property
    def started(self) -> bool:
        """Whether connections are taken."""
        return self._server.started

    async def serve(self, listener: socket.socket) -> None:
        """Answer requests until `stop`.

        Parameters
        ----------
        listener : socket.socket
            Listening; it is closed at the end.
        """
        try:
            await self._server.serve([listener])
        finally:
            self._conversions.close()
            self._store.close()

    def stop(self) -> None:
        """Take no more connections, answer what is under way, end."""
        self._server.should_exit = True

    def reload(self) -> None:
        """Read tables and token again; keep what cannot be replaced."""
        try:
            self._authorization.reload()
        except AccessFault as refused:
            log("token-refused", "error", reason=str(refused))
        changed, faults = self._conversions.reload()
        for fault in faults:
            log("tables-refused", "error", reason=str(fault))
        metrics.reload("refused" if faults else "changed" if changed else "same")


class _Server(uvicorn.Server):
    """Leaves signals to the process: a supervisor tells its workers what to do."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def http_process(assignment: Assignment) -> None:
    """Run the door in a process that the supervisor started; see `adapter.service.child`."""
    from adapter.service.child import commands

    folder = assignment.settings.spool.folder
    # of their own, so that a scrape and a commit never wait for each other
    with contextlib.closing(IntakeStore(folder)) as intake, contextlib.closing(WorkStore(folder)) as work:
        worker = Worker(assignment.settings, assignment.wake, SpoolGauges(intake, work))
        following = asyncio.ensure_future(commands(worker.reload, worker.stop))
        try:
            await worker.serve(socket.socket(fileno=assignment.listener))
        finally:
            following.cancel()


def _config(settings: ServiceSettings, door: Door) -> uvicorn.Config:
    http = settings.http
    return uvicorn.Config(
        door,
        http=limited(http.request_seconds, http.connections),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=_HEADERS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_context_factory=_context(settings) if http.tls.active else None,
    )


def _context(settings: ServiceSettings) -> Callable[[uvicorn.Config, object], ssl.SSLContext]:
    def make(config: uvicorn.Config, default: object) -> ssl.SSLContext:
        context = server_context(settings.http.tls)
        assert context is not None
        return context

    return make
