"""One raw message -> Outcome: the one way through for every door (filter, service, replay).

v2: read, convert to FHIR, enrich each Observation, assemble the Bundle, validate, write.
FHIR: read, enrich each Observation where it stands, validate, write in the shape it came.

A `Pipeline` does no I/O and has no clock. It never raises for what a message holds: what cannot be converted comes back as
a rejected Outcome with the reason; a fault of the program itself too (`internal-error`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from adapter.config import OutputForm, Settings
from adapter.convert.message import Converter
from adapter.convert.senders import hd_names, sender_names
from adapter.enrich.enricher import Enricher
from adapter.enrich.result import Change
from adapter.fhir.bundle import bundle, entries_of, ndjson
from adapter.fhir.canonical import TABLES_VERSION
from adapter.fhir.json import dumps
from adapter.fhir.reading import read_fhir
from adapter.fhir.validation import structure_faults
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.message import Message, read_message
from adapter.issues import Issue, Rejected, reject
from adapter.tables.index import Tables
from adapter.tables.missing import Facts, sender_facts, with_facts, with_row_facts

if TYPE_CHECKING:
    from adapter.enrich.context.change import History

Fate = Literal["converted", "rejected", "unselected"]


@dataclass(slots=True)
class Outcome:
    """What became of one raw message.

    Parameters
    ----------
    fate : {"converted", "rejected", "unselected"}
        `unselected`: not a result message, or without a result of the packs of `--only`; passed on as it came.
    source : bytes
        The message as it came.
    lines : list of bytes
        Output, one JSON text a line, without line ends.
    issues : list of Issue
        What was noticed; for a rejected message the reason comes last. Facts that are the same for a whole v2 message are not
        in them, but in `sender` (`tables.missing.facts_of`).
    results : int
        Number of Observations in the output.
    continued : bool
        `source` is the next part of a rejected message that is too large to be held at once.
    sender : tuple of (str, str)
        Facts that name the sender of a v2 message.
    """

    fate: Fate
    source: bytes
    lines: list[bytes] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    results: int = 0
    continued: bool = False
    sender: Facts = ()


class Pipeline:
    """The way through, with tables and settings bound.

    Parameters
    ----------
    tables : Tables
        Loaded mapping tables.
    settings : Settings
        How to convert.
    history : History, optional
        Results of earlier messages, for the context judgement `change`.
    """

    def __init__(self, tables: Tables, settings: Settings, history: History | None = None) -> None:
        self.tables = tables
        self.settings = settings
        self._converter = Converter(tables, settings)
        self._enricher = Enricher(tables, settings)
        self._context = None
        if settings.context:
            from adapter.enrich.context.judge import ContextJudge

            self._context = ContextJudge(tables, settings, self._enricher, history)
        self._charsets = any(row.charset for row in tables.senders)

    def __call__(self, raw: RawMessage, resources: list[dict[str, Any]] | None = None) -> Outcome:
        """Convert one raw message; see `Outcome`.

        Parameters
        ----------
        raw : RawMessage
            The message.
        resources : list, optional
            Gets what the lines of a v2 message were written from, for a caller who would have to read them again.
        """
        try:
            if raw.format == "er7":
                return self._v2(raw.data, resources)
            if raw.format == "json":
                return self._fhir(raw.data)
            if raw.continued:
                return Outcome("rejected", raw.data, continued=True)
            return Outcome("rejected", raw.data, issues=[Issue(raw.slug or "no-msh", f"byte {raw.offset}")])
        except Rejected as rejected:
            return Outcome("rejected", raw.data, issues=[rejected.issue])
        except Exception as failure:
            return Outcome("rejected", raw.data, issues=[_internal_error(failure)])

    def read(self, data: bytes) -> Message:
        """Read a v2 message with the charset of its sender's row, if it has one; raises `Rejected`."""
        return read_message(data, self._charset(data) if self._charsets else "")

    def _v2(self, data: bytes, written: list[dict[str, Any]] | None) -> Outcome:
        message = self.read(data)
        kind, event = message.message_type
        if not kind:
            if len(message.segments) == 1:
                raise reject("truncated", "MSH-9", "the message ends before its type")
            raise reject("message-type-missing", "MSH-9")
        # whatever its event, an unsolicited observation message carries results by the structure of ORU_R01
        if kind != "ORU":
            return Outcome("unselected", data, issues=[Issue("not-a-result", "MSH-9", f"{kind}^{event}")])
        if self.settings.only and not self._selected(message):
            return Outcome("unselected", data)
        conversion = self._converter.convert(message, data)
        senders = sender_names(message)
        issues = with_row_facts(conversion.issues, self.tables, *senders)
        if self.settings.check_v2:
            from adapter.hl7v2.structure_check import structure_issues

            issues += structure_issues(message)
        for context in conversion.observations:
            found = self._enricher.enrich(context)
            if found:
                issues += with_row_facts(found, self.tables, *senders, context)
        form = self.settings.to or "transaction"
        if self._context is not None:
            issues += self._context.judge_entries(conversion.entries, conversion.observations, transaction=form == "transaction")
        if form == "ndjson":
            resources = ndjson(conversion.entries)
        else:
            resources = [bundle(conversion.entries, form, **conversion.envelope)]
        lines = [self._valid(resource, "output-invalid") for resource in resources]
        if written is not None:
            written += resources
        if self._context is not None:
            self._context.remember()
        return Outcome("converted", data, lines, issues, len(conversion.observations), sender=sender_facts(*senders))

    def _fhir(self, data: bytes) -> Outcome:
        found = read_fhir(data, validate=self.settings.validate != "off")
        issues = found.issues
        if self.settings.only and not any(self._enricher.recognises(context) for context in found.observations):
            return Outcome("unselected", data, issues=issues)
        if found.sealed:
            # a signature covers the text: what is one line already leaves byte for byte
            return Outcome("converted", data, [dumps(found.resource) if b"\n" in data else data.strip()], issues)
        if self.settings.validate == "full":
            self._valid(found.resource, "fhir-invalid")
        changed = []
        for context in found.observations:
            senders = context.sender_application, context.sender_facility
            changes: list[Change] = []
            issues += with_facts(self._enricher.enrich(context, changes), self.tables, *senders, context)
            if changes:
                changed.append(context.observation)
        if self._context is not None:
            issues += self._context.judge_resource(found.resource, found.observations)
        lines = self._fhir_lines(found.resource)
        if changed and not any(self.tables.version.encode() in line for line in lines):
            # a value was converted and nothing bears a mark, nor is our Device there: the output names its tables all the same
            for observation in changed:
                _tag(observation, self.tables.version)
            lines = self._fhir_lines(found.resource)
        if self._context is not None:
            self._context.remember()
        return Outcome("converted", data, lines, issues, len(found.observations))

    def _fhir_lines(self, resource: dict[str, Any]) -> list[bytes]:
        """Write FHIR input in the shape it came, or in that of `--to`."""
        resources = [resource] if self.settings.to is None else _reshape(resource, self.settings.to)
        return [self._valid(one, "output-invalid") for one in resources]

    def _valid(self, resource: dict[str, Any], slug: str) -> bytes:
        """Write a resource as JSON; stop what is not valid FHIR: it must never leave as if it were good."""
        text = dumps(resource)
        mode = self.settings.validate
        # unknown elements that came in were reported when they were read; we never make any ourselves
        if mode == "structure":
            faults = structure_faults(resource, unknown_allowed=True, text=text)
        elif mode == "full":
            from adapter.fhir.full_validation import full_faults

            faults = full_faults(resource, unknown_allowed=True)
        else:
            return text
        if faults:
            path, reason = faults[0]
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise reject(slug, path, reason + more)
        return text

    def _selected(self, message: Message) -> bool:
        """Tell whether a pack of `--only` may know one of the results: never narrower than the resolver."""
        return any(
            segment.name == "OBX" and self._enricher.may_recognise(segment[3], self.settings.only) for segment in message.segments
        )

    def _charset(self, data: bytes) -> str:
        """Charset of the sender's row: MSH-3 and MSH-4 read as Latin-1, before the charset is known."""
        line = data[:1024].lstrip(b"\xef\xbb\xbf\x0b\r\n ").split(b"\r")[0].split(b"\n")[0].decode("latin-1")
        fields = line.split(line[3]) if len(line) > 3 else []
        if len(fields) < 4:
            return ""
        row = self.tables.sender(hd_names(fields[2]), hd_names(fields[3]))
        return row.charset if row is not None else ""


