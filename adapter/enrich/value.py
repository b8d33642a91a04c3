"""Quantities: which UCUM unit is meant, the canonical quantity, and where the other one of the two is kept.

The quantity that does not stand in `value` is a translation of it (extension iso21090-PQ-translation, whose context is Quantity).
Mass and amount of substance are different dimensions and never meet; arbitrary units convert to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from adapter.enrich.result import Result
from adapter.fhir.canonical import SOURCE_FIELD, TRANSLATION, UCUM
from adapter.hl7v2.escapes import unescape
from adapter.tables.index import Tables
from adapter.tables.lookups import UnitResolution, resolve_unit

#: Numbers beyond this magnitude, or with more digits, are no measurements; computing with them costs time only.
_LARGEST_EXPONENT = 30
_MOST_DIGITS = 40
_ONE = Fraction(1)


def number_of(quantity: Mapping[str, Any] | None) -> Decimal | None:
    """Give the number of a Quantity if it is one to compute with.

    Parameters
    ----------
    quantity : mapping or None
        A FHIR Quantity.

    Returns
    -------
    decimal.Decimal or None
        None where there is no number, or none of a magnitude that is measured.
    """
    value = quantity.get("value") if quantity else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    if abs(value.adjusted()) > _LARGEST_EXPONENT:
        return None
    # the text is never shorter than the digits, and sooner made
    if len(str(value)) > _MOST_DIGITS and len(value.as_tuple().digits) > _MOST_DIGITS:
        return None
    return value


def unit_text(quantity: Mapping[str, Any]) -> str:
    """Give the unit as people read it: `unit`, else `code`."""
    return quantity.get("unit") or quantity.get("code") or ""


def unit_of(result: Result, quantity: Mapping[str, Any]) -> UnitResolution:
    """Find the UCUM unit of a Quantity: by its code, else by its unit text, else the sender's unit for blank ones."""
    applications, facilities = result.context.sender_application, result.context.sender_facility
    code, text, system = quantity.get("code", ""), quantity.get("unit", ""), quantity.get("system", "")
    key = code, text, system, applications, facilities
    found: UnitResolution | None = result.memos.units.get(key)
    if found is None:
        found = resolve_unit(result.tables, code or text, system if code else "", applications, facilities)
        if not found.ucum and code and text and text != code:
            found = resolve_unit(result.tables, text, "", applications, facilities)
        result.memos.units[key] = found
    return found


def unit_of_no_value(result: Result) -> UnitResolution:
    """Find the unit in which a result without value would have been measured.

    It tells the property, and so the LOINC code, of a cancelled result. R4 has no place for it: the conversion of v2 keeps
    OBX-6 as sent (`source-field`). Without it the sender's unit for blank ones counts.
    """
    for extension in result.element.get("extension", ()):
        if extension.get("url") == SOURCE_FIELD:
            parts = {part.get("url"): part.get("valueString") for part in extension.get("extension", ())}
            if parts.get("field") == "OBX-6":
                return unit_of(result, _quantity_of(result.tables, parts.get("text") or ""))
    return unit_of(result, {})


def _quantity_of(tables: Tables, units: str) -> dict[str, str]:
    """OBX-6 (CWE, CE) -> the unit of a Quantity: the triplet that names UCUM, else the first text or code."""
    parts = [unescape(part).strip() for part in (*units.split("^"), *[""] * 6)[:6]]
    for code, text, system in (parts[:3], parts[3:]):
        if code and tables.coding_systems.get(system.upper()) == UCUM:
            return {"code": code, "system": UCUM, "unit": text or code}
    return {"unit": parts[1] or parts[0] or parts[4] or parts[3]}


def factor(tables: Tables, from_unit: str, to_unit: str) -> Fraction | None:
    """Give the exact factor between two units; None where they do not convert, as arbitrary units never do."""
    if from_unit == to_unit:
        return _ONE
    if not from_unit or not to_unit or tables.ucum.parse(from_unit).arbitrary:
        return None
    return tables.ucum.factor(from_unit, to_unit)


def converted(tables: Tables, quantity: Mapping[str, Any], from_unit: str, to_unit: str) -> dict[str, Any]:
    """Convert a Quantity exactly; a comparator stays.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    quantity : mapping
        A Quantity whose number `number_of` gives.
    from_unit, to_unit : str
        UCUM units that convert into each other.

    Returns
    -------
    dict
        A new Quantity with unit, system and code.
    """
    value = number_of(quantity)
    assert value is not None
    new: dict[str, Any] = {"value": tables.ucum.convert(value, from_unit, to_unit)}
    if "comparator" in quantity:
        new["comparator"] = quantity["comparator"]
    return {**new, "unit": to_unit, "system": UCUM, "code": to_unit}


def normalised(quantity: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Write the UCUM unit of a Quantity into system and code; the unit text stays as sent.

    Where the sender wrote another code or system, or no unit at all, the Quantity as sent becomes a translation.
    """
    if quantity.get("system") == UCUM and quantity.get("code") == unit:
        return dict(quantity)
    new = {**quantity, "unit": quantity.get("unit") or unit, "system": UCUM, "code": unit}
    says_something_else = quantity.get("code", unit) != unit or quantity.get("system", UCUM) != UCUM
    return with_translation(new, quantity) if says_something_else or not unit_text(quantity) else new


def replaced(quantity: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Put a converted Quantity in the place of one that was sent, which becomes its translation; extensions stay outside."""
    outer = dict(new)
    for name in ("id", "extension"):
        if name in quantity:
            outer[name] = quantity[name]
    if "extension" in outer:
        # a translation that says what the value says now is no longer needed
        kept = [item for item in outer.pop("extension") if not _same(_translation(item), outer)]
        if kept:
            outer["extension"] = kept
    return with_translation(outer, quantity)


def with_translation(quantity: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Add a translation to a Quantity unless it has it."""
    inner = {name: part for name, part in other.items() if name not in ("id", "extension")}
    extensions = quantity.get("extension", [])
    if any(_same(_translation(item), inner) for item in extensions):
        return dict(quantity)
    return {**quantity, "extension": [*extensions, {"url": TRANSLATION, "valueQuantity": inner}]}


def translations(quantity: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the translations of a Quantity."""
    return [found for item in quantity.get("extension", ()) if (found := _translation(item)) is not None]


def _translation(extension: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return extension.get("valueQuantity") if extension.get("url") == TRANSLATION else None


def _same(quantity: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    names = ("value", "comparator", "unit", "system", "code")
    return quantity is not None and all(quantity.get(name) == other.get(name) for name in names)
