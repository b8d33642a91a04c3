"""The short way of admission says what the long way says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2.acknowledgement import accepting, acknowledgement
from adapter.hl7v2.admission import Admission, admit
from adapter.hl7v2.header import header_of
from adapter.hl7v2.usual_admission import SENDERS, Admitter, Usual

MESSAGE = (
    b"MSH|^~\\&|LAB^2.999.1^ISO|NORTH|RECEIVER|TEST|20260113102030+0000||ORU^R01^ORU_R01|17|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||12345^^^HOSP^MR~777^^^SSN||DOE^JANE\r"
    b"OBR|1||F1|24323-8^PANEL^LN\r"
    b"OBX|1|NM|1952-1^B2M^LN||1.8|mg/L\r"
)


def known(message=MESSAGE, **more):
    admitter = Admitter(("P",), **more)
    admitter(message)
    return admitter


def with_control_id(control_id):
    return MESSAGE.replace(b"|17|P|", b"|" + control_id + b"|P|")


def same(found, data):
    """Whether the answer of an admitter is what the long way says."""
    long = admit(data)
    if isinstance(found, Admission):
        return found == long
    return (found.sender, found.control_id, found.patient, None) == (long.sender, long.control_id, long.patient, long.issue)


def test_the_second_message_of_a_sender_goes_the_short_way():
    assert type(known()(with_control_id(b"18"))) is Usual


def test_the_first_message_of_a_sender_goes_the_long_way():
    assert type(Admitter(("P",))(MESSAGE)) is Admission


def test_the_short_way_names_the_same_sender_control_id_and_patient():
    assert same(known()(with_control_id(b"A-18")), with_control_id(b"A-18"))


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE.replace(b"ORU^R01", b"ADT^A01"),
        MESSAGE.replace(b"|P|2.5.1|", b"|T|2.5.1|"),
        MESSAGE.replace(b"2.5.1||||||", b"2.5.1|||AL|AL||"),
        MESSAGE.replace(b"NORTH", "NÖRD".encode()),
        MESSAGE.replace(b"\r", b"\n"),
        MESSAGE.replace(b"|", b"#"),
    ],
    ids=["type", "processing-id", "enhanced", "not-ascii", "line-feeds", "separator"],
)
def test_what_is_not_usual_always_goes_the_long_way(message):
    assert known(message)(message) == admit(message)


@pytest.mark.parametrize("control_id", [b"", b'""', b" ", b"1" * 200, "Ä".encode(), b"a\x1bb", b"a\nb"])
def test_a_control_id_that_cannot_be_echoed_as_it_is_goes_the_long_way(control_id):
    assert known()(with_control_id(control_id)) == admit(with_control_id(control_id))


@pytest.mark.parametrize("segment", [b"PID", b"OBX"])
def test_a_message_of_a_known_sender_without_a_segment_is_refused(segment):
    data = b"\r".join(line for line in MESSAGE.split(b"\r") if not line.startswith(segment))
    found = known()(data)
    assert isinstance(found, Admission)
    assert found.issue is not None


def test_a_sender_that_writes_something_new_into_each_header_fills_no_memory():
    admitter = known()
    for number in range(2 * SENDERS):
        admitter(MESSAGE.replace(b"NORTH", b"N%d" % number))
    assert len(admitter._known) <= SENDERS


def test_processing_ids_of_the_senders_row_count():
    admitter = known(sender_ids=lambda application, facility: {"T"})
    found = admitter(MESSAGE)
    assert isinstance(found, Admission)
    assert found.issue.slug == "processing-id-refused"


pieces = st.sampled_from(
    [b"", b"|", b"\r", b"\n", b" ", b"\0", b"X", b"PID|", b"OBX|", b"\\", b"^", b"~", b"&", b'""', b"\x1b", b"\xc3\xa4", b"\x1c"]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(MESSAGE)), st.integers(0, 3), pieces), max_size=4))
def test_both_ways_say_the_same_of_any_message(edits):
    data = MESSAGE
    for at, length, text in edits:
        data = data[:at] + text + data[at + length :]
    admitter = known(data)
    admitter(MESSAGE)
    assert same(admitter(data), data)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 110), st.integers(0, 3), pieces), max_size=4))
def test_the_short_acknowledgement_is_the_long_one(edits):
    data = MESSAGE
    for at, length, text in edits:
        data = data[:at] + text + data[at + length :]
    found = known(data)(data)
    if isinstance(found, Usual):
        expected = acknowledgement(header_of(data), "AA", time="20260101120000+0000", control_id="5f-1")
        assert found.accepting.to(found.control_id, time="20260101120000+0000", control_id="5f-1") == expected


def test_no_short_acknowledgement_in_utf_16():
    assert accepting(header_of(MESSAGE.decode().encode("utf-16"))) is None
