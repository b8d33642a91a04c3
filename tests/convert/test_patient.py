"""PID, PD1, NK1 -> Patient and what hangs on it."""

from __future__ import annotations

import pytest
from converted import OBR, OBX, PID, convert, fields, kept, only, resources, slugs, target, url

from adapter.convert.message import Conversion
from adapter.convert.patient import is_placeholder

EXTENSION = "http://hl7.org/fhir/StructureDefinition/patient-"


def pid(**values: str) -> str:
    return fields("PID", **{"f3": "123^^^HOSP&2.16.840.1.113883.3.999.9&ISO^MR", "f5": "TEST^PATIENT", **values})


def patient_of(conversion: Conversion) -> dict[str, str]:
    return {"reference": url(conversion, "Patient")}


class TestIdentity:
    def test_the_first_pid_3_with_a_system_is_the_patient(self) -> None:
        one = convert(pid(f3="9^^^LOCAL~123^^^HOSP&2.16.840.1.113883.3.999.9&ISO"), OBR, OBX)
        assert url(one, "Patient") == url(convert(PID, OBR, OBX), "Patient")

    def test_another_name_is_the_same_patient(self) -> None:
        assert url(convert(pid(f5="OTHER^NAME"), OBR, OBX), "Patient") == url(convert(PID, OBR, OBX), "Patient")

    def test_a_number_without_authority_counts_within_its_sender(self) -> None:
        other = "MSH|^~\\&|OTHERLIS|LAB|EHR|HOSP|20260115103000-0500||ORU^R01^ORU_R01|M1|P|2.5.1"
        assert url(convert(pid(f3="123"), OBR, OBX), "Patient") != url(convert(pid(f3="123"), OBR, OBX, header=other), "Patient")

    @pytest.mark.parametrize("number", ["", "UNKNOWN^^^HOSP&2.16.840.1.113883.3.999.9&ISO", "0000", "99999"])
    def test_without_a_number_the_patient_is_this_message_only(self, number: str) -> None:
        one = convert(pid(f3=number), OBR, OBX)
        other = convert(pid(f3=number), OBR, OBX.replace("4.20", "4.30"))
        assert url(one, "Patient") != url(other, "Patient")
        assert "patient-without-identifier" in slugs(one)

    def test_the_same_bytes_give_the_same_patient_even_without_a_number(self) -> None:
        assert url(convert(pid(f3=""), OBR, OBX), "Patient") == url(convert(pid(f3=""), OBR, OBX), "Patient")

    @pytest.mark.parametrize("number", ["100", "9999", "N1", "990099"])
    def test_a_usual_number_is_no_placeholder(self, number: str) -> None:
        assert not is_placeholder(number)

    def test_two_groups_of_one_patient_give_one_resource(self) -> None:
        conversion = convert(PID, OBR, OBX, pid(f8="F"), OBR.replace("FIL1", "FIL2"), OBX)
        assert only(conversion, "Patient")["gender"] == "female"


