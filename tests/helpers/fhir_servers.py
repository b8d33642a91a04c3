"""A small HTTP server in the test's own loop; what it answers is a function."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

Answering = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve on a free port; gives the base URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answering(request, await request.read())

    application = web.Application(client_max_size=64 * 2**20)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/fhir"
    finally:
        await runner.cleanup()


def taken(body: bytes) -> web.Response:
    """Answer of a server that took a transaction."""
    entries = [{"response": {"status": "201 Created"}} for _ in orjson.loads(body)["entry"]]
    return fhir(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def fhir(status: int, content: object, **headers: str) -> web.Response:
    """A FHIR answer."""
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/fhir+json", headers=headers)


def outcome(status: int, code: str = "invalid", expression: str = "", diagnostics: str = "", **headers: str) -> web.Response:
    """An OperationOutcome."""
    issue: dict[str, object] = {"severity": "error", "code": code}
    if expression:
        issue["expression"] = [expression]
    if diagnostics:
        issue["diagnostics"] = diagnostics
    return fhir(status, {"resourceType": "OperationOutcome", "issue": [issue]}, **headers)
