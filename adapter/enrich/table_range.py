"""The laboratory's own range from `ranges.csv`, for a result that was sent without one: exactly one or none.

A range applies to results of its laboratory only, found exactly by identifier or name; a site row may name another source
(`range_laboratory` in `senders.csv`). Specimen, method, sex, age at collection and dates must fit with certainty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.enrich.age import in_band, span
from adapter.enrich.bounds import Bound, Bounds
from adapter.enrich.laboratory import laboratory_of
from adapter.enrich.mark import mark
from adapter.enrich.result import Result
from adapter.enrich.value import factor
from adapter.fhir.canonical import UCUM
from adapter.tables.check_rows import fold
from adapter.tables.lookups import Step
from adapter.tables.rows import RangeRow


class TableRange(NamedTuple):
    """A row of `ranges.csv` and the look-ups that led to it."""

    row: RangeRow
    steps: tuple[Step, ...]


def find_range(result: Result, decided_by: str, unit: str) -> TableRange | None:
    """Find the one range of the performing laboratory.

    Parameters
    ----------
    result : Result
        The result, with its LOINC row.
    decided_by : str
        Id of the row that gave the LOINC code: a row of `codes.csv` may say the method.
    unit : str
        UCUM unit of the value as it leaves; a range that does not convert into it is none.

    Returns
    -------
    TableRange or None
        The most specific row that fits; None where there is none or two are equally specific.
    """
    assert result.loinc is not None
    assert result.pack is not None
    laboratory, steps = laboratory_of(result)
    sender = result.tables.sender(result.context.sender_application, result.context.sender_facility)
    chosen = sender.range_laboratory if sender is not None else ""
    for key, any_row in ((laboratory, False), (chosen, True)):
        rows = result.pack.ranges.get((key, result.loinc.loinc), ()) if key else ()
        # what a site chooses by name need not be a default
        fitting = [
            row
            for row in rows
            if (row.default or any_row) and _fits(result, row, decided_by) and factor(result.tables, row.unit, unit) is not None
        ]
        best = max(map(_specificity, fitting), default=0)
        fitting = [row for row in fitting if _specificity(row) == best]
        if key:
            steps = (*steps, Step(f"range of {key} for {result.loinc.loinc}", fitting[0].id if len(fitting) == 1 else ""))
        if len(fitting) == 1:
            return TableRange(fitting[0], steps)
    return None


def bounds_of(row: RangeRow) -> Bounds:
    """Give the bounds of a row in its unit."""
    low = None if row.low is None else Bound(row.low, row.unit)
    high = None if row.high is None else Bound(row.high, row.unit)
    return Bounds(low, high, row.low_inclusive, row.high_inclusive)


def element_of(result: Result, row: RangeRow, unit: str, shown: str) -> dict[str, Any]:
    """Make the marked referenceRange element of a row.

    Parameters
    ----------
    result : Result
        The result.
    row : RangeRow
        The row.
    unit : str
        UCUM unit of the value as it leaves; the bounds are written in it.
    shown : str
        How that unit is shown to people.

    Returns
    -------
    dict
        `low` and `high` where both bounds are inclusive, and the range in words.
    """
    element: dict[str, Any] = {"extension": [mark("range-from-table", row.id, result.tables.version)]}
    if row.low_inclusive and row.high_inclusive:
        for name, bound in (("low", row.low), ("high", row.high)):
            if bound is not None:
                value = result.tables.ucum.convert(bound, row.unit, unit)
                element[name] = {"value": value, "unit": shown, "system": UCUM, "code": unit}
    element["text"] = row.text or _words(row)
    return element


def _words(row: RangeRow) -> str:
    if row.low is not None and row.high is not None and row.low_inclusive:
        return f"{row.low} - {'' if row.high_inclusive else '<'}{row.high} {row.unit}"
    parts = []
    if row.low is not None:
        parts.append(f"{'>=' if row.low_inclusive else '>'}{row.low} {row.unit}")
    if row.high is not None:
        parts.append(f"{'<=' if row.high_inclusive else '<'}{row.high} {row.unit}")
    return " and ".join(parts)


def _fits(result: Result, row: RangeRow, decided_by: str) -> bool:
    assert result.loinc is not None
    observation, patient = result.context.observation, result.context.patient or {}
    axis = result.specimen.axis or result.loinc.specimen
    if row.specimen and row.specimen != axis and result.tables.specimen_members.get((row.specimen, axis)) != "is":
        return False
    if row.method and fold(row.method) not in _methods(result, decided_by):
        return False
    if row.sex and row.sex != patient.get("gender"):
        return False
    collected = span(
        observation.get("effectiveDateTime")
        or observation.get("effectiveInstant")
        or observation.get("effectivePeriod", {}).get("start", "")
    )
    if not in_band(span(patient.get("birthDate", "")), collected, row.age_low, row.age_high, row.age_unit):
        return False
    first, last = span(row.valid_from), span(row.valid_to)
    if (first or last) and collected is None:
        return False
    return collected is None or ((not first or first.first <= collected.first) and (not last or collected.last <= last.last))


def _methods(result: Result, decided_by: str) -> set[str]:
    """Words for the method of the result: of its LOINC code, of the row of its local code, and as sent."""
    assert result.loinc is not None
    assert result.pack is not None
    words = {fold(result.loinc.method)} | {fold(row.method) for row in result.pack.codes if row.id == decided_by}
    method = result.element.get("method") or result.context.observation.get("method", {})
    words.add(fold(method.get("text", "")))
    for coding in method.get("coding", ()):
        words |= {fold(coding.get("code", "")), fold(coding.get("display", ""))}
    return words


def _specificity(row: RangeRow) -> int:
    keys = (row.specimen, row.method, row.sex, row.valid_from, row.valid_to)
    return sum(map(bool, keys)) + (row.age_low is not None or row.age_high is not None)
