"""Small table sets: a sound one to start from, and a way to write rows into it."""

from __future__ import annotations

import csv
from pathlib import Path

from adapter.tables.columns import CODE_MAP, COMMON_FILES, PACK_FILES, FileKind

Rows = dict[str, list[dict[str, str]]]

SOUND: Rows = {
    "common/ucum_atoms": [
        {"id": "a-g", "code": "g", "kind": "base", "metric": "yes"},
        {"id": "a-m", "code": "m", "kind": "base", "metric": "yes"},
        {"id": "a-s", "code": "s", "kind": "base", "metric": "yes"},
        {"id": "a-mol", "code": "mol", "kind": "base", "metric": "yes"},
        {"id": "a-L", "code": "L", "kind": "derived", "metric": "yes", "definition": "dm3"},
        {"id": "a-h", "code": "h", "kind": "derived", "metric": "no", "definition": "s", "factor": "3600"},
    ],
    "common/ucum_prefixes": [
        {"id": "p-m", "code": "m", "factor": "0.001"},
        {"id": "p-u", "code": "u", "factor": "0.000001"},
        {"id": "p-n", "code": "n", "factor": "0.000000001"},
        {"id": "p-d", "code": "d", "factor": "0.1"},
    ],
    "common/tables/0396": [
        {"id": "s-LN", "code": "LN", "system": "http://loinc.org"},
        {"id": "s-UCUM", "code": "UCUM", "system": "http://unitsofmeasure.org"},
    ],
    "common/units": [{"id": "u-1", "spelling": "mg/L", "ucum": "mg/L"}, {"id": "u-2", "spelling": "MG/L", "ucum": "mg/L"}],
    "common/units_refused": [{"id": "r-1", "spelling": "mg/24.h", "reason": "a mass times a time"}],
    "common/properties": [
        {"id": "q-1", "property": "MCnc", "dimension_unit": "mg/L"},
        {"id": "q-2", "property": "SCnc", "dimension_unit": "nmol/L"},
        {"id": "q-3", "property": "MRat", "dimension_unit": "mg/(24.h)"},
    ],
    "common/specimens": [
        {"id": "sp-1", "text": "serum", "specimen": "serum"},
        {"id": "sp-2", "code_system": "HL70487", "code": "UR", "specimen": "urine"},
        {"id": "sp-3", "text": "blood", "specimen": "blood"},
        {"id": "sp-4", "code_system": "SCT", "code": "276833005", "specimen": "urine", "timing": "24h"},
    ],
    "common/specimen_members": [
        {"id": "m-1", "specimen": "serum-plasma", "member": "serum", "relation": "is"},
        {"id": "m-2", "specimen": "serum-plasma", "member": "plasma", "relation": "is"},
        {"id": "m-3", "specimen": "serum-plasma", "member": "blood", "relation": "drawn-as"},
    ],
    "common/laboratories": [
        {"id": "l-1", "name": "ACME LAB", "laboratory": "acme"},
        {"id": "l-2", "identifier_system": "CLIA", "identifier": "00D0000001", "laboratory": "other"},
    ],
    "pack/analyte": [{"id": "an", "analyte": "x", "name": "Analyte X"}],
    "pack/loinc": [
        {
            "id": "ln-1", "loinc": "1952-1", "long_name": "X in serum or plasma", "analyte": "x", "property": "MCnc",
            "specimen": "serum-plasma", "timing": "spot", "scale": "Qn", "canonical_unit": "mg/L", "default": "yes",
        },
        {
            "id": "ln-2", "loinc": "1953-9", "long_name": "X in urine", "analyte": "x", "property": "MCnc",
            "specimen": "urine", "timing": "spot", "scale": "Qn", "canonical_unit": "mg/L", "default": "yes",
        },
        {
            "id": "ln-3", "loinc": "54356-1", "long_name": "X in 24 hour urine", "analyte": "x", "property": "MCnc",
            "specimen": "urine", "timing": "24h", "scale": "Qn", "canonical_unit": "mg/L", "default": "yes",
        },
        {
            "id": "ln-4", "loinc": "10873-8", "long_name": "X rate in 24 hour urine", "analyte": "x", "property": "MRat",
            "specimen": "urine", "timing": "24h", "scale": "Qn", "canonical_unit": "mg/(24.h)", "default": "yes",
        },
    ],
    "pack/windows": [{"id": "w-1", "specimen": "serum-plasma", "property": "MCnc", "unit": "mg/L", "low": "0.1", "high": "250"}],
}  # fmt: skip
"""A set in which nothing is wrong, for an analyte that does not exist."""


def kind_of(name: str) -> FileKind:
    folder, _, file = name.rpartition("/")
    if folder == "common/tables":
        return CODE_MAP
    return (COMMON_FILES if folder == "common" else PACK_FILES)[file]


def write(folder: Path, rows: Rows) -> Path:
    """Write rows as files; columns that a row does not name stay empty, `source` is filled."""
    for name, entries in rows.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, kind_of(name).header, restval="")
            writer.writeheader()
            writer.writerows({"source": "test"} | entry for entry in entries)
    return folder


def with_rows(changes: Rows) -> Rows:
    """The sound set and more rows."""
    return {name: SOUND.get(name, []) + changes.get(name, []) for name in (*SOUND, *(n for n in changes if n not in SOUND))}
