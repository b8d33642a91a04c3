"""XCN, XON, HD, CWE, EI, PL -> parties: each once in a message, found again by number, else by sender and name."""

from __future__ import annotations

from typing import Any

from converted import HEADER, PID, convert, fields, only, resources, target, url

from adapter.convert.message import Conversion

NPI = "1234567893^TEST^ANN^^^Dr^MD^^NPIREG&2.16.840.1.113883.4.6&ISO^L^^^NPI"


def visit(**values: str) -> str:
    return fields("PV1", **{"f2": "I", "f19": "V1", **values})


def location_chain(conversion: Conversion) -> list[dict[str, Any]]:
    """Location of the visit and those it is part of."""
    chain = [target(conversion, only(conversion, "Encounter")["location"][0]["location"])]
    while "partOf" in chain[-1]:
        chain.append(target(conversion, chain[-1]["partOf"]))
    return chain


def test_one_person_in_three_fields_is_one_practitioner() -> None:
    assert len(resources(convert(PID, visit(f7=NPI, f8=NPI, f9=NPI)), "Practitioner")) == 1


def test_a_later_mention_adds_the_name() -> None:
    conversion = convert(PID, visit(f7="1234567893^^^^^^^^NPIREG&2.16.840.1.113883.4.6&ISO", f8=NPI))
    assert only(conversion, "Practitioner")["name"][0]["family"] == "TEST"


def test_the_degree_is_a_qualification() -> None:
    practitioner = only(convert(PID, visit(f7=NPI)), "Practitioner")
    assert practitioner["qualification"][0]["code"]["coding"][0]["code"] == "MD"
    assert "suffix" not in practitioner["name"][0]


def test_a_bare_number_with_two_names_is_two_people() -> None:
    assert len(resources(convert(PID, visit(f7="9^TEST^ANN", f8="9^OTHER^BOB")), "Practitioner")) == 2


def test_a_name_alone_counts_whatever_its_case() -> None:
    assert len(resources(convert(PID, visit(f7="^TEST^ANN", f8="^Test^Ann")), "Practitioner")) == 1


def test_a_bare_number_of_another_sender_is_another_person() -> None:
    one, other = (convert(PID, visit(f7="9^TEST^ANN"), header=header) for header in (HEADER, HEADER.replace("LIS", "LIS2")))
    assert url(one, "Practitioner") != url(other, "Practitioner")


def test_components_without_element_keep_the_text() -> None:
    text = "9^TEST^ANN^^^^^^^^^M10"
    assert only(convert(PID, visit(f7=text)), "Practitioner")["extension"][0]["valueString"] == text


def test_an_organization_is_known_by_its_universal_id() -> None:
    facility = next(one for one in resources(convert(PID, header=HEADER.replace("|LAB|", "|LAB^1.2.3^ISO|")), "Organization"))
    assert [one["value"] for one in facility["identifier"]] == ["LAB", "urn:oid:1.2.3"]


def test_an_organization_has_name_and_number() -> None:
    conversion = convert(PID, "PD1|||Test Clinic^^^^^HOSP&1.2.3&ISO^XX^^^C1")
    clinic = target(conversion, only(conversion, "Patient")["generalPractitioner"][0])
    assert clinic["name"] == "Test Clinic"
    assert (clinic["identifier"][0]["system"], clinic["identifier"][0]["value"]) == ("urn:oid:1.2.3", "C1")


def test_a_bed_is_part_of_its_room_ward_and_house() -> None:
    chain = location_chain(convert(PID, visit(f3="ONC^101^A^HOSP")))
    assert [one["identifier"][0]["value"] for one in chain] == ["A", "101", "ONC", "HOSP"]
    assert [one.get("physicalType", {}).get("coding", [{}])[0].get("code") for one in chain] == ["bd", "ro", None, "si"]


def test_the_same_room_number_in_two_wards_is_two_rooms() -> None:
    conversion = convert(PID, visit(f3="ONC^101", f6="ICU^101"))
    assert len([one for one in resources(conversion, "Location") if one["identifier"][0]["value"] == "101"]) == 2


def test_the_bed_status_is_that_of_the_bed() -> None:
    assert location_chain(convert(PID, visit(f3="ONC^101^A", f40="O")))[0]["operationalStatus"]["code"] == "O"


def test_the_location_status_of_the_sender_keeps_the_text() -> None:
    assert location_chain(convert(PID, visit(f3="ONC^^^^CLOSED")))[0]["extension"][0]["valueString"] == "ONC^^^^CLOSED"
