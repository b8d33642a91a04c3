"""Patients and their results: levels that follow a course, visit by visit. Decimal arithmetic, one seeded generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from random import Random
from typing import NamedTuple

from adapter.replay.generate.habits import Course, Courses, Phase, Sender, Test

#: Own context: the caller's must not change what a seed gives.
_ARITHMETIC = Context(prec=28, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Patient:
    """A synthetic patient.

    Parameters
    ----------
    number : int
        Number in the stream; makes name and identifier.
    sender : Sender
        The laboratory that reports on this patient.
    course : Course
        How the patient fares.
    sex : {"F", "M"}
        Administrative sex.
    birth_date : str
        `YYYYMMDD`.
    severity : int
        0 to 1000: where between the two ends of its levels the patient stands.
    """

    number: int
    sender: Sender
    course: Course
    sex: str
    birth_date: str
    severity: int

    @property
    def identifier(self) -> str:
        """Medical record number."""
        return f"TEST-{self.number:04}"


class Measurement(NamedTuple):
    """A result of a test as its laboratory reports it.

    `value` is the digits that are sent, `comparator` what stands before them; both are empty for a cancelled test.
    """

    test: Test
    comparator: str
    value: str
    flag: str


def visits(patient: Patient, courses: Courses, random: Random) -> Iterator[tuple[int, list[Measurement]]]:
    """Give the visits of a patient.

    Parameters
    ----------
    patient : Patient
        The patient.
    courses : Courses
        Derived quantities.
    random : Random
        Source of chance.

    Yields
    ------
    tuple of (int, list of Measurement)
        Days since the visit before, and the results of the tests that the sender offers.
    """
    number = 0
    before: Phase | None = None
    for phase in patient.course.phases:
        count = random.randint(*phase.visits)
        for step in range(1, count + 1):
            number += 1
            levels = {
                name: _level(patient, name, phase, before, step, count, random)
                for name in phase.levels
                if (number - 1) % patient.course.every.get(name, 1) == 0
            }
            for name, rule in courses.derived.items():
                if rule.numerator in levels and (not rule.denominator or rule.denominator in levels):
                    level = _ARITHMETIC.multiply(levels[rule.numerator], rule.factor)
                    levels[name] = _ARITHMETIC.divide(level, levels[rule.denominator]) if rule.denominator else level
            measured = [measure(test, levels[test.quantity]) for test in patient.sender.tests if test.quantity in levels]
            yield random.randint(*phase.days), measured
        before = phase


def _level(patient: Patient, name: str, phase: Phase, before: Phase | None, step: int, count: int, random: Random) -> Decimal:
    """Level at one visit: from the level of the phase before towards that of this phase, and a little chance."""
    target = _target(phase.levels[name], patient.severity)
    if before is not None and name in before.levels:
        start = _target(before.levels[name], patient.severity)
        target = _between(start, target, step, count)
    spread = patient.course.spread
    return _between(Decimal(0), target, 1000 + random.randint(-spread, spread), 1000)


def _target(ends: tuple[Decimal, Decimal], severity: int) -> Decimal:
    return _between(*ends, severity, 1000)


def _between(start: Decimal, end: Decimal, step: int, steps: int) -> Decimal:
    """Go `step` of `steps` equal steps from start to end."""
    way = _ARITHMETIC.multiply(_ARITHMETIC.subtract(end, start), step)
    return _ARITHMETIC.add(start, _ARITHMETIC.divide(way, steps))


def measure(test: Test, level: Decimal) -> Measurement:
    """Report a level as a laboratory does: in its unit, with its digits, within its measuring range, with its flag.

    Parameters
    ----------
    test : Test
        The test.
    level : Decimal
        The level in the unit of the courses.

    Returns
    -------
    Measurement
        The result.
    """
    value = _ARITHMETIC.quantize(_ARITHMETIC.multiply(level, test.factor), test.decimals)
    comparator = ""
    if test.below is not None and value < test.below:
        value, comparator = test.below, "<"
    elif test.above is not None and value > test.above:
        value, comparator = test.above, ">"
    return Measurement(test, comparator, f"{value:f}", _flag(test, value, comparator))


def _flag(test: Test, value: Decimal, comparator: str) -> str:
    """H, L, N, or nothing where the laboratory has no range or the result is beyond its measuring range in doubt."""
    if test.low is None and test.high is None:
        return ""
    if test.high is not None and (value > test.high or (test.high_exclusive and value >= test.high)):
        return "" if comparator == "<" else "H"
    if test.low is not None and value < test.low:
        return "L" if comparator != ">" else ""
    if comparator:
        return "L" if comparator == "<" and test.low is not None and value <= test.low else ""
    return "N"


def corrected(measurement: Measurement, random: Random) -> Measurement:
    """Give another result of the same test, as after a second measurement.

    Parameters
    ----------
    measurement : Measurement
        What was reported before.
    random : Random
        Source of chance.

    Returns
    -------
    Measurement
        8 to 30 percent away from it, in the same unit.
    """
    away = random.choice((-1, 1)) * random.randint(80, 300)
    value = _between(Decimal(0), Decimal(measurement.value), 1000 + away, 1000)
    return measure(measurement.test, _ARITHMETIC.divide(value, measurement.test.factor))


def cancelled(measurement: Measurement) -> Measurement:
    """Give the result without its value."""
    return measurement._replace(comparator="", value="", flag="")