class TestFields:
    def test_a_birth_date_keeps_its_precision(self) -> None:
        assert only(convert(pid(f7="1965")), "Patient")["birthDate"] == "1965"

    def test_a_time_of_birth_stands_in_an_extension(self) -> None:
        patient = only(convert(pid(f7="197004120915-0500")), "Patient")
        assert patient["birthDate"] == "1970-04-12"
        moment = {"url": EXTENSION + "birthTime", "valueDateTime": "1970-04-12T09:15:00-05:00"}
        assert patient["_birthDate"]["extension"] == [moment]

    def test_a_business_number_without_use_is_for_work(self) -> None:
        assert only(convert(pid(f14="^^PH^^^617^5550000")), "Patient")["telecom"][0]["use"] == "work"

    def test_the_county_goes_to_the_only_address(self) -> None:
        assert only(convert(pid(f11="1 Main^^Boston", f12="NORFOLK")), "Patient")["address"][0]["district"] == "NORFOLK"

    def test_the_county_of_one_of_two_addresses_is_an_address_of_its_own(self) -> None:
        addresses = only(convert(pid(f11="1 Main~2 Main", f12="NORFOLK")), "Patient")["address"]
        assert addresses[2:] == [{"district": "NORFOLK"}]

    def test_the_birth_order_is_stronger_than_the_indicator(self) -> None:
        patient = only(convert(pid(f24="Y", f25="2")), "Patient")
        assert (patient["multipleBirthInteger"], "multipleBirthBoolean" in patient) == (2, False)

    def test_a_death_indicator_without_a_date_is_a_boolean(self) -> None:
        assert only(convert(pid(f30="N")), "Patient")["deceasedBoolean"] is False

    def test_an_explicit_null_is_no_value(self) -> None:
        assert "gender" not in only(convert(pid(f8='""')), "Patient")

    def test_race_stays_as_sent(self) -> None:
        assert kept(only(convert(pid(f10="2106-3^White^HL70005")), "Patient")) == {"PID-10": "2106-3^White^HL70005"}

    def test_the_mother_is_a_related_person(self) -> None:
        conversion = convert(pid(f21="M1^^^HOSP"))
        mother = only(conversion, "RelatedPerson")
        assert mother["relationship"][0]["coding"][0]["code"] == "MTH"
        assert target(conversion, mother["patient"])["resourceType"] == "Patient"

    def test_last_update_is_a_provenance_of_the_patient(self) -> None:
        conversion = convert(pid(f33="20260101120000-0500", f34="HOSP"))
        update = next(one for one in resources(conversion, "Provenance") if one["target"] == [patient_of(conversion)])
        assert update["recorded"] == "2026-01-01T12:00:00-05:00"

    def test_a_note_after_pid_is_reported(self) -> None:
        assert "segment-not-mapped" in slugs(convert(PID, "NTE|1|L|note", OBR, OBX))


class TestPractitioners:
    def test_pd1_4_is_the_general_practitioner(self) -> None:
        conversion = convert(PID, "PD1||||555^TEST^DOCTOR")
        assert target(conversion, only(conversion, "Patient")["generalPractitioner"][0])["identifier"][0]["value"] == "555"

    def test_prt_with_role_pp_is_the_general_practitioner(self) -> None:
        header = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260115103000-0500||ORU^R01^ORU_R01|M1|P|2.8"
        conversion = convert(PID, "PRT|1|AD||PP^Primary care^HL70912|555^TEST^DOCTOR", header=header)
        assert target(conversion, only(conversion, "Patient")["generalPractitioner"][0])["resourceType"] == "PractitionerRole"


class TestNextOfKin:
    def test_nk1_is_a_contact(self) -> None:
        contact = only(convert(PID, "NK1|1|TEST^KIN|SPO^Spouse^HL70063|2 Oak St"), "Patient")["contact"][0]
        assert contact["name"]["family"] == "TEST"
        assert contact["relationship"][0]["coding"][0]["code"] == "SPS"

    def test_a_contact_that_names_nobody_is_reported_and_left_out(self) -> None:
        conversion = convert(PID, "NK1|1||SPO^Spouse^HL70063")
        assert "contact" not in only(conversion, "Patient")
        assert "required-field-missing" in slugs(conversion)

    def test_the_contact_person_of_an_organization_is_its_contact(self) -> None:
        conversion = convert(PID, fields("NK1", f13="Test School", f30="TEST^TEACHER"))
        school = target(conversion, only(conversion, "Patient")["contact"][0]["organization"])
        assert school["contact"][0]["name"]["family"] == "TEST"


def test_a_gender_without_fhir_code_is_kept_as_sent_and_leaves_no_empty_element() -> None:
    conversion = convert(pid(f8="Q"))
    patient = only(conversion, "Patient")
    assert "gender" not in patient
    assert "_gender" not in patient
    assert kept(patient) == {"PID-8": "Q"}
