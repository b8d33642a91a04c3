"""Result messages of HL7 v2.1 to v2.9 and of the point of care: old datatypes, old places, other structures."""

from __future__ import annotations

from typing import Any

import pytest
from converted import OBR, OBX, PID, convert, fields, kept, only, resources, slugs, target

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")


def header(version: str, kind: str = "ORU^R01") -> str:
    return f"MSH|^~\\&|LIS|LAB|EHR|HOSP|20260115103000-0500||{kind}|M1|P|{version}"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_of_every_version_is_the_same_result(version: str) -> None:
    conversion = convert(PID, OBR, OBX, header=header(version))
    assert str(only(conversion, "Observation")["valueQuantity"]["value"]) == "4.20"
    assert only(conversion, "Observation")["subject"]["reference"].startswith("urn:uuid:")
    assert "unmapped-field" not in slugs(conversion)


@pytest.mark.parametrize("kind", ["ORU", "ORU^R01", "ORU^R01^ORU_R01", "ORU^R30^ORU_R30", "ORU^R31^ORU_R30", "ORU^R32^ORU_R30"])
def test_results_of_every_event_are_converted(kind: str) -> None:
    assert len(resources(convert(PID, OBR, OBX, header=header("2.6", kind)), "Observation")) == 1


class TestPointOfCare:
    """ORU^R30: visit, order and results at once, without an order number of the placer."""

    SEGMENTS = (
        PID,
        fields("PV1", f2="E", f3="ER^^^HOSP", f19="V1"),
        "ORC|NW",
        "OBR|1||POC1^DEV|2345-7^Glucose^LN|||20260115080000-0500",
        OBX,
    )

    def test_the_device_gives_the_order_its_number(self) -> None:
        conversion = convert(*self.SEGMENTS, header=header("2.6", "ORU^R30^ORU_R30"))
        assert only(conversion, "ServiceRequest")["identifier"][0]["value"] == "POC1"

    def test_the_result_belongs_to_the_visit(self) -> None:
        conversion = convert(*self.SEGMENTS, header=header("2.6", "ORU^R30^ORU_R30"))
        visit = target(conversion, only(conversion, "Observation")["encounter"])
        assert visit["identifier"][0]["value"] == "V1"


class TestOldPatient:
    def patient(self, **values: str) -> dict[str, Any]:
        return only(convert(fields("PID", **{"f3": "123", "f5": "TEST^PATIENT^A^JR^DR^MD", **values}), OBR, OBX), "Patient")

    def test_external_and_alternate_numbers_are_identifiers(self) -> None:
        identifiers = self.patient(f2="EXT1", f4="ALT1")["identifier"]
        assert [one["value"] for one in identifiers] == ["EXT1", "123", "ALT1"]

    def test_a_name_of_type_pn_has_its_parts(self) -> None:
        name = self.patient()["name"][0]
        assert (name["given"], name["suffix"], name["prefix"]) == (["PATIENT", "A"], ["JR", "MD"], ["DR"])

    def test_a_number_with_check_digit_of_type_ck(self) -> None:
        identifier = self.patient(f3="123^4^M11")["identifier"][0]
        assert (identifier["value"], identifier["extension"][0]["valueString"]) == ("123", "4")

    def test_a_time_stamp_with_its_degree_of_precision(self) -> None:
        assert self.patient(f7="19600101^D")["birthDate"] == "1960-01-01"

    def test_a_telephone_number_of_type_tn(self) -> None:
        assert self.patient(f13="(555)123-4567")["telecom"][0]["value"] == "(555)123-4567"


