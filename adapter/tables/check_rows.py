"""Faults between rows: duplicates, references, ties, overlapping bands, bounds that cannot be right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, combinations
from typing import TypeVar

from adapter.tables.columns import CODES, CRITICAL, LOINC, PROPERTIES, RANGES, SENDERS, WINDOWS
from adapter.tables.layers import Fault, Origin, Sheet
from adapter.tables.rows import CriticalRow, LocalCodeRow, LoincRow, RangeRow, SenderRow, WindowRow, typed
from adapter.tables.ucum import Ucum

DAYS = {"a": Decimal("365.25"), "mo": Decimal("30.4375"), "wk": Decimal(7), "d": Decimal(1)}
"""Days of the UCUM units of age."""

_NO_END = Decimal("Infinity")
_Row = TypeVar("_Row")


def fold(text: str) -> str:
    """Make names comparable: case and runs of blanks do not matter."""
    return " ".join(text.casefold().split())


def check_ids(sheets: Iterable[Sheet]) -> Iterator[Fault]:
    """An id stands for one row; only a site row may carry the id of the row that it replaces."""
    seen: dict[str, tuple[Origin, str, tuple[str, ...], int]] = {}
    for layer, sheet in enumerate(sheets):
        for row, origin, key in zip(sheet.rows, sheet.origins, sheet.keys(), strict=True):
            first = seen.get(row[0])
            if first is None:
                seen[row[0]] = (origin, sheet.name, key, layer)
            elif row[0] and (first[1:3] != (sheet.name, key) or first[3] == layer):
                what = f"the id {row[0]!r} stands at {first[0].file}:{first[0].line}, too."
                yield Fault("duplicate-id", *origin, "id", what, "Give one of the rows another id.")


def check_keys(sheet: Sheet) -> Iterator[Fault]:
    """No two rows in force have the same key."""
    seen: dict[tuple[str, ...], Origin] = {}
    for key, origin in zip(sheet.keys(), sheet.origins, strict=True):
        if key in seen:
            what = f"the same key stands at {seen[key].file}:{seen[key].line}."
            yield Fault("duplicate-key", *origin, ", ".join(sheet.kind.key), what, "Keep one of the rows, or retire the other.")
        else:
            seen[key] = origin


def check_references(sheets: dict[str, Sheet]) -> Iterator[Fault]:
    """Every LOINC code, analyte, laboratory and specimen axis that a row names is defined by some row."""
    known = {
        "loinc": _values(sheets, "loinc", "loinc"),
        "analyte": _values(sheets, "analyte", "analyte"),
        "laboratory": _values(sheets, "laboratories", "laboratory"),
        "specimen": _values(sheets, "specimens", "specimen")
        | _values(sheets, "specimen_members", "specimen")
        | _values(sheets, "specimen_members", "member"),
    }
    places = {
        "loinc": "loinc.csv of the pack",
        "analyte": "analyte.csv",
        "laboratory": "common/laboratories.csv",
        "specimen": "common/specimens.csv",
    }
    for sheet in sheets.values():
        for index, column in enumerate(sheet.kind.columns):
            if not column.refers:
                continue
            allowed = known[column.refers]
            for row, origin in zip(sheet.rows, sheet.origins, strict=True):
                if row[index] and row[index] not in allowed and row[index] != "-":
                    what = f"the {column.refers} {row[index]!r} is defined nowhere."
                    yield Fault(
                        f"unknown-{column.refers}",
                        *origin,
                        column.name,
                        what,
                        f"Correct it, or add it to {places[column.refers]}.",
                    )


def check_code_rows(sheet: Sheet) -> Iterator[Fault]:
    """`codes.csv`: one outcome a row, no ties, no undeclared second code of a sender for one LOINC code."""
    rows = typed(LocalCodeRow, CODES, sheet.rows)
    origins = {row.id: origin for row, origin in zip(rows, sheet.origins, strict=True)}
    for row in rows:
        if bool(row.loinc) == bool(row.analyte):
            what = "a row gives a LOINC code or an analyte: " + ("both are filled." if row.loinc else "both are empty.")
            yield Fault("no-outcome", *origins[row.id], "loinc, analyte", what, "Fill exactly one of them.")
    by_key: dict[str, list[LocalCodeRow]] = defaultdict(list)
    for row in rows:
        by_key[row.code or "name " + fold(row.name)].append(row)

    def key(row: LocalCodeRow) -> tuple[str, ...]:
        return row.sender_application, row.sender_facility, row.code_system.upper(), fold(row.name), row.specimen, row.unit

    for group in by_key.values():
        for one, other in _ties(group, key, lambda row: row[8:14]):
            what = f"row {one.id!r} is equally specific and gives another result; both can fit the same message."
            yield Fault("tie", *origins[other.id], "", what, "Add a row that fits both more exactly, or fill one more key cell.")

    by_target: dict[tuple[str, str, str], list[LocalCodeRow]] = defaultdict(list)
    for row in rows:
        if row.loinc and row.code and (row.sender_application or row.sender_facility):
            by_target[row.sender_application, row.sender_facility, row.loinc].append(row)
    for (_, _, loinc), group in by_target.items():
        if len({row.code for row in group}) > 1:
            codes = ", ".join(sorted({row.code for row in group}))
            for row in group:
                if not row.declared_duplicate:
                    what = f"the sender has several codes for {loinc}: {codes}."
                    fix = "Correct the code, or write declared_duplicate=yes in each of the rows."
                    yield Fault("undeclared-duplicate", *origins[row.id], "declared_duplicate", what, fix)


def check_senders(sheet: Sheet) -> Iterator[Fault]:
    """`senders.csv`: no two equally specific rows fit the same sender."""
    rows = typed(SenderRow, SENDERS, sheet.rows)
    origins = {row.id: origin for row, origin in zip(rows, sheet.origins, strict=True)}
    for one, other in _ties(rows, lambda row: row[1:3], lambda row: row[3:-1]):
        what = f"row {one.id!r} is equally specific; both can fit the same sender."
        yield Fault("tie", *origins[other.id], "", what, "Add a row with both application and facility.")


def check_loinc_rows(sheet: Sheet, sheets: dict[str, Sheet], ucum: Ucum) -> Iterator[Fault]:
    """`loinc.csv`: the canonical unit fits the property; axes choose at most one default."""
    rows = typed(LoincRow, LOINC, sheet.rows)
    kinds = _kinds_by_property(sheets, ucum)
    chosen: dict[tuple[str, ...], LoincRow] = {}
    for row, origin in zip(rows, sheet.origins, strict=True):
        if row.canonical_unit and ucum.valid(row.canonical_unit) and row.property in kinds:
            if ucum.kind_of_quantity(row.canonical_unit) not in kinds[row.property]:
                what = f"{row.canonical_unit!r} is no unit of the property {row.property}."
                fix = "Correct unit or property, or add a row to common/properties.csv."
                yield Fault("unit-dimension", *origin, "canonical_unit", what, fix)
        elif row.canonical_unit and row.property not in kinds:
            what = f"no row of common/properties.csv says which units the property {row.property} has."
            yield Fault("unknown-property", *origin, "property", what, "Correct it, or add it to common/properties.csv.")
        if row.default:
            axes = (row.analyte, row.property, row.timing, row.specimen, row.scale, row.method, row.challenge)
            if axes in chosen:
                what = f"{chosen[axes].loinc} has the same axes and is a default, too."
                yield Fault("tie", *origin, "default", what, "Choose one of them as default.")
            chosen.setdefault(axes, row)


def check_ranges(sheet: Sheet, loinc_rows: dict[str, LoincRow], windows: Sequence[WindowRow], ucum: Ucum) -> Iterator[Fault]:
    """`ranges.csv`: bounds in order and plausible, bands that do not overlap."""
    rows = typed(RangeRow, RANGES, sheet.rows)
    groups: dict[tuple[str, ...], list[tuple[RangeRow, Origin]]] = defaultdict(list)
    for row, origin in zip(rows, sheet.origins, strict=True):
        yield from _bounds_in_order(row, origin)
        loinc = loinc_rows.get(row.loinc)
        if loinc is not None:
            yield from _bounds_plausible(row, origin, loinc, windows, ucum)
        groups[row.laboratory, row.loinc, row.specimen, row.method, row.sex].append((row, origin))
    for group in groups.values():
        for (one, first), (other, second) in combinations(group, 2):
            if _bands_overlap(one, other) and one[1:9] + one[15:17] != other[1:9] + other[15:17]:
                what = f"the band overlaps the one of row {one.id!r} at {first.file}:{first.line}."
                fix = "Let ages (age_high is not included) or dates end before the next begin."
                yield Fault("overlap", *second, "age_low, age_high, valid_from, valid_to", what, fix)


def check_critical(sheet: Sheet, loinc_rows: dict[str, LoincRow], ucum: Ucum) -> Iterator[Fault]:
    """`critical.csv`: limits in order, in a unit of the LOINC code."""
    for row, origin in zip(typed(CriticalRow, CRITICAL, sheet.rows), sheet.origins, strict=True):
        if row.low is not None and row.high is not None and row.low >= row.high:
            what = f"every result is critical between {row.high} and {row.low}."
            yield Fault("low-above-high", *origin, "low", what, "Exchange or correct the limits.")
        loinc = loinc_rows.get(row.loinc)
        if loinc is not None and ucum.valid(row.unit) and ucum.factor(row.unit, loinc.canonical_unit) is None:
            what = f"{row.unit!r} does not convert to {loinc.canonical_unit!r}, the unit of {loinc.loinc}."
            yield Fault("unit-dimension", *origin, "unit", what, "Correct the unit or the LOINC code.")


def check_conversions(sheet: Sheet, ucum: Ucum) -> Iterator[Fault]:
    """`conversions.csv`: only what UCUM arithmetic cannot do."""
    from_unit, to_unit = sheet.kind.header.index("from_unit"), sheet.kind.header.index("to_unit")
    for row, origin in zip(sheet.rows, sheet.origins, strict=True):
        factor = ucum.factor(row[from_unit], row[to_unit])
        if factor is not None:
            what = f"UCUM itself converts {row[from_unit]} to {row[to_unit]} (factor {factor})."
            yield Fault("needless-conversion", *origin, "from_unit, to_unit", what, "Remove the row, or correct its units.")


def check_properties(sheet: Sheet, known: set[str]) -> Iterator[Fault]:
    """A property that a local code or a window names is one of some LOINC code; a misspelt one would never fit."""
    place = sheet.kind.header.index("property")
    for row, origin in zip(sheet.rows, sheet.origins, strict=True):
        if row[place] and row[place] not in known:
            what = f"no LOINC code of the tables has the property {row[place]!r}."
            yield Fault("unknown-property", *origin, "property", what, "Write it as in loinc.csv.")


def check_windows(sheet: Sheet) -> Iterator[Fault]:
    """`windows.csv`: bounds in order, no ties."""
    rows = typed(WindowRow, WINDOWS, sheet.rows)
    origins = {row.id: origin for row, origin in zip(rows, sheet.origins, strict=True)}
    for row in rows:
        if row.low is not None and row.high is not None and row.low > row.high:
            yield Fault("low-above-high", *origins[row.id], "low", f"{row.low} is above {row.high}.", "Exchange or correct them.")
    by_code, others = [row for row in rows if row.loinc], [row for row in rows if not row.loinc]
    for one, other in chain.from_iterable(_ties(group, lambda row: row[1:4], lambda row: row[4:]) for group in (by_code, others)):
        what = f"row {one.id!r} is equally specific; both can fit the same result."
        yield Fault("tie", *origins[other.id], "", what, "Add a row that fits both more exactly.")


def window_for(windows: Iterable[WindowRow], loinc: LoincRow, specimen: str = "") -> WindowRow | None:
    """Most specific window of a LOINC code; one that names the code comes before any other.

    Parameters
    ----------
    windows : iterable of WindowRow
        Windows of the pack.
    loinc : LoincRow
        The code; its property takes part.
    specimen : str
        Specimen axis; empty: that of the code.

    Returns
    -------
    WindowRow or None
        None where no window is declared.
    """
    specimens = {"", specimen or loinc.specimen, loinc.specimen}
    fitting = [
        row
        for row in windows
        if row.loinc in ("", loinc.loinc) and row.specimen in specimens and row.property in ("", loinc.property)
    ]
    return max(
        fitting,
        key=lambda row: (bool(row.loinc), sum(map(bool, row[1:4])), row.specimen == (specimen or loinc.specimen)),
        default=None,
    )


def loinc_rows(sheets: dict[str, Sheet]) -> dict[str, LoincRow]:
    """Every LOINC row of every pack by its code."""
    return {row.loinc: row for sheet in sheets.values() if sheet.kind is LOINC for row in typed(LoincRow, LOINC, sheet.rows)}


def _values(sheets: dict[str, Sheet], kind: str, column: str) -> set[str]:
    return {sheet.cell(row, column) for sheet in sheets.values() if sheet.kind.name == kind for row in sheet.rows}


def _kinds_by_property(sheets: dict[str, Sheet], ucum: Ucum) -> dict[str, set[object]]:
    kinds: dict[str, set[object]] = defaultdict(set)
    sheet = sheets.get("common/properties")
    if sheet is not None:
        unit = PROPERTIES.header.index("dimension_unit")
        for row in sheet.rows:
            if ucum.valid(row[unit]):
                kinds[row[1]].add(ucum.kind_of_quantity(row[unit]))
    return kinds


def _ties(
    rows: Sequence[_Row], key: Callable[[_Row], Sequence[str]], outcome: Callable[[_Row], object]
) -> Iterator[tuple[_Row, _Row]]:
    """Pairs of equally specific rows that fit one query, give different outcomes and have no more exact row above them."""
    if len(rows) < 2:
        return
    keys = [tuple(key(row)) for row in rows]
    present = set(keys)
    filled = [sum(map(bool, cells)) for cells in keys]
    for one, other in combinations(range(len(rows)), 2):
        if filled[one] != filled[other]:
            continue
        if any(a and b and a != b for a, b in zip(keys[one], keys[other], strict=True)):
            continue
        joined = tuple(a or b for a, b in zip(keys[one], keys[other], strict=True))
        if (joined not in present or keys[one] == keys[other]) and outcome(rows[one]) != outcome(rows[other]):
            yield rows[one], rows[other]


def _bounds_in_order(row: RangeRow, origin: Origin) -> Iterator[Fault]:
    if row.low is not None and row.high is not None:
        empty = row.low == row.high and not (row.low_inclusive and row.high_inclusive)
        if row.low > row.high or empty:
            what = f"the range {row.low} to {row.high} holds no number."
            yield Fault("low-above-high", *origin, "low", what, "Exchange or correct the bounds.")
    if (row.age_low is not None or row.age_high is not None) and not row.age_unit:
        yield Fault("empty-cell", *origin, "age_unit", "the ages have no unit.", "Fill a, mo, wk or d.")
    if row.age_low is not None and row.age_high is not None and row.age_low >= row.age_high:
        what = f"the ages {row.age_low} to {row.age_high} hold nobody."
        yield Fault("low-above-high", *origin, "age_low", what, "age_high is the first age that is no longer included.")
    if row.valid_from and row.valid_to and row.valid_from > row.valid_to:
        yield Fault("low-above-high", *origin, "valid_from", "the range ends before it begins.", "Correct the dates.")


def _bounds_plausible(
    row: RangeRow, origin: Origin, loinc: LoincRow, windows: Sequence[WindowRow], ucum: Ucum
) -> Iterator[Fault]:
    if loinc.canonical_unit and ucum.valid(row.unit) and ucum.factor(row.unit, loinc.canonical_unit) is None:
        what = f"{row.unit!r} does not convert to {loinc.canonical_unit!r}, the unit of {loinc.loinc}."
        yield Fault("unit-dimension", *origin, "unit", what, "Correct the unit or the LOINC code.")
        return
    window = window_for(windows, loinc, row.specimen)
    factor = ucum.factor(row.unit, window.unit) if window is not None else None
    if window is None or factor is None:
        return
    for column, bound in (("low", row.low), ("high", row.high)):
        # zero is a bound without magnitude
        if bound is None or not bound:
            continue
        size = bound * factor.numerator / factor.denominator
        if (window.low is not None and size < window.low) or (window.high is not None and size > window.high):
            what = (
                f"{bound} {row.unit} lies outside the window of row {window.id!r}: {window.low} to {window.high} {window.unit}."
            )
            yield Fault("outside-window", *origin, column, what, "Correct bound or unit; a factor of 1000 is the usual reason.")


def _bands_overlap(one: RangeRow, other: RangeRow) -> bool:
    first_low, first_high = _days(one)
    second_low, second_high = _days(other)
    dates = (one.valid_from or "0") <= (other.valid_to or "9") and (other.valid_from or "0") <= (one.valid_to or "9")
    return dates and first_low < second_high and second_low < first_high


def _days(row: RangeRow) -> tuple[Decimal, Decimal]:
    unit = DAYS.get(row.age_unit, Decimal(1))
    low = row.age_low * unit if row.age_low is not None else Decimal(0)
    return low, row.age_high * unit if row.age_high is not None else _NO_END
