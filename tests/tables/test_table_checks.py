"""What the checker finds: one fault of each kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from table_sets import Rows

from adapter.tables.layers import Fault
from adapter.tables.loinc import is_loinc, is_spreadsheet_date

FaultsOf = Callable[[Rows], list[Fault]]

RANGE = {
    "id": "rg", "laboratory": "acme", "loinc": "1952-1", "low": "0.8", "high": "2.4", "unit": "mg/L", "certainty": "V",
    "default": "yes",
}  # fmt: skip
CODE = {"id": "c", "sender_application": "APP", "code": "B", "loinc": "1952-1"}
CONVERSION = {"id": "cv", "analyte": "x", "from_unit": "mg/L", "to_unit": "nmol/L", "factor": "85", "kind": "molar"}
ATOM = {"id": "a-9", "code": "q", "kind": "base", "metric": "no"}
EN_DASH = "\N{EN DASH}"


def found(faults: list[Fault]) -> list[tuple[str, str]]:
    return [(fault.slug, fault.column) for fault in faults]


def test_the_sound_set_has_no_fault(faults_of: FaultsOf) -> None:
    assert faults_of({}) == []


def test_a_fault_names_file_line_column_and_fix(faults_of: FaultsOf) -> None:
    fault = faults_of({"common/units": [{"id": "u-3", "spelling": "mcg/L", "ucum": "mcg/L"}]})[0]
    assert fault.file.endswith("common/units.csv")
    assert (fault.line, fault.column) == (4, "ucum")
    assert "mcg is no UCUM unit" in fault.what
    assert "mg/L" in fault.fix


def test_all_faults_come_at_once(faults_of: FaultsOf) -> None:
    faults = faults_of(
        {
            "common/units": [{"id": "u-3", "spelling": "a", "ucum": "?"}, {"id": "", "spelling": "b", "ucum": "g"}],
            "pack/ranges": [RANGE | {"low": "3"}],
        }
    )
    assert found(faults) == [("bad-unit", "ucum"), ("empty-cell", "id"), ("low-above-high", "low")]


@pytest.mark.parametrize(
    ("file", "row", "slug", "column"),
    [
        ("common/units", {"id": "u-3", "spelling": "x", "ucum": "g", "source": ""}, "empty-cell", "source"),
        ("common/units", {"id": "u 3", "spelling": "x", "ucum": "g"}, "bad-id", "id"),
        ("common/units", {"id": "u-1", "spelling": "x", "ucum": "g"}, "duplicate-id", "id"),
        ("common/units", {"id": "u-3", "spelling": "mg/L", "ucum": "g"}, "duplicate-key", "spelling"),
        ("common/units", {"id": "u-3", "spelling": "x", "ucum": "g", "status": "old"}, "bad-status", "status"),
        ("common/units", {"id": "u-3", "spelling": "x\ny", "ucum": "g"}, "control-character", "spelling"),
        ("common/units_refused", {"id": "r-3", "spelling": "mg/L", "reason": "r"}, "tie", "spelling"),
        ("common/ucum_prefixes", {"id": "p-9", "code": "k", "factor": "1e3"}, "bad-decimal", "factor"),
        ("common/ucum_atoms", ATOM | {"kind": "derived", "definition": "z"}, "bad-unit", "definition"),
        ("common/ucum_atoms", ATOM | {"kind": "odd"}, "bad-choice", "kind"),
        ("common/ucum_atoms", ATOM | {"metric": "maybe"}, "bad-choice", "metric"),
        ("common/laboratories", {"id": "l-9", "laboratory": "acme"}, "empty-cell", "identifier or name"),
        ("common/senders", {"id": "s-9", "laboratory": "nobody"}, "unknown-laboratory", "laboratory"),
        ("pack/codes", CODE | {"loinc": "Jan-52"}, "spreadsheet-date", "loinc"),
        ("pack/codes", CODE | {"loinc": "1952-2"}, "loinc-check-digit", "loinc"),
        ("pack/codes", CODE | {"loinc": f"1952{EN_DASH}1"}, "typographic-hyphen", "loinc"),
        ("pack/codes", CODE | {"code": f"B{EN_DASH}1"}, "typographic-hyphen", "code"),
        ("pack/codes", CODE | {"loinc": "2160-0"}, "unknown-loinc", "loinc"),
        ("pack/codes", CODE | {"loinc": "", "analyte": "y"}, "unknown-analyte", "analyte"),
        ("pack/codes", CODE | {"specimen": "tears"}, "unknown-specimen", "specimen"),
        ("pack/codes", CODE | {"loinc": ""}, "no-outcome", "loinc, analyte"),
        ("pack/codes", CODE | {"analyte": "x"}, "no-outcome", "loinc, analyte"),
        ("pack/ranges", RANGE | {"low": "1,5"}, "bad-decimal", "low"),
        ("pack/ranges", RANGE | {"low": "2.5"}, "low-above-high", "low"),
        ("pack/ranges", RANGE | {"low": "2.4", "low_inclusive": "no"}, "low-above-high", "low"),
        ("pack/ranges", RANGE | {"valid_from": "2024-02-30"}, "bad-date", "valid_from"),
        ("pack/ranges", RANGE | {"valid_from": "2024-02-01", "valid_to": "2024-01-31"}, "low-above-high", "valid_from"),
        ("pack/ranges", RANGE | {"age_low": "18"}, "empty-cell", "age_unit"),
        ("pack/ranges", RANGE | {"age_low": "18", "age_high": "18", "age_unit": "a"}, "low-above-high", "age_low"),
        ("pack/ranges", RANGE | {"laboratory": "nobody"}, "unknown-laboratory", "laboratory"),
        ("pack/ranges", RANGE | {"unit": "nmol/L"}, "unit-dimension", "unit"),
        ("pack/ranges", RANGE | {"low": "", "high": "2400"}, "outside-window", "high"),
        ("pack/ranges", RANGE | {"low": "0.8", "high": "2.4", "unit": "ug/L"}, "outside-window", "low"),
        ("pack/conversions", CONVERSION | {"to_unit": "g/L"}, "needless-conversion", "from_unit, to_unit"),
        ("pack/codes", CODE | {"property": "MCncs"}, "unknown-property", "property"),
        ("pack/windows", {"id": "w-9", "property": "mcnc", "unit": "mg/L", "low": "2"}, "unknown-property", "property"),
        ("pack/windows", {"id": "w-9", "loinc": "1953-9", "unit": "mg/L", "low": "2", "high": "1"}, "low-above-high", "low"),
    ],
)  # fmt: skip
def test_fault(faults_of: FaultsOf, file: str, row: dict[str, str], slug: str, column: str) -> None:
    assert (slug, column) in found(faults_of({file: [row]}))


def test_a_retired_row_is_checked_too(faults_of: FaultsOf) -> None:
    assert found(faults_of({"common/units": [{"id": "u-3", "spelling": "x", "ucum": "?", "status": "retired"}]})) == [
        ("bad-unit", "ucum")
    ]


def test_a_retired_row_does_not_hold_its_key(faults_of: FaultsOf) -> None:
    assert faults_of({"common/units": [{"id": "u-3", "spelling": "mg/L", "ucum": "g/L", "status": "retired"}]}) == []


def test_zero_is_a_bound_without_magnitude(faults_of: FaultsOf) -> None:
    assert faults_of({"pack/ranges": [RANGE | {"low": "0.0"}]}) == []


def test_bounds_are_compared_with_the_window_in_its_unit(faults_of: FaultsOf) -> None:
    assert faults_of({"pack/ranges": [RANGE | {"low": "800", "high": "2400", "unit": "ug/L"}]}) == []


def test_overlapping_ages_are_a_fault(faults_of: FaultsOf) -> None:
    young = RANGE | {"id": "rg-1", "age_high": "50", "age_unit": "a"}
    old = RANGE | {"id": "rg-2", "age_low": "49", "age_unit": "a"}
    assert [slug for slug, _ in found(faults_of({"pack/ranges": [young, old]}))] == ["overlap"]


def test_ages_that_meet_do_not_overlap(faults_of: FaultsOf) -> None:
    young = RANGE | {"id": "rg-1", "age_high": "50", "age_unit": "a"}
    old = RANGE | {"id": "rg-2", "age_low": "50", "age_unit": "a"}
    assert faults_of({"pack/ranges": [young, old]}) == []


def test_overlapping_dates_are_a_fault_and_following_ones_are_not(faults_of: FaultsOf) -> None:
    before = RANGE | {"id": "rg-1", "valid_to": "2024-05-31"}
    after = RANGE | {"id": "rg-2", "valid_from": "2024-06-01"}
    assert faults_of({"pack/ranges": [before, after]}) == []
    early = after | {"valid_from": "2024-05-31"}
    assert [slug for slug, _ in found(faults_of({"pack/ranges": [before, early]}))] == ["overlap"]


def test_two_rows_that_fit_the_same_message_equally_well_are_a_fault(faults_of: FaultsOf) -> None:
    by_application = {"id": "c-1", "sender_application": "APP", "code": "B", "loinc": "1952-1"}
    by_facility = {"id": "c-2", "sender_facility": "FAC", "code": "B", "loinc": "1953-9"}
    assert [slug for slug, _ in found(faults_of({"pack/codes": [by_application, by_facility]}))] == ["tie"]


def test_names_that_differ_in_case_only_are_the_same_name(faults_of: FaultsOf) -> None:
    rows = [{"id": "c-1", "name": "Analyte X", "loinc": "1952-1"}, {"id": "c-2", "name": "ANALYTE  X", "loinc": "1953-9"}]
    assert [slug for slug, _ in found(faults_of({"pack/codes": rows}))] == ["tie"]
    assert faults_of({"pack/codes": [rows[0], rows[1] | {"loinc": "1952-1"}]}) == []


def test_a_conversion_between_kinds_of_quantities_is_right(faults_of: FaultsOf) -> None:
    assert faults_of({"pack/conversions": [CONVERSION]}) == []


def test_a_more_exact_row_breaks_the_tie(faults_of: FaultsOf) -> None:
    rows = [
        {"id": "c-1", "sender_application": "APP", "code": "B", "loinc": "1952-1"},
        {"id": "c-2", "sender_facility": "FAC", "code": "B", "loinc": "1953-9"},
        {"id": "c-3", "sender_application": "APP", "sender_facility": "FAC", "code": "B", "loinc": "1953-9"},
    ]
    assert faults_of({"pack/codes": rows}) == []


def test_two_codes_of_a_sender_for_one_loinc_code_are_declared(faults_of: FaultsOf) -> None:
    rows = [CODE | {"id": "c-1", "code": "B1"}, CODE | {"id": "c-2", "code": "B2"}]
    assert found(faults_of({"pack/codes": rows})) == [("undeclared-duplicate", "declared_duplicate")] * 2
    assert faults_of({"pack/codes": [row | {"declared_duplicate": "yes"} for row in rows]}) == []


def test_two_defaults_with_the_same_axes_are_a_tie(faults_of: FaultsOf) -> None:
    twin = {
        "id": "ln-9", "loinc": "83078-6", "long_name": "X again", "analyte": "x", "property": "MCnc", "specimen": "serum-plasma",
        "timing": "spot", "scale": "Qn", "canonical_unit": "mg/L", "default": "yes",
    }  # fmt: skip
    assert found(faults_of({"pack/loinc": [twin]})) == [("tie", "default")]


def test_a_canonical_unit_of_another_property_is_a_fault(faults_of: FaultsOf) -> None:
    row = {
        "id": "ln-9", "loinc": "76484-5", "long_name": "X moles", "analyte": "x", "property": "SCnc", "specimen": "serum-plasma",
        "scale": "Qn", "canonical_unit": "mg/L", "default": "no",
    }  # fmt: skip
    assert found(faults_of({"pack/loinc": [row]})) == [("unit-dimension", "canonical_unit")]


def test_a_name_of_two_laboratories_is_a_fault(faults_of: FaultsOf) -> None:
    row = {"id": "l-9", "identifier_system": "CLIA", "identifier": "1", "name": "ACME LAB", "laboratory": "other"}
    assert ("tie", "laboratory") in found(faults_of({"common/laboratories": [row]}))


def test_two_windows_that_fit_equally_well_are_a_tie(faults_of: FaultsOf) -> None:
    row = {"id": "w-9", "loinc": "1952-1", "specimen": "urine", "unit": "mg/L", "low": "1"}
    other = {"id": "w-8", "loinc": "1952-1", "property": "MCnc", "unit": "mg/L", "low": "2"}
    assert [slug for slug, _ in found(faults_of({"pack/windows": [row, other]}))] == ["tie"]


@pytest.mark.parametrize(
    "text", ["Jan-52", "Mar-51", "Sep-53", "52-Jan", "1952-01-01", "01/01/1952", "1-Jan-52", "1952-01-01 00:00:00"]
)
def test_spreadsheet_dates(text: str) -> None:
    assert is_spreadsheet_date(text)
    assert not is_loinc(text)


@pytest.mark.parametrize("code", ["1952-1", "1953-9", "10873-8", "13485-8", "1951-3", "83078-6", "2160-0", "33914-3"])
def test_right_check_digits(code: str) -> None:
    assert is_loinc(code)


@pytest.mark.parametrize("code", ["13989-1", "1952-2", "1952-", "-1", "1952", "1952-11", "19S2-1", "١952-1", ""])
def test_wrong_codes(code: str) -> None:
    assert not is_loinc(code)
