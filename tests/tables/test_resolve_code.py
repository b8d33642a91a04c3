"""The order in which a code is resolved, and what stops it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.tables.index import Tables
from adapter.tables.load import load_tables
from adapter.tables.resolve import CodeQuery, Coding, Resolution, resolve_code

TablesWith = Callable[..., Tables]

ANALYTE_BY_NAME = {"id": "c-name", "name": "Analyte X", "analyte": "x"}
ANALYTE_BY_CODE = {"id": "c-code", "code": "AX", "analyte": "x"}


def local(code: str = "AX", display: str = "") -> tuple[Coding, ...]:
    return (Coding("L", code, display),)


def loinc_of(found: Resolution) -> str:
    return found.loinc.loinc if found.loinc else ""


def test_a_sent_loinc_code_stands_before_every_row(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "loinc": "1953-9"}]})
    found = resolve_code(tables, CodeQuery((Coding("LN", "1952-1"), *local())))
    assert (loinc_of(found), found.sent, found.row) == ("1952-1", True, "ln-1")


@pytest.mark.parametrize("system", ["LN", "ln", "http://loinc.org"])
def test_loinc_is_known_by_name_and_by_uri(tables_with: TablesWith, system: str) -> None:
    assert loinc_of(resolve_code(tables_with(), CodeQuery((Coding(system, "1952-1"),)))) == "1952-1"


@pytest.mark.parametrize("system", ["", "L", "urn:oid:2.16.840.1.113883.6.238"])
def test_the_digits_of_a_loinc_code_under_another_system_are_no_loinc_code(tables_with: TablesWith, system: str) -> None:
    assert resolve_code(tables_with(), CodeQuery((Coding(system, "1952-1"),))).loinc is None


def test_a_wrong_check_digit_is_reported_and_the_next_coding_used(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "loinc": "1953-9"}]})
    found = resolve_code(tables, CodeQuery((Coding("LN", "1952-2"), *local())))
    assert (loinc_of(found), found.conflicts[0][0]) == ("1953-9", "loinc-check-digit")


def test_codes_of_an_untrusted_sender_enrich_nothing(tables_with: TablesWith) -> None:
    tables = tables_with({"common/senders": [{"id": "s", "sender_application": "LIS", "trust_loinc": "no"}]})
    found = resolve_code(tables, CodeQuery((Coding("LN", "1952-1"),), applications=("LIS",)))
    assert (found.loinc, found.slug, found.row) == (None, "loinc-not-trusted", "s")


def test_another_loinc_code_stands_though_a_local_row_fits(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "loinc": "1953-9"}]})
    found = resolve_code(tables, CodeQuery((Coding("LN", "2160-0"), *local())))
    assert (found.loinc, found.slug) == (None, "code-unmapped")


def test_the_more_specific_row_wins(tables_with: TablesWith) -> None:
    rows = [
        {"id": "c-1", "code": "AX", "loinc": "1952-1"},
        {"id": "c-2", "sender_application": "LIS", "code": "AX", "loinc": "1953-9"},
        {"id": "c-3", "sender_application": "LIS", "code": "AX", "unit": "mg/(24.h)", "loinc": "10873-8"},
    ]
    tables = tables_with({"pack/codes": rows})
    assert resolve_code(tables, CodeQuery(local())).row == "c-1"
    assert resolve_code(tables, CodeQuery(local(), applications=("LIS",))).row == "c-2"
    assert resolve_code(tables, CodeQuery(local(), unit="mg/(24.h)", applications=("LIS",))).row == "c-3"
    assert resolve_code(tables, CodeQuery(local(), applications=("OTHER",))).row == "c-1"


def test_any_component_of_the_sender_may_match(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "sender_facility": "1.2.3", "code": "AX", "loinc": "1952-1"}]})
    assert resolve_code(tables, CodeQuery(local(), facilities=("ACME", "1.2.3"))).row == "c"


def test_a_dash_fits_a_blank_only(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "unit": "-", "loinc": "1952-1"}]})
    assert resolve_code(tables, CodeQuery(local())).row == "c"
    assert resolve_code(tables, CodeQuery(local(), unit="mg/L")).loinc is None


def test_a_code_is_exact_and_a_name_is_folded(tables_with: TablesWith) -> None:
    tables = tables_with(
        {"pack/codes": [{"id": "c", "code": "AX", "loinc": "1952-1"}, {"id": "n", "name": "Analyte X", "loinc": "1952-1"}]}
    )
    assert resolve_code(tables, CodeQuery(local("ax"))).loinc is None
    assert resolve_code(tables, CodeQuery(local("9", "  analyte   x "))).row == "n"
    assert resolve_code(tables, CodeQuery(text="ANALYTE X")).row == "n"


def test_a_code_comes_before_a_name(tables_with: TablesWith) -> None:
    tables = tables_with(
        {"pack/codes": [{"id": "c", "code": "AX", "loinc": "1953-9"}, {"id": "n", "name": "Analyte X", "loinc": "1952-1"}]}
    )
    assert resolve_code(tables, CodeQuery(local("AX", "Analyte X"))).row == "c"


def test_a_local_system_that_the_senders_base_was_put_before_is_known(tables_with: TablesWith) -> None:
    tables = tables_with(
        {
            "common/senders": [{"id": "s", "sender_application": "LIS", "local_code_base": "https://a.example/"}],
            "pack/codes": [{"id": "c", "code_system": "99LAB", "code": "AX", "loinc": "1952-1"}],
        }
    )
    assert resolve_code(tables, CodeQuery((Coding("https://a.example/99LAB", "AX"),), applications=("LIS",))).row == "c"


@pytest.mark.parametrize(
    ("specimen", "timing", "unit", "expected"),
    [
        ("serum", "", "mg/L", "1952-1"),
        ("plasma", "", "mg/L", "1952-1"),
        ("urine", "", "ug/L", "1953-9"),
        ("urine", "spot", "mg/L", "1953-9"),
        ("urine", "24h", "mg/L", "54356-1"),
        ("urine", "24h", "mg/(24.h)", "10873-8"),
        ("urine", "", "mg/(24.h)", "10873-8"),
    ],
)
def test_axes_choose_the_loinc_code(tables_with: TablesWith, specimen: str, timing: str, unit: str, expected: str) -> None:
    tables = tables_with({"pack/codes": [ANALYTE_BY_NAME]})
    found = resolve_code(tables, CodeQuery(text="Analyte X", specimen=specimen, timing=timing, unit=unit))
    assert (loinc_of(found), found.row, found.conflicts) == (expected, "c-name", ())


@pytest.mark.parametrize(
    ("specimen", "timing", "unit", "slug"),
    [
        ("", "", "mg/L", "specimen-unknown"),
        ("serum", "", "", "unit-missing"),
        ("serum", "", "mg/mol", "unit-unknown"),
        ("blood", "", "mg/L", "code-unmapped"),
        ("urine", "timed", "mg/L", "code-unmapped"),
        ("serum", "", "nmol/L", "code-unmapped"),
    ],
)
def test_axes_that_do_not_suffice_give_no_loinc_code(
    tables_with: TablesWith, specimen: str, timing: str, unit: str, slug: str
) -> None:
    tables = tables_with({"pack/codes": [ANALYTE_BY_CODE]})
    found = resolve_code(tables, CodeQuery(local(), specimen=specimen, timing=timing, unit=unit))
    assert (found.loinc, found.slug) == (None, slug)


def test_a_code_may_say_the_specimen_itself(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [ANALYTE_BY_CODE | {"specimen": "urine"}]})
    assert loinc_of(resolve_code(tables, CodeQuery(local(), unit="mg/L"))) == "1953-9"
    contradicted = resolve_code(tables, CodeQuery(local(), specimen="serum", unit="mg/L"))
    assert (contradicted.loinc, contradicted.slug) == (None, "code-unmapped")


def test_a_row_with_loinc_and_specimen_wants_the_specimen_sent(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "specimen": "urine", "loinc": "1953-9"}]})
    assert resolve_code(tables, CodeQuery(local())).slug == "code-unmapped"
    assert loinc_of(resolve_code(tables, CodeQuery(local(), specimen="urine"))) == "1953-9"


def test_what_is_excluded_is_left_alone(tables_with: TablesWith) -> None:
    tables = tables_with(
        {
            "pack/codes": [{"id": "c", "code": "AX", "loinc": "1952-1"}],
            "pack/exclusions": [
                {"id": "e-1", "code_system": "LN", "code": "32731-2", "reason": "a fraction"},
                {"id": "e-2", "name": "Analyte X amyloid", "reason": "a stain"},
            ],
        }
    )
    assert resolve_code(tables, CodeQuery((Coding("LN", "32731-2"), *local()))).row == "e-1"
    assert resolve_code(tables, CodeQuery(local("AX", "analyte x AMYLOID"))).slug == "code-excluded"
    assert resolve_code(tables, CodeQuery((Coding("L", "32731-2"),))).slug == ""


def test_codings_that_mean_different_things_give_nothing(tables_with: TablesWith) -> None:
    tables = tables_with(
        {"pack/codes": [{"id": "c-1", "code": "A", "loinc": "1952-1"}, {"id": "c-2", "code": "B", "loinc": "1953-9"}]}
    )
    found = resolve_code(tables, CodeQuery((Coding("L", "A"), Coding("L", "B"))))
    assert (found.loinc, found.slug) == (None, "code-unmapped")


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        (CodeQuery((Coding("LN", "1952-1"),), specimen="urine"), "specimen-conflict"),
        (CodeQuery((Coding("LN", "1953-9"),), timing="24h"), "specimen-conflict"),
        (CodeQuery((Coding("LN", "1952-1"),), unit="nmol/L"), "unit-conflict"),
        (CodeQuery((Coding("LN", "10873-8"),), unit="mg/L"), "unit-conflict"),
        (CodeQuery((Coding("LN", "1952-1"),), unit="g"), "unit-conflict"),
    ],
)
def test_contradictions_are_reported_and_repair_nothing(tables_with: TablesWith, query: CodeQuery, slug: str) -> None:
    found = resolve_code(tables_with(), query)
    assert found.loinc is not None
    assert [name for name, _ in found.conflicts] == [slug]


@pytest.mark.parametrize("specimen", ["serum", "plasma", "serum-plasma", "blood", ""])
def test_specimens_that_do_not_contradict_serum_or_plasma(tables_with: TablesWith, specimen: str) -> None:
    assert resolve_code(tables_with(), CodeQuery((Coding("LN", "1952-1"),), specimen=specimen)).conflicts == ()


def test_a_test_that_no_pack_knows_is_no_issue(tables_with: TablesWith) -> None:
    found = resolve_code(tables_with({"pack/codes": [ANALYTE_BY_NAME]}), CodeQuery(local("K", "Potassium"), "Potassium"))
    assert (found.loinc, found.slug, found.conflicts) == (None, "", ())


def test_a_longer_name_with_a_known_one_in_it_is_an_issue(tables_with: TablesWith) -> None:
    found = resolve_code(tables_with({"pack/codes": [ANALYTE_BY_NAME]}), CodeQuery(text="Analyte X, new method"))
    assert found.slug == "code-unmapped"


def test_a_doubtful_row_says_so(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [{"id": "c", "code": "AX", "loinc": "1952-1", "status": "doubtful"}]})
    assert resolve_code(tables, CodeQuery(local())).doubtful


def test_the_steps_tell_what_was_looked_up(tables_with: TablesWith) -> None:
    tables = tables_with({"pack/codes": [ANALYTE_BY_NAME]})
    found = resolve_code(tables, CodeQuery(local("AX", "Analyte X"), specimen="urine", unit="mg/L"))
    assert [(step.what, step.row) for step in found.steps] == [
        ("local code L|AX", ""),
        ("name 'Analyte X'", "c-name"),
        ("axes x, urine, MCnc, no timing", "ln-2"),
    ]


SHIPPED = load_tables()
words = st.sampled_from(["", "LN", "L", "1952-1", "1953-9", "B2M", "Beta-2 Microglobulin", "serum", "urine", "24h", "mg/L", "x"])


@given(words, words, words, words, words, words)
def test_every_answer_has_a_code_or_is_silent_or_says_why(
    system: str, code: str, name: str, specimen: str, timing: str, unit: str
) -> None:
    found = resolve_code(SHIPPED, CodeQuery((Coding(system, code, name),), name, specimen, timing, unit))
    assert found.loinc is None or (found.slug == "" and found.pack is not None and found.row)
    assert resolve_code(SHIPPED, CodeQuery((Coding(system, code, name),), name, specimen, timing, unit)) == found


def test_every_example_of_the_shipped_packs_gives_its_loinc_code() -> None:
    from adapter.tables.lookups import resolve_specimen, resolve_unit

    examples = [row for pack in SHIPPED.packs.values() for row in pack.examples]
    assert examples
    for row in examples:
        axis, timing = row.specimen, ""
        if row.specimen and row.specimen not in SHIPPED.specimen_axes:
            found = resolve_specimen(SHIPPED, [("HL70487", row.specimen), ("SCT", row.specimen)], [row.specimen])
            axis, timing = found.specimen, found.timing
        sender = ((row.sender_application,), (row.sender_facility,))
        unit = resolve_unit(SHIPPED, row.unit, "", *sender).ucum
        codings = (Coding(row.code_system, row.code, row.name),)
        assert loinc_of(resolve_code(SHIPPED, CodeQuery(codings, row.name, axis, timing, unit, *sender))) == row.expected_loinc, (
            row.id
        )
