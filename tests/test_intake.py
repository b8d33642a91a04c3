"""Telling v2 from JSON in one stream."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2.framing import RawMessage
from adapter.intake import Force, Intake

V2 = b"MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|1|P|2.5.1\rPID|1||1||TEST^PATIENT\rOBX|1|NM|1952-1||4.20|{ratio}\r"
RESOURCE = b'{"resourceType":"Observation","valueString":"}\\"{","component":[{"a":1},{}]}'
PRETTY = json.dumps({"resourceType": "Bundle", "entry": [{"fullUrl": "a"}, {"fullUrl": "b"}]}, indent=1).encode()


def take(data: bytes, limit: int = 2**20, step: int = 0, force: Force | None = None) -> list[RawMessage]:
    intake = Intake(limit, force)
    messages = []
    for start in range(0, len(data), step or len(data) or 1):
        messages += intake.feed(data[start : start + (step or len(data))])
    return messages + intake.finish()


def summary(data: bytes, force: Force | None = None) -> list[tuple[str, bytes]]:
    return [(message.slug or message.format, message.data) for message in take(data, force=force)]


@pytest.mark.parametrize(
    "stream",
    [
        RESOURCE,
        b"\xef\xbb\xbf" + RESOURCE + b"\n",
        b"\x0b" + RESOURCE + b"\x1c\r",
        b"[" + RESOURCE + b"]",
    ],
)
def test_one_value(stream: bytes) -> None:
    assert summary(stream) == [("json", RESOURCE)]


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n", b" "])
def test_values_in_a_row(between: bytes) -> None:
    assert summary(RESOURCE + between + PRETTY) == [("json", RESOURCE), ("json", PRETTY)]


def test_the_elements_of_an_array_are_messages() -> None:
    assert summary(b"[\n" + PRETTY + b",\n" + RESOURCE + b"\n]\n") == [("json", PRETTY), ("json", RESOURCE)]


def test_v2_and_json_in_any_order() -> None:
    stream = RESOURCE + b"\n" + V2 + PRETTY + b"\r\n" + V2 + V2 + RESOURCE
    assert [kind for kind, _ in summary(stream)] == ["json", "er7", "json", "er7", "er7", "json"]


def test_frames_of_both() -> None:
    stream = b"\x0b" + V2 + b"\x1c\r\x0b" + PRETTY + b"\x1c\r\x0b" + V2 + b"\x1c\r"
    assert summary(stream) == [("er7", V2), ("json", PRETTY), ("er7", V2)]


def test_a_json_message_is_there_with_its_last_brace() -> None:
    assert [message.format for message in Intake().feed(RESOURCE)] == ["json"]


def test_a_v2_message_in_a_frame_is_there_with_its_end_block() -> None:
    assert [message.format for message in Intake().feed(b"\x0b" + V2 + b"\x1c\r")] == ["er7"]


def test_a_brace_at_the_start_of_a_text_line_is_no_json() -> None:
    assert [kind for kind, _ in summary(V2 + b"{see comment}\r[ ] positive\r" + V2)] == ["er7", "er7"]


@pytest.mark.parametrize("broken", [b'{"a":"b', b'{"a":[1', b'{"a":{"b":1}'])
@pytest.mark.parametrize("following", [RESOURCE, V2, b"\x0b" + V2])
def test_after_broken_json_the_next_message_is_read(broken: bytes, following: bytes) -> None:
    [first, second] = take(broken + b"\n" + following)
    assert (first.slug, first.data) == ("json-invalid", broken)
    assert second.data == following.lstrip(b"\x0b")


def test_json_that_ends_too_early_is_unreadable() -> None:
    assert summary(PRETTY[:-1]) == [("json-invalid", PRETTY[:-2])]


def test_a_value_beyond_the_limit_streams_out_and_the_next_is_read() -> None:
    large = b'{"data":"' + b"x" * 1000 + b'"}'
    messages = take(large + b"\n" + RESOURCE, limit=300)
    assert [message.slug for message in messages] == ["oversize"] * 4 + [""]
    assert [message.continued for message in messages[:4]] == [False, True, True, True]
    assert b"".join(message.data for message in messages[:4]) == large


def test_depth_costs_nothing() -> None:
    bomb = b'{"a":' * 200_000
    assert [kind for kind, _ in summary(bomb)] == ["json-invalid"]


def test_forced_v2_takes_json_as_noise() -> None:
    assert [kind for kind, _ in summary(RESOURCE + b"\n" + V2, force="er7")] == ["no-msh", "er7"]


def test_forced_json_takes_v2_as_invalid() -> None:
    assert [kind for kind, _ in summary(b"MSH|^~\\&|X\n" + RESOURCE, force="json")] == ["json-invalid", "json"]


def test_nothing_is_no_message() -> None:
    assert take(b" \r\n\0") == []


def test_wrong_batch_counts_are_issues_of_the_stream() -> None:
    intake = Intake()
    intake.feed(b"BHS|^~\\&|X\r" + V2 + b"BTS|2\r" + RESOURCE)
    intake.finish()
    assert [issue.slug for issue in intake.issues] == ["batch-count"]


PIECES = st.sampled_from(
    [
        V2,
        RESOURCE,
        PRETTY,
        b"[",
        b"]",
        b",",
        b"{",
        b"}",
        b'"',
        b"\\",
        b"\n",
        b"\r",
        b"\x0b",
        b"\x1c",
        b"M",
        b"MSH|",
        b" " * 9,
        b"\xef\xbb\xbf",
        b"BTS|9\r",
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=5), max_size=14).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(STREAMS, st.integers(1, 30), st.sampled_from([20, 100, 2**20]), st.sampled_from([None, "er7", "json"]))
def test_cuts_do_not_depend_on_chunks(stream: bytes, step: int, limit: int, force: Force | None) -> None:
    assert take(stream, limit, step, force) == take(stream, limit, force=force)


@settings(max_examples=200, deadline=None)
@given(STREAMS)
def test_what_leaves_stands_in_the_stream_in_order(stream: bytes) -> None:
    left = 0
    for message in take(stream):
        assert message.offset >= left
        assert stream[message.offset : message.offset + len(message.data)] == message.data
        framing = stream[left : message.offset].translate(None, b"\0\x0b\x0c\x1a\x1c\r\n\t []," + b"\xef\xbb\xbf")
        assert re.sub(rb"BTS(\|9)?", b"", framing) == b""
        left = message.offset + len(message.data)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.recursive(st.none() | st.text(max_size=9), lambda inner: st.dictionaries(st.text(max_size=3), inner)).map(
            lambda value: {"a": value}
        ),
        max_size=5,
    )
)
def test_valid_json_is_cut_into_its_values(values: list[object]) -> None:
    stream = "\n".join(json.dumps(value, indent=index % 2 or None) for index, value in enumerate(values)).encode()
    assert [json.loads(message.data) for message in take(stream, step=7)] == values
