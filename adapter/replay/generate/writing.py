"""Puts generated messages into one stream, one batch, or files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapter.replay.generate.report import Generated

_SUFFIXES = {"er7": ".hl7", "fhir": ".json"}


def file_name(message: Generated) -> str:
    """Give a file its name: number in the stream and sender."""
    return f"{message.number:07}-{message.report.patient.sender.id}{_SUFFIXES[message.form]}"


def in_stream(messages: Iterable[Generated]) -> Iterator[bytes]:
    """Write messages one after the other.

    Parameters
    ----------
    messages : iterable of Generated
        The messages.

    Yields
    ------
    bytes
        Each message as it is. Behind one that breaks off the next one stands in an MLLP frame: without it nobody could tell
        where it begins.
    """
    broken = False
    for message in messages:
        # a start block tells where a message begins; a line end would make the one that broke off look whole
        framed = broken and not message.data.startswith(b"\x0b")
        yield b"\x0b" + message.data + b"\x1c\r" if framed else message.data
        broken = not framed and not message.data.endswith((b"\r", b"\n"))


def in_batch(messages: Iterable[Generated]) -> Iterator[bytes]:
    """Write v2 messages as one file with one batch (HL7 v2.5.1 chapter 2.10.3).

    Parameters
    ----------
    messages : iterable of Generated
        v2 messages.

    Yields
    ------
    bytes
        Headers, messages, trailers with the count.
    """
    yield b"FHS|^~\\&|TESTLIS|TEST LABORATORY\rBHS|^~\\&|TESTLIS|TEST LABORATORY\r"
    count, data = 0, b""
    for data in in_stream(messages):
        count += 1
        yield data
    # a trailer begins a line, also behind a message that breaks off
    yield b"" if not data or data.endswith((b"\r", b"\n")) else b"\r"
    yield b"BTS|%d\rFTS|1\r" % count
