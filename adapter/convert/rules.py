r"""Rules as data, and what makes them run.

A rule says which field goes where: ``Rule("OBX-17", "Observation.method", codeable_concept)``. The rules of a segment
are compiled into a list indexed by field number; `apply_rules` walks the fields of a segment and calls what stands at
each valued one. So cost arises only for what is valued, and a valued field that has no rule cannot be overlooked:
it is kept as sent and reported as `unmapped-field`.

Targets
    ``Patient.birthDate``                              set
    ``Patient.identifier[]``                           append to a list
    ``Specimen.collection.method``                     set in a nested object
    ``Observation.extension(URL).valueDateTime``       append an extension

Kinds of rules
    value    a pure datatype function ``(text, environment) -> value``; `None` means: nothing to say. A function may
             return a `Primitive` to set a primitive element and its extensions (`birthDate`, `_birthDate`).
    build    a function ``(assembly, segment, text, targets) -> None`` for what needs more than the text
    drop     nothing is done; the text says why that loses nothing
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.environment import DatatypeFunction, Environment, Memo
from adapter.convert.walks import Walk, written_walk

if TYPE_CHECKING:
    from adapter.convert.assembly import Assembly
    from adapter.hl7v2.message import Segment

Targets = Mapping[str, dict[str, Any]]
Builder = Callable[["Assembly", "Segment", str, Targets], None]


#: A compiled rule, as a plain tuple, because that is taken apart three times as fast as a named one:
#: the name of the resource it writes to; the function that does the whole work; then, where the rule gives one value to one
#: element, so that `apply_rules` can do the work itself: the memo of the datatype function, the element, its form, the URL of
#: the extension. `further`: there is nothing to do for a field that does not repeat.
Form = Literal["set", "append", "extension", "further"]
Step = tuple[str, Builder, Memo | None, str, Form, str]

#: Shapes of segments that one plan knows, and how often one must come before a function is written for it.
_SHAPES = 512
_FREQUENT = 4


@dataclass(slots=True, eq=False)
class Plan:
    """The compiled rules of one segment.

    Parameters
    ----------
    steps : list of tuple of Step, or None
        By field number; empty where nothing is done (a dropped field, the segment name), None where no rule stands.
    walks : dict
        Function for each frequent shape of the segment (`walks`).
    met : dict
        How often each other shape has come.
    """

    steps: list[tuple[Step, ...] | None]
    walks: dict[tuple[Any, ...], Walk] = field(default_factory=dict)
    met: dict[tuple[Any, ...], int] = field(default_factory=dict)


class Primitive(NamedTuple):
    """A primitive value with the extensions of its `_element`.

    Parameters
    ----------
    value : Any
        The value, or None when only extensions are known.
    extension : tuple of dict
        Extensions of the element.
    """

    value: Any
    extension: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the mapping.

    Parameters
    ----------
    source : str
        Field: `OBX-17`.
    target : str
        Where it goes (see the module's text), or empty for a dropped field.
    value : function, optional
        Datatype function, memoised by text.
    build : function, optional
        Contextual function, instead of `value`.
    repeats : {"each", "first", "whole", "further"}
        `each`: the target is a list, each repetition appends. `first`: FHIR allows one value; further repetitions are
        kept as sent on the resource. `whole`: the function gets the field with all its repetitions. `further`: so it does, and
        it has nothing to say where there is one only.
    table : str
        The code map the function uses, for the documentation.
    drop : str
        Why the field is not in the output.
    note : str
        Row of the mapping guide, ambiguity or reason.
    """

    source: str
    target: str = ""
    value: DatatypeFunction | None = None
    build: Builder | None = None
    repeats: Literal["each", "first", "whole", "further"] = "first"
    table: str = ""
    drop: str = ""
    note: str = ""

    @property
    def identifier(self) -> str:
        """Stable name of the rule: `OBX-17>Observation.method`."""
        return f"{self.source}>{self.target}" if self.target else f"{self.source} dropped"

    @property
    def segment(self) -> str:
        """Segment name."""
        return self.source.partition("-")[0]

    @property
    def field(self) -> int:
        """Field number."""
        return int(self.source.partition("-")[2])


