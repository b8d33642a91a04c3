"""Local codes from elsewhere become rows of `codes.csv`: a FHIR ConceptMap with target LOINC, or a list in CSV as RELMA has it.

What the checker of the tables refuses (a wrong check digit, a code that no pack has, a second meaning of a code) is refused here,
row by row, with its reasons; the other rows are taken. Each row gets an id made of its key, so that the same input gives the same
rows, and names its source.

CSV: the first line names the columns; case, blanks, `_` and `-` do not matter. Needed are LOINC and a local code or name; the
names that are understood stand in `HEADERS`. The unit of such a list is what the laboratory declared, and the name beside a code
is what it says today: both are no conditions and go into the note.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from adapter.fhir.canonical import LOINC
from adapter.tables.check import check
from adapter.tables.columns import CODES
from adapter.tables.export_concept_maps import column_of
from adapter.tables.index import Tables
from adapter.tables.layers import Fault, Layers, Origin, Sheet

HEADERS: dict[str, tuple[str, ...]] = {
    "loinc": ("loinc", "loinc code", "loinc num", "loinc number", "mapped loinc", "target code"),
    "code": ("local code", "code", "test code", "local test code", "source code", "analyte code", "observation code"),
    "name": ("local name", "name", "test name", "local description", "description", "source display", "analyte name"),
    "unit": ("units", "unit", "local units", "local unit", "units of measure", "uom"),
    "code_system": ("code system", "local code system", "source system", "coding system"),
    "sender_application": ("sending application", "sender application", "application"),
    "sender_facility": ("sending facility", "sender facility", "facility"),
}
"""Column of `codes.csv` (`unit`: the note) and the header words that mean it, folded."""

_TAKEN = ("equivalent", "equal")
_KEY = CODES.key


class ImportFileError(ValueError):
    """The file is nothing that can be imported; the message says why."""


class Candidate(NamedTuple):
    """One row that wants to be taken: its place in the file (line, or number of the mapping) and its cells by column."""

    place: int
    cells: dict[str, str]


class Refused(NamedTuple):
    """One row that was not taken, and every reason."""

    place: int
    what: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: rows of `codes.csv` by pack, and what was refused."""

    rows: dict[str, list[dict[str, str]]]
    refused: list[Refused]


