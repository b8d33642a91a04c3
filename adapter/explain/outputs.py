"""A message converted and enriched, with its resources under readable names; and what differs between two such outputs.

Resources are named by type and order: `Observation[2]`. In the output of a variant a resource keeps the name of the one that it
stands for: the one with the same full URL, else the next one of its type. References are compared by these names, because a full
URL says who a resource is and nothing of what it holds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapter.config import Settings
from adapter.convert.datatypes.text import ORIGINAL_TEXT
from adapter.convert.message import Converter
from adapter.enrich.enricher import Enricher
from adapter.enrich.result import Change
from adapter.explain.lookups import noting
from adapter.fhir.canonical import SOURCE_FIELD
from adapter.hl7v2.message import Message
from adapter.issues import Issue, Rejected
from adapter.tables.index import Tables

#: Extensions that keep what was sent as it was sent.
VERBATIM = frozenset({SOURCE_FIELD, ORIGINAL_TEXT})

Path = tuple[str | int, ...]


class Difference(NamedTuple):
    """One leaf that is other in the second output.

    Parameters
    ----------
    resource : str
        Name of the resource.
    path : tuple
        Keys and indices within it.
    present : bool
        The leaf stands in the first output; else it stands in the second one only.
    verbatim : bool
        It belongs to an extension that keeps text as sent.
    """

    resource: str
    path: Path
    present: bool
    verbatim: bool


@dataclass(slots=True)
class Output:
    """What a message became.

    Parameters
    ----------
    resources : dict of str to dict
        Resources by full URL, and what the Bundle takes from the message under `Bundle`.
    names : dict of str to str
        Name by full URL.
    converted : dict of str to dict
        The Observations before enrichment, by full URL.
    changes : dict of str to list of Change
        What enrichment did to them.
    issues : list of Issue
        What was noticed.
    rows : Counter of str
        Rows of code maps by id, and how often each was looked up; only where the workbench notes them.
    """

    resources: dict[str, dict[str, Any]]
    names: dict[str, str]
    converted: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)


class Workbench:
    """Converts messages and variants of them.

    Parameters
    ----------
    tables : Tables
        Loaded mapping tables.
    settings : Settings
        How to convert.
    note_rows : bool
        Whether to note the rows that the conversion looks up; slower.
    """

    def __init__(self, tables: Tables, settings: Settings, *, note_rows: bool = False) -> None:
        self._rows: Counter[str] = Counter()
        used = noting(tables, self._rows) if note_rows else tables
        self._converter = Converter(used, settings, remembers=not note_rows)
        self._enricher = Enricher(tables, settings)

    def convert(self, message: Message, source: bytes) -> Output | None:
        """Convert a message.

        Parameters
        ----------
        message : Message
            The message or a variant of it.
        source : bytes
            The message as it came, for a variant too: the digest in the Provenance is no trace of a component.

        Returns
        -------
        Output or None
            None when it cannot be converted.
        """
        if message.message_type[0] != "ORU":
            return None
        self._rows.clear()
        try:
            conversion = self._converter.convert(message, source)
        except Rejected:
            return None
        output = Output({"Bundle": conversion.envelope}, {"Bundle": "Bundle"}, issues=conversion.issues, rows=Counter(self._rows))
        counts: dict[str, int] = defaultdict(int)
        for entry in conversion.entries:
            kind = entry.resource["resourceType"]
            counts[kind] += 1
            output.resources[entry.full_url] = entry.resource
            output.names[entry.full_url] = f"{kind}[{counts[kind]}]"
        urls = {id(entry.resource): entry.full_url for entry in conversion.entries}
        for context in conversion.observations:
            url = urls[id(context.observation)]
            # enrichment replaces top-level elements and changes nothing inside them
            output.converted[url] = dict(context.observation)
            output.changes[url] = []
            output.issues += self._enricher.enrich(context, output.changes[url])
        return output


def compare(first: Output, second: Output | None) -> list[Difference]:
    """Give the leaves that differ.

    Parameters
    ----------
    first, second : Output
        Outputs of a message and of a variant of it; None when the variant is not converted.

    Returns
    -------
    list of Difference
        Empty when they say the same.
    """
    if second is None:
        return [Difference("Bundle", ("entry",), True, False)]
    found: list[Difference] = []
    if first.resources.keys() == second.resources.keys():
        for url, resource in first.resources.items():
            other = second.resources[url]
            if resource != other:
                found += [Difference(first.names[url], *leaf) for leaf in differences(resource, other)]
        return found
    names = _names(first, second)
    mine = {name: _named(first.resources[url], first.names) for url, name in first.names.items()}
    theirs = {name: _named(second.resources[url], names) for url, name in names.items()}
    for name in mine.keys() | theirs.keys():
        if mine.get(name) != theirs.get(name):
            found += [Difference(name, *leaf) for leaf in differences(mine.get(name, {}), theirs.get(name, {}))]
    return found


def _names(first: Output, second: Output) -> dict[str, str]:
    """Name the resources of the second output as those of the first one that they stand for."""
    free: dict[str, list[str]] = defaultdict(list)
    for url, name in first.names.items():
        if url not in second.resources:
            free[name.partition("[")[0]].append(name)
    names: dict[str, str] = {}
    for url in second.resources:
        kind = second.names[url].partition("[")[0]
        if url in first.names:
            names[url] = first.names[url]
        elif free[kind]:
            names[url] = free[kind].pop(0)
        else:
            names[url] = f"{kind}[new {len(names)}]"
    return names


def _named(value: Any, names: dict[str, str], top: bool = True) -> Any:
    """Copy a resource with names in the place of full URLs; `id` is made of the same key as the URL."""
    if isinstance(value, dict):
        return {key: _named(part, names, False) for key, part in value.items() if not (top and key == "id")}
    if isinstance(value, list):
        return [_named(part, names, False) for part in value]
    return names.get(value, value) if isinstance(value, str) else value


def differences(first: Any, second: Any, path: Path = (), verbatim: bool = False) -> Iterator[tuple[Path, bool, bool]]:
    """Give the leaves of two trees that differ: path, whether it stands in the first tree, whether it is verbatim text.

    Items of lists are paired from both ends, so that an added item does not make all behind it differ.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        verbatim = verbatim or (first.get("url") in VERBATIM and second.get("url") in VERBATIM)
        for key in first | second:
            if key not in second:
                yield from leaves(first[key], (*path, key), True, verbatim)
            elif key not in first:
                yield from leaves(second[key], (*path, key), False, verbatim)
            elif first[key] != second[key]:
                yield from differences(first[key], second[key], (*path, key), verbatim)
    elif isinstance(first, list) and isinstance(second, list):
        yield from _in_lists(first, second, path, verbatim)
    elif first.__class__ is not second.__class__ or first != second:
        yield from leaves(first, path, True, verbatim)
        yield from leaves(second, path, False, verbatim)


def _in_lists(first: list[Any], second: list[Any], path: Path, verbatim: bool) -> Iterator[tuple[Path, bool, bool]]:
    shorter = min(len(first), len(second))
    head = next((index for index in range(shorter) if first[index] != second[index]), shorter)
    rest = shorter - head
    tail = next((index for index in range(rest) if first[-1 - index] != second[-1 - index]), rest)
    mine, theirs = range(head, len(first) - tail), range(head, len(second) - tail)
    for index, other in zip(mine, theirs, strict=False):
        yield from differences(first[index], second[other], (*path, index), verbatim)
    for index in mine[len(theirs) :]:
        yield from leaves(first[index], (*path, index), True, verbatim)
    for index in theirs[len(mine) :]:
        yield from leaves(second[index], (*path, index), False, verbatim)


def leaves(value: Any, path: Path = (), present: bool = True, verbatim: bool = False) -> Iterator[tuple[Path, bool, bool]]:
    """Give every leaf of a tree, as `differences` gives those that differ."""
    if isinstance(value, dict):
        verbatim = verbatim or value.get("url") in VERBATIM
        for key, part in value.items():
            yield from leaves(part, (*path, key), present, verbatim)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index), present, verbatim)
    else:
        yield path, present, verbatim
