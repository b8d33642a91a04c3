"""Why outputs changed, found by trying: what was changed is put back, one thing at a time, and the messages run again.

The old tables are made again from the manifest. What differs under the old tables and the old settings is the program's doing
(`program_causes.py`). A table row or a setting is a cause of an element when the element becomes another one with this change
alone put into the old tables, or with this change alone taken out of the new ones. Changes are tried in halves, so that a hundred
rows without effect cost one run and not a hundred.

An element that no single change explains was made by several that act only together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from adapter.config import Settings
from adapter.replay.accepted import Record
from adapter.replay.manifest import Manifest, shown_file, stable_file
from adapter.replay.program_causes import try_program
from adapter.replay.report import Cause
from adapter.replay.trial import Changed, Trial, causes_of
from adapter.replay.variant import Variant
from adapter.tables.difference import Difference, applied
from adapter.tables.index import Tables
from adapter.tables.layers import Origin

#: Settings that change no output: tables are compared row by row, and what is too large is so for all.
_WITHOUT_EFFECT = frozenset({"mappings", "limit"})
_NAMED_TOGETHER = 5
#: A row, whatever it says: its file and its key.
_Key = tuple[str, tuple[str, ...]]


def find_causes(
    changed: Sequence[Changed],
    manifest: Manifest,
    old: Tables | None,
    tables: Tables,
    settings: Settings,
    rows: Sequence[Difference],
) -> None:
    """Find the causes of every difference; fills `causes` of each message.

    Parameters
    ----------
    changed : sequence of Changed
        The messages.
    manifest : Manifest
        What the accepted outputs were made with.
    old : Tables or None
        Its tables; None where they cannot be made again.
    tables : Tables
        The tables in use.
    settings : Settings
        The settings in use.
    rows : sequence of Difference
        Rows that differ between both.
    """
    same = []
    for message in changed:
        if message.old.digest != message.new.digest:
            cause = Cause("message", "the message itself", "it is another one than when its output was accepted")
            message.causes = [[cause] for _ in message.differences]
        else:
            same.append(message)
    if not same:
        return
    changed_settings = setting_differences(manifest.settings, settings)
    if old is None:
        cause = Cause("unknown", "not known", "the tables of the manifest do not pass the checks of this program")
        for message in same:
            message.causes = [[cause] for _ in message.differences]
        return
    trial = Trial(same)
    base = Variant(old, manifest.settings)
    before = [base.run(message.raw) for message in same]
    now = [message.new for message in same]
    try_program(trial, base, before, manifest)
    named = {name: Cause("setting", f"setting {name}", f"{one} -> {other}") for name, one, other in changed_settings}
    _try_settings(trial, old, manifest.settings, settings, before, named)
    _try_settings(trial, tables, settings, manifest.settings, now, named)
    causes = row_causes(rows, old, tables, manifest)
    back = [_reversed(row) for row in rows]
    every = range(len(same))
    _try_rows(trial, rows, every, before, causes, lambda some: _variant(applied(old, tables, some), manifest.settings))
    _try_rows(trial, back, every, now, causes, lambda some: _variant(applied(tables, old, some), settings))
    rest = _together([*causes.values(), *named.values()])
    for message, touched in zip(same, trial.touched, strict=True):
        message.causes = [causes_of(one.path, touched) or [rest] for one in message.differences]


def _together(causes: Sequence[Cause]) -> Cause:
    if not causes:
        return Cause("unknown", "not known", "neither tables nor settings changed, and the program does what it did")
    titles = ", ".join(cause.title for cause in causes[:_NAMED_TOGETHER])
    more = f" and {len(causes) - _NAMED_TOGETHER} more" if len(causes) > _NAMED_TOGETHER else ""
    return Cause("together", titles + more, "none of them alone, several of them together")


def row_causes(rows: Sequence[Difference], old: Tables, new: Tables, manifest: Manifest) -> dict[_Key, Cause]:
    """Name rows as causes: file and line of today, of the manifest for a row that is gone."""
    found: dict[_Key, Cause] = {}
    places = {side: _places(tables, {row.sheet for row in rows}) for side, tables in (("old", old), ("new", new))}
    for row in rows:
        origin = places["new"].get((row.sheet, row.key)) or places["old"][row.sheet, row.key]
        file = shown_file(stable_file(origin.file, manifest.folder), manifest.folder)
        gone = ", gone" if row.kind == "removed" else ""
        title = f"{file} line {origin.line} (row {row.row}{gone})"
        found[row.sheet, row.key] = Cause("row", title, f"{row.kind}: {str(row).partition(': ')[2]}")
    return found


def _places(tables: Tables, sheets: set[str]) -> dict[_Key, Origin]:
    return {
        (name, key): origin
        for name in sheets & tables.sheets.keys()
        for key, origin in zip(tables.sheets[name].keys(), tables.sheets[name].origins, strict=True)
    }


def _variant(tables: Tables | None, settings: Settings) -> Variant | None:
    return None if tables is None else Variant(tables, settings)


def _try_settings(
    trial: Trial, tables: Tables, mine: Settings, other: Settings, reference: Sequence[Record], causes: dict[str, Cause]
) -> None:
    for name, cause in causes.items():
        variant = Variant(tables, replace(mine, **{name: getattr(other, name)}))
        for number, message in enumerate(trial.messages):
            record = variant.run(message.raw)
            if record != reference[number]:
                trial.note(number, trial.paths(number, reference[number], record), [cause])


def setting_differences(old: Settings, new: Settings) -> list[tuple[str, str, str]]:
    """Give the settings that differ and may change outputs: name, old and new value as text."""
    found = []
    for one in fields(Settings):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if before != after and one.name not in _WITHOUT_EFFECT:
            found.append((one.name, _setting_text(before), _setting_text(after)))
    return found


def settings_in_use(settings: Settings) -> tuple[str, ...]:
    """Give the settings that are not the default: name and value."""
    chosen = [(one.name, getattr(settings, one.name)) for one in fields(Settings) if getattr(settings, one.name) != one.default]
    return tuple(f"{name} {_setting_text(value)}" for name, value in chosen)


def _setting_text(value: Any) -> str:
    return ",".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value) or "none"


def _try_rows(
    trial: Trial,
    rows: Sequence[Difference],
    messages: Iterable[int],
    reference: Sequence[Record],
    causes: dict[_Key, Cause],
    make: Callable[[Sequence[Difference]], Variant | None],
) -> None:
    """Try rows in halves: those whose messages stay the same are done with."""
    if not rows:
        return
    messages = list(messages)
    variant = make(rows)
    if variant is not None:
        records = [(number, variant.run(trial.messages[number].raw)) for number in messages]
        records = [(number, record) for number, record in records if record != reference[number]]
        if len(rows) == 1:
            cause = causes[rows[0].sheet, rows[0].key]
            for number, record in records:
                trial.note(number, trial.paths(number, reference[number], record), [cause])
        messages = [number for number, _ in records]
    if len(rows) > 1 and messages:
        half = len(rows) // 2
        _try_rows(trial, rows[:half], messages, reference, causes, make)
        _try_rows(trial, rows[half:], messages, reference, causes, make)


def _reversed(row: Difference) -> Difference:
    kinds: dict[str, Any] = {"added": "removed", "removed": "added", "changed": "changed"}
    return Difference(kinds[row.kind], row.sheet, row.key, row.new, row.old, row.columns)
