"""Outcomes from a running service in the place of the pipeline: `Service`.

HTTP: each message is posted to `/convert`, with the settings that the endpoint lets a client choose; the answer holds output and
issues. MLLP: each message is answered by an acknowledgement. What a service converts it delivers elsewhere; where that is a
folder, its files (`NNNNNNNN-<digest>.json`, the digest is that of the message) are read back. Without it only the acknowledgement
is compared: a refusal against the accepted fate. What a door does not tell counts as accepted, and the report says what that is.

The versions in outputs are the service's: they are put into the accepted form with its own, and named in the report. Where the
service gives another output than this program with the tables here, the service is the cause.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic_ns, perf_counter_ns, sleep
from urllib.parse import urlencode, urlsplit, urlunsplit

from adapter import __version__
from adapter.clients.answer import Answer, Tally
from adapter.clients.endpoint import Endpoint
from adapter.clients.sending import SendOptions, send_messages
from adapter.config import Settings
from adapter.fhir.json import loads
from adapter.hl7v2.framing import RawMessage
from adapter.issues import CATALOGUE, Issue, Rejected
from adapter.pipeline import Outcome, Pipeline
from adapter.replay.accepted import AcceptedForm, Record, digest_of
from adapter.replay.causes import settings_in_use
from adapter.replay.compared import CannotReplay, Outcomes
from adapter.replay.report import Against, Cause
from adapter.replay.trial import record_differences
from adapter.tables.index import Tables

#: Settings that a request to `/convert` may choose.
_ASKED = ("to", "units", "timezone", "validate")
#: Statuses that speak of the message, not of the service or the request.
_OF_MESSAGE = frozenset({"200", "400", "413", "422"})
_VERSIONS = re.compile(rb'"text":"software"\},"value":"([^"]*)"\},\{"type":\{"text":"mapping tables"\},"value":"([0-9a-f]{64})"')
_TABLES = re.compile(rb'(?:"url":"tables","valueString"|/CodeSystem/tables-version","code"):"([0-9a-f]{64})"')
_FILE = re.compile(r"(\d{8,})-([0-9a-f]{16})\.(?:nd)?json")
_POLL_MILLISECONDS = 50
#: For so long no new output may appear before the missing ones are taken for lost.
SETTLE_MILLISECONDS = 5_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service is, and how to send.

    Parameters
    ----------
    endpoint : Endpoint
        Its HTTP or MLLP door.
    options : SendOptions
        Connections, rate, TLS, token.
    results : Path or None
        For MLLP: the folder that it delivers to.
    """

    endpoint: Endpoint
    options: SendOptions
    results: Path | None = None


