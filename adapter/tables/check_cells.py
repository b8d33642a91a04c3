"""Faults that one cell has by itself: required, form, allowed words. Goes over the distinct values of columns, for speed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from adapter.tables.columns import Column
from adapter.tables.decimals import is_decimal
from adapter.tables.layers import Fault, Sheet
from adapter.tables.loinc import is_loinc, is_spreadsheet_date
from adapter.tables.ucum import Ucum, UcumError

_ID = re.compile(r"[!#-&(-+\--~]+")
_AGE = re.compile(r"[0-9]{1,4} (?:a|mo|wk|d)")
_HYPHENS = re.compile("[\u00ad\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_DASHED = {"id", "code", "loinc", "ucum", "decimal", "date"}

Finding = tuple[str, str, str]
"""Slug, what is wrong, what to do."""


def check_cells(sheet: Sheet, ucum: Ucum) -> list[Fault]:
    """Check every cell of one file as it was read.

    Parameters
    ----------
    sheet : Sheet
        Rows of one file.
    ucum : Ucum
        Judges unit cells.

    Returns
    -------
    list of Fault
        In the order of columns and rows.
    """
    faults: list[Fault] = []
    if not sheet.rows:
        return faults
    for column, cells in zip(sheet.kind.columns, zip(*sheet.rows, strict=True), strict=True):
        judge = _judge(column, ucum)
        wrong = {cell: finding for cell in set(cells) if (finding := judge(cell)) is not None}
        if wrong:
            for cell, origin in zip(cells, sheet.origins, strict=True):
                if cell in wrong:
                    slug, what, fix = wrong[cell]
                    faults.append(Fault(slug, origin.file, origin.line, column.name, what, fix))
    if sheet.kind.one_of:
        places = [sheet.kind.header.index(name) for name in sheet.kind.one_of]
        for row, origin in zip(sheet.rows, sheet.origins, strict=True):
            if not any(row[place] for place in places):
                columns = " or ".join(sheet.kind.one_of)
                faults.append(
                    Fault("empty-cell", origin.file, origin.line, columns, "all of them are empty.", "Fill one of them.")
                )
    return faults


def _judge(column: Column, ucum: Ucum) -> Callable[[str], Finding | None]:
    """Make the function that judges one cell of a column."""
    form = _FORMS.get(column.kind)
    dashed = column.kind in _DASHED

    def judge(cell: str) -> Finding | None:
        if not cell:
            return ("empty-cell", "the cell is empty.", f"Fill it: {column.meaning}") if column.required else None
        if cell == "-" and column.key:
            return None
        if _CONTROL.search(cell):
            return "control-character", "the cell holds a control character or line break.", "Remove it."
        if dashed and _HYPHENS.search(cell):
            return "typographic-hyphen", f"{cell!r} holds a hyphen that is not the ASCII one.", "Type the hyphen-minus (-)."
        if column.kind == "choice":
            return None if cell in column.choices else _not_a_choice(cell, column)
        if column.kind == "ucum":
            return _unit(cell, ucum)
        return form(cell) if form is not None else None

    return judge


def _not_a_choice(cell: str, column: Column) -> Finding:
    slug = "bad-status" if column.name == "status" else "bad-choice"
    return (
        slug,
        f"{cell!r} is not one of the allowed words.",
        f"Allowed: {', '.join(column.choices)}{'' if column.required else ', or empty'}.",
    )


def _unit(cell: str, ucum: Ucum) -> Finding | None:
    try:
        ucum.parse(cell)
    except UcumError as error:
        return "bad-unit", f"{cell!r} is no UCUM unit: {error}.", "Write UCUM, e.g. mg/L; add a missing atom to ucum_atoms.csv."
    return None


def _id(cell: str) -> Finding | None:
    if _ID.fullmatch(cell):
        return None
    return "bad-id", f"{cell!r} is no id.", "Use printable ASCII without blanks, commas and quotes."


def _loinc(cell: str) -> Finding | None:
    if is_loinc(cell):
        return None
    if is_spreadsheet_date(cell):
        fix = "Take the code from its source and keep the column as text; a date cannot be turned back."
        return "spreadsheet-date", f"{cell!r} is a date that a spreadsheet made of a LOINC code.", fix
    return "loinc-check-digit", f"{cell!r} is no LOINC code with a right check digit.", "Take the code from its source."


def _decimal(cell: str) -> Finding | None:
    if is_decimal(cell):
        return None
    return "bad-decimal", f"{cell!r} is no decimal number.", "Use digits with at most one decimal point, e.g. 0.30."


def _date(cell: str) -> Finding | None:
    try:
        if len(cell) == 10:
            date.fromisoformat(cell)
            return None
    except ValueError:
        pass
    return "bad-date", f"{cell!r} is no date.", "Write YYYY-MM-DD."


def _age(cell: str) -> Finding | None:
    if _AGE.fullmatch(cell):
        return None
    return "bad-age", f"{cell!r} is no age.", "Write a whole number and a, mo, wk or d, e.g. 45 a."


def _yes_no(cell: str) -> Finding | None:
    return None if cell in ("yes", "no") else ("bad-choice", f"{cell!r} is neither yes nor no.", "Write yes or no.")


_FORMS: dict[str, Callable[[str], Finding | None]] = {
    "id": _id,
    "loinc": _loinc,
    "decimal": _decimal,
    "date": _date,
    "age": _age,
    "yes-no": _yes_no,
}
