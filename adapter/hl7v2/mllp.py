"""MLLP frames out of a byte stream (MLLP release 1: 0x0B, text, 0x1C 0x0D); sans-IO.

`hl7v2.framing` finds messages in any bytes; a door needs the frames, because a frame is what gets an answer. A frame ends at 0x1C
with a line end (or the next block) behind it: 0x1C alone may be text. A sender that leaves the end block out is cut at the next
start block that begins a message. What stands outside frames is counted and skipped. Frames depend on the bytes alone, never on
how they were chunked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

START = b"\x0b"
END = b"\x1c\r"
_END_BLOCK = 0x1C
_CR = 0x0D
_FRAME_END = re.compile(rb"\x1c(?=[\r\n\x0b\x1c])")
#: What begins a frame although the one before it was not ended.
_NEXT_FRAME = re.compile(rb"\x0b(?=MSH|FHS|BHS)")
_UNDECIDED = re.compile(rb"\x1c\Z|\x0b")
_BLANK = b"\r\n\x1c\0 \t"
_EMPTY_FRAMES = re.compile(rb"(?:\x0b\x1c[\r\n]+)+")
#: Of a frame beyond the limit only so much is kept: enough for the MSH segment.
KEPT = 8192


class Frame(NamedTuple):
    """One frame.

    Parameters
    ----------
    data : bytes
        What stood between start and end block; of a frame with `oversize` the beginning.
    slug : str
        Issue of a frame that is none: `truncated` (the next one begins within a segment), `oversize`; else empty.
    """

    data: bytes
    slug: str = ""


class FrameReader:
    """Cuts a byte stream into frames.

    Parameters
    ----------
    limit : int
        Largest frame in bytes; a larger one is reported when it passes the limit, and the rest of it skipped without being kept.

    Attributes
    ----------
    noise : int
        Bytes outside frames that are more than blanks and line ends; the caller takes and resets it.
    more : bool
        Whether `feed` gave as many frames as it was asked for: there may be further ones, which another `feed` gives.
    """

    __slots__ = ("_buffer", "_inside", "_oversize", "_scanned", "limit", "more", "noise")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.noise = 0
        self.more = False
        self._buffer = bytearray()
        self._inside = False
        self._oversize = False
        self._scanned = 0

    @property
    def open(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    @property
    def held(self) -> int:
        """Bytes that are kept."""
        return len(self._buffer)

    @property
    def beginning(self) -> bytes:
        """How the open frame begins; empty when it is skipped."""
        return bytes(self._buffer[:KEPT]) if self._inside and not self._oversize else b""

    @property
    def at_end_block(self) -> bool:
        """Whether the last byte is 0x1C: it may be the end of the frame of a sender that leaves out the line end."""
        return self._inside and self._buffer[-1:] == b"\x1c"

    def whole(self, data: bytes) -> Frame | None:
        """Give the frame when the bytes are one from its beginning to its end, and nothing stands before it: nearly always so.

        Parameters
        ----------
        data : bytes
            The next bytes; they are taken only when there is a frame.
        """
        if self._inside or self._buffer or data[:1] != START or data[-2:] != END:
            return None
        size = len(data)
        if data.find(_END_BLOCK) != size - 2 or size - 3 > self.limit or data.find(START, 1) >= 0 or data[1] in _BLANK:
            return None
        return Frame(data[1:-2])

    def feed(self, data: bytes, most: int = 0) -> list[Frame]:
        """Take the next bytes.

        Parameters
        ----------
        data : bytes
            Any number of bytes.
        most : int
            Give so many frames at most, and keep what stands behind them; 0: all.

        Returns
        -------
        list of Frame
            The frames that are complete now; empty frames are none.
        """
        frame = self.whole(data)
        if frame is not None:
            return [frame]
        self._buffer += data
        frames: list[Frame] = []
        start = self._cut(frames, most)
        del self._buffer[:start]
        self._scanned -= start
        return frames

    def finish(self) -> list[Frame]:
        """End the stream; the reader is ready for another one.

        Returns
        -------
        list of Frame
            A frame that was open, as `truncated`: a connection that broke is the usual reason, and the sender sends it again.
        """
        frames = self.feed(b"") if self.more else []
        if self.at_end_block:
            frames += self.feed(b"\r")
        if self._inside and not self._oversize and self._buffer.strip(_BLANK):
            frames.append(Frame(bytes(self._buffer[:KEPT]), "truncated"))
        self._buffer.clear()
        self._inside = self._oversize = self.more = False
        self._scanned = 0
        return frames

    def _cut(self, frames: list[Frame], most: int) -> int:
        """Take frames off the buffer; give the start of what has to be kept."""
        buffer = self._buffer
        position = 0
        while True:
            if not self._inside:
                self.more = 0 < most <= len(frames)
                if self.more:
                    return position
                begin = self._frame_start(position)
                if begin < 0:
                    return len(buffer)
                self._inside, self._oversize = True, False
                position = self._scanned = begin + 1
            end = self._frame_end(position)
            known = end if end >= 0 else self._scanned
            if not self._oversize and known - position > self.limit:
                frames.append(Frame(bytes(buffer[position : position + min(KEPT, self.limit)]), "oversize"))
                self._oversize = True
            elif not self._oversize and end >= 0:
                self._take(frames, position, end)
            if end < 0:
                return self._scanned if self._oversize else position
            self._inside = False
            position = end + (buffer[end] == _END_BLOCK)

    def _frame_start(self, position: int) -> int:
        """Give where the next frame begins, -1 when none does; count what stands before it."""
        buffer = self._buffer
        while True:
            begin = buffer.find(START, position)
            if begin != position:
                outside = buffer[position:begin] if begin >= 0 else buffer[position:]
                self.noise += len(outside.translate(None, _BLANK))
            empty = _EMPTY_FRAMES.match(buffer, begin) if begin >= 0 else None
            if empty is None:
                return begin
            # a flood of empty frames is passed over at once
            position = empty.end()

    def _take(self, frames: list[Frame], start: int, end: int) -> None:
        buffer = self._buffer
        data = bytes(buffer[start:end])
        if data.strip(_BLANK):
            whole = buffer[end] == _END_BLOCK or data.endswith((b"\r", b"\n"))
            frames.append(Frame(data) if whole else Frame(data[:KEPT], "truncated"))

    def _frame_end(self, start: int) -> int:
        """Give where the frame ends: at its end block, or at the start block of the next frame; -1 when it is still open."""
        buffer = self._buffer
        size = len(buffer)
        closing = _FRAME_END.search(buffer, self._scanned)
        end = closing.start() if closing is not None else size
        begin = _NEXT_FRAME.search(buffer, max(self._scanned, start if self._oversize else start + 1), end)
        if begin is not None:
            return begin.start()
        if closing is not None:
            return end
        # the last bytes may be the beginning of what the next ones complete
        pending = _UNDECIDED.search(buffer, max(self._scanned, size - 3))
        self._scanned = pending.start() if pending is not None else size
        return -1
