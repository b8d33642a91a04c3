"""Messages that random mutation broke once: what is damaged is kept or reported, and the output stays valid FHIR."""

import pytest

from adapter.config import Settings
from adapter.fhir.json import loads
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.load import load_tables

MSH = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01^ORU_R01|1|P|2.5.1"
PID = "PID|1||123^^^HOSP^MR||TEST^PATIENT"
OBR = "OBR|1||F1^LIS|B2M^Beta-2 Microglobulin^L"
OBX = "OBX|1|NM|B2M^Beta-2 Microglobulin^L||4.20|mg/L|||||F"


def convert(*segments: str, to: str = "transaction") -> Outcome:
    pipeline = Pipeline(load_tables(), Settings(to=to))  # type: ignore[arg-type]
    return pipeline(RawMessage("er7", "\r".join(segments).encode(), 0))


def resources(outcome: Outcome, kind: str) -> list[dict]:
    assert outcome.fate == "converted", outcome.issues
    return [entry["resource"] for entry in loads(outcome.lines[0])["entry"] if entry["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("character", ["\x01", "\x0c", "\x1b", "\ufeff"])
@pytest.mark.parametrize("place", [2, 3, 5, 6, 7, 8, 15])
def test_a_control_character_in_a_result_is_kept_as_its_escape_sequence(character: str, place: int) -> None:
    fields = OBX.split("|")
    fields += [""] * (16 - len(fields))
    fields[place] += character
    outcome = convert(MSH, PID, OBR, "|".join(fields))
    assert outcome.fate == "converted"
    assert f"\\\\X{character.encode().hex().upper()}\\\\".encode() in outcome.lines[0]
    assert "control-characters" in {issue.slug for issue in outcome.issues}


def test_an_address_whose_line_is_a_separator_alone_has_no_line() -> None:
    (patient,) = resources(convert(MSH, PID + "||||||&^^VIENNA", OBR, OBX), "Patient")
    assert patient["address"] == [{"city": "VIENNA"}]


def test_software_without_a_name_has_none() -> None:
    outcome = convert(MSH, "SFT|Test Maker|\\H\\|\\H\\\\N\\|1|\\H\\", PID, OBR, OBX)
    assert [
        one.keys() & {"deviceName", "version", "note"} for one in resources(outcome, "Device") if "Test Maker" in str(one)
    ] == [set()]


def test_two_descriptions_of_a_specimen_with_different_kinds_of_time_keep_the_first_time() -> None:
    moment = "SPM|1|S1&LIS^S1&LIS||SER^Serum^HL70487|||||||||||||20260101"
    span = "SPM|1|S1&LIS^S1&LIS||SER^Serum^HL70487|||||||||||||20260101^20260102"
    outcome = convert(MSH, PID, OBR, OBX, moment, OBR.replace("F1", "F2"), OBX, span)
    (specimen,) = resources(outcome, "Specimen")
    assert "collectedPeriod" not in specimen["collection"]
    assert "20260101^20260102" in str(specimen["extension"])


def test_an_unknown_flag_in_the_second_triplet_only_is_kept() -> None:
    fields = OBX.split("|")
    fields[8] = "^^^ODD"
    (observation,) = resources(convert(MSH, PID, OBR, "|".join(fields)), "Observation")
    assert observation["interpretation"] == [{"coding": [{"code": "ODD"}]}]


@pytest.mark.parametrize("orc", ["ORC| ||F1^LIS", "ORC|\\.sp99\\||F1^LIS|||||||||||\\.sp99\\"])
def test_an_order_whose_control_code_and_callback_are_blank_has_neither(orc: str) -> None:
    (request,) = resources(convert(MSH, PID, orc, OBR, OBX), "ServiceRequest")
    assert "businessEvent" not in str(request)
    assert request.get("extension") != []


def test_two_descriptions_of_a_patient_with_different_kinds_of_death_keep_the_first() -> None:
    dead = "|".join(PID.split("|") + [""] * 24 + ["Y"])
    dated = "|".join(PID.split("|") + [""] * 23 + ["20260101", "Y"])
    outcome = convert(MSH, dead, OBR, OBX, dated, OBR.replace("F1", "F2"), OBX)
    (patient,) = resources(outcome, "Patient")
    assert patient["deceasedBoolean"] is True
    assert "deceasedDateTime" not in patient
