"""The message itself in its output, for those who ask for it (`--attach-source`): a DocumentReference that the Provenance names.

The bytes stand there as they came. The media type is the one of HL7 v2 over HTTP; the charset is the one they were read with.
"""

from __future__ import annotations

import base64
import codecs
from typing import Any

from adapter.convert.assembly import Assembly

MEDIA_TYPE = "x-application/hl7-v2+er7"


def charset_name(codec: str) -> str:
    """Give the IANA name of a Python codec: `iso8859-1` is `iso-8859-1`."""
    name = codecs.lookup(codec).name
    if name.startswith("iso8859"):
        return name.replace("iso8859", "iso-8859")
    return "us-ascii" if name == "ascii" else name.replace("_", "-")


def attach_source(assembly: Assembly, source: bytes, digest: str) -> None:
    """Add the DocumentReference and point to it from the Provenance.

    Parameters
    ----------
    assembly : Assembly
        The converted message.
    source : bytes
        The message as it came.
    digest : str
        Its SHA-256 in hexadecimal.
    """
    # those of the message; who handled an order or changed a patient's data is another matter and names no source
    provenances = [one for one in assembly.resources.values() if one["resourceType"] == "Provenance" and "entity" in one]
    document: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "status": "current",
        "description": "HL7 v2 message that the resources were made of",
        "content": [
            {
                "attachment": {
                    "contentType": f"{MEDIA_TYPE}; charset={charset_name(assembly.message.charset)}",
                    "data": base64.b64encode(source).decode("ascii"),
                }
            }
        ],
    }
    reference = assembly.add(document, (assembly.sender_key, digest, "source"), "put")
    for provenance in provenances:
        provenance["entity"] = [*provenance["entity"], {"role": "source", "what": reference}]
