"""Reading: layers, overrides, the version."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from table_sets import Rows, with_rows, write

from adapter.tables.columns import FILE_KINDS
from adapter.tables.layers import content_hash, read_layers
from adapter.tables.load import TableFaults, load_tables


def faults(folder: Path) -> list[str]:
    with pytest.raises(TableFaults) as raised:
        load_tables(root=folder)
    return [fault.slug for fault in raised.value.faults]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "root", with_rows({}))


def test_the_order_of_rows_does_not_change_the_version(root: Path) -> None:
    before = load_tables(root=root).version
    path = root / "common/units.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert load_tables(root=root).version == before


def test_a_byte_order_mark_and_line_ends_do_not_change_the_version(root: Path) -> None:
    before = load_tables(root=root).version
    path = root / "common/units.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n"))
    assert load_tables(root=root).version == before


def test_any_changed_cell_changes_the_version(root: Path) -> None:
    before = load_tables(root=root).version
    path = root / "common/units.csv"
    path.write_text(path.read_text().replace("test", "another source", 1))
    assert load_tables(root=root).version != before


def test_a_cell_does_not_slip_into_its_neighbour_unseen(tmp_path: Path) -> None:
    one = write(tmp_path / "1", {"common/units": [{"id": "u", "spelling": "ab", "ucum": "c"}]})
    two = write(tmp_path / "2", {"common/units": [{"id": "u", "spelling": "a", "ucum": "bc"}]})
    assert content_hash(read_layers(root=one).sheets) != content_hash(read_layers(root=two).sheets)


def test_a_site_row_replaces_the_row_of_the_same_key(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common/units": [{"id": "site-1", "spelling": "MG/L", "ucum": "g/L"}]})
    tables = load_tables([site], root=root)
    assert tables.units["MG/L"].ucum == "g/L"
    assert [(o.sheet, o.old_id, o.new_id, o.removed) for o in tables.overrides] == [("common/units", "u-2", "site-1", False)]


def test_a_later_site_wins(root: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "1", {"common/units": [{"id": "site-1", "spelling": "mg", "ucum": "mg"}]})
    second = write(tmp_path / "2", {"common/units": [{"id": "site-2", "spelling": "mg", "ucum": "g"}]})
    assert load_tables([first, second], root=root).units["mg"].id == "site-2"


def test_a_site_row_may_keep_the_id_of_the_row_it_replaces(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common/units": [{"id": "u-2", "spelling": "MG/L", "ucum": "g/L"}]})
    assert load_tables([site], root=root).units["MG/L"].ucum == "g/L"


def test_a_site_may_not_use_the_id_of_another_row(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common/units": [{"id": "u-2", "spelling": "other", "ucum": "g/L"}]})
    with pytest.raises(TableFaults, match="duplicate-id"):
        load_tables([site], root=root)


def test_a_retired_site_row_removes_the_shipped_one(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"common/units": [{"id": "site-1", "spelling": "MG/L", "ucum": "mg/L", "status": "retired"}]})
    tables = load_tables([site], root=root)
    assert "MG/L" not in tables.units
    assert tables.overrides[0].removed


def test_a_site_may_bring_a_new_pack(root: Path, tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"other/analyte": [{"id": "o", "analyte": "y", "name": "Analyte Y"}]})
    assert set(load_tables([site], root=root).packs) == {"pack", "other"}


def test_sites_below_the_root_are_not_active(root: Path) -> None:
    write(root / "sites/example", {"common/units": [{"id": "e", "spelling": "EXAMPLE", "ucum": "mg/L"}]})
    assert "EXAMPLE" not in load_tables(root=root).units


def test_a_folder_that_does_not_exist_is_a_fault(root: Path, tmp_path: Path) -> None:
    with pytest.raises(TableFaults, match="no such folder"):
        load_tables([tmp_path / "nowhere"], root=root)


def test_a_misspelt_file_name_is_a_fault(root: Path) -> None:
    (root / "pack/range.csv").write_text("id\n")
    assert faults(root) == ["unknown-file"]


def test_a_pack_file_without_pack_is_a_fault(root: Path) -> None:
    write(root, {"pakc/exclusions": [{"id": "e", "code": "1", "reason": "r"}]})
    assert faults(root) == ["no-pack"]


def test_bytes_that_are_not_utf8_are_a_fault_with_their_line(root: Path) -> None:
    path = root / "common/units.csv"
    path.write_bytes(path.read_bytes() + "u-9,µg/L,ug/L,,,test,\r\n".encode("latin-1"))
    found = read_layers(root=root).faults
    assert [(fault.slug, fault.line) for fault in found] == [("not-utf8", 4)]


@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ("id,spelling", "id,speling", "unknown-column"),
        ("ucum,display,", "ucum,", "missing-column"),
        ("id,spelling,ucum", "id,ucum,spelling", "column-order"),
    ],
)
def test_a_wrong_header_is_a_fault(root: Path, old: str, new: str, slug: str) -> None:
    path = root / "common/units.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    assert [(fault.slug, fault.line) for fault in read_layers(root=root).faults] == [(slug, 1)]


def test_a_row_with_too_few_cells_is_a_fault(root: Path) -> None:
    path = root / "common/units.csv"
    path.write_text(path.read_text() + "u-9,mg,mg\n")
    fault = read_layers(root=root).faults[0]
    assert (fault.slug, fault.line) == ("cell-count", 4)


def test_an_open_quote_is_a_fault(root: Path) -> None:
    path = root / "common/units.csv"
    path.write_text(path.read_text() + 'u-9,"mg,mg,,,test,\n')
    assert read_layers(root=root).faults[0].slug == "not-csv"


def test_a_row_is_found_by_its_id_with_file_and_line(root: Path) -> None:
    row = load_tables(root=root).row("u-2")
    assert (Path(row.file).name, row.line, row.cells["spelling"]) == ("units.csv", 3, "MG/L")


def test_shipped_tables_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_tables().packs


def test_each_row_class_has_the_columns_of_its_file() -> None:
    from adapter.tables import rows
    from adapter.tables.rows import ExampleRow

    named = {kind.name: kind.header for kind in FILE_KINDS}
    classes = {
        "code_map": rows.CodeRow, "units": rows.UnitRow, "units_refused": rows.RefusedUnitRow, "specimens": rows.SpecimenRow,
        "laboratories": rows.LaboratoryRow, "senders": rows.SenderRow, "analyte": rows.AnalyteRow, "loinc": rows.LoincRow,
        "codes": rows.LocalCodeRow, "conversions": rows.ConversionRow, "ranges": rows.RangeRow, "windows": rows.WindowRow,
        "exclusions": rows.ExclusionRow, "tests": ExampleRow, "flag_agreement": rows.FlagAgreementRow,
        "interpretation_categories": rows.InterpretationCategoryRow,
    }  # fmt: skip
    for name, row_class in classes.items():
        assert row_class._fields == named[name][: len(row_class._fields)]


def test_a_quoted_line_break_does_not_shift_the_lines_after_it(tmp_path: Path) -> None:
    rows: Rows = {"common/units": [{"id": "a", "spelling": "x", "ucum": "g", "note": "two\nlines"}, {"id": "b", "spelling": "y"}]}
    sheet = read_layers(root=write(tmp_path, rows)).sheets["common/units"]
    assert [origin.line for origin in sheet.origins] == [2, 4]


def test_files_are_plain_csv(root: Path) -> None:
    with (root / "common/units.csv").open(newline="") as file:
        assert next(csv.reader(file))[0] == "id"
