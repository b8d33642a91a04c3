"""OBX -> Observation: rules, identity, specimen, time, performers, and what joins it to its order."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from results import convert, kept_fields, obx, result, slugs

from adapter.fhir.json import dumps
from adapter.fhir.validation import structure_faults

DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
V3_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def extension(observation: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in observation.get("extension", ()) if one["url"].rpartition("/")[2] == name]


class TestFields:
    def test_obx_3_is_the_code(self) -> None:
        assert result(obx("NM", "4.20"))["code"]["coding"][0]["code"] == "2345-7"

    def test_without_obx_3_the_code_is_absent_and_reported(self) -> None:
        assembly = convert("OBX|1|NM|||4.2||||||F")
        assert assembly.observations[0].observation["code"]["extension"][0]["valueCode"] == "unknown"
        assert slugs(assembly) == ["required-field-missing"]

    @pytest.mark.parametrize(
        ("text", "inner"),
        [
            ("1.2", [{"url": "original-sub-identifier", "valueString": "1.2"}]),
            ("^1^2", [{"url": "group", "valueDecimal": Decimal(1)}, {"url": "sequence", "valueDecimal": Decimal(2)}]),
            ("URINALYSIS^^ROUTINE:", [{"url": "original-sub-identifier", "valueString": "URINALYSIS^^ROUTINE:"}]),
            ("HEMATOLOGY^^", [{"url": "original-sub-identifier", "valueString": "HEMATOLOGY"}]),
        ],
    )
    def test_obx_4_is_the_sub_identifier(self, text: str, inner: list[dict[str, Any]]) -> None:
        assert extension(result(obx("NM", "1", f4=text)), "observation-v2-subid")[0]["extension"] == inner

    def test_every_flag_is_kept_in_order(self) -> None:
        flags = result(obx("NM", "1", f8="H^High^HL70078~A"))["interpretation"]
        assert [flag["coding"][0] for flag in flags] == [
            {"system": V3_INTERPRETATION, "code": "H", "display": "High"},
            {"system": V3_INTERPRETATION, "code": "A", "display": "Abnormal"},
        ]

    def test_an_unknown_flag_stays_as_sent(self) -> None:
        assembly = convert(obx("NM", "1", f8="*"))
        flag = assembly.observations[0].observation["interpretation"][0]
        assert flag["text"] == "*" and all("system" not in coding for coding in flag["coding"])
        assert slugs(assembly) == ["flag-not-mapped"]

    def test_nature_of_abnormal_test(self) -> None:
        nature = extension(result(obx("NM", "1", f10="S~A")), "observation-nature-of-abnormal-test")
        assert [one["valueCodeableConcept"]["coding"][0]["code"] for one in nature] == ["S", "A"]

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            ("F", "final"),
            ("P", "preliminary"),
            ("C", "corrected"),
            ("D", "entered-in-error"),
            ("I", "registered"),
            ("U", "final"),
        ],
    )
    def test_status(self, sent: str, status: str) -> None:
        assert result(obx("NM", "1", f11=sent))["status"] == status

    @pytest.mark.parametrize("sent", ["", "Z", '""'])
    def test_an_unknown_status_is_unknown_and_reported(self, sent: str) -> None:
        assembly = convert(obx("NM", "1", f11=sent))
        assert assembly.observations[0].observation["status"] == "unknown"
        assert "status-unknown" in slugs(assembly)

    def test_a_status_mapped_to_a_wider_code_keeps_the_v2_code(self) -> None:
        kept = result(obx("NM", "1", f11="X"))["_status"]["extension"][0]
        assert kept["valueCodeableConcept"]["coding"][0]["code"] == "X"

    def test_method_takes_the_first_and_keeps_the_others(self) -> None:
        observation = result(obx("NM", "1", f17="PCR^PCR^L~EIA"))
        assert observation["method"]["coding"][0]["code"] == "PCR"
        assert kept_fields(observation) == {"OBX-17": "EIA"}

    def test_analysis_time(self) -> None:
        found = extension(result(obx("NM", "1", f19="20260115102000-0500")), "observation-analysis-date-time")
        assert found[0]["valueDateTime"] == "2026-01-15T10:20:00-05:00"

    def test_observation_type_and_sub_type(self) -> None:
        observation = result(obx("NM", "1", f29="RSLT", f30="SUB"))
        assert observation["category"][0]["coding"][0]["code"] == "RSLT"
        assert extension(observation, "observation-structure-type")[0]["valueCodeableConcept"]["coding"][0]["code"] == "SUB"

    @pytest.mark.parametrize("field", [9, 12, 13, 22, 26, 27, 28, 31])
    def test_a_field_without_place_is_kept_verbatim(self, field: int) -> None:
        assert kept_fields(result(obx("NM", "1", **{f"f{field}": "A^b~C"}))) == {f"OBX-{field}": "A^b~C"}

    def test_a_field_beyond_the_standard_is_reported(self) -> None:
        assert slugs(convert(obx("NM", "1", f40="x"))) == ["unmapped-field"]

    def test_device(self) -> None:
        assembly = convert(obx("NM", "1", f18="ANALYZ1^LIS~ANALYZ2"))
        observation = assembly.observations[0].observation
        assert assembly.resources[observation["device"]["reference"]]["identifier"][0]["value"] == "ANALYZ1"
        assert kept_fields(observation) == {"OBX-18": "ANALYZ2"}


class TestTime:
    def test_obx_14_is_the_effective_time(self) -> None:
        assert result(obx("NM", "1", f14="20260115080000-0500"))["effectiveDateTime"] == "2026-01-15T08:00:00-05:00"

    def test_without_obx_14_it_is_obr_7(self) -> None:
        assert result(obx("NM", "1"), request="OBR|1||F|P|||20260114\r")["effectiveDateTime"] == "2026-01-14"

    def test_without_obx_14_a_timed_collection_is_a_period(self) -> None:
        period = result(obx("NM", "1"), request="OBR|1||F|P|||20260114|20260115\r")["effectivePeriod"]
        assert period == {"start": "2026-01-14", "end": "2026-01-15"}

    def test_an_unreadable_obx_14_is_not_replaced(self) -> None:
        observation = result(obx("NM", "1", f14="20261399"), request="OBR|1||F|P|||20260114\r")
        assert "effectiveDateTime" not in observation and "_effectiveDateTime" in observation


class TestPerformers:
    def test_obx_23_with_its_address_is_the_organization(self) -> None:
        assembly = convert(obx("NM", "1", f23="Acme Lab", f24="1 Lab Way^^Lyndhurst"))
        assert [one["name"] for one in assembly.observations[0].organizations] == ["Acme Lab"]
        assert assembly.observations[0].organizations[0]["address"][0]["city"] == "Lyndhurst"

    def test_obx_15_is_the_organization_where_obx_23_is_blank(self) -> None:
        assert convert(obx("NM", "1", f15="05D1^Ref Lab^CLIA")).observations[0].organizations[0]["name"] == "Ref Lab"

    def test_obx_15_beside_obx_23_is_kept(self) -> None:
        assembly = convert(obx("NM", "1", f15="05D1^Ref Lab^CLIA", f23="Acme Lab"))
        assert [one["name"] for one in assembly.observations[0].organizations] == ["Acme Lab"]
        assert kept_fields(assembly.observations[0].observation) == {"OBX-15": "05D1^Ref Lab^CLIA"}

    def test_an_address_without_organization_is_kept(self) -> None:
        assert kept_fields(result(obx("NM", "1", f24="1 Lab Way"))) == {"OBX-24": "1 Lab Way"}

    def test_observer_and_director_are_roles(self) -> None:
        assembly = convert(obx("NM", "1", f16="42^Tech^Tess", f23="Acme Lab", f25="88^Boss^Bea"))
        performers = [assembly.resources[one["reference"]] for one in assembly.observations[0].observation["performer"]]
        assert [one["resourceType"] for one in performers] == ["PractitionerRole", "Organization", "PractitionerRole"]
        assert [performers[place]["code"][0]["coding"][0]["code"] for place in (0, 2)] == ["responsibleObserver", "MDIR"]
        assert performers[2]["organization"] == assembly.observations[0].observation["performer"][1]

    def test_performers_are_shared_by_the_results_of_a_message(self) -> None:
        assembly = convert(obx("NM", "1", f23="Acme Lab"), obx("NM", "2", f4="2", f23="Acme Lab"))
        assert [entry.resource["resourceType"] for entry in assembly.entries].count("Organization") == 1

    def test_prt_names_performer_device_and_place(self) -> None:
        assembly = convert(obx("NM", "1"), "PRT|1|AD||RO^Responsible Observer^HL70912|61^Part^Pat||||ONC|DEV5^LIS")
        observation = assembly.observations[0].observation
        assert assembly.resources[observation["performer"][0]["reference"]]["resourceType"] == "PractitionerRole"
        assert assembly.resources[observation["device"]["reference"]]["identifier"][0]["value"] == "DEV5"
        assert len(extension(observation, "event-location")) == 1

    def test_prt_that_names_nobody_is_kept(self) -> None:
        observation = result(obx("NM", "1"), "PRT|1|AD||EQUIP^Equipment^HL70912||||||DEV5^LIS")
        assert kept_fields(observation)["PRT-4"] == "EQUIP^Equipment^HL70912"
        assert "device" in observation


class TestSpecimen:
    SPM = "SPM|1|SP1&EHR^SF1&LIS||SER"
    SECOND = "SPM|2|SP2&EHR^SF2&LIS||UR"

    def test_the_only_specimen_of_the_order_is_the_specimen(self) -> None:
        assert result(obx("NM", "1"), self.SPM)["specimen"] == {"reference": "urn:uuid:specimen-1"}

    def test_of_several_specimens_none_is_guessed(self) -> None:
        assert "specimen" not in result(obx("NM", "1"), self.SPM, self.SECOND)

    @pytest.mark.parametrize("sent", ["SP2&EHR^SF2&LIS", "SP2", "^SF2&LIS"])
    def test_obx_33_names_one(self, sent: str) -> None:
        assert result(obx("NM", "1", f33=sent), self.SPM, self.SECOND)["specimen"] == {"reference": "urn:uuid:specimen-2"}

    def test_a_number_of_another_authority_is_another_specimen(self) -> None:
        assembly = convert(obx("NM", "1", f33="SP2&OTHER"), self.SPM, self.SECOND)
        specimen = assembly.resources[assembly.observations[0].observation["specimen"]["reference"]]
        assert specimen["identifier"][0]["value"] == "SP2"

    def test_several_named_specimens_are_all_kept(self) -> None:
        observation = result(obx("NM", "1", f33="SP1~SP2"), self.SPM, self.SECOND)
        assert observation["specimen"] == {"reference": "urn:uuid:specimen-1"}
        assert extension(observation, "extension-Observation.specimen")[0]["valueReference"] == {
            "reference": "urn:uuid:specimen-2"
        }

    def test_a_result_behind_spm_describes_the_specimen(self) -> None:
        assembly = convert(obx("NM", "1"), self.SPM, "OBX|1|ST|VOL^Volume^L||ok||||||F")
        volume = assembly.observations[1].observation
        assert volume["focus"] == [{"reference": "urn:uuid:specimen-1"}]
        assert len(assembly.resources["report"]["result"]) == 1


class TestAbsentValue:
    @pytest.mark.parametrize(
        ("status", "reason"), [("X", "not-performed"), ("N", "not-asked"), ("I", "temp-unknown"), ("F", "unknown")]
    )
    def test_the_status_says_why(self, status: str, reason: str) -> None:
        assembly = convert(obx("NM", "", f11=status))
        assert assembly.observations[0].observation["dataAbsentReason"]["coding"][0]["code"] == reason
        assert slugs(assembly) == ["value-missing"]

    def test_a_value_has_no_absent_reason(self) -> None:
        assert "dataAbsentReason" not in result(obx("NM", "1", f11="X"))

    def test_obx_32_says_why(self) -> None:
        assert result(obx("NM", "", f32="HEM^Hemolyzed^L"))["dataAbsentReason"]["text"] == "Hemolyzed"

    def test_obx_32_beside_a_value_is_kept(self) -> None:
        observation = result(obx("NM", "1", f32="HEM^Hemolyzed^L"))
        assert "dataAbsentReason" not in observation
        assert kept_fields(observation) == {"OBX-32": "HEM^Hemolyzed^L"}

    def test_the_explicit_null_is_no_value(self) -> None:
        assert result(obx("NM", '""'))["dataAbsentReason"]["coding"][0]["system"] == DATA_ABSENT

    def test_the_unit_of_a_missing_value_is_kept(self) -> None:
        assert kept_fields(result(obx("NM", "", "mg/L"))) == {"OBX-6": "mg/L"}


class TestOrder:
    def test_results_are_listed_in_the_report(self) -> None:
        assembly = convert(obx("NM", "1"), obx("NM", "2"))
        assert len(assembly.resources["report"]["result"]) == 2

    @pytest.mark.parametrize("kind", ["QST", "SCI"])
    def test_a_question_supports_the_request_and_is_no_result(self, kind: str) -> None:
        assembly = convert(obx("NM", "1", f29=kind))
        assert "result" not in assembly.resources["report"]
        assert len(assembly.resources["request"]["supportingInfo"]) == 1

    @pytest.mark.parametrize(("section", "listed"), [("CH", True), ("RAD", False), ("", False)])
    def test_a_laboratory_section_gives_the_category(self, section: str, listed: bool) -> None:
        observation = result(obx("NM", "1"), request=f"OBR|1||F|P{'|' * 20}{section}\r")
        assert ("category" in observation) == listed

    def test_subject_is_the_patient(self) -> None:
        assert result(obx("NM", "1"))["subject"] == {"reference": "urn:uuid:patient"}


class TestIdentity:
    def urls(self, *segments: str, request: str = "OBR|1||FIL1|P\r") -> list[str]:
        return [entry.full_url for entry in convert(*segments, request=request).entries]

    def test_the_same_source_has_the_same_identity(self) -> None:
        assert self.urls(obx("NM", "1")) == self.urls(obx("NM", "2", f8="H"))

    def test_two_results_of_one_code_differ_by_their_ordinal(self) -> None:
        first, second = self.urls(obx("NM", "1"), obx("NM", "2"))
        assert first != second

    def test_the_name_of_the_test_is_no_part_of_the_identity(self) -> None:
        assert self.urls("OBX|1|NM|GLU^Glucose^L||1||||||F") == self.urls("OBX|1|NM|GLU^Glukose^L||1||||||F")

    def test_another_report_is_another_result(self) -> None:
        assert self.urls(obx("NM", "1")) != self.urls(obx("NM", "1"), request="OBR|1||FIL2|P\r")

    def test_the_instance_identifier_is_the_identity(self) -> None:
        assert self.urls(obx("NM", "1", f21="INST1^LIS")) == self.urls(obx("NM", "1", f21="INST1^LIS"), request="OBR|1||FIL2|P\r")

    def test_an_instance_identifier_that_occurs_twice_is_reported(self) -> None:
        assembly = convert(obx("NM", "1", f21="INST1"), obx("NM", "2", f21="INST1"))
        assert "identity-ambiguous" in slugs(assembly)
        assert len({entry.full_url for entry in assembly.entries}) == 2

    @pytest.mark.parametrize(("status", "method"), [("P", "POST"), ("I", "POST"), ("F", "PUT"), ("C", "PUT")])
    def test_final_results_replace_and_preliminary_ones_do_not(self, status: str, method: str) -> None:
        assert convert(obx("NM", "1", f11=status)).entries[0].method == method

    def test_a_correction_among_equal_results_overwrites_none(self) -> None:
        assembly = convert(obx("NM", "1"), obx("NM", "2", f11="C"))
        assert {entry.method for entry in assembly.entries} == {"POST"}
        assert "identity-ambiguous" in slugs(assembly)
        assert not {entry.full_url for entry in assembly.entries} & set(
            self.urls(obx("NM", "1"), obx("NM", "2"), request="OBR|1|ORD1|FIL1|PANEL^Panel^L\r")
        )

    def test_a_correction_among_different_sub_ids_is_certain(self) -> None:
        assembly = convert(obx("NM", "1", f4="1"), obx("NM", "2", f4="2", f11="C"))
        assert {entry.method for entry in assembly.entries} == {"PUT"}
        assert "identity-ambiguous" not in slugs(assembly)


FULL = (
    "OBX|1|NM|2345-7^Glucose^LN^GLU^Glucose local^99A|1.2|4.20|mmol/L^millimole per liter^UCUM^MM^Milli^99B|3.9-5.5"
    "|N^Fine^HL70078~*|0.9|S|X|20250101|chk|20260115080000-0500|05D1^Ref Lab^CLIA|42^Tech^Tess|PCR^Chain^99C~M2|ANALYZ1^LIS"
    "|20260115102000|ARM^Left^99D|INST77^LIS|mood|Acme Lab|1 Lab Way^^Lyndhurst|88^Boss^Bea|rel|C9^Cause|proc|RSLT|sub|act"
    "|WHY^Reason|SP1&EHR^SF1&LIS"
)
NOTE = "NTE|1|L|Hemolyzed|RE|7^Noter^Nia|20260115110000-0500|20260116|20260117|COD^Coded^99E"
PARTICIPANT = "PRT|1|AD||RO^Observing^HL70912|61^Part^Pat|PT^Provider^99F|||ONC^101|DEV5^EQP"


def test_a_full_segment_is_valid_fhir() -> None:
    assembly = convert(FULL, NOTE, PARTICIPANT)
    assert [structure_faults(entry.resource) for entry in assembly.entries] == [[]] * len(assembly.entries)


def test_every_component_of_a_full_segment_is_in_the_output() -> None:
    assembly = convert(FULL, NOTE, PARTICIPANT)
    output = dumps([entry.resource for entry in assembly.entries]).decode()
    sent = [
        part for line in (FULL, NOTE, PARTICIPANT) for field in line.split("|")[3:] for part in re.split("[~^&]", field) if part
    ]
    # what FHIR says in its own words: names of coding systems, times, and how a receiver should change its records
    said_otherwise = {"LN", "UCUM", "HL70078", "HL70912", "AD", "20260115080000-0500", "20260115110000-0500", "20260115102000"}
    assert [part for part in sent if part not in output and part not in said_otherwise] == []
