"""The fast way through OBX-1 to OBX-13: a template that all results with the same text in these fields share.

What OBX-2 to OBX-13 say (code, unit, range, flag, status) depends on their text alone; a feed repeats a few hundred such texts,
if a plain number in OBX-5 is left out of them. The first result with a text goes through the rules, and what they made of it is
remembered as the template; the next one copies it and sets its own number.

A template holds nothing of the segment but these texts. It is never handed out itself: its lists are copied, its
nested values are shared as all memoised values are.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly, new_issue
from adapter.convert.datatypes.quantities import plain_number
from adapter.convert.rules import Plan, Targets, apply_rules
from adapter.hl7v2.message import Segment, place
from adapter.issues import Issue

#: First field that a template does not cover: OBX-14 is a time, and what follows names people and places of one message.
_END = 14
#: Types of values that are words and recur; their text is part of the key. (A document, ED or RP, goes to the report as well.)
_REPEATED = frozenset(("ST", "TX", "FT", "CE", "CWE", "CNE", "CF", "IS", "ID"))
#: Longer texts are not worth remembering: they seldom come twice.
_KEY_LENGTH = 500


#: What the rules make of OBX-2 to OBX-13; a plain tuple, which is taken apart fastest: elements of the Observation; those of
#: them that are lists; elements of `valueQuantity` beside the number, none where the value is one of the elements; and for each
#: issue slug, place behind `OBX[n]`, detail and value.
Template = tuple[dict[str, Any], tuple[tuple[str, list[Any]], ...], dict[str, Any], list[tuple[str, str, str, str]]]


def apply_result_rules(plan: Plan, assembly: Assembly, segment: Segment, targets: Targets) -> None:
    """Apply the rules of OBX to a segment; the same as `apply_rules`.

    Parameters
    ----------
    plan : Plan
        Compiled rules of OBX.
    assembly : Assembly
        The message being converted.
    segment : Segment
        The OBX.
    targets : mapping of str to dict
        `Observation` with nothing of the segment in it yet, and `DiagnosticReport`.
    """
    fields = segment.fields
    environment = assembly.environment
    kind = fields[2] if len(fields) > 5 and environment.remembers else ""
    if kind == "NM":
        number = plain_number(fields[5])
        if number is None:
            apply_rules(plan, assembly, segment, targets)
            return
        key = "|".join(fields[2:5] + fields[6:_END])
        templates = environment.number_templates
    elif kind in _REPEATED:
        number = None
        key = "|".join(fields[2:_END])
        templates = environment.value_templates
    else:
        apply_rules(plan, assembly, segment, targets)
        return
    template = templates.get(key) or templates.recall(key)
    if template is None:
        before = len(assembly.issues)
        apply_rules(plan, assembly, segment, targets, 0, _END)
        observation = targets["Observation"]
        if len(key) <= _KEY_LENGTH and "component" not in observation:
            templates.keep(key, _template(segment, observation, assembly.issues[before:], number is not None))
    else:
        elements, lists, unit, issues = template
        observation = targets["Observation"]
        observation.update(elements)
        for name, values in lists:
            observation[name] = values.copy()
        if number is not None:
            observation["valueQuantity"] = {"value": number, **unit}
        if issues:
            where = f"OBX[{segment.number}]"
            assembly.issues += [new_issue((slug, where + inside, detail, value, ())) for slug, inside, detail, value in issues]
    if len(fields) > _END:
        apply_rules(plan, assembly, segment, targets, _END)


def _template(segment: Segment, observation: dict[str, Any], issues: list[Issue], numeric: bool) -> Template:
    """Take from an Observation what its segment gave; of a number everything but the number."""
    elements = {name: value for name, value in observation.items() if name not in ("resourceType", "category")}
    lists = tuple([(name, value.copy()) for name, value in elements.items() if value.__class__ is list])
    unit: dict[str, Any] = {}
    if numeric:
        unit = {name: value for name, value in elements["valueQuantity"].items() if name != "value"}
        elements["valueQuantity"] = None
    where = len(place(segment))
    return elements, lists, unit, [(issue.slug, issue.place[where:], issue.detail, issue.value) for issue in issues]
