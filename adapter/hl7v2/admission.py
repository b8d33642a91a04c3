"""What a door checks before it acknowledges a message: what is cheap and certain, a few microseconds a message.

The header is read; of the rest only the first PID is looked at, in the bytes as they came. Whatever the conversion would read is
admitted: a refusal here must never be stricter than the reader, only earlier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple

from adapter.hl7v2.charset import decode
from adapter.hl7v2.delimiters import USUAL, canonical
from adapter.hl7v2.header import WIDE, Header, Wants, header_of, wants_of
from adapter.issues import Issue, Rejected

#: What stands around a message and is no part of it, as in `hl7v2.message.read_message`.
_TRAILING = b"\r\n\0\x0b\x1a\x1c"
_VERSION = re.compile(r"\s*[vV]?2(?:\.\d+)*\s*\Z")
_PRODUCTION = "P"


class Admission(NamedTuple):
    """What a door knows of a message before it is converted.

    Parameters
    ----------
    header : Header
        MSH.
    sender : str
        MSH-3 and MSH-4 as sent, with `|` between them.
    control_id : str
        MSH-10 as sent.
    patient : str
        Key by which messages of one patient are kept in order: a digest of the first identifier of PID-3 (else PID-2, PID-4) and
        its authority; of the sender where it has none. Empty when the message names no patient.
    issue : Issue or None
        Why the message is refused.
    wants : Wants
        Which acknowledgements the sender wants.
    """

    header: Header
    sender: str
    control_id: str
    patient: str
    issue: Issue | None
    wants: Wants


def admit(
    data: bytes,
    *,
    processing_ids: Collection[str] = (_PRODUCTION,),
    unsupported: Literal["reject", "accept"] = "reject",
    sender_ids: Callable[[str, str], Collection[str]] | None = None,
) -> Admission:
    """Check one message before it is acknowledged.

    Parameters
    ----------
    data : bytes
        The message as it came, without framing.
    processing_ids : collection of str
        Accepted MSH-11 where the sender's row names none. A message that does not say counts as production.
    unsupported : {"reject", "accept"}
        Whether types that are not converted are refused.
    sender_ids : callable, optional
        Gives the processing ids of the sender's row for MSH-3 and MSH-4, components behind `^`; empty when it names none.

    Returns
    -------
    Admission
        With an issue when the message is refused: `no-msh`, `truncated`, `bad-delimiters`, `control-id-missing`,
        `message-type-missing`, `type-unsupported`, `version-unsupported`, `processing-id-refused`, `binary-noise`,
        `missing-patient`, `result-missing`. Never raises.
    """
    header = header_of(data)
    fields = header.fields
    body = data
    if header.codec in WIDE:
        body = decode(data)[0].encode()
    issue = _envelope_issue(header, data) or _type_issue(header, unsupported)
    if issue is None:
        ids: Collection[str] = ()
        if sender_ids is not None:
            ids = sender_ids("^".join(header.components(3)), "^".join(header.components(4)))
        ids = ids or processing_ids
        issue = _processing_issue(header, ids)
    separator = header.field_separator.encode(header.codec if header.codec not in WIDE else "utf-8", "replace") or b"|"
    start = _find(body, b"PID", separator)
    if issue is None:
        issue = _content_issue(header, body, separator, has_patient=start >= 0)
    patient = _patient_key(header, body, start, separator) if start >= 0 else ""
    return Admission(header, f"{fields[3]}|{fields[4]}", fields[10], patient, issue, wants_of(header))


def _envelope_issue(header: Header, data: bytes) -> Issue | None:
    """Check what an acknowledgement needs: MSH, its delimiters, MSH-10 (without it nobody can tell what is acknowledged)."""
    separator, encoding = header.field_separator, header.encoding_characters
    if not separator:
        return Issue("truncated" if data.lstrip(b" \t\r\n").startswith(b"MSH") else "no-msh", "MSH")
    if separator != "|" or encoding not in USUAL:
        try:
            canonical(separator.join(("MSH", *header.fields[2:])))
        except Rejected as rejected:
            return rejected.issue
    if not header.fields[10].strip() or header.fields[10] == '""':
        return Issue("control-id-missing", "MSH-10")
    return None


def _type_issue(header: Header, unsupported: str) -> Issue | None:
    kind = header.components(9)[0].strip()
    if kind == "ORU":
        pass
    elif not kind:
        return Issue("message-type-missing", "MSH-9")
    elif unsupported == "reject":
        return Issue("type-unsupported", "MSH-9.1", "", kind)
    version = header.fields[12]
    if (
        version
        and not version.startswith("2.")
        and not _VERSION.match(header.components(12)[0])
        and header.components(12)[0].strip()
    ):
        # an empty one is read as the default version, with a warning; so is an unknown version 2
        return Issue("version-unsupported", "MSH-12", "", version)
    return None


def _processing_issue(header: Header, accepted: Collection[str]) -> Issue | None:
    sent = header.fields[11]
    if sent not in accepted:
        first = header.components(11)[0].strip().upper() or _PRODUCTION
        if first not in accepted:
            return Issue("processing-id-refused", "MSH-11", "", sent)
    return None


def _content_issue(header: Header, body: bytes, separator: bytes, *, has_patient: bool) -> Issue | None:
    if b"\0" in body and b"\0" in body.strip(_TRAILING):
        return Issue("binary-noise", "MSH", "NUL bytes")
    if header.components(9)[0].strip() != "ORU":
        return None
    if not has_patient:
        return Issue("missing-patient", "PID")
    if _find(body, b"OBX", separator) < 0:
        return Issue("result-missing", "OBX")
    return None


def _find(body: bytes, name: bytes, separator: bytes) -> int:
    """Give where a segment begins, -1 when there is none; for the reader it may be indented, or nothing but a name."""
    for line_end in (b"\r", b"\n"):
        start = body.find(line_end + name + separator)
        if start >= 0:
            return start + 1
    found = _line_pattern(name, separator).search(body)
    return found.start(1) if found else -1


@lru_cache(64)
def _line_pattern(name: bytes, separator: bytes) -> re.Pattern[bytes]:
    end = rb"(?:" + re.escape(separator) + rb"|[\r\n]|[" + re.escape(_TRAILING) + rb"]*\Z)"
    return re.compile(rb"[\r\n][ \t]*(" + name + rb")" + end)


def _patient_key(header: Header, body: bytes, start: int, separator: bytes) -> str:
    """Digest the first identifier of the patient: the same in all messages that name the patient in the same way."""
    end = body.find(b"\r", start)
    segment = body[start : end if end >= 0 else len(body)]
    fields = segment.partition(b"\n")[0].split(separator, 5)
    encoding = header.encoding_characters
    component, repetition = (encoding[:1] or "^").encode(), (encoding[1:2] or "~").encode()
    for number in (3, 2, 4):
        first = fields[number].partition(repetition)[0] if number < len(fields) else b""
        parts = first.split(component, 4)
        identifier = parts[0].strip()
        if not identifier or identifier == b'""':
            continue
        authority = parts[3].strip() if len(parts) > 3 else b""
        if not authority or authority == b'""':
            authority = f"{header.fields[3]}|{header.fields[4]}".encode("utf-8", "replace")
        return blake2b(identifier + b"\0" + authority, digest_size=16).hexdigest()
    return ""