Setter = Callable[[dict[str, Any], Any], None]
_EXTENSION = re.compile(r"extension\(([^)]*)\)\.(\w+)")


def _put_primitive(resource: dict[str, Any], key: str, primitive: Primitive) -> None:
    if primitive.value is not None:
        resource[key] = primitive.value
    if primitive.extension:
        resource["_" + key] = {"extension": list(primitive.extension)}


def _set_key(key: str) -> Setter:
    def put(resource: dict[str, Any], value: Any) -> None:
        if value.__class__ is Primitive:
            _put_primitive(resource, key, value)
        else:
            resource[key] = value

    return put


def _append_key(key: str) -> Setter:
    def put(resource: dict[str, Any], value: Any) -> None:
        found = resource.get(key)
        if found is None:
            resource[key] = [value]
        else:
            found.append(value)

    return put


def _append_extension(url: str, value_key: str) -> Setter:
    def put(resource: dict[str, Any], value: Any) -> None:
        extension: dict[str, Any] = {"url": url}
        if value.__class__ is Primitive:
            _put_primitive(extension, value_key, value)
        else:
            extension[value_key] = value
        resource.setdefault("extension", []).append(extension)

    return put


def _nested(parents: Sequence[str], last: Setter) -> Setter:
    def put(resource: dict[str, Any], value: Any) -> None:
        for parent in parents:
            resource = resource.setdefault(parent, {})
        last(resource, value)

    return put


def setter(target: str) -> tuple[str, Setter]:
    """Compile a target into the resource name and a function that sets it.

    Parameters
    ----------
    target : str
        `Specimen.collection.method`.

    Returns
    -------
    tuple of (str, function)
        Name of the target resource and the setter.
    """
    name, _, path = target.partition(".")
    last: Setter
    extension = _EXTENSION.search(path)
    if extension:
        parents = path[: extension.start()].strip(".")
        last = _append_extension(extension[1], extension[2])
    else:
        parents, _, key = path.rpartition(".")
        last = _append_key(key[:-2]) if key.endswith("[]") else _set_key(key)
    return name, _nested(parents.split("."), last) if parents else last


