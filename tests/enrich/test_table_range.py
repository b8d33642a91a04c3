"""The laboratory's own range where none was sent: exactly one, marked, or none."""

from typing import Any

import pytest
from enrich_examples import SERUM, URINE, Enrich, Site, codes_of, context_of, observation, slugs

from adapter.config import Settings
from adapter.enrich.mark import is_marked

LAB = [{"name": "Test Laboratory"}]
ROW = {"laboratory": "test-lab", "loinc": SERUM, "unit": "mg/L", "certainty": "V", "default": "yes"}
NAMED = {"laboratories": [{"name": "Test Laboratory", "laboratory": "test-lab"}]}


def ranged(enricher: Any, resource: dict[str, Any], **context: Any) -> str:
    """Enrich a result of the test laboratory; give the text of its range."""
    enricher.enrich(context_of(resource, "serum", **{"organizations": LAB, **context}))
    return str(resource.get("referenceRange", [{"text": ""}])[0]["text"])


def test_labcorp_and_quest_judge_the_same_value_as_their_ranges_say(enrich: Enrich) -> None:
    found = {}
    for name in ("Labcorp", "Quest Diagnostics"):
        resource = observation(SERUM, "2.45", effectiveDateTime="2024-05-01")
        patient = {"birthDate": "1970-01-01"}
        issues = enrich(resource, "serum", organizations=[{"name": name}], patient=patient)
        assert slugs(issues) == {"range-from-table", "flag-computed"}
        found[name] = codes_of(resource)
    assert found == {"Labcorp": ["H"], "Quest Diagnostics": ["N"]}


def test_the_added_range_is_marked_and_has_text_and_bounds_in_the_unit_of_the_value(enrich: Enrich) -> None:
    resource = observation(SERUM, "200", "ug/dL")
    enrich(resource, "serum", organizations=[{"name": "Labcorp"}])
    (element,) = resource["referenceRange"]
    assert is_marked(element)
    assert element["text"] == "0.6 - 2.4 mg/L"
    assert (str(element["low"]["value"]), element["low"]["code"]) == ("0.6", "mg/L")
    assert str(resource["valueQuantity"]["value"]) == "2.00"


def test_as_sent_the_bounds_are_in_the_unit_as_sent(site: Site) -> None:
    enricher = site(Settings(units="as-sent"))
    resource = observation(SERUM, "200", "mcg/dL")
    enricher.enrich(context_of(resource, "serum", organizations=[{"name": "Labcorp"}]))
    (element,) = resource["referenceRange"]
    assert (str(element["high"]["value"]), element["high"]["unit"], element["high"]["code"]) == ("240", "mcg/dL", "ug/dL")
    assert codes_of(resource) == ["N"]


def test_a_sent_range_is_never_joined_by_a_second_one(enrich: Enrich) -> None:
    resource = observation(SERUM, "2.45", "mg/L", "see report")
    enrich(resource, "serum", organizations=[{"name": "Labcorp"}])
    assert resource["referenceRange"] == [{"text": "see report"}]


@pytest.mark.parametrize("name", ["Labcorp East", "labcorp", "", "Unknown"])
def test_a_laboratory_is_found_by_its_exact_name_only(enrich: Enrich, name: str) -> None:
    resource = observation(SERUM, "2.45")
    enrich(resource, "serum", organizations=[{"name": name}])
    assert "referenceRange" not in resource


def test_a_laboratory_is_found_by_its_identifier(site: Site) -> None:
    enricher = site(
        laboratories=[{"identifier_system": "urn:example:labs", "identifier": "7", "laboratory": "test-lab"}],
        ranges=[{**ROW, "high": "2.2"}],
    )
    named = [{"identifier": [{"system": "urn:example:labs", "value": "7"}], "name": "Any Name"}]
    assert ranged(enricher, observation(), organizations=named) == "<=2.2 mg/L"


def test_two_laboratories_give_no_range(enrich: Enrich) -> None:
    resource = observation(SERUM, "2.45")
    enrich(resource, "serum", organizations=[{"name": "Labcorp"}, {"name": "Ohio State University Laboratories"}])
    assert "referenceRange" not in resource


def test_the_laboratory_of_the_sender_serves_where_none_is_named(site: Site) -> None:
    enricher = site(
        **NAMED, senders=[{"sender_facility": "HOSP", "laboratory": "test-lab"}], ranges=[{**ROW, "low": "0.8", "high": "2.2"}]
    )
    sender = {"sender_facility": ("HOSP",)}
    assert ranged(enricher, observation(), organizations=[], **sender) == "0.8 - 2.2 mg/L"
    assert ranged(enricher, observation(), organizations=[{"name": "Other"}], **sender) == ""


def test_a_publication_serves_only_where_a_site_chooses_it(site: Site) -> None:
    enricher = site(senders=[{"sender_facility": "HOSP", "range_laboratory": "city-of-hope"}])
    assert ranged(enricher, observation(), organizations=[], sender_facility=("HOSP",)) == "1.5 to 3 mg/L"
    assert ranged(enricher, observation(), organizations=[], sender_facility=("ELSE",)) == ""


