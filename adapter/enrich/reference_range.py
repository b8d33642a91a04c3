"""Reference ranges that were sent: their bounds, whether they can be used, and how they follow the value into another unit.

The text stays as sent; where the value is converted and the text names no unit, the unit as sent is written behind it. `low` and
`high` are inclusive in FHIR, so an exclusive bound (`<2.4`) stays text and is judged as what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapter.enrich.bounds import Bound, Bounds, compare
from adapter.enrich.mark import is_marked
from adapter.enrich.result import Result
from adapter.enrich.value import converted, factor, normalised, number_of, replaced, translations, unit_of, unit_text
from adapter.fhir.canonical import UCUM
from adapter.fhir.range_text import ParsedRange, parse_range
from adapter.tables.index import Tables
from adapter.tables.lookups import resolve_unit
from adapter.tables.rows import WindowRow


def read_bounds(result: Result, element: Mapping[str, Any], quantity: Mapping[str, Any], unit: str) -> Bounds | None:
    """Read the bounds of one referenceRange element.

    Parameters
    ----------
    result : Result
        The result.
    element : mapping
        The element.
    quantity : mapping
        The value; a text without a unit is in its unit.
    unit : str
        UCUM unit of the value.

    Returns
    -------
    Bounds or None
        None where they are not certain: unreadable text, another kind of unit, or text and quantities that differ.
    """
    written = _of_quantities(result, element, unit)
    text = element.get("text", "")
    if not text:
        return written
    parsed = parse_with_units(text, quantity)
    if parsed is None:
        # the text of a table row may be words; its quantities are ours
        return written if is_marked(element) else None
    bounds = _of_text(result, parsed, quantity, unit)
    if bounds is None or (written is not None and not _agree(result.tables, bounds, written)):
        return None
    return bounds


def parse_with_units(text: str, quantity: Mapping[str, Any]) -> ParsedRange | None:
    """Read a range text, knowing the units in which its value was or is written."""
    for known in (quantity, *translations(quantity)):
        for unit in dict.fromkeys((unit_text(known), known.get("code", ""))):
            parsed = parse_range(text, unit)
            if parsed is not None:
                return parsed
    return None


def plausible(result: Result, bounds: Bounds) -> bool:
    """Whether both bounds lie within the window of the result; a bound of zero does."""
    return all(within_window(result, bound.value, bound.unit) for bound in (bounds.low, bounds.high) if bound is not None)


def within_window(result: Result, value: Decimal, unit: str, comparator: str = "") -> bool:
    """Whether a number is of a plausible order of magnitude; where no window is declared, every one is.

    The number of a `<` result has no lower limit and that of a `>` result no upper one. Zero is plausible, a negative number is
    not.
    """
    return in_window(result.tables, result.window, value, unit, comparator)


def in_window(tables: Tables, window: WindowRow | None, value: Decimal, unit: str, comparator: str) -> bool:
    """Same as `within_window`, for a window that is known."""
    if window is None or value == 0:
        return True
    low, high = window.low, window.high
    if unit == window.unit:
        below, above = low is not None and value < low, high is not None and value > high
    else:
        below = low is not None and compare(tables, value, unit, Bound(low, window.unit)) == -1
        above = high is not None and compare(tables, value, unit, Bound(high, window.unit)) == 1
    return value > 0 and not (below and comparator[:1] != "<") and not (above and comparator[:1] != ">")


def follow(
    result: Result, element: dict[str, Any], bounds: Bounds, quantity: Mapping[str, Any], unit: str, new_unit: str
) -> dict[str, Any]:
    """Write a referenceRange element in the unit of the value.

    Parameters
    ----------
    result : Result
        The result.
    element : dict
        The element as sent; it is not changed.
    bounds : Bounds
        Its bounds.
    quantity : mapping
        The value as sent.
    unit, new_unit : str
        UCUM unit of the value as sent and as it leaves.

    Returns
    -------
    dict
        The element with the bounds that are certain and inclusive, in the new unit.
    """
    new = dict(element)
    text = element.get("text", "")
    if text and unit != new_unit and (parsed := parse_with_units(text, quantity)) is not None and not parsed.unit:
        new["text"] = f"{text.rstrip()} {_sent_unit(result.tables, quantity, unit)}"
    inclusive = bounds.low_inclusive and bounds.high_inclusive
    shown = new_unit if unit != new_unit else unit_text(quantity) or new_unit
    for name, bound in (("low", bounds.low), ("high", bounds.high)):
        sent = element.get(name)
        if sent is not None:
            new[name] = _written(result, sent, unit, new_unit, text)
        elif inclusive and bound is not None:
            value = result.tables.ucum.convert(bound.value, bound.unit, new_unit)
            new[name] = {"value": value, "unit": shown, "system": UCUM, "code": new_unit}
    return _in_order(new)


def _written(result: Result, sent: dict[str, Any], value_unit: str, new_unit: str, text: str) -> dict[str, Any]:
    """Write a bound that was sent as a Quantity; where no text keeps it as sent, a translation does."""
    if not unit_text(sent):
        sent = {**sent, "unit": value_unit, "system": UCUM, "code": value_unit}
    own_unit = unit_of(result, sent).ucum
    if own_unit == new_unit:
        return normalised(sent, own_unit)
    new = converted(result.tables, sent, own_unit, new_unit)
    if text:
        return {**new, **({"extension": sent["extension"]} if "extension" in sent else {})}
    return replaced(sent, new)


def _of_text(result: Result, parsed: ParsedRange, quantity: Mapping[str, Any], unit: str) -> Bounds | None:
    own_unit = unit
    if parsed.unit and parsed.unit != unit_text(quantity):
        own_unit = resolve_unit(result.tables, parsed.unit, UCUM if parsed.unit == quantity.get("code") else "").ucum
    if not own_unit or factor(result.tables, own_unit, unit) is None:
        return None
    low = None if parsed.low is None else Bound(parsed.low, own_unit)
    high = None if parsed.high is None else Bound(parsed.high, own_unit)
    return Bounds(low, high, parsed.low_inclusive, parsed.high_inclusive)


def _sent_unit(tables: Tables, quantity: Mapping[str, Any], unit: str) -> str:
    """Give the unit as people read it where it means the unit; a name beside the code (`microgram` for ug/L) does not."""
    text = unit_text(quantity)
    return text if text and resolve_unit(tables, text).ucum == unit else unit


def _of_quantities(result: Result, element: Mapping[str, Any], unit: str) -> Bounds | None:
    """Bounds of `low` and `high`; None where there is none, or one cannot be read, or they are the wrong way round."""
    bounds: list[Bound | None] = []
    for name in ("low", "high"):
        sent = element.get(name)
        if sent is None:
            bounds.append(None)
            continue
        value = number_of(sent)
        own_unit = unit_of(result, sent).ucum if unit_text(sent) else unit
        if value is None or factor(result.tables, own_unit, unit) is None:
            return None
        bounds.append(Bound(value, own_unit))
    low, high = bounds
    if low is None and high is None:
        return None
    if low is not None and high is not None and compare(result.tables, low.value, low.unit, high) == 1:
        return None
    return Bounds(low, high)


def _agree(tables: Tables, bounds: Bounds, written: Bounds) -> bool:
    """Whether `low` and `high`, as far as they are there, say what the text says."""
    for mine, theirs in ((bounds.low, written.low), (bounds.high, written.high)):
        if theirs is not None and (mine is None or compare(tables, theirs.value, theirs.unit, mine) != 0):
            return False
    return True


def _in_order(element: dict[str, Any]) -> dict[str, Any]:
    """Order the children as FHIR declares them, so that added ones stand where sent ones would."""
    names = ("id", "extension", "modifierExtension", "low", "high", "type", "appliesTo", "age", "text")
    ordered = {name: element[name] for name in names if name in element}
    return {**ordered, **{name: part for name, part in element.items() if name not in ordered}}
