"""Units and canonical quantities: exact, with what was sent kept beside."""

from decimal import Decimal
from typing import Any

import pytest
from enrich_examples import RATE, SERUM, URINE, Enrich, Site, context_of, observation, slugs

from adapter.enrich.enricher import Enricher
from adapter.fhir.canonical import TRANSLATION, UCUM


def translations(quantity: dict[str, Any]) -> list[dict[str, Any]]:
    return [extension["valueQuantity"] for extension in quantity.get("extension", []) if extension["url"] == TRANSLATION]


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected", "canonical"),
    [
        (URINE, "300", "ug/L", "0.300", "mg/L"),
        (URINE, "300", "mcg/L", "0.300", "mg/L"),
        (URINE, "300.0", "µg/L", "0.3000", "mg/L"),
        (URINE, "300", "ng/mL", "0.300", "mg/L"),
        (SERUM, "4.20", "ug/mL", "4.20", "mg/L"),
        (SERUM, "4.20", "mcg/mL", "4.20", "mg/L"),
        (SERUM, "0.19", "mg/dL", "1.9", "mg/L"),
        (RATE, "410", "ug/24 h", "0.410", "mg/(24.h)"),
        ("76484-5", "0.180", "umol/L", "180", "nmol/L"),
    ],
)
def test_a_value_is_converted_with_its_digits(
    enrich: Enrich, code: str, value: str, unit: str, expected: str, canonical: str
) -> None:
    resource = observation(code, value, unit)
    enrich(resource)
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["unit"], quantity["system"], quantity["code"]) == (
        expected,
        canonical,
        UCUM,
        canonical,
    )
    assert translations(quantity) == [{"value": Decimal(value), "unit": unit}]


def test_a_value_in_the_canonical_unit_only_gets_its_code(enrich: Enrich) -> None:
    resource = observation(SERUM, "4.20", "mg/l")
    enrich(resource)
    assert resource["valueQuantity"] == {"value": Decimal("4.20"), "unit": "mg/l", "system": UCUM, "code": "mg/L"}
    assert str(resource["valueQuantity"]["value"]) == "4.20"


def test_upper_case_milligrams_are_no_megagauss(enrich: Enrich) -> None:
    resource = observation()
    sent = {"value": Decimal("2.0"), "unit": "MG/L", "system": UCUM, "code": "MG/L"}
    resource["valueQuantity"] = sent
    enrich(resource)
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["code"]) == ("2.0", "mg/L")
    assert translations(quantity) == [sent]


def test_a_unit_of_another_code_system_is_kept_as_translation(enrich: Enrich) -> None:
    sent = {"value": Decimal("2.0"), "unit": "mg/L", "system": "urn:example:units", "code": "17"}
    resource = {**observation(), "valueQuantity": sent}
    enrich(resource)
    quantity = resource["valueQuantity"]
    assert (quantity["system"], quantity["code"]) == (UCUM, "mg/L")
    assert translations(quantity) == [sent]


def test_comparator_and_foreign_extensions_stay(enrich: Enrich) -> None:
    foreign = {"url": "urn:example:precision", "valueString": "low"}
    resource = observation(URINE)
    resource["valueQuantity"] = {"extension": [foreign], "value": Decimal(50), "comparator": "<", "unit": "ug/L"}
    enrich(resource)
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["comparator"], quantity["extension"][0]) == ("0.050", "<", foreign)
    assert translations(quantity) == [{"value": Decimal(50), "comparator": "<", "unit": "ug/L"}]


def test_an_integer_of_json_is_converted_too(enrich: Enrich) -> None:
    resource = observation(URINE, unit="ug/L")
    resource["valueQuantity"]["value"] = 300
    enrich(resource)
    assert str(resource["valueQuantity"]["value"]) == "0.300"


def test_as_sent_keeps_the_value_and_puts_the_canonical_one_beside(enricher_as_sent: Enricher) -> None:
    resource = observation(URINE, "300", "mcg/L", "0-300")
    enricher_as_sent.enrich(context_of(resource))
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["unit"], quantity["code"]) == ("300", "mcg/L", "ug/L")
    assert [(str(one["value"]), one["code"]) for one in translations(quantity)] == [("0.300", "mg/L")]
    assert resource["referenceRange"][0]["text"] == "0-300"
    assert resource["referenceRange"][0]["high"]["code"] == "ug/L"


