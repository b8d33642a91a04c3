"""What a change of the tables would change in the output: messages run through both sets, each difference traced to its rows.

A row is a cause when the old tables with this row alone give another output for the message. Rows that cannot stand alone (a pack
and its codes), or that only act together, are named together. The version of the tables is no difference, although every output
names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from adapter.config import Settings
from adapter.pipeline import Outcome, Pipeline
from adapter.replay.sources import Source
from adapter.tables.difference import Difference, applied
from adapter.tables.index import Tables

#: Stands for the version of both sets, so that outputs differ in what the rows say only.
_VERSION = "0" * 64


@dataclass(slots=True)
class Effect:
    """What some rows change.

    Parameters
    ----------
    rows : tuple of Difference
        The cause: one row, or several that act together only.
    messages : list of str
        Messages whose output changes through them.
    issues : list of str
        `+slug` and `-slug` of issues that come up or go away, each once.
    """

    rows: tuple[Difference, ...]
    messages: list[str] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Replayed:
    """Result of a replay: how many messages ran, which changed, and through which rows."""

    messages: int
    changed: list[str]
    effects: list[Effect]


def replay_change(old: Tables, new: Tables, found: Sequence[Difference], messages: Iterable[Source]) -> Replayed:
    """Run messages with both sets of tables and trace what changes.

    Parameters
    ----------
    old, new : Tables
        The sets.
    found : sequence of Difference
        What `differences` gave for them.
    messages : iterable of Source
        Messages.

    Returns
    -------
    Replayed
        Effects, those of most messages first.
    """
    before, after = _Runner(old), _Runner(new)
    count = 0
    changed: list[Source] = []
    for source in messages:
        count += 1
        if before(source) != after(source):
            changed.append(source)
    return Replayed(count, [str(source) for source in changed], _effects(old, new, found, changed) if changed else [])


class _Runner:
    """A pipeline whose output can be compared with that of other tables."""

    def __init__(self, tables: Tables) -> None:
        self._pipeline = Pipeline(replace(tables, version=_VERSION), Settings())

    def __call__(self, source: Source) -> tuple[object, ...]:
        outcome = self.outcome(source)
        return outcome.fate, outcome.lines, [(issue.slug, issue.place) for issue in outcome.issues]

    def outcome(self, source: Source) -> Outcome:
        return self._pipeline(source.raw)


def _effects(old: Tables, new: Tables, found: Sequence[Difference], changed: Sequence[Source]) -> list[Effect]:
    before, after = _Runner(old), _Runner(new)
    effects: list[Effect] = []
    traced: set[Source] = set()
    dependent: list[Difference] = []
    for _, group in groupby(found, key=lambda one: one.sheet):
        rows = list(group)
        # most changes touch few files: a file without effect costs one run and not one for each of its rows
        whole = _changed_by(old, new, rows, before, changed)
        if whole is None:
            dependent += rows
        elif whole:
            traced |= set(whole)
            alone = [(row, _changed_by(old, new, [row], before, whole)) for row in rows]
            effects += [_effect((row,), messages, before, after) for row, messages in alone if messages]
            explained = {message for _, messages in alone for message in messages or ()}
            together = [message for message in whole if message not in explained]
            if together:
                effects.append(_effect(tuple(rows), together, before, after))
    rest = [source for source in changed if source not in traced]
    if rest:
        effects.append(_effect(tuple(dependent or found), rest, before, after))
    return sorted(effects, key=lambda effect: (-len(effect.messages), [row.row for row in effect.rows]))


def _changed_by(
    old: Tables, new: Tables, rows: Sequence[Difference], before: _Runner, messages: Sequence[Source]
) -> list[Source] | None:
    """Messages whose output changes through these rows alone; None where the rows cannot stand alone."""
    tables = applied(old, new, rows)
    if tables is None:
        return None
    run = _Runner(tables)
    return [source for source in messages if run(source) != before(source)]


def _effect(rows: tuple[Difference, ...], messages: Sequence[Source], before: _Runner, after: _Runner) -> Effect:
    slugs: dict[str, None] = {}
    for source in messages:
        gone, come = ({issue.slug for issue in run.outcome(source).issues} for run in (before, after))
        slugs |= dict.fromkeys([f"-{slug}" for slug in sorted(gone - come)] + [f"+{slug}" for slug in sorted(come - gone)])
    return Effect(rows, [str(source) for source in messages], list(slugs))
