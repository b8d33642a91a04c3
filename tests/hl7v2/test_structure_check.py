"""What hl7apy says on the structure of a message becomes issues, without the text of the message."""

from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.message import read_message
from adapter.hl7v2.structure_check import structure_issues
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

MSH = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01^ORU_R01|1|P|2.5.1"
PID = "PID|1||123^^^HOSP^MR||TEST^PATIENT"
OBR = "OBR|1|||B2M^Beta-2 Microglobulin^L"
OBX = "OBX|1|NM|B2M^Beta-2 Microglobulin^L||4.20|mg/L|||||F"


def faults(*segments: str) -> list[tuple[str, str]]:
    issues = structure_issues(read_message("\r".join(segments).encode()))
    assert {issue.slug for issue in issues} <= {"v2-structure"}
    return [(issue.place, issue.detail) for issue in issues]


def test_a_message_as_the_standard_wants_it_has_no_fault() -> None:
    assert faults(MSH, PID, OBR, OBX) == []


def test_a_required_field_is_missing() -> None:
    assert faults(MSH, PID, OBR, OBX.replace("|F", "|")) == [("OBX-11", "is required and missing")]


def test_equal_faults_are_one_issue() -> None:
    without_status = OBX.replace("|F", "|")
    assert faults(MSH, PID, OBR, without_status, without_status) == [("OBX-11", "is required and missing (2 times)")]


def test_a_required_component_is_missing() -> None:
    assert faults(MSH.replace("2.5.1", "2.6"), PID.replace("123^", "^"), OBR, OBX) == [("PID-3.1", "is required and missing")]


def test_a_required_segment_is_missing() -> None:
    assert ("OBR", "is required and missing") in faults(MSH, PID, "ORC|RE|1", OBX)


def test_a_field_comes_more_often_than_allowed() -> None:
    assert faults(MSH, PID + "|||F~M", OBR, OBX) == [("PID-8", "comes more often than allowed")]


def test_a_segment_has_more_fields_than_its_version_knows() -> None:
    later = OBX + "|" * 30 + "later"
    assert faults(MSH, PID, OBR, later) == [("OBX", "has more fields than this version knows")]


def test_a_field_has_more_components_than_its_version_knows() -> None:
    assert faults(MSH, PID, OBR, OBX.replace("^L|", "^L^^^^^^^later|")) == [("OBX-3", "has more parts than this version knows")]


def test_the_truncation_character_of_later_versions_is_no_fault() -> None:
    assert faults(MSH.replace("^~\\&", "^~\\&#"), PID, OBR, OBX) == []


def test_a_version_that_hl7apy_does_not_know_is_one_issue() -> None:
    assert faults(MSH.replace("2.5.1", "2.9"), PID, OBR, OBX) == [
        ("MSH", "hl7apy could not read the message as version 2.9 (UnsupportedVersion)")
    ]


def test_no_text_of_the_message_is_in_the_issues() -> None:
    issues = structure_issues(read_message("\r".join([MSH, "PID|1||||SECRET^SECRET", "ZZZ|SECRET", OBR, OBX]).encode()))
    assert issues
    assert not any("SECRET" in issue.place + issue.detail + issue.value for issue in issues)


def test_the_output_is_the_same_with_and_without_the_check() -> None:
    raw = RawMessage("er7", "\r".join([MSH, PID, OBR, OBX.replace("|F", "|")]).encode(), 0)
    tables = load_tables()
    checked, unchecked = Pipeline(tables, Settings(check_v2=True))(raw), Pipeline(tables, Settings())(raw)
    assert checked.lines == unchecked.lines != []
    assert {issue.slug for issue in checked.issues} - {issue.slug for issue in unchecked.issues} == {"v2-structure"}
