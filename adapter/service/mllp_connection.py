"""One MLLP connection: bytes to frames, answers in the order of the frames, and limits that keep one peer from harming others.

The connection decides nothing about messages: complete frames wait here until the door takes them (`mllp.py`). Reading stops
while frames wait, while the peer does not read its answers, and while too many answers wait for their conversion.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Protocol, cast

from adapter.hl7v2.mllp import END, START, Frame, FrameReader
from adapter.service.settings import MllpSettings

#: Messages of one connection that the door takes in one turn; the others of the group come first after that.
PER_TURN = 64
#: Answers that may wait for their conversion before the connection is read on.
WAITING = 1000
#: Answers that are not read yet, in bytes, at which a connection is not read on.
HIGH_WATER = 64 * 1024
#: How long, in seconds, an end block may stand without the line end behind it until it counts alone.
END_BLOCK_PATIENCE = 0.25
#: How long, in seconds, a closed connection may take to see it. Closing at once would tear away answers under way.
LINGER = 1.0


class Slot:
    """The answer to one frame, in its place among the answers of the connection.

    Parameters
    ----------
    messages : int
        How many messages of the frame get an answer.
    batch : bool
        Whether the frame was a batch; the answer is one then, too.
    """

    __slots__ = ("batch", "missing", "parts", "placed")

    def __init__(self, messages: int, *, batch: bool) -> None:
        self.parts = [b""] * messages
        self.missing = messages
        self.batch = batch
        self.placed = False

    def fill(self, part: int, answer: bytes) -> None:
        """Give the answer to one message; empty when its sender wants none."""
        self.parts[part] = answer
        self.missing -= 1

    def frame(self) -> bytes:
        """Write the answers as one frame; nothing when none is wanted."""
        told = [part for part in self.parts if part]
        if not told:
            return b""
        text = b"".join(told)
        if self.batch:
            text = b"BHS|^~\\&\r%bBTS|%d\r" % (text, len(told))
        return START + text + END


class Owner(Protocol):
    """What a connection asks of its door."""

    settings: MllpSettings

    @property
    def holding(self) -> bool:
        """Whether nothing is read now."""

    def opened(self, connection: Connection) -> bool:
        """Count a connection; False when it is one too many."""

    def wake(self, connection: Connection) -> None:
        """Take the frames of a connection in the next turn."""

    def noise(self, connection: Connection, size: int) -> None:
        """Count bytes outside frames."""

    def hold(self, change: int) -> bool:
        """Count bytes of open frames of all connections; False when they are too many."""

    def refuse(self, connection: Connection, slug: str) -> None:
        """Answer the open frame with a refusal and end the connection."""

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""


class Connection(asyncio.Protocol):
    """One connection; see the module.

    Parameters
    ----------
    door : Owner
        The door that it came through.
    loop : asyncio.AbstractEventLoop
        The running loop.
    """

    def __init__(self, door: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.door = door
        self.loop = loop
        self.reader = FrameReader(door.settings.message_size)
        self.frames: deque[Frame] = deque()
        self.slots: deque[Slot] = deque()
        self._out: list[bytes] = []
        self.transport = cast("asyncio.Transport", None)
        self.peer = ""
        self.active = loop.time()
        #: since when a frame is open
        self.frame_since = 0.0
        #: since when the peer does not read
        self.blocked_since = 0.0
        #: since when the connection is being closed
        self.closing_since = 0.0
        self.held = 0
        self.waiting = 0
        self.queued = self.ended = False
        self.reading = True

    @property
    def closed(self) -> bool:
        """Whether nothing can be answered any longer."""
        return bool(self.closing_since) or self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or close it when there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "local"
        if not self.door.opened(self):
            self.closing_since = self.active
            self.transport.abort()
            return
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # a peer whose machine is gone never says so
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames."""
        if self.closing_since:
            return
        reader = self.reader
        self.active = now = self.loop.time()
        frame = reader.whole(data)
        if frame is not None:
            # nothing stood before it, so nothing is held and no frame is open
            self.frames.append(frame)
            self.door.wake(self)
            return
        frames = reader.feed(data, PER_TURN)
        if reader.open:
            if frames or not self.frame_since:
                self.frame_since = now
            if reader.at_end_block:
                self.loop.call_later(END_BLOCK_PATIENCE, self._end_block_alone, now)
        else:
            self.frame_since = 0
        held = reader.held
        if held != self.held:
            change, self.held = held - self.held, held
            if not self.door.hold(change):
                self.door.refuse(self, "door-busy")
                return
        if reader.noise:
            self.door.noise(self, reader.noise)
            reader.noise = 0
        if frames:
            self.frames.extend(frames)
            self.door.wake(self)

    def _end_block_alone(self, seen: float) -> None:
        """End a frame whose sender leaves out the line end behind the end block: nothing more came."""
        if self.active == seen and not self.closing_since and self.reader.at_end_block:
            self.data_received(b"\r")

    def refill(self) -> None:
        """Cut further frames when those before them are taken: cutting all at once would keep other connections waiting."""
        if self.reader.more and not self.frames:
            self.data_received(b"")

    def eof_received(self) -> bool:
        """Answer what was received whole, then close; with TLS the transport closes by itself."""
        if self.closing_since:
            return False
        self.frames.extend(self.reader.finish())
        self.frame_since = 0
        self.ended = True
        self.door.wake(self)
        return self.transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """The peer does not read its answers: do not read from it either."""
        self.blocked_since = self.loop.time()
        self.regulate()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.blocked_since = 0
        self.regulate()
        if self.frames:
            self.door.wake(self)

    def connection_lost(self, _failure: Exception | None) -> None:
        """Forget what was under way: nothing of it was acknowledged."""
        self.closing_since = self.closing_since or self.loop.time()
        self.frames.clear()
        self.slots.clear()
        self.door.hold(-self.held)
        self.held = 0
        self.door.lost(self)

    @property
    def stopped(self) -> bool:
        """Whether no frame of it is to be taken now."""
        return bool(self.blocked_since) or self.waiting >= WAITING or self.closed

    def regulate(self) -> None:
        """Read, or do not read; close when all that was asked is answered and the peer will ask nothing more."""
        if self.closed:
            return
        if self.ended and not self.frames and not self.waiting and not self.slots:
            self.close()
            return
        wanted = not (self.door.holding or self.stopped or len(self.frames) > PER_TURN or self.reader.more)
        if wanted != self.reading and not self.ended:
            self.reading = wanted
            if wanted:
                if self.frame_since:
                    self.frame_since = self.loop.time()
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def place(self, slot: Slot) -> Slot:
        """Give a slot its place behind the answers before it."""
        if not slot.placed:
            slot.placed = True
            self.slots.append(slot)
        return slot

    def answer(self, text: bytes) -> None:
        """Put an answer behind those before it; it leaves with the next `flush`."""
        if self.slots:
            self.place(Slot(1, batch=False)).fill(0, text)
        elif text:
            self._out.append(b"%b%b%b" % (START, text, END))

    def flush(self) -> None:
        """Write the answers that are complete, in the order of their frames."""
        while self.slots and not self.slots[0].missing:
            self._out.append(self.slots.popleft().frame())
        if self._out:
            text = b"".join(self._out) if len(self._out) > 1 else self._out[0]
            self._out.clear()
            if not self.closed:
                self.transport.write(text)

    def end_turn(self) -> None:
        """Write what is complete, and see whether the connection is to be read on."""
        self.flush()
        idle = not (self.frames or self.waiting or self.slots or self.ended or self.blocked_since or self.reader.more)
        if not (idle and self.reading) or self.door.holding:
            self.regulate()

    def close(self) -> None:
        """Close after the answers have left; the peer may take a moment to read them."""
        if self.closed:
            return
        self.flush()
        self.reader.finish()
        self.door.hold(-self.held)
        self.held = 0
        self.closing_since = self.loop.time()
        if self.ended or not self.transport.can_write_eof():
            self.transport.close()
            return
        # unread bytes would make the system reset the connection, and the peer lose answers that it has not read
        try:
            self.transport.write_eof()
        except OSError:
            # the peer has reset the connection, and the loop has not told yet
            self.transport.abort()
            return
        self.transport.resume_reading()
        self.loop.call_later(LINGER, self.transport.close)
