"""The way of a result through enrichment.

1. Pre-filter: an Observation that no pack may know costs two or three look-ups and is left alone. One that differs from an
   earlier one in its number only takes from it what the number does not change (`recurring.py`).
2. Unit and code: what the unit means, and with it what the result is. A contradiction of code, specimen and unit ends here.
3. Bounds: of the range that was sent, else of the laboratory's table.
4. Units: value and ranges go into the canonical unit together, or not at all.
5. Judgement, by the units as sent: the flag is added, or compared with the one that was sent.

Components of an Observation go the same way, each by its own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.config import Settings
from adapter.enrich.amount import ends_of, enrich_amount
from adapter.enrich.code import add_code, query_of, specimen_of
from adapter.enrich.filter import Filter
from adapter.enrich.interpretation import check_sent_flags
from adapter.enrich.mark import mark
from adapter.enrich.ratio import judge_ratio, unit_of_ratio
from adapter.enrich.recurring import Recurring
from adapter.enrich.result import Change, Memo, Memos, Result
from adapter.enrich.value import unit_of, unit_of_no_value
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue
from adapter.tables.index import Pack, Tables
from adapter.tables.lookups import UnitResolution
from adapter.tables.resolve import CodeQuery, Resolution, resolve_code
from adapter.tables.rows import LoincRow, WindowRow

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
        self._resolutions = Memo()
        self._memos = Memos()
        self._recurring = Recurring(tables)

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
        components = observation.get("component")
        results = []
        if code and self._filter.passes(code):
            if changes is None and not components:
                return self._recurring_result(observation, context)
            results.append(self._result(observation, context, ""))
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

    def _recurring_result(self, observation: dict[str, Any], context: ObservationContext) -> list[Issue]:
        """Enrich as an earlier result of the same kind; the first one goes the whole way."""
        key = self._recurring.key(observation, context, specimen_of(self._tables, context, self._memos))
        known = self._recurring.again(key, observation, context.place) if key else None
        if known is not None:
            return known
        before = dict(observation)
        result = self._result(observation, context, "")
        issues = list(dict.fromkeys(result.issues))
        if key:
            self._recurring.remember(key, before, result, issues)
        return issues

    def recognises(self, context: ObservationContext) -> bool:
        """Whether a pack of `settings.only` (any pack, if empty) gives the Observation or one of its components a LOINC code."""
        observation = context.observation
        return any(self._known(element, context) for element in (observation, *observation.get("component", ())))

    def may_recognise(self, text: str, packs: Sequence[str]) -> bool:
        """Whether one of the packs (any, if empty) may know a test, given OBX-3 as it stands in the message."""
        found = self._filter.packs_of(text)
        return bool(found) if not packs else not found.isdisjoint(packs)

    def resolution(self, context: ObservationContext) -> Resolution | None:
        """Tell what an Observation is; None where no pack may know it."""
        return self._resolved(context.observation, context)

    def _known(self, element: dict[str, Any], context: ObservationContext) -> bool:
        found = self._resolved(element, context)
        if found is None or found.pack is None or found.loinc is None:
            return False
        return found.pack.name in (self._settings.only or (found.pack.name,))

    def _resolved(self, element: dict[str, Any], context: ObservationContext) -> Resolution | None:
        if not self._filter.passes(element.get("code", {})):
            return None
        result = self.begin(element, context)
        return self._resolve(query_of(result, self._units(result)[1]))

    def _resolve(self, query: CodeQuery) -> Resolution:
        found: Resolution | None = self._resolutions.get(query)
        if found is None:
            found = self._resolutions[query] = resolve_code(self._tables, query)
        return found

    def begin(self, element: dict[str, Any], context: ObservationContext, path: str = "") -> Result:
        """Start with an Observation, or with a component of it, whose path is given."""
        specimen = specimen_of(self._tables, context, self._memos)
        return Result(element, context, self._tables, self._settings, specimen, path, memos=self._memos)

    def _window(self, pack: Pack, loinc: LoincRow, specimen: str) -> WindowRow | None:
        windows, key = self._memos.windows, (pack.name, loinc.loinc, specimen)
        if key not in windows:
            windows[key] = pack.window(loinc, specimen)
        found: WindowRow | None = windows[key]
        return found

    def _units(self, result: Result) -> tuple[UnitResolution | None, str]:
        """Find the unit of the quantities of a result, where they have one, and the unit that tells its property."""
        element = result.element
        units = [unit_of(result, quantity) for quantity in ends_of(element)]
        if units:
            unit = units[0] if len({found.ucum for found in units}) == 1 else None
            return unit, unit.ucum if unit else ""
        if "valueRatio" in element:
            return None, unit_of_ratio(result, element["valueRatio"])
        if any(name.startswith("value") for name in element) or "component" in element:
            return None, ""
        return None, unit_of_no_value(result).ucum

    def _result(self, element: dict[str, Any], context: ObservationContext, path: str) -> Result:
        result = self.begin(element, context, path)
        unit, ucum = self._units(result)
        resolution = self._resolve(query_of(result, ucum))
        if not _settled(result, resolution):
            return result
        result.loinc, result.pack = resolution.loinc, resolution.pack
        if result.pack is not None and result.loinc is not None:
            result.window = self._window(result.pack, result.loinc, result.specimen.axis)
        add_code(result, resolution)
        check_sent_flags(result)
        if unit is not None:
            enrich_amount(result, resolution, unit)
        elif "valueRatio" in element:
            judge_ratio(result, element["valueRatio"], ucum)
        else:
            _explain_absence(result)
        return result


def _settled(result: Result, resolution: Resolution) -> bool:
    """Report what the resolver has to say; True where the result is known and nothing contradicts its code."""
    if result.specimen.slug:
        result.report(result.specimen.slug, "code", "the codes of the specimen contradict each other")
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
    return not result.specimen.slug and all(slug == "loinc-check-digit" for slug, _ in resolution.conflicts)


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
