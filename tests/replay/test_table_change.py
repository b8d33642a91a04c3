"""`tables diff`: which rows differ, and which outputs they change."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from helpers.commands import run

from adapter.replay.sources import messages_of
from adapter.replay.table_change import replay_change
from adapter.tables.columns import COMMON_FILES, PACK_FILES
from adapter.tables.difference import Difference, differences, tables_of
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

SHIPPED = Path(__file__).parents[2] / "mappings"
FIXTURES = Path(__file__).parents[2] / "fixtures"


def result(code: str, unit: str, system: str = "LN", name: str = "") -> str:
    return (
        "MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1|||||UNICODE UTF-8\r"
        "PID|1||4711^^^HOSPITAL||TEST^PATIENT\rOBR|1||7|1^Panel^L\r"
        f"OBX|1|NM|{code}^{name}^{system}||1.9|{unit}|0.8-2.2|||||F\rSPM|1|||SER^^HL70487\r"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, three messages: a unit nobody knows, twice, and a code nobody knows."""
    path = tmp_path / "messages"
    (path / "sub").mkdir(parents=True)
    (path / "units.hl7").write_text(result("1952-1", "MILLI") * 2)
    (path / "sub/code.hl7").write_text(result("S17", "mg/L", "L"))
    (path / "sub/known.hl7").write_text(result("1952-1", "mg/L"))
    return path


def site(folder: Path, **files: dict[str, str]) -> Path:
    """A site with one row in each file: `units={...}`, `codes={...}`."""
    for name, row in files.items():
        kind = COMMON_FILES.get(name) or PACK_FILES[name]
        path = folder / ("common" if name in COMMON_FILES else "b2m") / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, kind.header, restval="")
            writer.writeheader()
            writer.writerow({"source": "test"} | row)
    return folder


UNIT = {"id": "t-unit", "spelling": "MILLI", "ucum": "mg/L"}
CODE = {"id": "t-code", "sender_application": "LIS", "code": "S17", "loinc": "1952-1"}
UNUSED = {"id": "t-unused", "spelling": "NEVER SENT", "ucum": "mg/L"}


@pytest.fixture(scope="module")
def shipped() -> Tables:
    return load_tables()


def effects(old: Tables, new: Tables, folder: Path) -> list[tuple[list[str], list[str]]]:
    replayed = replay_change(old, new, differences(old, new), messages_of(folder))
    return [([row.row for row in effect.rows], effect.messages) for effect in replayed.effects]


def test_the_same_tables_have_no_difference(shipped: Tables) -> None:
    assert differences(shipped, tables_of(SHIPPED)) == []


def test_an_added_row(shipped: Tables, tmp_path: Path) -> None:
    [found] = differences(shipped, tables_of(site(tmp_path, units=UNIT)))
    assert str(found) == "+ common/units.csv row t-unit: spelling 'MILLI', ucum 'mg/L'"


def test_a_changed_row(shipped: Tables, tmp_path: Path) -> None:
    [found] = differences(shipped, tables_of(site(tmp_path, units={"id": "t", "spelling": "mg/L", "ucum": "g/L"})))
    assert (found.kind, found.cells["ucum"]) == ("changed", ("mg/L", "g/L"))


def test_a_removed_row(shipped: Tables, tmp_path: Path) -> None:
    row = {"id": "t", "spelling": "mg/L", "ucum": "mg/L", "status": "retired"}
    [found] = differences(shipped, tables_of(site(tmp_path, units=row)))
    assert (found.kind, found.new) == ("removed", ())


def test_the_order_of_rows_is_no_difference(shipped: Tables, tmp_path: Path) -> None:
    root = shutil.copytree(SHIPPED, tmp_path / "mappings")
    path = root / "common/units.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n", encoding="utf-8")
    assert differences(shipped, tables_of(root)) == []


def test_every_changed_output_is_traced_to_its_row(shipped: Tables, folder: Path, tmp_path: Path) -> None:
    new = tables_of(site(tmp_path / "site", units=UNIT, codes=CODE))
    assert effects(shipped, new, folder) == [
        (["t-unit"], ["units.hl7 message 1", "units.hl7 message 2"]),
        (["t-code"], ["sub/code.hl7 message 1"]),
    ]


def test_a_row_that_no_message_needs_changes_nothing(shipped: Tables, folder: Path, tmp_path: Path) -> None:
    assert effects(shipped, tables_of(site(tmp_path / "site", units=UNUSED)), folder) == []


def test_a_row_that_cannot_stand_alone_is_named_where_nothing_else_explains(
    shipped: Tables, folder: Path, tmp_path: Path
) -> None:
    (folder / "new.hl7").write_text(result("2777-1", "mg/dL"))
    pack = tmp_path / "site/phosphate"
    pack.mkdir(parents=True)
    (pack / "analyte.csv").write_text("id,analyte,name,source,note\nt-an,phosphate,Phosphate,test,\n")
    header = ",".join(PACK_FILES["loinc"].header)
    row = "t-ln,2777-1,Phosphate [Mass/volume] in Serum or Plasma,phosphate,MCnc,spot,serum-plasma,Qn,,,mg/L,yes,,test,"
    (pack / "loinc.csv").write_text(f"{header}\n{row}\n")
    assert effects(shipped, tables_of(tmp_path / "site"), folder) == [(["t-ln"], ["new.hl7 message 1"])]


def test_a_replay_names_issues_that_go_away(shipped: Tables, folder: Path, tmp_path: Path) -> None:
    new = tables_of(site(tmp_path / "site", units=UNIT))
    replayed = replay_change(shipped, new, differences(shipped, new), messages_of(folder))
    assert "-unit-unknown" in replayed.effects[0].issues
    assert (replayed.messages, len(replayed.changed)) == (4, 2)


def test_the_command_shows_rows_and_effects(folder: Path, tmp_path: Path) -> None:
    ran = run("tables", "diff", "shipped", site(tmp_path / "site", units=UNIT), "--replay", folder)
    text = b"\n".join(ran.lines).decode()
    assert ran.status == 1
    assert "1 added, 0 removed, 0 changed" in text
    assert "2 of 4 messages change" in text
    assert "4711" not in text and "PATIENT" not in text


def test_the_command_writes_json(folder: Path, tmp_path: Path) -> None:
    ran = run("tables", "diff", "shipped", site(tmp_path / "site", units=UNIT), "--replay", folder, "--json")
    answer = json.loads(b"\n".join(ran.lines))
    assert answer["rows"][0]["cells"]["ucum"] == ["", "mg/L"]
    assert answer["replay"]["effects"][0]["rows"] == ["t-unit"]


def test_no_difference_gives_status_0() -> None:
    assert run("tables", "diff", "shipped", SHIPPED).status == 0


def test_faulty_tables_give_status_2(tmp_path: Path) -> None:
    assert run("tables", "diff", "shipped", site(tmp_path, units=UNIT | {"ucum": "mcg"})).status == 2


def test_a_replay_without_messages_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("tables", "diff", "shipped", SHIPPED, "--replay", tmp_path / "empty").status == 2


def test_accepted_outputs_are_not_replayed() -> None:
    assert not [source for source in messages_of(FIXTURES) if ".expected." in source.file]


def test_a_difference_is_a_plain_value() -> None:
    one = Difference("added", "common/units", ("x",), (), ("u", "x"), ("id", "spelling"))
    assert one.cells == {"id": ("", "u"), "spelling": ("", "x")}
