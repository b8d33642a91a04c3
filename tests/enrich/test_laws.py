"""What holds for every result: nothing lost, nothing changed twice, exact, and judged where the bounds are."""

import copy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from enrich_examples import SERUM, URINE, codes_of, context_of, flag, observation
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.enrich.bounds import Bound, Bounds, judge
from adapter.enrich.enricher import Enricher
from adapter.enrich.mark import is_marked
from adapter.enrich.value import translations
from adapter.fhir.json import dumps, loads
from adapter.fhir.validation import structure_faults
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

TABLES: Tables = load_tables()
CANONICAL, AS_SENT = Enricher(TABLES, Settings()), Enricher(TABLES, Settings(units="as-sent"))

numbers = st.decimals(min_value=0, max_value=10**5, places=3).map(lambda number: str(number.normalize() + 0))
values = st.one_of(numbers.filter(lambda text: "E" not in text), st.sampled_from(["0.0", "4.20", "300", "300.0", "0.000"]))
units = st.sampled_from(
    ["mg/L", "mg/l", "MG/L", "ug/L", "mcg/L", "µg/L", "mcg/mL", "ng/mL", "mg/dL", "nmol/L", "IU/L", "ug/24 h", "", "?"]
)
texts = st.sampled_from(
    [
        "",
        "0.6-2.4",
        "0-300",
        "≤2.51",
        "<2.4",
        "<= 300 mcg/L",
        "50 - <300",
        "0.6-2.4 mg/L",
        "see report",
        "0,6-2,4",
        "[ 0.1 - 0.3 ]",
    ]
)
codings = st.sampled_from(
    [
        [{"system": "http://loinc.org", "code": SERUM}],
        [{"system": "http://loinc.org", "code": URINE}],
        [{"code": "1", "display": "Beta-2 Microglobulin"}],
        [{"code": "1", "display": "B2M"}, {"system": "http://loinc.org", "code": URINE}],
        [{"system": "http://loinc.org", "code": "10873-8"}],
        [{"system": "http://loinc.org", "code": "2160-0"}],
    ]
)


