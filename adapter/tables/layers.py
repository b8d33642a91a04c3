"""Reads the table files: shipped ones first, then each site laid over them by key.

Files are found by their place (`common/`, `common/tables/`, a pack
folder); a CSV file anywhere else is a fault, so that a misspelt name is never silently without effect.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from adapter.tables.columns import CODE_MAP, COMMON_FILES, PACK_FILES, FileKind


class Origin(NamedTuple):
    """Where a row stands."""

    file: str
    line: int


class Fault(NamedTuple):
    """One thing that is wrong with the tables.

    `slug` names the kind of fault, `what` says what is wrong and `fix` what to do; `line` is 0 and `column` empty where the
    whole file is meant.
    """

    slug: str
    file: str
    line: int
    column: str
    what: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        column = f" column {self.column}:" if self.column else ""
        return f"{where}:{column} {self.what} [{self.slug}] {self.fix}"


class Override(NamedTuple):
    """One shipped (or earlier) row that a site replaces or removes."""

    sheet: str
    key: tuple[str, ...]
    removed: bool
    old_id: str
    new_id: str
    new_origin: Origin


@dataclass(slots=True)
class Sheet:
    """All rows of one file name, over all layers.

    Parameters
    ----------
    name : str
        Place below the root without suffix, e.g. `b2m/loinc`.
    kind : FileKind
        Its columns.
    rows : list of list of str
        Cells in the order of `kind.columns`; outer blanks are removed.
    origins : list of Origin
        Where each row stands.
    """

    name: str
    kind: FileKind
    rows: list[list[str]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """Folder of the sheet: `common`, `common/tables` or the name of the pack."""
        return self.name.rpartition("/")[0]

    def cell(self, row: list[str], column: str) -> str:
        """One cell of a row by the name of its column."""
        return row[self.kind.header.index(column)]

    def keys(self) -> list[tuple[str, ...]]:
        """Keys of the rows, in order."""
        places = [self.kind.header.index(name) for name in self.kind.key]
        return [tuple(row[place] for place in places) for row in self.rows]


@dataclass(slots=True)
class Layers:
    """What was read: the sheets of every layer laid over each other, and what came up on the way.

    Parameters
    ----------
    sheets : dict of str to Sheet
        By name: what is in force after sites replaced and removed rows.
    read : list of Sheet
        Every file as it was read, retired rows included.
    overrides : list of Override
        What sites replace or remove.
    faults : list of Fault
        Faults of reading; `check.check` finds the others.
    version : str
        What `content_hash` gives, where it is known already.
    """

    sheets: dict[str, Sheet] = field(default_factory=dict)
    read: list[Sheet] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    version: str = ""


def shipped_root() -> Path:
    """Folder of the shipped tables: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "mappings"
    return installed if installed.is_dir() else package.parent / "mappings"


def read_layers(overlays: Sequence[Path] = (), root: Path | None = None) -> Layers:
    """Read the shipped tables and the sites over them.

    Parameters
    ----------
    overlays : sequence of Path
        Site folders, laid over in this order; a later one wins.
    root : Path, optional
        Folder of the lowest layer; the shipped tables by default.

    Returns
    -------
    Layers
        Sheets without the rows that are replaced, removed or retired.
    """
    layers = Layers()
    for folder in (root or shipped_root(), *overlays):
        sheets = _read_folder(folder, layers.faults)
        layers.read += sheets
        for sheet in sheets:
            _lay_over(layers, sheet)
    for sheet in layers.sheets.values():
        _drop_retired(sheet)
    return layers


