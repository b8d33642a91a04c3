"""For schemathesis: how bodies of HL7 v2 and of lines of JSON are written; they are text."""

from typing import Any

import schemathesis


@schemathesis.serializer(
    "x-application/hl7-v2+er7", "application/hl7-v2", "application/fhir+ndjson", "application/x-ndjson", "application/ndjson"
)
def text(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """Write a body as it is; what is no text cannot be sent, so nothing is."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""
