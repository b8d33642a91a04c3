"""Tells of results that were held back because something newer was delivered."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from adapter.issues import Issue
from adapter.service.engine.worker import Converted


def stale_issues(converted: Converted, stale: Iterable[str]) -> Converted:
    """Add an issue for each update that was held back.

    Parameters
    ----------
    converted : Converted
        A message.
    stale : iterable of str
        Identities, from `gate.decide`.

    Returns
    -------
    Converted
        The same with `stale-result` issues; the place is the type of the resource and its number among the updates.
    """
    held = frozenset(stale)
    found = [
        Issue("stale-result", f"{version.identity.partition('?')[0].partition('/')[0]}[{number}]")
        for number, version in enumerate(converted.contents.versions, start=1)
        if version.identity in held
    ]
    rows = [*orjson.loads(converted.issues), *({"slug": issue.slug, "place": issue.place, "detail": ""} for issue in found)]
    slugs = converted.slugs + tuple(issue.slug for issue in found)
    return converted._replace(issues=orjson.dumps(rows), slugs=slugs)
