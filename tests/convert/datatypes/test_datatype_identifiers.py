"""CX, EI, EIP, HD -> Identifier, system and assigner."""

import pytest

from adapter.convert.datatypes.identifiers import (
    authority,
    hd_uri,
    identifier_cx,
    identifier_ei,
    identifier_of_pair,
    identifier_typed,
    identifiers_eip,
)
from adapter.convert.datatypes.text import verbatim

TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"


def typed(code):
    return {"coding": [{"system": TYPE, "code": code}]}


def test_cx_with_oid_authority(environment):
    assert identifier_cx("123456^^^HOSP&2.16.840.1.113883.3.999.9&ISO^MR", environment) == {
        "type": {"coding": [{"system": TYPE, "code": "MR", "display": "Medical record number"}]},
        "system": "urn:oid:2.16.840.1.113883.3.999.9",
        "value": "123456",
        "assigner": {"display": "HOSP"},
    }


@pytest.mark.parametrize(
    ("hd", "system"),
    [
        ("A&1.2.3&ISO", "urn:oid:1.2.3"),
        ("A&1.2.3", "urn:oid:1.2.3"),
        ("&D1F0C7A2-0000-4000-8000-000000000001&UUID", "urn:uuid:d1f0c7a2-0000-4000-8000-000000000001"),
        ("&D1F0C7A2-0000-4000-8000-000000000001&GUID", "urn:uuid:d1f0c7a2-0000-4000-8000-000000000001"),
        ("A&https://acme.example/mrn&URI", "https://acme.example/mrn"),
        ("&2.16.840.1.113883.4.6&ISO", "http://hl7.org/fhir/sid/us-npi"),
        ("A", None),
        ("A&lab.acme.example&DNS", None),
        ("A&05D0000000&CLIA", None),
        ("A&1.2.x&ISO", None),
        ("A&not a uri&URI", None),
    ],
)
def test_system_is_a_uri_or_absent(environment, hd, system):
    assert authority(hd, environment)[0] == system


def test_bare_namespace_is_the_display_of_the_assigner(environment):
    assert identifier_cx("1^^^HOSP", environment) == {"value": "1", "assigner": {"display": "HOSP"}}


def test_identifier_base_of_the_sender_makes_a_system_of_the_namespace(of_sender):
    assert identifier_cx("1^^^HOSP", of_sender)["system"] == "https://acme.example/id/HOSP"


def test_identifier_base_needs_a_namespace(of_sender):
    assert identifier_cx("1", of_sender) == {"value": "1"}


def test_universal_id_is_stronger_than_the_base(of_sender):
    assert identifier_cx("1^^^HOSP&1.2.3&ISO", of_sender)["system"] == "urn:oid:1.2.3"


def test_authority_that_is_no_uri_keeps_its_id(environment):
    assert authority("A&05D0000000&CLIA", environment)[1] == {
        "display": "A",
        "identifier": {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0301", "code": "CLIA"}]},
            "value": "05D0000000",
        },
    }


def test_identifier_without_system_is_reported(environment):
    faults = environment.run(identifier_cx, "1^^^HOSP")[1]
    assert [(fault.slug, fault.component) for fault in faults] == [("identifier-without-system", "4")]


def test_report_of_an_identifier_does_not_say_its_value(environment):
    assert all("12345" not in fault.detail for fault in environment.run(identifier_cx, "12345")[1])


def test_check_digit_has_an_extension(environment):
    url = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
    assert identifier_cx("1^7^^&1.2&ISO", environment)["extension"] == [{"url": url, "valueString": "7"}]


def test_effective_and_expiration_date_are_the_period(environment):
    found = identifier_cx("1^^^&1.2&ISO^^^20200101^20211231", environment)
    assert found["period"] == {"start": "2020-01-01", "end": "2021-12-31"}


def test_fault_of_a_date_names_its_component(environment):
    assert [fault.component for fault in environment.run(identifier_cx, "1^^^&1.2&ISO^^^20200199")[1]] == ["7"]


def test_identifier_type_outside_the_table_has_no_system(environment):
    assert identifier_cx("1^^^&1.2&ISO^EPI", environment)["type"] == {"coding": [{"code": "EPI"}]}


def test_assigning_facility_has_no_element_and_keeps_the_text(environment):
    assert identifier_cx("1^^^&1.2&ISO^MR^FAC", environment)["extension"] == [verbatim("1^^^&1.2&ISO^MR^FAC")]


def test_authority_without_number_is_kept(environment):
    assert identifier_cx("^^^HOSP", environment) == {"assigner": {"display": "HOSP"}}


def test_ei_has_its_authority_in_components_2_to_4(environment):
    assert identifier_ei("ORD1^EHR^1.2.3^ISO", environment) == {
        "system": "urn:oid:1.2.3",
        "value": "ORD1",
        "assigner": {"display": "EHR"},
    }


def test_typed_ei(environment):
    assert identifier_typed("PLAC")("ORD1^^1.2^ISO", environment)["type"] == typed("PLAC")
    assert identifier_typed("PLAC") is identifier_typed("PLAC")


def test_eip_gives_placer_and_filler(environment):
    assert identifiers_eip("SP1&EHR&1.2&ISO^SF1&LIS&1.3&ISO", environment) == [
        {"type": typed("PLAC"), "system": "urn:oid:1.2", "value": "SP1", "assigner": {"display": "EHR"}},
        {"type": typed("FILL"), "system": "urn:oid:1.3", "value": "SF1", "assigner": {"display": "LIS"}},
    ]


def test_a_group_number_is_typed_in_words(environment):
    assert identifier_typed("PGN")("G1", environment)["type"] == {"text": "Placer group number"}
    assert identifier_typed("FGN")("G1", environment)["type"] == {"text": "Filler group number"}


def test_a_kind_of_authority_that_table_0301_does_not_have_stays_without_system(environment):
    assigner = identifier_cx("123^^^LAB&12D3456789&CLIA1^MR", environment)["assigner"]
    assert assigner["identifier"] == {"type": {"coding": [{"code": "CLIA1"}]}, "value": "12D3456789"}


def test_eip_with_filler_only(environment):
    assert [one["value"] for one in identifiers_eip("^SF1", environment)] == ["SF1"]


def test_one_part_of_a_pair_with_another_type(environment):
    assert identifier_of_pair(2, "FILL")("SP1^SF1&&1.3&ISO", environment)["type"] == typed("FILL")


@pytest.mark.parametrize("text", ["", '""', "^^^", '""^^^""'])
def test_nothing_valued_gives_nothing(environment, text):
    assert identifier_cx(text, environment) is None
    assert identifier_ei(text, environment) is None
    assert identifiers_eip(text, environment) == []
    assert hd_uri(text, environment) is None


def test_hd_uri_reads_fields_and_components(environment):
    assert hd_uri("LIS^1.2^ISO", environment) == hd_uri("LIS&1.2&ISO", environment) == "urn:oid:1.2"


def test_hd_uri_of_a_namespace_is_none(environment):
    assert hd_uri("LIS", environment) is None


@pytest.mark.parametrize("universal", ["urn:oid:1.2.x", "urn:oid:9.1", "urn:uuid:123", "urn:uuid:6F9619FF"])
def test_a_uri_that_breaks_its_own_scheme_is_no_system(environment, universal):
    assert hd_uri(f"LAB^{universal}^URI", environment) is None


def test_a_uri_of_its_scheme_is_a_system(environment):
    assert hd_uri("LAB^urn:oid:1.2.3^URI", environment) == "urn:oid:1.2.3"
