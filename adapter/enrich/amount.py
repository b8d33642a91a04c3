"""The way of an amount: `valueQuantity`, or the two ends of a `valueRange`.

The bounds of its reference range are read (or the laboratory's range is taken from the table), value and ranges go into the
canonical unit together or not at all, and the amount is judged by its critical limits and by its range. An amount with two ends
is judged only where both ends get the same flag; an open end counts as `>=` or `<=`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from adapter.enrich.bounds import HIGH, LOW, NORMAL, Bounds, judge
from adapter.enrich.critical import find_critical, judge_critical
from adapter.enrich.interpretation import UNJUDGED_STATUSES, add_interpretation
from adapter.enrich.reference_range import follow, in_window, plausible, read_bounds
from adapter.enrich.result import Measure, Move, Result
from adapter.enrich.table_range import bounds_of, element_of, find_range
from adapter.enrich.value import converted, factor, normalised, number_of, replaced, unit_text, with_translation
from adapter.fhir.json import dumps
from adapter.tables.index import Tables
from adapter.tables.lookups import UnitResolution
from adapter.tables.resolve import Resolution
from adapter.tables.rows import CriticalRow

RangeKey = tuple[Any, ...]


class End(NamedTuple):
    """One end of an amount: its number and comparator, as they are judged."""

    value: Decimal
    comparator: str


class Verdict(NamedTuple):
    """Where an amount stands.

    Parameters
    ----------
    plausible : bool
        Within the window of the result.
    critical : str or None
        `LL` or `HH`; None where no critical limit is reached.
    code : str or None
        `L`, `H` or `N` by the reference range; None where it does not decide, or a critical limit does.
    """

    plausible: bool = True
    critical: str | None = None
    code: str | None = None


_IMPLAUSIBLE = Verdict(plausible=False)
_BY_CODE = {code: Verdict(code=code) for code in (None, NORMAL, LOW, HIGH)}


def ends_of(element: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the quantities of an amount: `valueQuantity`, or `low` and `high` of `valueRange`; none for another value."""
    if "valueQuantity" in element:
        return [element["valueQuantity"]]
    value = element.get("valueRange", {})
    return [value[name] for name in ("low", "high") if name in value]


def enrich_amount(result: Result, resolution: Resolution, unit: UnitResolution) -> None:
    """Convert and judge an amount whose LOINC code is known.

    Parameters
    ----------
    result : Result
        The result.
    resolution : Resolution
        How its code was found; the row may say the method.
    unit : UnitResolution
        Unit of its quantities.
    """
    quantities = ends_of(result.element)
    sent = quantities[0]
    if unit.slug:
        result.report(unit.slug, "unit", value=unit_text(sent))
        return
    if unit.doubtful:
        result.report("table-row-doubtful", "unit", unit.row)
    ends = _numbers(result, quantities)
    if ends is None:
        return
    bounds, row = _with_range(result, resolution, unit, sent)
    # a comparator before a range (an extension) has no place in FHIR; what it means is not certain
    judged = result.context.observation.get("status") not in UNJUDGED_STATUSES and "extension" not in result.element.get(
        "valueRange", {}
    )
    limit = find_critical(result) if judged else None
    result.measure = Measure(unit.ucum, result.window, limit, bounds if judged else None)
    _tell(result, verdict_of(result.tables, result.measure, ends), limit, row)


def verdict_of(tables: Tables, measure: Measure, ends: Sequence[tuple[Decimal, str]]) -> Verdict:
    """Judge an amount: by its window, then by its critical limits, then by its range.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    measure : Measure
        What it is judged by.
    ends : sequence of (decimal.Decimal, str)
        Number and comparator of its ends.

    Returns
    -------
    Verdict
        What all ends have in common.
    """
    unit, window, limit, bounds = measure
    for value, comparator in ends:
        if not in_window(tables, window, value, unit, comparator):
            return _IMPLAUSIBLE
    if limit is not None:
        critical = decided([judge_critical(tables, value, unit, comparator, limit) for value, comparator in ends])
        if critical is not None:
            return Verdict(critical=critical)
    code = decided([judge(tables, value, unit, comparator, bounds) for value, comparator in ends]) if bounds is not None else None
    return _BY_CODE[code]


def _tell(result: Result, verdict: Verdict, limit: CriticalRow | None, row: str) -> None:
    """Report the verdict, and add it to the result where its place is free."""
    if not verdict.plausible:
        result.report("value-implausible", "value")
    elif verdict.critical is not None and limit is not None:
        result.report("critical-value", "value", f"{verdict.critical} ({limit.id})")
        add_interpretation(result, verdict.critical, limit.id, "interpretation-critical")
    elif verdict.code is not None:
        add_interpretation(result, verdict.code, row)


def decided(codes: Sequence[str | None]) -> str | None:
    """Give the code that all ends have in common; None where they differ."""
    return codes[0] if codes.count(codes[0]) == len(codes) else None


def _numbers(result: Result, quantities: Sequence[Mapping[str, Any]]) -> list[End] | None:
    """Give the ends of the amount; None, with an issue, where one of them is no number to compute with."""
    ends = []
    open_end = ""
    if "valueRange" in result.element and len(quantities) == 1:
        open_end = ">=" if "low" in result.element["valueRange"] else "<="
    for quantity in quantities:
        value = number_of(quantity)
        if value is None:
            if quantity.get("value") is not None:
                result.report("value-implausible", "value", "a number beyond every measurement")
            return None
        ends.append(End(value, open_end or quantity.get("comparator", "")))
    return ends


