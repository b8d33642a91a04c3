"""The manifest: what the accepted outputs of a folder were made with.

`replay.manifest.json.gz` holds the settings, the program with fingerprint and source of each of its parts, and the tables
in force, row by row, with the place of each row. From it the old tables can be made again, so that the cause of a changed output
can be found by trying. It belongs to all messages below its folder that have no nearer one.

Same program, tables and settings give the same bytes. No path of the machine stands in it: shipped tables are `mappings/...`,
those of a site are seen from the folder.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from adapter import __version__
from adapter.config import Settings
from adapter.replay.program import Program, program_of
from adapter.tables.check import check
from adapter.tables.columns import CODE_MAP, COMMON_FILES, PACK_FILES
from adapter.tables.index import Tables, compile_tables
from adapter.tables.layers import Layers, Origin, Sheet, shipped_root

FILE = "replay.manifest.json.gz"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """Rows of one table file.

    Parameters
    ----------
    columns : tuple of str
        Header.
    rows : list of list of str
        Cells.
    origins : list of Origin
        Where each row stands, without paths of the machine.
    """

    columns: tuple[str, ...]
    rows: list[list[str]]
    origins: list[Origin]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What accepted outputs were made with.

    Parameters
    ----------
    folder : Path
        Where it stands.
    version : str
        Version of the program.
    settings : Settings
        How the messages were converted.
    tables_version : str
        Content hash of the tables.
    sheets : dict of str to StoredSheet
        The tables in force.
    program : Program
        Fingerprint and source of each part of the program, and what it ran on.
    """

    folder: Path
    version: str
    settings: Settings
    tables_version: str
    sheets: dict[str, StoredSheet]
    program: Program


def manifest_of(folder: Path, tables: Tables, settings: Settings) -> Manifest:
    """Describe what is in use now."""
    # a few files hold thousands of rows
    named = cache(lambda file: stable_file(file, folder))
    sheets = {
        name: StoredSheet(
            sheet.kind.header,
            sheet.rows,
            [Origin(named(origin.file), origin.line) for origin in sheet.origins],
        )
        for name, sheet in tables.sheets.items()
    }
    return Manifest(folder, __version__, settings, tables.version, sheets, program_of())


def stable_file(file: str, folder: Path) -> str:
    """Name a table file without the path of the machine: `mappings/...` for a shipped one, else as seen from the folder."""
    path, root = Path(file).absolute(), shipped_root().absolute()
    if path.is_relative_to(root):
        return (Path("mappings") / path.relative_to(root)).as_posix()
    seen = Path(os.path.relpath(path, folder.absolute())).as_posix()
    return seen if seen.startswith("../") else f"./{seen}"


def shown_file(file: str, folder: Path) -> str:
    """Name a table file of a manifest as seen from the working folder."""
    return file if file.startswith("mappings/") else os.path.relpath(folder / file)


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write a manifest, packed."""
    settings = asdict(manifest.settings)
    settings["mappings"] = [
        Path(os.path.relpath(path.absolute(), manifest.folder.absolute())).as_posix() for path in manifest.settings.mappings
    ]
    files = sorted({origin.file for sheet in manifest.sheets.values() for origin in sheet.origins})
    number = {file: index for index, file in enumerate(files)}
    sheets = {
        name: {
            "columns": sheet.columns,
            "rows": sorted(
                [number[origin.file], origin.line, *row] for row, origin in zip(sheet.rows, sheet.origins, strict=True)
            ),
        }
        for name, sheet in manifest.sheets.items()
    }
    data = {
        "format": _FORMAT,
        "version": manifest.version,
        "settings": settings,
        "tables": {"version": manifest.tables_version, "files": files, "sheets": sheets},
        "program": asdict(manifest.program),
    }
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def read_manifest(file: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ValueError
        It is none, or of a newer format.
    """
    try:
        data: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
        if data["format"] != _FORMAT:
            raise ValueError(f"{file}: its format is {data['format']}, this program reads {_FORMAT}; accept the outputs anew")
        folder = file.parent
        files = data["tables"]["files"]
        sheets = {
            name: StoredSheet(
                tuple(sheet["columns"]),
                [row[2:] for row in sheet["rows"]],
                [Origin(files[row[0]], row[1]) for row in sheet["rows"]],
            )
            for name, sheet in data["tables"]["sheets"].items()
        }
        program = Program(**data["program"])
        settings = _settings(data["settings"], folder)
        return Manifest(folder, data["version"], settings, data["tables"]["version"], sheets, program)
    except (KeyError, TypeError, IndexError, EOFError, OSError, UnicodeDecodeError, json.JSONDecodeError) as failure:
        raise ValueError(
            f"{file} is no manifest of accepted outputs: {failure}; remove it and accept the outputs anew"
        ) from failure


def _settings(stored: dict[str, Any], folder: Path) -> Settings:
    """Take over the settings that this program knows; what it does not know had no effect that it could repeat."""
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items() if name in known
    }
    mappings = tuple(Path(os.path.relpath(folder / path)) for path in values.pop("mappings", ()))
    return replace(Settings(**values), mappings=mappings)


def nearest_manifest(folder: Path) -> Path | None:
    """Find the manifest of a folder: in it, or in the nearest folder above."""
    here = folder.absolute()
    return next((place / FILE for place in (here, *here.parents) if (place / FILE).is_file()), None)


def old_tables(manifest: Manifest) -> Tables | None:
    """Make the tables of a manifest again.

    Returns
    -------
    Tables or None
        None where they do not pass the checks of this program.
    """
    layers = Layers()
    for name, stored in manifest.sheets.items():
        folder, _, file = name.rpartition("/")
        kind = CODE_MAP if folder == "common/tables" else (COMMON_FILES if folder == "common" else PACK_FILES).get(file)
        if kind is None:
            continue
        rows = stored.rows
        if stored.columns != kind.header:
            cells = [dict(zip(stored.columns, row, strict=True)) for row in rows]
            rows = [[row.get(column, "") for column in kind.header] for row in cells]
        origins = [Origin(shown_file(origin.file, manifest.folder), origin.line) for origin in stored.origins]
        layers.sheets[name] = Sheet(name, kind, rows, origins)
    layers.read = list(layers.sheets.values())
    return None if check(layers) else compile_tables(layers)
