"""What differs between two v2 messages, by field name: `OBX[2]-5 observation value: "4.20" -> "4.2"`. Pure.

Messages are read as the converter reads them, so that delimiters, escape sequences, character set, line ends and separators that
nothing follows do not count; nor do set ids, which only count. Segments are matched by name and content
(`segment_alignment.py`), then field by field, component by component. With `strict` the fields are compared as they were sent.
Field names are those of HL7 v2.5.1, for what came later those of v2.8.2 (`field_names.csv`).
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import NamedTuple

from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Message, read_message
from adapter.replay.segment_alignment import aligned

#: Segments whose first field is a set id.
SET_ID_SEGMENTS = frozenset({"PID", "NK1", "NTE", "PV1", "DB1", "OBR", "OBX", "SPM", "TQ1", "TQ2", "FT1", "SFT"})
_LINE_END = re.compile(r"\r\n?|\n")
#: Text fields, where `^` and `&` may be characters; MSH-2 is made of separators.
_WHOLE_FIELDS = frozenset({("MSH", 1), ("MSH", 2), ("NTE", 3)})
_TEXT_TYPES = frozenset({"ST", "TX", "FT"})


class FieldDifference(NamedTuple):
    """One thing that is not the same in both messages.

    Parameters
    ----------
    path : str
        Where, as engineers write it: `OBX[2]-5`, `OBX[2]-3.1`, `OBX[3]` for a whole segment. Segments are numbered as in the
        first message; those that only the second one has, as in the second one.
    name : str
        Name of the field; empty for a segment and for fields that the standard does not define.
    old, new : str or None
        What stands there; None where there is no such segment.
    """

    path: str
    name: str
    old: str | None
    new: str | None


class _Read(NamedTuple):
    """A segment ready to be compared: fields by their number (MSH-1 too)."""

    name: str
    number: int
    fields: list[str]
    text: str


@cache
def field_names() -> dict[tuple[str, int], str]:
    """Read `field_names.csv`.

    Returns
    -------
    dict
        Name by segment and field number.
    """
    text = (files("adapter.replay") / "field_names.csv").read_text(encoding="utf-8")
    return {(row["segment"], int(row["field"])): row["name"] for row in csv.DictReader(io.StringIO(text))}


def message_differences(old: bytes, new: bytes, *, strict: bool = False) -> list[FieldDifference]:
    r"""Compare two v2 messages.

    Parameters
    ----------
    old, new : bytes
        Messages without frames.
    strict : bool
        Whether delimiters, escapes, set ids, separators that nothing follows, line ends and character set count, too.

    Returns
    -------
    list of FieldDifference
        In the order of the messages.

    Raises
    ------
    issues.Rejected
        When one of them is no v2 message.
    """
    messages = read_message(old), read_message(new)
    mine, theirs = (_as_sent(message) if strict else _as_read(message) for message in messages)
    found: list[FieldDifference] = []
    for one, other in aligned(mine, theirs):
        if other is None:
            assert one is not None
            found.append(FieldDifference(f"{one.name}[{one.number}]", "", one.text, None))
        elif one is None:
            found.append(FieldDifference(f"{other.name}[{other.number}]", "", None, other.text))
        else:
            found += _field_differences(one, other, strict)
    if strict and not found and old != new:
        found.append(FieldDifference("message", "line ends or character set", None, None))
    return found


def _as_read(message: Message) -> list[_Read]:
    """Segments with canonical delimiters; set ids are left out."""
    read = []
    for segment in message.segments:
        fields = list(segment.fields)
        if segment.name == "MSH":
            # what delimits is no content
            fields[1:3] = ["", ""]
        elif segment.name in SET_ID_SEGMENTS and len(fields) > 1:
            fields[1] = ""
        read.append(_Read(segment.name, segment.number, fields, segment.text))
    return read


def _as_sent(message: Message) -> list[_Read]:
    text = message.source.decode(message.charset, "replace").lstrip("\ufeff\x0b")
    separator = message.field_separator
    counts: dict[str, int] = {}
    read = []
    for line in _LINE_END.split(text.strip("\r\n\x1c")):
        fields = line.split(separator)
        counts[fields[0]] = number = counts.get(fields[0], 0) + 1
        if fields[0] == "MSH":
            fields.insert(1, separator)
        read.append(_Read(fields[0], number, fields, line))
    return read


def _field_differences(one: _Read, other: _Read, strict: bool) -> list[FieldDifference]:
    place = one.name if one.name == "MSH" else f"{one.name}[{one.number}]"
    found = []
    for number, (old, new) in enumerate(zip_longest(one.fields, other.fields, fillvalue="")):
        if old == new:
            continue
        name = field_names().get((one.name, number), "")
        parts = [("", old, new)] if strict else _parts(one, other, number, old, new)
        found += [FieldDifference(f"{place}-{number}{part}", name, before, after) for part, before, after in parts]
    return found


def _parts(one: _Read, other: _Read, number: int, old: str, new: str) -> list[tuple[str, str, str]]:
    """Repetitions and components that differ, with what they say; the field as a whole where it is text."""
    if (one.name, number) in _WHOLE_FIELDS or (one.name == "OBX" and number == 5 and _is_text(one) and _is_text(other)):
        before, after = unescape(old), unescape(new)
        return [("", before, after)] if before != after else []
    before_all, after_all = old.split("~"), new.split("~")
    several = max(len(before_all), len(after_all)) > 1
    found = []
    for repetition, (mine, theirs) in enumerate(zip_longest(before_all, after_all, fillvalue=""), 1):
        which = f"[{repetition}]" if several else ""
        components = mine.split("^"), theirs.split("^")
        composite = max(map(len, components)) > 1
        for component, (before, after) in enumerate(zip_longest(*components, fillvalue=""), 1):
            # subcomponents are compared one by one, so that `\T\` is not taken for a separator
            if [unescape(part) for part in before.split("&")] != [unescape(part) for part in after.split("&")]:
                found.append((f"{which}.{component}" if composite else which, unescape(before), unescape(after)))
    return found


def _is_text(segment: _Read) -> bool:
    return len(segment.fields) > 2 and segment.fields[2] in _TEXT_TYPES


def paired_messages(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int | None, int | None]]:
    """Find which messages of two files belong together.

    Parameters
    ----------
    old, new : sequence of bytes
        v2 messages, one as a rule.

    Returns
    -------
    list of (int or None, int or None)
        Indices: two single messages belong together; of several, the n-th with an MSH-10 and the n-th with the same; if no id is
        in both files, those in the same place.
    """
    if len(old) == len(new) == 1:
        return [(0, 0)]
    mine, theirs = _by_control_id(old), _by_control_id(new)
    common = mine.keys() & theirs.keys()
    if not common:
        return list(zip_longest(range(len(old)), range(len(new))))
    partner = {mine[key]: theirs[key] for key in common}
    taken = set(partner.values())
    rest = [place for place in range(len(new)) if place not in taken]
    pairs: list[tuple[int | None, int | None]] = [(place, partner.get(place)) for place in range(len(old))]
    return pairs + [(None, place) for place in rest]


def _by_control_id(messages: Sequence[bytes]) -> dict[tuple[str, int], int]:
    """Index of each message by its MSH-10, and how many messages before it have the same (resends)."""
    seen: Counter[str] = Counter()
    found = {}
    for place, data in enumerate(messages):
        control_id = read_message(data).control_id
        found[control_id, seen[control_id]] = place
        seen[control_id] += 1
    return found
