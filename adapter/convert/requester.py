"""Who ordered (ORC-12, OBR-16, ORC-21 to ORC-24) and who handled the order (ORC-10, 11, 17, 19).

The requester is a PractitionerRole where ORC names him or his organization, else the Practitioner of OBR-16 (v2-to-FHIR
ORC[ServiceRequest]:34, 46-49; OBR[ServiceRequest]:28). Both fields say the same as a rule; where they differ ORC counts and OBR
stays as sent. Those who entered, verified or performed the order are agents of a Provenance of the request.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.contacts import address, contact_point
from adapter.convert.datatypes.text import put
from adapter.convert.datatypes.times import date_time, instant
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.environment import DatatypeFunction
from adapter.convert.parties import organization, organization_of_producer, practitioner, share_role
from adapter.convert.party import add_to
from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment, valued

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

#: Fields of ORC that name who handled the order, and the type of agent.
_AGENTS = ((10, "enterer"), (11, "verifier"), (19, "performer"))


def _repetitions(segment: Segment | None, number: int) -> list[str]:
    text = segment.fields[number] if segment is not None and len(segment.fields) > number else ""
    if "~" in text:
        return [part for part in text.split("~") if valued(part)]
    return [text] if valued(text) else []


def _keep(resource: dict[str, Any], name: str, text: str) -> None:
    resource.setdefault("extension", []).append(source_extension(name, text))


def set_requester(assembly: Assembly, order: Order, request: dict[str, Any]) -> None:
    """Set the requester of a ServiceRequest.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    order : Order
        The segments of the order.
    request : dict
        The ServiceRequest; changed.
    """
    common = order.common_order
    by_order, by_request = _repetitions(common, 12), _repetitions(order.request, 16)
    segment, number, people = (common, 12, by_order) if by_order else (order.request, 16, by_request)
    person = practitioner(assembly, segment, number, people[0]) if people and segment is not None else None
    if len(people) > 1 and segment is not None:
        _keep(request, f"{segment.name}-{number}", "~".join(people[1:]))
    if by_order and by_request and by_request != by_order:
        _keep(request, "OBR-16", "~".join(by_request))
    workplace = None
    if common is not None and len(common.fields) > 21:
        workplace = _workplace(assembly, common, request)
        _add_each(assembly, common, 24, address, person, "address", request)
    if common is not None and (by_order or workplace is not None):
        reference = share_role(assembly, {}, person, workplace, ())
    else:
        reference = person
    if reference is not None:
        request["requester"] = reference


def _workplace(assembly: Assembly, common: Segment, request: dict[str, Any]) -> dict[str, str] | None:
    """Give the Organization of the requester with its address and its ways of contact (ORC-21 to ORC-23)."""
    names = _repetitions(common, 21)
    reference = organization(assembly, common, 21, names[0]) if names else None
    if len(names) > 1:
        _keep(request, "ORC-21", "~".join(names[1:]))
    _add_each(assembly, common, 22, address, reference, "address", request)
    _add_each(assembly, common, 23, contact_point, reference, "telecom", request)
    return reference


def _add_each(
    assembly: Assembly,
    common: Segment,
    number: int,
    function: DatatypeFunction,
    reference: dict[str, str] | None,
    name: str,
    request: dict[str, Any],
) -> None:
    """Add the repetitions of a field to what they belong to; without that they stay on the request as sent."""
    texts = _repetitions(common, number)
    if texts and reference is None:
        _keep(request, f"ORC-{number}", "~".join(texts))
    elif texts and reference is not None:
        found = [assembly.value(function, common, number, text) for text in texts]
        add_to(assembly, reference, name, [one for one in found if one is not None])


def add_provenance(assembly: Assembly, common: Segment, target: dict[str, str]) -> None:
    """Say who entered, verified and performed the order, where ORC names them (v2-to-FHIR ORC[Provenance]).

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    common : Segment
        ORC.
    target : dict
        Reference to what was ordered or reported.
    """
    handled = common.fields[10:12] + common.fields[17:20:2]
    if not any(handled):
        return
    agents: list[dict[str, Any]] = []
    workplaces = _repetitions(common, 17)
    workplace = organization_of_producer(assembly, common, 17, workplaces[0]) if workplaces else None
    for number, kind in _AGENTS:
        for text in _repetitions(common, number):
            who = practitioner(assembly, common, number, text)
            if who is None:
                continue
            agent: dict[str, Any] = {"type": {"coding": [{"system": PARTICIPANT_TYPE, "code": kind}]}, "who": who}
            if number == 10 and workplace is not None:
                agent["onBehalfOf"] = workplace
            agents.append(agent)
    if workplace is not None and not any("onBehalfOf" in agent for agent in agents):
        agents.append({"type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "enterer"}]}, "who": workplace})
    if not agents:
        return
    provenance: dict[str, Any] = {"resourceType": "Provenance", "target": [target], "agent": agents}
    if valued(common[9]):
        put(provenance, "recorded", assembly.environment.memo(instant)[common[9]][0])
        put(provenance, "occurredDateTime", assembly.environment.memo(date_time)[common[9]][0])
    if "recorded" not in provenance:
        provenance["_recorded"] = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    assembly.share(provenance, (target["reference"], *common.fields[9:20]), "put")
