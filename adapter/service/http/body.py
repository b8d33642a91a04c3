"""The body of a request, block by block: unpacked, counted, and read on while an answer is being sent.

Sizes are counted while the body comes in, before and after unpacking, so that neither a wrong `Content-Length` nor a few
kilobytes that unpack to gigabytes ever fill the memory.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

from starlette.types import Message, Receive, Send

from adapter.service.http.outcomes import Refusal

#: Unpacked bytes that are handed on at once.
BLOCK = 64 * 1024
#: Bodies and messages up to this size, in bytes, are worked on in the loop: 40 ms at most.
INLINE = 256 * 1024
#: A body may not unpack to more than so many times its size, once it is larger than `RATIO_FROM`: real feeds stay below 60.
RATIO = 200
RATIO_FROM = 2**20
_GZIP = zlib.MAX_WBITS + 16

Found = TypeVar("Found")


async def looked_at(data: bytes, look: Callable[[bytes], Found]) -> Found:
    """Call a function with a body: here, or in a thread when the body is large, so that others are still answered."""
    return look(data) if len(data) <= INLINE else await asyncio.to_thread(look, data)


class Disconnected(Exception):  # noqa: N818  (nobody is there to be told of an error)
    """The client is gone."""


class Body:
    """The body of one request.

    Parameters
    ----------
    headers : mapping of bytes to bytes
        Headers of the request, names in lower case.
    receive : Receive
        ASGI channel.
    limit : int
        Largest size in bytes, before and after unpacking.

    Raises
    ------
    Refusal
        415 for an encoding that is not gzip; 413 when the announced length is above the limit.
    """

    def __init__(self, headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> None:
        encoding = headers.get(b"content-encoding", b"").strip().lower()
        if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
            raise Refusal("content-encoding", "only gzip is read", status=415, headers={"accept-encoding": "gzip"})
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > limit:
            raise Refusal("oversize", f"the body is larger than {limit} bytes")
        #: Whether everything was received and handed on.
        self.complete = False
        self._limit = limit
        self._receive = receive
        self._received = 0
        self._ended = False
        self._stock: deque[bytes] = deque()
        self._receiving: asyncio.Task[Message] | None = None
        self._unpacker = _Unpacker(limit) if encoding in (b"gzip", b"x-gzip") else None

    async def block(self) -> bytes:
        """Give the next bytes of the body.

        Returns
        -------
        bytes
            Empty at the end, and only there.

        Raises
        ------
        Refusal
            413 beyond the limit, 400 for damaged gzip.
        Disconnected
            The client is gone.
        """
        while True:
            if self._unpacker is not None and (unpacked := self._unpacker.more()):
                return unpacked
            if self._stock:
                data = self._stock.popleft()
            elif self._ended:
                if self._unpacker is not None:
                    self._unpacker.finish()
                self.complete = True
                return b""
            else:
                data = self._take(await (self._receiving or self._receive()))
                self._receiving = None
            if self._unpacker is not None:
                self._unpacker.feed(data)
            elif data:
                self.complete = self._ended and not self._stock
                return data

    async def whole(self) -> bytes:
        """Give all of the body; see `block`."""
        data = await self.block()
        if self.complete:
            return data
        blocks = [data]
        while block := await self.block():
            blocks.append(block)
        return b"".join(blocks)

    async def send(self, send: Send, message: Message) -> None:
        """Send a part of the answer, and receive meanwhile: many clients read nothing before they have sent everything.

        Parameters
        ----------
        send : Send
            ASGI channel.
        message : Message
            What to send.
        """
        if self._ended:
            await send(message)
            return
        sending = asyncio.ensure_future(send(message))
        await asyncio.sleep(0)
        while not sending.done() and not self._ended:
            if self._receiving is None:
                self._receiving = asyncio.ensure_future(self._receive())
            await asyncio.wait({sending, self._receiving}, return_when=asyncio.FIRST_COMPLETED)
            if self._receiving.done():
                self._stock.append(self._take(self._receiving.result()))
                self._receiving = None
        await sending

    def close(self) -> None:
        """End a reception that is under way."""
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _take(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            raise Disconnected
        data: bytes = message.get("body", b"")
        self._received += len(data)
        if self._received > self._limit:
            raise Refusal("oversize", f"the body is larger than {self._limit} bytes")
        self._ended = not message.get("more_body", False)
        return data


class _Unpacker:
    """Unpacks gzip (RFC 1952), also several members in a row, never more than a block at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._machine = zlib.decompressobj(_GZIP)
        self._packed = b""
        self._read = self._made = 0
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Take packed bytes."""
        self._read += len(data)
        self._packed += data

    def more(self) -> bytes:
        """Unpack what was fed, a block at most; empty when more has to be fed."""
        while self._packed:
            if self._machine.eof:
                self._machine = zlib.decompressobj(_GZIP)
            try:
                made = self._machine.decompress(self._packed, BLOCK)
            except zlib.error:
                raise Refusal("content-encoding", "the gzip data are damaged") from None
            self._begun = True
            self._packed = self._machine.unconsumed_tail or self._machine.unused_data
            if made:
                self._made += len(made)
                if self._made > self._limit:
                    raise Refusal("oversize", f"the unpacked body is larger than {self._limit} bytes")
                if self._made > RATIO_FROM and self._made > RATIO * self._read:
                    raise Refusal("oversize", f"the body unpacks to more than {RATIO} times its size")
                return made
        return b""

    def finish(self) -> None:
        """Make sure that the data were whole."""
        if self._begun and not self._machine.eof:
            raise Refusal("content-encoding", "the gzip data end too early")
