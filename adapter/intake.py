"""Byte stream to raw messages: v2 and JSON, mixed in any order. Sans-IO.

What begins with `{` and a key, at the start of the stream, of a line or of a frame, is JSON; everything else goes to the v2
framer. JSON may be one value, values in a row, NDJSON, pretty-printed, or an array, of which each element is a message of its own
(the brackets and commas of the array are framing). The scanner knows strings and brackets only and keeps no stack, so depth costs
nothing; the time is linear and the memory bounded by the limit. A JSON value that breaks off ends where that is certain: at a
line end within a string, at a frame byte, before a line that begins with MSH or, where no value can follow, with `{`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from adapter.hl7v2.framing import DEFAULT_LIMIT, Framer, RawMessage
from adapter.issues import Issue

Force = Literal["er7", "json"]

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_JUNK = re.compile(rb"(?:[ \t\r\n\0\x0b\x0c\x1a\x1c]++|\xef\xbb\xbf)*+")
_LINE_STARTS = frozenset(b"\r\n\x0b\x1c")

_SPACE = rb"[ \t\r\n]{0,64}"
_JSON_START = re.compile(rb"\{" + _SPACE + rb'["}]|\[' + _SPACE + rb"\{" + _SPACE + rb'["}]')
_JSON_START_CUT = re.compile(rb"(?:\{|\[(?:" + _SPACE + rb"\{)?)" + _SPACE + rb"\Z")

_STRING_PART = re.compile(rb'[^"\\\r\n\x0b\x1c]*+(?:\\[^\r\n\x0b\x1c][^"\\\r\n\x0b\x1c]*+)*+')
# strings, and what is neither string nor structure; then a bracket, a quote that is not closed, a frame byte, or M of MSH
_TOKEN = re.compile(
    rb'(?:[^"{}\[\]\x0b\x1cM]++|"' + _STRING_PART.pattern + rb'"|(?<![\r\n])M|M(?!SH[!-/:-@\[-`{-~]))*+(["{}\[\]\x0b\x1cM])'
)
_HEADING_CUT = re.compile(rb"[\r\n]M(?:SH?)?\Z")


class Intake:
    """Cuts a byte stream into v2 and JSON messages.

    Parameters
    ----------
    limit : int
        Largest message in bytes.
    force : {"er7", "json"} or None
        Take everything as one format instead of detecting it.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, force: Force | None = None) -> None:
        self.limit = limit
        self.force = force
        self._framer = Framer(limit)
        self._pending = bytearray()
        self._offset = 0
        self._messages: list[RawMessage] = []
        self._step: Callable[[bool], bool] = self._step_v2 if force == "er7" else self._step_between
        # v2: the last byte that went to the framer
        self._previous = 0x0A
        # JSON: bytes of the pending value that were looked at, its open brackets, whether it breaks off within a string
        self._scanned = 0
        self._depth = 0
        self._in_string = False
        self._in_array = False
        self._emitted = 0

    @property
    def issues(self) -> list[Issue]:
        """Issues of the stream itself (`batch-count`); the caller takes and empties the list."""
        return self._framer.batches.issues

    def feed(self, data: bytes) -> list[RawMessage]:
        """Take the next bytes of the stream.

        Parameters
        ----------
        data : bytes
            Any number of bytes.

        Returns
        -------
        list of RawMessage
            The messages that are complete now, in the order of the stream.
        """
        self._pending += data
        while self._step(False):
            pass
        return self._take_messages()

    def finish(self) -> list[RawMessage]:
        """End the stream.

        Returns
        -------
        list of RawMessage
            What was still open.
        """
        while self._step(True):
            pass
        self._messages += self._framer.finish()
        self._drop(len(self._pending))
        self._step = self._step_v2 if self.force == "er7" else self._step_between
        return self._take_messages()

    def _take_messages(self) -> list[RawMessage]:
        messages, self._messages = self._messages, []
        return messages

    def _drop(self, count: int) -> bytes:
        """Take bytes off the front of what is pending."""
        data = bytes(self._pending[:count])
        del self._pending[:count]
        self._offset += count
        return data

    # Each step looks at what is pending and tells whether there is more to do before the next bytes come.

    def _step_between(self, final: bool) -> bool:
        """Between messages: decide by the first visible byte."""
        pending = self._pending
        junk = _JUNK.match(pending)
        start = junk.end() if junk else 0
        # a start block right before a v2 message tells that it is framed
        kept = 1 if pending[start - 1 : start] == b"\x0b" else 4 if pending[start - 4 : start] == b"\x0b" + _BOM else 0
        self._drop(start - kept)
        start = kept
        if start == len(pending) or (not final and _BOM.startswith(pending[start:])):
            return False
        if self._is_json_start(start, final):
            self._drop(start)
            self._begin_json()
            return True
        if self.force == "json":
            return self._reject_line(start, final)
        if not final and _JSON_START_CUT.match(pending, start):
            return False
        self._framer.skip_to(self._offset)
        self._previous = 0
        self._step = self._step_v2
        return True

    def _is_json_start(self, start: int, final: bool) -> bool:
        if self.force == "json":
            return self._pending[start] in b"{["
        return _JSON_START.match(self._pending, start) is not None

    def _reject_line(self, start: int, final: bool) -> bool:
        """Where only JSON is allowed: a line that is none."""
        self._drop(start)
        pending = self._pending
        end = pending.find(b"\n", 0, self.limit)
        if end < 0 and len(pending) <= self.limit and not final:
            return False
        end = min(len(pending), self.limit) if end < 0 else end
        offset = self._offset
        self._messages.append(RawMessage("unreadable", self._drop(end), offset, "json-invalid"))
        return True

    def _step_v2(self, final: bool) -> bool:
        """v2: everything goes to the framer, until JSON begins at the start of a line."""
        pending = self._pending
        start = -1 if self.force == "er7" else self._find_json(final)
        count = len(pending) if start < 0 else start
        if count:
            self._previous = pending[count - 1]
            self._messages += self._framer.feed(self._drop(count))
        if start < 0 or _JSON_START.match(pending) is None:
            return False
        self._messages += self._framer.finish()
        self._begin_json()
        return True

    def _find_json(self, final: bool) -> int:
        """Find where JSON begins, or may begin when more bytes have come; -1 when nowhere."""
        pending = self._pending
        found = -1
        for opener in (b"{", b"["):
            place = pending.find(opener)
            while place >= 0 and (found < 0 or place < found):
                previous = pending[place - 1] if place else self._previous
                if previous in _LINE_STARTS and (
                    _JSON_START.match(pending, place) or (not final and _JSON_START_CUT.match(pending, place))
                ):
                    found = place
                    break
                place = pending.find(opener, place + 1)
        return found

    def _begin_json(self) -> None:
        self._in_array = self._pending[0] == 0x5B
        if self._in_array:
            self._drop(1)
            self._step = self._step_array
        else:
            self._begin_value()

    def _begin_value(self) -> None:
        self._scanned = self._depth = self._emitted = 0
        self._in_string = False
        self._step = self._step_value

    def _step_array(self, final: bool) -> bool:
        """Between the elements of an array."""
        pending = self._pending
        blank = len(pending) - len(pending.lstrip(b" \t\r\n,"))
        self._drop(blank)
        if not pending:
            return False
        if pending[0] in b"{[":
            self._begin_value()
        else:
            if pending[0] == 0x5D:
                self._drop(1)
            self._in_array = False
            self._step = self._step_between
        return True

    def _step_value(self, final: bool) -> bool:
        """Within a JSON value."""
        pending = self._pending
        end, whole = self._scan(final)
        if end < 0:
            while self._scanned > self.limit:
                self._emit_block(self.limit)
                self._scanned -= self.limit
            if not final:
                return False
            end = len(pending)
        while end > self.limit:
            self._emit_block(self.limit)
            end -= self.limit
        if self._emitted:
            self._emit_block(end)
        elif end:
            offset = self._offset
            data = self._drop(end)
            self._messages.append(
                RawMessage("json", data, offset)
                if whole
                else RawMessage("unreadable", data.rstrip(_BLANK), offset, "json-invalid")
            )
        self._in_array = self._in_array and whole
        self._step = self._step_array if self._in_array else self._step_between
        return True

    def _emit_block(self, count: int) -> None:
        """Emit bytes of a value beyond the limit."""
        offset = self._offset
        self._messages.append(RawMessage("unreadable", self._drop(count), offset, "oversize", self._emitted > 0))
        self._emitted += count

    def _scan(self, final: bool) -> tuple[int, bool]:
        """Go on scanning the value.

        Returns
        -------
        end : int
            Where the value ends; -1 when that is not known yet.
        whole : bool
            Whether it ends as JSON does, or breaks off.
        """
        pending, scan, depth = self._pending, self._scanned, self._depth
        token = _TOKEN.match
        cut = None if final else _HEADING_CUT.search(pending, max(0, len(pending) - 4))
        size = cut.start() + 1 if cut else len(pending)
        while True:
            if self._in_string:
                scan = self._string_end(scan)
                if scan < len(pending) and pending[scan] == 0x22:
                    self._in_string = False
                    scan += 1
                elif scan < len(pending) and (pending[scan] != 0x5C or scan + 1 < len(pending)):
                    return scan, False
                else:
                    break
            match = token(pending, scan, size)
            if match is None:
                scan = max(scan, size)
                break
            scan = match.end()
            byte = pending[scan - 1]
            if byte in b"}]":
                depth -= 1
                if depth == 0:
                    return scan, True
            elif byte in b"{[":
                if byte == 0x7B and depth and self._begins_anew(scan - 1):
                    return scan - 1, False
                depth += 1
            elif byte == 0x22:
                self._in_string = True
            elif byte != 0x4D or self.force is None:
                return scan - 1, False
        self._scanned, self._depth = scan, depth
        return -1, False

    def _string_end(self, scan: int) -> int:
        """Go on within a string: to its closing quote, or to the byte where it breaks off or where more bytes are needed."""
        part = _STRING_PART.match(self._pending, scan)
        return part.end() if part else scan

    def _begins_anew(self, place: int) -> bool:
        """Tell whether a brace begins another message: at the start of a line, where the open value allows no brace."""
        if self._emitted + place > self.limit:
            return False
        before = bytes(self._pending[max(0, place - 256) : place])
        visible = before.rstrip(_BLANK)
        return bool(visible) and before[-1:] in (b"\n", b"\r") and visible[-1:] not in (b",", b":", b"[")
