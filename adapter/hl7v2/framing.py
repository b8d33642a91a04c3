"""Finds v2 messages in a byte stream: MLLP frames, bare messages, several in a row, batches, and noise between them.

Sans-IO: bytes in, messages out. A message begins at a line that starts with `MSH` and a separator, and ends where the next one
begins, at the end block of its frame (0x1c before a line end), or with the stream. Where messages are cut depends on the bytes
alone, never on how they were chunked; the time is linear, the memory bounded by the limit.

What is no message comes out as `unreadable`: bytes before or between messages, a frame that ends within a segment, a message
beyond the limit (in blocks of at most `limit` bytes). Line ends around messages, start and end blocks, byte order marks, and the
padding that some senders add are framing; every other byte leaves in exactly one `RawMessage` or envelope segment.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from adapter.hl7v2.batch import Batches, peel

DEFAULT_LIMIT = 64 * 2**20

START_BLOCK = 0x0B
END_BLOCK = 0x1C

_BOM = b"\xef\xbb\xbf"
_LINE_STARTS = frozenset(b"\r\n\x0b\x1c")
_AFTER_END_BLOCK = frozenset(b"\r\n\x0b\x1c")
_SEPARATORS = frozenset(rb"""!#$%&'()*+,-./:;<=>?@[\]^_`{|}~""")
_LEADING = b" \t\r\n\0\x0b\x0c\x1a\x1c"
_PADDING = b" \t\0\x0c\x1a"
_LINE_END = re.compile(rb"[ \t]*(?:\r\n?|\n)?")
_WIDE_START = re.compile(rb"(?<=[\r\n]\0)(?=M\0S\0H\0)|(?<=\0[\r\n])(?=\0M\0S\0H)")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")


class RawMessage(NamedTuple):
    """One message as it came, or bytes that are none.

    Parameters
    ----------
    format : {"er7", "json", "unreadable"}
        What `data` is.
    data : bytes
        The bytes without framing.
    offset : int
        Where `data` begins in the stream.
    slug : str
        For `unreadable`: the issue (`no-msh`, `truncated`, `binary-noise`, `oversize`, `json-invalid`).
    continued : bool
        A further block of the same unreadable bytes; the issue was reported with the first.
    file_header, batch_header : bytes
        The FHS and BHS segment of the file and batch that the message stands in.
    """

    format: str
    data: bytes
    offset: int
    slug: str = ""
    continued: bool = False
    file_header: bytes = b""
    batch_header: bytes = b""


