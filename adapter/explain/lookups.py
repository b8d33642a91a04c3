"""Code maps that note which of their rows are looked up: the same tables otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapter.tables.index import Tables
from adapter.tables.rows import CodeRow

#: Code map of the names of coding systems, which has an index of its own.
CODING_SYSTEMS = "0396"


class _Rows(dict[str, CodeRow]):
    """A code map that notes the ids of the rows it gives."""

    def __init__(self, rows: Mapping[str, CodeRow], noted: Counter[str]) -> None:
        super().__init__(rows)
        self._noted = noted

    def get(self, code: str, default: Any = None) -> Any:
        row = super().get(code, default)
        if row is not None:
            self._noted[row.id] += 1
        return row

    def __getitem__(self, code: str) -> CodeRow:
        row = super().__getitem__(code)
        self._noted[row.id] += 1
        return row


class _Systems(dict[str, str]):
    """The URIs of coding systems by name; notes the ids of the rows that they come from."""

    def __init__(self, uris: Mapping[str, str], rows: Mapping[str, CodeRow], noted: Counter[str]) -> None:
        super().__init__(uris)
        self._ids = {name.upper(): row.id for name, row in rows.items()}
        self._noted = noted

    def get(self, name: str, default: Any = None) -> Any:
        if name in self._ids:
            self._noted[self._ids[name]] += 1
        return super().get(name, default)


def noting(tables: Tables, noted: Counter[str]) -> Tables:
    """Give tables whose code maps note every row that is found in them.

    Parameters
    ----------
    tables : Tables
        Loaded mapping tables; not changed.
    noted : Counter of str
        Counts the rows by id.

    Returns
    -------
    Tables
        The tables for the conversion. What enrichment looks up stands in its changes.
    """
    vocabulary = {name: _Rows(rows, noted) for name, rows in tables.vocabulary.items()}
    systems = _Systems(tables.coding_systems, tables.vocabulary.get(CODING_SYSTEMS, {}), noted)
    return replace(tables, vocabulary=vocabulary, coding_systems=systems)
