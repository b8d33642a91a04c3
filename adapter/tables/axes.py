"""What the axes of a result (specimen, timing, kind of unit) have to do with each other."""

from __future__ import annotations

from adapter.tables.index import Tables
from adapter.tables.rows import LoincRow


def includes(tables: Tables, wider: str, specimen: str) -> bool:
    """Whether a specimen axis is another one or a part of it (`serum` of `serum-plasma`)."""
    return wider == specimen or tables.specimen_members.get((wider, specimen)) == "is"


def compatible(tables: Tables, specimen: str, other: str) -> bool:
    """Whether one specimen axis includes the other, or is made from it."""
    members = tables.specimen_members
    return specimen == other or (specimen, other) in members or (other, specimen) in members


def of_timing(rows: list[LoincRow], timing: str) -> list[LoincRow]:
    """Rows of a timing. Without one: the rows that name none, else those of a spot sample, as LOINC's Pt is what is not said."""
    if timing:
        return [row for row in rows if row.timing == timing] or [row for row in rows if not row.timing]
    if len(rows) == 1:
        return rows
    return [row for row in rows if not row.timing] or [row for row in rows if row.timing == "spot"]


def properties_of(tables: Tables, unit: str) -> frozenset[str]:
    """LOINC properties that have this kind of unit; none for a text that is no unit."""
    if not unit or not tables.ucum.valid(unit):
        return frozenset()
    return tables.properties.get(tables.ucum.kind_of_quantity(unit), frozenset())


def unit_fits(tables: Tables, row: LoincRow, unit: str) -> bool:
    """Whether a UCUM unit is of the kind that a LOINC code's property wants.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    row : LoincRow
        The LOINC code.
    unit : str
        A UCUM unit.

    Returns
    -------
    bool
        True for the same kind of numerator and denominator; where no property has this kind of unit, for a unit that converts.
    """
    properties = properties_of(tables, unit)
    if properties:
        return row.property in properties
    return bool(row.canonical_unit) and tables.ucum.factor(unit, row.canonical_unit) is not None
