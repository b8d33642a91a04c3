"""Admission and acknowledgement of the usual message: what all messages of a sender have in common is looked at once.

Nearly all messages of a feed differ in MSH-7 and MSH-10 only, as far as MSH goes. What the rest of MSH means (that it is
admitted, which acknowledgements are wanted, how these begin) is remembered by its bytes. A message is usual when its MSH is
plain ASCII separated by `|`, it is an ORU in original mode, and nothing is wrong with it. Every other one goes the long way
(`admission.admit`), which alone refuses. Both ways say the same of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Literal, NamedTuple

from adapter.hl7v2.acknowledgement import CONTROL_ID_LENGTH, Accepting, accepting
from adapter.hl7v2.admission import Admission, admit
from adapter.hl7v2.header import HEADER_LENGTH, ORIGINAL

#: Senders that are remembered. A sender that writes something of its own into each MSH only fills the memory up to here.
SENDERS = 512
_TIME, _CONTROL_ID = 7, 10
#: MSH-1 to MSH-10, and all that stands behind.
_PARTS = 11
#: PID to PID-3, and all that stands behind.
_PID_PARTS = 5
_NULL = b'""'
#: Ends of lines, and the escape of ISO 2022.
_UNUSUAL = frozenset(b"\r\n\x1b")


class Usual(NamedTuple):
    """A usual message that is admitted: the fields of its `Admission` that differ, and how its acknowledgement is written."""

    sender: str
    control_id: str
    patient: str
    accepting: Accepting


class _Common(NamedTuple):
    """What the messages of a sender have in common."""

    sender: str
    #: authority of a patient identifier that has none
    authority: bytes
    component: bytes
    repetition: bytes
    accepting: Accepting


class Admitter:
    """Admits messages as `admission.admit` does, usual ones in half the time.

    Parameters
    ----------
    processing_ids, unsupported, sender_ids
        As in `admission.admit`. Other ones need another admitter.
    """

    def __init__(
        self,
        processing_ids: Collection[str],
        unsupported: Literal["reject", "accept"] = "reject",
        sender_ids: Callable[[str, str], Collection[str]] | None = None,
    ) -> None:
        self._processing_ids, self._unsupported, self._sender_ids = processing_ids, unsupported, sender_ids
        self._known: dict[tuple[bytes, ...], _Common] = {}

    def admit(self, data: bytes) -> Admission:
        """Check one message the long way."""
        return admit(data, processing_ids=self._processing_ids, unsupported=self._unsupported, sender_ids=self._sender_ids)

    def __call__(self, data: bytes) -> Admission | Usual:
        """Check one message; `Usual` only where `admit` would find no issue."""
        end = data.find(b"\r", 0, HEADER_LENGTH)
        parts = data[:end].split(b"|", _PARTS - 1) if end > 0 else []
        if len(parts) < _PARTS or parts[0] != b"MSH":
            return self.admit(data)
        control_id = parts.pop(_CONTROL_ID - 1)
        time = parts.pop(_TIME - 1)
        key = tuple(parts)
        common = self._known.get(key)
        if common is None:
            admission = self.admit(data)
            self._remember(key, admission)
            return admission
        return _usual(common, data, time, control_id) or self.admit(data)

    def _remember(self, key: tuple[bytes, ...], admission: Admission) -> None:
        header = admission.header
        if (
            admission.issue is not None
            or admission.wants is not ORIGINAL
            or header.components(9)[0].strip() != "ORU"
            or not all(part.isascii() and _UNUSUAL.isdisjoint(part) for part in key)
        ):
            return
        written = accepting(header)
        if written is None:
            return
        if len(self._known) >= SENDERS:
            self._known.clear()
        fields, encoding = header.fields, header.encoding_characters
        authority = f"{fields[3]}|{fields[4]}".encode()
        component, repetition = (encoding[:1] or "^").encode(), (encoding[1:2] or "~").encode()
        self._known[key] = _Common(admission.sender, authority, component, repetition, written)


def _usual(common: _Common, data: bytes, time: bytes, control_id: bytes) -> Usual | None:
    """Admit a message of a known sender; None when it has to go the long way."""
    start = data.find(b"\rPID|")
    if start < 0 or data.find(b"\rOBX|") < 0 or data.find(0) >= 0:
        return None
    segment = data[start + 1 : data.find(b"\r", start + 1)]
    fields = segment.split(b"|", _PID_PARTS - 1)
    # a line feed ends a segment, too
    if segment.find(b"\n") >= 0 or len(fields) < _PID_PARTS:
        return None
    if not (control_id.isascii() and time.isascii() and time.decode("ascii").isprintable()):
        return None
    written = control_id.decode("ascii")
    # printable: no end of line and no escape of another character set; longer ones are cut in the answer
    if not written.isprintable() or len(written) > CONTROL_ID_LENGTH or not written.strip() or written == '""':
        return None
    sender, authority, component, repetition, answer = common
    parts = fields[3].split(repetition, 1)[0].split(component, 4)
    identifier = parts[0].strip()
    if not identifier or identifier == _NULL:
        return None
    if len(parts) > 3:
        named = parts[3].strip()
        if named and named != _NULL:
            authority = named
    return Usual(sender, written, blake2b(identifier + b"\0" + authority, digest_size=16).hexdigest(), answer)
