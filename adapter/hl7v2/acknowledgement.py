r"""Acknowledgements: what to answer to a v2 message, from its MSH segment alone (HL7 v2.5.1 chapter 2.9 and 2.13.1).

MSH, MSA and ERR are written in the version, character set and delimiters of the sender. What the sender wrote is echoed only as
text of a field: with the same delimiters it stays as sent, with others it is escaped, and a character that could end a line or a
frame leaves as `\X0D\`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from adapter.hl7v2.delimiters import CANONICAL
from adapter.hl7v2.header import WIDE, Header, charset_codec, wants_of
from adapter.hl7v2.message import DEFAULT_VERSION, VERSIONS
from adapter.issues import Issue

Code = Literal["AA", "AE", "AR", "CA", "CE", "CR"]

#: Length of MSH-10 from v2.7 on; longer control ids are cut in MSA-2.
CONTROL_ID_LENGTH = 199
#: Length of every other echoed field; the longest of them (HD) has 227 characters in v2.5.1.
ECHO_LENGTH = 227
#: ERR segments in one acknowledgement.
ERRORS_TOLD = 10

#: HL7 table 0357.
ERROR_TEXTS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
#: HL7 table 0516.
_SEVERITIES = {"error": "E", "warning": "W", "information": "I"}

_EVENT = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
# whatever a receiver may take for the end of a line or of a frame, or that no text has
_UNSAFE = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
# in UTF-16 any character may hold the bytes that end a frame
_UNSAFE_WIDE = re.compile("[^ -~\t]")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?\Z")
#: MSH-13 to MSH-17
_NO_FIELDS = ("",) * 5
#: The letters of the escape sequences, in the order of the delimiters.
_LETTERS = "FSRET"


def refusal_code(issue: Issue, *, accept: bool = False) -> Code:
    """Give the acknowledgement code of a refusal before the message was stored (HL7 v2.5.1 chapter 2.9.2.1).

    Parameters
    ----------
    issue : Issue
        The reason.
    accept : bool
        For an accept acknowledgement: CE and CR.

    Returns
    -------
    str
        `AR`: type, version or processing id are not supported, or the reason does not lie in the message (it may come again as it
        is), or the envelope is so damaged that nobody can say what it was. `AE`: its content is at fault.
    """
    reject = issue.kind.error_code.startswith("2") or issue.slug in _REJECTING
    if accept:
        return "CR" if reject else "CE"
    return "AR" if reject else "AE"


_REJECTING = frozenset({"no-msh", "truncated", "control-id-missing"})


def acknowledgement(header: Header, code: Code, issues: Sequence[Issue] = (), *, time: str, control_id: str) -> bytes:
    """Write an acknowledgement.

    Parameters
    ----------
    header : Header
        MSH of the message that is answered.
    code : {"AA", "AE", "AR", "CA", "CE", "CR"}
        MSA-1.
    issues : sequence of Issue
        What is told in ERR; the first ten, errors first.
    time : str
        MSH-7, with offset.
    control_id : str
        MSH-10 of the acknowledgement.

    Returns
    -------
    bytes
        Segments ended by CR, without framing. MSA-2 is MSH-10 as sent. Where a text does not fit the sender's character set, its
        characters beyond ASCII leave as question marks.
    """
    fields = header.fields
    application = code[0] == "A" and bool(fields[15] or fields[16]) and wants_of(header).enhanced
    lasting = (*fields[:7], "", "", fields[9], "", fields[11], fields[12], *_NO_FIELDS, fields[18])
    frame = _frame(Header(header.field_separator, header.encoding_characters, lasting, header.codec))
    answered = fields[10]
    if not (answered.isascii() and answered.isalnum() and len(answered) <= CONTROL_ID_LENGTH):
        answered = frame.echo(answered, CONTROL_ID_LENGTH)
    separator = frame.separator
    text = (
        f"{frame.before_time}{time}{separator}{separator}{frame.message_type}{separator}{control_id}{separator}{frame.before_modes}"
        f"{frame.modes if application else frame.no_modes}\rMSA{separator}{code}{separator}{answered}"
    )
    if issues:
        text += _errors(frame, issues)
    text += "\r"
    if text.isascii() and header.codec not in WIDE:
        return text.encode("ascii")
    return text.encode(header.codec, "replace")


class Accepting(NamedTuple):
    """The parts of an `AA` in original mode that are the same for all messages of a sender.

    Between them stand MSH-7, MSH-10 and MSA-2, which is MSH-10 of the message: printable ASCII without `|`, not too long.
    """

    before_time: bytes
    before_control_id: bytes
    behind: bytes

    def to(self, answered: str, *, time: str, control_id: str) -> bytes:
        """Write the acknowledgement; the same bytes as those of `acknowledgement`."""
        return b"%b%b%b%b%b%b\r" % (
            self.before_time,
            time.encode(),
            self.before_control_id,
            control_id.encode(),
            self.behind,
            answered.encode(),
        )


def accepting(header: Header) -> Accepting | None:
    """Give the lasting parts of the `AA` to a sender; None where it is not plain ASCII, or not separated by `|`."""
    marks = "\x01", "\x02"
    fields = (*header.fields[:10], "", *header.fields[11:])
    if header.codec in WIDE or header.field_separator != "|":
        return None
    text = acknowledgement(header._replace(fields=fields), "AA", time=marks[0], control_id=marks[1])
    before_time, _, rest = text.partition(marks[0].encode())
    before_control_id, _, behind = rest.partition(marks[1].encode())
    return Accepting(before_time, before_control_id, behind[:-1]) if text.isascii() else None


class _Frame(NamedTuple):
    """What the acknowledgements to one sender have in common."""

    separator: str
    #: component, repetition, escape, subcomponent
    encoding: str
    codec: str
    version: str
    #: whether the sender's own delimiters could not be used, so that its text has to be escaped
    rewrites: bool
    before_time: str
    message_type: str
    before_modes: str
    modes: str
    no_modes: str

    def echo(self, text: str, length: int = ECHO_LENGTH) -> str:
        """Make text of the sender safe: cut, without line ends and ends of frames; escaped where its delimiters are not ours."""
        text = text[:length]
        if self.rewrites:
            text = self.escaped(text)
        return (_UNSAFE_WIDE if self.codec in WIDE else _UNSAFE).sub(self._hexadecimal, text)

    def escaped(self, text: str) -> str:
        """Escape the delimiters in plain text."""
        escape = self.encoding[2]
        if text.isalnum():
            return text
        delimiters = self.separator + self.encoding
        letters = {char: f"{escape}{letter}{escape}" for char, letter in zip(delimiters, _LETTERS, strict=True)}
        return "".join(letters.get(char, char) for char in text)

    def plain(self, text: str, length: int) -> str:
        """Write text of our own; what does not fit the sender's charset becomes a question mark."""
        codec = "ascii" if self.codec in WIDE else self.codec
        return _UNSAFE.sub("?", self.escaped(text[:length].encode(codec, "replace").decode(codec)))

    def _hexadecimal(self, found: re.Match[str]) -> str:
        escape = self.encoding[2]
        return f"{escape}X{found[0].encode(self.codec, 'replace').hex().upper()}{escape}"


