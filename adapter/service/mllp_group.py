"""The messages of one turn of the MLLP door: frames in, arrivals for the spool out, and where each answer belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapter.hl7v2.admission import Admission
from adapter.hl7v2.framing import Framer
from adapter.hl7v2.header import header_of, is_acknowledgement, wants_of
from adapter.hl7v2.mllp import Frame
from adapter.hl7v2.usual_admission import Usual
from adapter.issues import Issue
from adapter.service.logs import log_fault
from adapter.service.mllp_answers import DOOR, Answers
from adapter.service.mllp_connection import Connection, Slot
from adapter.service.spool.arrivals import Arrival

_SECOND_MESSAGE = (b"\rMSH", b"\nMSH")
_LF = 0x0A
#: Messages in one frame: a turn must not last long.
BATCH_LIMIT = 1000
_BATCH = (b"FHS", b"BHS")


class Part(NamedTuple):
    """One message of a frame: where its answer belongs, what is known of it, its place among the arrivals (-1: refused)."""

    connection: Connection
    slot: Slot | None
    part: int
    admission: Admission | Usual
    arrival: int


class Group:
    """The messages of one turn.

    Parameters
    ----------
    admission : callable
        Admits one message; `Usual` only for one that is answered with AA as soon as it is stored.
    answers : Answers
        Knows who is told what became of a message.
    limit : int
        Largest message in bytes.
    """

    __slots__ = ("_admission", "_answers", "_limit", "arrivals", "parts", "size")

    def __init__(self, admission: Callable[[bytes], Admission | Usual], answers: Answers, limit: int) -> None:
        self._admission = admission
        self._answers = answers
        self._limit = limit
        self.parts: list[Part] = []
        self.arrivals: list[Arrival] = []
        self.size = 0

    def add(self, connection: Connection, frame: Frame) -> int:
        """Admit the messages of one frame; give how many there were."""
        data = frame.data
        self.size += len(data)
        if frame.slug:
            self._refuse(connection, data, Issue(frame.slug))
            return 1
        if _SECOND_MESSAGE[0] not in data and (data.find(_LF) < 0 or _SECOND_MESSAGE[1] not in data) and data[:3] not in _BATCH:
            self._add(connection, None, 0, data)
            return 1
        if data.count(_SECOND_MESSAGE[0]) + data.count(_SECOND_MESSAGE[1]) > BATCH_LIMIT:
            self._refuse(connection, data, Issue("batch-too-large", "", f"more than {BATCH_LIMIT} messages in one frame"))
            return 1
        framer = Framer(self._limit)
        messages = [*framer.feed(data), *framer.finish()]
        if not messages:
            self._refuse(connection, b"", Issue("no-message"))
            return 1
        batch = any(message.batch_header or message.file_header for message in messages)
        slot = Slot(len(messages), batch=batch)
        for part, message in enumerate(messages):
            self._add(connection, slot, part, message.data)
        return len(messages)

    def _refuse(self, connection: Connection, data: bytes, issue: Issue) -> None:
        header = header_of(data)
        self.parts.append(Part(connection, None, 0, Admission(header, "", header.control_id, "", issue, wants_of(header)), -1))

    def _add(self, connection: Connection, slot: Slot | None, part: int, data: bytes) -> None:
        try:
            admission = self._admission(data)
        except Exception:
            # one message must not stop those of others
            log_fault("admission-failed", door=DOOR)
            header = header_of(b"")
            admission = Admission(header, "", "", "", Issue("internal-error"), wants_of(header))
        if type(admission) is Usual:
            sender, control_id, patient, _ = admission
            self.parts.append(Part(connection, slot, part, admission, len(self.arrivals)))
            self.arrivals.append(Arrival(data, "er7", DOOR, connection.peer, sender, control_id, patient, False))
            return
        assert isinstance(admission, Admission)
        if is_acknowledgement(admission.header):
            self._answers.count("received", "acknowledgement")
            if slot is not None:
                slot.fill(part, b"")
            return
        arrival = -1
        if admission.issue is None:
            arrival = len(self.arrivals)
            _, sender, control_id, patient, _, _ = admission
            waits = self._answers.waits(admission)
            self.arrivals.append(Arrival(data, "er7", DOOR, connection.peer, sender, control_id, patient, waits))
        self.parts.append(Part(connection, slot, part, admission, arrival))
