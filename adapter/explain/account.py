"""The account of a message: each valued component is mapped, kept verbatim, dropped for a written reason, or lost.

A component is carried when the output is another one without it. One that makes no difference may still be carried: the message
may say the same twice, in the same words (the order number in ORC-2 and OBR-2) or in others (the name and the OID of a coding
system); then it must make a difference where the other one is taken away, which makes none alone either. And it may say what
the output says without it, too (the type ISO of an OID, the name of a table beside its code); then another text in its place must
make the output say something else.

What is not carried must be on the list of allowed drops: a field by its rules (`Rule(drop=...)`), a component by a row of
`drops.csv`. Everything else is a loss.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from adapter.convert.message import all_rules
from adapter.convert.rules import Rule
from adapter.explain.components import Component, altered, components_of, variant
from adapter.explain.outputs import Difference, Output, Workbench, compare
from adapter.hl7v2.message import Message

Kind = Literal["mapped", "verbatim", "dropped", "lost"]
KINDS: tuple[Kind, ...] = ("mapped", "verbatim", "dropped", "lost")


@dataclass(frozen=True, slots=True)
class Posting:
    """What became of one component.

    Parameters
    ----------
    component : Component
        The component.
    kind : {"mapped", "verbatim", "dropped", "lost"}
        What became of it.
    reason : str
        Why it is dropped, or what is known of a loss.
    """

    component: Component
    kind: Kind
    reason: str = ""


@dataclass(slots=True)
class Account:
    """All postings of a message, in the order of the message."""

    postings: list[Posting] = field(default_factory=list)

    @property
    def counts(self) -> dict[Kind, int]:
        """Number of components of each kind."""
        found = Counter(posting.kind for posting in self.postings)
        return {kind: found[kind] for kind in KINDS}

    def of_kind(self, kind: Kind) -> list[Posting]:
        """Postings of one kind."""
        return [posting for posting in self.postings if posting.kind == kind]


@cache
def rules_by_field() -> dict[str, tuple[Rule, ...]]:
    """Give the rules of the mapping by the field that they read: `OBX-17`."""
    found: dict[str, tuple[Rule, ...]] = defaultdict(tuple)
    for rules in all_rules().values():
        for rule in rules:
            found[rule.source] += (rule,)
    return dict(found)


@cache
def allowed_drops() -> dict[str, str]:
    """Give the reasons of `drops.csv` by component: `OBX-5.3`."""
    text = (files("adapter.explain") / "drops.csv").read_text(encoding="utf-8")
    return {row["component"]: row["reason"] for row in csv.DictReader(text.splitlines())}


def account_of(message: Message, source: bytes, workbench: Workbench, field_name: str = "") -> Account | None:
    """Draw up the account of a message.

    Parameters
    ----------
    message : Message
        The message as read.
    source : bytes
        The message as it came.
    workbench : Workbench
        Converts the message and its variants: once for each component.
    field_name : str
        Only the components of this field (`OBX-17`); empty: all.

    Returns
    -------
    Account or None
        None when the message is not converted.
    """
    output = workbench.convert(message, source)
    if output is None:
        return None
    trial = _Trial(message, source, workbench, output, components_of(message))
    chosen = [one for one in trial.components if not field_name or one.field == field_name]
    found = [trial.without(one) for one in chosen]
    silent = [one for one, differences in zip(chosen, found, strict=True) if not differences]
    return Account([_posting(trial, one, made, silent) for one, made in zip(chosen, found, strict=True)])


@dataclass(frozen=True, slots=True)
class _Trial:
    """A message under trial: what it becomes, and what variants of it become."""

    message: Message
    source: bytes
    workbench: Workbench
    output: Output
    components: list[Component]

    def convert(self, texts: Sequence[tuple[Component, str]]) -> Output | None:
        return self.workbench.convert(variant(self.message, texts), self.source)

    def without(self, *some: Component) -> list[Difference]:
        return compare(self.output, self.convert([(one, "") for one in some]))


def _posting(trial: _Trial, one: Component, made: list[Difference], silent: Sequence[Component]) -> Posting:
    found = made or _beside_same_text(trial, one) or _beside_neighbour(trial, one, silent)
    found = found or _instead_of_another(trial, one, []) or _instead_of_another(trial, one, _same_field(trial, one))
    if found:
        return Posting(one, "verbatim" if all(difference.verbatim for difference in found) else "mapped")
    reason = reason_of_drop(one)
    if reason:
        return Posting(one, "dropped", reason)
    rules = rules_by_field().get(one.field)
    return Posting(one, "lost", "it makes no difference to the output" if rules else "no rule reads this field")


def _beside_same_text(trial: _Trial, one: Component) -> list[Difference]:
    """Compare with and without the component in a message that says its text nowhere else."""
    others = [(other, "") for other in trial.components if other.text == one.text and other is not one]
    alone = trial.convert(others) if others else None
    return compare(alone, trial.convert([*others, (one, "")])) if alone is not None else []


def _beside_neighbour(trial: _Trial, one: Component, silent: Sequence[Component]) -> list[Difference]:
    """Compare without it and without another one of its field that makes no difference alone: two ways to say one thing."""
    here = one.position[:2]
    for other in silent:
        if other is not one and other.position[:2] == here:
            found = trial.without(one, other)
            if found:
                return found
    return []


def _instead_of_another(trial: _Trial, one: Component, taken: Sequence[Component]) -> list[Difference]:
    """Compare with another text in its place; one that is merely kept as sent says nothing about what stood there."""
    without = [(other, "") for other in taken]
    output = trial.convert(without) if without else trial.output
    found = compare(output, trial.convert([*without, (one, altered(one.text))])) if output is not None else []
    return [] if all(difference.verbatim for difference in found) else found


def _same_field(trial: _Trial, one: Component) -> list[Component]:
    """Give the components of other segments whose field says exactly what the field of this one says."""
    segments = trial.message.segments
    text = segments[one.position.segment][one.position.field]
    others = [other for other in trial.components if other.field == one.field and other.position.segment != one.position.segment]
    return [other for other in others if segments[other.position.segment][other.position.field] == text]


def reason_of_drop(component: Component) -> str:
    """Give the written reason why a component need not be in the output; empty when there is none.

    Parameters
    ----------
    component : Component
        The component.

    Returns
    -------
    str
        Reason of the field's rule, if all its rules drop it, or of `drops.csv`.
    """
    rules = rules_by_field().get(component.field, ())
    if rules and all(rule.drop for rule in rules):
        return rules[0].drop
    return allowed_drops().get(f"{component.field}.{component.path}" if component.path else component.field, "")