class Framer:
    """Cuts a byte stream into v2 messages.

    Parameters
    ----------
    limit : int
        Largest message in bytes.
    offset : int
        Where in a larger stream the bytes begin.

    Notes
    -----
    `batches.issues` collects wrong counts of batch trailers; the caller takes and empties it.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, offset: int = 0) -> None:
        self.limit = limit
        self.batches = Batches()
        self._buffer = bytearray()
        self._offset = offset
        self._scanned = 0
        self._messages: list[RawMessage] = []
        self._begin_piece(in_message=False, framed=False)

    def feed(self, data: bytes) -> list[RawMessage]:
        """Take the next bytes of the stream.

        Parameters
        ----------
        data : bytes
            Any number of bytes.

        Returns
        -------
        list of RawMessage
            The messages that are complete now.
        """
        self._buffer += data
        start = self._cut(final=False)
        del self._buffer[:start]
        self._offset += start
        self._scanned -= start
        return self._take_messages()

    def finish(self) -> list[RawMessage]:
        """End the stream; the framer is ready for another one.

        Returns
        -------
        list of RawMessage
            What was still open.
        """
        start = self._cut(final=True)
        start = self._emit_blocks(start, len(self._buffer))
        self._emit(start, len(self._buffer), closed=False)
        self._offset += len(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._begin_piece(in_message=False, framed=False)
        return self._take_messages()

    def skip_to(self, offset: int) -> None:
        """Tell, after `finish`, where in the larger stream the next bytes begin."""
        self._offset = offset

    def _take_messages(self) -> list[RawMessage]:
        messages, self._messages = self._messages, []
        return messages

    def _begin_piece(self, *, in_message: bool, framed: bool) -> None:
        """Begin a piece: a message, or what stands between messages."""
        self._in_message = in_message
        self._framed = framed
        self._continued = False
        self._before = 0x0A

    def _cut(self, *, final: bool) -> int:
        """Emit the pieces that end within the buffer; give the start of the last, open one."""
        buffer, scan, start = self._buffer, self._scanned, 0
        end = len(buffer)
        heading = buffer.find(b"MSH", scan)
        end_block = buffer.find(END_BLOCK, scan)
        while heading >= 0 or end_block >= 0:
            if end_block < 0 or 0 <= heading < end_block:
                scan = heading
                if heading + 4 > end and not final:
                    break
                start = self._emit_blocks(start, heading)
                before = self._byte_before(start, heading)
                if self._is_start(heading, before):
                    self._emit(start, heading, closed=False)
                    start = heading
                    self._begin_piece(in_message=True, framed=before == START_BLOCK)
                scan = heading + 3
                heading = buffer.find(b"MSH", scan)
            else:
                scan = end_block
                if end_block + 1 == end and not final:
                    break
                if end_block + 1 == end or buffer[end_block + 1] in _AFTER_END_BLOCK:
                    start = self._emit_blocks(start, end_block)
                    self._emit(start, end_block, closed=True)
                    start = end_block + 1
                    self._begin_piece(in_message=False, framed=False)
                scan = end_block + 1
                end_block = buffer.find(END_BLOCK, scan)
        else:
            # the last two bytes may begin the next heading
            scan = max(scan, end - 2)
        self._scanned = scan
        return self._emit_blocks(start, scan)

    def _byte_before(self, start: int, heading: int) -> int:
        """Give the byte before a heading, looking past indentation, padding and a byte order mark."""
        buffer = self._buffer
        while heading > start and buffer[heading - 1] in _PADDING:
            heading -= 1
        if heading - 3 >= start and buffer[heading - 3 : heading] == _BOM:
            heading -= 3
        return buffer[heading - 1] if heading > start else self._before

    def _is_start(self, heading: int, before: int) -> bool:
        """Tell whether `MSH` begins a message: at the start of a line; between messages also behind any noise but a word."""
        if heading + 3 >= len(self._buffer) or self._buffer[heading + 3] not in _SEPARATORS:
            return False
        return before in _LINE_STARTS or (not self._in_message and not 0x21 <= before <= 0x7E)

    def _emit_blocks(self, start: int, end: int) -> int:
        """Emit blocks of a piece that has grown beyond the limit; give the start of the rest."""
        while end - start > self.limit:
            if not self._continued and self._in_message:
                self.batches.count_message()
            block = bytes(self._buffer[start : start + self.limit])
            self._append("unreadable", block, start, self._oversize_slug(), continued=self._continued)
            self._continued = True
            start += self.limit
            visible = block.rstrip(_PADDING)
            self._before = visible[-1] if visible else self._before
        return start

    def _oversize_slug(self) -> str:
        return "oversize" if self._in_message else "no-msh"

    def _append(self, form: str, data: bytes, start: int, slug: str = "", *, continued: bool = False) -> None:
        batches = self.batches
        self._messages.append(
            RawMessage(form, data, self._offset + start, slug, continued, batches.file_header, batches.batch_header)
        )

    def _emit(self, start: int, end: int, *, closed: bool) -> None:
        """Emit the piece from start to end; envelope segments at its end go to the batches."""
        data = bytes(self._buffer[start:end])
        body, envelope = peel(data)
        if body.endswith(_BOM):
            body, envelope = peel(body[:-3])
        if self._continued:
            if data:
                self._append("unreadable", data, start, self._oversize_slug(), continued=True)
        elif self._in_message:
            line_end = _LINE_END.match(data, len(body))
            self._emit_message(data[: line_end.end() if line_end else end], body, start, closed=closed)
        elif body:
            self._emit_noise(data, body, start)
        for segment in envelope:
            self.batches.take(segment)

    def _emit_message(self, data: bytes, body: bytes, start: int, *, closed: bool) -> None:
        self.batches.count_message()
        cut_off = self._framed and not closed and not data.endswith((b"\r", b"\n"))
        if len(body) < 8 or cut_off:
            self._append("unreadable", data, start, "truncated")
        else:
            self._append("er7", data, start)

    def _emit_noise(self, data: bytes, body: bytes, start: int) -> None:
        visible = body.lstrip(_LEADING)
        if visible.startswith(_BOM):
            visible = visible[3:].lstrip(_LEADING)
        start += len(body) - len(visible)
        if visible.startswith((b"\xff\xfeM\0S\0", b"\xfe\xff\0M\0S")):
            self._emit_wide(data[len(body) - len(visible) :], start)
        elif visible:
            slug = "truncated" if visible == b"MSH" else "binary-noise" if _CONTROL.search(visible) else "no-msh"
            self._append("unreadable", visible, start, slug)

    def _emit_wide(self, data: bytes, start: int) -> None:
        """Emit messages in UTF-16: they begin with a byte order mark, or at a line after one."""
        cuts = [0, *(match.start() for match in _WIDE_START.finditer(data) if match.start() % 2 == 0), len(data)]
        for first, last in pairwise(cuts):
            self.batches.count_message()
            self._append("er7", data[first:last], start + first)
