"""The MSH segment alone, read from any bytes: who sent what and which acknowledgements are wanted (HL7 v2.5.1 chapter 2.9).

Doors need it before and also when the message does not parse. Fields keep the delimiters of the sender.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from adapter.hl7v2.charset import choose_codec, declared_charsets

#: An MSH segment longer than this is read up to here.
HEADER_LENGTH = 8192
WIDE = frozenset({"utf-16-le", "utf-16-be"})

#: HL7 table 0155.
_CONDITIONS = frozenset({"AL", "NE", "ER", "SU"})
_WIDE_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"M\0": "utf-16-le", b"\0M": "utf-16-be"}
_LEADING = b" \t\r\n\0\x0b\x0c\x1a\x1c\xef\xbb\xbf"


class Header(NamedTuple):
    """The MSH segment as sent.

    Parameters
    ----------
    field_separator : str
        MSH-1; empty when there is none.
    encoding_characters : str
        MSH-2.
    fields : tuple of str
        Fields by their HL7 number (`fields[9]` is MSH-9), with the delimiters of the sender; at least 22 of them, empty ones
        at the end.
    codec : str
        The codec that the segment was read with.
    """

    field_separator: str
    encoding_characters: str
    fields: tuple[str, ...]
    codec: str

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.fields[10]

    def components(self, number: int) -> list[str]:
        """Split a field at the component separator of the sender."""
        separator = self.encoding_characters[:1] or "^"
        return self.fields[number].split(separator)


class Wants(NamedTuple):
    """Which acknowledgements the sender wants (HL7 v2.5.1 chapter 2.9.2 and 2.9.3, tables 0155).

    Parameters
    ----------
    enhanced : bool
        Accept acknowledgement and application acknowledgement are two messages.
    accept : {"AL", "NE", "ER", "SU"}
        MSH-15: when to send the accept acknowledgement (CA, CE, CR).
    application : {"AL", "NE", "ER", "SU"}
        MSH-16: when to send the application acknowledgement (AA, AE, AR).
    """

    enhanced: bool
    accept: str
    application: str


ORIGINAL = Wants(False, "NE", "AL")
_EMPTY = ("",) * 22
_NO_HEADER = Header("", "", _EMPTY, "ascii")


def header_of(data: bytes) -> Header:
    """Read the MSH segment of a message, as far as it can be read.

    Parameters
    ----------
    data : bytes
        Any bytes.

    Returns
    -------
    Header
        Never raises: what cannot be read is empty. The charset is that of MSH-18; where it is unknown or does not fit, UTF-8 and
        then Latin-1, which gives every byte back as it came.
    """
    if data[:3] != b"MSH":
        if data[:2] in _WIDE_MARKS:
            return _wide_header(data, _WIDE_MARKS[data[:2]])
        data = data[: HEADER_LENGTH + 64].lstrip(_LEADING)
        if data[:3] != b"MSH":
            return _NO_HEADER
    end = data.find(b"\r", 0, HEADER_LENGTH)
    line = data[: end if end >= 0 else HEADER_LENGTH]
    if b"\n" in line:
        line = line[: line.index(b"\n")]
    if line.isascii() and b"\x1b" not in line:
        header = _header(line.decode("ascii"), "utf-8")
        name = header.fields[18]
        codec = charset_codec(name, header.encoding_characters[1:2]) if name else ""
        return header._replace(codec=codec) if codec and codec != "utf-16" else header
    for codec in (choose_codec(declared_charsets(line)), "utf-8"):
        if codec and codec != "utf-16":
            try:
                return _header(line.decode(codec), codec)
            except UnicodeDecodeError:
                pass
    return _header(line.decode("latin-1"), "latin-1")


def _wide_header(data: bytes, codec: str) -> Header:
    """Read a header in UTF-16."""
    text = data[: 2 * HEADER_LENGTH].decode(codec, "replace").lstrip("\ufeff\x0b\r\n\t ")
    return _header(text.replace("\n", "\r").partition("\r")[0], codec) if text.startswith("MSH") else _NO_HEADER


def _header(text: str, codec: str) -> Header:
    separator = text[3:4]
    if not separator:
        return _NO_HEADER
    parts = text.split(separator)
    fields = (parts[0], separator, *parts[1:], *_EMPTY[len(parts) + 1 :])
    return Header(separator, fields[2], fields, codec)


@lru_cache(256)
def charset_codec(names: str, repetition: str) -> str:
    """Give the codec of MSH-18; empty when it is unknown."""
    return choose_codec(names.split(repetition) if repetition else [names])


def wants_of(header: Header) -> Wants:
    """Tell which acknowledgements a sender wants.

    Parameters
    ----------
    header : Header
        MSH of its message.

    Returns
    -------
    Wants
        MSH-15 and MSH-16 both empty, or no code of table 0155: original mode. So is `NE` with `AL`, which the standard says is
        the same. One of them empty: `NE`.
    """
    accept, application = header.fields[15], header.fields[16]
    if not accept and not application:
        return ORIGINAL
    accept, application = accept.strip().upper(), application.strip().upper()
    if accept not in _CONDITIONS and application not in _CONDITIONS:
        return ORIGINAL
    accept = accept if accept in _CONDITIONS else "NE"
    application = application if application in _CONDITIONS else "NE"
    return Wants(not (accept == "NE" and application == "AL"), accept, application)


def wanted(condition: str, *, good: bool) -> bool:
    """Tell whether a condition of table 0155 asks for an acknowledgement of success or of an error."""
    return condition == "AL" or condition == ("SU" if good else "ER")


def is_acknowledgement(header: Header) -> bool:
    """Tell whether a message is itself an acknowledgement; it is never answered, or two systems would do so for ever."""
    return header.components(9)[0].strip() in ("ACK", "MCF")