@st.composite
def results(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make an Observation and its surroundings."""
    resource = observation(SERUM, draw(values), draw(units), draw(texts))
    resource["code"] = {"coding": draw(codings), "text": "as sent"}
    resource["status"] = draw(st.sampled_from(["final", "preliminary", "cancelled", "corrected"]))
    if comparator := draw(st.sampled_from(["", "", "<", ">", "<=", ">="])):
        resource["valueQuantity"]["comparator"] = comparator
    if flags := draw(st.lists(st.sampled_from(["N", "H", "L", "HH", "A", ">", "U", "POS"]), max_size=2)):
        resource["interpretation"] = flag(*flags)
    if draw(st.booleans()):
        unit = {"unit": resource["valueQuantity"]["unit"]} if "unit" in resource["valueQuantity"] else {}
        high = {"value": Decimal(draw(values)), **unit}
        resource["referenceRange"] = [{**resource.get("referenceRange", [{}])[0], "high": high}]
    laboratory = draw(st.sampled_from(["Labcorp", "Mayo Clinic Laboratories", "Elsewhere", ""]))
    context = {
        "specimen": draw(st.sampled_from(["serum", "urine", "urine 24 h", "csf", ""])),
        "organizations": [{"name": laboratory}] if laboratory else [],
    }
    return resource, context


def enriched(enricher: Enricher, resource: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    made = context_of(copy.deepcopy(resource), **context)
    enricher.enrich(made)
    return made.observation


def quantities(resource: dict[str, Any]) -> list[Any]:
    value = resource["valueQuantity"]
    names = ("value", "comparator", "unit", "system", "code")
    return [{name: one[name] for name in names if name in one} for one in (value, *translations(value))]


@given(results(), st.sampled_from([CANONICAL, AS_SENT]))
def test_what_the_laboratory_sent_is_still_there(result: tuple[Any, Any], enricher: Enricher) -> None:
    sent, context = result
    after = enriched(enricher, sent, context)
    assert [coding for coding in sent["code"]["coding"] if coding not in after["code"]["coding"]] == []
    assert after["code"]["text"] == "as sent"
    as_sent = sent["valueQuantity"]
    assert any(as_sent.items() <= one.items() and str(as_sent["value"]) == str(one["value"]) for one in quantities(after))
    assert after.get("interpretation", [])[: len(sent.get("interpretation", []))] == sent.get("interpretation", [])
    for element, new in zip(sent.get("referenceRange", []), after.get("referenceRange", []), strict=False):
        assert new.get("text", "").startswith(element.get("text", ""))
    assert len(after.get("referenceRange", [])) >= len(sent.get("referenceRange", []))
    assert {name: part for name, part in sent.items() if name in ("status", "resourceType")}.items() <= after.items()


@given(results(), st.sampled_from([CANONICAL, AS_SENT]))
def test_a_second_time_changes_nothing(result: tuple[Any, Any], enricher: Enricher) -> None:
    sent, context = result
    once = enriched(enricher, sent, context)
    assert dumps(enriched(enricher, once, context)) == dumps(once)


@given(results(), st.sampled_from([CANONICAL, AS_SENT]))
def test_a_second_time_after_json_changes_nothing(result: tuple[Any, Any], enricher: Enricher) -> None:
    sent, context = result
    once = dumps(enriched(enricher, sent, context))
    assert dumps(enriched(enricher, loads(once), context)) == once


@given(results(), st.sampled_from([CANONICAL, AS_SENT]))
def test_what_leaves_is_valid_fhir_without_a_float(result: tuple[Any, Any], enricher: Enricher) -> None:
    sent, context = result
    after = enriched(enricher, sent, context)
    assert structure_faults(after) == []

    def walk(part: Any) -> None:
        assert not isinstance(part, float)
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk(after)


@given(results(), st.sampled_from([CANONICAL, AS_SENT]))
def test_nothing_that_was_sent_is_changed_inside(result: tuple[Any, Any], enricher: Enricher) -> None:
    sent, context = result
    parts = {name: part for name, part in sent.items() if isinstance(part, (dict, list))}
    before = copy.deepcopy(parts)
    enricher.enrich(context_of(dict(sent), **context))
    assert parts == before


@given(results())
def test_at_most_one_flag_is_computed_and_never_beside_one_of_its_category(result: tuple[Any, Any]) -> None:
    sent, context = result
    after = enriched(CANONICAL, sent, context)
    computed = [concept for concept in after.get("interpretation", []) if is_marked(concept)]
    assert len(computed) <= 1
    category = [TABLES.interpretation_categories[code].category for code in codes_of(after)]
    if computed:
        assert category.count("normality") == 1
        assert sent["status"] != "cancelled"


@given(results())
def test_value_and_translation_are_the_same_quantity(result: tuple[Any, Any]) -> None:
    sent, context = result
    after = enriched(CANONICAL, sent, context)
    value = after["valueQuantity"]
    for one in translations(value):
        factor = TABLES.ucum.factor(TABLES.units[one["unit"]].ucum, value["code"]) if one.get("unit") else Fraction(1)
        assert factor is not None
        assert Fraction(one["value"]) * factor == Fraction(value["value"])


@given(st.decimals(min_value="0.001", max_value=1000, places=3), st.sampled_from(["ug/L", "mg/L", "ng/mL", "mg/dL", "g/L"]))
def test_there_and_back_keeps_the_number_and_its_digits(value: Decimal, unit: str) -> None:
    there = TABLES.ucum.convert(value, unit, "mg/L")
    back = TABLES.ucum.convert(there, "mg/L", unit)
    assert back == value
    assert Fraction(there) == Fraction(value) * (TABLES.ucum.factor(unit, "mg/L") or 0)


bound = st.decimals(min_value="0.01", max_value=100, places=2)
STEP = Decimal("0.001")


@given(bound, bound, st.booleans(), st.booleans(), st.sampled_from([("mg/L", 0), ("ug/L", 3), ("g/L", -3)]))
def test_just_inside_on_and_just_outside_each_bound(
    one: Decimal, other: Decimal, low_inclusive: bool, high_inclusive: bool, written: tuple[str, int]
) -> None:
    low, high = min(one, other), max(one, other) + Decimal("0.01")
    bounds = Bounds(Bound(low, "mg/L"), Bound(high, "mg/L"), low_inclusive, high_inclusive)
    unit, power = written

    def at(value: Decimal) -> str | None:
        return judge(TABLES, value.scaleb(power), unit, "", bounds)

    assert (at(low - STEP), at(low), at(low + STEP)) == ("L", "N" if low_inclusive else "L", "N")
    assert (at(high - STEP), at(high), at(high + STEP)) == ("N", "N" if high_inclusive else "H", "H")


@given(bound, bound, st.sampled_from(["<", "<=", ">", ">="]), st.booleans(), st.decimals(min_value=0, max_value=100, places=2))
@settings(max_examples=200)
def test_an_off_scale_flag_is_what_every_true_value_would_get(
    one: Decimal, other: Decimal, comparator: str, inclusive: bool, number: Decimal
) -> None:
    bounds = Bounds(Bound(min(one, other), "mg/L"), Bound(max(one, other) + STEP, "mg/L"), inclusive, inclusive)
    flagged = judge(TABLES, number, "mg/L", comparator, bounds)
    below = [number - STEP * step for step in (1, 10, 1000, 100000)]
    above = [number + STEP * step for step in (1, 10, 1000, 100000)]
    true_values = (below if comparator.startswith("<") else above) + ([number] if comparator.endswith("=") else [])
    if flagged is not None:
        assert {judge(TABLES, value, "mg/L", "", bounds) for value in true_values} == {flagged}


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [("300", "ug/L", "0.300"), ("0.30", "mg/L", "0.30"), ("30", "ug/dL", "0.30"), ("0.03", "mg/dL", "0.3")],
)
def test_digits_stay_as_sent(value: str, unit: str, expected: str) -> None:
    after = enriched(CANONICAL, observation(URINE, value, unit), {})
    assert str(after["valueQuantity"]["value"]) == expected
