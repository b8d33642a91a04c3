"""A v2 message as segments; segments as fields, split when they are first asked for.

`read_message` decodes the bytes, rewrites unusual delimiters, cuts the text into segments and checks version and size. A line
that is no segment continues the text of the segment before it: senders write line breaks into fields. Fields are plain text with
the canonical delimiters; components are split by who needs them.
"""

from __future__ import annotations

import re

from adapter.hl7v2.charset import decode
from adapter.hl7v2.delimiters import canonical
from adapter.hl7v2.empty_parts import may_have_empty_parts, without_empty_parts
from adapter.hl7v2.escapes import hexadecimal_to_utf8
from adapter.issues import Issue, reject

#: Versions of HL7 v2 in table 0104.
VERSIONS = frozenset(
    {"2.0", "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9", "2.9.1"}
)

#: The version that a message without a known one is read as; later versions only add to it.
DEFAULT_VERSION = "2.5.1"

SEGMENT_LIMIT = 200_000

# Segments of HL7 v2.1 to v2.9. A line that is only a name, or is indented, counts as a segment when its name is among them.
_STANDARD_NAMES = """
    ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BLC BLG BPO BPX BTX BUI CDM CDO CER CM0 CM1 CM2 CNS CON CSP CSR
    CSS CTD CTI DB1 DEV DG1 DMI DON DPS DRG DSC DSP DST ECD ECR EDU EQL EQP EQU ERQ ERR EVN FAC FT1 GOL GP1 GP2 GT1 IAM IAR
    IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP MFA MFE MFI MRG MSA MSH NCK NDS NK1 NPU NSC
    NST NTE OBR OBX ODS ODT OH1 OH2 OH3 OH4 OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG ORO OVR PAC PCE PCR PD1 PDA PDC PEO PES
    PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL RF1 RFI
    RGS RMI ROL RQ1 RQD RX1 RXA RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM STF STZ TCC TCD
    TQ1 TQ2 TXA UAC UB1 UB2 URD URS VAR VND VTQ
"""
STANDARD_SEGMENTS = frozenset(_STANDARD_NAMES.split())
_STARTS = STANDARD_SEGMENTS | {f"{name}|" for name in STANDARD_SEGMENTS}

#: Characters that no text has: FHIR strings do not allow them (and count U+FEFF as blank); HL7 has them in escape sequences only.
_CONTROL_BYTES = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20)])
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufeff]")

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_INDENTED = re.compile(r"[ \t]+([A-Z][A-Z0-9]{2})\|")


class Segment:
    """One segment.

    Parameters
    ----------
    name : str
        Three characters: `OBX`.
    number : int
        Which segment of its name in the message, from 1.
    text : str
        The segment with canonical delimiters.
    """

    __slots__ = ("fields", "name", "number", "text")

    #: `fields[5]` is OBX-5, `fields[0]` the name; in MSH `fields[1]` is the separator itself.
    fields: list[str]

    def __init__(self, name: str, number: int, text: str) -> None:
        self.name = name
        self.number = number
        self.text = text

    def __getattr__(self, attribute: str) -> list[str]:
        """Split at the first use of `fields`; afterwards the slot itself answers, which is what the hot path needs."""
        if attribute != "fields":
            raise AttributeError(attribute)
        fields = self.text.split("|")
        if self.name == "MSH":
            fields.insert(1, "|")
        self.fields = fields
        return fields

    def __getitem__(self, number: int) -> str:
        """Field by its HL7 number; empty when the segment is shorter."""
        fields = self.fields
        return fields[number] if number < len(fields) else ""

    def __repr__(self) -> str:
        return f"<{place(self)}>"


class Message:
    """One message.

    Parameters
    ----------
    source : bytes
        The message as it came.
    segments : list of Segment
        All segments in order; the first is MSH.
    issues : list of Issue
        What was noticed while reading.
    charset : str
        The codec that the bytes were read with.
    field_separator, encoding_characters : str
        MSH-1 and MSH-2 as sent.
    """

    __slots__ = ("charset", "encoding_characters", "field_separator", "header", "issues", "segments", "source", "version")

    def __init__(
        self,
        source: bytes,
        segments: list[Segment],
        issues: list[Issue],
        charset: str,
        field_separator: str,
        encoding_characters: str,
    ) -> None:
        self.source = source
        self.segments = segments
        self.issues = issues
        self.charset = charset
        self.field_separator = field_separator
        self.encoding_characters = encoding_characters
        #: the MSH segment
        self.header = segments[0]
        #: MSH-12.1, or `DEFAULT_VERSION` when that is no known version
        self.version = self._read_version()

    def _read_version(self) -> str:
        sent = self.header[12]
        version = sent.partition("^")[0].strip()
        if version in VERSIONS:
            return version
        self.issues.append(Issue("version-unknown", "MSH-12", f"read as {DEFAULT_VERSION}", sent))
        return DEFAULT_VERSION

    @property
    def message_type(self) -> tuple[str, str]:
        """MSH-9.1 and MSH-9.2: `("ORU", "R01")`."""
        components = self.header[9].split("^")
        return components[0].strip(), components[1].strip() if len(components) > 1 else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header[10]

    @property
    def processing_id(self) -> str:
        """MSH-11.1: `P`, `T` or `D`."""
        return self.header[11].partition("^")[0]


