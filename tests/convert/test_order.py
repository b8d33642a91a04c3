"""ORC, OBR, TQ1, NTE, PRT -> ServiceRequest and DiagnosticReport."""

from __future__ import annotations

import pytest
from converted import HEADER, OBR, OBX, PID, convert, fields, kept, only, resources, slugs, target, url

from adapter.convert.message import Conversion

SENDER = "2.16.840.1.113883.3.999.1^ISO"


def obr(**values: str) -> str:
    return fields("OBR", **{"f2": "ORD1^EHR", "f3": "FIL1^LIS", "f4": "PANEL^Panel^L", "f25": "F", **values})


def orc(**values: str) -> str:
    return fields("ORC", **{"f1": "RE", "f2": "ORD1^EHR", "f3": "FIL1^LIS", **values})


def numbers(conversion: Conversion, kind: str) -> list[tuple[str, str]]:
    return [(one["type"]["coding"][0]["code"], one["value"]) for one in only(conversion, kind)["identifier"]]


class TestOrderNumbers:
    def test_the_same_number_in_orc_and_obr_stands_once(self) -> None:
        assert numbers(convert(PID, orc(), obr()), "DiagnosticReport") == [("PLAC", "ORD1"), ("FILL", "FIL1")]

    def test_different_numbers_both_stand(self) -> None:
        assert numbers(convert(PID, orc(f3="FIL2^LIS"), obr()), "ServiceRequest")[1:] == [("FILL", "FIL1"), ("FILL", "FIL2")]

    def test_of_a_number_with_and_without_authority_the_one_with_it_stands(self) -> None:
        report = only(convert(PID, orc(f3=f"FIL1^LIS^{SENDER}"), obr(f3="FIL1")), "DiagnosticReport")
        assert [one.get("system") for one in report["identifier"]] == [None, "urn:oid:2.16.840.1.113883.3.999.1"]

    def test_without_any_number_there_is_no_request_and_its_fields_stay_on_the_report(self) -> None:
        conversion = convert(PID, obr(f2="", f3="", f31="E11.9^Diabetes^I10C"), OBX)
        assert resources(conversion, "ServiceRequest") == []
        assert kept(only(conversion, "DiagnosticReport")) == {"OBR-31": "E11.9^Diabetes^I10C"}

    def test_the_group_number_is_the_requisition(self) -> None:
        assert only(convert(PID, orc(f4="G1^EHR"), obr()), "ServiceRequest")["requisition"]["value"] == "G1"

    def test_since_v2_8_2_the_group_number_is_a_pair(self) -> None:
        conversion = convert(PID, orc(f4="G1&EHR^G2&LIS"), obr(), header=HEADER.replace("2.5.1", "2.8.2"))
        groups = [(one["type"]["text"], one["value"]) for one in only(conversion, "DiagnosticReport")["identifier"][2:]]
        assert groups == [("Placer group number", "G1"), ("Filler group number", "G2")]

    def test_an_order_detail_without_a_code_has_a_code_that_is_absent_with_a_reason(self) -> None:
        request = only(convert(PID, orc(), obr(f4="", f46="MORN^in the morning^L")), "ServiceRequest")
        assert request["orderDetail"][0]["text"] == "in the morning"
        assert request["code"]["extension"][0]["valueCode"] == "unknown"


class TestRequestStatus:
    @pytest.mark.parametrize(
        ("control", "status", "result", "expected"),
        [("RE", "CM", "F", "completed"), ("RE", "CA", "F", "revoked"), ("DC", "", "F", "revoked"), ("RE", "", "F", "completed")],
    )
    def test_orc_5_counts_then_orc_1_then_obr_25(self, control: str, status: str, result: str, expected: str) -> None:
        assert only(convert(PID, orc(f1=control, f5=status), obr(f25=result)), "ServiceRequest")["status"] == expected

    def test_without_any_of_them_it_is_unknown(self) -> None:
        assert only(convert(PID, orc(), obr(f25="P")), "ServiceRequest")["status"] == "unknown"

    def test_an_unknown_order_status_stays_as_sent(self) -> None:
        assert kept(only(convert(PID, orc(f5="QQ"), obr()), "ServiceRequest"))["ORC-5"] == "QQ"

    def test_a_reason_without_order_status_is_that_of_the_request(self) -> None:
        request = only(convert(PID, orc(f16="LATE^Late^L"), obr()), "ServiceRequest")
        reason = next(one for one in request["extension"] if one["url"].endswith("/request-statusReason"))
        assert reason["valueCodeableConcept"]["text"] == "Late"

    def test_beside_an_order_status_the_reason_is_that_of_the_report_only(self) -> None:
        request = only(convert(PID, orc(f5="CM", f16="LATE^Late^L"), obr()), "ServiceRequest")
        assert not any(one["url"].endswith("/request-statusReason") for one in request["extension"])


