"""Age at collection, as far as the dates are certain: a date without day or month stands for all its days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from typing import NamedTuple

_MONTHS = {"a": 12, "mo": 1}
_DAYS = {"wk": 7, "d": 1}
# UCUM's month, for the part of an age that is no whole month.
_DAYS_OF_A_MONTH = Decimal("30.4375")


class Span(NamedTuple):
    """Earliest and latest day that a date of FHIR can mean."""

    first: date
    last: date


def span(text: str) -> Span | None:
    """Read the date part of a FHIR date or dateTime; None where it is none."""
    parts = text.partition("T")[0].split("-")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > 3:
        return None
    try:
        numbers = [int(part) for part in parts]
        if len(numbers) == 1:
            return Span(date(numbers[0], 1, 1), date(numbers[0], 12, 31))
        if len(numbers) == 2:
            year, month = numbers
            return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
        year, month, day = numbers
        exact = date(year, month, day)
    except ValueError:
        return None
    return Span(exact, exact)


def in_band(birth: Span | None, collected: Span | None, low: Decimal | None, high: Decimal | None, unit: str) -> bool:
    """Whether the age at collection is certainly within an age band.

    Parameters
    ----------
    birth, collected : Span or None
        Dates of birth and of collection; None when unknown.
    low, high : decimal.Decimal or None
        First age that is included, first age that is no longer included; None: no limit.
    unit : str
        UCUM unit of the ages: `a`, `mo`, `wk` or `d`; empty: `a`.

    Returns
    -------
    bool
        True without limits; False where a date that is needed is unknown, or too coarse to decide.
    """
    if low is None and high is None:
        return True
    if birth is None or collected is None:
        return False
    if low is not None and collected.first < _birthday(birth.last, low, unit or "a"):
        return False
    return collected.first >= birth.last and (high is None or collected.last < _birthday(birth.first, high, unit or "a"))


def _birthday(birth: date, age: Decimal, unit: str) -> date:
    """First day on which an age is reached; the 29th of February becomes the 28th in other years."""
    try:
        if unit in _DAYS:
            return birth + timedelta(days=ceil(age * _DAYS[unit]))
        whole, part = divmod(age * _MONTHS[unit], 1)
        years, month = divmod(birth.month - 1 + int(whole), 12)
        year = birth.year + years
        reached = date(year, month + 1, min(birth.day, monthrange(year, month + 1)[1]))
        return reached + timedelta(days=ceil(part * _DAYS_OF_A_MONTH))
    except (OverflowError, ValueError):
        return date.max