def valued(text: str) -> bool:
    """Tell whether a field carries a value: neither empty nor the explicit null `""`."""
    return text != "" and text != '""'


def place(segment: Segment, field: int = 0, component: str = "") -> str:
    """Write a place as engineers do.

    Parameters
    ----------
    segment : Segment
        The segment.
    field : int
        Field number; 0 for the segment itself.
    component : str
        Component, or component and subcomponent: `1`, `4.2`.

    Returns
    -------
    str
        `OBX[2]-5.1`, `MSH-9`.
    """
    name = segment.name if segment.name == "MSH" else f"{segment.name}[{segment.number}]"
    if not field:
        return name
    return f"{name}-{field}.{component}" if component else f"{name}-{field}"


def read_message(data: bytes, charset: str = "") -> Message:
    """Read one message.

    Parameters
    ----------
    data : bytes
        The message: MSH and what follows, segments ended by CR, LF or CRLF.
    charset : str
        Charset from the configuration of the sender (name of HL7 table 0211); stronger than MSH-18.

    Returns
    -------
    Message
        Its segments, and issues about charset, delimiters, version, control characters and lines that are no segments.

    Raises
    ------
    Rejected
        `no-msh`, `truncated`, `binary-noise`, `bad-delimiters`, `too-many-segments`.
    """
    text, codec, decoding_issues = decode(data, charset)
    text = text.rstrip("\r\n\0\x0b\x1a\x1c")
    if not text.startswith("MSH"):
        raise reject("no-msh", "MSH", "the message does not begin with MSH")
    if "\0" in text:
        raise reject("binary-noise", "MSH", "the message holds NUL bytes")
    if len(text) < 8:
        raise reject("truncated", "MSH", "the message ends within the first two fields of MSH")
    text, field_separator, encoding_characters, delimiter_issues = canonical(text)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    if codec not in ("utf-8", "ascii") and ("\\X" in text or "\\x" in text):
        text = hexadecimal_to_utf8(text, codec)
    if text.count("\r") > SEGMENT_LIMIT:
        raise reject("too-many-segments", "MSH", f"more than {SEGMENT_LIMIT} lines")
    issues = [*decoding_issues, *delimiter_issues]
    if len(data.translate(None, _CONTROL_BYTES)) < len(data) or "\ufeff" in text:
        text, count = _CONTROL.subn(lambda found: f"\\X{found[0].encode().hex().upper()}\\", text)
        if count:
            issues.append(Issue("control-characters", "MSH", f"{count} of them"))
    return Message(data, _segments(text, issues), issues, codec, field_separator, encoding_characters)


def _segments(text: str, issues: list[Issue]) -> list[Segment]:
    segments: list[Segment] = []
    counts: dict[str, int] = {}
    blank_lines = 0
    continuation: list[str] = []
    lines = text.split("\r")
    for line in lines:
        name = line[:3]
        if line[:4] not in _STARTS and not (line[3:4] == "|" and _NAME.match(name)):
            if not line.strip(" \t"):
                blank_lines += 1
                continue
            indented = _INDENTED.match(line)
            if indented is None or indented[1] not in STANDARD_SEGMENTS:
                if not continuation:
                    where = place(segments[-1], segments[-1].text.count("|") + (segments[-1].name == "MSH"))
                    issues.append(Issue("segment-unreadable", where, "joined to the text before it, with a line break", line))
                continuation.append("\n" * blank_lines + line)
                blank_lines = 0
                continue
            name = indented[1]
            line = line.lstrip(" \t")
            issues.append(
                Issue("segment-unreadable", f"{name}[{counts.get(name, 0) + 1}]", "blanks before the segment name were ignored")
            )
        if continuation:
            _join(segments[-1], continuation)
        blank_lines = 0
        counts[name] = number = counts.get(name, 0) + 1
        segments.append(Segment(name, number, line))
    if continuation:
        _join(segments[-1], continuation)
    # behind MSH-2, which is nothing but separators
    if may_have_empty_parts(text, lines, 9):
        for segment in segments:
            segment.text = without_empty_parts(segment.name, segment.text)
    if counts["MSH"] > 1:
        raise reject("segment-unreadable", "MSH[2]", "a second MSH segment stands within the message")
    return segments


def _join(segment: Segment, continuation: list[str]) -> None:
    """Join lines at once, so that a text of many lines costs linear time."""
    segment.text = "\n".join([segment.text, *continuation])
    continuation.clear()
