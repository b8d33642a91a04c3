"""Everything that the door offers: one row an operation. Routes, OpenAPI and the CapabilityStatement are made of these rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from adapter.service.http.accept import FHIR_NDJSON
from adapter.service.http.convert import PARAMETERS, READ
from adapter.service.http.hl7_over_http import ER7, ER7_TYPES
from adapter.service.http.outcomes import FHIR_JSON
from adapter.service.http.process_message import JSON_TYPES
from adapter.service.http.translate import QUERY

_JSON = "application/json"


class Operation(NamedTuple):
    """One operation.

    Parameters
    ----------
    method, path : str
        Its address.
    name : str
        Stable id; `app.py` binds the endpoint by it.
    summary : str
        One line.
    description : str
        What a client has to know.
    body : tuple of str
        Media types that are read; empty: there is no body.
    answers : dict of int to (str, tuple of str)
        By status: what it means, and its media types. Errors that any operation may give are not repeated here.
    parameters : dict of str to tuple of str
        Parameters of the query and their values; no values: any text.
    required : str
        The parameter that must be there; empty: none.
    open : bool
        Needs no token.
    """

    method: str
    path: str
    name: str
    summary: str
    description: str
    answers: dict[int, tuple[str, tuple[str, ...]]]
    body: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    required: str = ""
    open: bool = False


_TRANSLATED: dict[int, tuple[str, tuple[str, ...]]] = {
    200: ("Parameters: `result`, `message`, `match` with equivalence, concept and the map.", (FHIR_JSON,)),
    400: ("A parameter is unknown, missing or wrong.", (FHIR_JSON,)),
    404: ("There is no such ConceptMap.", (FHIR_JSON,)),
    406: ("The Accept header excludes the answer.", (FHIR_JSON,)),
}
_READING: dict[int, tuple[str, tuple[str, ...]]] = {
    408: ("The request did not arrive whole in time.", (FHIR_JSON,)),
    413: ("The body is larger than the limit, as sent or unpacked.", (FHIR_JSON,)),
    415: ("The content type or content encoding is not read here.", (FHIR_JSON,)),
}

OPERATIONS = (
    Operation(
        "POST",
        "/convert",
        "convert",
        "Convert messages and answer with the result; nothing is kept",
        "HL7 v2 (one or many, MLLP frames and batches too) or FHIR JSON (a resource, a Bundle, NDJSON), also with "
        "`Content-Encoding: gzip`. One message is answered by its Bundle, several by one line each in their order while the body "
        "still comes in; a rejected one is an OperationOutcome: alone with status 422, among others as the line in its place. "
        "`issues=true` follows each output by an OperationOutcome with its issues, always as lines. `B2M-Adapter-Issues` counts "
        "issues by severity, where the answer was whole before it was sent. A fault of the body after the first lines were sent "
        "is the last line.",
        {
            200: ("The converted message, or one or more lines for each message.", (FHIR_JSON, FHIR_NDJSON)),
            400: ("There is no message, a parameter is wrong, or the gzip data are damaged.", (FHIR_JSON,)),
            406: ("The Accept header excludes the answer.", (FHIR_JSON,)),
            422: ("The message was rejected, or is no result message.", (FHIR_JSON,)),
            **_READING,
        },
        tuple(READ),
        PARAMETERS,
    ),
    Operation(
        "POST",
        "/fhir/$process-message",
        "process-message",
        "Take a FHIR message: durable before the answer, converted and delivered behind it",
        "A Bundle of type message, its MessageHeader first. The answer is a message, too: `response.identifier` names the "
        "message, `response.code` is ok (200), fatal-error (422) or transient-error (503). A message that comes again is "
        "answered alike and not delivered again.",
        {
            200: ("The message is durable.", (FHIR_JSON,)),
            400: ("The body is no message.", (FHIR_JSON,)),
            406: ("The Accept header excludes the answer.", (FHIR_JSON,)),
            422: ("The message does not conform to FHIR R4.", (FHIR_JSON,)),
            503: ("The message could not be kept; send it again after Retry-After seconds.", (FHIR_JSON,)),
            **_READING,
        },
        JSON_TYPES,
        {"async": ("false",)},
    ),
    Operation(
        "POST",
        "/hl7",
        "hl7",
        "Take an HL7 v2 message: durable before the acknowledgement, converted and delivered behind it",
        "One message a request (HL7 over HTTP). The answer is its acknowledgement: 200 with AA or CA, 400 with AR or CR, 500 "
        "with AE or CE. A message that comes again is acknowledged alike and not delivered again.",
        {
            200: ("The message is durable.", (ER7,)),
            400: (
                "The type, version, processing id or envelope is refused; or there is no message.",
                (ER7, FHIR_JSON),
            ),
            500: ("The message is refused: its content.", (ER7, FHIR_JSON)),
            503: ("The message could not be kept; send it again after Retry-After seconds.", (ER7, FHIR_JSON)),
            **_READING,
        },
        ER7_TYPES,
    ),
    Operation(
        "GET",
        "/fhir/ConceptMap/$translate",
        "translate",
        "Translate a code by the tables in force",
        "`url` names a map of `tables export`; without it the system decides: `http://terminology.hl7.org/CodeSystem/v2-NNNN`, "
        "the spellings of units, else local codes of results to LOINC.",
        _TRANSLATED,
        (),
        dict.fromkeys(QUERY, ()) | {"reverse": ("false",)},
        "code",
    ),
    Operation(
        "POST",
        "/fhir/ConceptMap/$translate",
        "translate-parameters",
        "Translate a code, Coding or CodeableConcept by the tables in force",
        "Parameters as FHIR R4 defines them. Specimen, unit and sender of a result come as `dependency`, whose element is the "
        "URI of the column of `codes.csv`.",
        {**_TRANSLATED, **_READING},
        JSON_TYPES,
    ),
    Operation(
        "GET",
        "/fhir/metadata",
        "metadata",
        "CapabilityStatement",
        "What the FHIR side of the door offers.",
        {200: ("CapabilityStatement.", (FHIR_JSON,)), 406: ("The Accept header excludes the answer.", (FHIR_JSON,))},
    ),
    Operation("GET", "/openapi.json", "openapi", "This description", "OpenAPI 3.1.", {200: ("The description.", (_JSON,))}),
    Operation(
        "GET", "/docs", "docs", "This description for people", "HTML without scripts.", {200: ("The page.", ("text/html",))}
    ),
    Operation(
        "GET",
        "/health",
        "health",
        "Whether the process lives",
        "Needs no token.",
        {200: ("It does.", (_JSON,))},
        open=True,
    ),
    Operation(
        "GET",
        "/ready",
        "ready",
        "Whether messages can be taken",
        "Tables are loaded, the spool is writable, the disk has room.",
        {200: ("They can.", (_JSON,)), 503: ("They cannot; the OperationOutcome says why.", (FHIR_JSON,))},
    ),
    Operation(
        "GET",
        "/metrics",
        "metrics",
        "What was counted",
        "Prometheus text format; all processes together.",
        {200: ("The metrics.", ("text/plain",))},
    ),
)
