"""A message as segments and fields."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2 import message as module
from adapter.hl7v2.message import Message, place, read_message, valued
from adapter.issues import Rejected

HEADER = "MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01^ORU_R01|CONTROL-1|P^T|2.5.1\r"


def read(*lines: str) -> Message:
    return read_message((HEADER + "\r".join(lines)).encode())


def texts(message: Message) -> list[str]:
    return [segment.text for segment in message.segments[1:]]


def rejection(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        read_message(data)
    return caught.value.issue.slug


class TestSegments:
    def test_fields_have_their_hl7_numbers(self) -> None:
        message = read("PID|1||12345^^^HOSP^MR||TEST^PATIENT")
        assert (message.segments[1][3], message.segments[1][5]) == ("12345^^^HOSP^MR", "TEST^PATIENT")

    def test_msh_1_is_the_separator_and_msh_2_the_encoding_characters(self) -> None:
        assert read().header.fields[:4] == ["MSH", "|", "^~\\&", "LIS"]

    def test_a_field_beyond_the_end_is_empty(self) -> None:
        assert read("PID|1").segments[1][30] == ""

    def test_segments_are_numbered_by_name(self) -> None:
        message = read("PID|1", "OBX|1", "NTE|1", "OBX|2")
        assert [place(segment) for segment in message.segments] == ["MSH", "PID[1]", "OBX[1]", "NTE[1]", "OBX[2]"]

    def test_places_are_written_as_engineers_do(self) -> None:
        segment = read("OBX|1", "OBX|2").segments[2]
        assert [place(segment, 5), place(segment, 5, "1"), place(segment, 3, "4.2")] == ["OBX[2]-5", "OBX[2]-5.1", "OBX[2]-3.4.2"]
        assert place(read().header, 9) == "MSH-9"

    @pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n", "\r\r\n"])
    def test_any_line_end(self, line_end: str) -> None:
        message = read_message((HEADER + "PID|1\rOBX|1\r").replace("\r", line_end).encode())
        assert texts(message) == ["PID|1", "OBX|1"]
        assert message.issues == []

    def test_local_and_empty_segments(self) -> None:
        assert texts(read("PV1", "ZDS|x", "PV1|")) == ["PV1", "ZDS|x", "PV1"]

    @pytest.mark.parametrize(("text", "is_valued"), [("", False), ('""', False), ("0", True), (" ", True)])
    def test_the_explicit_null_carries_no_value(self, text: str, is_valued: bool) -> None:
        assert valued(text) is is_valued


class TestSeparatorsThatNothingFollows:
    @pytest.mark.parametrize(
        ("sent", "meant"),
        [
            ("PID|1|A|||", "PID|1|A"),
            ("PID|1|A^B^^|C", "PID|1|A^B|C"),
            ("PID|1|A^^B&&^|C", "PID|1|A^^B|C"),
            ("PID|1|A^&^B", "PID|1|A^^B"),
            ("PID|1|A&B&^C", "PID|1|A&B^C"),
            ("PID|1|A^~B~~|C", "PID|1|A~B|C"),
            ("PID|1|^^^|C", "PID|1||C"),
            ("PID|1| |\u3000|C", "PID|1|||C"),
        ],
    )
    def test_they_are_no_part_of_the_message(self, sent: str, meant: str) -> None:
        assert texts(read(sent)) == [meant]

    def test_the_text_of_results_and_notes_is_left_alone(self) -> None:
        assert texts(read("OBX|1|TX|A^||see A&|", "NTE|1||a^^")) == ["OBX|1|TX|A||see A&", "NTE|1||a^^"]

    def test_separators_before_a_line_that_continues_the_text_count(self) -> None:
        assert texts(read("OBX|1|TX|A||", "text||")) == ["OBX|1|TX|A||\ntext"]

    def test_encoding_characters_stay(self) -> None:
        assert read_message(b"MSH|^~\\&|A^|||||||||2.5.1|").header.text == "MSH|^~\\&|A|||||||||2.5.1"


class TestControlCharacters:
    def test_they_become_their_escape_sequences(self) -> None:
        message = read("NTE|1||page one\x0cpage two\x1b[1m")
        assert texts(message) == ["NTE|1||page one\\X0C\\page two\\X1B\\[1m"]
        assert [(issue.slug, issue.detail) for issue in message.issues] == [("control-characters", "2 of them")]

    def test_tabulators_are_text(self) -> None:
        message = read("NTE|1||a\tb")
        assert texts(message) == ["NTE|1||a\tb"]
        assert message.issues == []


class TestLinesThatAreNoSegments:
    def test_a_line_of_text_continues_the_field_before_it(self) -> None:
        message = read("OBX|1|TX|1||first line", "second line|||F", "OBX|2")
        assert texts(message) == ["OBX|1|TX|1||first line\nsecond line|||F", "OBX|2"]
        assert message.segments[1][5] == "first line\nsecond line"
        assert message.segments[1][8] == "F"

    def test_the_place_is_the_field_that_it_was_joined_to(self) -> None:
        [issue] = read("OBX|1|TX|1||first", "second").issues
        assert (issue.slug, issue.place, issue.value) == ("segment-unreadable", "OBX[1]-5", "second")

    def test_blank_lines_between_lines_of_text_are_kept(self) -> None:
        assert texts(read("NTE|1||first", "", "third", "", "OBX|1")) == ["NTE|1||first\n\nthird", "OBX|1"]

    @pytest.mark.parametrize("line", ["END", "PLATELETS|1", "ISO-8859-1", "obx|1", "||1", "12X|1"])
    def test_what_is_no_segment_name(self, line: str) -> None:
        assert texts(read("NTE|1||first", line)) == ["NTE|1||first\n" + line]

    def test_an_indented_segment_is_a_segment(self) -> None:
        message = read("  PID|1", "\tOBX|1")
        assert texts(message) == ["PID|1", "OBX|1"]
        assert [(issue.slug, issue.place) for issue in message.issues] == [
            ("segment-unreadable", "PID[1]"),
            ("segment-unreadable", "OBX[1]"),
        ]

    def test_what_was_read_before_makes_no_difference(self) -> None:
        read("AAA|1")
        assert texts(read("NTE|1||first", "AAA")) == ["NTE|1||first\nAAA"]


class TestHeader:
    def test_type_control_and_processing_id(self) -> None:
        message = read()
        assert (message.message_type, message.control_id, message.processing_id) == (("ORU", "R01"), "CONTROL-1", "P")

    def test_a_type_without_event(self) -> None:
        assert read_message(b"MSH|^~\\&|||||||ORU|1|P|2.3\r").message_type == ("ORU", "")

    @pytest.mark.parametrize(
        "version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.2", "2.9"]
    )
    def test_known_versions(self, version: str) -> None:
        message = read_message(f"MSH|^~\\&|||||||ORU^R01|1|P|{version}^DEU\r".encode())
        assert (message.version, message.issues) == (version, [])

    @pytest.mark.parametrize("version", ["", "2.999", "5.0.0", "T"])
    def test_an_unknown_version_is_read_as_the_default(self, version: str) -> None:
        message = read_message(f"MSH|^~\\&|||||||ORU^R01|1|P|{version}\r".encode())
        assert message.version == "2.5.1"
        assert [(issue.slug, issue.value) for issue in message.issues] == [("version-unknown", version)]

    def test_the_source_is_kept(self) -> None:
        assert read("PID|1").source == (HEADER + "PID|1").encode()


class TestRejection:
    def test_no_msh(self) -> None:
        assert rejection(b"PID|1\r") == "no-msh"
        assert rejection(b"") == "no-msh"

    def test_a_stump_of_msh(self) -> None:
        assert rejection(b"MSH|^~") == "truncated"

    def test_nul_bytes(self) -> None:
        assert rejection(HEADER.encode() + b"NTE|1||a\0b\r") == "binary-noise"

    def test_a_second_msh(self) -> None:
        assert rejection((HEADER + HEADER).encode()) == "segment-unreadable"

    def test_too_many_segments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SEGMENT_LIMIT", 10)
        assert rejection((HEADER + "OBX|1\r" * 20).encode()) == "too-many-segments"


@pytest.mark.parametrize(
    "lines", [["OBX|1|TX"] * 100_000, ["NTE|1||text"] + ["more text"] * 100_000, ["OBX|1|TX|||" + "x" * 10_000_000]]
)
def test_large_messages_take_linear_time(lines: list[str]) -> None:
    data = (HEADER + "\r".join(lines)).encode()
    start = time.perf_counter()
    for segment in read_message(data).segments:
        assert segment.fields
    assert time.perf_counter() - start < 5


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"|", b"^", b"\\", b"\r", b"\n", b"OBX|", b"MSH", b" ", b"\xff", b"\xc3\xa4", b"\\XFF\\"])
        | st.binary(max_size=4)
    )
)
def test_any_bytes_are_read_or_rejected(pieces: list[bytes]) -> None:
    for start in (b"MSH", HEADER.encode(), b"\xff\xfe", b""):
        try:
            message = read_message(start + b"".join(pieces))
        except Rejected:
            continue
        assert all(isinstance(segment[5], str) for segment in message.segments)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="OBXPID|^~&\\ab 1", max_size=20)))
def test_no_text_is_lost(lines: list[str]) -> None:
    try:
        message = read(*lines)
    except Rejected:
        return
    sent = _content("".join(lines))
    assert _content("".join(segment.text for segment in message.segments[1:])) in (
        sent,
        # text before the first segment continues MSH
        sent.removeprefix(_content(message.header.text.partition("\n")[2])),
    )


def _content(text: str) -> str:
    """What is no blank, line end or separator: separators that nothing follows are not kept."""
    return re.sub(r"[ \n|^~&]", "", text)
