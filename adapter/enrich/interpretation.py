"""Flags: the code that value and range give, added where none was sent; and whether a sent one agrees with it.

A computed code never stands beside a sent one of its category, and never beside a flag whose category is not known.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from adapter.enrich.mark import is_marked, mark
from adapter.enrich.result import Result
from adapter.fhir.canonical import INTERPRETATION, INTERPRETATION_SYSTEMS
from adapter.tables.index import Tables

_ORIGINS = {
    "interpretation-computed": "computed from value and reference range",
    "interpretation-critical": "computed from value and critical limit",
}

#: A result that is not there yet, or was taken back, is not judged.
UNJUDGED_STATUSES = frozenset({"registered", "cancelled", "entered-in-error"})


def check_sent_flags(result: Result) -> None:
    """Report several sent flags of one category, of which a result may carry one; all of them stay."""
    sent = [concept for concept in result.element.get("interpretation", ()) if not is_marked(concept)]
    if len(sent) < 2:
        return
    known = result.tables.interpretation_categories
    counted = Counter(
        category for concept in sent for category in {known[code].category for code in sent_codes(concept) if code in known}
    )
    for category, count in counted.items():
        if count > 1:
            result.report("flags-of-one-category", "interpretation", f"{count} flags of the category {category}")


def add_interpretation(result: Result, code: str, row: str, rule: str = "interpretation-computed") -> None:
    """Add the computed code, or compare it with what was sent.

    Parameters
    ----------
    result : Result
        The result.
    code : str
        Code of v3-ObservationInterpretation that value and range give.
    row : str
        Id of the table row of the range or of the critical limit; empty for a range that was sent.
    rule : str
        One of `mark.RULES`.
    """
    tables, sent = result.tables, result.element.get("interpretation", [])
    if result.of_whole("interpretation") or any(is_marked(concept) for concept in sent):
        return
    category = tables.interpretation_categories[code].category
    free = True
    for concept in sent:
        known = sent_codes(concept)
        categories = {tables.interpretation_categories[one].category for one in known if one in tables.interpretation_categories}
        if not categories or category in categories:
            free = False
        for one in known:
            agreement = tables.flag_agreement.get((one, code))
            if agreement is not None and agreement.verdict == "conflict":
                detail = f"sent {one}, computed {code} ({agreement.id})"
                result.report("flag-conflict", "interpretation", detail)
    if free:
        result.element["interpretation"] = [*sent, _computed(result, code, row, rule)]
        result.changed("interpretation", rule, row)
        result.report("flag-computed", "interpretation", f"{code} ({row or 'range as sent'})")


def sent_codes(concept: dict[str, Any]) -> list[str]:
    """Give the codes of table 0078 in a CodeableConcept, under any of the URIs that mean it."""
    return [
        coding["code"]
        for coding in concept.get("coding", ())
        if coding.get("system") in INTERPRETATION_SYSTEMS and "code" in coding
    ]


def _computed(result: Result, code: str, row: str, rule: str) -> dict[str, Any]:
    return {
        "extension": [mark(rule, row, result.tables.version)],
        **flag(result.tables, code, _ORIGINS[rule]),
    }


def flag(tables: Tables, code: str, origin: str) -> dict[str, Any]:
    """Make the CodeableConcept of an interpretation code; its text says where it comes from."""
    known = tables.vocabulary.get("0078", {}).get(code)
    display = known.display if known else code
    return {"coding": [{"system": INTERPRETATION, "code": code, "display": display}], "text": f"{display} ({origin})"}
