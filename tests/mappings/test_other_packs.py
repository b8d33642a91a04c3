"""Albumin and creatinine: packs that are folders of tables and nothing else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from helpers.commands import convert_command

from adapter.enrich.filter import Filter
from adapter.tables.index import Tables
from adapter.tables.load import load_tables
from adapter.tables.resolve import CodeQuery, Coding, resolve_code

ROOT = Path(__file__).parents[2]
NEW = ("albumin", "creatinine")


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def test_the_engine_does_not_name_them() -> None:
    texts = [path.read_text(encoding="utf-8").lower() for path in (ROOT / "adapter").rglob("*.py")]
    codes = ("1751-7", "54347-0", "2160-0", "14682-9", "2161-8", "14683-7")
    assert not [code for code in codes for text in texts if code in text]


@pytest.mark.parametrize("pack", NEW)
def test_pack_has_its_own_analyte_examples_and_windows(tables: Tables, pack: str) -> None:
    found = tables.packs[pack]
    assert set(found.analytes) == {pack}
    assert found.examples
    assert all(found.window(row) is not None for row in found.loinc.values())


@pytest.mark.parametrize("pack", NEW)
def test_no_range_without_a_source(tables: Tables, pack: str) -> None:
    assert not tables.packs[pack].ranges


@pytest.mark.parametrize("pack", NEW)
def test_mass_and_moles_are_separate_codes(tables: Tables, pack: str) -> None:
    for row in tables.packs[pack].loinc.values():
        assert ("mol" in row.canonical_unit) == (row.property == "SCnc")


def test_molar_factors_follow_from_the_molar_mass(tables: Tables) -> None:
    """Creatinine, 113.12 g/mol: 1 mg/dL is 10 mg/L, 10000 ug/L."""
    factor = tables.packs["creatinine"].conversions["creatinine", "mg/dL", "umol/L"].factor
    assert abs(factor - Decimal(10000) / Decimal("113.12")) < Decimal("0.00001")


@pytest.mark.parametrize("name", ["Albumin", "Creatinine", "Creatinine clearance", "Albumin/Creatinine ratio"])
def test_a_name_alone_is_none_of_their_results(tables: Tables, name: str) -> None:
    """An electrophoresis reports its fraction as `Albumin`; `Creatinine` stands in the names of clearances and ratios."""
    found = resolve_code(tables, CodeQuery((Coding("L", "1", name),), name, "serum", "", "g/dL"))
    assert (found.loinc, found.slug) == (None, "")


def test_a_result_of_no_pack_is_still_left_alone(tables: Tables) -> None:
    sodium = {"coding": [{"system": "http://loinc.org", "code": "2951-2", "display": "Sodium"}], "text": "Sodium"}
    assert not Filter(tables).passes(sodium)


def test_only_one_pack_is_chosen_by_only() -> None:
    message = (
        "MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1\rPID|1||1^^^HOSPITAL||TEST^PATIENT\rOBR|1||7|1^Panel^L\r"
        "OBX|1|NM|2160-0^Creatinine^LN||1.02|mg/dL|||||F\r"
    )
    for pack, lines in (("creatinine", 1), ("albumin", 0), ("b2m", 0)):
        done = convert_command("--quiet", "--only", pack, stdin=message.encode())
        assert len(done.lines) == lines, pack
