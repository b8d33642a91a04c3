"""Segments and fields that FHIR has no place for stay, as sent, on the resource of their level."""

from __future__ import annotations

from typing import Any

import pytest
from converted import HEADER, OBR, OBX, ORC, PID, convert, fields, kept, only, resources, slugs

from adapter.config import Settings
from adapter.convert.message import Conversion, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

VISIT = fields("PV1", f2="O", f7="7^TEST^ANN", f44="20260114")


def transaction(*segments: str) -> Conversion:
    source = "\r".join((HEADER, *segments)).encode()
    return Converter(load_tables(), Settings(to="transaction")).convert(read_message(source), source)


def provenance_of_message(conversion: Conversion) -> dict[str, Any]:
    found = [one for one in resources(conversion, "Provenance") if one.get("activity", {}).get("coding")]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("segment", ["NTE|1|L|A note on the patient", "ARV|1|A|DEM", "ZPD|x^y", "AL1|1|DA|PEN"])
def test_what_follows_pid_stays_on_the_patient(segment: str) -> None:
    conversion = convert(PID, segment, ORC, OBR, OBX)
    assert kept(only(conversion, "Patient"))[segment[:3]] == segment
    assert "segment-not-mapped" in slugs(conversion)


@pytest.mark.parametrize("segment", ["FT1|1|||20260115||CG|80050", "CTD|1^Contact|TEST^ANN", "TXA|1|CN", "BLG|D"])
def test_what_belongs_to_an_order_stays_on_the_request(segment: str) -> None:
    assert kept(only(convert(PID, ORC, OBR, OBX, segment), "ServiceRequest"))[segment[:3]] == segment


def test_without_a_request_it_stays_on_the_report() -> None:
    assert kept(only(convert(PID, "OBR|1|||PANEL^Panel^L", OBX, "FT1|1"), "DiagnosticReport"))["FT1"] == "FT1|1"


def test_a_local_segment_behind_a_result_belongs_to_the_result() -> None:
    first, second = resources(convert(PID, OBR, OBX, "ZBX|1|raw^4.2", OBX), "Observation")
    assert kept(first) == {"ZBX": "ZBX|1|raw^4.2"}
    assert kept(second) == {}


def test_what_follows_a_specimen_stays_on_the_specimen() -> None:
    assert kept(only(convert(PID, OBR, OBX, "SPM|1|P1^S1", "SAC|||C1"), "Specimen"))["SAC"] == "SAC|||C1"


@pytest.mark.parametrize("segment", ["NTE|1||For all results", "EVN|R01|20260115", "ZHD|1", "MSA|AA|1"])
def test_what_belongs_to_the_message_stays_on_its_provenance(segment: str) -> None:
    for conversion in (convert(segment, PID, OBR, OBX), transaction(segment, PID, OBR, OBX)):
        assert kept(provenance_of_message(conversion))[segment[:3]] == segment


def test_a_credential_is_not_passed_on() -> None:
    conversion = transaction("UAC|KERB^Kerberos^HL70615|^AP^x^Base64^SECRET", PID, OBR, OBX)
    assert "SECRET" not in str([entry.resource for entry in conversion.entries])


def test_a_continued_message_is_reported_and_its_pointer_kept() -> None:
    conversion = transaction(PID, OBR, OBX, "DSC|PART2|F")
    assert "message-continued" in slugs(conversion)
    assert kept(provenance_of_message(conversion))["DSC"] == "DSC|PART2|F"


def test_the_continuation_of_a_message_is_reported() -> None:
    conversion = convert(PID, OBR, OBX, header=HEADER + "||PART2")
    assert "message-continued" in slugs(conversion)
    assert kept(provenance_of_message(conversion))["MSH-14"] == "PART2"


def test_a_clinical_trial_is_a_study_of_the_report() -> None:
    report = only(convert(PID, OBR, OBX, "CTI|TRIAL7^SPONSOR|2^Phase^L"), "DiagnosticReport")
    study = next(one for one in report["extension"] if one["url"].endswith("/workflow-researchStudy"))
    assert study["valueReference"]["identifier"]["value"] == "TRIAL7"
    assert kept(report)["CTI-2"] == "2^Phase^L"


def test_a_visit_without_number_stays_on_the_reports() -> None:
    visit = fields("PV1", f2="O", f7="7^TEST^ANN")
    conversion = convert(PID, visit, "PV2|||R1^Reason^L", OBR, OBX)
    assert kept(only(conversion, "DiagnosticReport")) == {"PV1": visit, "PV2": "PV2|||R1^Reason^L"}


def test_a_visit_without_number_and_without_results_stays_on_the_patient() -> None:
    assert kept(only(convert(PID, "PV1|1|O"), "Patient"))["PV1"] == "PV1|1|O"


def test_a_next_of_kin_without_name_stays_on_the_patient() -> None:
    assert kept(only(convert(PID, "NK1|1||SPO"), "Patient"))["NK1"] == "NK1|1||SPO"


@pytest.mark.parametrize(
    ("segments", "kind", "name"),
    [
        ([PID + "|" * 40 + "new", OBR, OBX], "Patient", "PID-45"),
        ([PID, VISIT + "|" * 20 + "new", OBR, OBX], "Encounter", "PV1-64"),
        ([PID, fields("OBR", f3="F1", f4="A^B^L", f60="new"), OBX], "DiagnosticReport", "OBR-60"),
        ([PID, OBR, OBX + "|" * 40 + "new"], "Observation", "OBX-51"),
        ([PID, OBR, OBX, fields("SPM", f2="1^2", f40="new")], "Specimen", "SPM-40"),
    ],
)
def test_a_field_beyond_the_known_ones_stays(segments: list[str], kind: str, name: str) -> None:
    conversion = convert(*segments)
    assert kept(only(conversion, kind))[name] == "new"
    assert "unmapped-field" in slugs(conversion)


def test_a_repetition_that_fhir_has_no_room_for_stays() -> None:
    conversion = convert(PID, fields("ORC", f1="RE", f3="F1", f16="A^One^L~B^Two^L"), OBR, OBX)
    assert kept(only(conversion, "DiagnosticReport"))["ORC-16"] == "B^Two^L"
