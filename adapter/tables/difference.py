"""What differs between two sets of tables, row by row: added, removed, changed.

Rows are the same row when file and key are the same; file places, line numbers and the order of rows do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapter.tables.check import check
from adapter.tables.index import Tables, compile_tables
from adapter.tables.layers import Layers, Origin, Sheet
from adapter.tables.load import load_tables


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same in both sets.

    Parameters
    ----------
    kind : {"added", "removed", "changed"}
        What became of it.
    sheet : str
        Its file without suffix, e.g. `common/units`.
    key : tuple of str
        Cells of its key columns.
    old, new : tuple of str
        Cells; empty where there is no such row.
    columns : tuple of str
        Header of the file.
    """

    kind: Literal["added", "removed", "changed"]
    sheet: str
    key: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def row(self) -> str:
        """Id of the row: the new one where there is one."""
        return (self.new or self.old)[0]

    @property
    def cells(self) -> dict[str, tuple[str, str]]:
        """Cells that differ, by column: old and new; of an added or removed row, those that are filled."""
        old, new = self.old or [""] * len(self.columns), self.new or [""] * len(self.columns)
        return {name: (one, other) for name, one, other in zip(self.columns, old, new, strict=True) if one != other}

    def __str__(self) -> str:
        sign = {"added": "+", "removed": "-", "changed": "~"}[self.kind]
        if self.kind == "changed":
            said = ", ".join(f"{name} {old or 'empty'!r} -> {new or 'empty'!r}" for name, (old, new) in self.cells.items())
        else:
            filled = [(name, old or new) for name, (old, new) in self.cells.items() if name not in ("id", "source", "note")]
            said = ", ".join(f"{name} {cell!r}" for name, cell in filled)
        return f"{sign} {self.sheet}.csv row {self.row}: {said}"


def tables_of(folder: Path) -> Tables:
    """Load a set of tables: a folder that brings its own UCUM atoms is a whole set, any other a site over the shipped tables.

    Raises
    ------
    TableFaults
        The tables have faults, or there is no such folder.
    """
    return load_tables(root=folder) if (folder / "common/ucum_atoms.csv").is_file() else load_tables([folder])


def differences(old: Tables, new: Tables) -> list[Difference]:
    """Compare two sets.

    Parameters
    ----------
    old, new : Tables
        The sets.

    Returns
    -------
    list of Difference
        By file and key.
    """
    found = []
    for name in sorted(old.sheets.keys() | new.sheets.keys()):
        before, after = _rows(old.sheets.get(name)), _rows(new.sheets.get(name))
        columns = (old.sheets.get(name) or new.sheets[name]).kind.header
        for key in sorted(before.keys() | after.keys()):
            one, other = before.get(key, ()), after.get(key, ())
            if one != other:
                kind: Literal["added", "removed", "changed"] = "changed" if one and other else "added" if other else "removed"
                found.append(Difference(kind, name, key, one, other, columns))
    return found


def applied(old: Tables, new: Tables, some: Iterable[Difference]) -> Tables | None:
    """Make the old set with some of the differences in it.

    Parameters
    ----------
    old, new : Tables
        The sets.
    some : iterable of Difference
        Differences between them.

    Returns
    -------
    Tables or None
        None where these rows cannot stand without others.
    """
    changes: dict[str, dict[tuple[str, ...], Difference]] = {}
    for one in some:
        changes.setdefault(one.sheet, {})[one.key] = one
    sheets = dict(old.sheets)
    for name, changed in changes.items():
        sheets[name] = _changed(old.sheets.get(name), new.sheets.get(name), changed)
    layers = Layers(sheets, list(sheets.values()))
    return None if check(layers) else compile_tables(layers)


def _rows(sheet: Sheet | None) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {key: tuple(row) for key, row in zip(sheet.keys(), sheet.rows, strict=True)} if sheet is not None else {}


def _changed(old: Sheet | None, new: Sheet | None, changes: Mapping[tuple[str, ...], Difference]) -> Sheet:
    whole = old or new
    assert whole is not None
    made = Sheet(whole.name, whole.kind)
    origins = _origins(new)
    for key, row, origin in zip(old.keys(), old.rows, old.origins, strict=True) if old is not None else ():
        if key not in changes:
            made.rows.append(row)
            made.origins.append(origin)
    for key, change in changes.items():
        if change.new:
            made.rows.append(list(change.new))
            made.origins.append(origins[key])
    return made


def _origins(sheet: Sheet | None) -> dict[Sequence[str], Origin]:
    return dict(zip(sheet.keys(), sheet.origins, strict=True)) if sheet is not None else {}
