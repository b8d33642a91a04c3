"""Ranges that were sent: verbatim, bounds only when certain, together with the value or not at all."""

from decimal import Decimal
from typing import Any

import pytest
from enrich_examples import SERUM, URINE, Enrich, codes_of, observation, slugs

from adapter.fhir.canonical import TRANSLATION, UCUM


def bounds(resource: dict[str, Any]) -> tuple[str | None, str | None, str]:
    (element,) = resource["referenceRange"]
    low, high = (str(element[name]["value"]) if name in element else None for name in ("low", "high"))
    return low, high, element.get("text", "")


@pytest.mark.parametrize(
    ("code", "unit", "text", "expected"),
    [
        (SERUM, "mg/L", "0.6-2.4", ("0.6", "2.4", "0.6-2.4")),
        (SERUM, "mg/L", "≤2.51", (None, "2.51", "≤2.51")),
        (SERUM, "mg/L", "0.60 - 2.40 mg/L", ("0.60", "2.40", "0.60 - 2.40 mg/L")),
        (SERUM, "mcg/mL", "1.21-2.70", ("1.21", "2.70", "1.21-2.70 mcg/mL")),
        (URINE, "ug/L", "0-300", ("0.000", "0.300", "0-300 ug/L")),
        (URINE, "mcg/L", "≤300 mcg/L", (None, "0.300", "≤300 mcg/L")),
        (URINE, "mg/L", "0-300 ug/L", ("0.000", "0.300", "0-300 ug/L")),
        (URINE, "ug/L", "0-0.3 mg/L", ("0", "0.3", "0-0.3 mg/L")),
    ],
)
def test_bounds_follow_the_value_and_the_text_names_the_unit_as_sent(
    enrich: Enrich, code: str, unit: str, text: str, expected: tuple[str | None, str | None, str]
) -> None:
    resource = observation(code, "0.2" if unit == "mg/L" else "2", unit, text)
    enrich(resource)
    assert bounds(resource) == expected
    assert all(
        resource["referenceRange"][0][name]["code"] == "mg/L" for name in ("low", "high") if name in resource["referenceRange"][0]
    )


@pytest.mark.parametrize(("text", "written"), [("<300", "<300 ug/L"), ("50 - <300", "50 - <300 ug/L"), (">50", ">50 ug/L")])
def test_an_exclusive_bound_stays_text(enrich: Enrich, text: str, written: str) -> None:
    resource = observation(URINE, "100", "ug/L", text)
    enrich(resource)
    assert resource["referenceRange"] == [{"text": written}]


@pytest.mark.parametrize("text", ["see report", "0,6 - 2,4", "M: 1-2 F: 3-4", "<300 optimal", "0-300 ug/g", "0-300 zorkmid/L"])
def test_a_range_that_cannot_be_read_keeps_the_value_as_sent(enrich: Enrich, text: str) -> None:
    resource = observation(URINE, "250", "ug/L", text)
    assert slugs(enrich(resource)) == {"range-unreadable"}
    assert resource["referenceRange"] == [{"text": text}]
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["unit"], quantity["code"]) == ("250", "ug/L", "ug/L")
    (translation,) = quantity["extension"]
    assert (translation["url"], str(translation["valueQuantity"]["value"])) == (TRANSLATION, "0.250")
    assert "interpretation" not in resource


@pytest.mark.parametrize(
    ("value", "unit", "text"), [("0.25", "mg/L", "0-300"), ("250", "ug/L", "0-0.3"), ("2.0", "mg/L", "600-2400")]
)
def test_a_range_of_another_order_of_magnitude_is_kept_and_not_used(enrich: Enrich, value: str, unit: str, text: str) -> None:
    resource = observation(SERUM if value == "2.0" else URINE, value, unit, text)
    assert slugs(enrich(resource)) == {"range-implausible"}
    assert resource["referenceRange"] == [{"text": text}]
    assert str(resource["valueQuantity"]["value"]) == value
    assert "interpretation" not in resource


def test_a_value_of_another_order_of_magnitude_is_kept_and_not_judged(enrich: Enrich) -> None:
    resource = observation(SERUM, "2000", "mg/L", "0.6-2.4")
    assert slugs(enrich(resource)) == {"value-implausible"}
    assert str(resource["valueQuantity"]["value"]) == "2000"
    assert "interpretation" not in resource


def test_sent_bounds_without_text_keep_what_was_sent_as_translation(enrich: Enrich) -> None:
    resource = observation(URINE, "100", "ug/L")
    high = {"value": Decimal(300), "unit": "ug/L"}
    resource["referenceRange"] = [{"high": high}]
    enrich(resource)
    element = resource["referenceRange"][0]
    assert (str(element["high"]["value"]), element["high"]["code"]) == ("0.300", "mg/L")
    assert element["high"]["extension"][0]["valueQuantity"] == high
    assert "text" not in element
    assert codes_of(resource) == ["N"]


def test_sent_bounds_without_unit_are_in_the_unit_of_the_value(enrich: Enrich) -> None:
    resource = observation(SERUM, "2.5", "mg/L")
    resource["referenceRange"] = [{"low": {"value": Decimal("0.6")}, "high": {"value": Decimal("2.4")}}]
    enrich(resource)
    assert resource["referenceRange"][0]["high"] == {"value": Decimal("2.4"), "unit": "mg/L", "system": UCUM, "code": "mg/L"}
    assert codes_of(resource) == ["H"]


@pytest.mark.parametrize(
    "element",
    [
        {"low": {"value": Decimal(0)}, "high": {"value": Decimal("0.3")}, "text": "0-300"},
        {"low": {"value": Decimal("2.4")}, "high": {"value": Decimal("0.6")}},
        {"high": {"value": Decimal("2.4"), "unit": "nmol/L"}},
    ],
)
def test_bounds_that_contradict_the_text_or_each_other_are_not_used(enrich: Enrich, element: dict[str, Any]) -> None:
    resource = {**observation(URINE, "100", "ug/L"), "referenceRange": [element]}
    assert slugs(enrich(resource)) == {"range-unreadable"}
    assert resource["referenceRange"] == [element]
    assert "interpretation" not in resource


def test_several_ranges_are_converted_and_none_is_judged(enrich: Enrich) -> None:
    resource = observation(URINE, "400", "ug/L")
    resource["referenceRange"] = [
        {"appliesTo": [{"text": "male"}], "text": "0-300"},
        {"appliesTo": [{"text": "female"}], "text": "0-250"},
    ]
    enrich(resource)
    assert [element["text"] for element in resource["referenceRange"]] == ["0-300 ug/L", "0-250 ug/L"]
    assert "interpretation" not in resource


@pytest.mark.parametrize(
    "more",
    [
        {"appliesTo": [{"text": "pregnant"}]},
        {"age": {"low": {"value": Decimal(18)}}},
        {"type": {"coding": [{"code": "therapeutic"}]}},
    ],
)
def test_a_range_for_some_or_for_treatment_is_not_judged(enrich: Enrich, more: dict[str, Any]) -> None:
    resource = {**observation(SERUM, "9.0"), "referenceRange": [{"text": "0.6-2.4", **more}]}
    enrich(resource)
    assert "interpretation" not in resource
    assert str(resource["referenceRange"][0]["high"]["value"]) == "2.4"


def test_a_unit_of_several_words_behind_the_bounds_is_the_unit_of_the_result(enrich: Enrich) -> None:
    resource = observation("13485-8", "310", "ug/g creat", "0-300 ug/g creat")
    enrich(resource)
    assert codes_of(resource) == ["H"]
    assert resource["referenceRange"][0]["text"] == "0-300 ug/g creat"
