"""The message being converted: its resources so far, who refers to whom, and what was noticed.

Resources get their identity here (design: a UUIDv5 over source fields, never over mapped codes) and the request that a
transaction makes of them. Organisations, practitioners, devices and locations occur once per message, whoever names
them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal

from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.environment import MEMO_ENTRIES, DatatypeFunction, Environment, Fault
from adapter.fhir.bundle import Entry
from adapter.fhir.context import ObservationContext
from adapter.fhir.identity import resource_uuid
from adapter.hl7v2.message import Message, Segment, place
from adapter.issues import Issue

#: How a transaction treats a resource: `absent` creates it unless the identifier is known, `update` creates or replaces
#: by identifier, `put` writes under its own id.
Policy = Literal["absent", "update", "put"]
#: System of identifiers that are URIs themselves; ours are `urn:uuid:` of the resource's key.
URI_SYSTEM = "urn:ietf:rfc:3986"

#: What recurs from message to message, whoever the patient is: its UUIDs are remembered.
_RECURRING = frozenset({"Device", "Location", "Organization", "Practitioner", "PractitionerRole"})
_remembered_uuid = lru_cache(MEMO_ENTRIES)(resource_uuid)

_OWN_TOKEN = f"identifier={URI_SYSTEM}|"

#: Make a named tuple of the tuple of its fields, in half the time of `Issue(...)`: there are some forty issues in a message, and
#: thirty entries.
new_issue = partial(tuple.__new__, Issue)
new_entry = partial(tuple.__new__, Entry)
new_context = partial(tuple.__new__, ObservationContext)


@dataclass(slots=True, eq=False)
class Assembly:
    """Everything that is known while one message is converted.

    Parameters
    ----------
    message : Message
        The source.
    environment : Environment
        Tables, sender, zone, memos.
    """

    message: Message
    environment: Environment
    issues: list[Issue] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    observations: list[ObservationContext] = field(default_factory=list)
    #: reference by (resource type, key): one Organization a message, however often it is named
    shared: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    #: reference to a party by datatype function, segment, field and text
    parties: dict[tuple[DatatypeFunction, str, int, str], dict[str, str]] = field(default_factory=dict)
    #: resource by full url, to find what a reference means
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: full urls of the DiagnosticReports
    reports: list[str] = field(default_factory=list)
    #: whether a resource without an identifier that has a system gets one; only the conditional requests of a transaction need it
    own_identifiers: bool = True
    #: sender key that stands in for a missing assigning authority (MSH-3, MSH-4)
    sender_key: str = ""
    #: MSH-3 and MSH-4 as (namespace, universal id), for `ObservationContext`
    sender_application: tuple[str, ...] = ()
    sender_facility: tuple[str, ...] = ()
    #: the patient of the current PATIENT_RESULT group
    patient: dict[str, Any] | None = None
    patient_reference: dict[str, str] | None = None
    patient_key: str = ""
    encounter_reference: dict[str, str] | None = None
    #: segments of a visit without Encounter, kept on the reports of the group
    visit_segments: Sequence[Segment] = ()
    #: performers by the text of OBX-15, 16, 23, 24, 25: the same from result to result
    performers: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    #: how often a result has been met: by the key that results of one report have in common, then by code and sub-id
    occurrences: dict[tuple[str, ...], dict[tuple[str, str], int]] = field(default_factory=dict)

    def report(
        self, slug: str, segment: Segment | None = None, number: int = 0, component: str = "", detail: str = "", value: str = ""
    ) -> None:
        """Note an issue at a field of a segment."""
        where = place(segment, number, component) if segment is not None else ""
        self.issues.append(Issue(slug, where, detail, value))

    def report_faults(self, segment: Segment, number: int, faults: Sequence[Fault]) -> None:
        """Note what a datatype function said about a field."""
        name = segment.name
        where = f"{name}[{segment.number}]-{number}" if name != "MSH" else f"MSH-{number}"
        for slug, component, detail, value in faults:
            self.issues.append(new_issue((slug, f"{where}.{component}" if component else where, detail, value, ())))

    def keep_segment(self, segment: Segment, resource: dict[str, Any], detail: str = "") -> None:
        """Keep a segment that has no mapping on the resource of its level, as sent, and report it."""
        self.report("segment-not-mapped", segment, detail=detail)
        keep_source(resource, segment.name, segment.text)

    def value(self, function: Any, segment: Segment, number: int, text: str) -> Any:
        """Run a memoised datatype function on the text of a field and report its faults there."""
        environment = self.environment
        found, faults = (environment.memos.get(function) or environment.memo(function))[text]
        if faults:
            self.report_faults(segment, number, faults)
        return found

    def add(
        self, resource: dict[str, Any], key: Sequence[str], policy: Policy, *, identifier: int | None = None
    ) -> dict[str, str]:
        """Put a resource into the output.

        Parameters
        ----------
        resource : dict
            The resource with its `resourceType`; may still be filled after this call.
        key : sequence of str
            What identifies it, from source fields only. The resource type is added to it.
        policy : {"absent", "update", "put"}
            What a transaction does with it.
        identifier : int, optional
            Index of the identifier (with system) that conditional requests use. None: an identifier is made from the
            key, because a conditional request needs one with a system.

        Returns
        -------
        dict
            A Reference to it.
        """
        resource_type = resource["resourceType"]
        uuid = (_remembered_uuid if resource_type in _RECURRING else resource_uuid)(resource_type, *key)
        return self.enter(resource, uuid, policy, identifier)

    def enter(self, resource: dict[str, Any], uuid: str, policy: Policy, identifier: int | None = None) -> dict[str, str]:
        """Put a resource with a UUID into the output; see `add`."""
        resource_type = resource["resourceType"]
        full_url = "urn:uuid:" + uuid
        if policy == "put":
            resource["id"] = uuid
            entry = new_entry((resource, full_url, "PUT", f"{resource_type}/{uuid}", "", ""))
        else:
            if identifier is not None:
                chosen = resource["identifier"][identifier]
                token = f"identifier={_query(chosen['system'])}|{_query(chosen['value'])}"
            else:
                token = _OWN_TOKEN + full_url
                if self.own_identifiers:
                    resource.setdefault("identifier", []).append({"system": URI_SYSTEM, "value": full_url})
            if policy == "update":
                entry = new_entry((resource, full_url, "PUT", f"{resource_type}?{token}", "", ""))
            else:
                entry = new_entry((resource, full_url, "POST", resource_type, token, ""))
        self.entries.append(entry)
        self.resources[full_url] = resource
        return {"reference": full_url}

    def share(
        self, resource: dict[str, Any], key: Sequence[str], policy: Policy = "absent", *, identifier: int | None = None
    ) -> dict[str, str]:
        """Put a resource into the output unless one with this key is there already; give the reference.

        Two keys with one identifier with system are one resource as well: a transaction must not ask for it twice.
        """
        resource_type = resource["resourceType"]
        name = (resource_type, *key)
        found = self.shared.get(name)
        if found is None:
            if identifier is None:
                uuid = (_remembered_uuid if resource_type in _RECURRING else resource_uuid)(*name)
                found = self.enter(resource, uuid, policy)
            else:
                chosen = resource["identifier"][identifier]
                same = (resource_type, "identifier", chosen["system"], chosen["value"])
                found = self.shared.get(same) or self.add(resource, key, policy, identifier=identifier)
                self.shared[same] = found
            self.shared[name] = found
        return found


_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/")


def _query(text: str) -> str:
    r"""Percent-encode a token of a search parameter; `,`, `|`, `$` and `\` are escaped as FHIR search asks (3.1.1.4.0)."""
    if _SAFE.issuperset(text):
        return text
    from urllib.parse import quote

    for character in "\\$,|":
        text = text.replace(character, "\\" + character)
    return quote(text, safe="-._~:/")