class TestOldOrder:
    def report(self, **values: str) -> Any:
        return convert(PID, fields("OBR", **{"f2": "P1", "f3": "F1", "f4": "PANEL^Panel^L", "f25": "F", **values}), OBX)

    def test_a_specimen_source_of_type_cm(self) -> None:
        specimen = only(self.report(f15="SER&Serum&HL70070^^drawn twice^LA&Left arm&L^^&cooled"), "Specimen")
        assert specimen["type"]["coding"][0]["code"] == "SER"
        assert specimen["note"][0]["text"] == "drawn twice"

    def test_a_specimen_source_of_one_word(self) -> None:
        assert only(self.report(f15="SERUM"), "Specimen")["type"]["coding"][0]["code"] == "SERUM"

    def test_a_collector_of_type_cn(self) -> None:
        conversion = self.report(f10="7^TEST^ANN^B^JR^DR^MD", f15="SER")
        collector = target(conversion, only(conversion, "Specimen")["collection"]["collector"])
        assert (collector["identifier"][0]["value"], collector["name"][0]["family"]) == ("7", "TEST")

    def test_an_order_number_of_type_cm(self) -> None:
        assert only(self.report(f2="P1^EHR"), "ServiceRequest")["identifier"][0]["assigner"]["display"] == "EHR"

    def test_timing_in_obr_27(self) -> None:
        request = only(self.report(f27="1^^^20260115080000-0500^^S"), "ServiceRequest")
        assert request["priority"] == "stat"
        assert request["occurrenceTiming"]["repeat"]["boundsPeriod"]["start"] == "2026-01-15T08:00:00-05:00"

    @pytest.mark.parametrize("text", ["321&TEST&TOM^20260115080000-0500", "321^TEST^TOM", "321&TEST&TOM"])
    def test_an_interpreter_of_type_cm_or_ndl(self, text: str) -> None:
        conversion = self.report(f32=text)
        role = target(conversion, only(conversion, "DiagnosticReport")["resultsInterpreter"][0])
        assert target(conversion, role["practitioner"])["name"][0]["family"] == "TEST"

    def test_charges_and_transport_of_old_orders_are_not_lost(self) -> None:
        assert kept(only(self.report(f30="CART"), "DiagnosticReport"))["OBR-30"] == "CART"

    def test_the_producer_of_type_ce(self) -> None:
        conversion = convert(PID, OBR, "|".join([*OBX.split("|"), "", "", "", "L1^Test Laboratory^L"]))
        performer = target(conversion, only(conversion, "Observation")["performer"][0])
        assert performer["name"] == "Test Laboratory"


class TestSeveralPatients:
    OTHER = "PID|2||987^^^HOSP&2.16.840.1.113883.3.999.9&ISO^MR||OTHER^PATIENT"

    def test_each_result_has_the_patient_before_it(self) -> None:
        conversion = convert(PID, OBR, OBX, self.OTHER, OBR.replace("FIL1", "FIL2"), OBX)
        subjects = [target(conversion, one["subject"])["name"][0]["family"] for one in resources(conversion, "Observation")]
        assert subjects == ["TEST", "OTHER"]

    @pytest.mark.parametrize("kind", ["DiagnosticReport", "ServiceRequest", "Specimen"])
    def test_the_same_order_number_of_two_patients_is_two_orders(self, kind: str) -> None:
        specimen = "SPM|1|^S1&LIS||SER"
        conversion = convert(PID, OBR, OBX, specimen, self.OTHER, OBR, OBX, specimen)
        subjects = [target(conversion, one["subject"])["name"][0]["family"] for one in resources(conversion, kind)]
        assert subjects == ["TEST", "OTHER"]

    def test_the_visit_of_one_patient_is_not_that_of_the_next(self) -> None:
        conversion = convert(PID, "PV1|1|I" + "|" * 17 + "V1", OBR, OBX, self.OTHER, OBR, OBX)
        first, second = resources(conversion, "Observation")
        assert "encounter" in first and "encounter" not in second

    def test_a_visit_without_number_stays_with_its_patient(self) -> None:
        conversion = convert(PID, "PV1|1|O", OBR, OBX, self.OTHER, OBR, OBX)
        first, second = resources(conversion, "DiagnosticReport")
        assert "PV1" in kept(first) and "PV1" not in kept(second)

    def test_results_stay_in_the_report_of_their_group(self) -> None:
        conversion = convert(PID, OBR, OBX, self.OTHER, OBR, OBX, OBX.replace("2345-7", "2160-0"))
        assert [len(one["result"]) for one in resources(conversion, "DiagnosticReport")] == [1, 2]


def test_lines_of_a_text_with_one_code_and_sub_id_stay_results_of_their_own() -> None:
    lines = [f"OBX|{number}|TX|11502-2^Report^LN|1|line {number}||||||F" for number in (1, 2)]
    assert [one["valueString"] for one in resources(convert(PID, OBR, *lines), "Observation")] == ["line 1", "line 2"]
