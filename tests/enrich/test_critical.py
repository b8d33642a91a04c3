"""Critical limits come from a site only; ranges of values and ratios are judged where units and bounds decide."""

from decimal import Decimal
from typing import Any

import pytest
from enrich_examples import SERUM, URINE, Enrich, Site, codes_of, context_of, flag, observation, slugs

from adapter.enrich.mark import is_marked
from adapter.tables.index import Tables

LIMITS = {"loinc": SERUM, "low": "0.5", "high": "20", "unit": "mg/L"}


def judged(site: Site, resource: dict[str, Any], *rows: dict[str, str], **context: Any) -> set[str]:
    return slugs(site(critical=list(rows)).enrich(context_of(resource, **context)))


def test_none_are_shipped(tables: Tables) -> None:
    assert all(not pack.critical and not pack.variation and not pack.iss_context for pack in tables.packs.values())


@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [
        ("19.9", "mg/L", "H"),
        ("20", "mg/L", "HH"),
        ("20.0", "ug/mL", "HH"),
        ("2", "mg/dL", "HH"),
        ("25", "mg/L", "HH"),
        ("0.51", "mg/L", "L"),
        ("0.5", "mg/L", "LL"),
        ("500", "ug/L", "LL"),
        ("2.0", "mg/L", "N"),
    ],
)
def test_a_value_that_reaches_a_limit_is_critical(site: Site, value: str, unit: str, code: str) -> None:
    resource = observation(SERUM, value, unit, "0.8-2.2")
    assert ("critical-value" in judged(site, resource, LIMITS)) is (code in ("LL", "HH"))
    assert codes_of(resource) == [code]


def test_it_is_marked_with_the_row_and_needs_no_range(site: Site) -> None:
    resource = observation(SERUM, "25", "mg/L")
    judged(site, resource, LIMITS)
    (concept,) = resource["interpretation"]
    parts = {part["url"]: part for part in concept["extension"][0]["extension"]}
    assert is_marked(concept)
    assert (parts["rule"]["valueCode"], parts["row"]["valueString"]) == ("interpretation-critical", "test-critical-0")
    assert concept["text"] == "Critical high (computed from value and critical limit)"


@pytest.mark.parametrize(("sent", "conflict"), [("H", False), ("HH", False), ("A", False), ("N", True), ("L", True)])
def test_the_flag_that_was_sent_stands(site: Site, sent: str, conflict: bool) -> None:
    resource = {**observation(SERUM, "25", "mg/L", "0.8-2.2"), "interpretation": flag(sent)}
    found = judged(site, resource, LIMITS)
    assert codes_of(resource) == [sent]
    assert "critical-value" in found
    assert ("flag-conflict" in found) is conflict


@pytest.mark.parametrize(
    ("comparator", "value", "codes"), [(">", "20", ["HH"]), (">", "10", ["H"]), ("<", "0.5", ["LL"]), ("<", "0.7", ["L"])]
)
def test_an_off_scale_result_is_critical_where_its_bound_decides(
    site: Site, comparator: str, value: str, codes: list[str]
) -> None:
    resource = observation(SERUM, value, "mg/L", "0.8-2.2")
    resource["valueQuantity"]["comparator"] = comparator
    judged(site, resource, LIMITS)
    assert codes_of(resource) == codes


@pytest.mark.parametrize(("name", "codes"), [("Labcorp", ["HH"]), ("Elsewhere", ["H"])])
def test_the_limits_of_one_laboratory_are_not_those_of_another(site: Site, name: str, codes: list[str]) -> None:
    resource = observation(SERUM, "25", "mg/L", "0.8-2.2")
    judged(site, resource, {**LIMITS, "laboratory": "labcorp"}, organizations=[{"name": name}])
    assert codes_of(resource) == codes


def test_the_row_of_the_laboratory_is_stronger_than_the_row_of_the_site(site: Site) -> None:
    resource = observation(SERUM, "25", "mg/L", "0.8-2.2")
    judged(site, resource, LIMITS, {**LIMITS, "laboratory": "labcorp", "high": "40"}, organizations=[{"name": "Labcorp"}])
    assert codes_of(resource) == ["H"]


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error"])
def test_a_result_that_is_not_there_is_not_critical(site: Site, status: str) -> None:
    resource = {**observation(SERUM, "25", "mg/L"), "status": status}
    assert judged(site, resource, LIMITS) == set()


def test_a_component_is_judged_too(site: Site) -> None:
    part = observation(SERUM, "25", "mg/L", "0.8-2.2")
    component = {name: part[name] for name in ("code", "valueQuantity", "referenceRange")}
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "panel"}, "component": [component]}
    judged(site, resource, LIMITS)
    assert codes_of(resource["component"][0]) == ["HH"]


def spread(low: str | None, high: str | None, unit: str = "mg/L", text: str = "0.8-2.2") -> dict[str, Any]:
    ends = {"low": low, "high": high}
    value = {name: {"value": Decimal(end), "unit": unit} for name, end in ends.items() if end is not None}
    return {**observation(SERUM, None, text=text), "valueRange": value}