def _reshape(resource: dict[str, Any], form: OutputForm) -> list[dict[str, Any]]:
    """Give FHIR input another form; what identifies a Bundle stays with it."""
    entries = entries_of(resource, requests=form in ("transaction", "ndjson"))
    if form == "ndjson":
        return ndjson(entries)
    if form == "message" and not any(entry.resource["resourceType"] == "MessageHeader" for entry in entries):
        raise reject("message-header-missing", resource["resourceType"])
    whole = resource if resource["resourceType"] == "Bundle" else {}
    return [bundle(entries, form, identifier=whole.get("identifier"), timestamp=whole.get("timestamp", ""))]


def _tag(observation: dict[str, Any], version: str) -> None:
    """Name the tables in the meta of an Observation."""
    meta = observation.get("meta", {})
    tag = {"system": TABLES_VERSION, "code": version}
    observation["meta"] = {**meta, "tag": [*(one for one in meta.get("tag", ()) if one.get("system") != TABLES_VERSION), tag]}


def _internal_error(failure: Exception) -> Issue:
    """Name the fault by type and place in the program: the message of an exception may hold patient data."""
    import traceback

    frames = traceback.extract_tb(failure.__traceback__)
    last = next((frame for frame in reversed(frames) if "adapter" in frame.filename), frames[-1])
    return Issue("internal-error", "", f"{type(failure).__name__} in {last.name} (line {last.lineno})")
