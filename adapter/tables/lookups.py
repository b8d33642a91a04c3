"""Looks up the parts of a result: unit, specimen, laboratory. Pure functions; each answer carries the steps that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from adapter.tables.check_rows import fold
from adapter.tables.index import UCUM_SYSTEM, Tables
from adapter.tables.rows import SpecimenRow


class Step(NamedTuple):
    """One look-up. `row` is the id of the row that was found, or empty. Holds sent text: for explanations only."""

    what: str
    row: str


class UnitResolution(NamedTuple):
    """What a unit is: UCUM expression (empty: unknown), deciding row, slug of an issue or empty, steps."""

    ucum: str
    row: str
    slug: str
    doubtful: bool
    steps: tuple[Step, ...]


class LaboratoryResolution(NamedTuple):
    """Which laboratory performed a test: key (empty: unknown), deciding row, steps."""

    laboratory: str
    row: str
    steps: tuple[Step, ...]


class SpecimenResolution(NamedTuple):
    """What a specimen is: axis and timing (empty: unknown), deciding row, slug of an issue or empty, steps."""

    specimen: str
    timing: str
    row: str
    slug: str
    steps: tuple[Step, ...]


def resolve_unit(
    tables: Tables, text: str, system: str = "", applications: Sequence[str] = (), facilities: Sequence[str] = ()
) -> UnitResolution:
    """Find the UCUM unit that a sender means.

    The explicit spelling decides first, whatever system is named. UCUM is believed only where the sender names UCUM as the system
    of the unit, and the text parses.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    text : str
        Unit as sent; empty takes the sender's `blank_unit`.
    system : str
        System of the unit: URI or HL7 v2 name.
    applications, facilities : sequence of str
        Components of the sender's names.

    Returns
    -------
    UnitResolution
        With slug `unit-missing` or `unit-unknown` where there is no unit.
    """
    if not text:
        sender = tables.sender(applications, facilities)
        if sender is not None and sender.blank_unit:
            steps = (Step("blank unit of the sender", sender.id),)
            return UnitResolution(sender.blank_unit, sender.id, "", sender.status == "doubtful", steps)
        return UnitResolution("", "", "unit-missing", False, (Step("blank unit of the sender", ""),))
    row = tables.units.get(text)
    spelling = Step(f"spelling {text!r}", row.id if row else "")
    if row is not None:
        return UnitResolution(row.ucum, row.id, "", row.status == "doubtful", (spelling,))
    refused = tables.units_refused.get(text)
    if refused is not None:
        step = Step(f"refused spelling {text!r}: {refused.reason}", refused.id)
        return UnitResolution("", refused.id, "unit-unknown", False, (spelling, step))
    if system and tables.system_key(system) == UCUM_SYSTEM:
        step = Step(f"{text!r} as UCUM, which the sender names as the system", "")
        if tables.ucum.valid(text):
            return UnitResolution(text, "", "", False, (spelling, step))
        return UnitResolution("", "", "unit-unknown", False, (spelling, step))
    return UnitResolution("", "", "unit-unknown", False, (spelling, Step("the sender names no UCUM system", "")))


def resolve_laboratory(
    tables: Tables,
    identifiers: Iterable[tuple[str, str]] = (),
    names: Iterable[str] = (),
    applications: Sequence[str] = (),
    facilities: Sequence[str] = (),
) -> LaboratoryResolution:
    """Find the laboratory that performed a test: by identifier, then by exact name, then by the sender's row.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    identifiers : iterable of (str, str)
        System (URI or HL7 v2 name) and value.
    names : iterable of str
        Names exactly as sent.
    applications, facilities : sequence of str
        Components of the sender's names.

    Returns
    -------
    LaboratoryResolution
        With an empty key where nothing fits. Nothing is compared by likeness.
    """
    steps: list[Step] = []
    for system, value in identifiers:
        row = tables.laboratories.get((tables.system_key(system), value)) or tables.laboratories.get(("", value))
        steps.append(Step(f"laboratory identifier {system}|{value}", row.id if row else ""))
        if row is not None:
            return LaboratoryResolution(row.laboratory, row.id, tuple(steps))
    named = False
    for name in names:
        named = True
        row = tables.laboratory_names.get(name)
        steps.append(Step(f"laboratory name {name!r}", row.id if row else ""))
        if row is not None:
            return LaboratoryResolution(row.laboratory, row.id, tuple(steps))
    # a named laboratory that is unknown is another one than the sender's own
    sender = None if named else tables.sender(applications, facilities)
    if sender is not None and sender.laboratory:
        steps.append(Step("laboratory of the sender", sender.id))
        return LaboratoryResolution(sender.laboratory, sender.id, tuple(steps))
    return LaboratoryResolution("", "", tuple(steps))


def resolve_specimen(tables: Tables, codes: Iterable[tuple[str, str]] = (), texts: Iterable[str] = ()) -> SpecimenResolution:
    """Find the specimen axis that codes or, where no code is known, texts give.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    codes : iterable of (str, str)
        System (URI or HL7 v2 name) and code.
    texts : iterable of str
        Specimen in words; case and blanks do not matter.

    Returns
    -------
    SpecimenResolution
        With slug `specimen-conflict` and no axis where two codes contradict each other. Of an axis and one that it includes the
        narrower one is taken; of a specimen and what it is made from, the specimen.
    """
    steps: list[Step] = []
    rows: list[SpecimenRow] = []
    for system, code in codes:
        row = tables.specimens.get((tables.system_key(system), code)) or tables.specimens.get(("", code))
        steps.append(Step(f"specimen code {system or 'no system'}|{code}", row.id if row else ""))
        if row is not None:
            rows.append(row)
    if not rows:
        for text in texts:
            row = tables.specimen_texts.get(fold(text))
            steps.append(Step(f"specimen text {text!r}", row.id if row else ""))
            if row is not None:
                rows.append(row)
                break
    if not rows:
        return SpecimenResolution("", "", "", "", tuple(steps))
    decided = rows[0]
    for row in rows[1:]:
        relation, reverse = (
            tables.specimen_members.get((decided.specimen, row.specimen)),
            tables.specimen_members.get((row.specimen, decided.specimen)),
        )
        if relation == "is" or reverse == "drawn-as":
            decided = row
        elif row.specimen != decided.specimen and not relation and not reverse:
            steps.append(Step(f"{decided.specimen} and {row.specimen} contradict each other", row.id))
            return SpecimenResolution("", "", row.id, "specimen-conflict", tuple(steps))
    timings = {row.timing for row in rows if row.timing}
    return SpecimenResolution(decided.specimen, timings.pop() if len(timings) == 1 else "", decided.id, "", tuple(steps))
