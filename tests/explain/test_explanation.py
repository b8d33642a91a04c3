"""Each element names the components, rules and table rows behind it; what enrichment made names its rule and row."""

import json

from helpers.fixtures import FOLDER, tables
from messages import OBR, OBX, PID, element, explanation, places

from adapter.config import Settings
from adapter.explain.explanation import explain_fhir
from adapter.explain.selection import select

UUID = "3a8f3445-e009-55e5-8755-9da13819829a"
WHOLE = explanation(PID, OBR, OBX)


def test_element_names_its_component():
    assert places(element(WHOLE, "Patient[1].name[0].family")) == ["PID[1]-5.1"]


def test_component_names_its_rule():
    (source,) = element(WHOLE, "Patient[1].name[0].family").sources
    assert [rule.identifier for rule in source.rules] == ["PID-5>Patient.name[]"]


def test_translated_code_names_its_row():
    (source,) = element(WHOLE, "Observation[1].status").sources
    assert source.rows == ("0085-F",)


def test_row_is_named_though_another_segment_looks_it_up_too():
    twice = explanation(PID, OBR, OBX, OBX.replace("1952-1", "2345-7"))
    (source,) = element(twice, "Observation[2].status").sources
    assert source.rows == ("0085-F",)


def test_element_that_a_result_takes_from_its_order_names_the_order():
    assert places(element(WHOLE, "Observation[1].effectiveDateTime")) == ["OBR[1]-7"]


def test_constant_names_what_it_is_there_for():
    assert "OBR[1]-3" in places(element(WHOLE, "DiagnosticReport[1].identifier[0].type.coding[0].code"))


def test_reference_shows_the_resource_that_it_means():
    assert element(WHOLE, "Observation[1].subject.reference").value == "Patient[1]"


def test_element_of_every_message_names_nothing():
    assert places(element(WHOLE, "Provenance[1].activity.coding[0].code")) == []


def test_computed_flag_names_its_rule():
    (change,) = element(WHOLE, "Observation[1].interpretation[0].coding[0].code").changes
    assert change.rule == "interpretation-computed"


def test_computed_flag_names_what_decided_it():
    decided = places(element(WHOLE, "Observation[1].interpretation[0].coding[0].code"))
    assert {"OBX[1]-5", "OBX[1]-6", "OBX[1]-7"} <= set(decided)
    assert not any(place.startswith("PID") for place in decided)


def test_unit_names_the_row_of_its_spelling():
    found = explanation(PID, OBR, OBX.replace("mg/L", "mg/l"))
    (change,) = element(found, "Observation[1].valueQuantity.code").changes
    assert tables().row(change.row).cells["spelling"] == "mg/l"


def test_component_without_element_says_why():
    found = explanation(PID, OBR, OBX.replace("OBX||", "OBX|1|"))
    assert ("OBX[1]-1", "the order of the results says it") in [(one.place, reason) for one, reason in found.unused]


def test_issues_stand_with_the_explanation():
    assert "flag-computed" in [issue.slug for issue in WHOLE.issues]


def test_fhir_is_as_received_but_for_what_enrichment_changed():
    data = (FOLDER / "fhir/observation-local-code.json").read_bytes()
    found = explain_fhir(data, tables(), Settings())
    assert {one.as_received for one in found.elements} == {True, False}
    assert all(bool(one.changes) != one.as_received for one in found.elements)


def test_contained_observation_is_explained_too():
    observation = json.loads((FOLDER / "fhir/observation.json").read_bytes())
    report = {"resourceType": "DiagnosticReport", "contained": [observation], "status": "final", "code": {"text": "x"}}
    report["result"] = [{"reference": "#obs-1"}]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:uuid:" + UUID, "resource": report}]}
    found = explain_fhir(json.dumps(bundle).encode(), tables(), Settings())
    assert {change.rule for one in found.elements for change in one.changes} >= {"value-canonical"}


def names(path: str) -> set[str]:
    return {f"{one.resource}.{one.name}" for one in select(WHOLE, path).elements}


def test_path_takes_what_is_below():
    assert names("Patient.name") == {"Patient[1].name[0].family", "Patient[1].name[0].given[0]"}


def test_path_takes_a_resource():
    assert "Patient[1].name[0].family" in names("Patient")


def test_path_with_index_takes_that_item():
    assert names("Observation[1].code.coding[0].code") == {"Observation[1].code.coding[0].code"}
    assert names("Observation[2].code") == set()


def test_path_takes_the_issues_of_the_fields_behind_it():
    assert [issue.slug for issue in select(WHOLE, "Observation.interpretation").issues] == []
    local = explanation(PID, OBR, OBX.replace("^LN", "^99LAB"))
    assert "code-without-system" in [issue.slug for issue in select(local, "Observation.code").issues]