def content_hash(sheets: dict[str, Sheet]) -> str:
    """Hash of what the tables say; the order of rows and the place of files do not matter.

    Returns
    -------
    str
        SHA-256 over the sorted rows of the sorted sheets, in hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(sheets):
        sheet = sheets[name]
        if sheet.rows:
            rows = sorted("\x1f".join(row) for row in sheet.rows)
            digest.update("\x1e".join((name, *rows, "\x1d")).encode())
    return digest.hexdigest()


def _read_folder(folder: Path, faults: list[Fault]) -> list[Sheet]:
    if not folder.is_dir():
        faults.append(Fault("no-folder", str(folder), 0, "", "there is no such folder.", "Correct the path of --mappings."))
        return []
    sheets = []
    for path in sorted(folder.rglob("*.csv")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] == "sites":
            continue
        kind = kind_of(parts)
        if kind is None:
            known = ", ".join((*COMMON_FILES, "tables/NNNN")) if parts[0] == "common" else ", ".join(PACK_FILES)
            what = "no table file has this name and place."
            fix = f"Files of {parts[0] if len(parts) > 1 else 'a pack'}/ are: {known}; see docs/tables.md."
            faults.append(Fault("unknown-file", str(path), 0, "", what, fix))
            continue
        sheets.append(_read_file(path, Sheet("/".join(parts), kind), faults))
    return sheets


def kind_of(parts: tuple[str, ...]) -> FileKind | None:
    """Columns of the file at a place below the root (`("b2m", "loinc")`); None where no table file has that name and place."""
    if parts[:2] == ("common", "tables"):
        return CODE_MAP if len(parts) == 3 else None
    if len(parts) != 2:
        return None
    return (COMMON_FILES if parts[0] == "common" else PACK_FILES).get(parts[1])


def _read_file(path: Path, sheet: Sheet, faults: list[Fault]) -> Sheet:
    import csv

    file = str(path)
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.append(
            Fault("not-utf8", file, line, "", "the bytes are not UTF-8.", "Save the file as UTF-8 (CSV UTF-8 in a spreadsheet).")
        )
        return sheet
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = sheet.kind.header
    width, before = len(header), 0
    rows, origins = sheet.rows, sheet.origins
    try:
        named = next(reader, [])
        if (wrong := _header_fault(named, header)) is not None:
            faults.append(Fault(wrong[0], file, 1, wrong[1], wrong[2], f"The header is: {','.join(header)}"))
            return sheet
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if len(cells) == width:
                rows.append([cell.strip() for cell in cells])
                origins.append(Origin(file, line))
            elif cells:
                what = f"the row has {len(cells)} cells, the header {width}."
                faults.append(
                    Fault("cell-count", file, line, "", what, "Quote cells that hold a comma; fill up with empty cells.")
                )
    except csv.Error as error:
        what = f"the line is no CSV: {error}."
        faults.append(Fault("not-csv", file, before + 1, "", what, "Double the quotes within a quoted cell."))
    return sheet


def _header_fault(named: list[str], header: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Slug, column and text for a header that differs from the declared one."""
    for name in named:
        if name not in header:
            return "unknown-column", name, f"there is no column {name!r}."
    for name in header:
        if name not in named:
            return "missing-column", name, f"the column {name!r} is missing."
    if tuple(named) != header:
        return "column-order", "", "the columns stand in another order, or twice."
    return None


def _lay_over(layers: Layers, upper: Sheet) -> None:
    lower = layers.sheets.get(upper.name)
    merged = Sheet(upper.name, upper.kind)
    layers.sheets[upper.name] = merged
    if lower is not None:
        incoming = {key: index for index, key in reversed(list(enumerate(upper.keys())))}
        status = upper.kind.header.index("status") if "status" in upper.kind.header else None
        for row, origin, key in zip(lower.rows, lower.origins, lower.keys(), strict=True):
            replacing = incoming.get(key)
            if replacing is None:
                merged.rows.append(row)
                merged.origins.append(origin)
                continue
            new = upper.rows[replacing]
            removed = status is not None and new[status] == "retired"
            layers.overrides.append(Override(upper.name, key, removed, row[0], new[0], upper.origins[replacing]))
    merged.rows += upper.rows
    merged.origins += upper.origins


def _drop_retired(sheet: Sheet) -> None:
    if "status" not in sheet.kind.header:
        return
    status = sheet.kind.header.index("status")
    if any(row[status] == "retired" for row in sheet.rows):
        kept = [number for number, row in enumerate(sheet.rows) if row[status] != "retired"]
        sheet.rows = [sheet.rows[number] for number in kept]
        sheet.origins = [sheet.origins[number] for number in kept]
