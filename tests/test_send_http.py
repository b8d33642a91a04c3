"""Sending over HTTP: v2 as HL7 over HTTP, FHIR as FHIR JSON; an acknowledgement counts more than the status."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from adapter.clients.answer import Answer
from adapter.clients.endpoint import client_context, endpoint_of
from adapter.clients.http import ER7, FHIR_JSON
from adapter.clients.sending import SendOptions, send_messages
from adapter.hl7v2.framing import RawMessage

V2 = RawMessage("er7", b"MSH|^~\\&|TESTLIS|TEST|||20260113||ORU^R01|M1|P|2.5.1\rPID|1||T1\r", 0)
FHIR = RawMessage("json", b'{"resourceType":"Observation","status":"final","code":{"text":"B2M"}}', 0)
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ack(code: str, control_id: str = "M1") -> bytes:
    return f"MSH|^~\\&|||||20260113||ACK|A|P|2.5.1\rMSA|{code}|{control_id}\r".encode()


@asynccontextmanager
async def listening(answering: Answering, tls: ssl.SSLContext | None = None):
    application = web.Application()
    application.router.add_post("/messages", answering)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield endpoint_of(f"{'https' if tls else 'http'}://127.0.0.1:{port}/messages")
    finally:
        await runner.cleanup()


def sent(answering: Answering, *messages: RawMessage, **options: object) -> list[Answer]:
    async def run() -> list[Answer]:
        async with listening(answering) as endpoint:
            made = SendOptions(**{"timeout_milliseconds": 2000, **options})
            return [answer async for answer in send_messages(endpoint, messages, made)]

    return asyncio.run(run())


def always(status: int, body: bytes = b"", **headers: str) -> Answering:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("status", "fate"), [(200, "accepted"), (202, "accepted"), (302, "refused"), (400, "refused"), (503, "refused")]
)
def test_without_acknowledgement_the_status_decides(status, fate):
    (answer,) = sent(always(status), FHIR)
    assert (answer.fate, answer.code) == (fate, str(status))


@pytest.mark.parametrize(("code", "status", "fate"), [("AA", 200, "accepted"), ("AE", 200, "refused"), ("AR", 400, "refused")])
def test_an_acknowledgement_counts_more_than_the_status(code, status, fate):
    (answer,) = sent(always(status, ack(code)), V2)
    assert (answer.fate, answer.code) == (fate, code)


def test_an_acknowledgement_of_another_message_is_a_fault():
    (answer,) = sent(always(200, ack("AA", "OTHER")), V2)
    assert answer.fault == "wrong-control-id"


def test_the_message_arrives_as_it_is_with_its_type():
    got: list[tuple[str, bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        got.append((request.headers["content-type"], await request.read()))
        return web.Response()

    sent(keep, V2, FHIR)
    assert got == [(ER7, V2.data), (FHIR_JSON, FHIR.data)]


def test_the_token_is_sent():
    got: list[str] = []

    async def keep(request: web.Request) -> web.Response:
        got.append(request.headers.get("authorization", ""))
        return web.Response()

    sent(keep, V2, token="secret-of-a-test")
    assert got == ["Bearer secret-of-a-test"]


def test_redirects_are_not_followed():
    calls = 0

    async def redirect(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=307, headers={"Location": str(request.url)})

    (answer,) = sent(redirect, V2)
    assert (answer.fate, calls) == ("refused", 1)


def test_a_server_that_hangs_leaves_the_message_unanswered():
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response()

    (answer,) = sent(hang, V2, timeout_milliseconds=150)
    assert (answer.fate, answer.fault) == ("unanswered", "timeout")


def test_a_server_that_cuts_leaves_the_message_unanswered():
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    (answer,) = sent(cut, V2)
    assert (answer.fate, answer.fault) == ("unanswered", "connection-closed")


def test_where_nobody_listens_nothing_is_sent_and_three_failures_are_enough():
    async def run() -> list[Answer]:
        async with listening(always(200)) as endpoint:
            pass
        return [one async for one in send_messages(endpoint, [V2] * 5, SendOptions())]

    answers = asyncio.run(run())
    assert {one.fate for one in answers} == {"not-sent"}
    assert [one.fault for one in answers] == ["connection-refused"] * 3 + ["given-up"] * 2


def test_connections_are_used_at_once():
    together = most = 0

    async def count(request: web.Request) -> web.Response:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.02)
        together -= 1
        return web.Response()

    messages = [RawMessage("er7", V2.data.replace(b"T1", f"T{n}".encode()), 0) for n in range(12)]
    assert {one.fate for one in sent(count, *messages, connections=4)} == {"accepted"}
    assert 1 < most <= 4


def test_https_with_the_authority_of_the_server(tmp_path):
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)

    async def run(client: ssl.SSLContext | None) -> Answer:
        async with listening(always(200), server) as endpoint:
            (answer,) = [one async for one in send_messages(endpoint, [V2], SendOptions(tls=client))]
            return answer

    assert asyncio.run(run(client_context(file, None, None))).fate == "accepted"
    refused = asyncio.run(run(None))
    assert (refused.fate, refused.fault) == ("not-sent", "tls-failed")
