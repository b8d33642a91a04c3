"""Why every element of an output is as it is: the components of the message behind it, the rules, the table rows, and enrichment.

A component stands behind an element when the element is another one with another text in the component's place. An element that
enrichment made may stay the same then (a flag, as long as the value stays above the range): what it needs at all counts too. An
element that no other text changes stands there because of the component or the field that it needs (the type of an order number).
A row of a code map belongs to a component when it is looked up less often with another text there. FHIR input has no components:
its elements are as received but for what enrichment changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from adapter.config import Settings
from adapter.convert.rules import Rule
from adapter.enrich.enricher import Enricher
from adapter.enrich.result import Change
from adapter.explain.account import reason_of_drop, rules_by_field
from adapter.explain.components import Component, altered, components_of, variant
from adapter.explain.outputs import Output, Path, Workbench, compare, differences, leaves
from adapter.fhir.reading import read_fhir
from adapter.hl7v2.message import Message, place
from adapter.issues import Issue
from adapter.tables.index import Tables


@dataclass(frozen=True, slots=True)
class Source:
    """One component behind an element.

    Parameters
    ----------
    component : Component
        The component.
    rules : tuple of Rule
        Rules of its field for this element; where none names the element, all rules of the field.
    rows : tuple of str
        Ids of the rows of code maps that it looked up.
    """

    component: Component
    rules: tuple[Rule, ...]
    rows: tuple[str, ...]


@dataclass(slots=True)
class Element:
    """One leaf of the output.

    Parameters
    ----------
    resource : str
        Name of the resource: `Observation[2]`.
    path : tuple
        Keys and indices within it.
    value : Any
        What stands there; the name of the resource where it is a reference to one of this output.
    sources : list of Source
        Components behind it; empty when no component changes it.
    changes : list of Change
        What enrichment did here.
    as_received : bool
        It came in as FHIR and leaves unchanged.
    """

    resource: str
    path: Path
    value: Any
    sources: list[Source] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    as_received: bool = False

    @property
    def name(self) -> str:
        """The path as FHIR writes it: `code.coding[0].display`."""
        return written(self.path)


@dataclass(slots=True)
class Explanation:
    """Why an output is as it is.

    Parameters
    ----------
    elements : list of Element
        Leaves of the output, in its order.
    issues : list of Issue
        What was noticed.
    unused : list of (Component, str)
        Components that stand behind no element, with the reason of the drop; empty reason: lost.
    """

    elements: list[Element]
    issues: list[Issue]
    unused: list[tuple[Component, str]] = field(default_factory=list)


def written(path: Path) -> str:
    """Write a path: `("coding", 0, "code")` is `coding[0].code`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def explain_v2(message: Message, source: bytes, workbench: Workbench) -> Explanation | None:
    """Explain what became of a v2 message.

    Parameters
    ----------
    message : Message
        The message as read.
    source : bytes
        The message as it came.
    workbench : Workbench
        Notes the rows of code maps.

    Returns
    -------
    Explanation or None
        None when the message is not converted.
    """
    output = workbench.convert(message, source)
    if output is None:
        return None
    enriched = _enriched(output)
    behind: dict[tuple[str, Path], list[Source]] = defaultdict(list)
    needed: dict[tuple[str, Path], list[Source]] = defaultdict(list)
    unused: list[tuple[Component, str]] = []
    every = components_of(message)
    for one in every:
        other = workbench.convert(variant(message, [(one, altered(one.text))]), source)
        reached = _reached(output, other)
        rows = tuple(output.rows - other.rows) if other is not None else ()
        without = _reached(output, workbench.convert(variant(message, [(one, "")]), source))
        for leaf in reached | (without & enriched.keys()):
            behind[leaf].append(Source(one, _rules(one.field, *leaf), rows))
        for leaf in without - reached:
            needed[leaf].append(Source(one, _rules(one.field, *leaf), ()))
        if not reached and not without:
            unused.append((one, reason_of_drop(one)))
    for whole, parts in _fields(message, every):
        for leaf in _reached(output, workbench.convert(variant(message, [(one, "") for one in parts]), source)):
            if leaf not in behind and not any(one.component in parts for one in needed[leaf]):
                needed[leaf].append(Source(whole, _rules(whole.field, *leaf), ()))
    elements = []
    for url, resource in output.resources.items():
        name = output.names[url]
        for path, _, _ in leaves(resource):
            value = _value(resource, path)
            value = output.names.get(value, value) if isinstance(value, str) else value
            where = (name, path)
            sources = behind.get(where) or needed.get(where, [])
            elements.append(Element(name, path, value, sources, enriched.get(where, [])))
    return Explanation(elements, output.issues, unused)


