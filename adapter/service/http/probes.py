"""What an orchestrator and a monitor ask: does the process live, can it take messages, what has it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from adapter.fhir.json import dumps
from adapter.service import metrics
from adapter.service.http.outcomes import Refusal
from adapter.service.spool.intake import IntakeStore

JSON = "application/json"


class Probes:
    """The endpoints.

    Parameters
    ----------
    version : callable
        Gives the version of the tables in force.
    store : IntakeStore
        The spool.
    snapshot : metrics.Snapshot or None
        Where the gauges of the spool come from.
    """

    def __init__(self, version: Callable[[], str], store: IntakeStore, snapshot: metrics.Snapshot | None = None) -> None:
        self._version = version
        self._store = store
        self._snapshot = snapshot

    async def health(self, request: Request) -> Response:
        """Answer that the process lives."""
        return Response(dumps({"status": "ok"}), media_type=JSON)

    async def ready(self, request: Request) -> Response:
        """Answer whether messages can be taken: tables are loaded, the spool is writable and has room."""
        reason = await asyncio.to_thread(self._store.writable)
        if reason:
            raise Refusal("not-ready", reason)
        return Response(dumps({"status": "ready", "tables": self._version()}), media_type=JSON)

    async def metrics(self, request: Request) -> Response:
        """Write everything that was counted."""
        text, kind = await asyncio.to_thread(metrics.exposition, self._snapshot)
        return Response(text, headers={"content-type": kind})
