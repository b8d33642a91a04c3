"""What made the values that differ: components of the message, rules, table rows, by the explanations of old and new output."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from adapter.config import Settings
from adapter.explain.explanation import Element, explain_fhir, explain_v2
from adapter.explain.outputs import Workbench
from adapter.explain.rendering import RowText, row_text
from adapter.hl7v2.framing import RawMessage
from adapter.issues import Rejected
from adapter.pipeline import Pipeline
from adapter.replay.comparison import Place
from adapter.replay.report import Origin
from adapter.tables.index import Tables

#: Gives what made the element at a place, and everything within it.
Origins = Callable[[Place], tuple[Origin, ...]]


class Explainer:
    """Explains outputs made with one set of tables and settings.

    Parameters
    ----------
    tables : Tables
        The tables.
    settings : Settings
        The settings.
    """

    def __init__(self, tables: Tables, settings: Settings) -> None:
        self._tables = tables
        self._settings = settings
        self._pipeline = Pipeline(tables, settings)
        self._workbench = Workbench(tables, settings, note_rows=True)
        self._row = row_text(tables)

    def origins(self, raw: RawMessage) -> Origins:
        """Explain the output of a message.

        Parameters
        ----------
        raw : RawMessage
            The message.

        Returns
        -------
        function
            Gives nothing where the message is not converted.
        """
        elements: dict[str, list[Element]] = defaultdict(list)
        reach: Counter[str] = Counter()
        for element in self._elements(raw):
            elements[element.resource].append(element)
            reach.update(source.component.place for source in element.sources)

        def of(place: Place) -> tuple[Origin, ...]:
            name, path = place
            # what a Bundle takes from a v2 message is not numbered
            near = elements.get(name) or elements.get(name.partition("[")[0], [])
            found = [element for element in near if element.path[: len(path)] == path[: len(element.path)]]
            while not found and len(path) > 1:
                # the program of today makes no such element: what made the rest of the whole that it belonged to
                path = path[:-1]
                found = [element for element in near if element.path[: len(path)] == path]
            origins = dict.fromkeys(origin for element in found for origin in _origins(element, self._row))
            # what decides on little comes before what decides on much (OBX-5 before OBX-2); enrichment stands first
            return tuple(sorted(origins, key=lambda origin: reach[origin.place]))

        return of

    def _elements(self, raw: RawMessage) -> list[Element]:
        try:
            if raw.format == "json":
                return explain_fhir(raw.data, self._tables, self._settings).elements
            if raw.format == "er7":
                explanation = explain_v2(self._pipeline.read(raw.data), raw.data, self._workbench)
                return explanation.elements if explanation is not None else []
        except Rejected:
            pass
        return []


def _origins(element: Element, row: RowText) -> list[Origin]:
    found = [
        Origin(
            "", (change.rule,), tuple(dict.fromkeys(map(row, filter(None, (change.row, *(step.row for step in change.steps))))))
        )
        for change in element.changes
    ]
    for source in element.sources:
        rules = tuple(dict.fromkeys(rule.identifier for rule in source.rules))
        found.append(Origin(source.component.place, rules, tuple(map(row, source.rows))))
    return found
