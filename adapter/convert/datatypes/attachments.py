"""ED and RP -> Attachment.

The MIME type comes from the type of data and its subtype through tables 0191 and 0291 (A09). Data in Base64 pass as sent, in
hexadecimal and plain text are encoded; data in no known encoding stay text. What has no element (the source application) is
kept in an extension.

References
----------
HL7 v2.5.1 chapter 2, 2.A.24 (ED), 2.A.65 (RP), tables 0191, 0291, 0299; v2-to-FHIR maps ED[Attachment], RP[Attachment].
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from adapter.convert.datatypes.quantities import Value, text_value
from adapter.convert.datatypes.text import ORIGINAL_TEXT, decoded, leaf
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.environment import Environment

_MIME = re.compile(r"[A-Za-z]+/[A-Za-z0-9!#$&^_.+-]+")
_BLANKS = re.compile(r"\s+")


def media_type(kind: str, subtype: str, environment: Environment) -> str:
    """Type of data (table 0191) and subtype (table 0291) -> MIME type.

    Parameters
    ----------
    kind : str
        `Application`, `TX`, `IM`.
    subtype : str
        `PDF`, `image/jpeg`, or empty.
    environment : Environment
        Gives the code maps.

    Returns
    -------
    str
        MIME type; empty when it is not certain.
    """
    if _MIME.fullmatch(subtype):
        return subtype.lower()
    vocabulary = environment.tables.vocabulary
    top = vocabulary["0191"].get(kind)
    row = vocabulary["0291"].get(subtype)
    if row is not None:
        # TEXT^XML is text/xml: what the sender says of the top level stands where the standard lets the subtype have it.
        return f"text/{subtype.lower()}" if top and top.target == "text" and row.target == "application/xml" else row.target
    # RFC 2046, 4.1.2: text without a known subtype is text/plain.
    return "text/plain" if top and top.target == "text" and not subtype else ""


def _typed(kind: str, subtype: str, component: str, environment: Environment) -> dict[str, Any]:
    mime = media_type(kind, subtype, environment)
    if mime:
        return {"contentType": mime}
    sent = "^".join(filter(None, (kind, subtype)))
    if not sent:
        return {}
    environment.fault("code-not-mapped", component, f"{kind} {subtype}".strip())
    return {"_contentType": {"extension": [{"url": ORIGINAL_TEXT, "valueString": sent}]}}


def _base64(data: str, encoding: str) -> str | None:
    """Give the data in Base64; None when they are not in the encoding (table 0299)."""
    name = encoding.upper()
    try:
        if name == "BASE64":
            text = _BLANKS.sub("", decoded(data))
            binascii.a2b_base64(text, strict_mode=True)
            # FHIR R4 wants whole groups of four; the decoder lets padding behind a whole group pass.
            return text if text and len(text) % 4 == 0 else None
        if name == "HEX":
            raw = bytes.fromhex(decoded(data))
        elif name in ("A", "ASCII"):
            raw = decoded(data).encode()
        else:
            return None
    except ValueError:
        return None
    return base64.b64encode(raw).decode("ascii") or None


def encapsulated_data(text: str, environment: Environment) -> Value | None:
    """ED -> Attachment with data; text when the data cannot be read (`attachment-unreadable`).

    Parameters
    ----------
    text : str
        `value|units`; units are not read.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Attachment, or text.
    """
    sent = text.partition("|")[0]
    parts = sent.split("^", 4)
    if not any(map(leaf, parts)):
        return None
    parts += [""] * (5 - len(parts))
    source, kind, subtype, encoding = (leaf(part) for part in parts[:4])
    data = _base64(parts[4], encoding)
    if data is None:
        environment.fault("attachment-unreadable", "5", f"encoding {encoding!r}")
        return text_value(sent)
    attachment = _typed(kind, subtype, "3", environment)
    attachment["data"] = data
    if source:
        attachment = {"extension": [source_extension("OBX-5.1", parts[0])], **attachment}
    return Value("Attachment", attachment)


def reference_pointer(text: str, environment: Environment) -> Value | None:
    """RP -> Attachment with url; text when the pointer is no single word.

    Parameters
    ----------
    text : str
        `value|units`; units are not read.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Attachment, or text.
    """
    sent = text.partition("|")[0]
    parts = sent.split("^")
    if not any(map(leaf, parts)):
        return None
    parts += [""] * (4 - len(parts))
    pointer, _, kind, subtype = (leaf(part) for part in parts[:4])
    if not pointer or _BLANKS.search(pointer):
        environment.fault("value-not-converted", "1", "RP without a pointer that is one word")
        return text_value(sent)
    attachment = _typed(kind, subtype, "4", environment)
    attachment["url"] = pointer
    kept = [
        source_extension(f"OBX-5.{2 + place}", part) for place, part in enumerate(parts[1:]) if leaf(part) and place not in (1, 2)
    ]
    if kept:
        attachment = {"extension": kept, **attachment}
    return Value("Attachment", attachment)
