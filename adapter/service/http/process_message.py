"""`POST /fhir/$process-message`: a FHIR message is made durable and answered by a message (FHIR R4, messaging).

What is not understood as a message at all is refused with an OperationOutcome. A message is answered by a message, whose header
repeats the id of the one that came (`response.identifier`): `ok` when it is durable, `fatal-error` when it is no valid FHIR,
`transient-error` when it could not be kept; the status of HTTP says the same. Conversion and delivery follow behind the answer.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from adapter.fhir.admission import FhirAdmission, admit_fhir
from adapter.fhir.bundle_rules import Fault
from adapter.fhir.json import dumps, loads
from adapter.fhir.validation import examine
from adapter.issues import Issue, Rejected
from adapter.service import metrics
from adapter.service.http.accept import accepted, media_type
from adapter.service.http.body import Body, looked_at
from adapter.service.http.inbox import Inbox
from adapter.service.http.outcomes import FHIR_JSON, RETRY_SECONDS, Refusal, operation_outcome
from adapter.service.spool.arrivals import Arrival
from adapter.service.spool.files import SpoolFull, instant

JSON_TYPES = ("application/fhir+json", "application/json")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_URN_UUID = "urn:uuid:"
_HEADER = "Bundle.entry[0].resource"

Code = Literal["ok", "transient-error", "fatal-error"]
Resource = dict[str, Any]


class ProcessMessage:
    """The endpoint.

    Parameters
    ----------
    inbox : Inbox
        Where messages go.
    limit : int
        Largest body in bytes, after unpacking.
    """

    def __init__(self, inbox: Inbox, limit: int) -> None:
        self._inbox = inbox
        self._limit = limit

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        need_json(request)
        if request.query_params.get("async", "false") != "false" or "response-url" in request.query_params:
            raise Refusal("parameter-invalid", "messages are answered in the answer to the request", place="async")
        data = await Body(dict(request.scope["headers"]), request.receive, self._limit).whole()
        if not data.strip():
            raise Refusal("no-message")
        message, faults, admission = await looked_at(data, _looked)
        if faults:
            path, reason = faults[0]
            if any(where.startswith(_HEADER) or "entry" not in where for where, _ in faults):
                # nothing to be relied upon in an answer
                raise Refusal("fhir-invalid", reason, place=path, status=400)
            metrics.refused("http", "fhir-invalid")
            return _answer(request, message, "fatal-error", 422, [Issue("fhir-invalid", path, reason)])
        identifier = _identifier(message)
        if not identifier:
            raise Refusal("required-field-missing", "an answer names the message by it", place=_HEADER + ".id", status=400)
        peer = request.client.host if request.client else ""
        arrival = Arrival(data, "json", "http", peer, admission.sender, admission.control_id, admission.patient)
        try:
            placed = await self._inbox.put(arrival)
        except SpoolFull as full:
            metrics.refused("http", "not-stored")
            return _answer(request, message, "transient-error", 503, [Issue("not-stored", "", full.reason)])
        return _answer(request, message, "ok", 200, [], f"Kept as message {placed.number}.")


def need_json(request: Request) -> None:
    """Refuse what is not declared as FHIR JSON, and who accepts no FHIR JSON."""
    if media_type(request.headers.get("content-type", "").encode("latin-1")) not in JSON_TYPES:
        raise Refusal("media-type", "this address reads application/fhir+json", headers={"accept-post": ", ".join(JSON_TYPES)})
    need_json_accepted(request)


def need_json_accepted(request: Request) -> None:
    """Refuse who accepts no FHIR JSON."""
    if not accepted(request.headers.get("accept", "").encode("latin-1")).json:
        raise Refusal("not-acceptable")


def _looked(data: bytes) -> tuple[Resource, list[Fault], FhirAdmission]:
    """Read a message; give what does not conform to FHIR, and who sent it about whom."""
    message = _read(data)
    faults, _ = examine(message, data)
    return message, faults, admit_fhir(data)


def _read(data: bytes) -> Resource:
    """Read a message Bundle whose first entry is its MessageHeader; nothing else is checked yet."""
    try:
        message = loads(data)
    except Rejected as rejected:
        raise Refusal(rejected.issue.slug, rejected.issue.detail, place=rejected.issue.place, status=400) from None
    if not isinstance(message, dict) or message.get("resourceType") != "Bundle":
        raise Refusal("fhir-invalid", "a message is a Bundle", place="Resource.resourceType", status=400)
    if message.get("type") != "message":
        raise Refusal("fhir-invalid", "a message is a Bundle of type message", place="Bundle.type", status=400)
    entries = message.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    header = first.get("resource") if isinstance(first, dict) else None
    if not isinstance(header, dict) or header.get("resourceType") != "MessageHeader":
        raise Refusal("message-header-missing", "it is the first entry of a message", place="Bundle.entry[0]")
    return message


def _identifier(message: Resource) -> str:
    """Find what an answer may call the message: id of its MessageHeader, the UUID of its entry, or id of the Bundle."""
    first = message["entry"][0]
    full_url = str(first.get("fullUrl", ""))
    found = first["resource"].get("id") or full_url.removeprefix(_URN_UUID) or message.get("id", "")
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


def _answer(request: Request, message: Resource, code: Code, status: int, issues: list[Issue], nothing: str = "") -> Response:
    """Write the message that answers a message."""
    asked = message["entry"][0]["resource"]
    outcome_id, header_id = str(uuid4()), str(uuid4())
    host, port = request.scope.get("server") or ("", None)
    header: Resource = {
        "resourceType": "MessageHeader",
        "id": header_id,
        **{name: asked[name] for name in ("eventCoding", "eventUri") if name in asked},
        "destination": [{"endpoint": asked["source"]["endpoint"]}],
        "source": {"software": "b2m-adapter", "endpoint": f"{request.scope['scheme']}://{host}:{port}/fhir/$process-message"},
        "response": {"identifier": _identifier(message), "code": code, "details": {"reference": _URN_UUID + outcome_id}},
    }
    outcome = {**operation_outcome(issues, nothing=nothing), "id": outcome_id}
    answer = {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "type": "message",
        "timestamp": instant(),
        "entry": [
            {"fullUrl": _URN_UUID + header_id, "resource": header},
            {"fullUrl": _URN_UUID + outcome_id, "resource": outcome},
        ],
    }
    headers = {"retry-after": str(RETRY_SECONDS)} if status == 503 else None
    return Response(dumps(answer), status, headers, FHIR_JSON)
