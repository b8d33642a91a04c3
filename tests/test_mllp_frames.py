"""MLLP frames out of a byte stream: what is a frame, what is skipped, and that chunks make no difference."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from adapter.hl7v2.mllp import KEPT, Frame, FrameReader

MESSAGE = b"MSH|^~\\&|LAB|H|||20240101||ORU^R01|1|P|2.5.1\rPID|1\r"


def frames(*chunks: bytes, limit: int = 2**20) -> list[Frame]:
    reader = FrameReader(limit)
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


def framed(data: bytes) -> bytes:
    return b"\x0b" + data + b"\x1c\r"


def test_a_frame_gives_its_bytes():
    assert frames(framed(MESSAGE)) == [Frame(MESSAGE)]


def test_several_frames_in_one_read():
    assert frames(framed(b"MSH|1") + framed(b"MSH|2") + framed(b"MSH|3")) == [Frame(b"MSH|1"), Frame(b"MSH|2"), Frame(b"MSH|3")]


def test_a_frame_may_be_cut_at_any_byte():
    whole = framed(MESSAGE)
    for cut in range(len(whole) + 1):
        assert frames(whole[:cut], whole[cut:]) == [Frame(MESSAGE)], cut


def test_noise_between_frames_is_skipped_and_counted():
    reader = FrameReader(1000)
    assert reader.feed(b"\r\nhello\r\n" + framed(b"MSH|1") + b"xx\r" + framed(b"MSH|2")) == [Frame(b"MSH|1"), Frame(b"MSH|2")]
    assert reader.noise == 7


def test_a_message_without_frame_is_noise():
    reader = FrameReader(1000)
    assert reader.feed(MESSAGE) == []
    assert reader.noise > 0
    assert not reader.open


def test_line_ends_between_frames_are_no_noise():
    reader = FrameReader(1000)
    reader.feed(framed(b"MSH|1") + b"\r\n\r\n" + framed(b"MSH|2") + b"\n")
    assert reader.noise == 0


def test_a_line_feed_may_follow_the_end_block():
    assert frames(b"\x0bMSH|1\x1c\n\x0bMSH|2\x1c\r") == [Frame(b"MSH|1"), Frame(b"MSH|2")]


def test_the_next_start_block_may_follow_the_end_block_at_once():
    assert frames(b"\x0bMSH|1\x1c\x0bMSH|2\x1c\r") == [Frame(b"MSH|1"), Frame(b"MSH|2")]


def test_a_missing_end_block_is_noticed_at_the_next_message():
    assert frames(b"\x0bMSH|1\r" + framed(b"MSH|2\r")) == [Frame(b"MSH|1\r"), Frame(b"MSH|2\r")]


def test_a_frame_that_breaks_off_within_a_segment_is_truncated():
    assert frames(b"\x0bMSH|1\rOBX|4." + framed(b"MSH|2\r")) == [Frame(b"MSH|1\rOBX|4.", "truncated"), Frame(b"MSH|2\r")]


def test_a_file_separator_in_text_does_not_end_a_frame():
    assert frames(framed(b"MSH|a\x1cb\r")) == [Frame(b"MSH|a\x1cb\r")]


def test_a_vertical_tab_in_text_does_not_begin_a_frame():
    assert frames(framed(b"MSH|a\x0bb\r")) == [Frame(b"MSH|a\x0bb\r")]
    assert frames(framed(b"MSH|a\x0b")) == [Frame(b"MSH|a\x0b")]


def test_empty_frames_are_nothing():
    reader = FrameReader(1000)
    assert reader.feed(b"\x0b\x1c\r" * 1000 + b"\x0b\r\n\x1c\r" + framed(b"MSH|1")) == [Frame(b"MSH|1")]
    assert reader.noise == 0
    assert reader.held == 0


def test_a_frame_at_the_limit_is_taken_and_one_beyond_it_is_not():
    assert frames(framed(b"M" * 100), limit=100) == [Frame(b"M" * 100)]
    assert frames(framed(b"M" * 101), limit=100) == [Frame(b"M" * 100, "oversize")]


def test_an_oversize_frame_is_told_once_and_then_skipped_without_being_kept():
    reader = FrameReader(20_000)
    told = reader.feed(b"\x0bMSH|" + b"x" * 20_000)
    assert [(frame.slug, len(frame.data)) for frame in told] == [("oversize", KEPT)]
    for _ in range(1000):
        assert reader.feed(b"y" * 10_000) == []
        assert reader.held == 0
    assert reader.feed(b"z\x1c\r" + framed(b"MSH|2")) == [Frame(b"MSH|2")]


def test_an_oversize_frame_of_single_bytes_keeps_no_more_than_the_limit():
    reader = FrameReader(1024)
    told = []
    most = 0
    for _ in range(5000):
        told += reader.feed(b"x" if told or reader.open else b"\x0b")
        most = max(most, reader.held)
    assert [frame.slug for frame in told] == ["oversize"]
    assert most <= 1026


def test_a_frame_open_at_the_end_of_the_stream_is_truncated():
    reader = FrameReader(1000)
    reader.feed(b"\x0b" + MESSAGE)
    assert reader.finish() == [Frame(MESSAGE, "truncated")]
    assert not reader.open


def test_an_end_block_without_line_end_counts_at_the_end_of_the_stream():
    reader = FrameReader(1000)
    assert reader.feed(b"\x0b" + MESSAGE + b"\x1c") == []
    assert reader.at_end_block
    assert reader.finish() == [Frame(MESSAGE)]


pieces = st.sampled_from(
    [
        b"\x0b",
        b"\x1c",
        b"\r",
        b"\n",
        b"\x1c\r",
        b"\x0bMSH|",
        b"MSH|",
        b"FHS|",
        b"a",
        b"OBX|1\r",
        b"\x0b\x1c\r",
        b"x" * 30,
        b" ",
        b"\0",
    ]
)


@given(st.lists(pieces, max_size=40), st.data())
@example([b"\x0b", b"a", b"\x0b", b"\x1c", b"\r"], None)
def test_frames_depend_on_the_bytes_and_not_on_the_chunks(parts, data):
    stream = b"".join(parts)
    whole = FrameReader(40)
    expected = [*whole.feed(stream)]
    single = FrameReader(40)
    found = [frame for index in range(len(stream)) for frame in single.feed(stream[index : index + 1])]
    assert found == expected
    assert single.noise == whole.noise
    if data is not None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        chunked = FrameReader(40)
        bounds = [0, *cuts, len(stream)]
        assert [f for a, b in pairwise(bounds) for f in chunked.feed(stream[a:b])] == expected
        assert chunked.finish() == whole.finish()


@given(
    st.lists(st.binary(max_size=30).filter(lambda data: not set(data) & {0x0B, 0x1C} and data.strip(b"\r\n\0 \t")), max_size=8)
)
def test_whatever_is_framed_comes_out(messages):
    assert frames(b"".join(map(framed, messages))) == [Frame(message) for message in messages]
