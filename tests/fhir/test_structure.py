"""Structural validation: planted faults are found, valid resources pass, reasons keep patient data to themselves."""

from decimal import Decimal

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.json import dumps, loads, number
from adapter.fhir.validation import SCHEMA_FOLDER, examine, structure_faults

UCUM = "http://unitsofmeasure.org"
LOINC = {"system": "http://loinc.org", "code": "1952-1"}
QUANTITY = {"value": Decimal("4.20"), "unit": "mg/L", "system": UCUM, "code": "mg/L"}
ABSENT = object()


def observation(**changes):
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [LOINC]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2024-02-29T10:00:00+01:00",
        "valueQuantity": QUANTITY,
        "interpretation": [{"coding": [{"code": "H"}]}],
        "referenceRange": [{"high": {"value": Decimal("2.51"), "unit": "mg/L"}, "text": "<2.51"}],
    } | changes
    return {name: value for name, value in resource.items() if value is not ABSENT}


def bundle(kind, *entries, **more):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)} | more


def places(resource):
    """Places of the faults; the same whether the JSON is at hand or not."""
    found = structure_faults(resource)
    assert structure_faults(resource, text=dumps(resource)) == found
    return [place for place, _ in found]


PUT = {"method": "PUT", "url": "Observation/1"}
EXTENSION = "http://example.org/extension"

OBSERVATION_FAULTS = {
    "status missing": ({"status": ABSENT}, "Observation.status"),
    "status unknown": ({"status": "done"}, "Observation.status"),
    "status null": ({"status": None}, "Observation.status"),
    "code missing": ({"code": ABSENT}, "Observation.code"),
    "code as array": ({"code": [{"text": "x"}]}, "Observation.code"),
    "interpretation as object": ({"interpretation": {"text": "x"}}, "Observation.interpretation"),
    "empty array": ({"interpretation": []}, "Observation.interpretation"),
    "empty object": ({"subject": {}}, "Observation.subject"),
    "empty string": ({"valueQuantity": ABSENT, "valueString": ""}, "Observation.valueString"),
    "control character": ({"note": [{"text": "a\x01b"}]}, "Observation.note[0].text"),
    "number as string": ({"valueQuantity": QUANTITY | {"value": "4.2"}}, "Observation.valueQuantity.value"),
    "string as number": ({"valueQuantity": QUANTITY | {"unit": 1}}, "Observation.valueQuantity.unit"),
    "comparator unknown": ({"valueQuantity": QUANTITY | {"comparator": "="}}, "Observation.valueQuantity.comparator"),
    "unit code without system": ({"valueQuantity": {"value": 1, "code": "mg/L"}}, "Observation.valueQuantity"),
    "two values": ({"valueString": "x"}, "Observation.valueQuantity"),
    "value and reason for absence": ({"dataAbsentReason": {"text": "x"}}, "Observation.valueQuantity"),
    "two effective times": ({"effectiveInstant": "2024-02-29T10:00:00Z"}, "Observation.effectiveDateTime"),
    "day that does not exist": ({"effectiveDateTime": "2026-02-29"}, "Observation.effectiveDateTime"),
    "31st of April": ({"issued": "2026-04-31T10:00:00Z"}, "Observation.issued"),
    "29 February 1900": ({"effectiveDateTime": "1900-02-29"}, "Observation.effectiveDateTime"),
    "time without zone": ({"effectiveDateTime": "2026-02-03T10:00:00"}, "Observation.effectiveDateTime"),
    "instant without time": ({"issued": "2026-02-03"}, "Observation.issued"),
    "hour 25": ({"issued": "2026-02-03T25:00:00Z"}, "Observation.issued"),
    "range with nothing to compare": ({"referenceRange": [{"type": {"text": "x"}}]}, "Observation.referenceRange[0]"),
    "system with space": ({"code": {"coding": [{"system": "http://a b"}]}}, "Observation.code.coding[0].system"),
    "id too long": ({"id": "a" * 65}, "Observation.id"),
    "id with underscore": ({"id": "a_b"}, "Observation.id"),
    "boolean as text": ({"code": {"coding": [LOINC | {"userSelected": "true"}]}}, "Observation.code.coding[0].userSelected"),
    "component without code": ({"component": [{"valueInteger": 1}]}, "Observation.component[0].code"),
    "integer with fraction": ({"valueQuantity": ABSENT, "valueInteger": Decimal("1.5")}, "Observation.valueInteger"),
    "integer written 1.0": ({"valueQuantity": ABSENT, "valueInteger": loads("1.0")}, "Observation.valueInteger"),
    "integer of 33 bits": ({"valueQuantity": ABSENT, "valueInteger": 2**32}, "Observation.valueInteger"),
    "extension without url": ({"extension": [{"valueCode": "x"}]}, "Observation.extension[0].url"),
    "extension with two values": (
        {"extension": [{"url": EXTENSION, "valueCode": "x", "valueString": "y"}]},
        "Observation.extension[0]",
    ),
    "extension with value and extension": (
        {"extension": [{"url": EXTENSION, "valueCode": "x", "extension": [{"url": EXTENSION, "valueCode": "y"}]}]},
        "Observation.extension[0]",
    ),
    "unknown element": ({"patient": {"reference": "Patient/1"}}, "Observation.patient"),
    "unknown contained type": ({"contained": [{"resourceType": "Blood"}]}, "Observation.contained[0].resourceType"),
}


