"""The LOINC coding stands first, the sender's codings and text stay."""

import json
from typing import Any

import pytest
from enrich_examples import SERUM, URINE, Enrich, Site, codes_of, context_of, flag, observation, slugs

from adapter.config import Settings
from adapter.enrich.mark import is_marked
from adapter.fhir.canonical import MARK, SOURCE_FIELD
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.tables.index import Tables

LOCAL = {"system": "urn:example:codes", "code": "4711", "display": "Beta-2 Microglobulin"}


def test_a_local_name_gets_the_loinc_coding_in_front(enrich: Enrich) -> None:
    resource = {**observation(), "code": {"coding": [LOCAL], "text": "B2 Mikro"}}
    enrich(resource, "serum")
    loinc, sent = resource["code"]["coding"]
    assert (loinc["system"], loinc["code"]) == ("http://loinc.org", SERUM)
    assert sent is LOCAL
    assert resource["code"]["text"] == "B2 Mikro"


def test_the_added_coding_is_marked_with_rule_row_and_table_version(enrich: Enrich, tables: Any) -> None:
    resource = {**observation(), "code": {"coding": [LOCAL]}}
    enrich(resource, "serum")
    mark = resource["code"]["coding"][0]["extension"][0]
    assert mark["url"] == MARK
    parts = {part["url"]: part.get("valueCode") or part.get("valueString") for part in mark["extension"]}
    assert parts["rule"] == "code-resolved"
    assert tables.row(parts["row"]).sheet == "b2m/codes"
    assert parts["tables"] == tables.version


def test_a_sent_loinc_coding_is_moved_to_the_front_and_not_marked(enrich: Enrich) -> None:
    sent = {"system": "http://loinc.org", "code": SERUM, "display": "as sent"}
    resource = {**observation(), "code": {"coding": [LOCAL, sent]}}
    enrich(resource)
    assert resource["code"]["coding"] == [sent, LOCAL]
    assert not is_marked(resource["code"]["coding"][0])


def test_a_name_without_specimen_gets_no_loinc(enrich: Enrich) -> None:
    resource = {**observation(), "code": {"coding": [LOCAL]}}
    assert slugs(enrich(resource)) == {"specimen-unknown"}
    assert resource["code"]["coding"] == [LOCAL]


@pytest.mark.parametrize(("specimen", "unit"), [("urine", "mg/L"), ("serum", "mg/24h"), ("serum", "IU/L"), ("serum", "nmol/L")])
def test_a_contradiction_of_code_specimen_and_unit_ends_enrichment(enrich: Enrich, specimen: str, unit: str) -> None:
    resource = observation(SERUM, "3.0", unit, "0.6-2.4")
    before = dict(resource)
    found = slugs(enrich(resource, specimen))
    assert found <= {"specimen-conflict", "unit-conflict"}
    assert found
    assert resource == before


def test_a_code_that_only_looks_like_one_of_a_pack_is_left_alone(enrich: Enrich) -> None:
    resource = observation("32731-2", "0.4", "g/dL")
    before = dict(resource)
    assert slugs(enrich(resource, "serum")) == {"code-excluded"}
    assert resource == before


def test_what_a_spreadsheet_made_of_a_loinc_code_is_reported(enrich: Enrich) -> None:
    resource = observation("Jan-52")
    assert slugs(enrich(resource, "serum")) == {"loinc-check-digit"}


def test_the_loinc_codes_of_a_sender_that_is_not_trusted_are_not_used(site: Site) -> None:
    enricher = site(senders=[{"sender_application": "LAB", "trust_loinc": "no"}])
    resource = observation(text="0.6-2.4")
    assert slugs(enricher.enrich(context_of(resource, "serum", sender_application=("LAB",)))) == {"loinc-not-trusted"}
    assert codes_of(resource) == []


def test_a_collection_of_24_hours_tells_a_24_hour_urine(enrich: Enrich) -> None:
    resource = {**observation(unit="mg/L"), "code": {"coding": [LOCAL]}}
    day = {"start": "2024-03-01T07:00:00+01:00", "end": "2024-03-02T06:59:00+01:00"}
    enrich(resource, {"type": {"text": "urine"}, "collection": {"collectedPeriod": day}})
    assert resource["code"]["coding"][0]["code"] == "54356-1"


@pytest.mark.parametrize(
    "words",
    [{"text": "Urine"}, {"coding": [{"display": "urine"}]}, {"coding": [{"system": "UR", "code": "UR"}], "text": "URINE"}],
)
def test_the_specimen_may_be_given_in_words(enrich: Enrich, words: dict[str, Any]) -> None:
    resource = {**observation("x", "0.2"), "code": {"coding": [LOCAL]}}
    enrich(resource, {"type": words})
    assert resource["code"]["coding"][0]["code"] == URINE


def test_the_specimen_may_be_named_in_the_reference_only(enrich: Enrich) -> None:
    resource = {**observation(value="0.2"), "code": {"coding": [LOCAL]}, "specimen": {"display": "Urine"}}
    enrich(resource)
    assert resource["code"]["coding"][0]["code"] == URINE


