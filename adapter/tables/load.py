"""The door to the tables: `load_tables` reads, lays over, checks and indexes.

Shipped tables were read and checked when the program was built (`shipped.py`); sites are read and checked at each start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapter.tables.index import Tables, compile_tables
from adapter.tables.layers import Fault, read_layers
from adapter.tables.shipped import read_shipped


class TableFaults(Exception):  # noqa: N818  (the tables are at fault)
    """The tables cannot be used; carries every fault that was found.

    Parameters
    ----------
    faults : sequence of Fault
        At least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def load_tables(overlays: Sequence[Path] = (), root: Path | None = None) -> Tables:
    """Read, check and index the tables.

    Parameters
    ----------
    overlays : sequence of Path
        Site folders (`--mappings`), laid over the shipped tables in this order.
    root : Path, optional
        Folder of the lowest layer; the shipped tables by default.

    Returns
    -------
    Tables
        Everything in force.

    Raises
    ------
    TableFaults
        With every fault of every file.
    """
    if not overlays and root is None and (shipped := read_shipped()) is not None:
        return compile_tables(shipped)
    from adapter.tables.check import check

    layers = read_layers(overlays, root)
    faults = check(layers)
    if faults:
        raise TableFaults(faults)
    return compile_tables(layers)
