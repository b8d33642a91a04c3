"""Results that are a ratio (`valueRatio`): judged where units and bounds decide; the ratio itself stays as it was sent.

FHIR allows one value, so a ratio is never replaced by the quantity that it makes. A titre has no units and is not judged. The
range must name its unit: a bare `0-300` beside a ratio may be in the unit of the numerator or of the quotient.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context
from typing import Any

from adapter.enrich.bounds import EXACT, Bound, Bounds, judge
from adapter.enrich.interpretation import UNJUDGED_STATUSES, add_interpretation
from adapter.enrich.reference_range import plausible, read_bounds, within_window
from adapter.enrich.result import Result
from adapter.enrich.value import number_of, unit_of, unit_text
from adapter.fhir.range_text import parse_range
from adapter.tables.axes import unit_fits

#: The quotient is needed for its order of magnitude only; the judgement itself does not divide.
_QUOTIENT = Context(prec=50)


def unit_of_ratio(result: Result, ratio: Mapping[str, Any]) -> str:
    """Give the UCUM unit of the quotient.

    Parameters
    ----------
    result : Result
        The result.
    ratio : mapping
        A FHIR Ratio.

    Returns
    -------
    str
        Empty where a unit is missing or unknown, and where both are the same: that is a plain number, or an SN whose one unit
        stands on both parts.
    """
    numerator, denominator = ratio.get("numerator", {}), ratio.get("denominator", {})
    if not unit_text(numerator):
        return ""
    above = unit_of(result, numerator).ucum
    if not unit_text(denominator):
        return above
    below = unit_of(result, denominator).ucum
    if not above or not below or above == below:
        return ""
    return f"{above}/({below})" if "/" in below or "." in below else f"{above}/{below}"


def judge_ratio(result: Result, ratio: Mapping[str, Any], unit: str) -> None:
    """Judge a ratio by the one range that was sent, where the range names its unit.

    Parameters
    ----------
    result : Result
        The result, with its LOINC row.
    ratio : mapping
        A FHIR Ratio.
    unit : str
        UCUM unit of the quotient; empty: none, which is right for a ratio of like quantities only.
    """
    assert result.loinc is not None
    numerator, denominator = ratio.get("numerator", {}), ratio.get("denominator", {})
    above, below = number_of(numerator), number_of(denominator)
    ranges = result.element.get("referenceRange", [])
    unit = unit or "1"
    if above is None or below is None or below <= 0 or "comparator" in denominator:
        return
    if not unit_fits(result.tables, result.loinc, unit):
        return
    comparator = numerator.get("comparator", "")
    if not within_window(result, _QUOTIENT.divide(above, below), unit, comparator):
        result.report("value-implausible", "value")
        return
    if len(ranges) != 1 or not _names_unit(ranges[0]) or result.context.observation.get("status") in UNJUDGED_STATUSES:
        return
    bounds = read_bounds(result, ranges[0], {}, unit)
    if bounds is None or not plausible(result, bounds):
        result.report("range-unreadable" if bounds is None else "range-implausible", "referenceRange")
        return
    low, high = ((None if bound is None else Bound(EXACT.multiply(bound.value, below), bound.unit)) for bound in bounds[:2])
    code = judge(result.tables, above, unit, comparator, Bounds(low, high, bounds.low_inclusive, bounds.high_inclusive))
    if code is not None:
        add_interpretation(result, code, "")


def _names_unit(element: Mapping[str, Any]) -> bool:
    """Whether a range says its unit itself: both its text and its quantities, as far as they are there."""
    if "appliesTo" in element or "age" in element or "type" in element:
        return False
    parsed = parse_range(element["text"]) if element.get("text") else None
    if element.get("text") and (parsed is None or not parsed.unit):
        return False
    return all(unit_text(element[name]) for name in ("low", "high") if name in element)