@lru_cache(512)
def _frame(header: Header) -> _Frame:
    """Make the constant parts for a sender: the header comes without what differs from message to message."""
    fields = header.fields
    version = header.components(12)[0].strip()
    version = version if version in VERSIONS else DEFAULT_VERSION
    own = _own_delimiters(header)
    separator = header.field_separator if own else "|"
    encoding = own or CANONICAL[1:]
    if own and (len(own) == 4 or _before(version, "2.7")):
        encoding = own[:4]
    rewrites = not own and header.field_separator != "|"
    frame = _Frame(separator, encoding[:4], header.codec, version, rewrites, "", "", "", "", "")
    kind = header.components(9)
    event = kind[1].strip() if len(kind) > 1 else ""
    parts = ["ACK"]
    # table 0354 (message structure) came with v2.3.1; before v2.3 an ACK had no event
    if _EVENT.match(event) and not _before(version, "2.3"):
        parts.append(event)
        if not _before(version, "2.3.1"):
            parts.append("ACK")
    processing = header.components(11)
    processing_id = processing[0].strip() if processing[0].strip() in ("P", "D", "T") else "P"
    charset = frame.echo(fields[18], 50) if fields[18] and charset_codec(fields[18], header.encoding_characters[1:2]) else ""
    swapped = separator.join(frame.echo(fields[number]) for number in (5, 6, 3, 4))
    # MSH-13 to MSH-17, then MSH-18
    tail = separator * 2 + charset if charset else ""
    return frame._replace(
        before_time=f"MSH{separator}{encoding}{separator}{swapped}{separator}",
        message_type=encoding[0].join(parts),
        before_modes=f"{processing_id}{separator}{version}",
        modes=f"{separator}{separator}{separator}NE{separator}NE{tail}",
        no_modes=f"{separator * 4}{tail}" if charset else "",
    )


def _before(version: str, other: str) -> bool:
    return [int(part) for part in version.split(".")] < [int(part) for part in other.split(".")]


def _own_delimiters(header: Header) -> str:
    """Give MSH-2 when the delimiters of the sender can be used: different printable characters, none a letter, digit or blank."""
    everything = header.field_separator + header.encoding_characters
    if len(header.encoding_characters) not in (4, 5) or len(set(everything)) < len(everything):
        return ""
    if any(char.isalnum() or char.isspace() or char == '"' or not char.isprintable() for char in everything):
        return ""
    return header.encoding_characters


def _errors(frame: _Frame, issues: Sequence[Issue]) -> str:
    """Write what went wrong: ERR-1 up to v2.4 (with MSA-3), ERR-2 to ERR-8 from v2.5 on."""
    told = sorted(issues, key=lambda issue: issue.severity != "error")[:ERRORS_TOLD]
    component, repetition, _, subcomponent = tuple(frame.encoding)
    separator = frame.separator
    if _before(frame.version, "2.5"):
        errors = []
        for issue in told:
            where = _location(issue.place)
            code = issue.kind.error_code
            named = subcomponent.join((code, ERROR_TEXTS[code], "HL70357"))
            errors.append(component.join((*where[:3], named)))
        return f"{separator}{frame.plain(told[0].kind.meaning, 80)}\rERR{separator}{repetition.join(errors)}"
    text = ""
    for issue in told:
        kind = issue.kind
        location = component.join(_location(issue.place)).rstrip(component)
        code = component.join((kind.error_code, ERROR_TEXTS[kind.error_code], "HL70357"))
        parts = (
            "ERR",
            "",
            location,
            code,
            _SEVERITIES[kind.severity],
            component.join((issue.slug, "", "L")),
            "",
            frame.plain(issue.detail, 250),
            frame.plain(kind.meaning, 250),
        )
        text += "\r" + separator.join(parts)
    return text


def _location(place: str) -> tuple[str, str, str, str, str, str]:
    """Give segment, its sequence, field, repetition, component and subcomponent of a place; empty where it is no place in v2."""
    found = _PLACE.match(place)
    if found is None:
        return ("",) * 6
    segment, sequence, field, repetition, component, subcomponent = found.groups("")
    return segment, sequence or "1", field, repetition or ("1" if component else ""), component, subcomponent