@dataclass(slots=True)
class Service:
    """A running service: gives outcomes, completes records, and knows when it is itself the cause.

    Parameters
    ----------
    target : Target
        Where it is.
    """

    target: Target
    #: what is told of it
    against: Against = field(init=False)
    _tally: Tally = field(default_factory=Tally)
    _versions: dict[tuple[str, str], None] = field(default_factory=dict)
    _pipeline: Pipeline | None = None
    _form: AcceptedForm | None = None

    def __post_init__(self) -> None:
        endpoint = self.target.endpoint
        http = endpoint.protocol == "http"
        self.against = Against(endpoint.url if http else f"{endpoint.host}:{endpoint.port}", "HTTP" if http else "MLLP")
        if http and self.target.results is not None:
            raise CannotReplay("--results goes with MLLP: over HTTP the outputs come with the answers")
        if not http:
            compared = "Issues" if self.target.results is not None else "Outputs and issues"
            self.against.notes.append(
                f"{compared} are not compared: an acknowledgement does not tell them. "
                "Form, units and zone of the output are those that the service is set to."
            )

    def make_outcomes(self, tables: Tables, settings: Settings) -> Outcomes:
        """Give outcomes by the service; settings that it cannot be asked for are noted."""
        self._pipeline = Pipeline(tables, settings)
        self._form = AcceptedForm(tables.version, __version__)
        if self.against.door == "MLLP":
            return self._over_mllp
        unasked = [text for text in settings_in_use(settings) if text.partition(" ")[0] not in _ASKED]
        if settings.validate == "off":
            unasked.append("validate off")
        if unasked:
            self._note(f"The service cannot be asked for {', '.join(unasked)}: it uses its own.")
        endpoint = self.target.endpoint
        return lambda messages: self._over_http(messages, endpoint._replace(url=convert_url(endpoint.url, settings)))

    def completed(self, record: Record, accepted: Record | None) -> Record:
        """Take over from the accepted record what the door does not tell."""
        if accepted is None:
            return record
        # an answer says that nothing was converted; why it was not is a matter of the filter
        fate = accepted.fate if record.fate == "rejected" and accepted.fate == "unselected" else record.fate
        if self.against.door == "HTTP":
            return record._replace(fate=fate)
        if fate == "rejected" != accepted.fate:
            return accepted._replace(fate=fate, issues=tuple(sorted((*accepted.issues, *record.issues))))
        if self.target.results is None:
            # that a message was taken says nothing of its conversion
            return accepted
        return record._replace(fate=fate, issues=accepted.issues)

    def cause(self, raw: RawMessage, record: Record) -> Cause | None:
        """Compare with what this program makes of the message; None where both are of one opinion."""
        assert self._pipeline is not None
        assert self._form is not None
        own = self._form.record(self._pipeline(raw))
        told = self.completed(record, own)
        if told == own or not record_differences(own, told):
            return None
        detail = "it gives another output than this program with the tables here"
        if self.against.tables and self.against.tables != self._form.tables:
            detail += f"; its tables are {self.against.tables[:12]}, those here {self._form.tables[:12]}"
        if self.against.program and self.against.program != __version__:
            detail += f"; its version is {self.against.program}, the one here {__version__}"
        return Cause("service", f"the service at {self.against.endpoint}", detail)

    def told(self) -> Against:
        """Give what is to be reported of the service."""
        against = self.against
        against.answers = dict(sorted((self._tally.codes + self._tally.faults).items()))
        names = {50: "p50", 90: "p90", 99: "p99", 100: "max"}
        against.latencies = {names[percent]: one for percent, one in self._tally.latencies().items()}
        if len(self._versions) > 1:
            self._note("Its tables or program changed while the messages went through.")
        return against

    def _note(self, text: str) -> None:
        if text not in self.against.notes:
            self.against.notes.append(text)

    def _over_http(self, messages: Iterable[RawMessage], endpoint: Endpoint) -> Iterator[Outcome]:
        waiting: dict[int, Answer] = {}
        raws: list[RawMessage] = []
        next_one = 1
        for answer in self._answers(endpoint, messages, raws):
            waiting[answer.number] = answer
            while next_one in waiting:
                yield self._of_answer(raws[next_one - 1], waiting.pop(next_one))
                next_one += 1

    def _of_answer(self, raw: RawMessage, answer: Answer) -> Outcome:
        if not answer.code:
            return _unanswered(raw, answer)
        if answer.code not in _OF_MESSAGE:
            raise CannotReplay(f"{self.against.endpoint} answered {answer.code}: {_said(answer.body)}")
        *lines, last = answer.body.splitlines() or [b""]
        try:
            issues = issues_of(last, raw)
        except (Rejected, KeyError, TypeError):
            raise CannotReplay(
                f"{self.against.endpoint} has no /convert that answers as this service does: {_said(answer.body)}"
            ) from None
        return self._converted(raw, lines, issues) if lines else Outcome("rejected", raw.data, issues=issues)

    def _converted(self, raw: RawMessage, lines: list[bytes], issues: list[Issue]) -> Outcome:
        self.against.results += 1
        results = sum(line.count(b'"resourceType":"Observation"') for line in lines)
        return Outcome("converted", raw.data, [self._accepted_form(line) for line in lines], issues, results)

    def _accepted_form(self, line: bytes) -> bytes:
        """Put the placeholders in the place of the service's versions."""
        against = self.against
        found = _VERSIONS.search(line)
        if found is not None:
            against.program, against.tables = found[1].decode(), found[2].decode()
            self._versions.setdefault((against.program, against.tables))
        elif not against.tables and (mark := _TABLES.search(line)) is not None:
            against.tables = mark[1].decode()
        return AcceptedForm(against.tables, against.program or __version__).line(line) if against.tables else line

    def _over_mllp(self, messages: Iterable[RawMessage]) -> Iterator[Outcome]:
        folder = self.target.results
        before = _files(folder) if folder is not None else {}
        raws: list[RawMessage] = []
        answers = sorted(self._answers(self.target.endpoint, _v2_only(messages), raws), key=lambda answer: answer.number)
        if folder is None:
            for raw, answer in zip(raws, answers, strict=True):
                yield Outcome("converted", raw.data) if answer.fate == "accepted" else _unanswered(raw, answer)
            return
        taken = {digest_of(raw.data) for raw, answer in zip(raws, answers, strict=True) if answer.fate == "accepted"}
        files = self._delivered(folder, taken)
        if any(files.get(digest) == file for digest, file in before.items() if digest in taken):
            self._note(
                "Some outputs lay in the folder before the run: the service took their messages for resends. "
                "They are compared as they lie there; an empty spool gives new ones."
            )
        for raw, answer in zip(raws, answers, strict=True):
            path = files.get(digest_of(raw.data))
            if answer.fate != "accepted":
                yield _unanswered(raw, answer)
            elif path is None:
                yield Outcome("rejected", raw.data, issues=[Issue("service-output-missing", folder.name)])
            else:
                yield self._converted(raw, path.read_bytes().splitlines(), [])

    def _delivered(self, folder: Path, wanted: set[str]) -> dict[str, Path]:
        """Wait until all outputs are there, or no new one appears any more."""
        files = _files(folder)
        quiet_since = monotonic_ns()
        while not wanted <= files.keys() and monotonic_ns() - quiet_since < SETTLE_MILLISECONDS * 1_000_000:
            sleep(_POLL_MILLISECONDS / 1000)
            found = _files(folder)
            if len(found) > len(files):
                quiet_since = monotonic_ns()
            files = found
        return files

    def _answers(self, endpoint: Endpoint, messages: Iterable[RawMessage], raws: list[RawMessage]) -> Iterator[Answer]:
        """Send in a thread, so that the time for comparing is no part of the latencies; `raws` gets what was sent."""
        found: SimpleQueue[Answer | BaseException | None] = SimpleQueue()

        def noted() -> Iterator[RawMessage]:
            for raw in messages:
                raws.append(raw)
                yield raw

        async def send() -> None:
            async for answer in send_messages(endpoint, noted(), self.target.options):
                found.put(answer)

        def work() -> None:
            try:
                asyncio.run(send())
                found.put(None)
            except BaseException as failure:  # it is raised again where the answers are read
                found.put(failure)

        started = perf_counter_ns()
        Thread(target=work, name="replay-against", daemon=True).start()
        while (answer := found.get()) is not None:
            if isinstance(answer, BaseException):
                raise _first(answer)
            if answer.fate == "not-sent" and not self._tally.codes:
                raise CannotReplay(f"{self.against.endpoint}: {answer.fault}; does the service run there?")
            self._tally.add(answer)
            self.against.nanoseconds = perf_counter_ns() - started
            yield answer


