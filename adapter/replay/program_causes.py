"""Which parts of the program are behind what differs under the old tables and settings.

The parts that changed and took part in the conversion of a message come into question. Where one part does, it is the cause; of
several, each is put back as it was (in halves, `program_trial.py`), and a part is the cause of the elements that become other
ones then. What no part alone explains is the doing of several of them.

Messages in which the same elements differ are taken to differ for the same cause: three of each kind are tried.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from adapter.hl7v2.framing import RawMessage
from adapter.replay.accepted import Record
from adapter.replay.manifest import Manifest
from adapter.replay.program import Part, changed_ground, changed_parts, parts_that_ran
from adapter.replay.program_trial import ProgramTrial, program_trial
from adapter.replay.report import Cause
from adapter.replay.trial import Trial, causes_of
from adapter.replay.variant import Variant

_TRIED = 3
_NUMBERS = re.compile(r"\[(?:new )?\d+\]| #\d+")

#: Causes by path.
_Found = dict[str, list[Cause]]


def try_program(trial: Trial, base: Variant, before: Sequence[Record], manifest: Manifest) -> None:
    """Note the parts of the program that are causes.

    Parameters
    ----------
    trial : Trial
        The messages.
    base : Variant
        The program of today under the old tables and settings.
    before : sequence of Record
        What it gives.
    manifest : Manifest
        Has the program as it was.
    """
    parts, ground = changed_parts(manifest.program), changed_ground(manifest.program)
    paths = [list(trial.values(number, record)) for number, record in enumerate(before)]
    kinds: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, mine in enumerate(paths):
        if mine:
            kinds[frozenset(map(_kind, mine))].append(number)
    samples = [number for numbers in kinds.values() for number in numbers[:_TRIED]]
    guilty = {number: _guilty(trial.messages[number].raw, base, parts) for number in samples}
    found = _tried(trial, before, manifest, guilty) if any(len(some) > 1 for some in guilty.values()) else {}
    for numbers in kinds.values():
        causes: _Found = defaultdict(list)
        for number in numbers[:_TRIED]:
            every = _cause(guilty[number], ground)
            for path in paths[number]:
                causes[_kind(path)] += causes_of(path, found.get(number, {})) or [every]
        for number in numbers:
            for path in paths[number]:
                trial.note(number, [path], causes[_kind(path)])


def _kind(path: str) -> str:
    """Path without the numbers of list items and of things of a kind."""
    return _NUMBERS.sub("", path)


def _guilty(raw: RawMessage, base: Variant, parts: Sequence[Part]) -> list[Part]:
    # a pipeline of its own: one that remembers would not run what it remembers
    ran = parts_that_ran(partial(_run_anew, base, raw)) if parts else set()
    return [part for part in parts if (part.file, part.name) in ran]


def _run_anew(base: Variant, raw: RawMessage) -> None:
    Variant(base.tables, base.settings).run(raw)


def _tried(trial: Trial, before: Sequence[Record], manifest: Manifest, guilty: dict[int, list[Part]]) -> dict[int, _Found]:
    """Put parts back, and see which elements become other ones."""
    found: dict[int, _Found] = defaultdict(lambda: defaultdict(list))
    every = sorted({part for some in guilty.values() for part in some})

    def halves(program: ProgramTrial, parts: Sequence[Part], numbers: list[int]) -> None:
        records = program.run(parts, [trial.messages[number].raw for number in numbers])
        if records is not None:
            hits = [(number, record) for number, record in zip(numbers, records, strict=True) if record != before[number]]
            numbers = [number for number, _ in hits]
            if len(parts) == 1:
                cause = _cause(parts, ())
                for number, record in hits:
                    for path in trial.paths(number, before[number], record):
                        found[number][path].append(cause)
        if len(parts) > 1 and numbers:
            middle = len(parts) // 2
            halves(program, parts[:middle], numbers)
            halves(program, parts[middle:], numbers)

    with program_trial(manifest) as program:
        halves(program, every, list(guilty))
    return found


def _cause(parts: Sequence[Part], ground: Sequence[str]) -> Cause:
    if not parts:
        return Cause("program", "what the program runs on", ", ".join(ground) or "no part of the program that ran has changed")
    names = [f"{part.file} line {part.line} ({part.name})" for part in parts]
    return Cause("program", " or ".join(names), "changed" if len(names) == 1 else "changed; each of them ran")
