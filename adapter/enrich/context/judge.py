"""The way in: context judgements over the enriched results of one message.

Resources that a judgement makes stand behind the last Observation. Their identity is made from the result that they speak of and
the switch, so that the same message gives the same judgement and a correction replaces it; in a transaction they are
conditional on it. Where no resource can be added, a note on the result says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapter.config import Settings
from adapter.enrich.context.change import URI_SYSTEM, History, Known, compare, identity_of, known_of, variation_of
from adapter.enrich.context.facts import Fact, gather, patient_key, subject_of
from adapter.enrich.context.judgement import Judgement, add_note
from adapter.enrich.context.notes import add_notes
from adapter.enrich.context.staging import Stated, stage
from adapter.enrich.enricher import Enricher
from adapter.enrich.interpretation import UNJUDGED_STATUSES
from adapter.fhir.bundle import Entry
from adapter.fhir.context import ObservationContext
from adapter.fhir.identity import resource_uuid
from adapter.fhir.references import index, resolve, resources_of
from adapter.issues import Issue
from adapter.tables.index import Tables

#: Bundles in which an entry more changes nothing that the others say: entries of a batch may not refer to each other, and a
#: search result or a history is the answer of a server.
_OPEN_BUNDLES = frozenset({"transaction", "collection", "message"})
_RULES = {"change": "change-computed", "iss": "stage-computed"}
_SLUGS = {"change": "change-computed", "iss": "iss-staged"}


class ContextJudge:
    """Context judgements with tables and settings bound.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    settings : Settings
        `context`: the switches.
    enricher : Enricher
        Knows what the results are.
    history : History or None
        Results of earlier messages.
    """

    def __init__(self, tables: Tables, settings: Settings, enricher: Enricher, history: History | None = None) -> None:
        self._tables = tables
        self._settings = settings
        self._enricher = enricher
        self._history = history
        self._pending: list[Known] = []
        self._withdrawn: list[tuple[str, str]] = []

    def judge_entries(self, entries: list[Entry], contexts: Sequence[ObservationContext], *, transaction: bool) -> list[Issue]:
        """Judge a converted v2 message; entries are added in place.

        Parameters
        ----------
        entries : list of Entry
            The resources of the message.
        contexts : sequence of ObservationContext
            Its Observations, enriched.
        transaction : bool
            Whether the entries become a transaction, whose requests are conditional on an identifier.

        Returns
        -------
        list of Issue
            What was judged, and what could not be.
        """
        urls = {id(entry.resource): entry.full_url for entry in entries}
        place = max((n for n, entry in enumerate(entries) if entry.resource["resourceType"] == "Observation"), default=-1) + 1
        added: list[Entry] = []

        def add(resource: dict[str, Any], full_url: str) -> bool:
            if transaction:
                resource["identifier"] = [{"system": URI_SYSTEM, "value": full_url}]
            added.append(Entry(resource, full_url, "PUT", f"Observation?identifier={URI_SYSTEM}|{full_url}"))
            return True

        by_url = {entry.full_url: entry.resource for entry in entries}
        resources = [
            Stated(entry.full_url, entry.resource, patient_key(entry.resource, by_url.get(subject_of(entry.resource)), "", ""))
            for entry in entries
        ]
        issues = self._judge(contexts, urls, resources, add)
        entries[place:place] = added
        return issues

    def judge_resource(self, resource: dict[str, Any], contexts: Sequence[ObservationContext]) -> list[Issue]:
        """Judge FHIR input; entries are added to a Bundle in place.

        Parameters
        ----------
        resource : dict
            An Observation or a Bundle.
        contexts : sequence of ObservationContext
            Its Observations, enriched.

        Returns
        -------
        list of Issue
            What was judged, and what could not be.
        """
        if resource.get("resourceType") != "Bundle" or resource.get("type") not in _OPEN_BUNDLES:
            return self._judge(contexts, {}, [], lambda *_: False)
        named = [(number, _reference(full_url, one), one) for number, full_url, one in resources_of(resource)]
        urls = {id(one): url for _, url, one in named}
        present = {url for _, url, _ in named}
        place = max((number for number, _, one in named if one["resourceType"] == "Observation"), default=-1) + 1
        added: list[dict[str, Any]] = []

        def add(made: dict[str, Any], full_url: str) -> bool:
            if full_url in present:
                return True
            entry: dict[str, Any] = {"fullUrl": full_url, "resource": made}
            if resource["type"] == "transaction":
                made["identifier"] = [{"system": URI_SYSTEM, "value": full_url}]
                entry["request"] = {"method": "PUT", "url": f"Observation?identifier={URI_SYSTEM}|{full_url}"}
            added.append(entry)
            return True

        names = index(resource)
        resources = []
        for _, url, one in named:
            patient = resolve(one["subject"], one, url, names) if subject_of(one) else None
            resources.append(Stated(url, one, patient_key(one, patient, url, "Bundle")))
        issues = self._judge(contexts, urls, resources, add)
        if added:
            entries = resource["entry"]
            resource["entry"] = [*entries[:place], *added, *entries[place:]]
        return issues

    def remember(self) -> None:
        """Keep the results of the message in the history, now that the message has gone through."""
        if self._history is not None:
            if self._pending:
                self._history.keep(self._pending)
            if self._withdrawn:
                self._history.forget(self._withdrawn)

    def _judge(
        self,
        contexts: Sequence[ObservationContext],
        urls: Mapping[int, str],
        resources: Sequence[Stated],
        add: Callable[[dict[str, Any], str], bool],
    ) -> list[Issue]:
        """Judge; `add` puts an Observation under its full URL into the output, and says whether it could."""
        tables, switches = self._tables, self._settings.context
        facts = gather(tables, self._settings, self._enricher, contexts, urls)
        self._pending, self._withdrawn = [], []
        issues: list[Issue] = []
        found: list[Judgement | Issue] = []
        if "change" in switches:
            found += compare(tables, facts, self._history)
            if self._history is not None:
                known = [known_of(fact) for fact in facts if variation_of(fact) is not None]
                self._pending = [one for one in known if one.patient and one.collected]
                self._withdrawn = [
                    identity_of(context.observation, urls.get(id(context.observation), ""))
                    for context in contexts
                    if context.observation.get("status") in UNJUDGED_STATUSES
                ]
        if "iss" in switches:
            found += stage(tables, facts, resources)
        if "notes" in switches:
            issues += add_notes(tables, facts)
        for one in found:
            issues += [one] if isinstance(one, Issue) else _put(one, add)
        return issues


def _put(judgement: Judgement, add: Callable[[dict[str, Any], str], bool]) -> list[Issue]:
    """Add the Observation of a judgement, or else its note."""
    about: Fact = judgement.about
    full_url = "urn:uuid:" + resource_uuid("Observation", "context", judgement.kind, about.url)
    issue = Issue(_SLUGS[judgement.kind], about.result.context.place)
    if about.url and add(judgement.observation, full_url):
        return [issue]
    row = judgement.observation["extension"][0]["extension"][1]["valueString"]
    return [issue] if add_note(about, _RULES[judgement.kind], row, judgement.text) else []


def _reference(full_url: str, resource: Mapping[str, Any]) -> str:
    """Give what refers to a resource of a Bundle; empty where nothing can."""
    if full_url:
        return full_url
    return f"{resource['resourceType']}/{resource['id']}" if "id" in resource else ""
