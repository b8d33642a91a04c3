"""ED and RP."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from adapter.convert.datatypes.attachments import encapsulated_data, media_type, reference_pointer
from adapter.convert.environment import Environment
from adapter.tables.load import load_tables

ENVIRONMENT = Environment(load_tables())


def read(function: Any, text: str) -> tuple[Any, list[str]]:
    found, faults = ENVIRONMENT.run(function, text + "|")
    return found, [fault.slug for fault in faults]


@pytest.mark.parametrize(
    ("kind", "subtype", "mime"),
    [
        ("Application", "PDF", "application/pdf"),
        ("TX", "PDF", "application/pdf"),
        ("IM", "JPEG", "image/jpeg"),
        ("image", "image/jpeg", "image/jpeg"),
        ("TEXT", "XML", "text/xml"),
        ("Application", "XML", "application/xml"),
        ("TEXT", "html", "text/html"),
        ("TEXT", "", "text/plain"),
        ("Application", "", ""),
        ("Application", "10039887.pdf", ""),
    ],
)
def test_media_type(kind: str, subtype: str, mime: str) -> None:
    assert media_type(kind, subtype, ENVIRONMENT) == mime


def test_base64_passes_as_sent() -> None:
    value, faults = read(encapsulated_data, "^Application^PDF^Base64^JVBERi0xLjQK")
    assert value == ("Attachment", {"contentType": "application/pdf", "data": "JVBERi0xLjQK"})
    assert faults == []


def test_line_breaks_in_base64_are_no_data() -> None:
    assert read(encapsulated_data, "^Application^PDF^Base64^JVBE\\.br\\Ri0x")[0].content["data"] == "JVBERi0x"


def test_plain_text_is_encoded() -> None:
    value, _ = read(encapsulated_data, "^TEXT^^A^pH \\T\\ CO2 ^ O2")
    assert b64decode(value.content["data"]) == b"pH & CO2 ^ O2"


def test_hexadecimal_is_encoded() -> None:
    assert b64decode(read(encapsulated_data, "^IM^JPEG^Hex^FFD8")[0].content["data"]) == b"\xff\xd8"


@pytest.mark.parametrize(
    "text",
    ["^Application^PDF^Base64^not base64!", "^Application^PDF^^JVBERi0x", "MIME^^^", "^IM^JPEG^Hex^XY", "^IM^JPEG^Base64^FFD8="],
)
def test_data_in_no_known_encoding_stay_text(text: str) -> None:
    assert read(encapsulated_data, text) == (("String", text), ["attachment-unreadable"])


def test_an_unknown_subtype_is_kept_and_no_type_is_invented() -> None:
    value, faults = read(encapsulated_data, "^application^10039887.pdf^BASE64^JVBERi0x")
    assert "contentType" not in value.content
    assert value.content["_contentType"]["extension"][0]["valueString"] == "application^10039887.pdf"
    assert faults == ["code-not-mapped"]


def test_the_source_application_is_kept() -> None:
    value, _ = read(encapsulated_data, "LIS&1.2.3&ISO^Application^PDF^Base64^JVBERi0x")
    assert value.content["extension"][0]["extension"][1] == {"url": "text", "valueString": "LIS&1.2.3&ISO"}


def test_a_pointer_is_a_url() -> None:
    value, _ = read(reference_pointer, "http://lab.example/r.pdf^^application^pdf")
    assert value == ("Attachment", {"contentType": "application/pdf", "url": "http://lab.example/r.pdf"})


def test_a_pointer_of_several_words_stays_text() -> None:
    assert read(reference_pointer, "see the archive") == (("String", "see the archive"), ["value-not-converted"])


@pytest.mark.parametrize("function", [encapsulated_data, reference_pointer])
def test_empty_components_give_nothing(function: Any) -> None:
    assert read(function, "^^^") == (None, [])
