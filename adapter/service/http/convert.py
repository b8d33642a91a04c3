"""`POST /convert`: messages in, FHIR out, in the answer to the same request; nothing is kept.

One message is answered by its Bundle (`application/fhir+json`), several by one line each (`application/fhir+ndjson`) in their
order, while the body is still coming in. A rejected message is an OperationOutcome: alone with status 422, among others as the
line in its place. With `issues=true` the output of each message is followed by an OperationOutcome that tells its issues.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.types import Message, Receive, Scope, Send

from adapter.config import OUTPUT_FORMS, UNITS, Settings
from adapter.intake import Intake
from adapter.issues import Issue
from adapter.pipeline import Outcome
from adapter.service import metrics
from adapter.service.http.accept import FHIR_NDJSON, Accepted, accepted, media_type
from adapter.service.http.body import BLOCK, INLINE, Body
from adapter.service.http.conversions import Conversions
from adapter.service.http.outcomes import FHIR_JSON, Refusal, outcome_text, status_of

#: What a body may be, and what is then looked for in it.
READ: dict[str, Literal["er7", "json"] | None] = {
    "x-application/hl7-v2+er7": "er7",
    "application/hl7-v2": "er7",
    "text/plain": None,
    "application/fhir+json": "json",
    "application/json": "json",
    "application/fhir+ndjson": "json",
    "application/x-ndjson": "json",
}
#: Parameters and their values; `timezone` is any IANA zone. `validate=off` is not among them: it is not for a caller to choose.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "to": OUTPUT_FORMS,
    "units": UNITS,
    "timezone": (),
    "validate": ("structure", "full"),
    "issues": ("true", "false"),
}
ISSUES_HEADER = "b2m-adapter-issues"
#: The loop gets its turn after so many nanoseconds of work for one request.
_TURN = 5_000_000
_PLANS = 256


class Plan(NamedTuple):
    """What a request asks for."""

    settings: Settings
    force: Literal["er7", "json"] | None
    accepted: Accepted
    issues: bool


class Convert:
    """The endpoint.

    Parameters
    ----------
    conversions : Conversions
        Its pipelines.
    limit : int
        Largest body in bytes, after unpacking.
    """

    def __init__(self, conversions: Conversions, limit: int) -> None:
        self._conversions = conversions
        self._limit = limit
        self._plans: dict[tuple[bytes, bytes, bytes], Plan] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        asked = (scope["query_string"], headers.get(b"content-type", b""), headers.get(b"accept", b""))
        plan = self._plans.get(asked) or self._plan(asked)
        body = Body(headers, receive, self._limit)
        try:
            await self._answer(body, plan, send)
        finally:
            body.close()

    def _plan(self, asked: tuple[bytes, bytes, bytes]) -> Plan:
        """Read what a request asks for, and remember it: clients ask for the same again and again."""
        query, content_type, accept = asked
        parameters = _parameters(query)
        kind = media_type(content_type)
        if kind and kind not in READ:
            raise Refusal("media-type", headers={"accept-post": ", ".join(READ)})
        wanted = accepted(accept)
        if not wanted.json and not wanted.ndjson:
            raise Refusal("not-acceptable")
        issues = parameters.pop("issues", "false") == "true"
        plan = Plan(self._conversions.settings(**parameters), READ.get(kind), wanted, issues)
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        self._plans[asked] = plan
        return plan

    async def _answer(self, body: Body, plan: Plan, send: Send) -> None:
        answer = _Answer(body, plan, send)
        try:
            async for outcome in self._outcomes(body, plan, answer):
                await answer.take(outcome)
        except Refusal as refusal:
            if not answer.begun:
                raise
            # the status is on its way already: the reason is the last line
            answer.end_with([refusal.issue])
        await answer.finish()

    async def _outcomes(self, body: Body, plan: Plan, answer: _Answer) -> AsyncIterator[Outcome]:
        intake = Intake(self._limit, plan.force)
        conversions, settings = self._conversions, plan.settings
        turn = time.perf_counter_ns() + _TURN
        while True:
            data = await body.block()
            raws = intake.feed(data) if data else []
            if body.complete:
                raws += intake.finish()
            for raw in raws:
                if raw.continued:
                    continue
                if len(raw.data) > INLINE:
                    yield await conversions.convert_aside(raw, settings)
                else:
                    yield conversions.convert(raw, settings)
                if time.perf_counter_ns() > turn:
                    await asyncio.sleep(0)
                    turn = time.perf_counter_ns() + _TURN
            answer.stream_issues += intake.issues
            intake.issues.clear()
            if body.complete:
                return


class _Answer:
    """The answer while it is made: held back while it may become one resource, then lines."""

    def __init__(self, body: Body, plan: Plan, send: Send) -> None:
        #: What was noticed about the body as a whole.
        self.stream_issues: list[Issue] = []
        #: Whether the status has been sent.
        self.begun = False
        self._body = body
        self._plan = plan
        self._send = send
        self._alone: Outcome | None = None
        self._lines: list[bytes] = []
        self._size = 0
        self._count = 0
        self._issues: Counter[str] = Counter()

    async def take(self, outcome: Outcome) -> None:
        """Take what became of the next message."""
        self._count += 1
        for issue in outcome.issues:
            self._issues[issue.severity] += 1
        if self._count == 1 and not self._plan.accepted.prefers_ndjson:
            self._alone = outcome
            return
        if self._alone is not None:
            self._add(self._alone)
            self._alone = None
        self._add(outcome)
        if self._size >= BLOCK:
            await self._flush(more=True)

    def end_with(self, issues: list[Issue]) -> None:
        """Make issues of the whole body the last line."""
        self._line(outcome_text(issues))

    async def finish(self) -> None:
        """Send what is left."""
        if not self._count:
            raise Refusal("no-message")
        for issue in self.stream_issues:
            self._issues[issue.severity] += 1
        alone = self._alone
        if alone is not None:
            if alone.fate != "converted" and not self._plan.issues:
                reason = alone.issues[-1]
                metrics.refused("http", reason.slug)
                await self._whole(status_of(reason.slug), FHIR_JSON, outcome_text([reason]))
                return
            if len(alone.lines) == 1 and not self._plan.issues:
                if not self._plan.accepted.json:
                    raise Refusal("not-acceptable")
                await self._whole(200, FHIR_JSON, alone.lines[0])
                return
            self._add(alone)
        if self._plan.issues and self.stream_issues:
            self.end_with(self.stream_issues)
        if self.begun:
            await self._flush(more=False)
        else:
            self._need_ndjson()
            await self._whole(200, FHIR_NDJSON, b"".join(self._lines))

    def _add(self, outcome: Outcome) -> None:
        self._need_ndjson()
        if outcome.fate == "converted":
            for line in outcome.lines:
                self._line(line)
            if self._plan.issues:
                self._line(outcome_text(outcome.issues))
        else:
            metrics.refused("http", outcome.issues[-1].slug)
            self._line(outcome_text(outcome.issues if self._plan.issues else outcome.issues[-1:]))

    def _line(self, line: bytes) -> None:
        self._lines += (line, b"\n")
        self._size += len(line) + 1

    def _need_ndjson(self) -> None:
        if not self._plan.accepted.ndjson:
            raise Refusal("not-acceptable", "there is more than one line to answer")

    async def _whole(self, status: int, kind: str, data: bytes) -> None:
        counts = ", ".join(f"{severity}={self._issues[severity]}" for severity in ("error", "warning", "information"))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(data)).encode()),
            (ISSUES_HEADER.encode(), counts.encode()),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": data})

    async def _flush(self, *, more: bool) -> None:
        if not self.begun:
            self.begun = True
            headers = [(b"content-type", FHIR_NDJSON.encode())]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        data = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        message: Message = {"type": "http.response.body", "body": data, "more_body": more}
        await self._body.send(self._send, message)


def _parameters(query: bytes) -> dict[str, str]:
    """Read and check the query."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise Refusal("parameter-invalid", "the query cannot be read") from None
    parameters = dict(pairs)
    for name, value in pairs:
        if name not in PARAMETERS:
            raise Refusal("parameter-invalid", f"the parameters are {', '.join(PARAMETERS)}")
        if parameters[name] != value:
            raise Refusal("parameter-invalid", "it stands there twice", place=name)
        if PARAMETERS[name] and value not in PARAMETERS[name]:
            raise Refusal("parameter-invalid", f"one of {', '.join(PARAMETERS[name])}", place=name)
    if "timezone" in parameters:
        try:
            ZoneInfo(parameters["timezone"])
        except (KeyError, ValueError, OSError):
            raise Refusal("parameter-invalid", "an IANA zone such as Europe/Berlin", place="timezone") from None
    return parameters
