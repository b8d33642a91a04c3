"""`tests.csv`: every example runs through the whole conversion, and a wrong expectation is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adapter.replay.examples import Verdict, message_of, run_examples
from adapter.tables.index import Tables
from adapter.tables.load import load_tables
from adapter.tables.rows import ExampleRow

EXAMPLE_SITE = Path(__file__).parents[2] / "mappings/sites/example"


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def example(tables: Tables, **cells: str) -> ExampleRow:
    """The first shipped example with other cells."""
    blank = ExampleRow(*[""] * len(ExampleRow._fields))
    return blank._replace(id=tables.packs["b2m"].examples[0].id, code_system="LN", code="1952-1", **cells)


def verdict_of(tables: Tables, row: ExampleRow) -> Verdict:
    pack = replace(tables.packs["b2m"], examples=(row,))
    return run_examples(replace(tables, packs={"b2m": pack}))


def columns(tables: Tables, **cells: str) -> dict[str, tuple[str, str]]:
    """Columns that do not come out as expected, with expected and actual."""
    cells = {"specimen": "serum", "unit": "mg/L", "value": "1.9", "expected_loinc": "1952-1"} | cells
    return {one.column: (one.expected, one.actual) for one in verdict_of(tables, example(tables, **cells)).failures}


def test_every_shipped_example_comes_out_as_it_says(tables: Tables) -> None:
    verdict = run_examples(tables)
    assert verdict.examples > 100
    assert verdict.failures == ()


def test_the_example_site_brings_its_own_examples(tables: Tables) -> None:
    verdict = run_examples(load_tables([EXAMPLE_SITE]))
    assert verdict.examples > run_examples(tables).examples
    assert verdict.failures == ()


def test_a_failure_names_file_and_line(tables: Tables) -> None:
    [failure] = verdict_of(tables, example(tables, specimen="serum", unit="mg/L", value="1.9")).failures
    assert failure.file.endswith("b2m/tests.csv") and failure.line > 1
    assert "column expected_loinc: expected nothing, actual 1952-1" in str(failure)


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ({"expected_value": "1.90"}, {"expected_value": ("1.90", "1.9")}),
        ({"expected_unit": "ug/L"}, {"expected_unit": ("ug/L", "mg/L")}),
        ({"range": "0.8-2.2"}, {"expected_interpretation": ("", "N")}),
        ({"range": "0.8-2.2", "expected_interpretation": "H"}, {"expected_interpretation": ("H", "N")}),
        ({"laboratory": "Labcorp", "expected_interpretation": "N"}, {"expected_range": ("", "range-labcorp-serum")}),
        ({"unit": "bogus"}, {"expected_issue": ("", "unit-unknown")}),
        (
            {"expected_issue": "unit-unknown"},
            {"expected_issue": ("unit-unknown", "identifier-without-system, code-without-system")},
        ),
    ],
)
def test_what_does_not_come_out_as_expected_is_a_failure(
    tables: Tables, cells: dict[str, str], wrong: dict[str, tuple[str, str]]
) -> None:
    found = columns(tables, **cells)
    assert {name: found.get(name) for name in wrong} == wrong


def test_delimiters_in_a_cell_are_data(tables: Tables) -> None:
    message = message_of(example(tables, name="A|B^C~D&E\\F"), tables).decode()
    assert "A\\F\\B\\S\\C\\R\\D\\T\\E\\E\\F" in message


def test_ages_count_back_from_the_day_of_collection(tables: Tables) -> None:
    def birth(age: str) -> str:
        patient = message_of(example(tables, age=age), tables).decode().split("\r")[1]
        return patient.split("|")[7]

    assert [birth(age) for age in ("1 a", "7 mo", "1 wk", "0 d")] == ["20250615", "20251115", "20260608", "20260615"]


def test_a_specimen_code_gets_its_coding_system(tables: Tables) -> None:
    assert "|276833005^^SCT" in message_of(example(tables, specimen="276833005"), tables).decode()
    assert "|UR^^HL70487" in message_of(example(tables, specimen="UR"), tables).decode()
    assert "|^serum" in message_of(example(tables, specimen="serum"), tables).decode()


def test_tables_without_examples_give_no_success(tables: Tables) -> None:
    bare = {name: replace(pack, examples=()) for name, pack in tables.packs.items()}
    assert run_examples(replace(tables, packs=bare)) == Verdict(0, ())


def covered(tables: Tables, column: str) -> set[str]:
    return {getattr(row, column) for pack in tables.packs.values() for row in pack.examples}


def test_every_loinc_row_has_an_example(tables: Tables) -> None:
    assert set(tables.pack_of_loinc) - covered(tables, "expected_loinc") == set()


def test_every_table_range_has_an_example(tables: Tables) -> None:
    rows = {row.id for pack in tables.packs.values() for group in pack.ranges.values() for row in group}
    assert rows - covered(tables, "expected_range") == set()


#: Units that convert by their dimension, but that no laboratory reports these analytes in: enzyme activity, equivalents,
#: fibrinogen equivalents.
OF_OTHER_ANALYTES = {"U", "meq/L", "mg/L{FEU}", "ug/mL{FEU}"}


def test_every_unit_of_a_pack_has_an_example(tables: Tables) -> None:
    for pack in tables.packs.values():
        targets = {row.canonical_unit for row in pack.loinc.values()} - {"", "%"}
        wanted = {row.ucum for row in tables.units.values() for unit in targets if tables.ucum.factor(row.ucum, unit) is not None}
        used = {tables.units[row.unit].ucum for row in pack.examples if row.unit in tables.units}
        assert wanted - used <= OF_OTHER_ANALYTES, pack.name


def test_the_message_of_an_example_holds_no_real_person(tables: Tables) -> None:
    message = message_of(tables.packs["b2m"].examples[0], tables).decode()
    assert "|TEST^PATIENT|" in message
