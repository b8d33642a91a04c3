"""Takes changed tables into use while the program runs: a set with faults is refused, and the one in use stays.

Tables are never changed in place: who holds a `Tables` keeps it until the end of its message. Nothing is watched here; a service
asks for a reload when it is told to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from adapter.tables.index import Tables
from adapter.tables.layers import Fault
from adapter.tables.load import TableFaults, load_tables


class Reload(NamedTuple):
    """What a reload gave.

    Parameters
    ----------
    tables : Tables
        The tables in use from now on: the new ones, or the old ones where the new ones have faults or say the same.
    changed : bool
        Whether they are new.
    faults : tuple of Fault
        Why the new ones were refused; empty when they were not.
    """

    tables: Tables
    changed: bool
    faults: tuple[Fault, ...] = ()


class Reloader:
    """The tables in use, and the folders that they come from.

    Parameters
    ----------
    overlays : sequence of Path
        Site folders, laid over in this order.
    root : Path, optional
        Folder of the lowest layer; the shipped tables by default.

    Raises
    ------
    TableFaults
        The first set has faults: there is nothing to go on with.
    """

    def __init__(self, overlays: Sequence[Path] = (), root: Path | None = None) -> None:
        self._overlays = tuple(overlays)
        self._root = root
        self.tables = load_tables(self._overlays, root)

    def reload(self) -> Reload:
        """Read the folders again.

        Returns
        -------
        Reload
            Never raises for what stands in the files, nor for a file that cannot be read.
        """
        try:
            new = load_tables(self._overlays, self._root)
        except TableFaults as refused:
            return Reload(self.tables, False, refused.faults)
        except OSError as failure:
            name = str(failure.filename or "")
            what = f"the file cannot be read: {failure.strerror}."
            return Reload(self.tables, False, (Fault("unreadable-file", name, 0, "", what, "Let the program read it."),))
        if new.version == self.tables.version:
            return Reload(self.tables, False)
        self.tables = new
        return Reload(new, True)