@pytest.mark.parametrize(
    ("low", "high", "codes"),
    [
        ("2.3", "3.0", ["H"]),
        ("1.0", "2.0", ["N"]),
        ("0.8", "2.2", ["N"]),
        ("0.2", "0.5", ["L"]),
        ("2.0", "3.0", []),
        ("0.2", "3.0", []),
        ("3.0", None, ["H"]),
        ("1.0", None, []),
        (None, "0.5", ["L"]),
        (None, "2.0", []),
    ],
)
def test_a_range_of_values_is_judged_where_both_ends_agree(
    enrich: Enrich, low: str | None, high: str | None, codes: list[str]
) -> None:
    resource = spread(low, high)
    enrich(resource)
    assert codes_of(resource) == codes


def test_a_range_of_values_and_its_reference_range_are_converted_together(enrich: Enrich) -> None:
    resource = {**spread("2300", "3000", "ug/L", "800-2200")}
    enrich(resource)
    assert [str(resource["valueRange"][end]["value"]) for end in ("low", "high")] == ["2.300", "3.000"]
    assert resource["referenceRange"][0]["text"] == "800-2200 ug/L"
    assert str(resource["referenceRange"][0]["high"]["value"]) == "2.200"
    assert codes_of(resource) == ["H"]


def test_a_range_of_values_whose_reference_range_is_unreadable_stays_as_sent(enrich: Enrich) -> None:
    resource = spread("2300", "3000", "ug/L", "see report")
    enrich(resource)
    assert [str(resource["valueRange"][end]["value"]) for end in ("low", "high")] == ["2300", "3000"]
    assert codes_of(resource) == []


def ratio(above: str, below: str, units: tuple[str, str], text: str = "", **more: Any) -> dict[str, Any]:
    parts = {"numerator": (above, units[0]), "denominator": (below, units[1])}
    ucum = "http://unitsofmeasure.org"
    value = {
        name: {"value": Decimal(number), **({"unit": unit, "system": ucum, "code": unit} if unit else {})}
        for name, (number, unit) in parts.items()
    }
    return {**observation("13485-8", None, text=text), "valueRatio": value, **more}


@pytest.mark.parametrize(
    ("above", "below", "units", "text", "codes"),
    [
        ("350", "1", ("ug", "g{creat}"), "0-300 ug/g{creat}", ["H"]),
        ("300", "1", ("ug", "g{creat}"), "0-300 ug/g{creat}", ["N"]),
        ("700", "2", ("ug", "g{creat}"), "0-300 ug/g{creat}", ["H"]),
        ("1", "3", ("mg", "g{creat}"), "0-300 ug/g{creat}", ["H"]),
        ("1", "4", ("mg", "g{creat}"), "0-300 ug/g{creat}", ["N"]),
        ("350", "1", ("ug", "g{creat}"), "0-300", []),
        ("350", "1", ("ug/g{creat}", "ug/g{creat}"), "0-300 ug/g{creat}", []),
        ("1", "128", ("", ""), "0-300 ug/g{creat}", []),
        ("350", "0", ("ug", "g{creat}"), "0-300 ug/g{creat}", []),
        ("350", "1", ("ug", "L"), "0-300 ug/L", []),
    ],
)
def test_a_ratio_is_judged_where_its_units_make_the_quantity_and_the_range_names_its_unit(
    enrich: Enrich, above: str, below: str, units: tuple[str, str], text: str, codes: list[str]
) -> None:
    resource = ratio(above, below, units, text)
    sent = resource["valueRatio"]
    enrich(resource)
    assert codes_of(resource) == codes
    assert resource["valueRatio"] is sent


@pytest.mark.parametrize(
    ("flags", "reported"),
    [(("H", "N"), True), (("H", "HH"), True), (("H", "U"), False), (("A", "W"), False), ((">", "H"), False)],
)
def test_two_flags_of_one_category_stay_and_are_reported(enrich: Enrich, flags: tuple[str, str], reported: bool) -> None:
    resource = {**observation(SERUM, "3.0", "mg/L"), "interpretation": flag(*flags)}
    assert ("flags-of-one-category" in slugs(enrich(resource))) is reported
    assert codes_of(resource) == list(flags)


@pytest.mark.parametrize(
    ("unit", "code", "text"),
    [("microgram", "ug/L", "0-300 ug/L"), ("mcg/L", "ug/L", "0-300 mcg/L"), ("", "ug/L", "0-300 ug/L")],
)
def test_the_text_of_a_range_names_the_unit_and_not_its_name(enrich: Enrich, unit: str, code: str, text: str) -> None:
    resource = observation(URINE, "200", unit, "0-300")
    resource["valueQuantity"] |= {"system": "http://unitsofmeasure.org", "code": code}
    enrich(resource)
    assert resource["referenceRange"][0]["text"] == text


def test_two_codes_of_a_specimen_that_contradict_each_other_end_enrichment(enrich: Enrich) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v2-0487"
    specimen = {"type": {"coding": [{"system": system, "code": "SER"}, {"system": system, "code": "UR"}]}}
    resource = observation(SERUM, "3.0", "mg/L", "0.8-2.2")
    assert slugs(enrich(resource, specimen)) == {"specimen-conflict"}
    assert codes_of(resource) == []
