"""PV1, PV2 -> Encounter."""

from __future__ import annotations

import pytest
from converted import OBR, OBX, PID, convert, fields, only, resources, slugs, target, url

from adapter.fhir.bundle import bundle
from adapter.fhir.validation import structure_faults

VISIT = "V100^^^HOSP&2.16.840.1.113883.3.999.9&ISO"


def pv1(**values: str) -> str:
    return fields("PV1", **{"f2": "I", "f19": VISIT, **values})


def test_without_visit_number_and_admission_there_is_no_encounter() -> None:
    conversion = convert(PID, "PV1|1|O|CLINIC", OBR, OBX)
    assert resources(conversion, "Encounter") == []
    assert "visit-not-identified" in slugs(conversion)


def test_the_visit_number_has_type_vn() -> None:
    assert only(convert(PID, pv1()), "Encounter")["identifier"][0]["type"]["coding"][0]["code"] == "VN"


@pytest.mark.parametrize(("sent", "code"), [("I", "IMP"), ("O", "AMB"), ("E", "EMER"), ("R", "R"), ("ZZ", "ZZ")])
def test_the_class_is_mapped_or_kept(sent: str, code: str) -> None:
    assert only(convert(PID, pv1(f2=sent)), "Encounter")["class"]["code"] == code


def test_a_blank_class_is_absent_with_a_reason() -> None:
    assert only(convert(PID, pv1(f2="")), "Encounter")["class"]["extension"][0]["valueCode"] == "unknown"


def test_a_discharged_visit_is_finished() -> None:
    encounter = only(convert(PID, pv1(f45="20260115180000-0500")), "Encounter")
    assert (encounter["status"], encounter["period"]["end"]) == ("finished", "2026-01-15T18:00:00-05:00")


def test_a_class_that_the_map_does_not_have_says_nothing_about_the_status() -> None:
    assert only(convert(PID, pv1(f2="ZZ")), "Encounter")["status"] == "unknown"


def test_the_location_of_a_preadmission_is_planned() -> None:
    assert only(convert(PID, pv1(f2="P", f3="ONC")), "Encounter")["location"][0]["status"] == "planned"


def test_each_attending_doctor_is_a_participant() -> None:
    conversion = convert(PID, pv1(f7="1^TEST^ANN~2^TEST^BOB"))
    participants = only(conversion, "Encounter")["participant"]
    assert [target(conversion, one["individual"])["name"][0]["given"] for one in participants] == [["ANN"], ["BOB"]]


def test_an_episode_is_pointed_to_by_its_number() -> None:
    episode = only(convert(PID, pv1(f53="Chemotherapy", f54="E1^^^HOSP")), "Encounter")["episodeOfCare"][0]
    assert (episode["identifier"]["value"], episode["display"]) == ("E1", "Chemotherapy")


def test_the_length_of_stay_is_exact() -> None:
    length = only(convert(PID, pv1(), fields("PV2", f11="3.0")), "Encounter")["length"]
    assert (str(length["value"]), length["code"]) == ("3.0", "d")


def test_the_visit_is_the_same_when_it_is_sent_again() -> None:
    assert url(convert(PID, pv1()), "Encounter") == url(convert(PID, pv1(f2="O")), "Encounter")


def test_report_and_result_belong_to_the_visit() -> None:
    conversion = convert(PID, pv1(), OBR, OBX)
    reference = {"reference": url(conversion, "Encounter")}
    assert all(only(conversion, kind)["encounter"] == reference for kind in ("DiagnosticReport", "Observation", "ServiceRequest"))


def test_a_level_of_a_location_with_nothing_but_blanks_is_none() -> None:
    conversion = convert(PID, pv1(f2="I", f3="WARD^\u00a0^ ^&^^\u00a0^^^\u00a0", f19="V1"), OBR, OBX)
    assert structure_faults(bundle(conversion.entries, "message")) == []
    assert [place["identifier"] for place in resources(conversion, "Location")] == [[{"value": "WARD"}]]


def test_a_type_of_location_that_table_0305_does_not_have_stays_without_system() -> None:
    conversion = convert(PID, pv1(f2="I", f3="WARD^1^2^^^BED", f19="V1"), OBR, OBX)
    assert [place["type"] for place in resources(conversion, "Location") if "type" in place] == [[{"coding": [{"code": "BED"}]}]]
    assert "code-not-mapped" in slugs(conversion)


def test_a_participant_has_his_part_in_words() -> None:
    encounter = only(convert(PID, fields("PV1", f2="I", f8="7^TEST^ANN", f19="V1")), "Encounter")
    assert encounter["participant"][0]["type"][0]["text"] == "referrer"
