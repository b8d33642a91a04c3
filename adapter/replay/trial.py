"""What is known while causes are looked for: the messages, and which of their elements each change was seen to touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.json import dumps, loads
from adapter.hl7v2.framing import RawMessage
from adapter.replay.accepted import Record
from adapter.replay.comparison import Difference, compare
from adapter.replay.report import Cause

#: What differs from the accepted output, by path: old and new value.
Values = dict[str, tuple[bytes, bytes]]


@dataclass(slots=True)
class Changed:
    """A message whose meaning changed.

    Parameters
    ----------
    raw : RawMessage
        The message.
    old, new : Record
        Accepted output and present one.
    differences : list of Difference
        What differs between them.
    causes : list of list of Cause
        Of each difference; filled by `find_causes`.
    """

    raw: RawMessage
    old: Record
    new: Record
    differences: list[Difference]
    causes: list[list[Cause]] = field(default_factory=list)


def record_differences(old: Record, new: Record, *, strict: bool = False) -> list[Difference]:
    """Compare what became of a message: its fate, its output, its issues.

    Parameters
    ----------
    old, new : Record
        Accepted and present output.
    strict : bool
        Whether order, ids and volatile elements count.

    Returns
    -------
    list of Difference
        Empty when both mean the same.
    """
    found = [] if old.fate == new.fate else [Difference("fate", old.fate, new.fate)]
    if old.lines != new.lines:
        found += compare(_trees(old.lines), _trees(new.lines), strict=strict)
    gone, come = list(old.issues), []
    for issue in new.issues:
        if issue in gone:
            gone.remove(issue)
        else:
            come.append(issue)
    found += [Difference(f"issue {issue}", "reported", None) for issue in gone]
    return found + [Difference(f"issue {issue}", None, "reported") for issue in come]


def _trees(lines: Sequence[bytes]) -> Any:
    trees = [loads(line) for line in lines]
    return trees[0] if len(trees) == 1 else trees


@dataclass(slots=True)
class Trial:
    """Messages under trial.

    Parameters
    ----------
    messages : list of Changed
        The messages.
    touched : list of dict of str to list of Cause
        For each message, causes by the path of what they touch.
    """

    messages: list[Changed]
    touched: list[dict[str, list[Cause]]] = field(default_factory=list)
    _known: dict[tuple[int, int], Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.touched = [{} for _ in self.messages]

    def values(self, number: int, record: Record) -> Values:
        """Give what differs from the accepted output; paths are then the same whatever is tried."""
        old = self.messages[number].old
        if record == old:
            return {}
        return {one.path: (dumps(one.old), dumps(one.new)) for one in record_differences(old, record)}

    def paths(self, number: int, reference: Record, other: Record) -> list[str]:
        """Give the paths of what is other in the second output."""
        key = (number, id(reference))
        if key not in self._known:
            self._known[key] = self.values(number, reference)
        before, after = self._known[key], self.values(number, other)
        return [path for path in before | after if before.get(path) != after.get(path)]

    def note(self, number: int, paths: Iterable[str], causes: Sequence[Cause]) -> None:
        """Note that causes touch elements of a message."""
        for path in paths:
            known = self.touched[number].setdefault(path, [])
            known += [cause for cause in causes if cause not in known]


def causes_of(path: str, touched: dict[str, list[Cause]]) -> list[Cause]:
    """Causes of an element: what touched it, something in it, or the whole that it is part of."""
    found: dict[Cause, None] = {}
    for other, causes in touched.items():
        if other == path or _within(path, other) or _within(other, path):
            found |= dict.fromkeys(causes)
    return list(found)


def _within(path: str, whole: str) -> bool:
    return path.startswith((whole + ".", whole + "["))
