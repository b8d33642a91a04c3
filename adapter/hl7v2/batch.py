"""Batch envelopes: FHS, BHS, BTS and FTS around messages (HL7 v2.5.1 chapter 2.10.3), and the counts that they claim.

Envelope segments are no part of a message; they stand between the end of one and the beginning of the next.
"""

from __future__ import annotations

from adapter.issues import Issue

NAMES = frozenset({b"FHS", b"BHS", b"BTS", b"FTS"})

_LINE_LIMIT = 4096
_BLANK = b" \t\r\n\0\x0b\x0c\x1a\x1c"


def peel(data: bytes) -> tuple[bytes, list[bytes]]:
    """Take the envelope segments off the end of what stands before the next message.

    Parameters
    ----------
    data : bytes
        A message or noise, and perhaps envelope segments behind it.

    Returns
    -------
    rest : bytes
        What is left, without trailing blanks and control bytes.
    envelope : list of bytes
        The envelope segments in the order they came.
    """
    rest = data.rstrip(_BLANK)
    envelope: list[bytes] = []
    while rest:
        floor = max(0, len(rest) - _LINE_LIMIT)
        start = max(rest.rfind(terminator, floor) for terminator in (b"\r", b"\n", b"\x0b")) + 1
        if (start == 0 and floor > 0) or rest[start : start + 3] not in NAMES or rest[start + 3 : start + 4].isalnum():
            break
        envelope.append(rest[start:])
        rest = rest[:start].rstrip(_BLANK)
    envelope.reverse()
    return rest, envelope


class Batches:
    """The file and batch that are open, and the counts since they began.

    Parameters
    ----------
    file_header, batch_header : bytes
        The FHS and BHS segment that are open; empty outside.
    issues : list of Issue
        `batch-count` for each trailer whose count is wrong.
    """

    def __init__(self) -> None:
        self.file_header = b""
        self.batch_header = b""
        self.issues: list[Issue] = []
        self._messages = 0
        self._batches = 0

    def count_message(self) -> None:
        """Count one message of the open batch."""
        self._messages += 1

    def take(self, segment: bytes) -> None:
        """Open or close a file or batch by its envelope segment."""
        name = segment[:3]
        if name == b"FHS":
            self.file_header, self.batch_header = segment, b""
            self._messages = self._batches = 0
        elif name == b"BHS":
            self.batch_header = segment
            self._messages = 0
            self._batches += 1
        elif name == b"BTS":
            self._check("BTS-1", segment, self._messages, "messages")
            self.batch_header = b""
            self._messages = 0
        else:
            if self._batches:
                self._check("FTS-1", segment, self._batches, "batches")
            self.file_header = self.batch_header = b""
            self._messages = self._batches = 0

    def _check(self, place: str, segment: bytes, counted: int, what: str) -> None:
        claimed = segment[4:].split(segment[3:4], 1)[0].strip() if len(segment) > 4 else b""
        if claimed.isdigit() and len(claimed) < 10 and int(claimed) != counted:
            self.issues.append(Issue("batch-count", place, f"says {int(claimed)}, {counted} {what} came"))
