"""The character set of a message: MSH-18 and HL7 table 0211 to a codec, and what to do when it is missing or a lie.

The order of trust: the charset of the caller (configuration of the sender), a byte order mark, MSH-18, UTF-8 where the bytes are
valid UTF-8, Latin-1. Pure ASCII bytes are the same text in nearly all of them and never raise an issue.
"""

from __future__ import annotations

from adapter.issues import Issue

#: HL7 table 0211 names, and spellings that senders use, upper case -> codec. Source: HL7 v2.5.1 chapter 2.15.9.18, table 0211.
CODECS: dict[str, str] = {
    "ASCII": "ascii",
    "US-ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859": "iso8859-1",
    "ISO-8859-1": "iso8859-1",
    "ISO8859-1": "iso8859-1",
    "LATIN1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO-8859-15": "iso8859-15",
    "WINDOWS-1250": "cp1250",
    "WINDOWS-1251": "cp1251",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    "SHIFT_JIS": "cp932",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UTF-16": "utf-16",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5hkscs",
    "BIG5": "big5hkscs",
    # the Japanese sets switch by ISO 2022 escapes within one text
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
}

_LEADING = b"\xef\xbb\xbf\x0b\x00\r\n\t "
_NO_ISSUES: tuple[Issue, ...] = ()


def codec_for(name: str) -> str:
    """Give the Python codec of a charset name.

    Parameters
    ----------
    name : str
        Name of HL7 table 0211, or an alias in `CODECS`; case does not matter.

    Returns
    -------
    str
        Codec; empty when the name is unknown. CNS 11643-1992 has no codec in Python.
    """
    return CODECS.get(name.strip().upper(), "")


def decode(data: bytes, charset: str = "") -> tuple[str, str, tuple[Issue, ...]]:
    """Decode one message.

    Parameters
    ----------
    data : bytes
        The message; a byte order mark and a start block before MSH are removed.
    charset : str
        Charset from the configuration of the sender; stronger than MSH-18.

    Returns
    -------
    text : str
        The message.
    codec : str
        The codec that was used.
    issues : tuple of Issue
        `charset-guessed`, `charset-unknown` or `charset-mismatch`.
    """
    wide = _wide_codec(data)
    if wide:
        return _decode_wide(data, wide)
    if not data.startswith(b"MSH"):
        data = data.lstrip(_LEADING)
    names = [charset] if charset else declared_charsets(data)
    codec = choose_codec(names)
    if data.isascii() and not (codec.startswith("iso2022") and b"\x1b" in data):
        return data.decode("ascii"), codec or "utf-8", _NO_ISSUES
    return _decode_other(data, codec, names, trusted=bool(charset))


def _decode_other(data: bytes, codec: str, names: list[str], *, trusted: bool) -> tuple[str, str, tuple[Issue, ...]]:
    """Decode bytes that are not all ASCII."""
    if codec.startswith("iso8859") and not trusted:
        # Text of an 8-bit set is valid UTF-8 only by an accident that does not happen to real text.
        try:
            return data.decode("utf-8"), "utf-8", (Issue("charset-mismatch", "MSH-18", "declared an ISO 8859 set, sent UTF-8"),)
        except UnicodeDecodeError:
            pass
    if codec:
        try:
            return data.decode(codec), codec, _NO_ISSUES
        except UnicodeDecodeError:
            pass
    named = any(name.strip() for name in names)
    slug = "charset-mismatch" if codec else ("charset-unknown" if named else "")
    try:
        text, used = data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, used = data.decode("iso8859-1"), "iso8859-1"
        slug = slug or "charset-guessed"
    return text, used, (Issue(slug, "MSH-18", f"read as {used}", "~".join(names)),) if slug else _NO_ISSUES


def declared_charsets(data: bytes) -> list[str]:
    """Give the repetitions of MSH-18, read from the bytes of the first line."""
    end = data.find(b"\r")
    header = data[: end if end >= 0 else len(data)].split(b"\n", 1)[0]
    fields = header.split(header[3:4], 18) if len(header) > 4 else []
    if len(fields) < 18 or not fields[17]:
        return []
    repetition = fields[1][1:2]
    value = fields[17]
    return [name.decode("iso8859-1") for name in (value.split(repetition) if repetition else [value])]


def choose_codec(names: list[str]) -> str:
    """Choose the codec for the repetitions of MSH-18: the first that is known; ISO 2022 when any of them needs its escapes."""
    chosen = ""
    for name in names:
        codec = codec_for(name)
        if codec.startswith("iso2022"):
            return codec
        chosen = chosen or codec
    return chosen


def _wide_codec(data: bytes) -> str:
    """Recognise UTF-16 by its byte order mark, or by its first letters."""
    start = data[:4]
    if start.startswith(b"\xff\xfe") or start == b"M\0S\0":
        return "utf-16-le"
    if start.startswith(b"\xfe\xff") or start == b"\0M\0S":
        return "utf-16-be"
    return ""


def _decode_wide(data: bytes, codec: str) -> tuple[str, str, tuple[Issue, ...]]:
    try:
        return data.decode(codec).lstrip("\ufeff\x0b\r\n\t "), codec, _NO_ISSUES
    except UnicodeDecodeError:
        text = data.decode("iso8859-1")
        return text, "iso8859-1", (Issue("charset-mismatch", "MSH-18", "begins as UTF-16, but is not valid"),)