def explain_fhir(data: bytes, tables: Tables, settings: Settings) -> Explanation:
    """Explain what became of FHIR input.

    Parameters
    ----------
    data : bytes
        A resource or a Bundle in JSON.
    tables : Tables
        Loaded mapping tables.
    settings : Settings
        How to convert.

    Returns
    -------
    Explanation
        What enrichment changed; everything else is as received.

    Raises
    ------
    Rejected
        When it is no FHIR.
    """
    found = read_fhir(data, validate=settings.validate != "off")
    enricher = Enricher(tables, settings)
    issues = list(found.issues)
    before = {id(context.observation): dict(context.observation) for context in found.observations}
    changes: dict[int, list[Change]] = {number: [] for number in before}
    if not found.sealed:
        for context in found.observations:
            issues += enricher.enrich(context, changes[id(context.observation)])
    elements: list[Element] = []
    counts: dict[str, int] = defaultdict(int)
    for resource in _resources(found.resource):
        kind = resource["resourceType"]
        counts[kind] += 1
        done = _changed_within(resource, before, changes)
        for path, _, _ in leaves(resource):
            mine = done.get(path)
            elements.append(Element(f"{kind}[{counts[kind]}]", path, _value(resource, path), [], mine or [], mine is None))
    return Explanation(elements, issues)


def _fields(message: Message, every: Sequence[Component]) -> Iterator[tuple[Component, list[Component]]]:
    """Give each field that has several components, as one component, with its components."""
    for (index, number), group in groupby(every, key=lambda one: (one.position.segment, one.position.field)):
        parts = list(group)
        if len(parts) > 1:
            segment = message.segments[index]
            yield Component(parts[0].position, place(segment, number), parts[0].field, "", segment[number]), parts


def _resources(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Take a resource out of its Bundle, or Bundles within Bundles."""
    if resource["resourceType"] != "Bundle":
        yield resource
        return
    yield {key: value for key, value in resource.items() if key != "entry"}
    for entry in resource.get("entry", ()):
        if "resource" in entry:
            yield from _resources(entry["resource"])


def _changed_within(
    tree: Any, before: dict[int, dict[str, Any]], changes: dict[int, list[Change]], path: Path = ()
) -> dict[Path, list[Change]]:
    """Give the leaves that enrichment changed, of Observations that are contained in the resource too."""
    if isinstance(tree, list):
        parts: Iterable[tuple[str | int, Any]] = enumerate(tree)
    elif isinstance(tree, dict):
        parts = tree.items()
    else:
        return {}
    found: dict[Path, list[Change]] = {}
    if id(tree) in before:
        mine = _changed(tree, before[id(tree)], changes[id(tree)])
        found = {(*path, *leaf): done for leaf, done in mine.items()}
    for key, part in parts:
        found |= _changed_within(part, before, changes, (*path, key))
    return found


def _enriched(output: Output) -> dict[tuple[str, Path], list[Change]]:
    """Give the leaves that enrichment made or changed."""
    found: dict[tuple[str, Path], list[Change]] = {}
    for url, converted in output.converted.items():
        for path, changes in _changed(output.resources[url], converted, output.changes[url]).items():
            found[output.names[url], path] = changes
    return found


def _changed(resource: dict[str, Any], before: dict[str, Any], changes: Iterable[Change]) -> dict[Path, list[Change]]:
    found: dict[Path, list[Change]] = {}
    for path, present, _ in differences(resource, before):
        if present:
            name = written(path)
            found[path] = [
                change
                for change in changes
                if name == change.element or name.startswith((change.element + ".", change.element + "["))
            ]
    return found


def _reached(output: Output, other: Output | None) -> set[tuple[str, Path]]:
    if other is None:
        return set()
    return {(difference.resource, difference.path) for difference in compare(output, other) if difference.present}


def _rules(source: str, resource: str, path: Path) -> tuple[Rule, ...]:
    """Give the rules of a field that write to the element; all its rules when what they say reaches it in another way."""
    rules = tuple(rule for rule in rules_by_field().get(source, ()) if not rule.drop)
    kind = resource.partition("[")[0]
    element = str(path[0]).removeprefix("_")
    direct = []
    for rule in rules:
        name, _, target = rule.target.partition(".")
        first = target.partition(".")[0].partition("[")[0].partition("(")[0]
        if name == kind and (first == element or (first == "value" and element.startswith("value"))):
            direct.append(rule)
    return tuple(direct) or rules


def _value(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree[part]
    return tree
