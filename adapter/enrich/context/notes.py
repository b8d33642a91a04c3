"""Notes that other results of the same message give reason for (switch `notes`): never a code, never a changed flag.

- `urine-ph-low`: the urine is more acid than the row's border; its result may read falsely low. Not where the two results are
  known to be of different collections.
- `kidney-function-reduced`: the filtration rate of the same patient is below the row's border.
- `paired-flags`, `paired-flags-reversed`: the flags of serum and urine of one day make a pattern. The reading is contested, and
  the text of the row says so.

The texts, borders and flags are rows of `context_notes.csv`, the codes rows of `context_codes.csv`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapter.enrich.context.facts import Fact, is_below, of_role, same_collection, same_day
from adapter.enrich.context.judgement import add_note
from adapter.enrich.interpretation import sent_codes
from adapter.issues import Issue
from adapter.tables.axes import includes
from adapter.tables.index import Tables
from adapter.tables.rows import ContextNoteRow

_ROLES = {"urine-ph-low": "urine-ph", "kidney-function-reduced": "kidney-function"}
#: The code itself says that the number is a pH, so that a blank unit says nothing else.
_UNIT_OF_CODE = {"urine-ph": "[pH]"}


def add_notes(tables: Tables, facts: Sequence[Fact]) -> Iterator[Issue]:
    """Add the notes in place.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    facts : sequence of Fact
        The numbers of the message.

    Yields
    ------
    Issue
        One for each note.
    """
    for fact in facts:
        if fact.row is None or fact.pack is None:
            continue
        for row in fact.pack.context_notes:
            if not includes(tables, row.specimen, fact.row.specimen):
                continue
            if _has_reason(tables, fact, row, facts) and add_note(fact, "note-from-context", row.id, row.text):
                yield Issue("context-note", fact.result.context.place, row.id)


def _has_reason(tables: Tables, fact: Fact, row: ContextNoteRow, facts: Sequence[Fact]) -> bool:
    assert fact.pack is not None
    others = [other for other in facts if other is not fact and other.patient == fact.patient]
    role = _ROLES.get(row.note)
    if role is None:
        return bool(row.flags & _flags(fact)) and any(_is_pair(tables, fact, other, row) for other in others)
    return any(
        _is_low(tables, other, row, role) and (role != "urine-ph" or same_collection(fact, other) is not False)
        for other in of_role(fact.pack, role, others)
    )


def _is_low(tables: Tables, other: Fact, row: ContextNoteRow, role: str) -> bool:
    if row.below is None:
        return False
    known = other if other.unit else other._replace(unit=_UNIT_OF_CODE.get(role, ""))
    return is_below(tables, known, row.below, row.unit) is True


def _is_pair(tables: Tables, fact: Fact, other: Fact, row: ContextNoteRow) -> bool:
    if other.row is None or fact.row is None or other.row.analyte != fact.row.analyte or not same_day(fact, other):
        return False
    return includes(tables, row.other_specimen, other.row.specimen) and bool(row.other_flags & _flags(other))


def _flags(fact: Fact) -> set[str]:
    return {code for concept in fact.observation.get("interpretation", ()) for code in sent_codes(concept)}
