"""The stream: visits of many patients in the order of time, each reported in one message or several.

A fixed number of patients is under care at a time; who has finished a course makes room for the next one. A queue ordered by
time holds their next events, so that memory does not grow with the number of messages, and the first messages of a stream are the
same however many follow. The only sources are the seed and the base date: no clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random

from adapter.replay.generate import courses as results
from adapter.replay.generate.courses import Measurement, Patient
from adapter.replay.generate.faults import FaultPlan
from adapter.replay.generate.habits import Courses, courses, senders
from adapter.replay.generate.report import Generated, Report
from adapter.replay.generate.write_fhir import write_fhir
from adapter.replay.generate.write_v2 import write_v2

_DAY = 24 * 60

_KINDS = {"P": "preliminary", "F": "final", "C": "corrected", "X": "cancelled"}


@dataclass(slots=True)
class _Care:
    """A patient under care: what comes next."""

    patient: Patient
    visits: Iterator[tuple[int, list[Measurement]]]
    random: Random
    visit: int = 0


@dataclass(slots=True)
class _Sending:
    """The messages of a visit that are still to be sent."""

    care: _Care
    visit: int
    collected: int
    statuses: list[str]
    measured: list[Measurement]
    last: Generated | None = None


def generate(
    seed: int, *, form: str = "er7", base: date = date(2026, 1, 5), patients: int = 20, faults: FaultPlan | None = None
) -> Iterator[Generated]:
    """Make messages without end.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes.
    form : {"er7", "fhir", "mixed"}
        Which senders take part.
    base : date
        Day on which the stream begins.
    patients : int
        How many patients are under care at a time.
    faults : FaultPlan, optional
        What to spoil.

    Yields
    ------
    Generated
        Messages in the order of their time.
    """
    return _Stream(seed, form, base, patients, faults).messages()


class _Stream:
    def __init__(self, seed: int, form: str, base: date, patients: int, faults: FaultPlan | None) -> None:
        self._random = Random(f"{seed}/{form}")
        self._senders = [sender for sender in senders() if form in ("mixed", sender.form)]
        self._sender_weights = list(accumulate(sender.weight for sender in self._senders))
        self._courses: Courses = courses()
        self._course_weights = list(accumulate(one.weight for one in self._courses.courses))
        self._episode_weights = list(accumulate(one.weight for one in self._courses.episodes))
        self._base = datetime.combine(base, time(), UTC)
        self._year = base.year
        self._seed = seed
        self._faults = faults
        self._patients = patients
        self._admitted = self._events = self._numbers = 0
        self._queue: list[tuple[int, int, _Care | _Sending]] = []

    def messages(self) -> Iterator[Generated]:
        for _ in range(self._patients):
            self._admit(self._random.randint(0, 20))
        number = 0
        while True:
            minute, _, event = heapq.heappop(self._queue)
            if isinstance(event, _Care):
                self._visit(minute, event)
            else:
                number += 1
                yield self._send(number, minute, event)

    def _push(self, minute: int, event: _Care | _Sending) -> None:
        self._events += 1
        heapq.heappush(self._queue, (minute, self._events, event))

    def _admit(self, day: int) -> None:
        """Take a patient into care; days begin at midnight of the sender, in minutes since midnight UTC of the base date."""
        random, self._admitted = self._random, self._admitted + 1
        sender = random.choices(self._senders, cum_weights=self._sender_weights)[0]
        course = random.choices(self._courses.courses, cum_weights=self._course_weights)[0]
        birth = date(self._year - random.randint(*course.ages), random.randint(1, 12), random.randint(1, 28))
        patient = Patient(self._admitted, sender, course, random.choice("FM"), birth.strftime("%Y%m%d"), random.randint(0, 1000))
        own = Random(f"{self._seed}/{self._admitted}")
        offset = sender.zone.utcoffset(None) // timedelta(minutes=1)
        self._push(day * _DAY - offset, _Care(patient, results.visits(patient, self._courses, own), own))

    def _visit(self, midnight: int, care: _Care) -> None:
        """Collect specimens in the morning; plan the messages of this visit and the next visit."""
        found = next(care.visits, None)
        if found is None:
            self._admit(midnight // _DAY + 2 + care.random.randint(0, 5))
            return
        days, measured = found
        care.visit += 1
        episode = care.random.choices(self._courses.episodes, cum_weights=self._episode_weights)[0]
        collected = midnight + care.random.randint(7 * 60, 10 * 60)
        sending = _Sending(care, care.visit, collected, list(episode.messages), measured)
        self._push(collected + care.random.randint(60, 300), sending)
        self._push(midnight + days * _DAY, care)

    def _send(self, number: int, minute: int, sending: _Sending) -> Generated:
        status = sending.statuses.pop(0)
        if status == "resend":
            assert sending.last is not None, "an episode begins with a resend"
            message = Generated(number, sending.last.data, sending.last.form, sending.last.report, "resend", sending.last.faults)
        else:
            self._numbers += 1
            message = self._message(number, minute, status, sending)
        sending.last = message
        if sending.statuses:
            self._push(minute + sending.care.random.randint(20, 36 * 60), sending)
        return message

    def _message(self, number: int, minute: int, status: str, sending: _Sending) -> Generated:
        patient, random = sending.care.patient, sending.care.random
        sender = patient.sender
        if status == "C":
            sending.measured[0] = results.corrected(sending.measured[0], random)
        elif status == "X":
            sending.measured[0] = results.cancelled(sending.measured[0])
        orders: dict[str, list[tuple[Measurement, str]]] = {}
        for place, measurement in enumerate(sending.measured):
            own = status if place == 0 or status == "P" else "F"
            orders.setdefault(measurement.test.order, []).append((measurement, own))
        report = Report(
            patient,
            sending.visit,
            status,
            (self._base + timedelta(minutes=sending.collected)).astimezone(sender.zone),
            (self._base + timedelta(minutes=minute)).astimezone(sender.zone),
            f"T{self._seed}-{self._numbers:07}",
            list(orders.items()),
        )
        kind = _KINDS[status]
        if sender.form == "fhir":
            data, faults = write_fhir(report, self._faults, random)
        else:
            data, faults = write_v2(report, self._faults, random)
        return Generated(number, data, sender.form, report, kind, faults)
