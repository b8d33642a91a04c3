"""What the result is: the query for the resolver, and the LOINC coding in front of the sender's codings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from adapter.enrich.mark import mark
from adapter.enrich.result import Memos, Result, Specimen
from adapter.fhir.canonical import LOINC
from adapter.fhir.context import ObservationContext
from adapter.tables.index import Tables
from adapter.tables.lookups import SpecimenResolution, resolve_specimen
from adapter.tables.resolve import CodeQuery, Coding, Resolution

# A collection is written as 07:00 to 07:00 or as 07:00 to 06:59.
_DAY = timedelta(hours=24)
_MINUTE = timedelta(minutes=1)


def specimen_of(tables: Tables, context: ObservationContext, memos: Memos) -> Specimen:
    """Find the specimen axis: by the codings of the specimen's type, then by its words.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    context : ObservationContext
        The Observation and its Specimen.
    memos : Memos
        What was looked up before.

    Returns
    -------
    Specimen
        Empty where nothing fits; with the slug of an issue where two codes contradict each other. A collection period of
        24 hours gives the timing where the type gives none.
    """
    reference = context.observation.get("specimen", {})
    last = memos.last_specimen
    if last is not None and last[0] is context.specimen and last[1] is reference:
        # as a rule, all results of an order
        return last[2]
    specimen = context.specimen or {}
    concept = specimen.get("type", {})
    codes = tuple([(coding.get("system", ""), coding["code"]) for coding in concept.get("coding", ()) if "code" in coding])
    words = tuple(_words(concept, reference))
    found: SpecimenResolution | None = memos.specimens.get((codes, words))
    if found is None:
        found = memos.specimens[codes, words] = resolve_specimen(tables, codes, words)
    answer = Specimen(found.specimen, found.timing or _timing(specimen), found.slug)
    memos.last_specimen = context.specimen, reference, answer
    return answer


def query_of(result: Result, unit: str) -> CodeQuery:
    """Gather what the resolver needs to know about a result.

    Parameters
    ----------
    result : Result
        The result.
    unit : str
        UCUM unit of its value; empty when there is none or it is unknown.

    Returns
    -------
    CodeQuery
        Hashable, so that the answer can be remembered.
    """
    code = result.element.get("code", {})
    held: tuple[Any, tuple[Coding, ...]] | None = result.memos.codings.get(id(code))
    if held is None:
        codings = [
            Coding(coding.get("system") or _name_of_system(coding), coding.get("code", ""), coding.get("display", ""))
            for coding in code.get("coding", ())
        ]
        held = result.memos.codings[id(code)] = code, tuple(codings)
    context, specimen = result.context, result.specimen
    senders = context.sender_application, context.sender_facility
    return CodeQuery(held[1], code.get("text", ""), specimen.axis, specimen.timing, unit, *senders)


def add_code(result: Result, resolution: Resolution) -> None:
    """Put the LOINC coding first; the sender's codings and the text stay as they are."""
    assert resolution.loinc is not None
    code = result.element["code"]
    codings = code.get("coding", [])
    loinc = resolution.loinc.loinc
    sent = [coding for coding in codings if coding.get("system") == LOINC and coding.get("code") == loinc]
    if sent:
        if codings[0] is not sent[0]:
            result.element["code"] = {**code, "coding": sent[:1] + [coding for coding in codings if coding is not sent[0]]}
        return
    if resolution.sent:
        return
    added = {
        "extension": [mark("code-resolved", resolution.row, result.tables.version)],
        "system": LOINC,
        "code": loinc,
        "display": resolution.loinc.long_name,
    }
    result.element["code"] = {**code, "coding": [added, *codings]}
    result.changed("code.coding[0]", "code-resolved", resolution.row, resolution.steps)


def _name_of_system(coding: Mapping[str, Any]) -> str:
    """Name of a coding system without URI, where the conversion of v2 keeps it."""
    for extension in coding.get("_system", {}).get("extension", ()):
        name = extension.get("valueString")
        if isinstance(name, str):
            return name
    return ""


def _words(concept: Mapping[str, Any], reference: Mapping[str, Any]) -> Iterable[str]:
    for coding in concept.get("coding", ()):
        yield coding.get("display", "")
    yield concept.get("text", "")
    yield reference.get("display", "")


def _timing(specimen: Mapping[str, Any]) -> str:
    period = specimen.get("collection", {}).get("collectedPeriod", {})
    start, end = _moment(period.get("start", "")), _moment(period.get("end", ""))
    if start is None or end is None:
        return ""
    return "24h" if abs(end - start - _DAY) <= _MINUTE else ""


def _moment(text: str) -> datetime | None:
    """Read a FHIR dateTime that has an offset; others are no moments."""
    if "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
