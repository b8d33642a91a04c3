"""The stage of the International Staging System: exact at every border, and only where everything that it needs is there."""

import json
from typing import Any

import pytest
from context_messages import (
    ALBUMIN,
    MARKER,
    MYELOMA,
    URINE,
    Site,
    judgements,
    message,
    observations,
    order,
    run,
    slugs,
)

from adapter.enrich.mark import is_marked
from adapter.pipeline import Pipeline

BEFORE_TREATMENT = [{"sender_application": "TESTLIS", "treatment": "before-treatment"}]
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
STAGES = {"C70658": "I", "C70659": "II", "C70660": "III"}


@pytest.fixture
def pipeline(context_site: Site) -> Pipeline:
    return context_site("iss", iss_context=BEFORE_TREATMENT)


def stages(pipeline: Pipeline, *orders: str) -> list[str]:
    found = judgements(run(pipeline, message(*orders)))
    return [STAGES[one["valueCodeableConcept"]["coding"][0]["code"]] for one in found]


def both(marker: str, albumin: str, marker_unit: str = "mg/L", albumin_unit: str = "g/L", reason: str = MYELOMA) -> str:
    return order(f"{MARKER}|{marker}|{marker_unit}", f"{ALBUMIN}|{albumin}|{albumin_unit}", reason=reason)


@pytest.mark.parametrize(
    ("marker", "albumin", "stage"),
    [
        ("3.49", "35", "I"),
        ("3.4999999999", "35.0", "I"),
        ("3.49", "34.9", "II"),
        ("3.49", "34.9999999999", "II"),
        ("3.5", "35", "II"),
        ("3.50", "45", "II"),
        ("5.49", "20", "II"),
        ("5.4999999999", "45", "II"),
        ("5.5", "45", "III"),
        ("5.500", "20", "III"),
        ("12", "35", "III"),
    ],
)
def test_every_border_is_exact(pipeline: Pipeline, marker: str, albumin: str, stage: str) -> None:
    assert stages(pipeline, both(marker, albumin)) == [stage]


@pytest.mark.parametrize(
    ("marker", "marker_unit", "albumin", "albumin_unit", "stage"),
    [
        ("3.5", "ug/mL", "3.5", "g/dL", "II"),
        ("3499", "ug/L", "3.5", "g/dL", "I"),
        ("3499", "ug/L", "3.49", "g/dL", "II"),
        ("0.55", "mg/dL", "3500", "mg/dL", "III"),
    ],
)
def test_units_convert_exactly(
    pipeline: Pipeline, marker: str, marker_unit: str, albumin: str, albumin_unit: str, stage: str
) -> None:
    assert stages(pipeline, both(marker, albumin, marker_unit, albumin_unit)) == [stage]


def test_it_is_an_observation_of_its_own_shaped_as_mcode(pipeline: Pipeline) -> None:
    outcome = run(pipeline, message(both("6.0", "30")))
    marker, albumin, stage = observations(outcome)
    assert is_marked(stage)
    assert stage["status"] == "preliminary"
    assert stage["code"]["coding"] == [{"system": NCIT, "code": "C139007", "display": "International Staging System Stage"}]
    assert stage["method"]["coding"][0]["code"] == "1149162008"
    assert stage["valueCodeableConcept"]["coding"][0] == {
        "system": NCIT,
        "code": "C70660",
        "display": "ISS Stage III Plasma Cell Myeloma",
    }
    assert stage["subject"] == marker["subject"]
    assert stage["effectiveDateTime"] == marker["effectiveDateTime"]
    own = [one["identifier"][0]["value"] for one in (marker, albumin)]
    assert [one["reference"] for one in stage["derivedFrom"]] == own
    assert "interpretation" not in stage and "referenceRange" not in stage
    assert slugs(outcome.issues) >= {"iss-staged"}


def test_without_the_switch_there_is_none(context_site: Site) -> None:
    assert stages(context_site(iss_context=BEFORE_TREATMENT), both("6.0", "30")) == []


