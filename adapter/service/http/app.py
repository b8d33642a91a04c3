"""The door put together: routes, and around them what every request passes: token, limit of requests at once, errors.

An error never leaves as anything but an OperationOutcome, and never with more than its kind and place in the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from adapter.fhir.json import dumps
from adapter.service import metrics
from adapter.service.http.authorization import Authorization
from adapter.service.http.body import Disconnected
from adapter.service.http.capability import capability_statement
from adapter.service.http.conversions import Conversions
from adapter.service.http.convert import Convert
from adapter.service.http.hl7_over_http import Hl7OverHttp
from adapter.service.http.inbox import Inbox
from adapter.service.http.openapi import openapi, page
from adapter.service.http.operations import OPERATIONS
from adapter.service.http.outcomes import FHIR_JSON, Refusal, outcome_text
from adapter.service.http.probes import Probes
from adapter.service.http.process_message import ProcessMessage, need_json_accepted
from adapter.service.http.translate import Translate
from adapter.service.logs import log_fault
from adapter.service.settings import ServiceSettings

_OPEN = frozenset(operation.path for operation in OPERATIONS if operation.open)
#: Answered however busy the door is: whoever asks these has to know.
_ALWAYS = _OPEN | {"/ready", "/metrics"}
_PAGE_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


class Door:
    """The ASGI application.

    Parameters
    ----------
    settings : ServiceSettings
        Settings of the service.
    conversions : Conversions
        Tables and pipelines.
    inbox : Inbox
        The way into the spool.
    authorization : Authorization
        Who may come in.
    snapshot : metrics.Snapshot or None
        Where the gauges of the spool come from.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        conversions: Conversions,
        inbox: Inbox,
        authorization: Authorization,
        snapshot: metrics.Snapshot | None = None,
    ) -> None:
        self._concurrency = settings.http.concurrency
        self._authorization = authorization
        self._working = 0
        self._app = Starlette(
            routes=_routes(settings, conversions, inbox, authorization, snapshot),
            exception_handlers={Refusal: _refused, HTTPException: _not_routed, Exception: _failed},
        )
        # an address with a slash too many is none; a redirect would repeat the Host header of the client
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._working += 1
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, receive, sending)
            else:
                await _answer(refusal)(scope, receive, sending)
        except Disconnected:
            status = 499
        except Exception:
            # it was answered with 500, or the answer breaks off and the server closes the connection
            log_fault("request-failed", path=scope["path"] if status else "")
        finally:
            self._working -= 1
        metrics.answered("http", str(status))

    def _refusal(self, scope: Scope) -> Refusal | None:
        path = scope["path"]
        headers = dict(scope["headers"])
        if b"origin" in headers:
            # a browser on this machine lets any page post to loopback (text/plain needs no leave); it always says so
            return Refusal("web-page-refused")
        if path not in _OPEN:
            try:
                self._authorization.check(headers.get(b"authorization", b""))
            except Refusal as refusal:
                return refusal
        if self._working > self._concurrency and path not in _ALWAYS:
            return Refusal("too-busy")
        return None


def _routes(
    settings: ServiceSettings,
    conversions: Conversions,
    inbox: Inbox,
    authorization: Authorization,
    snapshot: metrics.Snapshot | None,
) -> list[Route]:
    """Bind an endpoint to every operation."""
    limit = settings.http.request_size

    async def metadata(request: Request) -> Response:
        need_json_accepted(request)
        host, port = request.scope.get("server") or ("", None)
        base = f"{request.scope['scheme']}://{host}:{port}/fhir"
        return Response(dumps(capability_statement(base, token=authorization.needs_token)), media_type=FHIR_JSON)

    description = dumps(openapi(token=authorization.needs_token))
    shown = page()

    async def described(request: Request) -> Response:
        return Response(description, media_type="application/json")

    async def docs(request: Request) -> Response:
        return HTMLResponse(shown, headers=_PAGE_POLICY)

    probes = Probes(lambda: conversions.tables.version, inbox.store, snapshot)
    translate = Translate(lambda: conversions.tables)
    endpoints: Mapping[str, Any] = {
        "convert": Convert(conversions, limit),
        "process-message": ProcessMessage(inbox, limit).answer,
        "hl7": Hl7OverHttp(inbox, limit, settings.mllp, conversions.processing_ids).answer,
        "translate": translate.get,
        "translate-parameters": translate.post,
        "metadata": metadata,
        "openapi": described,
        "docs": docs,
        "health": probes.health,
        "ready": probes.ready,
        "metrics": probes.metrics,
    }
    return [Route(operation.path, endpoints[operation.name], methods=[operation.method]) for operation in OPERATIONS]


def _answer(refusal: Refusal) -> Response:
    if refusal.status < 500 or refusal.status == 503:
        metrics.refused("http", refusal.issue.slug)
    return Response(outcome_text([refusal.issue]), refusal.status, refusal.headers, FHIR_JSON)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return _answer(refusal)


async def _not_routed(request: Request, fault: Exception) -> Response:
    """Answer what no route takes: an address or a method that is not there."""
    assert isinstance(fault, HTTPException)
    if fault.status_code == 405:
        allowed = [operation.method for operation in OPERATIONS if operation.path == request.scope["path"]]
        return _answer(Refusal("method-not-allowed", headers={"allow": ", ".join(allowed)}))
    if fault.status_code == 404:
        return _answer(Refusal("not-found"))
    return _answer(Refusal("request-malformed", status=fault.status_code))


async def _failed(request: Request, failure: Exception) -> Response:
    return _answer(Refusal("internal-error"))
