"""Which laboratory performed a test, as far as `laboratories.csv` and the sender's row say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapter.enrich.result import Result
from adapter.tables.lookups import Step, resolve_laboratory


def laboratory_of(result: Result) -> tuple[str, tuple[Step, ...]]:
    """Find the performing laboratory: by identifier or exact name, else by the sender's row.

    Parameters
    ----------
    result : Result
        The result.

    Returns
    -------
    tuple of str and tuple of Step
        Its key, empty where it is unknown or where two laboratories performed the test; and what was looked up.
    """
    context, tables = result.context, result.tables
    result.recurs = False
    steps: tuple[Step, ...] = ()
    found = set()
    for organization in context.organizations:
        identifiers = [(item.get("system", ""), item.get("value", "")) for item in organization.get("identifier", ())]
        names = [name for name in (organization.get("name", ""), *organization.get("alias", ())) if name]
        resolution = resolve_laboratory(tables, identifiers, names)
        steps += resolution.steps
        found.add(resolution.laboratory)
    if not context.organizations:
        resolution = resolve_laboratory(
            tables, (), _performers(context.observation), context.sender_application, context.sender_facility
        )
        return resolution.laboratory, resolution.steps
    return (found.pop() if len(found) == 1 else ""), steps


def _performers(observation: dict[str, Any]) -> Iterable[str]:
    """Names of performing organisations of which only the reference was sent."""
    for reference in observation.get("performer", ()):
        kind = reference.get("type") or reference.get("reference", "").split("/")[0]
        if kind == "Organization" and reference.get("display"):
            yield reference["display"]
