"""Changed tables in a running program."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from table_sets import SOUND, with_rows, write

from adapter.tables.load import TableFaults
from adapter.tables.reload import Reloader

MORE = with_rows({"common/units": [{"id": "u-3", "spelling": "mg/l", "ucum": "mg/L"}]})
BAD = with_rows({"common/units": [{"id": "u-3", "spelling": "mg/l", "ucum": "mcg"}]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "root", SOUND)


def test_a_new_row_is_in_use_after_a_reload(root: Path) -> None:
    reloader = Reloader(root=root)
    write(root, MORE)
    assert "mg/l" not in reloader.tables.units
    assert reloader.reload().changed
    assert "mg/l" in reloader.tables.units


def test_tables_that_are_held_do_not_change(root: Path) -> None:
    reloader = Reloader(root=root)
    held = reloader.tables
    write(root, MORE)
    reloader.reload()
    assert "mg/l" not in held.units


def test_a_set_with_faults_is_refused_and_the_old_one_stays(root: Path) -> None:
    reloader = Reloader(root=root)
    before = reloader.tables
    write(root, BAD)
    answer = reloader.reload()
    assert [fault.slug for fault in answer.faults] == ["bad-unit"]
    assert answer.tables is reloader.tables is before
    assert not answer.changed


def test_a_refused_set_can_be_corrected(root: Path) -> None:
    reloader = Reloader(root=root)
    write(root, BAD)
    reloader.reload()
    write(root, MORE)
    assert reloader.reload().changed


def test_a_site_that_is_gone_is_refused(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common/units": [{"id": "u-3", "spelling": "mg/l", "ucum": "mg/L"}]})
    reloader = Reloader([site], root)
    shutil.rmtree(site)
    assert reloader.reload().faults
    assert "mg/l" in reloader.tables.units


def test_a_file_that_is_no_file_is_refused(root: Path) -> None:
    reloader = Reloader(root=root)
    (root / "common/units.csv").unlink()
    (root / "common/units.csv").mkdir()
    assert [fault.slug for fault in reloader.reload().faults] == ["unreadable-file"]


def test_the_same_content_is_no_change(root: Path) -> None:
    reloader = Reloader(root=root)
    before = reloader.tables
    (root / "common/units.csv").touch()
    assert reloader.reload() == (before, False, ())


def test_a_first_set_with_faults_does_not_start(root: Path) -> None:
    write(root, BAD)
    with pytest.raises(TableFaults):
        Reloader(root=root)