@pytest.mark.parametrize("rows", [[], [{"sender_application": "OTHER", "treatment": "before-treatment"}]])
def test_the_site_must_declare_that_results_are_from_before_treatment(context_site: Site, rows: list[dict[str, str]]) -> None:
    assert stages(context_site("iss", iss_context=rows), both("6.0", "30")) == []


@pytest.mark.parametrize(("code", "expected"), [("PANEL", ["III"]), ("OTHER", [])])
def test_the_site_may_declare_one_order_only(context_site: Site, code: str, expected: list[str]) -> None:
    rows = [{"order_code": code, "treatment": "before-treatment"}]
    assert stages(context_site("iss", iss_context=rows), both("6.0", "30")) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (MYELOMA, ["III"]),
        ("109989006^Multiple myeloma^SCT", ["III"]),
        ("", []),
        ("C90.01^Multiple myeloma in remission^I10C", []),
        ("C90.02^Multiple myeloma in relapse^I10C", []),
        (f"{MYELOMA}~C90.01^Multiple myeloma in remission^I10C", []),
        ("C90.10^Plasma cell leukemia^I10C", []),
        ("C90.00^Multiple myeloma^L", []),
    ],
)
def test_the_order_must_name_myeloma_that_is_neither_in_remission_nor_in_relapse(
    pipeline: Pipeline, reason: str, expected: list[str]
) -> None:
    assert stages(pipeline, both("6.0", "30", reason=reason)) == expected


def test_marker_and_albumin_must_be_of_one_collection(pipeline: Pipeline) -> None:
    apart = [
        order(f"{MARKER}|6.0|mg/L", reason=MYELOMA),
        order(f"{ALBUMIN}|30|g/L", time="20260113090000+0100", number=2),
    ]
    assert stages(pipeline, *apart) == []
    together = [apart[0], order(f"{ALBUMIN}|30|g/L", number=2)]
    assert stages(pipeline, *together) == ["III"]


def test_a_date_alone_is_no_collection(pipeline: Pipeline) -> None:
    days = [
        order(f"{MARKER}|6.0|mg/L", reason=MYELOMA, time="20260113"),
        order(f"{ALBUMIN}|30|g/L", number=2, time="20260113"),
    ]
    assert stages(pipeline, *days) == []


@pytest.mark.parametrize(
    "results",
    [
        (f"{MARKER}|6.0|mg/L",),
        (f"{MARKER}|6.0|mg/L", f"{MARKER}|6.1|mg/L", f"{ALBUMIN}|30|g/L"),
        (f"{MARKER}|6.0|mg/L", "1953-9^Beta-2-Microglobulin Ur^LN|0.2|mg/L"),
        ("87708-4^Beta-2-Microglobulin post dialysis^LN|6.0|mg/L", f"{ALBUMIN}|30|g/L"),
        (f"{MARKER}|6.0|mg/L", "87708-4^Beta-2-Microglobulin post dialysis^LN|4.0|mg/L", f"{ALBUMIN}|30|g/L"),
        (f"{MARKER}|6.0|", f"{ALBUMIN}|30|g/L"),
        (f"{MARKER}|6000|mg/L", f"{ALBUMIN}|30|g/L"),
        (f"{MARKER}|6.0|mg/L", f"{ALBUMIN}|30|mmol/L"),
    ],
)
def test_one_marker_and_one_albumin_are_needed_and_nothing_after_dialysis(pipeline: Pipeline, results: tuple[str, ...]) -> None:
    assert stages(pipeline, order(*results, reason=MYELOMA)) == []


def test_a_marker_in_urine_is_not_staged(pipeline: Pipeline) -> None:
    assert stages(pipeline, order(f"{MARKER}|6.0|mg/L", f"{ALBUMIN}|30|g/L", specimen=URINE, reason=MYELOMA)) == []


@pytest.mark.parametrize(
    ("marker", "stage"), [(">^20", ["III"]), (">^4", []), ("<^0.2", ["I"]), ("<^3.5", ["I"]), ("<^5", []), (">^5.5", ["III"])]
)
def test_an_off_scale_marker_is_staged_only_where_its_bound_decides(pipeline: Pipeline, marker: str, stage: list[str]) -> None:
    assert stages(pipeline, both(marker, "40")) == stage


