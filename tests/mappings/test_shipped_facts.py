"""What the shipped tables must say, whoever edits them: one fact a test."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

MAPPINGS = Path(__file__).parents[2] / "mappings"


def rows(name: str) -> list[dict[str, str]]:
    with (MAPPINGS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


UNITS = {row["spelling"]: row["ucum"] for row in rows("common/units.csv")}
REFUSED = {row["spelling"] for row in rows("common/units_refused.csv")}
RANGES = rows("b2m/ranges.csv")


@pytest.mark.parametrize(
    ("spelling", "ucum"),
    [
        ("MG/L", "mg/L"),
        ("mcg/mL", "ug/mL"),
        ("\u00b5g/L", "ug/L"),
        ("\u03bcg/L", "ug/L"),
        ("\u00c2\u00b5g/L", "ug/L"),
        ("ug/24 h", "ug/(24.h)"),
        ("kIU/L", "k[IU]/L"),
    ],
)
def test_spelling_means(spelling: str, ucum: str) -> None:
    assert UNITS[spelling] == ucum


@pytest.mark.parametrize("spelling", ["ug/24.h", "mg/24.h", "G/L", "G/l", "MU/L", "?g/L", "\ufffdg/L", "AU/ml", "MLMIN"])
def test_spelling_of_doubtful_meaning_is_refused(spelling: str) -> None:
    assert spelling in REFUSED


def test_no_spelling_is_translated_and_refused() -> None:
    assert not REFUSED & set(UNITS)


def test_every_result_status_of_hl7_has_a_fhir_status() -> None:
    targets = {row["code"]: row["target"] for row in rows("common/tables/0085.csv")}
    assert set(targets) >= set("ABCDFINOPRSUVWX*")
    assert targets["X"] == "cancelled" and targets["*"] == "unknown"


def test_unverified_range_is_doubtful_and_no_default() -> None:
    unverified = [row for row in RANGES if row["certainty"] == "U"]
    assert unverified
    assert all(row["status"] == "doubtful" and row["default"] == "no" for row in unverified)


def test_doubtful_range_is_no_default() -> None:
    assert all(row["default"] == "no" for row in RANGES if row["status"] == "doubtful")


def test_range_of_a_publication_is_no_default() -> None:
    publications = {row["laboratory"] for row in rows("common/laboratories.csv") if row["identifier_system"] == "publication"}
    assert {"pagana", "city-of-hope"} <= publications
    assert all(row["default"] == "no" for row in RANGES if row["laboratory"] in publications)


def test_publication_has_no_name_that_a_message_could_send() -> None:
    assert all(not row["name"] for row in rows("common/laboratories.csv") if row["identifier_system"] == "publication")


@pytest.mark.parametrize(
    ("specimen", "property_name", "wrong_by_1000"),
    [
        ("serum-plasma", "MCnc", "2000"),
        ("serum-plasma", "MCnc", "0.002"),
        ("urine", "MCnc", "300"),
        ("urine", "MCnc", "0.0003"),
        ("urine", "MRat", "370"),
        ("urine", "MRto", "300000"),
        ("csf", "MCnc", "1100"),
        ("csf", "MCnc", "0.0011"),
    ],
)
def test_window_catches_a_usual_value_wrong_by_a_thousand(specimen: str, property_name: str, wrong_by_1000: str) -> None:
    [window] = [row for row in rows("b2m/windows.csv") if (row["specimen"], row["property"]) == (specimen, property_name)]
    assert not Decimal(window["low"]) <= Decimal(wrong_by_1000) <= Decimal(window["high"])


def test_name_without_specimen_gives_no_loinc() -> None:
    generic = [row for row in rows("b2m/codes.csv") if row["id"].startswith("code-name-")]
    assert generic
    assert all(row["analyte"] and not row["loinc"] and not row["specimen"] for row in generic)


def test_no_excluded_code_is_a_code_of_the_pack() -> None:
    pack = {row["loinc"] for row in rows("b2m/loinc.csv")}
    excluded = {row["code"] for row in rows("b2m/exclusions.csv") if row["code_system"] == "http://loinc.org"}
    assert not pack & excluded


def test_arbitrary_units_are_never_chosen_by_axes() -> None:
    assert all(row["default"] == "no" for row in rows("b2m/loinc.csv") if row["property"] == "ACnc")
