"""Segments of a result message as patients, visits, orders, results and specimens (ORU_R01 of HL7 v2.3 to v2.9), tolerantly.

One walk over the segments: what a segment belongs to is decided by its name and by what stands before it. Every segment but MSH
is reachable from exactly one place of the result. What the structure has no place for is kept in `others` of what it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.hl7v2.message import Message, Segment, valued


@dataclass(slots=True)
class Result:
    """An OBX with its notes (NTE), participants (PRT) and the local segments (Z) right behind it."""

    segment: Segment
    notes: list[Segment] = field(default_factory=list)
    participants: list[Segment] = field(default_factory=list)
    others: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class SpecimenGroup:
    """An SPM, the observations about the specimen itself, and what else follows it (NTE, PRT, SAC)."""

    segment: Segment
    observations: list[Result] = field(default_factory=list)
    others: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class Order:
    """An order with its results: ORC, OBR, NTE, TQ1/TQ2, OBX, SPM and what else stands among them."""

    common_order: Segment | None = None
    request: Segment | None = None
    notes: list[Segment] = field(default_factory=list)
    timing: list[Segment] = field(default_factory=list)
    others: list[Segment] = field(default_factory=list)
    observations: list[Result] = field(default_factory=list)
    specimens: list[SpecimenGroup] = field(default_factory=list)


@dataclass(slots=True)
class PatientResult:
    """A PID (or none), what belongs to the patient (PD1, NK1, NTE, OBX of no order), the visit (PV1, PV2, ...), the orders."""

    patient: Segment | None = None
    patient_segments: list[Segment] = field(default_factory=list)
    observations: list[Result] = field(default_factory=list)
    visit: list[Segment] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


@dataclass(slots=True)
class Grouped:
    """A message: the segments of the message itself (SFT, UAC, NTE after MSH, DSC, unknown before PID), and the patients."""

    header: list[Segment] = field(default_factory=list)
    patient_results: list[PatientResult] = field(default_factory=list)


#: Segments of the message itself, wherever they stand.
_MESSAGE_SEGMENTS = frozenset({"SFT", "UAC", "DSC", "MSA", "ERR", "EVN"})
#: Segments about the patient, while no order has begun.
_PATIENT_SEGMENTS = frozenset({"PD1", "NK1", "ARV", "GT1", "IN1", "IN2", "IN3", "AL1", "IAM", "MRG"})
_VISIT_SEGMENTS = frozenset({"PV1", "PV2"})
#: Segments about a specimen, right after it.
_SPECIMEN_SEGMENTS = frozenset({"SAC", "SID", "NTE", "PRT"})
#: Versions whose ORU_R01 has observations of the patient before the first order.
_WITH_PATIENT_OBSERVATIONS = frozenset({"2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"})
_ORDER_STARTS = frozenset({"ORC", "OBR", "OBX", "SPM"})


def group(message: Message) -> Grouped:
    """Group the segments of a message.

    Parameters
    ----------
    message : Message
        A result message.

    Returns
    -------
    Grouped
        Every segment but MSH stands in it exactly once.
    """
    walk = _Walk(message.segments)
    for index in range(1, len(message.segments)):
        walk.take(index)
    if message.version in _WITH_PATIENT_OBSERVATIONS:
        for result in walk.grouped.patient_results:
            _part_patient_observations(result)
    return walk.grouped


def _part_patient_observations(result: PatientResult) -> None:
    """Take OBX that stand before the first of several orders as observations of the patient (PATIENT_OBSERVATION)."""
    first = result.orders[0] if len(result.orders) > 1 else None
    if first is None or first.request is not None or first.common_order is not None or first.specimens:
        return
    result.observations = first.observations
    result.patient_segments += [*first.others, *first.timing]
    del result.orders[0]


class _Walk:
    """The place that the walk has reached: the current patient, order, and the last result or specimen."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self.grouped = Grouped()
        self.patient: PatientResult | None = None
        self.order: Order | None = None
        self.last: Result | SpecimenGroup | None = None
        self.in_visit = False
        self.specimens_have_results = False

    def take(self, index: int) -> None:
        """Put one segment to its place."""
        segment = self.segments[index]
        name = segment.name
        if name == "OBX":
            order = self.order or self._start_order()
            result = self.last = Result(segment)
            # behind SPM an OBX describes the specimen; but if the order has no OBX before its first SPM, it is a result of it
            holder = order.specimens[-1] if self.specimens_have_results else order
            holder.observations.append(result)
        elif name == "NTE" or name == "PRT":
            self._take_attachment(segment)
        elif name == "OBR":
            self._take_request(segment)
        elif name == "ORC":
            self._take_common_order(segment, index)
        elif name == "SPM":
            self._take_specimen(segment)
        elif name == "PID":
            self._take_patient(segment)
        elif name in _VISIT_SEGMENTS:
            self._current_patient().visit.append(segment)
            self.in_visit = True
        else:
            self._take_other(segment, self.segments[index - 1])

    def _current_patient(self) -> PatientResult:
        if self.patient is None:
            self.patient = PatientResult()
            self.grouped.patient_results.append(self.patient)
        return self.patient

    def _current_order(self) -> Order:
        return self.order or self._start_order()

    def _start_order(self) -> Order:
        order = self.order = Order()
        self.last = None
        self.specimens_have_results = False
        self._current_patient().orders.append(order)
        return order

    def _take_patient(self, segment: Segment) -> None:
        patient = self.patient
        if patient is None or patient.patient is not None or patient.orders:
            # a PV1 or NK1 before the first PID belongs to it, results do not
            self.patient = None
            patient = self._current_patient()
        patient.patient = segment
        self.order = self.last = None
        self.in_visit = self.specimens_have_results = False

    def _take_common_order(self, segment: Segment, index: int) -> None:
        order = self.order
        follows_its_request = (
            order is not None
            and order.common_order is None
            and order.request is not None
            and not order.observations
            and not order.specimens
            and not self._announces_next_request(segment, order.request, index)
        )
        if not follows_its_request:
            self._start_order()
        self._current_order().common_order = segment

    def _announces_next_request(self, common_order: Segment, previous: Segment, index: int) -> bool:
        """Tell whether an ORC after an OBR without results belongs to the OBR that follows, by its order numbers.

        The standard puts ORC before OBR; some senders put it behind. Without numbers that agree, the standard's order holds.
        """
        following = next((segment for segment in self.segments[index + 1 : index + 9] if segment.name in _ORDER_STARTS), None)
        if following is None or following.name != "OBR":
            return False
        return not _same_order(common_order, previous) or _same_order(common_order, following)

    def _take_request(self, segment: Segment) -> None:
        order = self.order
        if order is None or order.request is not None or order.specimens or (order.observations and not _has_document(order)):
            self._start_order()
        order = self._current_order()
        order.request = segment
        self.last = None

    def _take_specimen(self, segment: Segment) -> None:
        """OBX behind SPM describe the specimen; but if the order has no OBX before its first SPM, they are its results."""
        order = self._current_order()
        if not order.specimens:
            self.specimens_have_results = bool(order.observations)
        self.last = SpecimenGroup(segment)
        order.specimens.append(self.last)

    def _take_attachment(self, segment: Segment) -> None:
        """NTE and PRT belong to what stands before them."""
        last = self.last
        is_note = segment.name == "NTE"
        if isinstance(last, Result):
            (last.notes if is_note else last.participants).append(segment)
        elif last is not None:
            last.others.append(segment)
        elif self.order is not None:
            (self.order.notes if is_note else self.order.others).append(segment)
        elif self.patient is not None:
            in_visit = self.in_visit and not is_note
            (self.patient.visit if in_visit else self.patient.patient_segments).append(segment)
        else:
            self.grouped.header.append(segment)

    def _take_other(self, segment: Segment, previous: Segment) -> None:
        name = segment.name
        if name in _MESSAGE_SEGMENTS:
            self.grouped.header.append(segment)
        elif self.order is not None:
            last = self.last
            of_specimen = isinstance(last, SpecimenGroup) and name in _SPECIMEN_SEGMENTS
            if last is not None and (of_specimen or (name[0] == "Z" and isinstance(last, Result) and _ends_with(last, previous))):
                last.others.append(segment)
            elif name in ("TQ1", "TQ2"):
                self.order.timing.append(segment)
            else:
                self.order.others.append(segment)
        elif name in _PATIENT_SEGMENTS or self.patient is not None:
            self._current_patient().patient_segments.append(segment)
        else:
            self.grouped.header.append(segment)


def _ends_with(result: Result, segment: Segment) -> bool:
    """Tell whether a segment is one of a result."""
    return segment is result.segment or any(segment is one for one in (*result.notes, *result.participants, *result.others))


def _has_document(order: Order) -> bool:
    """Tell whether an ORC is followed by a document (OBX, TXA), which since v2.8 stands before its OBR (ORDER_DOCUMENT)."""
    return order.common_order is not None and any(segment.name == "TXA" for segment in order.others)


def _same_order(one: Segment, other: Segment) -> bool:
    """Tell whether placer (2) or filler (3) order number agree; ORC and OBR have them in the same fields."""
    return any(valued(one[number]) and one[number] == other[number] for number in (2, 3))
