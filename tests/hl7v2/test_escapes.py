"""What escape sequences mean in text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import read_message


@pytest.mark.parametrize(
    ("sent", "meaning"),
    [
        ("a\\F\\b", "a|b"),
        ("a\\S\\b", "a^b"),
        ("a\\T\\b", "a&b"),
        ("a\\R\\b", "a~b"),
        ("a\\E\\b", "a\\b"),
        ("a\\P\\b", "a#b"),
        ("\\E\\F\\E\\", "\\F\\"),
        ("one\\.br\\two", "one\ntwo"),
        ("one\\.BR\\two", "one\ntwo"),
        ("one\\.sp\\two", "one\ntwo"),
        ("one\\.sp2\\two", "one\n\ntwo"),
        ("one\\.sp 2\\two", "one\n\ntwo"),
        ("one\\.sp+3\\two", "one\n\n\ntwo"),
        ("\\.ce\\centred", "\ncentred"),
        ("a\\.sk3\\b", "a   b"),
        ("\\H\\high\\N\\ normal", "high normal"),
        ("\\X41\\", "A"),
        ("\\X0D0A\\", "\r\n"),
        ("\\xc2b5\\g", "µg"),
    ],
)
def test_known_sequences(sent: str, meaning: str) -> None:
    assert unescape(sent) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "C:\\temp\\file",
        "\\EHR\\",
        "a\\",
        "\\\\",
        "\\Z99\\",
        "\\C2842\\",
        "\\M82404\\",
        "\\.in+4\\",
        "\\.nf\\",
        "\\X4\\",
        "\\XFF\\",
        "\\X00\\",
        "\\.sp100\\",
        # lower-case letters come from programming languages
        "line\\r\\nline",
        "\\t\\",
    ],
)
def test_what_is_unknown_or_has_no_meaning_in_text_stays(text: str) -> None:
    assert unescape(text) == text


@given(st.text(alphabet=st.characters(exclude_characters="\\")))
def test_text_without_backslash_is_the_same_object(text: str) -> None:
    assert unescape(text) is text


@given(st.text(alphabet="aFSTREPHNX.brsp019\\"))
def test_any_text_is_read(text: str) -> None:
    assert len(unescape(text)) <= len(text) * 99


def test_hexadecimal_sequences_are_read_in_the_charset_of_the_message() -> None:
    header = b"MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|1|P|2.5.1||||||8859/1\r"
    message = read_message(header + b"NTE|1||\\XB5\\g \\X41\\\r")
    assert unescape(message.segments[1][3]) == "µg A"
