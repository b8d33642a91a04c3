"""Units, specimens, laboratories and senders as sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapter.tables.index import Tables
from adapter.tables.lookups import resolve_laboratory, resolve_specimen, resolve_unit

TablesWith = Callable[..., Tables]


def test_the_spelling_table_decides_before_ucum(tables_with: TablesWith) -> None:
    found = resolve_unit(tables_with(), "MG/L", "UCUM")
    assert (found.ucum, found.row, found.slug) == ("mg/L", "u-2", "")


@pytest.mark.parametrize("system", ["UCUM", "http://unitsofmeasure.org"])
def test_ucum_is_believed_where_the_sender_names_it(tables_with: TablesWith, system: str) -> None:
    assert resolve_unit(tables_with(), "ug/mL", system).ucum == "ug/mL"


@pytest.mark.parametrize(("text", "system"), [("ug/mL", ""), ("ug/mL", "L"), ("mcg/mL", "UCUM")])
def test_what_is_neither_spelled_nor_ucum_is_unknown(tables_with: TablesWith, text: str, system: str) -> None:
    found = resolve_unit(tables_with(), text, system)
    assert (found.ucum, found.slug) == ("", "unit-unknown")


def test_a_refused_spelling_is_refused_even_as_ucum(tables_with: TablesWith) -> None:
    found = resolve_unit(tables_with(), "mg/24.h", "UCUM")
    assert (found.ucum, found.row, found.slug) == ("", "r-1", "unit-unknown")


def test_a_blank_unit_is_missing_unless_the_sender_has_one(tables_with: TablesWith) -> None:
    tables = tables_with({"common/senders": [{"id": "s", "sender_application": "LIS", "blank_unit": "mg/L"}]})
    assert resolve_unit(tables, "", "").slug == "unit-missing"
    assert resolve_unit(tables, "", "", ("LIS",)).ucum == "mg/L"


def test_a_specimen_is_found_by_code_and_system_name_or_uri(tables_with: TablesWith) -> None:
    tables = tables_with()
    for system in ("HL70487", "http://terminology.hl7.org/CodeSystem/v2-0487"):
        assert resolve_specimen(tables, [(system, "UR")]).specimen == "urine"
    assert resolve_specimen(tables, [("L", "UR")]).specimen == ""


def test_a_text_counts_where_no_code_is_known(tables_with: TablesWith) -> None:
    tables = tables_with()
    assert resolve_specimen(tables, [("L", "9")], [" Serum "]).specimen == "serum"
    assert resolve_specimen(tables, [("HL70487", "UR")], ["serum"]).specimen == "urine"


def test_two_codes_together_say_specimen_and_timing(tables_with: TablesWith) -> None:
    found = resolve_specimen(tables_with(), [("HL70487", "UR"), ("SCT", "276833005")])
    assert (found.specimen, found.timing) == ("urine", "24h")


def test_contradicting_codes_give_no_specimen(tables_with: TablesWith) -> None:
    tables = tables_with({"common/specimens": [{"id": "sp-9", "code_system": "SCT", "code": "1", "specimen": "serum"}]})
    found = resolve_specimen(tables, [("HL70487", "UR"), ("SCT", "1")])
    assert (found.specimen, found.slug) == ("", "specimen-conflict")


def test_the_specimen_counts_and_not_what_it_is_made_from(tables_with: TablesWith) -> None:
    rows = [
        {"id": "sp-8", "code_system": "SCT", "code": "1", "specimen": "blood"},
        {"id": "sp-9", "code_system": "SCT", "code": "2", "specimen": "serum-plasma"},
    ]
    tables = tables_with({"common/specimens": rows})
    assert resolve_specimen(tables, [("SCT", "1"), ("SCT", "2")]).specimen == "serum-plasma"
    assert resolve_specimen(tables, [("SCT", "2"), ("SCT", "1")]).specimen == "serum-plasma"


def test_a_laboratory_is_found_by_identifier_or_exact_name_only(tables_with: TablesWith) -> None:
    tables = tables_with()
    assert resolve_laboratory(tables, [("CLIA", "00D0000001")]).laboratory == "other"
    assert resolve_laboratory(tables, [], ["ACME LAB"]).laboratory == "acme"
    assert resolve_laboratory(tables, [("L", "00D0000001")], ["Acme Lab"]).laboratory == ""


def test_the_senders_laboratory_counts_where_none_is_named(tables_with: TablesWith) -> None:
    tables = tables_with({"common/senders": [{"id": "s", "sender_application": "LIS", "laboratory": "acme"}]})
    assert resolve_laboratory(tables, applications=("LIS",)).laboratory == "acme"
    assert resolve_laboratory(tables, [], ["SOME OTHER LAB"], ("LIS",)).laboratory == ""


def test_the_most_specific_sender_row_counts(tables_with: TablesWith) -> None:
    rows = [
        {"id": "s-any", "charset": "ASCII"},
        {"id": "s-app", "sender_application": "LIS"},
        {"id": "s-both", "sender_application": "LIS", "sender_facility": "FAC"},
        {"id": "s-blank", "sender_application": "LIS", "sender_facility": "-"},
    ]
    tables = tables_with({"common/senders": rows})

    def row_for(application: tuple[str, ...], facility: tuple[str, ...]) -> str:
        row = tables.sender(application, facility)
        return row.id if row else ""

    assert row_for(("LIS", ""), ("X", "FAC")) == "s-both"
    assert row_for(("LIS",), ("X",)) == "s-app"
    assert row_for(("LIS",), ("",)) == "s-blank"
    assert row_for(("ELSE",), ()) == "s-any"


def test_empty_cells_of_a_sender_mean_what_the_columns_say(tables_with: TablesWith) -> None:
    tables = tables_with({"common/senders": [{"id": "s", "sender_application": "LIS", "processing_ids": "P T"}]})
    row = tables.sender(("LIS",), ())
    assert row is not None
    assert row.trust_loinc
    assert row.processing_ids == {"P", "T"}
