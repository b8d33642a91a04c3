"""The way of a result through enrichment.

1. Pre-filter: an Observation that no pack may know costs two or three look-ups and is left alone.
2. Unit and code: what the unit means, and with it what the result is. A contradiction of code, specimen and unit ends here.
3. Bounds: of the range that was sent, else of the laboratory's table.
4. Judgement, in the units as sent: the flag is added, or compared with the one that was sent.
5. Units: value and ranges go into the canonical unit together, or not at all.

Components of an Observation go the same way, each by its own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.config import Settings
from adapter.enrich.bounds import Bounds, judge
from adapter.enrich.code import add_code, query_of, specimen_of
from adapter.enrich.filter import Filter
from adapter.enrich.interpretation import UNJUDGED_STATUSES, add_interpretation
from adapter.enrich.mark import mark
from adapter.enrich.reference_range import follow, plausible, read_bounds, within_window
from adapter.enrich.result import Change, Result
from adapter.enrich.table_range import bounds_of, element_of, find_range
from adapter.enrich.value import converted, factor, normalised, number_of, replaced, unit_of, unit_text, with_translation
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue
from adapter.tables.index import Tables
from adapter.tables.lookups import UnitResolution
from adapter.tables.resolve import CodeQuery, Resolution, resolve_code

#: Answers of the resolver that are remembered: a feed has few different tests.
_MEMO_SIZE = 2048
_DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


class Enricher:
    """Enrichment with tables and settings bound.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    settings : Settings
        `units`: which of the two quantities stands in `value`. `only`: packs that `recognises` asks for.
    """

    def __init__(self, tables: Tables, settings: Settings) -> None:
        self._tables = tables
        self._settings = settings
        self._filter = Filter(tables)
        self._resolutions: dict[CodeQuery, Resolution] = {}

    def enrich(self, context: ObservationContext, changes: list[Change] | None = None) -> list[Issue]:
        """Enrich one Observation in place.

        Parameters
        ----------
        context : ObservationContext
            The Observation and what is known around it. Its top-level elements are replaced, never changed inside.
        changes : list of Change, optional
            Filled with what was added or changed and why.

        Returns
        -------
        list of Issue
            What a person may want to know.
        """
        observation = context.observation
        code = observation.get("code")
        results = []
        if code and self._filter.passes(code):
            results.append(self._result(observation, context, ""))
        components = observation.get("component")
        if components:
            for number, component in enumerate(components):
                if self._filter.passes(component.get("code", {})):
                    result = self._result(dict(component), context, f"component[{number}].")
                    results.append(result)
                    components = [*components[:number], result.element, *components[number + 1 :]]
            observation["component"] = components
        if not results:
            return []
        if changes is not None:
            changes += [change for result in results for change in result.changes]
        return list(dict.fromkeys(issue for result in results for issue in result.issues))

    def recognises(self, context: ObservationContext) -> bool:
        """Whether a pack of `settings.only` (any pack, if empty) gives the Observation or one of its components a LOINC code."""
        observation = context.observation
        return any(self._known(element, context) for element in (observation, *observation.get("component", ())))

    def may_recognise(self, text: str, packs: Sequence[str]) -> bool:
        """Whether one of the packs (any, if empty) may know a test, given OBX-3 as it stands in the message."""
        found = self._filter.packs_of(text)
        return bool(found) if not packs else not found.isdisjoint(packs)

    def _known(self, element: dict[str, Any], context: ObservationContext) -> bool:
        if not self._filter.passes(element.get("code", {})):
            return False
        result = Result(element, context, self._tables, self._settings, specimen_of(self._tables, context))
        quantity = element.get("valueQuantity")
        found = self._resolve(query_of(result, unit_of(result, quantity).ucum if quantity else ""))
        return (
            found.pack is not None and found.loinc is not None and found.pack.name in (self._settings.only or (found.pack.name,))
        )

    def _resolve(self, query: CodeQuery) -> Resolution:
        found = self._resolutions.get(query)
        if found is None:
            if len(self._resolutions) >= _MEMO_SIZE:
                self._resolutions.clear()
            found = self._resolutions[query] = resolve_code(self._tables, query)
        return found

    def _result(self, element: dict[str, Any], context: ObservationContext, path: str) -> Result:
        result = Result(element, context, self._tables, self._settings, specimen_of(self._tables, context), path)
        quantities = [element[name] for name in ("valueQuantity",) if name in element] or _ends(element.get("valueRange"))
        units = [unit_of(result, quantity) for quantity in quantities]
        unit = units[0] if units and len({found.ucum for found in units}) == 1 else None
        resolution = self._resolve(query_of(result, unit.ucum if unit else ""))
        if not _settled(result, resolution):
            return result
        result.loinc, result.pack = resolution.loinc, resolution.pack
        if result.pack is not None and result.loinc is not None:
            result.window = result.pack.window(result.loinc, result.specimen.axis)
        add_code(result, resolution)
        if "valueQuantity" in element:
            assert unit is not None
            _enrich_quantity(result, resolution, unit)
        elif quantities and unit is not None and unit.ucum:
            element["valueRange"] = _range_of_values(result, element["valueRange"], unit)
        else:
            _explain_absence(result)
        return result


def _settled(result: Result, resolution: Resolution) -> bool:
    """Report what the resolver has to say; True where the result is known and nothing contradicts its code."""
    for slug, detail in resolution.conflicts:
        part = {"unit-conflict": "unit"}.get(slug, "code")
        result.report(slug, part, detail)
    if resolution.loinc is None:
        if resolution.slug:
            part = "unit" if resolution.slug.startswith("unit-") else "code"
            result.report(resolution.slug, part, resolution.detail)
        return False
    if resolution.doubtful:
        result.report("table-row-doubtful", "code", resolution.row)
    return all(slug == "loinc-check-digit" for slug, _ in resolution.conflicts)


def _enrich_quantity(result: Result, resolution: Resolution, unit: UnitResolution) -> None:
    quantity = result.element["valueQuantity"]
    value = number_of(quantity)
    if unit.slug:
        result.report(unit.slug, "unit", value=unit_text(quantity))
        return
    if unit.doubtful:
        result.report("table-row-doubtful", "unit", unit.row)
    if value is None:
        if quantity.get("value") is not None:
            result.report("value-implausible", "value", "a number beyond every measurement")
        return
    ranges = result.element.get("referenceRange", [])
    inherits = not ranges and result.of_whole("referenceRange")
    readable = not inherits
    bounds: Bounds | None = None
    row = ""
    if ranges:
        read = [_usable_bounds(result, element, unit.ucum) for element in ranges]
        readable = None not in read
        bounds = read[0] if len(ranges) == 1 and _is_normal_range(ranges[0]) else None
        row = _row_of_mark(ranges[0])
    new_unit = _move(result, quantity, unit, readable)
    if ranges and readable:
        moved = [
            follow(result, element, found, quantity, unit.ucum, new_unit)
            for element, found in zip(ranges, read, strict=True)
            if found is not None
        ]
        # assigned in any case: the order of children is the same then, however the range came in
        result.element["referenceRange"] = moved
        if moved != ranges:
            result.changed("referenceRange", "range-converted" if new_unit != unit.ucum else "range-bounds")
    elif not ranges and not inherits and (found := find_range(result, resolution.row, new_unit)) is not None:
        row, bounds = found.row.id, bounds_of(found.row)
        shown = unit_text(result.element["valueQuantity"])
        result.element["referenceRange"] = [element_of(result, found.row, new_unit, shown)]
        result.changed("referenceRange", "range-from-table", row, found.steps)
        result.report("range-from-table", "referenceRange", row)
        if found.row.status == "doubtful":
            result.report("table-row-doubtful", "referenceRange", row)
    comparator = quantity.get("comparator", "")
    if not within_window(result, value, unit.ucum, comparator):
        result.report("value-implausible", "value")
    elif bounds is not None and result.context.observation.get("status") not in UNJUDGED_STATUSES:
        code = judge(result.tables, value, unit.ucum, comparator, bounds)
        if code is not None:
            add_interpretation(result, code, row)


def _usable_bounds(result: Result, element: dict[str, Any], unit: str) -> Bounds | None:
    """Bounds of a sent range; None, with an issue, where they cannot be used."""
    bounds = read_bounds(result, element, result.element["valueQuantity"], unit)
    if bounds is None:
        result.report("range-unreadable", "referenceRange")
    elif not plausible(result, bounds):
        result.report("range-implausible", "referenceRange")
        return None
    return bounds


def _move(result: Result, quantity: dict[str, Any], unit: UnitResolution, together: bool) -> str:
    """Write value and translation; give the UCUM unit in which the value leaves."""
    assert result.loinc is not None
    target = result.loinc.canonical_unit
    tables = result.tables
    same = unit.ucum == target
    convertible = not same and factor(tables, unit.ucum, target) is not None
    if not same and not convertible:
        result.report("unit-not-convertible", "unit", f"{unit.ucum} to {target or 'nothing'}")
    if convertible and together and result.settings.units == "canonical":
        new, rule = replaced(quantity, converted(tables, quantity, unit.ucum, target)), "value-canonical"
    else:
        new, rule = normalised(quantity, unit.ucum), "unit-normalised" if unit_text(quantity) else "unit-of-sender"
        if convertible:
            new, rule = with_translation(new, converted(tables, quantity, unit.ucum, target)), "value-translation"
    if new != quantity:
        result.element["valueQuantity"] = new
        result.changed("valueQuantity", rule, unit.row, unit.steps)
    return target if rule == "value-canonical" else unit.ucum


def _range_of_values(result: Result, value: dict[str, Any], unit: UnitResolution) -> dict[str, Any]:
    """Write a valueRange in the canonical unit, where nothing that was sent beside it would stay behind."""
    assert result.loinc is not None
    target, new = result.loinc.canonical_unit, dict(value)
    moves = (
        unit.ucum != target
        and factor(result.tables, unit.ucum, target) is not None
        and result.settings.units == "canonical"
        and not result.element.get("referenceRange")
    )
    for name in ("low", "high"):
        quantity = value.get(name, {})
        if number_of(quantity) is not None:
            new[name] = (
                replaced(quantity, converted(result.tables, quantity, unit.ucum, target))
                if moves
                else normalised(quantity, unit.ucum)
            )
    if new != value:
        result.changed("valueRange", "value-canonical" if moves else "unit-normalised", unit.row, unit.steps)
    return new


def _explain_absence(result: Result) -> None:
    """Say that a value is missing where nothing stands in its place."""
    element = result.element
    if any(name.startswith(("value", "_value")) for name in element):
        return
    if any(name in element for name in ("dataAbsentReason", "component", "hasMember")):
        return
    element["dataAbsentReason"] = {
        "extension": [mark("value-absent", "", result.tables.version)],
        "coding": [{"system": _DATA_ABSENT_REASON, "code": "unknown", "display": "Unknown"}],
    }
    result.changed("dataAbsentReason", "value-absent")
    result.report("value-missing", "value")


def _ends(value: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [value[name] for name in ("low", "high") if name in value] if value else []


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
