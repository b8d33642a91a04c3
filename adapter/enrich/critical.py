"""Critical limits: only those that a site declares (`critical.csv`); the shipped tables have none.

A limit is "a reference level at which immediate action should be considered" (THO, HH and LL): a value that reaches it is
critical. The limits stand for themselves; no reference range is needed.
"""

from __future__ import annotations

from decimal import Decimal

from adapter.enrich.bounds import HIGH, LOW, Bound, Bounds, judge
from adapter.enrich.laboratory import laboratory_of
from adapter.enrich.result import Result
from adapter.tables.axes import includes
from adapter.tables.index import Tables
from adapter.tables.rows import CriticalRow

_CODES = {LOW: "LL", HIGH: "HH"}


def find_critical(result: Result) -> CriticalRow | None:
    """Find the critical limits of the performing laboratory.

    Parameters
    ----------
    result : Result
        The result, with its LOINC row.

    Returns
    -------
    CriticalRow or None
        The most specific row that fits; None where there is none or two are equally specific.
    """
    assert result.loinc is not None
    assert result.pack is not None
    rows = result.pack.critical.get(result.loinc.loinc, ())
    if not rows:
        return None
    laboratory = laboratory_of(result)[0]
    axis = result.specimen.axis or result.loinc.specimen
    fitting = [
        row
        for row in rows
        if row.laboratory in ("", laboratory) and (not row.specimen or includes(result.tables, row.specimen, axis))
    ]
    best = max((bool(row.laboratory) + bool(row.specimen) for row in fitting), default=0)
    fitting = [row for row in fitting if bool(row.laboratory) + bool(row.specimen) == best]
    return fitting[0] if len(fitting) == 1 else None


def judge_critical(tables: Tables, value: Decimal, unit: str, comparator: str, row: CriticalRow) -> str | None:
    """Tell whether a value reaches a critical limit.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    value : decimal.Decimal
        The number as sent.
    unit : str
        Its UCUM unit.
    comparator : str
        As in `bounds.judge`.
    row : CriticalRow
        The limits.

    Returns
    -------
    str or None
        `LL` or `HH`; None where it does not, or where the bound of a `<` or `>` result does not decide.
    """
    low = None if row.low is None else Bound(row.low, row.unit)
    high = None if row.high is None else Bound(row.high, row.unit)
    return _CODES.get(judge(tables, value, unit, comparator, Bounds(low, high, False, False)) or "")