@pytest.mark.parametrize(("changes", "place"), OBSERVATION_FAULTS.values(), ids=OBSERVATION_FAULTS)
def test_a_fault_of_an_observation_is_found_at_its_place(changes, place):
    assert place in places(observation(**changes))


RESOURCE_FAULTS = {
    "no type": ({"id": "1"}, "Resource.resourceType"),
    "type of another standard": ({"resourceType": "Result"}, "Result.resourceType"),
    "gender unknown": ({"resourceType": "Patient", "gender": "F"}, "Patient.gender"),
    "null without sibling": ({"resourceType": "Patient", "name": [{"given": [None, "A"]}]}, "Patient.name[0].given[0]"),
    "birth date with time": ({"resourceType": "Patient", "birthDate": "1970-01-01T00:00:00Z"}, "Patient.birthDate"),
    "contact of nobody": ({"resourceType": "Patient", "contact": [{"gender": "male"}]}, "Patient.contact[0]"),
    "phone without system": ({"resourceType": "Patient", "telecom": [{"value": "1"}]}, "Patient.telecom[0]"),
    "nameless organization": ({"resourceType": "Organization", "active": True}, "Organization"),
    "encounter without class": ({"resourceType": "Encounter", "status": "finished"}, "Encounter.class"),
    "rank zero": ({"resourceType": "Patient", "telecom": [{"rank": 0}]}, "Patient.telecom[0].rank"),
    "data without content type": (
        {"resourceType": "Patient", "photo": [{"data": "QUJD"}]},
        "Patient.photo[0]",
    ),
    "report without code": ({"resourceType": "DiagnosticReport", "status": "final"}, "DiagnosticReport.code"),
    "procedure of another type": ({"resourceType": "Procedure", "status": "final"}, "Procedure.status"),
}


@pytest.mark.parametrize(("resource", "place"), RESOURCE_FAULTS.values(), ids=RESOURCE_FAULTS)
def test_a_fault_of_a_resource_is_found_at_its_place(resource, place):
    assert place in places(resource)


BUNDLE_FAULTS = {
    "bdl-1": (bundle("collection", {"resource": observation()}, total=1), "Bundle.total"),
    "bdl-2": (bundle("collection", {"resource": observation(), "search": {"mode": "match"}}), "Bundle.entry[0].search"),
    "bdl-3, request missing": (bundle("transaction", {"resource": observation()}), "Bundle.entry[0].request"),
    "bdl-3, request too much": (bundle("collection", {"resource": observation(), "request": PUT}), "Bundle.entry[0].request"),
    "bdl-4": (bundle("batch-response", {"resource": observation()}), "Bundle.entry[0].response"),
    "bdl-5": (bundle("collection", {"fullUrl": "http://a/1"}), "Bundle.entry[0]"),
    "bdl-7": (bundle("collection", *[{"fullUrl": "urn:x:1", "resource": observation()}] * 2), "Bundle.entry[1].fullUrl"),
    "bdl-8": (bundle("collection", {"fullUrl": "http://a/b/_history/1", "resource": observation()}), "Bundle.entry[0].fullUrl"),
    "bdl-9": (bundle("document", {"resource": observation()}), "Bundle.identifier"),
    "bdl-10": (bundle("document", {"resource": observation()}), "Bundle.timestamp"),
    "bdl-11": (bundle("document", {"resource": observation()}), "Bundle.entry[0].resource"),
    "bdl-12": (bundle("message", {"resource": observation()}), "Bundle.entry[0].resource"),
    "inside": (bundle("collection", {"resource": observation(status="?")}), "Bundle.entry[0].resource.status"),
    "type unknown": (bundle("folder"), "Bundle.type"),
}


@pytest.mark.parametrize(("resource", "place"), BUNDLE_FAULTS.values(), ids=BUNDLE_FAULTS)
def test_a_fault_of_a_bundle_is_found_at_its_place(resource, place):
    assert place in places(resource)


