"""The fast way through MSH: a template that all messages of a sender share, which differ in MSH-7 and MSH-10 alone.

The first message with a header goes through the rules, and what they made of it is remembered by the text of its other fields;
the next one takes its agents, extensions and tags from there and adds its own time and control id. Headers with a time, a control
id or parties that ask for more go through the rules each time, as do those of message Bundles.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.text import PLAIN
from adapter.convert.datatypes.times import usual_time
from adapter.convert.organizations import organization_hd
from adapter.convert.party import Party, share_party
from adapter.convert.rules import Plan, Targets, apply_rules
from adapter.hl7v2.message import Segment
from adapter.issues import Issue

#: Fields that change or name parties beside MSH-4: country of the facility, responsible and receiving organization.
_WITH_PARTIES = (17, 22, 23)
#: Longer texts are not worth remembering: they seldom come twice.
_KEY_LENGTH = 500

#: What the rules make of MSH without MSH-7 and MSH-10: elements that they add to the Provenance, in order, the time left open;
#: agents they add; the sending facility; system of the control id; issues.
Template = tuple[dict[str, Any], list[dict[str, Any]], Party | None, str | None, list[Issue]]


def apply_header_rules(plan: Plan, assembly: Assembly, segment: Segment, targets: Targets) -> None:
    """Apply the rules of MSH; the same as `apply_rules`.

    Parameters
    ----------
    plan : Plan
        Compiled rules of MSH.
    assembly : Assembly
        The message being converted.
    segment : Segment
        The MSH.
    targets : mapping of str to dict
        `Provenance` and `Bundle` with nothing of the segment in them yet; maybe `MessageHeader`.
    """
    environment = assembly.environment
    fields = segment.fields
    moment = usual_time(fields[7], environment) if len(fields) > 10 and environment.remembers else ""
    number = fields[10] if moment else ""
    if not number or not PLAIN.issuperset(number) or "MessageHeader" in targets:
        apply_rules(plan, assembly, segment, targets)
        return
    key = "|".join(fields[2:7] + fields[8:10] + fields[11:])
    template: Template | None = environment.header_templates.get(key) or environment.header_templates.recall(key)
    provenance, envelope = targets["Provenance"], targets["Bundle"]
    if template is None:
        before, agents, first = set(provenance), len(provenance["agent"]), len(assembly.issues)
        apply_rules(plan, assembly, segment, targets)
        if len(key) <= _KEY_LENGTH and not any(segment[field] for field in _WITH_PARTIES):
            elements = {name: value for name, value in provenance.items() if name not in before}
            if "extension" in elements:
                elements["extension"] = elements["extension"].copy()
            facility = environment.memo(organization_hd)[fields[4]][0] if fields[4] else None
            system = envelope["identifier"].get("system")
            made = elements, provenance["agent"][agents:], facility, system, assembly.issues[first:]
            environment.header_templates.keep(key, made)
        return
    elements, more_agents, facility, system, issues = template
    assembly.issues += issues
    if facility is not None:
        # in another message it may be the same resource as another party; its agent comes last
        who = share_party(assembly, facility, (("MSH-4", fields[4]),))
        more_agents = [*more_agents[:-1], {**more_agents[-1], "who": who}]
    del provenance["_recorded"]
    provenance.update(elements)
    provenance["recorded"] = provenance["occurredDateTime"] = envelope["timestamp"] = moment
    if "extension" in elements:
        provenance["extension"] = elements["extension"].copy()
    provenance["agent"] += more_agents
    identifier = {"value": number}
    if system is not None:
        identifier["system"] = system
    envelope["identifier"] = identifier
    provenance["entity"].append({"role": "source", "what": {"identifier": identifier}})
