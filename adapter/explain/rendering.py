"""Accounts and explanations as text and as plain data for JSON. Texts and values of the message appear only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path as File
from typing import Any

from adapter.enrich.mark import RULES as ENRICHMENT_RULES
from adapter.enrich.result import Change
from adapter.explain.account import Account
from adapter.explain.components import Component
from adapter.explain.explanation import Element, Explanation, Source
from adapter.fhir.canonical import MARK
from adapter.issues import Issue
from adapter.tables.index import Tables

#: Gives the row of a table by its id, as text: `0085-f (mappings/common/tables/0085.csv:9)`.
RowText = Callable[[str], str]


def row_text(tables: Tables) -> RowText:
    """Make the function that says where a table row stands.

    Parameters
    ----------
    tables : Tables
        Loaded mapping tables.

    Returns
    -------
    function
        Id -> id, file and line; the file as seen from the working folder.
    """
    known: dict[str, str] = {}

    def text(row: str) -> str:
        if row not in known:
            try:
                found = tables.row(row)
            except KeyError:
                known[row] = row
            else:
                file, here = File(found.file), File.cwd()
                near = file.relative_to(here) if file.is_absolute() and file.is_relative_to(here) else file
                known[row] = f"{row} ({near}:{found.line})"
        return known[row]

    return text


def account_lines(account: Account, show_phi: bool) -> Iterator[str]:
    """Write an account: the counts, each reason of a drop with its places, each loss with its place.

    Parameters
    ----------
    account : Account
        The account.
    show_phi : bool
        Whether to show the text of what is lost.

    Yields
    ------
    str
        Lines.
    """
    counts = account.counts
    yield f"{sum(counts.values())} components: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())
    reasons: dict[str, list[str]] = {}
    for posting in account.of_kind("dropped"):
        reasons.setdefault(posting.reason, []).append(posting.component.place)
    for reason, places in reasons.items():
        yield f"  dropped {', '.join(places)}: {reason}"
    for posting in account.of_kind("lost"):
        yield f"  LOST {posting.component.place}: {posting.reason}{_text(posting.component, show_phi)}"


def account_data(account: Account, show_phi: bool) -> dict[str, Any]:
    """Give an account as plain data.

    Parameters
    ----------
    account : Account
        The account.
    show_phi : bool
        Whether to show texts of the message.

    Returns
    -------
    dict
        `counts`; `dropped` and `lost`, each with places and reasons.
    """
    rows: dict[str, list[dict[str, str]]] = {"dropped": [], "lost": []}
    for posting in account.postings:
        if posting.kind in rows:
            row = {"place": posting.component.place, "reason": posting.reason}
            if show_phi:
                row["text"] = posting.component.text
            rows[posting.kind].append(row)
    return {"counts": account.counts, **rows}


def _text(component: Component, show_phi: bool) -> str:
    return f" [{component.text!r}]" if show_phi else ""


def explanation_lines(explanation: Explanation, row: RowText, show_phi: bool) -> Iterator[str]:
    """Write an explanation as a tree: resource, elements with one explanation, what explains them.

    Parameters
    ----------
    explanation : Explanation
        The explanation.
    row : function
        From `row_text`.
    show_phi : bool
        Whether to show texts and values.

    Yields
    ------
    str
        Lines.
    """
    for resource, elements in groupby(_without_marks(explanation.elements), key=lambda element: element.resource):
        yield resource
        for _, group in groupby(elements, key=_explained_by):
            same = list(group)
            yield from (f"  {element.name}{f' = {_shown(element.value)}' if show_phi else ''}" for element in same)
            yield from (f"      {line}" for line in _because(same[0], row, show_phi))
    for issue in explanation.issues:
        where = f" at {issue.place}" if issue.place else ""
        detail = f": {issue.detail}" if issue.detail else ""
        yield f"issue {issue.slug}{where}{detail}. {issue.kind.action}"
    for reason, places in _unused(explanation.unused):
        yield f"in no element: {', '.join(places)}: {reason}"


def _without_marks(elements: list[Element]) -> list[Element]:
    """Leave the marks of enrichment out: what they say stands beside them."""
    marks = {(element.resource, element.path[:-1]) for element in elements if element.value == MARK}
    return [one for one in elements if not any((one.resource, one.path[:end]) in marks for end in range(len(one.path)))]


def _unused(unused: Iterable[tuple[Component, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for component, reason in unused:
        found.setdefault(reason or "no reason is written down; see b2m-adapter audit", []).append(component.place)
    return list(found.items())


def _explained_by(element: Element) -> tuple[Any, ...]:
    return (element.path[0], element.sources, element.changes, element.as_received)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _because(element: Element, row: RowText, show_phi: bool) -> Iterator[str]:
    for change in element.changes:
        yield from _change_lines(change, row, show_phi)
    if element.as_received:
        yield "as received"
    elif not element.sources and not element.changes:
        yield "by the adapter: no component of the message changes it"
    for source in element.sources:
        verb = "decided by" if element.changes else "from"
        rules = ", ".join(dict.fromkeys(rule.identifier for rule in source.rules))
        rows = "".join(f"; row {row(one)}" for one in source.rows)
        yield f"{verb} {source.component.place}{_text(source.component, show_phi)}" + (f"  rule {rules}" if rules else "") + rows


def _change_lines(change: Change, row: RowText, show_phi: bool) -> Iterator[str]:
    where = f"; row {row(change.row)}" if change.row else ""
    yield f"enrichment {change.rule}: {ENRICHMENT_RULES[change.rule]}{where}"
    for number, step in enumerate(change.steps, 1):
        found = f"row {row(step.row)}" if step.row else "no row"
        # what was looked up is text of the message; a row that is named already says nothing without it
        if show_phi:
            yield f"  step {number}: {step.what}: {found}"
        elif step.row not in ("", change.row):
            yield f"  step {number}: {found}"


def explanation_data(explanation: Explanation, row: RowText, show_phi: bool) -> dict[str, Any]:
    """Give an explanation as plain data.

    Parameters
    ----------
    explanation : Explanation
        The explanation.
    row : function
        From `row_text`.
    show_phi : bool
        Whether to show texts and values.

    Returns
    -------
    dict
        `elements`, `issues`, `unused`.
    """
    return {
        "elements": [_element_data(element, row, show_phi) for element in explanation.elements],
        "issues": [_issue_data(issue) for issue in explanation.issues],
        "unused": [{"reason": reason, "places": places} for reason, places in _unused(explanation.unused)],
    }


def _element_data(element: Element, row: RowText, show_phi: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"resource": element.resource, "path": element.name}
    if show_phi:
        data["value"] = str(element.value)
    if element.as_received:
        data["as_received"] = True
    if element.sources:
        data["sources"] = [_source_data(source, row, show_phi) for source in element.sources]
    if element.changes:
        data["enrichment"] = [_change_data(change, row, show_phi) for change in element.changes]
    return data


def _source_data(source: Source, row: RowText, show_phi: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"place": source.component.place, "rules": [rule.identifier for rule in source.rules]}
    if source.rows:
        data["rows"] = [row(one) for one in source.rows]
    if show_phi:
        data["text"] = source.component.text
    return data


def _change_data(change: Change, row: RowText, show_phi: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"rule": change.rule, "meaning": ENRICHMENT_RULES[change.rule]}
    if change.row:
        data["row"] = row(change.row)
    if change.steps:
        data["rows"] = [row(step.row) for step in change.steps if step.row]
    if show_phi and change.steps:
        data["steps"] = [step.what for step in change.steps]
    return data


def _issue_data(issue: Issue) -> dict[str, str]:
    data = {"severity": issue.severity, "slug": issue.slug, "place": issue.place, "detail": issue.detail}
    return {**data, "action": issue.kind.action}
