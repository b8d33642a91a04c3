"""`b2m-adapter tables test`: exit status and what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.commands import run

from adapter.tables import layers
from adapter.tables.columns import TESTS

SHIPPED = Path(__file__).parents[2] / "mappings"
RIGHT = {"id": "t-1", "code_system": "LN", "code": "1952-1", "specimen": "serum", "unit": "mg/L", "value": "1.9"}


def site(folder: Path, **cells: str) -> Path:
    row = RIGHT | {"expected_loinc": "1952-1", "source": "test"} | cells
    (folder / "b2m").mkdir()
    lines = [",".join(TESTS.header), ",".join(row.get(column, "") for column in TESTS.header)]
    (folder / "b2m/tests.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_right_examples_give_status_0(tmp_path: Path) -> None:
    ran = run("tables", "test", "--mappings", site(tmp_path))
    assert ran.status == 0
    assert ran.lines[-1].endswith(b"examples, 0 failed.")


def test_a_wrong_example_gives_status_1_with_file_line_expected_and_actual(tmp_path: Path) -> None:
    ran = run("tables", "test", "--mappings", site(tmp_path, expected_value="1.8"))
    assert ran.status == 1
    assert b"tests.csv:2: row t-1 column expected_value: expected 1.8, actual 1.9" in ran.lines[0]


def test_failures_as_json(tmp_path: Path) -> None:
    ran = run("tables", "test", "--json", "--mappings", site(tmp_path, expected_value="1.8"))
    [failure] = json.loads(b"\n".join(ran.lines))["failures"]
    assert (failure["line"], failure["expected"], failure["actual"]) == (2, "1.8", "1.9")


def test_faulty_tables_give_status_2(tmp_path: Path) -> None:
    assert run("tables", "test", "--mappings", site(tmp_path, age="old")).status == 2


def test_a_run_of_no_example_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = shutil.copytree(SHIPPED, tmp_path / "mappings")
    for path in root.rglob("tests.csv"):
        path.unlink()
    monkeypatch.setattr(layers, "shipped_root", lambda: root)
    ran = run("tables", "test")
    assert ran.status == 1
    assert b"nothing was tested" in ran.lines[-1]


def test_every_command_of_the_tables_shows_an_example() -> None:
    for command in ("check", "resolve", "show", "test", "diff", "unmapped", "export", "import"):
        assert "Example:  b2m-adapter" in b"\n".join(run("tables", command, "--help").lines).decode()
