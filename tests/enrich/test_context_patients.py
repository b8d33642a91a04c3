"""Results are compared within one patient: a reference means what it says where it stands."""

import json
from typing import Any

from context_messages import Site, judgements, run

VARIATION = [{"loinc": "1952-1", "specimen": "serum-plasma", "cv_analytical": "3", "cv_individual": "4", "z": "1.96"}]


def result(number: int, value: str, base: str = "", **more: Any) -> dict[str, Any]:
    observation = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1952-1"}]},
        "effectiveDateTime": f"2026-01-{number:02}T08:00:00+01:00",
        "valueQuantity": {"value": float(value), "unit": "mg/L"},
        **more,
    }
    return {**({"fullUrl": f"{base}Observation/o{number}"} if base else {}), "resource": observation}


def patient(base: str) -> dict[str, Any]:
    return {"fullUrl": f"{base}Patient/1", "resource": {"resourceType": "Patient", "id": "1"}}


def compared(context_site: Site, *entries: dict[str, Any]) -> int:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}
    return len(judgements(run(context_site("change", "iss", variation=VARIATION), json.dumps(bundle))))


ONE, TWO = "http://one.example/fhir/", "http://two.example/fhir/"
SUBJECT = {"subject": {"reference": "Patient/1"}}


def test_the_same_patient_is_compared(context_site: Site) -> None:
    assert compared(context_site, patient(ONE), result(1, "2.0", ONE, **SUBJECT), result(2, "3.0", ONE, **SUBJECT)) == 1


def test_a_patient_who_is_not_in_the_bundle_is_known_by_the_reference(context_site: Site) -> None:
    assert compared(context_site, result(1, "2.0", ONE, **SUBJECT), result(2, "3.0", ONE, **SUBJECT)) == 1


def test_patient_1_of_two_servers_are_two_patients(context_site: Site) -> None:
    results = result(1, "2.0", ONE, **SUBJECT), result(2, "3.0", TWO, **SUBJECT)
    assert compared(context_site, *results) == 0
    assert compared(context_site, patient(ONE), patient(TWO), *results) == 0


def test_contained_patients_of_the_same_name_are_two_patients(context_site: Site) -> None:
    contained = {"contained": [{"resourceType": "Patient", "id": "p"}], "subject": {"reference": "#p"}}
    assert compared(context_site, result(1, "2.0", ONE, **contained), result(2, "3.0", ONE, **contained)) == 0


def test_a_result_without_a_subject_is_not_compared(context_site: Site) -> None:
    assert compared(context_site, result(1, "2.0", ONE), result(2, "3.0", ONE)) == 0


def test_resources_whose_subject_is_a_list_are_no_obstacle(context_site: Site) -> None:
    contract = {"fullUrl": f"{ONE}Contract/1", "resource": {"resourceType": "Contract", "subject": [{"reference": "Patient/1"}]}}
    assert compared(context_site, contract, result(1, "2.0", ONE, **SUBJECT), result(2, "3.0", ONE, **SUBJECT)) == 1
