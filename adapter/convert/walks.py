"""Straight-line functions for segments whose valued fields are known: the rules applied without looking for them.

A feed fills the same fields of a segment again and again. For each such shape (which fields are valued, which resources are
there to be written to) `written_walk` writes the Python function that a person would write for it: one look-up in a memo and one
assignment a field, no loop over empty fields, no question what kind of rule it is. For OBX with OBX-14 and OBX-17 valued:

    def walk(assembly, segment, fields, targets):
        r0 = targets['Observation']
        value, faults = m14_0[fields[14]]
        if faults:
            assembly.report_faults(segment, 14, faults)
        if value.__class__ is Primitive:
            put_primitive(r0, 'effectiveDateTime', value)
        elif value is not None:
            r0['effectiveDateTime'] = value
        value, faults = m17_0[fields[17]]
        ...

The rules stay what they are, data; `rules.apply_rules` remains the definition of what is to happen, and does it itself for shapes
that are not frequent and for segments with repetitions or explicit nulls. A property test holds that both do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapter.convert.assembly import Assembly
    from adapter.convert.rules import Step
    from adapter.hl7v2.message import Segment

Walk = Callable[["Assembly", "Segment", list[str], Mapping[str, dict[str, Any]]], None]

#: Texts of functions whose compiled form is kept; senders share them, since only their memos differ.
_TEXTS = 512


@lru_cache(_TEXTS)
def _compiled(text: str) -> CodeType:
    return compile(text, "<walk>", "exec")


def written_walk(
    steps: Sequence[tuple[Step, ...] | None], numbers: Sequence[int], targets: Sequence[str], names: dict[str, Any]
) -> Walk:
    """Write the function for a shape of a segment.

    Parameters
    ----------
    steps : sequence of tuple of Step, or None
        Compiled rules by field number.
    numbers : sequence of int
        The valued fields, in order.
    targets : sequence of str
        The resources that are there to be written to; the first one keeps fields without a rule.
    names : dict
        What the function needs by name: `Primitive`, `put_primitive`, `keep_source`.

    Returns
    -------
    function
        Does what `apply_rules` does with segments of this shape that have neither repetitions nor explicit nulls.
    """
    known = dict(names)
    resources = {name: f"r{place}" for place, name in enumerate(targets)}
    lines = [f"{variable} = targets[{name!r}]" for name, variable in resources.items()]
    for number in numbers:
        found = steps[number] if number < len(steps) else None
        if found is None:
            lines.append(f"assembly.report('unmapped-field', segment, {number})")
            lines.append(f"keep_source({resources[targets[0]]}, f'{{segment.name}}-{number}', fields[{number}])")
            continue
        for place, step in enumerate(found):
            if step[0] in resources:
                lines += _step_lines(step, number, f"{number}_{place}", resources[step[0]], known)
    text = "\n    ".join(("def walk(assembly, segment, fields, targets):", *lines, "return"))
    exec(_compiled(text), known)
    walk: Walk = known["walk"]
    return walk


def _step_lines(step: Step, number: int, suffix: str, resource: str, known: dict[str, Any]) -> list[str]:
    """Write the lines of one rule, and name its memo or function for them."""
    _, handle, memo, key, form, url = step
    if memo is None:
        known[f"b{suffix}"] = handle
        return [f"b{suffix}(assembly, segment, fields[{number}], targets)"]
    if form == "further":
        return []
    known[f"m{suffix}"] = memo
    lines = [
        f"value, faults = m{suffix}[fields[{number}]]",
        "if faults:",
        f"    assembly.report_faults(segment, {number}, faults)",
    ]
    if form == "set":
        return [
            *lines,
            "if value.__class__ is Primitive:",
            f"    put_primitive({resource}, {key!r}, value)",
            "elif value is not None:",
            f"    {resource}[{key!r}] = value",
        ]
    lines.append("if value is not None:")
    if form == "extension":
        lines += [
            "    if value.__class__ is Primitive:",
            f"        extension = {{'url': {url!r}}}",
            f"        put_primitive(extension, {key!r}, value)",
            "        value = extension",
            "    else:",
            f"        value = {{'url': {url!r}, {key!r}: value}}",
        ]
        key = "extension"
    return [
        *lines,
        f"    if {key!r} in {resource}:",
        f"        {resource}[{key!r}].append(value)",
        "    else:",
        f"        {resource}[{key!r}] = [value]",
    ]
