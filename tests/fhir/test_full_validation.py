"""`--validate full`: invariants that structure alone does not show."""

from decimal import Decimal

import pytest

from adapter.fhir.full_validation import full_faults
from adapter.fhir.json import number

B2M = {"coding": [{"system": "http://loinc.org", "code": "1952-1"}]}


def observation(**more):
    return {"resourceType": "Observation", "status": "final", "code": B2M} | more


FAULTS = {
    "structure": ({"status": "x"}, "Observation.status"),
    "obs-7": ({"valueInteger": 1, "component": [{"code": B2M}]}, "Observation.component[0].code"),
    "ele-1": ({"subject": {"id": "x"}}, "Observation.subject"),
    "per-1": ({"effectivePeriod": {"start": "2026-02-02", "end": "2026-02-01"}}, "Observation.effectivePeriod"),
    "rng-2": ({"valueRange": {"low": {"value": Decimal("2.5")}, "high": {"value": 1}}}, "Observation.valueRange"),
    "reference range upside down": (
        {"referenceRange": [{"low": {"value": 5, "unit": "mg/L"}, "high": {"value": 1, "unit": "mg/L"}}]},
        "Observation.referenceRange[0]",
    ),
    "dom-2": (
        {
            "contained": [{"resourceType": "Specimen", "id": "s", "contained": [{"resourceType": "Patient"}]}],
            "specimen": {"reference": "#s"},
        },
        "Observation.contained[0].contained",
    ),
    "dom-3": ({"contained": [{"resourceType": "Specimen", "id": "s"}]}, "Observation.contained[0]"),
    "dom-4": (
        {"contained": [{"resourceType": "Specimen", "id": "s", "meta": {"versionId": "1"}}], "specimen": {"reference": "#s"}},
        "Observation.contained[0].meta",
    ),
    "closure": ({"subject": {"reference": "#p"}}, "Observation.subject.reference"),
    "malformed uuid": ({"subject": {"reference": "urn:uuid:p"}}, "Observation.subject.reference"),
}


@pytest.mark.parametrize(("more", "place"), FAULTS.values(), ids=FAULTS)
def test_a_broken_invariant_is_found_at_its_place(more, place):
    assert place in [found for found, _ in full_faults(observation(**more))]


@pytest.mark.parametrize(
    "more",
    [
        {"valueQuantity": {"value": Decimal("4.20")}},
        {"valueQuantity": {"value": number("1e-7")}},
        {"valueInteger": 1, "component": [{"code": {"text": "other"}}]},
        {"effectivePeriod": {"start": "2026-02-02T23:00:00-05:00", "end": "2026-02-02T22:30:00-06:00"}},
        {"effectivePeriod": {"start": "2026-02-02", "end": "2026"}},
        {"valueRange": {"low": {"value": 5, "unit": "ug/L"}, "high": {"value": 1, "unit": "mg/L"}}},
        {"contained": [{"resourceType": "Specimen", "id": "s"}], "specimen": {"reference": "#s"}},
        {"issued": "2026-02-02T00:00:00Z", "_issued": {"id": "x"}},
    ],
)
def test_a_valid_observation_passes(more):
    assert full_faults(observation(**more)) == []


def test_a_bundle_is_checked_entry_by_entry():
    entries = [{"fullUrl": "urn:uuid:1", "resource": observation(subject={"id": "x"})}]
    found = full_faults({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert [place for place, _ in found] == ["Bundle.entry[0].fullUrl", "Bundle.entry[0].resource.subject"]


def test_unknown_elements_can_be_allowed():
    assert full_faults(observation(magic=1), unknown_allowed=True) == []
    assert full_faults(observation(magic=1)) != []


def test_a_resource_is_not_changed():
    resource = observation(valueQuantity={"value": number("1e2")})
    full_faults(resource)
    assert str(resource["valueQuantity"]["value"]) == "1e2"
