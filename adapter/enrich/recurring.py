"""Results that differ from an earlier one in nothing but their number.

What enrichment makes of a result depends on its code, unit, comparator, range, flags and status, on the specimen and the sender;
and on the number only by the verdict on it (`amount.Verdict`) and by the quantity into which it is converted. A feed repeats all
but the number. So the first result of a kind goes the whole way, and what was added and reported is remembered by kind and
verdict. The next one of the kind is judged anew, its quantity is converted anew, and the rest is copied: 9 us instead of 28.

The conversion gives equal codes, ranges and flags as one object, so a kind knows them by their identity.

A result for which more was asked (`Result.recurs`: the laboratory of a table range, with sex, age and date) is not remembered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.enrich.amount import Verdict, moved, verdict_of
from adapter.enrich.result import Measure, Memo, Move, Result, Specimen
from adapter.enrich.value import number_of
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue
from adapter.tables.index import Tables

Key = tuple[Any, ...]

#: Elements that have no place in a kind, or make another way through.
_OTHERS = frozenset({"component", "valueRange", "valueRatio"})
#: In the place of a range or a flag where there is none.
_NONE = (None,)
_NOT_JUDGED = Verdict()


class Told(NamedTuple):
    """What enrichment made of a result.

    Parameters
    ----------
    elements : dict
        Elements that it added or replaced, the value excepted.
    issues : list of (str, str, str, str)
        Slug, place behind that of the result, detail and value of each issue.
    """

    elements: dict[str, Any]
    issues: list[tuple[str, str, str, str]]


class Kind(NamedTuple):
    """What results of one kind have in common.

    Parameters
    ----------
    measure : Measure or None
        What their numbers are judged by; None where they are not judged.
    move : Move or None
        How their quantities leave; None: as they came.
    told : dict
        What was made of them, by verdict.
    held : tuple
        Code, range and flag: the key names them by identity, which no other object may take.
    """

    measure: Measure | None
    move: Move | None
    told: dict[Verdict, Told]
    held: tuple[Any, ...]


class Recurring:
    """The kinds of results that one enricher has met.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._kinds = Memo()

    def key(self, observation: dict[str, Any], context: ObservationContext, specimen: Specimen) -> Key | None:
        """Give the kind of a result: all that enrichment may depend on beside the number.

        Parameters
        ----------
        observation : dict
            The Observation.
        context : ObservationContext
            What is known around it.
        specimen : Specimen
            What the tables know about its specimen.

        Returns
        -------
        tuple or None
            None where enrichment may depend on more, or where no other result will have the same objects: in FHIR input.
        """
        find = observation.get
        quantity, ranges, flags = find("valueQuantity"), find("referenceRange", _NONE), find("interpretation", _NONE)
        if quantity is None or len(ranges) > 1 or len(flags) > 1 or not context.place.startswith("OBX"):
            return None
        if "extension" in quantity or number_of(quantity) is None or not _OTHERS.isdisjoint(observation):
            return None
        unit = quantity.get
        return (
            (id(find("code")), id(ranges[0]), id(flags[0]), find("status"))
            + (tuple(quantity), unit("comparator"), unit("unit"), unit("system"), unit("code"))
            + (specimen, context.sender_application, context.sender_facility)
        )

    def again(self, key: Key, observation: dict[str, Any], place: str) -> list[Issue] | None:
        """Enrich a result as an earlier one.

        Parameters
        ----------
        key : tuple
            Its kind.
        observation : dict
            The Observation; it is changed in place.
        place : str
            Where it stands.

        Returns
        -------
        list of Issue or None
            None where nothing is known of the kind, or of the verdict: the Observation is as it was then.
        """
        kind: Kind | None = self._kinds.get(key)
        if kind is None:
            return None
        measure, move, by_verdict, _ = kind
        quantity = observation["valueQuantity"]
        told = by_verdict.get(_verdict(self._tables, measure, quantity))
        if told is None:
            return None
        if move is not None:
            observation["valueQuantity"] = moved(self._tables, quantity, move)
        for name, value in told.elements.items():
            observation[name] = list(value) if value.__class__ is list else value
        return [Issue(slug, place + inside, detail, value) for slug, inside, detail, value in told.issues]

    def remember(self, key: Key, before: dict[str, Any], result: Result, issues: list[Issue]) -> None:
        """Remember what enrichment made of a result.

        Parameters
        ----------
        key : tuple
            Its kind.
        before : dict
            The elements of the Observation before.
        result : Result
            The result, enriched.
        issues : list of Issue
            What was reported.
        """
        if not result.recurs:
            return
        elements = {
            name: value for name, value in result.element.items() if name != "valueQuantity" and before.get(name) is not value
        }
        where = len(result.context.place)
        told = Told(elements, [(issue.slug, issue.place[where:], issue.detail, issue.value) for issue in issues])
        kind: Kind | None = self._kinds.get(key)
        if kind is None:
            held = before.get("code"), before.get("referenceRange", _NONE)[0], before.get("interpretation", _NONE)[0]
            kind = self._kinds[key] = Kind(result.measure, result.move, {}, held)
        kind.told[_verdict(self._tables, result.measure, before["valueQuantity"])] = told


def _verdict(tables: Tables, measure: Measure | None, quantity: dict[str, Any]) -> Verdict:
    value = number_of(quantity)
    if measure is None or value is None:
        return _NOT_JUDGED
    return verdict_of(tables, measure, ((value, quantity.get("comparator", "")),))