def _value_handler(rule: Rule, environment: Environment) -> Builder:
    """Make the handler of a value rule for every case; `apply_rules` does the simple ones without it."""
    assert rule.value is not None
    memo = environment.memo(rule.value)
    name, put = setter(rule.target)
    number = rule.field
    whole, only_first = rule.repeats in ("whole", "further"), rule.repeats == "first"

    def handle(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        resource = targets[name]
        if whole or "~" not in text:
            texts = [text]
        else:
            texts = [part for part in text.split("~") if part and part != '""']
            if only_first:
                if len(texts) > 1:
                    keep_source(resource, rule.source, "~".join(texts[1:]))
                texts = texts[:1]
        for part in texts:
            value, faults = memo[part]
            if faults:
                assembly.report_faults(segment, number, faults)
            if value is not None:
                put(resource, value)

    return handle


def _step(rule: Rule, environment: Environment) -> Step:
    name, _, path = rule.target.partition(".")
    if rule.build is not None:
        return name, rule.build, None, "", "set", ""
    handle = _value_handler(rule, environment)
    assert rule.value is not None
    memo = environment.memo(rule.value)
    extension = _EXTENSION.fullmatch(path)
    if rule.repeats == "further":
        return name, handle, memo, "", "further", ""
    if extension is not None:
        return name, handle, memo, extension[2], "extension", extension[1]
    if "." in path or "(" in path:
        return name, handle, None, "", "set", ""
    return name, handle, memo, path.removesuffix("[]"), "append" if path.endswith("[]") else "set", ""


def compile_rules(rules: Sequence[Rule], environment: Environment) -> Plan:
    """Compile the rules of one segment.

    Parameters
    ----------
    rules : sequence of Rule
        All rules of one segment; those of one field run in this order.
    environment : Environment
        Gives the memos.

    Returns
    -------
    Plan
        With a step for each rule that is no drop.
    """
    plan = Plan([(), *[None] * max(rule.field for rule in rules)])
    for rule in rules:
        steps = plan.steps[rule.field] or ()
        if not rule.drop:
            steps += (_step(rule, environment),)
        plan.steps[rule.field] = steps
    return plan


def apply_rules(
    plan: Plan, assembly: Assembly, segment: Segment, targets: Targets, start: int = 0, end: int | None = None
) -> None:
    """Apply the compiled rules to the valued fields of a segment.

    Parameters
    ----------
    plan : Plan
        From `compile_rules`.
    assembly : Assembly
        The message being converted.
    segment : Segment
        The segment.
    targets : mapping of str to dict
        The resources that the rules may write to, by name. A rule whose resource is not there is skipped: the caller
        decided that this resource is not built. The first one keeps, as sent, the fields that have no rule.
    start, end : int
        The fields to walk: from `start` up to but not including `end`.
    """
    fields = segment.fields
    shape = (start, *targets, *map(bool, fields[start:end]))
    walk = plan.walks.get(shape)
    text = segment.text
    # MSH-2 has a `~` of its own
    if walk is not None and '""' not in text and ("~" not in text or (text[:3] == "MSH" and "~" not in text[9:])):
        walk(assembly, segment, fields, targets)
        return
    _apply_each(plan, assembly, segment, targets, start, end)
    if walk is None:
        _learn(plan, shape, start, list(targets))


def _learn(plan: Plan, shape: tuple[Any, ...], start: int, targets: list[str]) -> None:
    """Count a shape, and write the function for it when it turns out to be frequent."""
    if len(plan.met) >= _SHAPES:
        plan.met.clear()
    met = plan.met[shape] = plan.met.get(shape, 0) + 1
    if met < _FREQUENT:
        return
    numbers = [number for number, sent in enumerate(shape[1 + len(targets) :], start) if sent]
    names = {"Primitive": Primitive, "put_primitive": _put_primitive, "keep_source": keep_source}
    if len(plan.walks) >= _SHAPES:
        # shapes are counted anew: a feed that knows no frequent ones must not have functions written all the time
        plan.walks.clear()
        plan.met.clear()
    plan.walks[shape] = written_walk(plan.steps, numbers, targets, names)


def _apply_each(plan: Plan, assembly: Assembly, segment: Segment, targets: Targets, start: int, end: int | None) -> None:
    """Apply the rules of each valued field, whatever its form."""
    fields = segment.fields
    steps_of = plan.steps
    known = len(steps_of)
    for number, text in enumerate(fields[start:end] if start or end is not None else fields, start):
        if not text or text == '""':
            continue
        steps = steps_of[number] if number < known else None
        if steps is None:
            assembly.report("unmapped-field", segment, number)
            keep_source(next(iter(targets.values())), f"{segment.name}-{number}", text)
            continue
        repeats = "~" in text
        for name, handle, memo, key, form, url in steps:
            if name not in targets:
                continue
            if memo is None or repeats:
                handle(assembly, segment, text, targets)
                continue
            # the case of nearly every field, without a call: one value for one element
            if form == "further":
                continue
            value, faults = memo[text]
            if faults:
                assembly.report_faults(segment, number, faults)
            if value is None:
                continue
            resource = targets[name]
            if form == "set":
                if value.__class__ is Primitive:
                    _put_primitive(resource, key, value)
                else:
                    resource[key] = value
                continue
            if form == "extension":
                extension = {"url": url}
                if value.__class__ is Primitive:
                    _put_primitive(extension, key, value)
                else:
                    extension[key] = value
                key, value = "extension", extension
            if key in resource:
                resource[key].append(value)
            else:
                resource[key] = [value]
