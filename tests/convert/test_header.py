"""MSH, SFT -> MessageHeader, Provenance and the Device of the sending software."""

from __future__ import annotations

from typing import Any

from converted import OBR, OBX, PID, convert, fields, kept, only, resources, target

from adapter.config import Settings
from adapter.convert.message import Conversion, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

MSH = {"f2": "LIS", "f3": "LAB", "f6": "20260115103000-0500", "f8": "ORU^R01^ORU_R01", "f9": "M1", "f10": "P", "f11": "2.5.1"}


def msh(**values: str) -> str:
    """Write an MSH; `f5` is MSH-6, because MSH-1 is the separator itself."""
    return fields("MSH", f1="^~\\&", **{**MSH, **values})


def transaction(*segments: str, header: str) -> Conversion:
    source = "\r".join((header, PID, *segments, OBR, OBX)).encode()
    return Converter(load_tables(), Settings(to="transaction")).convert(read_message(source), source)


def message(*segments: str, header: str) -> Conversion:
    return convert(*segments, PID, OBR, OBX, header=header)


def provenance(conversion: Conversion) -> dict[str, Any]:
    return next(one for one in resources(conversion, "Provenance") if one.get("activity", {}).get("coding"))


def test_without_a_message_header_the_receiver_and_the_event_stay_as_sent() -> None:
    conversion = transaction(header=msh(f4="EHR", f5="HOSP"))
    assert kept(provenance(conversion)) == {"MSH-5": "EHR", "MSH-6": "HOSP", "MSH-9": "ORU^R01^ORU_R01"}


def test_a_message_header_has_receiver_and_event_itself() -> None:
    conversion = message(header=msh(f4="EHR", f5="HOSP"))
    assert kept(provenance(conversion)) == {}
    assert only(conversion, "MessageHeader")["destination"][0]["name"] == "EHR"


def test_the_country_is_that_of_the_sending_facility() -> None:
    conversion = message(header=msh(f16="AUT"))
    facility = target(conversion, only(conversion, "MessageHeader")["sender"])
    assert facility["address"] == [{"country": "AUT"}]


def test_the_language_of_the_message_is_that_of_its_header() -> None:
    assert only(message(header=msh(f18="de-AT")), "MessageHeader")["language"] == "de-AT"


def test_a_language_that_is_no_tag_stays_as_sent() -> None:
    assert kept(provenance(message(header=msh(f18="GERMAN"))))["MSH-19"] == "GERMAN"


def test_the_profile_that_the_message_claims_stays_as_sent() -> None:
    profile = "LRI_Common^^2.16.840.1.113883.9.16^ISO"
    assert kept(provenance(message(header=msh(f20=profile))))["MSH-21"] == profile


def test_a_security_label_stands_on_what_there_is_for_the_message() -> None:
    assert only(message(header=msh(f7="secret")), "MessageHeader")["meta"]["security"] == [{"display": "secret"}]
    assert provenance(transaction(header=msh(f7="secret")))["meta"]["security"] == [{"display": "secret"}]


def test_software_has_maker_version_name_binary_and_date() -> None:
    sft = "SFT|Test Systems^L^^^^^^^^T1|4.2|LabSystem|B7|built for tests|20250101"
    device = next(one for one in resources(message(sft, header=msh()), "Device") if one.get("manufacturer"))
    assert device["manufacturer"] == "Test Systems"
    assert (device["version"][0]["value"], device["version"][0]["extension"][0]["valueDateTime"]) == ("4.2", "2025-01-01")
    assert (device["deviceName"][0]["name"], device["modelNumber"]) == ("LabSystem", "B7")
    assert kept(device)["SFT-1"] == "Test Systems^L^^^^^^^^T1"


def test_an_application_id_that_is_no_uri_stays_as_sent_where_the_software_segment_takes_its_place() -> None:
    conversion = message("SFT|Acme Soft|4.1|LabConnect", header=msh(f2="LIS^1234^CLIA"))
    header = only(conversion, "MessageHeader")
    assert header["source"]["software"] == "LabConnect"
    assert kept(header) == {"MSH-3": "LIS^1234^CLIA"}


def test_a_network_address_that_is_no_uri_stays_as_sent() -> None:
    conversion = message(header=msh(f23="^4086::132:2A57:3C28^IPv6"))
    assert kept(only(conversion, "MessageHeader")) == {"MSH-24": "^4086::132:2A57:3C28^IPv6"}
