"""The part of an explanation that somebody asks for: `Observation.interpretation`, `Observation[2].code.coding[0]`, `Patient`."""

from __future__ import annotations

import re

from adapter.explain.explanation import Element, Explanation
from adapter.issues import Issue

_STEP = re.compile(r"([A-Za-z_]+)(?:\[(\d+)\])?")


def steps(path: str) -> list[tuple[str, int | None]]:
    """Take a path apart.

    Parameters
    ----------
    path : str
        Names with an index or without one, joined by points. Resources count from 1, elements from 0, as the tree shows them.

    Returns
    -------
    list of (str, int or None)
        Name and index; None: any.

    Raises
    ------
    ValueError
        When it is no such path.
    """
    found: list[tuple[str, int | None]] = []
    for step in path.split("."):
        match = _STEP.fullmatch(step)
        if match is None:
            raise ValueError(path)
        found.append((match[1], int(match[2]) if match[2] else None))
    return found


def select(explanation: Explanation, path: str) -> Explanation:
    """Give the elements at a path or below it, and the issues at the fields behind them.

    Parameters
    ----------
    explanation : Explanation
        All of it.
    path : str
        See `steps`.

    Returns
    -------
    Explanation
        The part; without elements when the output has none there.
    """
    wanted = steps(path)
    elements = [element for element in explanation.elements if _is_at(element, wanted)]
    fields = {re.split(r"[.(]", source.component.place)[0] for element in elements for source in element.sources}
    return Explanation(elements, [issue for issue in explanation.issues if _concerns(issue, fields, wanted)])


def _is_at(element: Element, wanted: list[tuple[str, int | None]]) -> bool:
    mine = [*steps(element.resource)]
    for part in element.path:
        if isinstance(part, int):
            mine[-1] = (mine[-1][0], part)
        else:
            mine.append((part, None))
    if len(mine) < len(wanted):
        return False
    return all(
        name == asked or (position > 0 and name == "_" + asked) if index is None else (name, number) == (asked, index)
        for position, ((name, number), (asked, index)) in enumerate(zip(mine, wanted, strict=False))
    )


def _concerns(issue: Issue, fields: set[str], wanted: list[tuple[str, int | None]]) -> bool:
    if re.split(r"[.(]", issue.place)[0] in fields:
        return True
    return len(wanted) > 1 and issue.place.endswith("." + wanted[1][0])
