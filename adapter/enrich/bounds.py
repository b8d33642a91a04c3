"""Bounds of a reference range with their units, and where a value stands to them: exact, without rounding."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NamedTuple

from adapter.enrich.value import factor
from adapter.tables.index import Tables

NORMAL, LOW, HIGH = "N", "L", "H"
"""Codes of v3-ObservationInterpretation that a value and its range can give. Critical codes need critical limits."""

EXACT = Context(prec=400)
"""Products of a measured number (at most 40 digits) and a part of a unit factor are exact with so many digits."""


class Bound(NamedTuple):
    """One bound: number and UCUM unit."""

    value: Decimal
    unit: str


class Bounds(NamedTuple):
    """Both bounds of a range; None where it is open."""

    low: Bound | None
    high: Bound | None
    low_inclusive: bool = True
    high_inclusive: bool = True


def compare(tables: Tables, value: Decimal, unit: str, bound: Bound) -> int | None:
    """Compare a value with a bound: -1, 0 or 1; None where the units do not convert."""
    if unit == bound.unit:
        return (value > bound.value) - (value < bound.value)
    found = factor(tables, unit, bound.unit)
    if found is None:
        return None
    mine = EXACT.multiply(value, Decimal(found.numerator))
    theirs = EXACT.multiply(bound.value, Decimal(found.denominator))
    return (mine > theirs) - (mine < theirs)


def judge(tables: Tables, value: Decimal, unit: str, comparator: str, bounds: Bounds) -> str | None:
    """Tell where a value stands to its range.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    value : decimal.Decimal
        The number as sent.
    unit : str
        Its UCUM unit.
    comparator : str
        `<`, `<=`, `>`, `>=` or empty: the true value lies below or above the number.
    bounds : Bounds
        The range.

    Returns
    -------
    str or None
        `L`, `H` or `N`; None where the bound of a `<` or `>` result does not decide, or units do not convert.

    Notes
    -----
    A lower bound of zero that belongs to the range excludes nothing: what a pack describes is an amount, and none is negative.
    """
    to_low = compare(tables, value, unit, bounds.low) if bounds.low else None
    to_high = compare(tables, value, unit, bounds.high) if bounds.high else None
    if (bounds.low and to_low is None) or (bounds.high and to_high is None) or not (bounds.low or bounds.high):
        return None
    if comparator in ("<", "<="):
        if to_low is not None and (to_low < 0 or (to_low == 0 and (comparator == "<" or not bounds.low_inclusive))):
            return LOW
        open_below = bounds.low is None or (bounds.low.value == 0 and bounds.low_inclusive)
        inside = to_high is not None and (to_high < 0 or (to_high == 0 and (comparator == "<" or bounds.high_inclusive)))
        return NORMAL if open_below and inside else None
    if comparator in (">", ">="):
        if to_high is not None and (to_high > 0 or (to_high == 0 and (comparator == ">" or not bounds.high_inclusive))):
            return HIGH
        inside = to_low is not None and (to_low > 0 or (to_low == 0 and (comparator == ">" or bounds.low_inclusive)))
        return NORMAL if bounds.high is None and inside else None
    if to_low is not None and (to_low < 0 or (to_low == 0 and not bounds.low_inclusive)):
        return LOW
    if to_high is not None and (to_high > 0 or (to_high == 0 and not bounds.high_inclusive)):
        return HIGH
    return NORMAL