def test_the_name_of_a_system_without_uri_counts(site: Site) -> None:
    enricher = site(codes=[{"code_system": "99LAB", "code": "B2", "loinc": SERUM}])
    named = {"_system": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/originalText", "valueString": "99LAB"}]}}
    resource = {**observation(), "code": {"coding": [{**named, "code": "B2"}]}}
    enricher.enrich(context_of(resource, "serum"))
    assert resource["code"]["coding"][0]["code"] == SERUM


def test_a_component_is_enriched_by_its_own_code(enrich: Enrich) -> None:
    component = observation(URINE, "300", "ug/L", "<=300")
    part = {name: component[name] for name in ("code", "valueQuantity", "referenceRange")}
    before = json.dumps(part, default=str)
    resource = {"status": "final", "code": {"text": "Panel"}, "component": [{"code": {"text": "pH"}}, part]}
    enrich(resource, "urine")
    assert resource["component"][0] == {"code": {"text": "pH"}}
    assert str(resource["component"][1]["valueQuantity"]["value"]) == "0.300"
    assert codes_of(resource["component"][1]) == ["N"]
    assert json.dumps(part, default=str) == before, "nested values may be shared"


def test_a_component_under_a_range_of_the_whole_keeps_its_value_as_sent(enrich: Enrich) -> None:
    part = {name: observation(URINE, "400", "ug/L")[name] for name in ("code", "valueQuantity")}
    resource = {"status": "final", "code": part["code"], "referenceRange": [{"text": "0-300"}], "component": [part]}
    enrich(resource, "urine")
    (component,) = resource["component"]
    assert (str(component["valueQuantity"]["value"]), component["valueQuantity"]["code"]) == ("400", "ug/L")
    assert "interpretation" not in component
    assert resource["referenceRange"] == [{"text": "0-300"}]


def test_a_component_is_not_judged_beside_a_flag_of_the_whole(enrich: Enrich) -> None:
    part = {name: observation(SERUM, "9.0", text="0.6-2.4")[name] for name in ("code", "valueQuantity", "referenceRange")}
    resource = {"status": "final", "code": {"text": "Panel"}, "interpretation": flag("H"), "component": [part]}
    enrich(resource, "serum")
    assert "interpretation" not in resource["component"][0]


# -- results without value ----------------------------------------------------------------------------------------------------

CANCELLED = (
    "MSH|^~\\&|LAB|FAC|||20260101120000+0000||ORU^R01|1|P|2.5.1\r"
    "PID|1||1^^^A&1.2.3&ISO||TEST^PATIENT\r"
    "OBR|1||F1^LAB|1^Protein^L|||20260101|||||||||||||||20260101120000+0000|||F\r"
    "OBX|1|NM|4711^Beta-2 Microglobulin^L|||{unit}|||||X\r"
    "SPM|1|||119364003^Serum^SCT\r"
)


def cancelled(pipeline: Pipeline, unit: str) -> tuple[dict[str, Any], set[str]]:
    """Observation and issues of a cancelled result with a local code."""
    outcome = pipeline(RawMessage("er7", CANCELLED.format(unit=unit).encode(), 0))
    entries = json.loads(outcome.lines[0])["entry"]
    (found,) = [one["resource"] for one in entries if one["resource"]["resourceType"] == "Observation"]
    return found, {issue.slug for issue in outcome.issues}


@pytest.mark.parametrize("unit", ["mg/L", "MG/L", "mg/L^milligram per litre^UCUM", "^mg/L", "U7^mg per litre^L^mg/L^^UCUM"])
def test_the_unit_of_a_cancelled_result_tells_its_property(tables: Tables, unit: str) -> None:
    found, issues = cancelled(Pipeline(tables, Settings()), unit)
    assert found["code"]["coding"][0]["code"] == SERUM
    assert "unit-missing" not in issues
    assert (found["status"], "valueQuantity" in found) == ("cancelled", False)


def test_a_cancelled_result_without_unit_has_no_loinc_and_says_why(tables: Tables) -> None:
    found, issues = cancelled(Pipeline(tables, Settings()), "")
    assert "http://loinc.org" not in {coding.get("system") for coding in found["code"]["coding"]}
    assert "unit-missing" in issues


def test_a_cancelled_result_is_the_same_when_it_comes_as_fhir(tables: Tables, enrich: Enrich) -> None:
    found, _ = cancelled(Pipeline(tables, Settings()), "mg/L")
    sent = {**found, "code": {**found["code"], "coding": [one for one in found["code"]["coding"] if one.get("code") != SERUM]}}
    enrich(sent, "serum")
    assert sent["code"] == found["code"]


@pytest.mark.parametrize(
    "extension",
    [[{"url": SOURCE_FIELD}], [{"url": SOURCE_FIELD, "extension": [{"url": "field", "valueString": "OBX-6"}]}], [{}]],
)
def test_an_extension_that_lacks_its_parts_harms_nothing(enrich: Enrich, extension: Any) -> None:
    resource = {**observation(value=None), "code": {"coding": [LOCAL]}, "extension": extension}
    assert "unit-missing" in slugs(enrich(resource, "serum"))
