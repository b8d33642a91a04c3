"""OBR-26, OBR-29, OBR-54, ORC-8: what a result belongs to, in the message and outside it (A23)."""

from __future__ import annotations

import pytest
from converted import HEADER, OBX, PID, convert, fields, kept, resources

from adapter.convert.message import Conversion

CULTURE = "OBX|1|CE|600-7^Culture^LN|1|ECO^Escherichia coli^L||||||F"
OTHER_CULTURE = "OBX|2|CE|600-7^Culture^LN|2|SAU^Staphylococcus aureus^L||||||F"
SUSCEPTIBILITY = "OBX|1|NM|18864-9^Ampicillin^LN||4|ug/mL|||||F"
PARENT = fields("OBR", f2="P1^EHR", f3="F1^LIS", f4="CULT^Culture^L", f25="F")


def child(**values: str) -> str:
    return fields("OBR", **{"f2": "P2^EHR", "f3": "F2^LIS", "f4": "SUSC^Susceptibility^L", "f25": "F", **values})


def members(conversion: Conversion) -> list[list[str]]:
    """Codes of the members of each result."""
    by_url = {entry.full_url: entry.resource for entry in conversion.entries}
    return [
        [by_url[member["reference"]]["code"]["coding"][0]["code"] for member in one.get("hasMember", ())]
        for one in resources(conversion, "Observation")
    ]


@pytest.mark.parametrize("number", ["P1&EHR^F1&LIS", "^F1&LIS", "P1&EHR", "^F1"])
def test_the_parent_result_has_the_results_of_the_child_order_as_members(number: str) -> None:
    susceptibility = child(f26="600-7&Culture&LN^2^SAU", f29=number)
    conversion = convert(PID, PARENT, CULTURE, OTHER_CULTURE, susceptibility, SUSCEPTIBILITY)
    assert members(conversion) == [[], ["18864-9"], []]


def test_a_parent_behind_its_child_is_found() -> None:
    conversion = convert(PID, child(f26="600-7^1", f29="^F1&LIS"), SUSCEPTIBILITY, PARENT, CULTURE)
    assert members(conversion) == [[], ["18864-9"]]
    request = resources(conversion, "ServiceRequest")[0]
    assert request["basedOn"][0]["reference"].startswith("urn:uuid:")


def test_without_a_sub_id_the_only_result_of_the_code_is_the_parent() -> None:
    assert members(convert(PID, PARENT, CULTURE, child(f26="600-7", f29="^F1&LIS"), SUSCEPTIBILITY)) == [["18864-9"], []]


def test_of_two_possible_parents_none_is_chosen() -> None:
    conversion = convert(PID, PARENT, CULTURE, OTHER_CULTURE, child(f26="600-7", f29="^F1&LIS"), SUSCEPTIBILITY)
    assert members(conversion) == [[], [], []]


def test_a_parent_of_another_patient_is_no_parent() -> None:
    other = PID.replace("123", "124")
    conversion = convert(PID, PARENT, CULTURE, other, child(f26="600-7^1", f29="^F1&LIS"), SUSCEPTIBILITY)
    assert members(conversion) == [[], []]


def test_a_parent_outside_the_message_is_a_number() -> None:
    conversion = convert(PID, child(f26="600-7&Culture&LN^2^SAU", f29="P1&EHR^F1&LIS"), SUSCEPTIBILITY)
    assert resources(conversion, "ServiceRequest")[0]["basedOn"][0]["identifier"]["value"] == "F1"
    assert "reference" not in resources(conversion, "ServiceRequest")[0]["basedOn"][0]
    assert kept(resources(conversion, "DiagnosticReport")[0])["OBR-26"] == "600-7&Culture&LN^2^SAU"


def test_the_service_of_the_parent_stays_as_sent() -> None:
    conversion = convert(PID, child(f50="CULT^Culture^L"), OBX)
    assert kept(resources(conversion, "ServiceRequest")[0])["OBR-50"] == "CULT^Culture^L"


class TestPatientObservations:
    """OBX right behind PID, since v2.7: about the patient, of no order."""

    WEIGHT = "OBX|1|NM|29463-7^Weight^LN||70|kg|||||F|||20260115080000-0500"

    def test_it_is_in_no_report(self) -> None:
        conversion = convert(PID, self.WEIGHT, PARENT, OBX, header=HEADER.replace("2.5.1", "2.8.2"))
        (report,) = resources(conversion, "DiagnosticReport")
        weight, glucose = [entry for entry in conversion.entries if entry.resource["resourceType"] == "Observation"]
        assert [one["reference"] for one in report["result"]] == [glucose.full_url]
        assert weight.resource["subject"] == glucose.resource["subject"]

    def test_another_day_is_another_result(self) -> None:
        urls = set()
        for weight in (self.WEIGHT, self.WEIGHT.replace("20260115", "20260116")):
            conversion = convert(PID, weight, PARENT, OBX, header=HEADER.replace("2.5.1", "2.8.2"))
            urls.add(next(entry.full_url for entry in conversion.entries if entry.resource["resourceType"] == "Observation"))
        assert len(urls) == 2

    def test_in_older_versions_it_is_a_result_without_order(self) -> None:
        assert len(resources(convert(PID, self.WEIGHT, PARENT, OBX), "DiagnosticReport")) == 2

    def test_without_any_order_it_is_a_result_without_order(self) -> None:
        assert len(resources(convert(PID, self.WEIGHT, header=HEADER.replace("2.5.1", "2.8.2")), "DiagnosticReport")) == 1


def test_a_document_between_orc_and_obr_does_not_part_them() -> None:
    conversion = convert(PID, "ORC|RE|P1|F1|||||||||7^TEST^ANN", CULTURE, "TXA|1|CN", PARENT, OBX)
    (request,) = resources(conversion, "ServiceRequest")
    assert "requester" in request
    assert kept(request)["TXA"] == "TXA|1|CN"
