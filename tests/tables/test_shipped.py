"""The compiled form of the shipped tables says what the CSV files say, or is not used."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from helpers.commands import run

from adapter.tables import check, load, shipped
from adapter.tables.index import Tables, compile_tables
from adapter.tables.layers import Layers, content_hash, read_layers, shipped_root
from adapter.tables.load import load_tables
from adapter.tables.shipped import MODULES, digest_of, read_shipped, write_shipped

EXAMPLE = shipped_root() / "sites/example"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The shipped tables, to be changed."""
    return shutil.copytree(shipped_root(), tmp_path / "mappings")


@pytest.fixture
def file(tmp_path: Path, root: Path) -> Path:
    """The compiled form of these."""
    assert write_shipped(tmp_path / "shipped.json", root)
    return tmp_path / "shipped.json"


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("was called")


# -- the same tables ---------------------------------------------------------------------------------------------------


def test_it_holds_every_row_of_every_file_and_where_it_stands(root: Path, file: Path) -> None:
    read, held = read_layers(root=root), read_shipped(file, root)
    assert held is not None
    assert list(held.sheets.items()) == list(read.sheets.items())
    assert (held.overrides, held.faults) == ([], [])


def test_it_holds_the_version(root: Path, file: Path) -> None:
    held = read_shipped(file, root)
    assert held is not None
    assert held.version == content_hash(read_layers(root=root).sheets)


@pytest.mark.parametrize("name", [field.name for field in fields(Tables) if field.name != "ucum"])
def test_the_tables_made_of_it_are_those_made_of_the_files(root: Path, file: Path, name: str) -> None:
    held = read_shipped(file, root)
    assert held is not None
    assert getattr(compile_tables(held), name) == getattr(compile_tables(read_layers(root=root)), name)


def test_the_same_tables_give_the_same_bytes(root: Path, file: Path, tmp_path: Path) -> None:
    assert write_shipped(tmp_path / "again.json", root)
    assert (tmp_path / "again.json").read_bytes() == file.read_bytes()


# -- never stale -------------------------------------------------------------------------------------------------------


def a_cell(root: Path) -> None:
    path = root / "common/units.csv"
    head, found, tail = path.read_bytes().partition(b"mg/L")
    assert found
    path.write_bytes(head + b"mg/l" + tail)


def a_file_more(root: Path) -> None:
    shutil.copy(root / "common/tables/0085.csv", root / "common/tables/9999.csv")


def a_file_less(root: Path) -> None:
    (root / "albumin/windows.csv").unlink()


def a_file_elsewhere(root: Path) -> None:
    (root / "common/tables/0085.csv").rename(root / "common/tables/0086.csv")


def a_file_without_meaning(root: Path) -> None:
    (root / "common/unitz.csv").write_text("id\n")


def a_row_with_a_fault(root: Path) -> None:
    with (root / "common/units.csv").open("a") as units:
        units.write("too,few\n")


@pytest.mark.parametrize(
    "change", [a_cell, a_file_more, a_file_less, a_file_elsewhere, a_file_without_meaning, a_row_with_a_fault]
)
def test_a_change_of_the_files_puts_it_out_of_use(root: Path, file: Path, change: Callable[[Path], None]) -> None:
    change(root)
    assert read_shipped(file, root) is None


def test_a_change_back_puts_it_to_use_again(root: Path, file: Path) -> None:
    before = (root / "common/units.csv").read_bytes()
    a_cell(root)
    (root / "common/units.csv").write_bytes(before)
    assert read_shipped(file, root) is not None


def test_sites_are_no_part_of_it(root: Path, file: Path) -> None:
    shutil.rmtree(root / "sites")
    assert read_shipped(file, root) is not None


def test_it_is_of_the_modules_that_read_and_check(root: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "MODULES", MODULES[:-1])
    assert read_shipped(file, root) is None


def test_these_modules_are_all_that_take_part() -> None:
    folder, found, waiting = Path(shipped.__file__).parent, set[str](), ["shipped"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("adapter.tables"):
                    names = [node.module.rpartition(".")[2]] if node.module != "adapter.tables" else [a.name for a in node.names]
                    waiting += names
    assert found == set(MODULES)


# -- broken ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 10, 64, 65, 129, 130, 1000, -1])
def test_a_part_of_it_is_not_used(root: Path, file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    assert read_shipped(file, root) is None


@pytest.mark.parametrize("place", [0, 64, 70, 129, 200, 100_000, -1])
def test_a_changed_byte_is_not_used(root: Path, file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    assert read_shipped(file, root) is None


def test_there_may_be_none(root: Path, tmp_path: Path) -> None:
    assert read_shipped(tmp_path / "none.json", root) is None


def test_there_is_none_of_tables_with_faults(root: Path, tmp_path: Path) -> None:
    a_row_with_a_fault(root)
    assert not write_shipped(tmp_path / "faulty.json", root)
    assert not (tmp_path / "faulty.json").exists()


def test_tables_that_change_while_it_is_written_give_none(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed_meanwhile(root: Path) -> bytes:
        found = digest_of(root)
        a_cell(root)
        return found

    monkeypatch.setattr(shipped, "digest_of", changed_meanwhile)
    assert not write_shipped(tmp_path / "none.json", root)
    assert not (tmp_path / "none.json").exists()


# -- who uses it -------------------------------------------------------------------------------------------------------


def test_the_shipped_tables_are_taken_from_it(root: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "read_shipped", lambda: read_shipped(file, root))
    monkeypatch.setattr(load, "read_layers", refuse)
    assert load_tables().units["mg/L"].ucum == "mg/L"


def test_without_it_the_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_tables().version
    monkeypatch.setattr(load, "read_shipped", lambda: None)
    assert load_tables().version == before


def test_a_site_and_all_below_it_are_read_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Layers] = []
    monkeypatch.setattr(load, "read_shipped", refuse)
    monkeypatch.setattr(check, "check", lambda layers: seen.append(layers) or [])
    load_tables([EXAMPLE])
    assert len(seen[0].read) == len(read_layers([EXAMPLE]).read)


def test_the_check_command_reads_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "read_shipped", refuse)
    monkeypatch.setattr(load, "read_shipped", refuse)
    checked = json.loads(b"\n".join(run("tables", "check", "--json").lines))
    assert (checked["faults"], checked["version"]) == ([], content_hash(read_layers().sheets))


def test_using_it_writes_nothing(root: Path, file: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in file.parent.rglob("*"))
    read_shipped(file, root)
    assert sorted((path, path.stat().st_mtime_ns) for path in file.parent.rglob("*")) == before
