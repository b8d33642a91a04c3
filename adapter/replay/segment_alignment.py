"""Which segment of one message stands for which of another one: by name and content, order kept.

What is the same in both is found first; between such stretches segments of one name are matched so that most of their fields
agree. One inserted OBX therefore does not make all results behind it differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Protocol, TypeVar

#: Above this product of lengths, segments between equal stretches are matched by name in order.
_TRIES = 250_000
#: What two segments must have in common, in thousandths of their valued fields, to be taken for one that changed.
_ALIKE = 400
#: The fields that say what a segment is about; agreeing there counts as much as all other fields together.
KEYS = {"OBX": (3, 4), "OBR": (2, 3, 4), "ORC": (2, 3), "PID": (3,), "SPM": (2, 4), "NTE": (3,)}


class Comparable(Protocol):
    """A segment with its fields by number."""

    @property
    def name(self) -> str:
        """Three characters."""

    @property
    def fields(self) -> list[str]:
        """Fields; the name is at 0."""


S = TypeVar("S", bound=Comparable)


def aligned(old: Sequence[S], new: Sequence[S]) -> list[tuple[S | None, S | None]]:
    """Match the segments of two messages.

    Parameters
    ----------
    old, new : sequence of Comparable
        Segments in order.

    Returns
    -------
    list of (Comparable or None, Comparable or None)
        In order; None where a segment has no partner.
    """
    counts = Counter(one.name for one in old), Counter(one.name for one in new)
    single = {name for name in counts[0] if counts[0][name] == counts[1][name] == 1}
    texts, texts_of_new = (["|".join(one.fields) for one in segments] for segments in (old, new))
    pairs: list[tuple[S | None, S | None]] = []
    for kind, start, end, from_, to in SequenceMatcher(None, texts, texts_of_new, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs += zip(old[start:end], new[from_:to], strict=True)
        else:
            pairs += _matched(old[start:end], new[from_:to], single)
    return pairs


def _matched(old: Sequence[S], new: Sequence[S], single: set[str]) -> list[tuple[S | None, S | None]]:
    """Match so that the sum of likenesses is greatest (the way of Needleman and Wunsch, without cost for gaps)."""
    rows, columns = len(old), len(new)
    if rows * columns > _TRIES:
        return _in_order(old, new)
    likeness = [[_likeness(one, other, single) for other in new] for one in old]
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            value = max(best[row + 1][column], best[row][column + 1])
            if likeness[row][column]:
                value = max(value, best[row + 1][column + 1] + likeness[row][column])
            best[row][column] = value
    pairs: list[tuple[S | None, S | None]] = []
    row = column = 0
    while row < rows and column < columns:
        if likeness[row][column] and best[row][column] == best[row + 1][column + 1] + likeness[row][column]:
            pairs.append((old[row], new[column]))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            pairs.append((old[row], None))
            row += 1
        else:
            pairs.append((None, new[column]))
            column += 1
    return pairs + [(one, None) for one in old[row:]] + [(None, other) for other in new[column:]]


def _likeness(one: Comparable, other: Comparable, single: set[str]) -> int:
    """Tell how much two segments have in common, in thousandths; 0 when they are no pair."""
    if one.name != other.name:
        return 0
    if one.name in single:
        return 1000
    mine, theirs = one.fields, other.fields
    numbers = range(1, max(len(mine), len(theirs)))
    values = [(mine[n] if n < len(mine) else "", theirs[n] if n < len(theirs) else "") for n in numbers]
    valued = [pair for pair in values if pair != ("", "")]
    if not valued:
        return 1000
    share = 1000 * sum(first == second for first, second in valued) // len(valued)
    keys = [values[n - 1] for n in KEYS.get(one.name, ()) if n <= len(values) and values[n - 1] != ("", "")]
    if keys:
        share = (share + 1000 * sum(first == second for first, second in keys) // len(keys)) // 2
    return share if share >= _ALIKE else 0


def _in_order(old: Sequence[S], new: Sequence[S]) -> list[tuple[S | None, S | None]]:
    rest: dict[str, list[S]] = {}
    for other in new:
        rest.setdefault(other.name, []).append(other)
    pairs: list[tuple[S | None, S | None]] = []
    for one in old:
        others = rest.get(one.name)
        pairs.append((one, others.pop(0) if others else None))
    return pairs + [(None, other) for others in rest.values() for other in others]