def test_the_canonical_value_swaps_places_with_its_translation(enricher_as_sent: Enricher, enrich: Enrich) -> None:
    resource = observation(URINE, "300", "ug/L")
    enricher_as_sent.enrich(context_of(resource))
    enrich(resource)
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["code"]) == ("0.300", "mg/L")
    assert [(str(one["value"]), one["code"]) for one in translations(quantity)] == [("300", "ug/L")]


@pytest.mark.parametrize(
    ("code", "unit"), [(SERUM, "nmol/L"), ("76484-5", "mg/L"), (SERUM, "IU/L"), ("39773-7", "ug/g{creat}"), (RATE, "mg/L")]
)
def test_another_kind_of_quantity_is_never_converted(enrich: Enrich, code: str, unit: str) -> None:
    resource = observation(code, "180", unit)
    enrich(resource)
    assert resource["valueQuantity"] == {"value": Decimal(180), "unit": unit}


def test_arbitrary_units_never_convert(enrich: Enrich) -> None:
    resource = observation("83076-0", "1500", "IU/L")
    assert slugs(enrich(resource)) == {"unit-not-convertible"}
    assert str(resource["valueQuantity"]["value"]) == "1500"
    assert resource["valueQuantity"]["code"] == "[IU]/L"
    assert translations(resource["valueQuantity"]) == []


@pytest.mark.parametrize("unit", ["Mg/L", "ug/24.h", "zorkmid"])
def test_a_unit_that_is_not_known_leaves_value_and_range_alone(enrich: Enrich, unit: str) -> None:
    resource = observation(SERUM, "3.0", unit, "0.6-2.4")
    assert slugs(enrich(resource)) == {"unit-unknown"}
    assert resource["valueQuantity"] == {"value": Decimal("3.0"), "unit": unit}
    assert "interpretation" not in resource


def test_a_result_without_unit_is_not_judged(enrich: Enrich) -> None:
    resource = observation(SERUM, "3.0", "", "0.6-2.4 mg/L")
    assert slugs(enrich(resource)) == {"unit-missing"}
    assert resource["valueQuantity"] == {"value": Decimal("3.0")}
    assert "interpretation" not in resource


def test_the_senders_row_may_give_the_unit_of_blank_ones(site: Site) -> None:
    enricher = site(senders=[{"sender_application": "LAB", "blank_unit": "ug/L"}])
    resource = observation(URINE, "300", "", "<=300")
    enricher.enrich(context_of(resource, sender_application=("LAB",)))
    quantity = resource["valueQuantity"]
    assert (str(quantity["value"]), quantity["code"]) == ("0.300", "mg/L")
    assert translations(quantity) == [{"value": Decimal(300)}]
    assert resource["referenceRange"][0]["text"] == "<=300 ug/L"


@pytest.mark.parametrize("value", ["1E+999999", "1E-999999", "9" * 60])
def test_a_number_beyond_every_measurement_is_kept_and_costs_nothing(enrich: Enrich, value: str) -> None:
    resource = observation(URINE, value, "ug/L", "0-300")
    before = dict(resource)
    assert slugs(enrich(resource)) == {"value-implausible"}
    assert resource == before


def test_both_ends_of_a_value_range_are_converted(enrich: Enrich) -> None:
    resource = observation(URINE, None)
    resource["valueRange"] = {"low": {"value": Decimal(100), "unit": "ug/L"}, "high": {"value": Decimal(200), "unit": "ug/L"}}
    enrich(resource)
    assert [str(resource["valueRange"][name]["value"]) for name in ("low", "high")] == ["0.100", "0.200"]
    assert translations(resource["valueRange"]["low"]) == [{"value": Decimal(100), "unit": "ug/L"}]


def test_words_stay_words(enrich: Enrich) -> None:
    resource = {**observation(SERUM, None), "valueString": "hemolysed"}
    assert enrich(resource) == []
    assert resource["valueString"] == "hemolysed"


def test_a_missing_value_has_a_reason(enrich: Enrich) -> None:
    resource = observation(SERUM, None)
    assert slugs(enrich(resource)) == {"value-missing"}
    assert resource["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_reason_that_was_sent_stays(enrich: Enrich) -> None:
    reason = {"text": "tube broken"}
    resource = {**observation(SERUM, None), "dataAbsentReason": reason}
    enrich(resource)
    assert resource["dataAbsentReason"] is reason
