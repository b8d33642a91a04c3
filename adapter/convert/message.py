"""The way through a message: group the segments, build patient, visit, orders and results, then the header.

A `Converter` serves all messages of a process. For each sender (row of `senders.csv`) and each default offset (MSH-7) it
keeps one `Environment` with compiled rules and memos.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from adapter.config import Settings
from adapter.convert import encounter, header, observation, order, patient, specimen
from adapter.convert.assembly import Assembly
from adapter.convert.attached_source import attach_source
from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.environment import Environment
from adapter.convert.order_context import OrderContext
from adapter.convert.parents import link_parents
from adapter.convert.patient_template import build_patient_and_visit
from adapter.convert.rules import Plan, Rule, compile_rules
from adapter.convert.senders import sender_names
from adapter.fhir.bundle import Entry
from adapter.fhir.context import ObservationContext
from adapter.hl7v2.grouping import Order, PatientResult, group
from adapter.hl7v2.message import Message
from adapter.issues import Issue, reject
from adapter.tables.index import Tables

#: Environments kept at a time; a feed has few senders, an attacker many.
ENVIRONMENT_LIMIT = 16


@dataclass(slots=True)
class Conversion:
    """What a message became.

    Parameters
    ----------
    entries : list of Entry
        The resources with their requests, in output order.
    observations : list of ObservationContext
        Each Observation with what enrichment needs to know.
    envelope : dict
        `identifier` and `timestamp` for the Bundle.
    issues : list of Issue
        What was noticed.
    """

    entries: list[Entry]
    observations: list[ObservationContext]
    envelope: dict[str, Any]
    issues: list[Issue]


def all_rules() -> dict[str, tuple[Rule, ...]]:
    """Give every rule of the mapping, by plan name; the documentation is made from this."""
    rules: dict[str, tuple[Rule, ...]] = {}
    for module in (header, patient, encounter, order, specimen, observation):
        rules.update(module.RULES)
    return rules


class Converter:
    """ORU^R01 to FHIR R4 resources.

    Parameters
    ----------
    tables : Tables
        Loaded mapping tables.
    settings : Settings
        `timezone` and `to` matter here.
    remembers : bool
        Whether texts that come again are not converted again; see `Environment`.
    """

    def __init__(self, tables: Tables, settings: Settings, *, remembers: bool = True) -> None:
        self.tables = tables
        self.settings = settings
        self.remembers = remembers
        self._surroundings: dict[tuple[str, str], tuple[Environment, dict[str, Plan]]] = {}

    def convert(self, message: Message, source: bytes) -> Conversion:
        """Convert one message.

        Parameters
        ----------
        message : Message
            A result message (ORU).
        source : bytes
            The message as it came; its digest goes into the Provenance.

        Returns
        -------
        Conversion
            Resources, contexts and issues.

        Raises
        ------
        Rejected
            When results have no patient.
        """
        application, facility = sender_names(message)
        environment, plans = self._surrounding(message, application, facility)
        assembly = Assembly(
            message,
            environment,
            own_identifiers=self.settings.to in (None, "transaction"),
            sender_key="\x1f".join((*application, "", *facility)),
            sender_application=application,
            sender_facility=facility,
        )
        for segment in message.segments[1:]:
            # all of them are read: splitting them here takes half the time of splitting each at its first use
            segment.fields = segment.text.split("|")
        grouped = group(message)
        for result in grouped.patient_results:
            _build_patient_result(assembly, plans, result)
        if not assembly.observations:
            assembly.report("no-result")
        digest = hashlib.sha256(source).hexdigest()
        envelope = header.build_header(assembly, plans, grouped.header, digest, message=self.settings.to == "message")
        if self.settings.attach_source:
            attach_source(assembly, source, digest)
        return Conversion(assembly.entries, assembly.observations, envelope, message.issues + assembly.issues)

    def _surrounding(
        self, message: Message, application: tuple[str, ...], facility: tuple[str, ...]
    ) -> tuple[Environment, dict[str, Plan]]:
        sender = self.tables.sender(application, facility)
        zone_name = sender.time_zone if sender is not None and sender.time_zone else ""
        offset = "" if zone_name else _offset(message.segments[0][7])
        key = (sender.id if sender is not None else "", offset)
        found = self._surroundings.get(key)
        if found is None:
            if len(self._surroundings) >= ENVIRONMENT_LIMIT:
                # the one that was made first: a feed has a few that stay and, now and then, one that does not
                del self._surroundings[next(iter(self._surroundings))]
            zone_name = zone_name or self.settings.timezone
            environment = Environment(self.tables, sender, ZoneInfo(zone_name) if zone_name else None, offset, self.remembers)
            plans = {name: compile_rules(rules, environment) for name, rules in all_rules().items()}
            found = self._surroundings[key] = (environment, plans)
        return found


def _offset(text: str) -> str:
    """Offset of a v2 time as FHIR writes it: `-0500` gives `-05:00`; none gives an empty text."""
    tail = text[-5:]
    if len(text) > 5 and tail[0] in "+-" and tail[1:].isdigit() and int(tail[1:3]) <= 14 and int(tail[3:]) <= 59:
        return f"{tail[:3]}:{tail[3:]}"
    return ""


def _build_patient_result(assembly: Assembly, plans: dict[str, Plan], result: PatientResult) -> None:
    if result.patient is None and result.orders:
        raise reject("missing-patient", "PID", "the message has results, but no PID segment stands before them")
    build_patient_and_visit(assembly, plans, result)
    if not result.orders and assembly.patient is not None:
        for segment in assembly.visit_segments:
            keep_source(assembly.patient, segment.name, segment.text)
    if result.observations:
        observation.build_patient_observations(assembly, plans, result.observations)
    contexts = [_build_order(assembly, plans, one) for one in result.orders]
    link_parents(assembly, contexts)


def _build_order(assembly: Assembly, plans: dict[str, Plan], one: Order) -> OrderContext:
    if one.request is None:
        assembly.report("missing-order", one.observations[0].segment if one.observations else None)
    context = order.build_order(assembly, plans, one)
    observation.build_observations(assembly, plans, context)
    return context
