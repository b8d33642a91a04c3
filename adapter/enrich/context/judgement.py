"""What a context judgement is: an Observation of its own, or the same in words where no further resource can be added."""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.enrich.context.facts import Fact
from adapter.enrich.mark import is_marked, mark
from adapter.fhir.canonical import CANONICAL_BASE

JUDGEMENT_SYSTEM = CANONICAL_BASE + "/CodeSystem/judgement"
"""Codes of the judgements that no public code system names."""


class Judgement(NamedTuple):
    """One judgement.

    Parameters
    ----------
    kind : str
        Its switch: `change` or `iss`. With the result it is the identity of the judgement.
    about : Fact
        The result that it speaks of.
    observation : dict
        The Observation, without identity.
    text : str
        The same in words.
    """

    kind: str
    about: Fact
    observation: dict[str, Any]
    text: str


def begun(rule: str, row: str, about: Fact, status: str) -> dict[str, Any]:
    """Begin the Observation of a judgement: mark, status, and what it shares with the result (subject and time)."""
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "extension": [mark(rule, row, about.result.tables.version)],
        "status": status,
        "code": {},
    }
    for name, part in about.observation.items():
        if name == "subject" or name.lstrip("_").startswith("effective"):
            made[name] = part
    return made


def add_note(fact: Fact, rule: str, row: str, text: str) -> bool:
    """Add a marked note to a result unless it has it; tell whether it was added."""
    notes = fact.observation.get("note", [])
    if any(is_marked(note) and note.get("text") == text for note in notes):
        return False
    added = {"extension": [mark(rule, row, fact.result.tables.version)], "text": text}
    fact.observation["note"] = [*notes, added]
    return True
