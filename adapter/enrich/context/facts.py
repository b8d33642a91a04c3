"""The numbers of a message that may be compared: what each result is, its value, unit, collection and patient.

A result counts only where nothing contradicts it: its LOINC code is known or, outside the packs, sent by a sender whose LOINC
codes are trusted; the value is a number within its window; the unit is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from adapter.config import Settings
from adapter.enrich.age import span
from adapter.enrich.enricher import Enricher
from adapter.enrich.interpretation import UNJUDGED_STATUSES
from adapter.enrich.mark import is_marked
from adapter.enrich.reference_range import within_window
from adapter.enrich.result import Result
from adapter.enrich.value import number_of, unit_of, unit_text
from adapter.fhir.canonical import LOINC
from adapter.fhir.references import base_of
from adapter.tables.index import Pack, Tables
from adapter.tables.loinc import is_loinc
from adapter.tables.rows import ContextCodeRow, LoincRow

FINAL = frozenset({"final", "amended", "corrected"})
"""Statuses of a result that a judgement of its own may rest on."""


class Fact(NamedTuple):
    """One number of the message.

    Parameters
    ----------
    result : Result
        The Observation with its surroundings.
    url : str
        What refers to it within the message; empty where nothing can.
    patient : str
        Which patient of the message; see `patient_key`.
    loinc : str
        LOINC code.
    row, pack : LoincRow, Pack or None
        Row and pack of the code; None outside the packs.
    value : decimal.Decimal
        The number as it leaves.
    comparator : str
        `<`, `<=`, `>`, `>=` or empty.
    unit : str
        UCUM unit; empty where none was sent.
    """

    result: Result
    url: str
    patient: str
    loinc: str
    row: LoincRow | None
    pack: Pack | None
    value: Decimal
    comparator: str
    unit: str

    @property
    def observation(self) -> dict[str, Any]:
        """The Observation."""
        return self.result.context.observation

    @property
    def final(self) -> bool:
        """Whether the result is final."""
        return self.observation.get("status") in FINAL


def gather(
    tables: Tables, settings: Settings, enricher: Enricher, contexts: Iterable[Any], urls: Mapping[int, str]
) -> list[Fact]:
    """Gather the facts of a message.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    settings : Settings
        Settings of the run.
    enricher : Enricher
        Knows what the results are.
    contexts : iterable of ObservationContext
        The Observations, enriched.
    urls : mapping of int to str
        What refers to an Observation, by its identity (`id`).

    Returns
    -------
    list of Fact
        In the order of the results.
    """
    facts = []
    for context in contexts:
        observation = context.observation
        quantity = observation.get("valueQuantity")
        value = number_of(quantity)
        url = urls.get(id(observation), "")
        patient = patient_key(observation, context.patient, url, context.place.rpartition(".entry[")[0])
        if value is None or not patient or observation.get("status") in UNJUDGED_STATUSES or is_marked(observation):
            continue
        result = enricher.begin(observation, context)
        unit = unit_of(result, quantity)
        if unit.slug and unit_text(quantity):
            continue
        resolution = enricher.resolution(context)
        if resolution is None or not (resolution.loinc or resolution.slug or resolution.conflicts):
            loinc = _sent_loinc(tables, result)
        elif resolution.loinc is None or resolution.conflicts or result.specimen.slug:
            continue
        else:
            result.loinc, result.pack, loinc = resolution.loinc, resolution.pack, resolution.loinc.loinc
            assert result.pack is not None
            result.window = result.pack.window(resolution.loinc, result.specimen.axis)
        comparator = quantity.get("comparator", "")
        if loinc and (not unit.ucum or within_window(result, value, unit.ucum, comparator)):
            facts.append(Fact(result, url, patient, loinc, result.loinc, result.pack, value, comparator, unit.ucum))
    return facts


def patient_key(resource: Mapping[str, Any], patient: Mapping[str, Any] | None, full_url: str, scope: str) -> str:
    """Tell the patients of one message apart.

    Parameters
    ----------
    resource : mapping
        A resource with a subject.
    patient : mapping or None
        Its subject, when that is in the message.
    full_url : str
        What the entry of the resource is known by; `Patient/1` of one server is another person on the next.
    scope : str
        The Bundle in which it stands.

    Returns
    -------
    str
        Equal for resources of one patient of the message; empty where the patient is not known.
    """
    if patient is not None:
        return f"resource {id(patient)}"
    reference = subject_of(resource)
    if not reference or reference.startswith("#"):
        return ""
    return reference if ":" in reference else f"{base_of(full_url) or scope} {reference}"


def subject_of(resource: Mapping[str, Any]) -> str:
    """Give the reference of a resource to its subject; empty where it has none, or several."""
    subject = resource.get("subject")
    reference = subject.get("reference", "") if isinstance(subject, dict) else ""
    return reference if isinstance(reference, str) else ""


def of_role(pack: Pack, role: str, facts: Sequence[Fact]) -> list[Fact]:
    """Give the facts whose LOINC code has a role in the judgements of a pack."""
    codes = {row.code for row in pack.context_codes.get(role, ())}
    return [fact for fact in facts if fact.loinc in codes]


def row_of_role(pack: Pack, role: str, system: str, code: str, tables: Tables) -> ContextCodeRow | None:
    """Give the row of a code that has a role; None where it has none."""
    key = tables.system_key(system)
    rows = pack.context_codes.get(role, ())
    return next((row for row in rows if row.code == code and tables.system_key(row.code_system) == key), None)


def is_below(tables: Tables, fact: Fact, border: Decimal, unit: str) -> bool | None:
    """Whether the true value is certainly below a border (True), certainly not (False), or neither is certain (None).

    Exact: both are compared as fractions. None, too, where the units do not convert.
    """
    factor = tables.ucum.factor(fact.unit, unit)
    if factor is None:
        return None
    # cross-multiplied: exact, and without a division
    mine, theirs = fact.value.as_integer_ratio(), border.as_integer_ratio()
    left, right = mine[0] * factor.numerator * theirs[1], theirs[0] * factor.denominator * mine[1]
    if fact.comparator == "<":
        return True if left <= right else None
    if fact.comparator == "<=":
        return True if left < right else None
    if fact.comparator in (">", ">="):
        return False if left >= right else None
    return left < right


def collected(observation: Mapping[str, Any]) -> str:
    """Give the time of collection as FHIR writes it; empty where it is unknown."""
    text: str = observation.get("effectiveDateTime") or observation.get("effectiveInstant") or ""
    return text or str(observation.get("effectivePeriod", {}).get("start", ""))


def is_earlier(one: str, other: str) -> bool:
    """Whether a time is certainly before another one: as moments where both have an offset, else as days."""
    first, second = _moment(one), _moment(other)
    if first is not None and second is not None:
        return first < second
    day, other_day = span(one), span(other)
    return day is not None and other_day is not None and day.last < other_day.first


def same_collection(one: Fact, other: Fact) -> bool | None:
    """Whether two results are of one collection; None where nobody can say.

    They are where they share the specimen, or the moment of collection; they are not where both moments are known and differ.
    """
    specimens = one.result.context.specimen, other.result.context.specimen
    if specimens[0] is not None and specimens[0] is specimens[1]:
        return True
    moments = _moment(collected(one.observation)), _moment(collected(other.observation))
    if None in moments:
        return None
    return moments[0] == moments[1]


def same_day(one: Fact, other: Fact) -> bool:
    """Whether two results were collected on one day, as their times are written."""
    days = span(collected(one.observation)), span(collected(other.observation))
    return days[0] is not None and days[0].first == days[0].last and days[0] == days[1]


def _moment(text: str) -> datetime | None:
    if "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _sent_loinc(tables: Tables, result: Result) -> str:
    """LOINC code of a result that no pack knows; empty where the sender's LOINC codes are not trusted."""
    sender = tables.sender(result.context.sender_application, result.context.sender_facility)
    if sender is not None and not sender.trust_loinc:
        return ""
    codings = result.element.get("code", {}).get("coding", ())
    codes = {coding.get("code", "") for coding in codings if coding.get("system") == LOINC}
    return codes.pop() if len(codes) == 1 and all(map(is_loinc, codes)) else ""
