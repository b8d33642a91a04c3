"""`POST /hl7`: a v2 message is made durable and acknowledged in the answer (HL7 over HTTP, the convention of HAPI).

The same checks as at the MLLP door come before the acknowledgement; conversion and delivery follow behind it. Status 200 goes
with AA and CA, 400 with AR and CR, 500 with AE and CE. Only one message has room in an answer, so in enhanced mode it is the
accept acknowledgement.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from adapter.hl7v2.acknowledgement import Code, acknowledgement, refusal_code
from adapter.hl7v2.admission import Admission, admit
from adapter.intake import Intake
from adapter.issues import Issue
from adapter.service import metrics
from adapter.service.http.accept import media_type
from adapter.service.http.body import Body, looked_at
from adapter.service.http.inbox import Inbox
from adapter.service.http.outcomes import RETRY_SECONDS, Refusal
from adapter.service.settings import MllpSettings
from adapter.service.spool.arrivals import Arrival
from adapter.service.spool.files import SpoolFull

ER7 = "x-application/hl7-v2+er7"
ER7_TYPES = (ER7, "application/hl7-v2", "text/plain")
_STATUS = {"A": 200, "R": 400, "E": 500}


class Hl7OverHttp:
    """The endpoint.

    Parameters
    ----------
    inbox : Inbox
        Where messages go.
    limit : int
        Largest body in bytes, after unpacking.
    policy : MllpSettings
        Which types and processing ids are taken: the same for both doors.
    sender_ids : callable
        Gives the processing ids of the sender's row for MSH-3 and MSH-4 as sent.
    """

    def __init__(self, inbox: Inbox, limit: int, policy: MllpSettings, sender_ids: Callable[[str, str], Collection[str]]) -> None:
        self._inbox = inbox
        self._limit = limit
        self._policy = policy
        self._sender_ids = sender_ids

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        kind = media_type(request.headers.get("content-type", "").encode("latin-1"))
        if kind and kind not in ER7_TYPES:
            raise Refusal("media-type", "this address reads HL7 v2", headers={"accept-post": ", ".join(ER7_TYPES)})
        data = await Body(dict(request.scope["headers"]), request.receive, self._limit).whole()
        messages = await looked_at(data, self._messages)
        if not messages:
            raise Refusal("no-message")
        if len(messages) > 1:
            raise Refusal("request-malformed", "one message goes with one request")
        message = messages[0]
        admission = await looked_at(message, self._admit)
        accept = admission.wants.enhanced
        if admission.issue is not None:
            metrics.refused("http", admission.issue.slug)
            return _acknowledge(admission, refusal_code(admission.issue, accept=accept), admission.issue)
        peer = request.client.host if request.client else ""
        arrival = Arrival(message, "er7", "http", peer, admission.sender, admission.control_id, admission.patient)
        try:
            await self._inbox.put(arrival)
        except SpoolFull as full:
            metrics.refused("http", "not-stored")
            issue = Issue("not-stored", "", full.reason)
            return _acknowledge(admission, refusal_code(issue, accept=accept), issue, 503)
        return _acknowledge(admission, "CA" if accept else "AA", None)

    def _messages(self, data: bytes) -> list[bytes]:
        """Take the messages out of a body."""
        intake = Intake(self._limit, "er7")
        return [raw.data for raw in intake.feed(data) + intake.finish() if not raw.continued]

    def _admit(self, message: bytes) -> Admission:
        """Check a message as the MLLP door does."""
        policy = self._policy
        return admit(message, processing_ids=policy.processing_ids, unsupported=policy.unsupported, sender_ids=self._sender_ids)


def _acknowledge(admission: Admission, code: Code, issue: Issue | None, status: int = 0) -> Response:
    now = datetime.now(UTC)
    time = f"{now:%Y%m%d%H%M%S}.{now.microsecond // 1000:03d}+0000"
    issues = [issue] if issue is not None else []
    text = acknowledgement(admission.header, code, issues, time=time, control_id=secrets.token_hex(10))
    headers = {"retry-after": str(RETRY_SECONDS)} if status == 503 else {}
    return Response(text, status or _STATUS[code[1]], {**headers, "content-type": ER7})
