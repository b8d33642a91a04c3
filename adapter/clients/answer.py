"""What came back for a message that was sent, and the count of many such answers. Pure."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from adapter.hl7v2.header import header_of

Fate = Literal["accepted", "refused", "unanswered", "not-sent"]

#: HL7 table 0008: accepted at application and at accept level.
_ACCEPTED = frozenset({"AA", "CA"})
_KNOWN = _ACCEPTED | {"AE", "AR", "CE", "CR"}
_LINE_END = re.compile(rb"[\r\n]+")
#: MSA-2 echoes so much of a longer control id (HL7 v2.7 chapter 2, MSH-10).
_CONTROL_ID_LENGTH = 199


class Acknowledgement(NamedTuple):
    """MSA of an acknowledgement.

    Parameters
    ----------
    code : str
        MSA-1: `AA`, `AE`, `AR`, `CA`, `CE` or `CR`; empty when the text is no acknowledgement.
    control_id : str
        MSA-2: MSH-10 of the message that is acknowledged.
    """

    code: str
    control_id: str


def acknowledgement_of(data: bytes) -> Acknowledgement:
    """Read an acknowledgement.

    Parameters
    ----------
    data : bytes
        What came back, without its frame.

    Returns
    -------
    Acknowledgement
        Never raises.
    """
    header = header_of(data)
    separator = header.field_separator
    if separator:
        start = f"MSA{separator}".encode()
        for line in _LINE_END.split(data):
            if line.lstrip().startswith(start):
                fields = line.strip().decode(header.codec, "replace").split(separator)
                code = fields[1].strip().upper()
                return Acknowledgement(code if code in _KNOWN else "", fields[2].strip() if len(fields) > 2 else "")
    return Acknowledgement("", "")


def answers_to(acknowledged: str, control_id: str) -> bool:
    """Tell whether MSA-2 names a message.

    Parameters
    ----------
    acknowledged : str
        MSA-2.
    control_id : str
        MSH-10 of the message; empty: whatever is answered must be meant for it.

    Returns
    -------
    bool
        Longer control ids are compared as far as MSA-2 echoes them.
    """
    wanted = control_id.strip()
    return not wanted or acknowledged == wanted or acknowledged == wanted[:_CONTROL_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message.

    Parameters
    ----------
    number : int
        Number of the message, from 1.
    control_id : str
        MSH-10, or what stands for it in FHIR.
    fate : {"accepted", "refused", "unanswered", "not-sent"}
        `unanswered`: sent, but whether it arrived is not known.
    code : str
        MSA-1, or the HTTP status; empty without an answer.
    fault : str
        Why it is not `accepted`, where the code does not say it: `timeout`, `connection-closed`, `connection-refused`,
        `tls-failed`, `wrong-control-id`, `no-acknowledgement`, `given-up`.
    nanoseconds : int
        From sending to the answer; 0 without one.
    body : bytes
        The answer. May hold patient data.
    """

    number: int
    control_id: str
    fate: Fate
    code: str = ""
    fault: str = ""
    nanoseconds: int = 0
    body: bytes = field(default=b"", repr=False)

    @property
    def row(self) -> dict[str, Any]:
        """For NDJSON, without what the receiver wrote."""
        return {
            "message": self.number,
            "control_id": self.control_id,
            "fate": self.fate,
            "code": self.code,
            "fault": self.fault,
            "milliseconds": Decimal(milliseconds(self.nanoseconds)),
        }


def judged(number: int, control_id: str, body: bytes, nanoseconds: int) -> Answer:
    """Judge an acknowledgement.

    Parameters
    ----------
    number : int
        Number of the message.
    control_id : str
        MSH-10 of the message.
    body : bytes
        What came back.
    nanoseconds : int
        How long it took.

    Returns
    -------
    Answer
        `accepted` only for AA or CA that names the message in MSA-2.
    """
    code, acknowledged = acknowledgement_of(body)
    fault = "" if code else "no-acknowledgement"
    if code and not answers_to(acknowledged, control_id):
        fault = "wrong-control-id"
    fate: Fate = "accepted" if code in _ACCEPTED and not fault else "refused"
    return Answer(number, control_id, fate, code, fault, nanoseconds, body)


def milliseconds(nanoseconds: int) -> str:
    """Write a duration in milliseconds with two decimals."""
    return f"{nanoseconds // 1_000_000}.{nanoseconds // 10_000 % 100:02}"


class Tally:
    """Counts answers.

    Attributes
    ----------
    fates, codes, faults : Counter
        How many of each; without empty ones.
    """

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._latencies = array("q")

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        self.fates[answer.fate] += 1
        if answer.code:
            self.codes[answer.code] += 1
        if answer.fault:
            self.faults[answer.fault] += 1
        if answer.nanoseconds:
            self._latencies.append(answer.nanoseconds)

    def latencies(self, percents: Sequence[int] = (50, 90, 99, 100)) -> dict[int, int]:
        """Give percentiles of the latencies.

        Parameters
        ----------
        percents : sequence of int
            1 to 100.

        Returns
        -------
        dict
            Nanoseconds by percent, by nearest rank; empty when nothing was answered.
        """
        ordered = sorted(self._latencies)
        return {percent: ordered[-(-len(ordered) * percent // 100) - 1] for percent in percents} if ordered else {}

    def lines(self, nanoseconds: int) -> Iterator[str]:
        """Tell the result for people.

        Parameters
        ----------
        nanoseconds : int
            How long everything took.

        Yields
        ------
        str
            Counts, codes, and percentiles of the latency.
        """
        total = self.fates.total()
        each_second = total * 10**9 // max(nanoseconds, 1)
        fates = ", ".join(f"{count} {fate}" for fate, count in sorted(self.fates.items())) or "nothing to send"
        yield f"{fates}; {milliseconds(nanoseconds)} ms, {each_second} messages/s"
        if self.codes or self.faults:
            yield ", ".join(f"{name} {count}" for name, count in sorted((self.codes + self.faults).items()))
        latencies = self.latencies()
        if latencies:
            yield "answered after (ms): " + ", ".join(f"{percent}% {milliseconds(one)}" for percent, one in latencies.items())
