"""What the MLLP door answers: which acknowledgements a sender wants, those that wait for a conversion, how many there were."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from adapter.hl7v2.acknowledgement import Code, acknowledgement, refusal_code
from adapter.hl7v2.admission import Admission
from adapter.hl7v2.header import Header, wanted, wants_of
from adapter.hl7v2.usual_admission import Usual
from adapter.issues import Issue
from adapter.service import metrics
from adapter.service.logs import log_fault
from adapter.service.mllp_connection import Connection, Slot
from adapter.service.settings import MllpSettings

DOOR = "mllp"
#: Outcomes that are remembered until they are surely recorded.
TOLD = 10_000
#: How often the metrics are told while there is much to count, in seconds.
COUNT_SECONDS = 0.25
OutcomeOf = Callable[[int], tuple[str, Sequence[Issue]] | None]


class _Waiter(NamedTuple):
    """Who waits for the conversion of a message; without slot the answer leaves when it comes (enhanced mode)."""

    connection: Connection
    slot: Slot | None
    part: int
    admission: Admission
    until: float


class Answers:
    """Writes acknowledgements, and keeps those that wait.

    Parameters
    ----------
    settings : MllpSettings
        When to acknowledge, and how long a conversion may take.
    outcome_of : callable or None
        What became of a message of this number; see `MllpDoor`.
    wake : callable
        Takes the frames of a connection that waited.
    """

    def __init__(self, settings: MllpSettings, outcome_of: OutcomeOf | None, wake: Callable[[Connection], None]) -> None:
        self._settings = settings
        self._outcome_of = outcome_of
        self._wake = wake
        self._waiting: dict[int, list[_Waiter]] = {}
        # what was told last: a resend may come before it is recorded
        self._told: dict[int, tuple[str, Sequence[Issue]]] = {}
        self._deadlines: deque[tuple[float, int]] = deque()
        self._counts: dict[tuple[str, str], int] = {}
        self._commits: list[float] = []
        self._counting: asyncio.TimerHandle | None = None
        # the second of the start and a number: never the same again, and short enough for MSH-10 of every version
        self._prefix = f"{time.time_ns() // 1_000_000_000:x}-"
        self._written = 0
        self._second = 0
        self._time = ""

    @property
    def waiting(self) -> int:
        """Messages whose answer waits for their conversion."""
        return len(self._waiting)

    def waits(self, admission: Admission) -> bool:
        """Whether the sender is told what became of the message."""
        wants = admission.wants
        return wants.application != "NE" if wants.enhanced else self._settings.acknowledge == "converted"

    def acknowledge(self, header: Header, code: Code, issues: Sequence[Issue] = ()) -> bytes:
        """Write an acknowledgement, and count it."""
        self._written += 1
        self.count("answered", code)
        return acknowledgement(header, code, issues, time=self._now(), control_id=f"{self._prefix}{self._written}")

    def accept(self, usual: Usual) -> bytes:
        """Write the AA to a usual message, and count it."""
        self._written += 1
        self.count("answered", "AA")
        return usual.accepting.to(usual.control_id, time=self._now(), control_id=f"{self._prefix}{self._written}")

    def _now(self) -> str:
        """MSH-7 of what is written now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._time = datetime.fromtimestamp(second, UTC).strftime("%Y%m%d%H%M%S+0000")
        return self._time

    def refusal(self, header: Header, issue: Issue) -> bytes:
        """Write the acknowledgement of a message that was not stored; empty when the sender wants none."""
        wants = wants_of(header)
        if wanted(wants.accept, good=False):
            return self.acknowledge(header, refusal_code(issue, accept=True), (issue,))
        if wanted(wants.application, good=False):
            return self.acknowledge(header, refusal_code(issue), (issue,))
        return b""

    def wait(self, number: int, kind: str, connection: Connection, slot: Slot | None, part: int, admission: Admission) -> None:
        """Let an answer wait for the conversion of a message.

        Parameters
        ----------
        number, kind : int, str
            Where the message stands in the spool.
        connection : Connection
            Who waits.
        slot, part : Slot or None, int
            Place of the answer; without slot it leaves when it comes.
        admission : Admission
            What is known of the message.
        """
        until = connection.loop.time() + self._settings.conversion_seconds
        waiter = _Waiter(connection, slot, part, admission, until)
        connection.waiting += 1
        if kind == "resend":
            outcome = self._outcome(number) or self._told.get(number)
            if self._outcome_of is None and number not in self._waiting:
                outcome = ("converted", ())
            if outcome is not None:
                # behind the accept acknowledgement, which is written in this turn
                asyncio.get_running_loop().call_soon(self._tell, waiter, *outcome)
                return
        self._waiting.setdefault(number, []).append(waiter)
        self._deadlines.append((until, number))

    def _outcome(self, number: int) -> tuple[str, Sequence[Issue]] | None:
        try:
            return self._outcome_of(number) if self._outcome_of is not None else None
        except Exception:
            # the engine may hold its file just now; the answer comes when the conversion is told, or late
            log_fault("outcome-unknown", door=DOOR, number=number)
            return None

    def answer(self, number: int, fate: str, issues: Sequence[Issue]) -> None:
        """Send what waits for the conversion of a message; see `MllpDoor.answer`."""
        self._told[number] = fate, issues
        if len(self._told) > TOLD:
            del self._told[next(iter(self._told))]
        for waiter in self._waiting.pop(number, ()):
            self._tell(waiter, fate, issues)

    def late(self, now: float) -> None:
        """Answer those who have waited too long."""
        while self._deadlines and self._deadlines[0][0] <= now:
            number = self._deadlines.popleft()[1]
            waiters = self._waiting.pop(number, [])
            patient = [waiter for waiter in waiters if waiter.until > now]
            if patient:
                self._waiting[number] = patient
            if len(patient) == len(waiters):
                continue
            # whose first message nobody waited for: the engine told nobody
            fate, issues = self._outcome(number) or ("rejected", (Issue("conversion-late"),))
            for waiter in waiters:
                if waiter.until <= now:
                    self._tell(waiter, fate, issues)

    def _tell(self, waiter: _Waiter, fate: str, issues: Sequence[Issue]) -> None:
        """Send the application acknowledgement."""
        connection, slot, part, admission, _ = waiter
        connection.waiting -= 1
        if connection.closed:
            return
        good = fate != "rejected"
        text = b""
        if wanted(admission.wants.application, good=good):
            try:
                text = self.acknowledge(admission.header, "AA" if good else "AE", () if good else issues)
            except Exception:
                log_fault("answer-failed", door=DOOR, peer=connection.peer)
                connection.transport.abort()
                return
        if slot is not None:
            slot.fill(part, text)
        else:
            connection.answer(text)
        connection.flush()
        connection.regulate()
        if connection.frames:
            self._wake(connection)

    def count(self, name: str, label: str) -> None:
        """Count something: `received`, `answered` or `refused`."""
        key = (name, label)
        self._counts[key] = self._counts.get(key, 0) + 1

    def commit(self, seconds: float) -> None:
        """Note how long a group took to become durable."""
        self._commits.append(seconds)

    def count_soon(self) -> None:
        """Hand what was counted to the metrics: at once, but not again before `COUNT_SECONDS`; it costs more than some turns."""
        if self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count_rest)
            self.count_now()

    def _count_rest(self) -> None:
        self._counting = None
        if self._counts:
            self.count_soon()

    def count_now(self) -> None:
        """Hand what was counted to the metrics."""
        for (name, label), count in self._counts.items():
            if name == "received":
                metrics.received(DOOR, label, count)
            elif name == "answered":
                metrics.answered(DOOR, label, count)
            else:
                metrics.refused(DOOR, label, count)
        self._counts.clear()
        metrics.stages("commit", self._commits)
        self._commits.clear()
