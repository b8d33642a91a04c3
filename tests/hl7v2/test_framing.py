"""Where messages begin and end in a byte stream."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2.framing import Framer, RawMessage

FIRST = b"MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|1|P|2.5.1\rPID|1||1^^^HOSP^MR||TEST^PATIENT\rOBX|1|NM|1952-1||4.20\r"
SECOND = FIRST.replace(b"|1|P|", b"|2|P|")


def frame(data: bytes, limit: int = 2**20, step: int = 0) -> list[RawMessage]:
    framer = Framer(limit)
    messages = []
    for start in range(0, len(data), step or len(data) or 1):
        messages += framer.feed(data[start : start + (step or len(data))])
    return messages + framer.finish()


def kinds(data: bytes, limit: int = 2**20) -> list[tuple[str, str]]:
    return [(message.format, message.slug) for message in frame(data, limit)]


def contents(data: bytes) -> list[bytes]:
    return [message.data for message in frame(data)]


class TestBareMessages:
    @pytest.mark.parametrize("line_end", [b"\r", b"\n", b"\r\n"])
    def test_several_in_a_row_are_cut_before_each_msh(self, line_end: bytes) -> None:
        first, second = (message.replace(b"\r", line_end) for message in (FIRST, SECOND))
        assert contents(first + second) == [first, second]

    def test_line_ends_may_be_mixed(self) -> None:
        assert contents(FIRST.replace(b"\r", b"\n", 1) + SECOND) == [FIRST.replace(b"\r", b"\n", 1), SECOND]

    def test_the_last_segment_may_lack_its_end(self) -> None:
        assert contents(FIRST[:-1]) == [FIRST[:-1]]

    def test_blank_lines_and_control_bytes_after_a_message_are_framing(self) -> None:
        assert contents(FIRST + b"\r\n \r\n\x1a\0" + SECOND + b"\r\n") == [FIRST, SECOND]

    def test_blanks_at_the_end_of_the_last_field_are_kept(self) -> None:
        assert contents(FIRST[:-1] + b"  \r\r" + SECOND) == [FIRST[:-1] + b"  \r", SECOND]

    def test_a_byte_order_mark_is_framing(self) -> None:
        assert contents(b"\xef\xbb\xbf" + FIRST + b"\xef\xbb\xbf" + SECOND) == [FIRST, SECOND]

    def test_an_indented_msh_begins_a_message(self) -> None:
        assert contents(FIRST + b"  " + SECOND) == [FIRST, SECOND]

    def test_msh_within_a_line_begins_nothing(self) -> None:
        assert len(frame(FIRST.replace(b"4.20", b"see MSH|^~\\&|X"))) == 1

    def test_msh_before_a_letter_begins_nothing(self) -> None:
        assert len(frame(FIRST + b"MSHX is text\r")) == 1

    def test_any_punctuation_may_be_the_separator(self) -> None:
        assert len(frame(FIRST + b"MSH^~|\\&^A^B\r")) == 2

    def test_utf_16_with_a_byte_order_mark_is_cut_at_its_letters(self) -> None:
        data = (FIRST + SECOND).decode().encode("utf-16")
        assert [message.format for message in frame(data)] == ["er7", "er7"]
        assert b"".join(contents(data)) == data


class TestFrames:
    def test_a_message_ends_with_its_end_block_before_more_bytes_come(self) -> None:
        framer = Framer()
        assert [message.data for message in framer.feed(b"\x0b" + FIRST + b"\x1c\r")] == [FIRST]

    def test_offset_counts_from_the_beginning_of_the_stream(self) -> None:
        stream = b"\x0b" + FIRST + b"\x1c\r\x0b" + SECOND + b"\x1c\r"
        assert [stream[message.offset :][: len(FIRST)] for message in frame(stream)] == [FIRST, SECOND]

    def test_a_missing_end_block_is_forgiven_after_a_whole_segment(self) -> None:
        assert kinds(b"\x0b" + FIRST + b"\x0b" + SECOND + b"\x1c\r") == [("er7", ""), ("er7", "")]

    def test_a_frame_that_stops_within_a_segment_is_truncated(self) -> None:
        assert kinds(b"\x0b" + FIRST[:-4]) == [("unreadable", "truncated")]

    def test_noise_between_frames_is_reported_and_the_messages_survive(self) -> None:
        stream = b"noise\r\x0b" + FIRST + b"\x1c\rmore noise\x0b" + SECOND + b"\x1c\r"
        assert kinds(stream) == [("unreadable", "no-msh"), ("er7", ""), ("unreadable", "no-msh"), ("er7", "")]

    def test_an_end_block_byte_within_text_is_text(self) -> None:
        assert len(frame(b"\x0b" + FIRST.replace(b"4.20", b"4\x1c20") + b"\x1c\r")) == 1


class TestUnreadable:
    def test_text_without_msh(self) -> None:
        assert kinds(b"hello\nworld") == [("unreadable", "no-msh")]

    def test_binary_bytes(self) -> None:
        assert kinds(b"\x89PNG\0\1\2\3x") == [("unreadable", "binary-noise")]

    def test_msh_and_nothing_else(self) -> None:
        assert kinds(b"MSH|^~\\&") == [("er7", "")]
        assert kinds(b"MSH|^~") == [("unreadable", "truncated")]
        assert kinds(b"MSH") == [("unreadable", "truncated")]

    def test_nothing_is_no_message(self) -> None:
        assert kinds(b"\r\n\0 \x1a") == []

    def test_a_message_beyond_the_limit_streams_out_in_blocks_and_the_next_is_read(self) -> None:
        large = FIRST + b"NTE|1||" + b"x" * 1000 + b"\r"
        messages = frame(large + SECOND, limit=400)
        assert [(message.slug, message.continued) for message in messages[:-1]] == [
            ("oversize", False),
            ("oversize", True),
            ("oversize", True),
        ]
        assert b"".join(message.data for message in messages[:-1]) == large
        assert messages[-1].data == SECOND

    def test_memory_is_bounded_by_the_limit(self) -> None:
        framer = Framer(limit=1000)
        framer.feed(b"MSH|^~\\&|")
        for _ in range(100):
            framer.feed(b"x" * 1000)
            assert len(framer._buffer) <= 2000


class TestBatches:
    BATCH = b"FHS|^~\\&|LIS\rBHS|^~\\&|LIS\r" + FIRST + SECOND + b"BTS|2\rFTS|1\r"

    def test_envelope_segments_are_no_part_of_messages(self) -> None:
        assert contents(self.BATCH) == [FIRST, SECOND]

    def test_a_message_knows_its_file_and_batch(self) -> None:
        last = frame(self.BATCH)[-1]
        assert (last.file_header, last.batch_header) == (b"FHS|^~\\&|LIS", b"BHS|^~\\&|LIS")

    def test_after_the_trailer_no_batch_is_open(self) -> None:
        assert frame(self.BATCH + FIRST)[-1].batch_header == b""

    @pytest.mark.parametrize(
        ("batch", "places"),
        [
            (BATCH, []),
            (BATCH.replace(b"BTS|2", b"BTS|3"), ["BTS-1"]),
            (BATCH.replace(b"FTS|1", b"FTS|2"), ["FTS-1"]),
            (BATCH.replace(b"BTS|2", b"BTS"), []),
        ],
    )
    def test_counts_of_trailers_are_checked(self, batch: bytes, places: list[str]) -> None:
        framer = Framer()
        framer.feed(batch)
        framer.finish()
        assert [issue.place for issue in framer.batches.issues] == places


PIECES = st.sampled_from(
    [
        FIRST,
        SECOND[:60],
        b"\x0b",
        b"\x1c\r",
        b"\x1c",
        b"MSH",
        b"MSH|",
        b"\r",
        b"\n",
        b" ",
        b"\xef\xbb\xbf",
        b"noise",
        b"\0",
        b"BTS|1\r",
        b"FHS|",
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=9), max_size=12).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.integers(1, 20), st.sampled_from([16, 90, 2**20]))
def test_cuts_do_not_depend_on_chunks(stream: bytes, step: int, limit: int) -> None:
    assert frame(stream, limit, step) == frame(stream, limit)


@settings(max_examples=300, deadline=None)
@given(STREAMS)
def test_every_byte_leaves_once_and_in_order_except_framing(stream: bytes) -> None:
    framer = Framer()
    messages = framer.feed(stream) + framer.finish()
    left = 0
    gaps = b""
    for message in messages:
        assert message.offset >= left
        gaps += stream[left : message.offset]
        assert stream[message.offset : message.offset + len(message.data)] == message.data
        left = message.offset + len(message.data)
    gaps += stream[left:]
    gaps = gaps.replace(b"\xef\xbb\xbf", b"")
    for line in gaps.translate(None, b"\0\x0b\x0c\x1a\x1c\t ").replace(b"\n", b"\r").split(b"\r"):
        assert line == b"" or line[:3] in (b"FHS", b"BHS", b"BTS", b"FTS")