class TestReport:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [("F", "final"), ("C", "corrected"), ("P", "preliminary"), ("A", "partial"), ("M", "preliminary"), ("N", "registered")],
    )
    def test_the_status_is_mapped(self, sent: str, status: str) -> None:
        assert only(convert(PID, obr(f25=sent)), "DiagnosticReport")["status"] == status

    @pytest.mark.parametrize("sent", ["", "Y", "QQ"])
    def test_a_status_without_meaning_is_unknown_and_reported(self, sent: str) -> None:
        conversion = convert(PID, obr(f25=sent))
        assert only(conversion, "DiagnosticReport")["status"] == "unknown"
        assert "status-unknown" in slugs(conversion)

    def test_start_and_end_are_a_period(self) -> None:
        report = only(convert(PID, obr(f7="20260115080000-0500", f8="20260115083000-0500")), "DiagnosticReport")
        assert report["effectivePeriod"] == {"start": "2026-01-15T08:00:00-05:00", "end": "2026-01-15T08:30:00-05:00"}

    def test_a_technician_performs_the_report(self) -> None:
        performer = only(convert(PID, obr(f34="321&TEST&TOM")), "DiagnosticReport")["performer"][0]
        assert performer["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "SPRF"

    def test_an_interpreter_written_as_xcn_is_understood(self) -> None:
        conversion = convert(PID, obr(f32="123^TEST^PAULA"))
        role = target(conversion, only(conversion, "DiagnosticReport")["resultsInterpreter"][0])
        assert target(conversion, role["practitioner"])["name"][0]["family"] == "TEST"

    def test_filler_fields_stay_as_sent(self) -> None:
        assert kept(only(convert(PID, obr(f20="ACC 1")), "DiagnosticReport"))["OBR-20"] == "ACC 1"

    def test_without_obr_4_the_code_is_absent_with_a_reason(self) -> None:
        assert only(convert(PID, obr(f4="")), "DiagnosticReport")["code"]["extension"][0]["valueCode"] == "unknown"


class TestReportIdentity:
    def test_a_correction_is_the_same_report(self) -> None:
        correction = convert(PID, obr(f25="C", f4="PANEL^New name^L"))
        assert url(convert(PID, obr()), "DiagnosticReport") == url(correction, "DiagnosticReport")

    def test_the_same_number_of_another_patient_is_another_report(self) -> None:
        assert url(convert(PID, obr()), "DiagnosticReport") != url(convert(PID.replace("123", "124"), obr()), "DiagnosticReport")

    def test_the_namespace_beside_a_universal_id_does_not_matter(self) -> None:
        one, other = (convert(PID, obr(f3=f"FIL1^{name}^{SENDER}")) for name in ("LIS", "LAB"))
        assert url(one, "DiagnosticReport") == url(other, "DiagnosticReport")

    def test_two_reports_with_one_number_and_code_are_told_apart_and_reported(self) -> None:
        conversion = convert(PID, obr(), OBX, obr(), OBX)
        assert len(resources(conversion, "DiagnosticReport")) == 2
        assert "identity-ambiguous" in slugs(conversion)

    @pytest.mark.parametrize(("status", "method"), [("P", "POST"), ("F", "PUT"), ("C", "PUT")])
    def test_only_a_finished_report_replaces_an_earlier_one(self, status: str, method: str) -> None:
        entries = convert(PID, obr(f25=status)).entries
        assert [entry.method for entry in entries if entry.resource["resourceType"] == "DiagnosticReport"] == [method]


class TestRequester:
    def test_orc_12_is_a_role_of_the_practitioner(self) -> None:
        conversion = convert(PID, orc(f12="7^TEST^ANN"), obr(f16="7^TEST^ANN"))
        role = target(conversion, only(conversion, "ServiceRequest")["requester"])
        assert target(conversion, role["practitioner"])["identifier"][0]["value"] == "7"

    def test_obr_16_alone_is_the_practitioner(self) -> None:
        conversion = convert(PID, obr(f16="7^TEST^ANN"))
        assert target(conversion, only(conversion, "ServiceRequest")["requester"])["resourceType"] == "Practitioner"

    def test_another_provider_in_obr_16_stays_as_sent(self) -> None:
        conversion = convert(PID, orc(f12="7^TEST^ANN"), obr(f16="8^TEST^BOB"))
        assert kept(only(conversion, "ServiceRequest"))["OBR-16"] == "8^TEST^BOB"

    def test_the_ordering_facility_has_its_address(self) -> None:
        conversion = convert(PID, orc(f21="Test Clinic", f22="1 Main"), obr())
        role = target(conversion, only(conversion, "ServiceRequest")["requester"])
        assert target(conversion, role["organization"])["address"][0]["line"] == ["1 Main"]

    def test_who_entered_the_order_is_an_agent_of_a_provenance(self) -> None:
        conversion = convert(PID, orc(f9="20260115093000-0500", f10="5^TEST^CLERK"), obr())
        agents = [one["agent"][0]["type"]["coding"][0]["code"] for one in resources(conversion, "Provenance")]
        assert "enterer" in agents


class TestRest:
    def test_a_reflex_order_says_so(self) -> None:
        assert only(convert(PID, obr(f11="G")), "ServiceRequest")["intent"] == "reflex-order"

    def test_an_unmapped_action_code_is_kept_beside_the_intent(self) -> None:
        request = only(convert(PID, obr(f11="A")), "ServiceRequest")
        assert request["intent"] == "order"
        assert request["_intent"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "A"

    def test_clinical_information_is_a_note(self) -> None:
        assert only(convert(PID, obr(f13="fasting 12 h")), "ServiceRequest")["note"] == [{"text": "fasting 12 h"}]

    def test_the_parent_order_in_the_message_is_referred_to(self) -> None:
        child = obr(f2="ORD2^EHR", f3="FIL2^LIS", f29="ORD1&EHR^FIL1&LIS")
        requests = resources(convert(PID, obr(), OBX, child, OBX), "ServiceRequest")
        assert requests[1]["basedOn"][0]["identifier"]["value"] == "FIL1"
        assert requests[1]["basedOn"][0]["reference"].startswith("urn:uuid:")

    def test_a_note_of_the_order_stands_on_request_and_report(self) -> None:
        conversion = convert(PID, OBR, "NTE|1|L|Order comment", OBX)
        assert only(conversion, "ServiceRequest")["note"][0]["text"] == "Order comment"
        assert only(conversion, "DiagnosticReport")["extension"][0]["valueAnnotation"]["text"] == "Order comment"
        assert "note" not in only(conversion, "Observation")

    def test_a_participant_without_a_place_stays_as_sent(self) -> None:
        conversion = convert(PID, OBR, "PRT|1|AD||RCT^Copy to^HL70912|5^TEST^ANN", OBX, header=HEADER.replace("2.5.1", "2.8"))
        assert "PRT" in kept(only(conversion, "ServiceRequest"))


class TestTiming:
    def test_start_and_end_bound_the_occurrence(self) -> None:
        request = only(convert(PID, OBR, "TQ1|1||||||20260115060000-0500|20260115090000-0500|S"), "ServiceRequest")
        assert request["occurrenceTiming"]["repeat"]["boundsPeriod"]["end"] == "2026-01-15T09:00:00-05:00"
        assert request["priority"] == "stat"

    def test_obr_6_beside_a_timing_stays_as_sent(self) -> None:
        request = only(convert(PID, obr(f6="20260115"), "TQ1|1||||||20260115"), "ServiceRequest")
        assert ("occurrenceDateTime" in request, kept(request)["OBR-6"]) == (False, "20260115")

    def test_orc_7_counts_where_no_tq1_is_sent(self) -> None:
        assert only(convert(PID, orc(f7="^^^^^S"), obr()), "ServiceRequest")["priority"] == "stat"

    def test_a_second_tq1_stays_as_sent(self) -> None:
        assert kept(only(convert(PID, OBR, "TQ1|1||||||||S", "TQ1|2||||||||A"), "ServiceRequest"))["TQ1"].endswith("|A")


def test_no_field_of_an_order_is_without_a_rule() -> None:
    full = {f"f{number}": f"X{number}" for number in range(1, 55)}
    common_order = {key: text for key, text in full.items() if int(key[1:]) <= 38}
    conversion = convert(PID, fields("ORC", **common_order), fields("OBR", **full))
    assert "unmapped-field" not in slugs(conversion)


def test_the_interval_of_an_old_timing_gives_pattern_and_times() -> None:
    timing = only(convert(PID, orc(f7="1^BID&0800,2000"), obr()), "ServiceRequest")["occurrenceTiming"]
    assert timing["repeat"]["timeOfDay"] == ["08:00:00", "20:00:00"]
    assert timing["code"]["coding"][0]["code"] == "BID"
