"""The HTTP protocol of a connection, with what uvicorn's lacks: limits on headers, on time, and on what nobody reads.

Without them a client that sends one byte a minute, headers without end, or that never reads its answer would hold a
connection, and memory, for as long as it likes. A request has `request_seconds` from its first byte to its last, an answer as
long to be taken.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from adapter.issues import Issue
from adapter.service import metrics
from adapter.service.http.outcomes import FHIR_JSON, outcome_text, status_of
from adapter.service.settings import Seconds

#: Address and headers of a request together, in bytes.
HEADERS_SIZE = 32 * 1024
HEADERS_COUNT = 128
#: A body may come in chunks of one byte: so much more than its size may go over the line.
_CHUNK_OVERHEAD = 8
#: What is still read of a body after its request was refused; a client that reads its answer has stopped by then.
_LINGER = 4 * 2**20


class HttpProtocol(HttpToolsProtocol):
    """One connection. `limited` binds the limits.

    Attributes
    ----------
    seconds : number
        For a request to come in, and for an answer to be taken.
    connections_limit : int
        Further connections are closed at once.
    """

    seconds: Seconds = 60
    connections_limit = 1024

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: a connection has as long for its first request as a request has."""
        self._slow: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._stage: Literal["idle", "head", "body"] = "idle"
        self._reason = "request-malformed"
        # of the request that is coming in: bytes of its stage, content among them, bytes and number of its headers
        self._bytes = self._content = self._head = self._headers = 0
        super().connection_made(transport)
        metrics.connection("http", 1)
        if len(self.connections) > self.connections_limit:
            metrics.refused("http", "connection-limit")
            transport.abort()
            return
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._disarm()
        self._take_unread()
        metrics.connection("http", -1)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client, and keep account of what is no content."""
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        answered = self.cycle is None or self.cycle.response_complete
        if self._stage == "idle" and not answered:
            self._disarm()
            return
        if self._stage == "head" and self._bytes > HEADERS_SIZE:
            # the parser keeps an unfinished header in memory
            self._refuse("headers-too-large")
        elif self._stage == "body" and self._bytes - self._content > HEADERS_SIZE + _CHUNK_OVERHEAD * self._content:
            self._refuse("headers-too-large")
        elif self._stage == "body" and answered and self._content > _LINGER:
            self.transport.abort()
        elif self._slow is None:
            self._arm()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._stage = "head"
        self._head = self._headers = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._headers += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._stage = "body"
        self._bytes = self._content = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._stage = "idle"
        self._bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(self._reason)

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        self._expect_taking()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        self._take_unread()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; an answer that nobody takes must not hold it open."""
        if self.transport.get_write_buffer_size():
            self._expect_taking()
        super().timeout_keep_alive_handler()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEADERS_SIZE or self._headers > HEADERS_COUNT:
            self._reason = "headers-too-large"
            raise httptools.HttpParserError("headers too large")

    def _arm(self) -> None:
        self._slow = self.loop.call_later(self.seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _expect_taking(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def _take_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_slow(self) -> None:
        self._slow = None
        if self._stage == "body" and self.flow.read_paused:
            # it is this side that does not read on
            self._arm()
        elif self._stage == "idle":
            # nothing was asked
            self.transport.close()
        else:
            self._refuse("request-too-slow")

    def _refuse(self, slug: str) -> None:
        """Answer an error outside the application, and close; without a word where another answer is on its way."""
        metrics.refused("http", slug)
        cycle = self.cycle
        own = self._stage == "body"
        if cycle is not None and (cycle.response_started if own else not cycle.response_complete):
            self.transport.abort()
            return
        status = status_of(slug)
        metrics.answered("http", str(status))
        body = outcome_text([Issue(slug)])
        headers = [(b"content-type", FHIR_JSON.encode()), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        lines = [name + b": " + value + b"\r\n" for name, value in (*self.server_state.default_headers, *headers)]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.close()


def limited(seconds: Seconds, connections: int) -> type[HttpProtocol]:
    """Bind the limits; gives what uvicorn makes protocols of."""
    return type("HttpProtocol", (HttpProtocol,), {"seconds": seconds, "connections_limit": connections})
