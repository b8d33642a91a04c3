"""Sends many messages to one endpoint and tells what became of each: `send_messages`.

Messages of one patient go over one connection, in order. A message whose answer did not come is not sent again: it may have
arrived. The connection is opened anew for the next one; after three failures in a row it is given up, and the rest of its
messages are not sent.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter_ns
from typing import NamedTuple
from zlib import crc32

from adapter.clients.answer import Answer, Fate, judged
from adapter.clients.endpoint import Endpoint
from adapter.clients.http import HttpClient
from adapter.clients.mllp import ConnectionBroken, MllpClient, Reply
from adapter.fhir.admission import admit_fhir
from adapter.hl7v2.admission import admit
from adapter.hl7v2.framing import RawMessage

_FAILURES_ALLOWED = 3
#: Messages that wait for a connection, and answers that wait for the caller.
_QUEUED = 64
_PAUSE_MILLISECONDS = 50
#: Nanoseconds: the event loop cannot sleep shorter, and what a longer sleep or a slow server cost is made up to this extent.
_SHORTEST_SLEEP, _LAG_MADE_UP = 1_000_000, 20_000_000


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How to send.

    Parameters
    ----------
    connections : int
        How many at once.
    in_flight : int
        How many messages may wait for their answer on one MLLP connection.
    timeout_milliseconds : int
        For connecting, and for each answer.
    interval_nanoseconds : int
        Least time between two messages; 0: none.
    tls : ssl.SSLContext or None
        For endpoints that speak TLS; None: the system's authorities.
    token : str
        Bearer token for HTTP; empty: none.
    """

    connections: int = 1
    in_flight: int = 1
    timeout_milliseconds: int = 30_000
    interval_nanoseconds: int = 0
    tls: ssl.SSLContext | None = None
    token: str = ""


class _Item(NamedTuple):
    number: int
    control_id: str
    raw: RawMessage


_Queue = asyncio.Queue[_Item | None]
_Answers = asyncio.Queue[Answer | None]


async def send_messages(
    endpoint: Endpoint,
    messages: Iterable[RawMessage] | AsyncIterable[RawMessage],
    options: SendOptions,
    further: Counter[str] | None = None,
) -> AsyncIterator[Answer]:
    """Send messages.

    Parameters
    ----------
    endpoint : Endpoint
        Where to.
    messages : iterable or async iterable of RawMessage
        What; read as they are needed. What is no message (`unreadable`) is sent as it is, too.
    options : SendOptions
        How.
    further : Counter, optional
        Gets the count of answers to messages that had one already, by code: in enhanced mode application acknowledgements.

    Yields
    ------
    Answer
        One for each message, as they come; with one connection in the order of the messages.
    """
    lanes: list[_Queue] = [asyncio.Queue(_QUEUED) for _ in range(options.connections)]
    answers: _Answers = asyncio.Queue(_QUEUED)
    counted = further if further is not None else Counter()
    http = None
    if endpoint.protocol == "http":
        http = HttpClient(
            endpoint.url,
            tls=options.tls,
            token=options.token,
            connections=options.connections,
            timeout_milliseconds=options.timeout_milliseconds,
        )
        workers = [_http_lane(http, lane, answers) for lane in lanes]
    else:
        workers = [_MllpLane(endpoint, options, lane, answers, counted).run() for lane in lanes]

    async def everything() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
                group.create_task(_dispatch(messages, lanes, options.interval_nanoseconds))
        finally:
            if http is not None:
                await http.close()
            await answers.put(None)

    task = asyncio.create_task(everything())
    try:
        while (answer := await answers.get()) is not None:
            yield answer
        await task
    finally:
        task.cancel()
        # the queue may be full, and the task waits to say that it ended
        while not task.done():
            with suppress(asyncio.QueueEmpty):
                while True:
                    answers.get_nowait()
            await asyncio.wait([task], timeout=1)


async def _dispatch(messages: Iterable[RawMessage] | AsyncIterable[RawMessage], lanes: list[_Queue], interval: int) -> None:
    """Hand each message to the connection of its patient, not faster than the interval allows."""
    due = perf_counter_ns()
    number = 0
    async for raw in _each(messages):
        number += 1
        known = admit_fhir(raw.data) if raw.format == "json" else admit(raw.data)
        if interval:
            wait = due - perf_counter_ns()
            if wait > _SHORTEST_SLEEP:
                await asyncio.sleep(wait / 10**9)
            due = max(due, perf_counter_ns() - _LAG_MADE_UP) + interval
        place = crc32(known.patient.encode()) if known.patient else number
        await lanes[place % len(lanes)].put(_Item(number, known.control_id, raw))
    for lane in lanes:
        await lane.put(None)


