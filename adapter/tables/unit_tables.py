"""Makes the unit arithmetic of the tables of atoms and prefixes."""

from __future__ import annotations

from adapter.tables.columns import UCUM_ATOMS, UCUM_PREFIXES
from adapter.tables.decimals import is_decimal
from adapter.tables.layers import Sheet
from adapter.tables.ucum import Atom, Ucum


def units_of(sheets: dict[str, Sheet]) -> Ucum:
    """Make the unit arithmetic of the atom and prefix tables; rows whose factor is no number are left out."""
    atoms, prefixes = (sheets[name].rows if name in sheets else [] for name in ("common/ucum_atoms", "common/ucum_prefixes"))
    factor, prefix_factor = UCUM_ATOMS.header.index("factor"), UCUM_PREFIXES.header.index("factor")
    return Ucum(
        [Atom(row[1], row[2], row[3] == "yes", row[4], row[5]) for row in atoms if not row[factor] or is_decimal(row[factor])],
        [(row[1], row[2]) for row in prefixes if is_decimal(row[prefix_factor])],
    )