def test_a_method_must_be_known_to_fit(enrich: Enrich) -> None:
    mayo = [{"name": "Mayo Clinic Laboratories"}]
    unknown, known = observation(), observation(method={"text": "Nephelometry"})
    for resource in (unknown, known):
        enrich(resource, "serum", organizations=mayo)
    assert "referenceRange" not in unknown
    assert known["referenceRange"][0]["text"] == "1.21-2.70 mcg/mL"


@pytest.mark.parametrize(("gender", "expected"), [("female", "<=2.0 mg/L"), ("male", "<=2.2 mg/L"), ("unknown", ""), (None, "")])
def test_the_sex_must_fit(site: Site, gender: str | None, expected: str) -> None:
    enricher = site(**NAMED, ranges=[{**ROW, "sex": "female", "high": "2.0"}, {**ROW, "sex": "male", "high": "2.2"}])
    assert ranged(enricher, observation(), patient={"gender": gender} if gender else None) == expected


@pytest.mark.parametrize(
    ("birth", "collected", "expected"),
    [
        ("2024-03-01", "2024-03-28", "<=4.0 mg/L"),
        ("2024-03-01", "2024-03-29", "<=3.0 mg/L"),
        ("2006-05-02", "2024-05-01", "<=3.0 mg/L"),
        ("2006-05-01", "2024-05-01T23:30:00+02:00", "<=2.2 mg/L"),
        ("1970", "2024-05-01", "<=2.2 mg/L"),
        ("2006", "2024-05-01", ""),
        ("2006-05", "2024-05-31", "<=2.2 mg/L"),
        ("2006-05", "2024-05", ""),
        ("1970-01-01", None, ""),
        (None, "2024-05-01", ""),
        ("2024-03-01", "2024-02-01", ""),
    ],
)
def test_the_age_at_collection_must_certainly_fit(site: Site, birth: str | None, collected: str | None, expected: str) -> None:
    enricher = site(
        **NAMED,
        ranges=[
            {**ROW, "age_low": "0", "age_high": "28", "age_unit": "d", "high": "4.0"},
            {**ROW, "age_low": "28", "age_high": "6574.5", "age_unit": "d", "high": "3.0"},
            {**ROW, "age_low": "18", "age_unit": "a", "high": "2.2"},
        ],
    )
    resource = observation(**({"effectiveDateTime": collected} if collected else {}))
    assert ranged(enricher, resource, patient={"birthDate": birth} if birth else {}) == expected


@pytest.mark.parametrize(
    ("collected", "expected"),
    [("2024-03-31", "<=2.4 mg/L"), ("2024-04-01", "<=2.2 mg/L"), ("2023", "<=2.4 mg/L"), ("2024", ""), (None, "")],
)
def test_the_range_of_the_day_of_collection_is_used(site: Site, collected: str | None, expected: str) -> None:
    enricher = site(
        **NAMED, ranges=[{**ROW, "valid_to": "2024-03-31", "high": "2.4"}, {**ROW, "valid_from": "2024-04-01", "high": "2.2"}]
    )
    assert ranged(enricher, observation(**({"effectiveDateTime": collected} if collected else {}))) == expected


def test_the_more_specific_row_wins(site: Site) -> None:
    enricher = site(**NAMED, ranges=[{**ROW, "high": "2.4"}, {**ROW, "sex": "female", "high": "2.0"}])
    assert ranged(enricher, observation(), patient={"gender": "female"}) == "<=2.0 mg/L"
    assert ranged(enricher, observation(), patient={"gender": "male"}) == "<=2.4 mg/L"


def test_a_row_that_is_no_default_is_not_added(site: Site) -> None:
    enricher = site(**NAMED, ranges=[{**ROW, "default": "no", "high": "2.4"}])
    assert ranged(enricher, observation()) == ""


def test_an_exclusive_bound_of_a_row_stays_text_and_is_judged_as_such(site: Site) -> None:
    enricher = site(**NAMED, ranges=[{**ROW, "high": "2.4", "high_inclusive": "no"}])
    resource = observation(SERUM, "2.4")
    assert ranged(enricher, resource) == "<2.4 mg/L"
    assert "high" not in resource["referenceRange"][0]
    assert codes_of(resource) == ["H"]


def test_a_doubtful_row_is_reported(site: Site) -> None:
    enricher = site(**NAMED, ranges=[{**ROW, "high": "2.4", "status": "doubtful"}])
    issues = enricher.enrich(context_of(observation(), "serum", organizations=LAB))
    assert "table-row-doubtful" in slugs(issues)


def test_a_sent_flag_is_compared_with_the_table_range(enrich: Enrich) -> None:
    resource = observation(SERUM, "3.0", interpretation=[{"coding": [{"system": "http://hl7.org/fhir/v2/0078", "code": "N"}]}])
    assert "flag-conflict" in slugs(enrich(resource, "serum", organizations=[{"name": "Labcorp"}]))


def test_a_range_of_another_specimen_is_no_range(enrich: Enrich) -> None:
    resource = observation(URINE, "0.2")
    enrich(resource, "urine", organizations=[{"name": "Labcorp"}])
    assert "referenceRange" not in resource