async def _each(messages: Iterable[RawMessage] | AsyncIterable[RawMessage]) -> AsyncIterator[RawMessage]:
    if isinstance(messages, AsyncIterable):
        async for raw in messages:
            yield raw
    else:
        for raw in messages:
            yield raw


async def _http_lane(client: HttpClient, lane: _Queue, answers: _Answers) -> None:
    failures = 0
    while (item := await lane.get()) is not None:
        if failures >= _FAILURES_ALLOWED:
            await answers.put(Answer(item.number, item.control_id, "not-sent", fault="given-up"))
            continue
        try:
            reply = await client.send(item.raw.data, fhir=item.raw.format == "json")
        except ConnectionBroken as broken:
            failures += 1
            await answers.put(_unanswered(item, broken.fault))
            continue
        failures = 0
        if reply.body[:3] == b"MSH":
            await answers.put(judged(item.number, item.control_id, reply.body, reply.nanoseconds))
            continue
        fate: Fate = "accepted" if 200 <= reply.status < 300 else "refused"
        await answers.put(Answer(item.number, item.control_id, fate, str(reply.status), "", reply.nanoseconds, reply.body))


def _unanswered(item: _Item, fault: str) -> Answer:
    """A message is known not to have arrived only where there was no connection."""
    not_sent = fault in ("connection-refused", "tls-failed")
    return Answer(item.number, item.control_id, "not-sent" if not_sent else "unanswered", fault=fault)


class _MllpLane:
    """One MLLP connection: one task writes, one waits for the answers in the order of the messages."""

    def __init__(self, endpoint: Endpoint, options: SendOptions, lane: _Queue, answers: _Answers, further: Counter[str]) -> None:
        self._endpoint = endpoint
        self._further = further
        self._options = options
        self._lane = lane
        self._answers = answers
        self._window = asyncio.Semaphore(options.in_flight)
        self._under_way: asyncio.Queue[tuple[_Item, MllpClient, asyncio.Future[Reply]] | None] = asyncio.Queue()
        self._client: MllpClient | None = None
        self._broken: MllpClient | None = None
        self._failures = 0

    async def run(self) -> None:
        """Send until the lane ends."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                group.create_task(self._collect())
        finally:
            await self._close()

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._further.update(self._client.further)
            self._client = None

    async def _write(self) -> None:
        while (item := await self._lane.get()) is not None:
            await self._window.acquire()
            client = await self._connected(item)
            if client is None:
                self._window.release()
                continue
            self._under_way.put_nowait((item, client, client.post(item.raw.data, item.control_id)))
        self._under_way.put_nowait(None)

    async def _connected(self, item: _Item) -> MllpClient | None:
        """Give an open connection; None when there is none, which the message is told."""
        if self._client is not None and self._client.connected:
            return self._client
        await self._close()
        if self._failures >= _FAILURES_ALLOWED:
            await self._answers.put(Answer(item.number, item.control_id, "not-sent", fault="given-up"))
            return None
        if self._failures:
            await asyncio.sleep(_PAUSE_MILLISECONDS / 1000)
        endpoint, options = self._endpoint, self._options
        tls = (options.tls or ssl.create_default_context()) if endpoint.tls else None
        client = MllpClient(endpoint.host, endpoint.port, tls=tls, timeout_milliseconds=options.timeout_milliseconds)
        try:
            await client.connect()
        except ConnectionBroken as broken:
            self._failures += 1
            await self._answers.put(Answer(item.number, item.control_id, "not-sent", fault=broken.fault))
            return None
        self._client = client
        return client

    async def _collect(self) -> None:
        while (found := await self._under_way.get()) is not None:
            item, client, future = found
            try:
                reply = await client.answer(future)
            except ConnectionBroken as broken:
                # all that is under way breaks at once; that is one failure
                self._failures += client is not self._broken
                self._broken = client
                answer = Answer(item.number, item.control_id, "unanswered", fault=broken.fault)
            else:
                self._failures = 0
                answer = judged(item.number, item.control_id, reply.body, reply.nanoseconds)
            self._window.release()
            await self._answers.put(answer)
