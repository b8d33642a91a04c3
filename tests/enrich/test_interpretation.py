"""The laboratory's flag stands; a computed one fills the gap, marked; disagreement is reported."""

from decimal import Decimal
from typing import Any

import pytest
from enrich_examples import SERUM, URINE, Enrich, codes_of, flag, observation, slugs

from adapter.enrich.mark import is_marked


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("2.45", "0.6-2.4", "H"),
        ("2.45", "≤2.51", "N"),
        ("2.51", "≤2.51", "N"),
        ("2.52", "≤2.51", "H"),
        ("0.6", "0.6-2.4", "N"),
        ("0.59", "0.6-2.4", "L"),
        ("2.4", "0.6-2.4", "N"),
        ("2.40", "0.6-2.4", "N"),
        ("2.4", "<2.4", "H"),
        ("2.39", "<2.4", "N"),
        ("2.4", "0.6 - <2.4", "H"),
        ("1", ">1", "L"),
        ("1", ">=1", "N"),
    ],
)
def test_value_and_range_give_the_flag(enrich: Enrich, value: str, text: str, expected: str) -> None:
    resource = observation(SERUM, value, "mg/L", text)
    assert slugs(enrich(resource)) == {"flag-computed"}
    assert codes_of(resource) == [expected]


def test_a_computed_flag_is_marked_and_says_so(enrich: Enrich) -> None:
    resource = observation(SERUM, "2.5", "mg/L", "0.6-2.4")
    enrich(resource)
    (concept,) = resource["interpretation"]
    assert is_marked(concept)
    assert concept["coding"][0]["display"] == "High"
    assert "computed" in concept["text"]


@pytest.mark.parametrize(
    ("comparator", "value", "text", "expected"),
    [
        ("<", "0.5", "0.6-2.4", ["L"]),
        ("<", "0.6", "0.6-2.4", ["L"]),
        ("<=", "0.6", "0.6-2.4", []),
        ("<", "1.0", "0.6-2.4", []),
        ("<", "2.0", "≤2.4", ["N"]),
        ("<", "2.0", "0-2.4", ["N"]),
        ("<", "2.4", "<2.4", ["N"]),
        ("<=", "2.4", "<2.4", []),
        ("<", "3.0", "≤2.4", []),
        (">", "2.4", "0.6-2.4", ["H"]),
        (">", "2.5", "≤2.4", ["H"]),
        (">=", "2.4", "0.6-2.4", []),
        (">=", "2.4", "<2.4", ["H"]),
        (">", "2.0", "0.6-2.4", []),
        (">", "2.0", ">=1", ["N"]),
        (">=", "1", ">1", []),
    ],
)
def test_off_scale_results_are_judged_only_where_the_bound_decides(
    enrich: Enrich, comparator: str, value: str, text: str, expected: list[str]
) -> None:
    resource = observation(SERUM, value, "mg/L", text)
    resource["valueQuantity"]["comparator"] = comparator
    enrich(resource)
    assert codes_of(resource) == expected


@pytest.mark.parametrize("sent", ["H", "HH", "HU", "A", "AA", "N", "L", "LL"])
def test_a_sent_flag_is_never_replaced_nor_doubled(enrich: Enrich, sent: str) -> None:
    for value in ("0.2", "2.0", "3.0"):
        resource = {**observation(SERUM, value, "mg/L", "0.6-2.4"), "interpretation": flag(sent)}
        enrich(resource)
        assert codes_of(resource) == [sent]


@pytest.mark.parametrize(
    ("sent", "value", "conflict"),
    [
        ("H", "3.0", False),
        ("HH", "3.0", False),
        ("A", "3.0", False),
        ("A", "0.2", False),
        ("AA", "3.0", False),
        ("LL", "0.2", False),
        ("N", "2.0", False),
        ("N", "3.0", True),
        ("N", "0.2", True),
        ("H", "2.0", True),
        ("H", "0.2", True),
        ("L", "3.0", True),
        ("LL", "3.0", True),
        ("A", "2.0", True),
        (">", "2.0", False),
        ("POS", "2.0", False),
    ],
)
def test_agreement_is_what_the_table_says(enrich: Enrich, sent: str, value: str, conflict: bool) -> None:
    resource = {**observation(SERUM, value, "mg/L", "0.6-2.4"), "interpretation": flag(sent)}
    assert ("flag-conflict" in slugs(enrich(resource))) is conflict


def test_order_and_number_of_sent_flags_stay(enrich: Enrich) -> None:
    sent = flag("H", "HH", "U")
    resource = {**observation(SERUM, "9.0", "mg/L", "0.6-2.4"), "interpretation": sent}
    enrich(resource)
    assert resource["interpretation"] == sent


@pytest.mark.parametrize("sent", ["U", "W", ">"])
def test_a_flag_of_another_category_leaves_room_for_one_computed_flag(enrich: Enrich, sent: str) -> None:
    resource = {**observation(SERUM, "3.0", "mg/L", "0.6-2.4"), "interpretation": flag(sent)}
    enrich(resource)
    assert codes_of(resource) == [sent, "H"]


@pytest.mark.parametrize(
    "concept", [{"text": "hoch"}, {"coding": [{"code": "H"}]}, {"coding": [{"system": "urn:x", "code": "!"}]}]
)
def test_nothing_is_computed_beside_a_flag_that_is_not_known(enrich: Enrich, concept: dict[str, Any]) -> None:
    resource = {**observation(SERUM, "3.0", "mg/L", "0.6-2.4"), "interpretation": [concept]}
    enrich(resource)
    assert resource["interpretation"] == [concept]


def test_the_older_uri_of_table_0078_is_understood(enrich: Enrich) -> None:
    sent = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0078", "code": "N"}]}]
    resource = {**observation(SERUM, "3.0", "mg/L", "0.6-2.4"), "interpretation": sent}
    assert "flag-conflict" in slugs(enrich(resource))
    assert resource["interpretation"] == sent


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error"])
def test_a_result_that_is_not_there_or_was_taken_back_is_not_judged(enrich: Enrich, status: str) -> None:
    resource = {**observation(SERUM, "3.0", "mg/L", "0.6-2.4"), "status": status}
    enrich(resource)
    assert "interpretation" not in resource


@pytest.mark.parametrize("status", ["preliminary", "final", "amended", "corrected", "unknown"])
def test_other_results_are_judged(enrich: Enrich, status: str) -> None:
    resource = {**observation(SERUM, "3.0", "mg/L", "0.6-2.4"), "status": status}
    enrich(resource)
    assert codes_of(resource) == ["H"]


def test_no_critical_flag_is_ever_computed(enrich: Enrich) -> None:
    resource = observation(SERUM, "100", "mg/L", "0.6-2.4")
    enrich(resource)
    assert codes_of(resource) == ["H"]


def test_it_is_judged_in_the_units_as_sent(enrich: Enrich) -> None:
    resource = observation(URINE, "300.4", "ug/L", "0-300")
    enrich(resource)
    assert codes_of(resource) == ["H"]
    assert resource["valueQuantity"]["value"] == Decimal("0.3004")


def test_without_a_range_nothing_is_judged(enrich: Enrich) -> None:
    resource = observation(SERUM, "30")
    assert enrich(resource) == []
    assert "interpretation" not in resource
