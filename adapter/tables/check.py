"""Finds every fault of the tables at once: `check(layers)`.

Rows are checked in two rounds. Cells first (`check_cells.py`), for all rows that were read; then what stands between rows
(`check_rows.py`), for the rows in force, and only where the cells are sound, so that one slip does not show up as ten faults.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapter.tables.check_cells import check_cells
from adapter.tables.check_rows import (
    check_code_rows,
    check_conversions,
    check_critical,
    check_ids,
    check_keys,
    check_loinc_rows,
    check_properties,
    check_ranges,
    check_references,
    check_senders,
    check_windows,
    fold,
    loinc_rows,
)
from adapter.tables.columns import PACK_FILES, WINDOWS
from adapter.tables.layers import Fault, Layers, Origin, Sheet
from adapter.tables.rows import WindowRow, typed
from adapter.tables.ucum import Ucum, UcumError
from adapter.tables.unit_tables import units_of


def check(layers: Layers) -> list[Fault]:
    """Check everything that was read.

    Parameters
    ----------
    layers : Layers
        What `layers.read_layers` returned.

    Returns
    -------
    list of Fault
        All faults, those of reading first, then by file and line; empty when the tables are sound.
    """
    ucum = units_of(layers.sheets)
    faults = [fault for sheet in layers.read for fault in check_cells(sheet, ucum)]
    unsound = {(fault.file, fault.line) for fault in faults}
    sheets = {name: _sound(sheet, unsound) for name, sheet in layers.sheets.items()} if unsound else layers.sheets
    faults += check_ids(layers.read)
    faults += check_packs(sheets)
    faults += check_atoms(sheets, ucum)
    faults += check_references(layers.sheets)
    for sheet in sheets.values():
        faults += check_keys(sheet)
        faults += _by_kind(sheet, sheets, ucum)
    faults.sort(key=lambda fault: (fault.file, fault.line))
    return list(dict.fromkeys(layers.faults + faults))


def check_packs(sheets: dict[str, Sheet]) -> Iterator[Fault]:
    """Every pack folder has an `analyte.csv`; one LOINC code belongs to one pack."""
    for sheet in sheets.values():
        if sheet.kind.name in PACK_FILES and f"{sheet.folder}/analyte" not in sheets:
            file = sheet.origins[0].file if sheet.origins else sheet.name
            what = f"the folder {sheet.folder!r} is no pack: it has no analyte.csv."
            yield Fault("no-pack", file, 0, "", what, "Add analyte.csv, or correct the name of the folder.")
    owners: dict[str, str] = {}
    for sheet in sheets.values():
        if sheet.kind.name == "loinc":
            for row, origin in zip(sheet.rows, sheet.origins, strict=True):
                if owners.setdefault(row[1], sheet.folder) != sheet.folder:
                    what = f"{row[1]} stands in the pack {owners[row[1]]!r}, too."
                    yield Fault("duplicate-key", *origin, "loinc", what, "Keep it in one pack.")


def check_atoms(sheets: dict[str, Sheet], ucum: Ucum) -> Iterator[Fault]:
    """Every atom can be computed from the others."""
    sheet = sheets.get("common/ucum_atoms")
    if sheet is None:
        return
    for row, origin in zip(sheet.rows, sheet.origins, strict=True):
        try:
            ucum.parse(row[1])
        except UcumError as error:
            what = f"the atom {row[1]!r} cannot be computed: {error}."
            yield Fault("bad-unit", *origin, "definition", what, "Define it by atoms of this table.")


def check_one_meaning(sheet: Sheet, named: tuple[str, ...], meaning: str) -> Iterator[Fault]:
    """No two rows give the same name different meanings, however their other key cells differ."""
    seen: dict[tuple[str, ...], tuple[str, Origin]] = {}
    places = [sheet.kind.header.index(name) for name in named]
    target = sheet.kind.header.index(meaning)
    for row, origin in zip(sheet.rows, sheet.origins, strict=True):
        if not row[places[-1]]:
            continue
        key = tuple(fold(row[place]) if sheet.kind.columns[place].name == "text" else row[place] for place in places)
        first, where = seen.setdefault(key, (row[target], origin))
        if first != row[target]:
            what = f"{row[places[-1]]!r} means {first!r} at {where.file}:{where.line}."
            yield Fault("tie", *origin, meaning, what, "Keep one meaning.")


def _by_kind(sheet: Sheet, sheets: dict[str, Sheet], ucum: Ucum) -> Iterator[Fault]:
    match sheet.kind.name:
        case "codes":
            yield from check_code_rows(sheet)
            yield from check_properties(sheet, {row.property for row in loinc_rows(sheets).values()})
        case "senders":
            yield from check_senders(sheet)
        case "loinc":
            yield from check_loinc_rows(sheet, sheets, ucum)
        case "ranges":
            windows = typed(WindowRow, WINDOWS, _rows(sheets, f"{sheet.folder}/windows"))
            yield from check_ranges(sheet, loinc_rows(sheets), windows, ucum)
        case "windows":
            yield from check_windows(sheet)
            yield from check_properties(sheet, {row.property for row in loinc_rows(sheets).values()})
        case "critical":
            yield from check_critical(sheet, loinc_rows(sheets), ucum)
        case "conversions":
            yield from check_conversions(sheet, ucum)
        case "laboratories":
            yield from check_one_meaning(sheet, ("identifier_system", "identifier"), "laboratory")
            yield from check_one_meaning(sheet, ("name",), "laboratory")
        case "specimens":
            yield from check_one_meaning(sheet, ("code_system", "code"), "specimen")
            yield from check_one_meaning(sheet, ("text",), "specimen")
        case "units_refused":
            spelled = {row[1]: row[0] for row in _rows(sheets, "common/units")}
            for row, origin in zip(sheet.rows, sheet.origins, strict=True):
                if row[1] in spelled:
                    what = f"{row[1]!r} is translated by row {spelled[row[1]]!r} of units.csv."
                    yield Fault("tie", *origin, "spelling", what, "Keep one of the rows.")


def _rows(sheets: dict[str, Sheet], name: str) -> list[list[str]]:
    return sheets[name].rows if name in sheets else []


def _sound(sheet: Sheet, unsound: set[tuple[str, int]]) -> Sheet:
    kept = [number for number, origin in enumerate(sheet.origins) if origin not in unsound]
    return Sheet(sheet.name, sheet.kind, [sheet.rows[n] for n in kept], [sheet.origins[n] for n in kept])