def _with_range(
    result: Result, resolution: Resolution, unit: UnitResolution, sent: Mapping[str, Any]
) -> tuple[Bounds | None, str]:
    """Move amount and ranges; give the bounds that judge it, in the units as sent, and the table row they come from."""
    ranges = result.element.get("referenceRange", [])
    inherits = not ranges and result.of_whole("referenceRange")
    readable = not inherits
    bounds: Bounds | None = None
    row = ""
    if ranges:
        keys = [_range_key(result, element, sent, unit.ucum) for element in ranges]
        read = [_usable_bounds(result, element, sent, unit.ucum, key) for element, key in zip(ranges, keys, strict=True)]
        readable = None not in read
        bounds = read[0] if len(ranges) == 1 and _is_normal_range(ranges[0]) else None
        row = _row_of_mark(ranges[0])
    new_unit = _move(result, unit, readable)
    if ranges and readable:
        following = [
            _following(result, element, found, sent, unit.ucum, new_unit, key)
            for element, found, key in zip(ranges, read, keys, strict=True)
            if found is not None
        ]
        # assigned in any case: the order of children is the same then, however the range came in
        result.element["referenceRange"] = following
        if following != ranges:
            result.changed("referenceRange", "range-converted" if new_unit != unit.ucum else "range-bounds")
    elif not ranges and not inherits and (found := find_range(result, resolution.row, new_unit)) is not None:
        row, bounds = found.row.id, bounds_of(found.row)
        shown = unit_text(ends_of(result.element)[0])
        result.element["referenceRange"] = [element_of(result, found.row, new_unit, shown)]
        result.changed("referenceRange", "range-from-table", row, found.steps)
        result.report("range-from-table", "referenceRange", row)
        if found.row.status == "doubtful":
            result.report("table-row-doubtful", "referenceRange", row)
    return bounds, row


def _range_key(result: Result, element: dict[str, Any], sent: Mapping[str, Any], unit: str) -> RangeKey | None:
    """All that reading and moving a range depends on beside the tables: its JSON, the unit of the value, sender and window.

    None where the value has extensions: a translation among them takes part, and seldom comes twice.
    """
    if "extension" in sent:
        return None
    window = result.window.id if result.window is not None else ""
    senders = result.context.sender_application, result.context.sender_facility
    return dumps(element), sent.get("unit"), sent.get("code"), unit, window, *senders


def _usable_bounds(
    result: Result, element: dict[str, Any], sent: Mapping[str, Any], unit: str, key: RangeKey | None
) -> Bounds | None:
    """Bounds of a sent range; None, with an issue, where they cannot be used."""
    known: Bounds | None = result.memos.ranges.get(key)
    if known is not None:
        return known
    bounds = read_bounds(result, element, sent, unit)
    if bounds is None:
        result.report("range-unreadable", "referenceRange")
    elif not plausible(result, bounds):
        result.report("range-implausible", "referenceRange")
        return None
    elif key is not None:
        result.memos.ranges[key] = bounds
    return bounds


def _following(
    result: Result,
    element: dict[str, Any],
    bounds: Bounds,
    sent: Mapping[str, Any],
    unit: str,
    new_unit: str,
    key: RangeKey | None,
) -> dict[str, Any]:
    """Give a range in the unit of the value; the same for all results whose ranges are the same."""
    if key is None:
        return follow(result, element, bounds, sent, unit, new_unit)
    place = *key, new_unit
    known: dict[str, Any] | None = result.memos.ranges.get(place)
    if known is None:
        known = result.memos.ranges[place] = follow(result, element, bounds, sent, unit, new_unit)
    return known


def _move(result: Result, unit: UnitResolution, together: bool) -> str:
    """Write the quantities and their translations; give the UCUM unit in which the amount leaves."""
    assert result.loinc is not None
    target, tables, element = result.loinc.canonical_unit, result.tables, result.element
    same = unit.ucum == target
    convertible = not same and factor(tables, unit.ucum, target) is not None
    if not same and not convertible:
        result.report("unit-not-convertible", "unit", f"{unit.ucum} to {target or 'nothing'}")
    moves = convertible and together and result.settings.units == "canonical"
    name = "valueQuantity" if "valueQuantity" in element else "valueRange"
    move = Move(unit.ucum, target, moves, convertible)
    if name == "valueQuantity":
        new = moved(tables, element[name], move)
    else:
        ends = {end: element[name][end] for end in ("low", "high") if end in element[name]}
        new = {**element[name], **{end: moved(tables, sent, move) for end, sent in ends.items()}}
    if new != element[name]:
        rule = "unit-normalised" if unit_text(ends_of(element)[0]) else "unit-of-sender"
        if convertible:
            rule = "value-canonical" if moves else "value-translation"
        element[name] = new
        result.move = move
        result.changed(name, rule, unit.row, unit.steps)
    return target if moves else unit.ucum


def moved(tables: Tables, quantity: dict[str, Any], move: Move) -> dict[str, Any]:
    """Write a quantity in the unit in which it leaves, with the translation that belongs to it."""
    unit, target, moves, convertible = move
    if moves:
        return replaced(quantity, converted(tables, quantity, unit, target))
    new = normalised(quantity, unit)
    return with_translation(new, converted(tables, quantity, unit, target)) if convertible else new


def _is_normal_range(element: dict[str, Any]) -> bool:
    """Whether a range says what is normal for this patient: not one of several populations, and no therapeutic range."""
    if "appliesTo" in element or "age" in element:
        return False
    kind = element.get("type")
    return kind is None or any(coding.get("code") == "normal" for coding in kind.get("coding", ()))


def _row_of_mark(element: dict[str, Any]) -> str:
    """Id of the table row of a range that was added before; empty for one that was sent."""
    parts = [part for extension in element.get("extension", ()) for part in extension.get("extension", ())]
    return next((part.get("valueString", "") for part in parts if part.get("url") == "row"), "")
