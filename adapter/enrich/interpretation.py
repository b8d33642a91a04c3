"""Flags: the code that value and range give, added where none was sent; and whether a sent one agrees with it.

A computed code never stands beside a sent one of its category, and never beside a flag whose category is not known.
"""

from __future__ import annotations

from typing import Any

from adapter.enrich.mark import is_marked, mark
from adapter.enrich.result import Result
from adapter.fhir.canonical import INTERPRETATION, INTERPRETATION_SYSTEMS

#: A result that is not there yet, or was taken back, is not judged.
UNJUDGED_STATUSES = frozenset({"registered", "cancelled", "entered-in-error"})


def add_interpretation(result: Result, code: str, row: str) -> None:
    """Add the computed code, or compare it with what was sent.

    Parameters
    ----------
    result : Result
        The result.
    code : str
        Code of v3-ObservationInterpretation that value and range give.
    row : str
        Id of the table row of the range; empty for a range that was sent.
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
                detail = f"sent {one}, value and reference range give {code} ({agreement.id})"
                result.report("flag-conflict", "interpretation", detail)
    if free:
        result.element["interpretation"] = [*sent, _computed(result, code, row)]
        result.changed("interpretation", "interpretation-computed", row)
        result.report("flag-computed", "interpretation", f"{code} ({row or 'range as sent'})")


def sent_codes(concept: dict[str, Any]) -> list[str]:
    """Give the codes of table 0078 in a CodeableConcept, under any of the URIs that mean it."""
    return [
        coding["code"]
        for coding in concept.get("coding", ())
        if coding.get("system") in INTERPRETATION_SYSTEMS and "code" in coding
    ]


def _computed(result: Result, code: str, row: str) -> dict[str, Any]:
    known = result.tables.vocabulary.get("0078", {}).get(code)
    display = known.display if known else code
    return {
        "extension": [mark("interpretation-computed", row, result.tables.version)],
        "coding": [{"system": INTERPRETATION, "code": code, "display": display}],
        "text": f"{display} (computed from value and reference range)",
    }