def convert_url(url: str, settings: Settings) -> str:
    """Address of the conversion with the settings that a client may choose.

    Parameters
    ----------
    url : str
        Address of the service, or of its `/convert`.
    settings : Settings
        What is wanted.

    Returns
    -------
    str
        With a query.

    Raises
    ------
    CannotReplay
        It is another address of a service.
    """
    parts = urlsplit(url)
    if parts.path.rstrip("/") not in ("", "/convert") or parts.query:
        raise CannotReplay(f"{url}: a replay goes through /convert; give the address of the service alone")
    asked = {name: getattr(settings, name) for name in _ASKED if getattr(settings, name)}
    if settings.validate == "off":
        del asked["validate"]
    return urlunsplit((parts.scheme, parts.netloc, "/convert", urlencode(asked | {"issues": "true"}), ""))


def issues_of(line: bytes, raw: RawMessage) -> list[Issue]:
    """Read the issues of an OperationOutcome of the service.

    Parameters
    ----------
    line : bytes
        Its JSON.
    raw : RawMessage
        The message.

    Returns
    -------
    list of Issue
        Slug and place.

    Raises
    ------
    KeyError, TypeError, adapter.issues.Rejected
        It is none.
    """
    found = []
    for told in loads(line)["issue"]:
        codings = told["details"].get("coding")
        if codings is None:
            continue
        slug = codings[0]["code"]
        action = CATALOGUE[slug].action if slug in CATALOGUE else ""
        said = told.get("diagnostics", "").removesuffix(action).rstrip(" .")
        place = said.partition(": ")[0]
        if place.startswith("byte "):
            # the service knows the place in the request, not in the file
            place = f"byte {raw.offset}"
        found.append(Issue(slug, place if " " not in place or place.startswith("byte ") else ""))
    return found


def _unanswered(raw: RawMessage, answer: Answer) -> Outcome:
    issue = Issue("service-refused", answer.code) if answer.code else Issue("service-silent", answer.fault)
    return Outcome("rejected", raw.data, issues=[issue])


def _v2_only(messages: Iterable[RawMessage]) -> Iterator[RawMessage]:
    for raw in messages:
        if raw.format == "json":
            raise CannotReplay("there is FHIR among the messages, which MLLP does not carry: choose the others with --filter")
        yield raw


def _files(folder: Path) -> dict[str, Path]:
    """Outputs in a folder by digest of their message; of several the one that was received last."""
    names = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name)) if folder.is_dir() else []
    return {path.name.rpartition("-")[2].partition(".")[0]: path for path in names}


def _said(body: bytes) -> str:
    """Excerpt of an answer that is no conversion: an OperationOutcome without patient data, or not of this program at all."""
    return " ".join(body[:200].decode("utf-8", "replace").split())


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
