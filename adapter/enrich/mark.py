"""The mark: the extension that tells what the adapter added from what the laboratory sent.

It stands on the added Coding, interpretation CodeableConcept, referenceRange element or note, and on an Observation that is a
judgement of the adapter; it names the rule, the table row and the
version of the tables. Its definition is `adapter/fhir/definitions/StructureDefinition-mark.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.fhir.canonical import MARK

RULES: dict[str, str] = {
    "code-resolved": "The LOINC coding was found for the sender's code or name.",
    "value-canonical": "The quantity was converted into the canonical unit of the LOINC code; its translation is as sent.",
    "value-translation": "The quantity stays as sent; its translation is in the canonical unit of the LOINC code.",
    "unit-normalised": "The unit as sent is a spelling of this UCUM unit.",
    "unit-of-sender": "The result has no unit; this is the unit of the sender's row.",
    "range-bounds": "The bounds were read from the text of the reference range.",
    "range-converted": "The bounds were converted together with the value; the text names the unit as sent.",
    "range-from-table": "No reference range was sent; this is the laboratory's range of the table.",
    "interpretation-computed": "No flag was sent; this one follows from the value and the reference range.",
    "interpretation-critical": "The value reaches a critical limit of the site's table.",
    "change-computed": "Change against the earlier result, with the variation of the site's table.",
    "stage-computed": "Stage computed from results of one collection.",
    "note-from-context": "Another result of the message gives reason for this note.",
    "value-absent": "The result has no value, and no reason was sent.",
}
"""Every rule of this room and what it says."""


def mark(rule: str, row: str, version: str) -> dict[str, Any]:
    """Make the mark.

    Parameters
    ----------
    rule : str
        One of `RULES`.
    row : str
        Id of the table row; empty where no row takes part.
    version : str
        Content hash of the tables.

    Returns
    -------
    dict
        A FHIR Extension.
    """
    parts = [{"url": "rule", "valueCode": rule}]
    if row:
        parts.append({"url": "row", "valueString": row})
    parts.append({"url": "tables", "valueString": version})
    return {"url": MARK, "extension": parts}


def is_marked(element: Mapping[str, Any]) -> bool:
    """Whether the adapter added this element."""
    return any(extension.get("url") == MARK for extension in element.get("extension", ()))
