"""Translates one concept by the tables, as the ConceptMaps say that `tables export` writes: same names, same rows, same answer.

Local codes go through `tables.resolve`, as results do, so that specimen, unit and sender decide here as there; codes of HL7
tables and spellings of units are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapter.fhir.canonical import CANONICAL_BASE, LOINC, UCUM
from adapter.issues import CATALOGUE
from adapter.tables.columns import CODES
from adapter.tables.export import resource_id
from adapter.tables.index import Tables
from adapter.tables.lookups import resolve_unit
from adapter.tables.resolve import CodeQuery, Coding, resolve_code

MAPS = CANONICAL_BASE + "/ConceptMap/"
UNIT_SPELLINGS = CANONICAL_BASE + "/CodeSystem/unit-spellings"
_V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
_URIS = "urn:ietf:rfc:3986"
#: Columns of `codes.csv` that a dependency may name.
CONDITIONS = ("sender_application", "sender_facility", "name", "specimen", "unit")


class Match(NamedTuple):
    """One translation. `equivalence` is of FHIR R4 ConceptMapEquivalence; an `unmatched` one has no code."""

    equivalence: str
    system: str
    code: str
    display: str
    source: str

    def part(self) -> dict[str, Any]:
        """Write it as a part of `Parameters`."""
        named = {"system": self.system, "code": self.code, "display": self.display}
        concept = {name: value for name, value in named.items() if value}
        parts: list[dict[str, Any]] = [{"name": "equivalence", "valueCode": self.equivalence}]
        if self.code:
            parts.append({"name": "concept", "valueCoding": concept})
        parts.append({"name": "source", "valueUri": self.source})
        return {"name": "match", "part": parts}


class Translation(NamedTuple):
    """Matches, and what there is to say when there are none, or beside them."""

    matches: list[Match]
    message: str = ""


def translate(
    tables: Tables, name: str, codings: Sequence[Coding], text: str, conditions: Mapping[str, str]
) -> Translation | None:
    """Translate a concept.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    name : str
        Id of a ConceptMap; empty: whichever maps know the systems of the codings, else local codes.
    codings : sequence of Coding
        The concept; for local codes all codings together name one test.
    text : str
        The concept in words; for local codes only.
    conditions : mapping of str to str
        What else is known about the result, by column of `codes.csv` (`CONDITIONS`).

    Returns
    -------
    Translation or None
        None when there is no such map.
    """
    if name:
        sender = _local_maps(tables).get(name)
        if sender is not None:
            return _local(tables, codings, text, {**conditions, **sender})
        if name == "units":
            return _together(_unit(tables, coding) for coding in codings)
        table = next((table for table in tables.vocabulary if resource_id("hl7-table", table) == name), "")
        return _together(_table(tables, table, coding) for coding in codings) if table else None
    found: list[Translation] = []
    for coding in codings:
        if coding.system.startswith(_V2_TABLE):
            number = coding.system[len(_V2_TABLE) :]
            named = [table for table in sorted(tables.vocabulary) if table[:4] == number]
            found += [_table(tables, table, coding) for table in named]
        elif coding.system == UNIT_SPELLINGS:
            found.append(_unit(tables, coding))
    return _together(found) if found else _local(tables, codings, text, conditions)


def _together(translations: Any) -> Translation:
    found = list(translations)
    matches = [match for translation in found for match in translation.matches]
    return Translation(matches, " ".join(dict.fromkeys(one.message for one in found if one.message)))


def _local_maps(tables: Tables) -> dict[str, dict[str, str]]:
    """Give the sender of each map of local codes, by id of the map."""
    maps: dict[str, dict[str, str]] = {}
    for pack in tables.packs:
        sheet = tables.sheets.get(f"{pack}/codes")
        for row in sheet.rows if sheet is not None else ():
            cells = dict(zip(CODES.header, row, strict=True))
            names = ("sender_application", "sender_facility")
            maps[_map_of(cells)] = {column: cells[column] for column in names if cells[column]}
    return maps


def _map_of(cells: Mapping[str, str]) -> str:
    return resource_id("local-codes", cells["sender_application"], cells["sender_facility"])


def _local(tables: Tables, codings: Sequence[Coding], text: str, conditions: Mapping[str, str]) -> Translation:
    senders = [conditions.get(column, "") for column in ("sender_application", "sender_facility")]
    query = CodeQuery(
        codings=codings,
        text=text or conditions.get("name", ""),
        specimen=conditions.get("specimen", ""),
        unit=conditions.get("unit", ""),
        applications=tuple(filter(None, senders[:1])),
        facilities=tuple(filter(None, senders[1:])),
    )
    found = resolve_code(tables, query)
    # a code that its own specimen or unit contradicts is none to go on with
    slugs = ([(found.slug, found.detail)] if found.slug else []) + list(found.conflicts)
    message = " ".join(f"{CATALOGUE[slug].meaning} ({slug}: {detail})" for slug, detail in slugs)
    if found.loinc is None or found.conflicts:
        return Translation([], message or "No row of the tables knows this concept.")
    row = found.loinc
    equivalence = "equal" if found.sent else "relatedto" if found.doubtful else "equivalent"
    told = tables.row(found.row) if not found.sent else None
    source = _map_of(told.cells) if told is not None and "sender_application" in told.cells else "local-codes"
    doubt = f"Row {found.row} is marked as doubtful." if found.doubtful else ""
    return Translation([Match(equivalence, LOINC, row.loinc, row.long_name, MAPS + source)], doubt)


def _table(tables: Tables, name: str, coding: Coding) -> Translation:
    rows = tables.vocabulary[name]
    source = MAPS + resource_id("hl7-table", name)
    row = rows.get(coding.code)
    equivalence = ""
    if row is None:
        # the row of any other code, where the table has one
        row, equivalence = rows.get("*"), "relatedto"
    if row is None:
        return Translation([], f"HL7 table {name} has no row for this code.")
    system, code = (row.system, row.target) if row.target or not row.system else (_URIS, row.system)
    if not code:
        return Translation([Match("unmatched", "", "", "", source)], f"FHIR has no code for this one (row {row.id}).")
    return Translation([Match(equivalence or row.equivalence or "equivalent", system, code, row.display, source)])


def _unit(tables: Tables, coding: Coding) -> Translation:
    found = resolve_unit(tables, coding.code)
    if found.ucum:
        equivalence = "relatedto" if found.doubtful else "equivalent"
        return Translation([Match(equivalence, UCUM, found.ucum, "", MAPS + "units")])
    refused = tables.units_refused.get(coding.code)
    if refused is not None:
        return Translation([Match("unmatched", "", "", "", MAPS + "units")], f"Row {refused.id}: {refused.reason}")
    return Translation([], f"{CATALOGUE['unit-unknown'].meaning} (unit-unknown)")