def candidates_of_csv(text: str, source: str, defaults: Mapping[str, str]) -> list[Candidate]:
    """Read a list in CSV (comma, semicolon or tab).

    Parameters
    ----------
    text : str
        The file.
    source : str
        What the rows name as their source.
    defaults : mapping of str to str
        Cells for columns that the file does not have, such as the sender.

    Returns
    -------
    list of Candidate
        Lines without a LOINC code are not mapped yet and are passed over.

    Raises
    ------
    ImportFileError
        There is no column of LOINC codes, or none of local codes and names.
    """
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        places = _columns(next(reader, []))
        found = []
        for cells in reader:
            row = {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
            if not row.get("loinc"):
                continue
            said = {"unit": row.pop("unit", ""), "name": row.pop("name", "") if row.get("code") else ""}
            note = "; ".join(f"{name}: {cell}" for name, cell in said.items() if cell)
            filled = {name: cell for name, cell in row.items() if cell}
            found.append(Candidate(reader.line_num, {**defaults, **filled, "source": source, "note": note}))
    except csv.Error as error:
        raise ImportFileError(f"line {reader.line_num} is no CSV: {error}") from None
    return found


def candidates_of_concept_map(resource: Mapping[str, Any], source: str, defaults: Mapping[str, str]) -> list[Candidate]:
    """Read a FHIR R4 ConceptMap.

    Parameters
    ----------
    resource : mapping
        The ConceptMap; groups with another target than LOINC are passed over.
    source, defaults
        See `candidates_of_csv`.

    Returns
    -------
    list of Candidate
        One a target. A target that is no equivalent has no LOINC cell and is refused later.

    Raises
    ------
    ImportFileError
        The resource is no ConceptMap, or has no group whose target is LOINC.
    """
    if resource.get("resourceType") != "ConceptMap":
        raise ImportFileError("the resource is no ConceptMap")
    groups = [group for group in resource.get("group", ()) if str(group.get("target", "")).split("|")[0] == LOINC]
    if not groups:
        raise ImportFileError(f"no group of the ConceptMap has the target {LOINC}")
    named = f"{source}, {resource.get('url', 'ConceptMap without url')}"
    found: list[Candidate] = []
    for group in groups:
        system = {"code_system": group["source"].split("|")[0]} if group.get("source") else {}
        for element in group.get("element", ()):
            for target in element.get("target", ()):
                cells = {**defaults, **system, **_cells(element, target), "source": named}
                found.append(Candidate(len(found) + 1, cells))
    return found


def take(candidates: Iterable[Candidate], tables: Tables) -> Imported:
    """Take the candidates that the checker accepts, laid over the tables in force.

    Parameters
    ----------
    candidates : iterable of Candidate
        Rows that want to be taken.
    tables : Tables
        Tables in force.

    Returns
    -------
    Imported
        The rows with ids, by pack; and what was refused.
    """
    waiting: dict[int, tuple[str, dict[str, str]]] = {}
    refused: list[Refused] = []
    seen: set[str] = set()
    for place, given in candidates:
        cells = _row(given)
        if not cells["loinc"] and not cells["analyte"]:
            refused.append(Refused(place, _what(cells), ("the target is no equivalent of the code (relation or code missing).",)))
        elif cells["id"] in seen:
            refused.append(Refused(place, _what(cells), ("the same row stands in the file before.",)))
        else:
            waiting[place] = _pack_of(cells, tables), cells
            seen.add(cells["id"])
    while faults := _faults(waiting, tables):
        for place, found in faults.items():
            reasons = tuple(dict.fromkeys(f"{fault.column}: {fault.what} {fault.fix} [{fault.slug}]" for fault in found))
            refused.append(Refused(place, _what(waiting.pop(place)[1]), reasons))
    rows: dict[str, list[dict[str, str]]] = {}
    for pack, cells in waiting.values():
        rows.setdefault(pack, []).append(cells)
    return Imported(rows, sorted(refused))


def _columns(header: Iterable[str]) -> dict[str, int]:
    folded = [re.sub(r"[\s_\-]+", " ", name.strip().lstrip("\ufeff")).strip().lower() for name in header]
    places = {
        column: next(folded.index(name) for name in names if name in folded)
        for column, names in HEADERS.items()
        if any(name in folded for name in names)
    }
    if "loinc" not in places or not {"code", "name"} & places.keys():
        raise ImportFileError("the first line names no columns of LOINC codes and of local codes or names")
    return places


def _cells(element: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, str]:
    parts = [*target.get("dependsOn", ()), *target.get("product", ())]
    cells = {column: str(part.get("value", "")) for part in parts if (column := column_of(part.get("property", "")))}
    code = element.get("code", "")
    if code:
        cells["code"] = code
    else:
        cells["name"] = element.get("display", "")
    if target.get("equivalence") in _TAKEN:
        cells["loinc"] = target.get("code", "")
    if code and element.get("display") and "name" not in cells:
        cells["note"] = f"name: {element['display']}"
    return cells


def _row(given: Mapping[str, str]) -> dict[str, str]:
    cells = {column: given.get(column, "") for column in CODES.header}
    digest = hashlib.sha256("\x1f".join(cells[column] for column in (*_KEY, "loinc", "analyte")).encode()).hexdigest()[:12]
    return cells | {"id": f"import-{digest}"}


def _pack_of(cells: Mapping[str, str], tables: Tables) -> str:
    """Pack of the LOINC code or analyte; any pack where there is none, for the checker refuses the row there."""
    if cells["loinc"] in tables.pack_of_loinc:
        return tables.pack_of_loinc[cells["loinc"]].name
    packs = sorted(tables.packs)
    return next((name for name in packs if cells["analyte"] in tables.packs[name].analytes), packs[0])


def _faults(waiting: Mapping[int, tuple[str, dict[str, str]]], tables: Tables) -> dict[int, list[Fault]]:
    """Faults of the waiting rows by place, where they are laid over the tables."""
    sheets = dict(tables.sheets)
    read: list[Sheet] = []
    for pack in {pack for pack, _ in waiting.values()}:
        name = f"{pack}/codes"
        new = Sheet(name, CODES)
        for place, (of_pack, cells) in waiting.items():
            if of_pack == pack:
                new.rows.append([cells[column] for column in CODES.header])
                new.origins.append(Origin("import", place))
        read.append(new)
        sheets[name] = _over(tables.sheets.get(name), new)
    faults: dict[int, list[Fault]] = {}
    for fault in check(Layers(sheets, read)):
        if fault.file == "import" and fault.line in waiting:
            faults.setdefault(fault.line, []).append(fault)
    return faults


def _over(lower: Sheet | None, upper: Sheet) -> Sheet:
    keys = set(upper.keys())
    kept = [
        (row, origin) for row, origin, key in zip(lower.rows, lower.origins, lower.keys(), strict=True) if key not in keys
    ] if lower is not None else []  # fmt: skip
    return replace(upper, rows=[row for row, _ in kept] + upper.rows, origins=[origin for _, origin in kept] + upper.origins)


def _what(cells: Mapping[str, str]) -> str:
    named: Iterator[str] = (f"{column} {cells[column]}" for column in ("code", "name", "loinc", "analyte") if cells[column])
    return ", ".join(named)
