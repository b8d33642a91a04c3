"""The valued components of a message, and variants of the message in which some of them are other than they were.

A component is a leaf of the message: a subcomponent where a component has several, else the component, else the field. Its place
is written as in issues, with the repetition in brackets: `PID[1]-3(2).4.1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from adapter.hl7v2.message import Message, Segment, place, valued


class Position(NamedTuple):
    """Where a leaf stands: index of the segment in the message; field, and indices of repetition, component and subcomponent."""

    segment: int
    field: int
    repetition: int
    component: int
    subcomponent: int


@dataclass(frozen=True, slots=True)
class Component:
    """One valued leaf of a message.

    Parameters
    ----------
    position : Position
        Where it stands.
    place : str
        `OBX[2]-5`, `PID[1]-3(2).4.1`.
    field : str
        The field that it belongs to, as rules name it: `PID-3`.
    path : str
        Component and subcomponent within the field: `4.1`; empty where the field has one leaf.
    text : str
        The text in ER7.
    """

    position: Position
    place: str
    field: str
    path: str
    text: str


def components_of(message: Message) -> list[Component]:
    """Give every valued leaf of a message but the delimiters (MSH-1, MSH-2), in order.

    Parameters
    ----------
    message : Message
        The message as read.

    Returns
    -------
    list of Component
        Explicit nulls and blanks are not valued.
    """
    return [leaf for index, segment in enumerate(message.segments) for leaf in _leaves(index, segment)]


def _leaves(index: int, segment: Segment) -> Iterator[Component]:
    first = 3 if segment.name == "MSH" else 1
    for number, field in enumerate(segment.fields[first:], first):
        if not valued(field):
            continue
        repetitions = field.split("~")
        for repetition, text in enumerate(repetitions):
            parts = text.split("^")
            for component, part in enumerate(parts):
                leaves = part.split("&")
                for subcomponent, leaf in enumerate(leaves):
                    if not valued(leaf.strip()):
                        continue
                    path = f"{component + 1}.{subcomponent + 1}" if len(leaves) > 1 else str(component + 1)
                    path = path if len(parts) > 1 or len(leaves) > 1 else ""
                    where = place(segment, number) + (f"({repetition + 1})" if len(repetitions) > 1 else "")
                    yield Component(
                        Position(index, number, repetition, component, subcomponent),
                        f"{where}.{path}" if path else where,
                        f"{segment.name}-{number}",
                        path,
                        leaf,
                    )


def variant(message: Message, texts: Iterable[tuple[Component, str]]) -> Message:
    """Give the message with other texts in some of its leaves.

    Parameters
    ----------
    message : Message
        The message; not changed.
    texts : iterable of (Component, str)
        Leaves and what stands there instead.

    Returns
    -------
    Message
        Shares the segments that are the same.
    """
    segments = list(message.segments)
    for component, text in texts:
        where = component.position
        old = segments[where.segment]
        fields = list(old.fields)
        fields[where.field] = _replaced(fields[where.field], where, text)
        if old.name == "MSH":
            del fields[1]
        segments[where.segment] = Segment(old.name, old.number, "|".join(fields))
    return Message(message.source, segments, [], message.charset, message.field_separator, message.encoding_characters)


def _replaced(field: str, where: Position, text: str) -> str:
    repetitions = field.split("~")
    parts = repetitions[where.repetition].split("^")
    leaves = parts[where.component].split("&")
    leaves[where.subcomponent] = text
    parts[where.component] = "&".join(leaves)
    repetitions[where.repetition] = "^".join(parts)
    return "~".join(repetitions)


def altered(text: str) -> str:
    """Give another text of the same kind: a number or a time with another last digit, a word with another letter."""
    last = text[-1]
    if not last.isascii() or not last.isdigit():
        return text + "Z"
    return text[:-1] + ("1" if last == "0" else str(int(last) - 1))
