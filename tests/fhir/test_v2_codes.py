"""Codes of the HL7 v2 tables in FHIR R4."""

import pytest

from adapter.fhir.v2_codes import V2_TABLE, has_code, may_claim
from adapter.tables.load import load_tables


@pytest.mark.parametrize(
    ("table", "code", "answer"),
    [
        ("0203", "MR", True),
        ("0203", "mr", False),
        ("0203", "PGN", False),
        ("0305", "BED", False),
        ("0937", "X", None),
        ("0006", "CHR", None),
    ],
)
def test_r4_says_which_codes_a_table_has(table, code, answer):
    assert has_code(table, code) is answer


def test_a_table_may_be_claimed_for_its_codes_and_where_r4_does_not_say():
    assert may_claim(V2_TABLE + "0203", "MR")
    assert may_claim(V2_TABLE + "0937", "X")
    assert not may_claim(V2_TABLE + "0203", "PGN")


def test_a_coding_without_code_may_name_its_table():
    assert may_claim(V2_TABLE + "0203", "")


def test_other_systems_are_not_judged():
    assert may_claim("http://loinc.org", "no code")


def test_every_target_in_a_hl7_table_is_one_of_its_codes():
    rows = [row for rows in load_tables().vocabulary.values() for row in rows.values() if row.system and row.target]
    assert [(row.id, row.target) for row in rows if not may_claim(row.system, row.target)] == []