@pytest.mark.parametrize(
    ("nanomoles", "stage"),
    [
        ("295.3", ["I"]),
        ("296.6", []),
        ("298.41", []),
        ("301.3", []),
        ("301.4", ["II"]),
        ("464", ["II"]),
        ("465", []),
        ("473.6", []),
        ("474", ["III"]),
    ],
)
def test_moles_within_one_percent_of_a_border_are_not_staged(pipeline: Pipeline, nanomoles: str, stage: list[str]) -> None:
    moles = order(f"76484-5^Beta-2-Microglobulin^LN|{nanomoles}|nmol/L", f"{ALBUMIN}|40|g/L", reason=MYELOMA)
    assert stages(pipeline, moles) == stage


def test_moles_are_told(pipeline: Pipeline) -> None:
    moles = order("76484-5^Beta-2-Microglobulin^LN|600|nmol/L", f"{ALBUMIN}|40|g/L", reason=MYELOMA)
    (stage,) = judgements(run(pipeline, message(moles)))
    assert "conversion-molar" in stage["note"][0]["text"]


def test_a_preliminary_result_is_not_staged(pipeline: Pipeline) -> None:
    text = message(both("6.0", "30")).decode().replace("|F|||2026", "|P|||2026", 1)
    outcome = run(pipeline, text)
    assert judgements(outcome) == []
    assert "iss-not-staged" in slugs(outcome.issues)


def bundle(condition: dict[str, Any]) -> str:
    """A Bundle with marker, albumin and a diagnosis of one patient."""

    def result(name: str, code: str, value: str, unit: str) -> dict[str, Any]:
        return {
            "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{name}",
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                "effectiveDateTime": "2026-01-13T08:00:00+01:00",
                "valueQuantity": {"value": f"@{value}@", "unit": unit},
            },
        }

    entries = [
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
            "resource": {"resourceType": "Patient", "identifier": [{"system": "urn:oid:2.16.840.1.113883.19.5", "value": "T1"}]},
        },
        result("2", "1952-1", "6.0", "mg/L"),
        result("3", "1751-7", "30", "g/L"),
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000004",
            "resource": {
                "resourceType": "Condition",
                "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C90.00"}]},
                **condition,
            },
        },
    ]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    return text.replace('"@', "").replace('@"', "")


def status(name: str, code: str) -> dict[str, Any]:
    system = {"clinicalStatus": "condition-clinical", "verificationStatus": "condition-ver-status"}[name]
    return {name: {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}}


@pytest.mark.parametrize(
    ("condition", "staged"),
    [
        (status("clinicalStatus", "active"), True),
        ({**status("clinicalStatus", "active"), **status("verificationStatus", "confirmed")}, True),
        (status("clinicalStatus", "remission"), False),
        (status("clinicalStatus", "relapse"), False),
        ({**status("clinicalStatus", "active"), **status("verificationStatus", "provisional")}, False),
        ({**status("clinicalStatus", "active"), **status("verificationStatus", "refuted")}, False),
        ({"subject": {"reference": "Patient/other"}}, False),
    ],
)
def test_a_bundle_may_name_the_diagnosis_as_a_condition(context_site: Site, condition: dict[str, Any], staged: bool) -> None:
    pipeline = context_site("iss", iss_context=[{"treatment": "before-treatment"}])
    found = judgements(run(pipeline, bundle(condition)))
    assert bool(found) is staged
    for stage in found:
        assert stage["focus"] == [{"reference": "urn:uuid:00000000-0000-4000-8000-000000000004"}]


def test_what_was_judged_once_is_not_judged_twice(context_site: Site) -> None:
    pipeline = context_site("iss", iss_context=[{"treatment": "before-treatment"}])
    (once,) = run(pipeline, bundle(status("clinicalStatus", "active"))).lines
    (twice,) = run(pipeline, once).lines
    assert twice == once