VALID = {
    "observation": observation(),
    "leap day": observation(effectiveDateTime="2000-02-29"),
    "year and month": observation(effectiveDateTime="2026-02"),
    "leap second": observation(issued="2016-12-31T23:59:60Z"),
    "whole number in a decimal": observation(valueQuantity=QUANTITY | {"value": 4}),
    "exact number": observation(valueQuantity=QUANTITY | {"value": number("1e-7")}),
    "huge exponent": observation(valueQuantity=QUANTITY | {"value": number("1e999999")}),
    "required code replaced by an extension": observation(
        status=ABSENT, _status={"extension": [{"url": EXTENSION, "valueCode": "unknown"}]}
    ),
    "padded array": {
        "resourceType": "Patient",
        "name": [{"given": [None, "A"], "_given": [{"extension": [{"url": EXTENSION, "valueCode": "x"}]}, None]}],
    },
    "resource type that laboratories do not send": {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
    },
    "contained resource of such a type": observation(
        contained=[{"resourceType": "Procedure", "id": "p", "status": "completed", "subject": {"display": "TEST"}}]
    ),
    "empty bundle": {"resourceType": "Bundle", "type": "collection"},
    "versions of one resource": bundle(
        "searchset",
        {"fullUrl": "http://a/Observation/1", "resource": observation(meta={"versionId": "1"})},
        {"fullUrl": "http://a/Observation/1", "resource": observation(meta={"versionId": "2"})},
    ),
}


@pytest.mark.parametrize("resource", VALID.values(), ids=VALID)
def test_a_valid_resource_passes(resource):
    assert structure_faults(resource) == structure_faults(resource, text=dumps(resource)) == []


@pytest.mark.parametrize("character", [chr(code) for code in range(0x20) if chr(code) not in "\t\n\r"])
def test_a_control_character_is_found_with_the_json_at_hand(character):
    resource = observation(note=[{"text": f"a{character}b"}])
    assert structure_faults(resource, text=dumps(resource)) == [("Observation.note[0].text", "is no valid markdown")]


def test_json_of_others_may_escape_any_character():
    text = rb'{"resourceType":"Observation","status":"final","code":{"text":"\u0062\\b\b"}}'
    assert structure_faults(loads(text), text=text) == [("Observation.code.text", "is no valid string")]


def test_line_breaks_tabs_and_backslashes_are_no_control_characters():
    resource = observation(note=[{"text": "a\n\tb\\b\\f\\u00"}])
    assert structure_faults(resource, text=dumps(resource)) == []


# The judge refuses text of nothing but blanks other than the plain one; FHIR forbids control characters only.
_characters = st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"], include_characters=" ")
text = st.text(_characters, min_size=1, max_size=8)
quantities = st.fixed_dictionaries(
    {"value": st.decimals(allow_nan=False, allow_infinity=False, places=3)},
    optional={"unit": text, "comparator": st.sampled_from(["<", "<=", ">=", ">"])},
)
concepts = st.fixed_dictionaries(
    {"text": text}, optional={"coding": st.lists(st.fixed_dictionaries({"display": text}), min_size=1)}
)
observations = st.builds(
    lambda base, value: base | value,
    st.fixed_dictionaries(
        {"resourceType": st.just("Observation"), "status": st.sampled_from(["final", "corrected"]), "code": concepts},
        optional={
            "effectiveDateTime": st.dates().map(str),
            "note": st.lists(st.fixed_dictionaries({"text": text}), min_size=1, max_size=2),
            "referenceRange": st.lists(
                st.fixed_dictionaries({"low": quantities}, optional={"text": text}), min_size=1, max_size=2
            ),
            "interpretation": st.lists(concepts, min_size=1, max_size=2),
        },
    ),
    st.one_of(
        quantities.map(lambda value: {"valueQuantity": value}),
        text.map(lambda value: {"valueString": value}),
        concepts.map(lambda value: {"dataAbsentReason": value}),
        st.just({}),
    ),
)


@given(observations)
def test_what_another_judge_accepts_passes(resource):
    get_fhir_model_class("Observation").model_validate(resource)
    assert structure_faults(resource) == []


def test_no_fault_repeats_what_the_sender_wrote():
    secret = {"SECRET^NAME": 1, "gender": "SECRET", "birthDate": "SECRET", "name": "SECRET", "identifier": [{"use": "SECRET"}]}
    assert "SECRET" not in str(structure_faults({"resourceType": "Patient", **secret}))
    assert "SECRET NAME" not in str(structure_faults({"resourceType": "SECRET NAME"}))


def test_unknown_elements_are_told_apart_from_faults():
    faults, unknown = examine(observation(patient={"reference": "x"}))
    assert faults == []
    assert [place for place, _ in unknown] == ["Observation.patient"]
    assert structure_faults(observation(patient={}), unknown_allowed=True) == []


def test_many_unknown_elements_hide_no_fault():
    faults, _ = examine(observation(component=[{"code": {"text": "x", f"x{n}": 1}} for n in range(300)] + [{"valueInteger": 1}]))
    assert [place for place, _ in faults] == ["Observation.component[300].code"]


def test_the_shipped_schema_is_small():
    assert (SCHEMA_FOLDER / "r4.json").stat().st_size < 400_000
