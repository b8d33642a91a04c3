"""An MLLP client: messages out, acknowledgements in (MLLP release 1; HL7 v2.5.1 chapter 2.9).

`Waiting` knows, without a socket, which message an acknowledgement answers. `MllpClient` holds the connection; several messages
may be under way at once, and each gets its own answer whatever the order. A connection that times out or ends is given up as a
whole: what is under way then stays unanswered, and it is for the caller to send it again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, OrderedDict
from time import perf_counter_ns
from typing import Generic, NamedTuple, TypeVar

from adapter.clients.answer import acknowledgement_of, answers_to
from adapter.hl7v2.header import header_of
from adapter.hl7v2.mllp import END, START, FrameReader

#: Largest acknowledgement.
ANSWER_LIMIT = 16 * 2**20
_READ_SIZE = 2**16
#: Control ids of so many answered messages are remembered, to know a second answer when it comes.
_REMEMBERED = 1000

T = TypeVar("T")


class ConnectionBroken(Exception):  # noqa: N818  (it says what happened, as `Rejected` does)
    """The connection cannot be used any more.

    Parameters
    ----------
    fault : str
        `connection-refused`, `connection-closed`, `tls-failed`, `timeout`.
    """

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class Reply(NamedTuple):
    """An answer.

    Parameters
    ----------
    body : bytes
        The frame's content.
    nanoseconds : int
        From handing the message to the connection to reading the answer.
    """

    body: bytes
    nanoseconds: int


class Waiting(Generic[T]):
    """Messages that wait for their answer; pure.

    Attributes
    ----------
    further : Counter of str
        Answers to messages that had one already, by their code: an application acknowledgement behind the accept acknowledgement,
        or an answer that came twice.
    """

    def __init__(self) -> None:
        self.further: Counter[str] = Counter()
        self._waiting: list[tuple[str, T]] = []
        self._answered: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self, control_id: str, token: T) -> None:
        """Wait for the answer to a message.

        Parameters
        ----------
        control_id : str
            MSH-10; may be empty.
        token : T
            Given back with the answer.
        """
        self._waiting.append((control_id, token))

    def answered(self, body: bytes) -> T | None:
        """Tell whom an answer is for.

        Parameters
        ----------
        body : bytes
            A frame that came.

        Returns
        -------
        T or None
            Token of the message that MSA-2 names, the oldest of several. An answer that names none of them is for the oldest
            message, which then finds the wrong control id in it; None when it is a further answer, or when nothing waits.
        """
        code, acknowledged = acknowledgement_of(body)
        place = next((n for n, (wanted, _) in enumerate(self._waiting) if wanted and answers_to(acknowledged, wanted)), -1)
        if place < 0:
            if acknowledged in self._answered or not self._waiting:
                self.further[code] += 1
                return None
            place = 0
        control_id, token = self._waiting.pop(place)
        self._answered[control_id.strip()] = None
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        return token

    def clear(self) -> list[T]:
        """Give up; returns the tokens that still waited."""
        tokens = [token for _, token in self._waiting]
        self._waiting.clear()
        return tokens


class MllpClient:
    """A connection to an MLLP server.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        Port.
    tls : ssl.SSLContext, optional
        Speak TLS.
    timeout_milliseconds : int
        For connecting, and for each answer.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None, timeout_milliseconds: int = 30_000) -> None:
        self._address = host, port
        self._tls = tls
        self._timeout = timeout_milliseconds / 1000
        self._waiting: Waiting[tuple[asyncio.Future[Reply], int]] = Waiting()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""
        return self._writer is not None

    @property
    def further(self) -> Counter[str]:
        """Answers to messages that had one already, by their code."""
        return self._waiting.further

    async def connect(self) -> None:
        """Open the connection; raises `ConnectionBroken`."""
        try:
            async with asyncio.timeout(self._timeout):
                reader, self._writer = await asyncio.open_connection(*self._address, ssl=self._tls)
        except TimeoutError:
            raise ConnectionBroken("timeout") from None
        except ssl.SSLError:
            raise ConnectionBroken("tls-failed") from None
        except OSError:
            raise ConnectionBroken("connection-refused") from None
        self._reading = asyncio.create_task(self._read(reader))

    def post(self, data: bytes, control_id: str | None = None) -> asyncio.Future[Reply]:
        """Send a message without waiting; the order of the calls is the order on the connection.

        Parameters
        ----------
        data : bytes
            The message without its frame.
        control_id : str, optional
            MSH-10, where the caller knows it.

        Returns
        -------
        Future of Reply
            Ends with the answer, or with `ConnectionBroken`.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            future.set_exception(ConnectionBroken("connection-closed"))
            return future
        self._waiting.expect(header_of(data).control_id if control_id is None else control_id, (future, perf_counter_ns()))
        self._writer.write(START + data + END)
        return future

    async def answer(self, future: asyncio.Future[Reply]) -> Reply:
        """Wait for the answer to a message; raises `ConnectionBroken`, and gives the connection up after the time allowed."""
        try:
            async with asyncio.timeout(self._timeout):
                if self._writer is not None:
                    await self._writer.drain()
                return await asyncio.shield(future)
        except TimeoutError:
            self._break("timeout")
        except OSError:
            self._break("connection-closed")
        return await future

    async def send(self, data: bytes) -> bytes:
        """Send a message and wait for its answer; raises `ConnectionBroken`.

        Parameters
        ----------
        data : bytes
            The message without its frame.

        Returns
        -------
        bytes
            The answer without its frame.
        """
        return (await self.answer(self.post(data))).body

    async def close(self) -> None:
        """Close the connection; what is under way stays unanswered."""
        writer, reading = self._writer, self._reading
        self._break("connection-closed")
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if writer is not None:
            try:
                async with asyncio.timeout(1):
                    await writer.wait_closed()
            except (TimeoutError, OSError):
                writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = FrameReader(ANSWER_LIMIT)
        fault = "connection-closed"
        try:
            while data := await reader.read(_READ_SIZE):
                found = frames.feed(data)
                if frames.at_end_block:
                    # a server that leaves out the CR behind the end block would keep us waiting
                    found += frames.feed(b"\r")
                for frame in found:
                    self._answered(frame.data)
        except ssl.SSLError:
            fault = "tls-failed"
        except OSError:
            pass
        self._break(fault)

    def _answered(self, body: bytes) -> None:
        found = self._waiting.answered(body)
        if found is not None and not found[0].done():
            found[0].set_result(Reply(body, perf_counter_ns() - found[1]))

    def _break(self, fault: str) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        for future, _ in self._waiting.clear():
            if not future.done():
                future.set_exception(ConnectionBroken(fault))
                # who waits is told; who does not must not be told of by the loop
                future.exception()
