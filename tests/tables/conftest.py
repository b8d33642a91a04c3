"""Fixtures over the small table sets of `table_sets.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from table_sets import Rows, with_rows, write

from adapter.tables.check import check
from adapter.tables.index import Tables
from adapter.tables.layers import Fault, read_layers
from adapter.tables.load import load_tables


@pytest.fixture
def faults_of(tmp_path: Path) -> Callable[[Rows], list[Fault]]:
    """Faults of the sound set with more rows in it."""
    return lambda changes: check(read_layers(root=write(tmp_path / "root", with_rows(changes))))


@pytest.fixture
def tables_with(tmp_path: Path) -> Callable[..., Tables]:
    """The sound set with more rows, indexed."""
    return lambda changes=None: load_tables(root=write(tmp_path / "root", with_rows(changes or {})))


@pytest.fixture(scope="session")
def shipped() -> Tables:
    """The tables that are delivered."""
    return load_tables()
