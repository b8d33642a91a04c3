"""Spoils messages as real feeds do: which faults a message gets, and how each is made.

A row of `faults.csv` names an action. On fields: `write` puts `text` at `place` (`{}` is what stood there, `{comma}` the same
with a decimal comma, `{lower}` in lower case, `{unit}` OBX-6, `{name}` the name of OBX-3), `trail` adds `text` to all segments of
a name, `insert` puts a segment behind the first of a name, `remove` takes all of a name away. On the whole: `lines` and `encode`
change line ends and character set to `place` (and MSH-18 to `text`), `replace` puts `text` for the first occurrence of `place`,
`cut` and `frame-cut` break off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

from adapter.replay.generate.habits import Fault, faults

#: Segments, each with its name at 0 and field n at n (MSH-1 too).
Segments = list[list[str]]

LINE_ENDS = {"CR": "\r", "LF": "\n", "CRLF": "\r\n"}

#: What a message gets that has only ASCII and is to show its character set.
_EIGHT_BIT_NOTE = ["NTE", "1", "L", "Kontrolle nötig"]

_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which faults messages get.

    Parameters
    ----------
    share : Decimal or None
        Share of messages with a fault. None: with `names`, every message; without, each fault as often as it was counted.
    names : tuple of str
        Only these faults; empty: all.
    """

    share: Decimal | None = None
    names: tuple[str, ...] = ()
    _by_form: dict[str, list[Fault]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for fault in faults().values():
            if not self.names or fault.name in self.names:
                self._by_form.setdefault(fault.form, []).append(fault)

    def choose(self, form: str, random: Random) -> list[Fault]:
        """Choose the faults of a message.

        Parameters
        ----------
        form : {"er7", "fhir"}
            What the message is.
        random : Random
            Source of chance.

        Returns
        -------
        list of Fault
            As a rule none or one; several only when each comes as often as it was counted.
        """
        possible = self._by_form.get(form)
        if not possible:
            return []
        if self.share is None and not self.names:
            return [fault for fault in possible if random.randrange(fault.messages) < fault.counted]
        if self.share is not None and random.randrange(_MILLION) >= self.share * _MILLION:
            return []
        if self.names:
            return [random.choice(possible)]
        return random.choices(possible, weights=[fault.counted for fault in possible])


def plan_of(values: list[str]) -> FaultPlan | None:
    """Read `--faults`.

    Parameters
    ----------
    values : list of str
        Names of faults, at most one share (0 to 1), or `as-counted`.

    Returns
    -------
    FaultPlan or None
        None without values.

    Raises
    ------
    ValueError
        What is wrong, and what is allowed.
    """
    shares, names = [], []
    for value in values:
        if value in faults():
            names.append(value)
        elif value != "as-counted":
            shares.append(_share(value))
    if len(shares) > 1 or ("as-counted" in values and len(values) > 1):
        raise ValueError("give names of faults and at most one share, or as-counted alone")
    return FaultPlan(shares[0] if shares else None, tuple(names)) if values else None


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no fault and no share; --list-faults prints the faults") from None
    if not share.is_finite() or not 0 <= share <= 1:
        raise ValueError(f"the share {text} is not between 0 and 1")
    return share


@dataclass(slots=True)
class Draft:
    """A v2 message before it becomes bytes."""

    segments: Segments
    line_end: str
    codec: str


def spoil(draft: Draft, fault: Fault) -> bool:
    """Make a fault in the fields of a v2 message.

    Parameters
    ----------
    draft : Draft
        Changed in place.
    fault : Fault
        What to do; faults of the text as a whole are left to `spoil_text`.

    Returns
    -------
    bool
        Whether the message had a place for the fault.
    """
    if fault.action == "write":
        return _write(draft.segments, fault)
    if fault.action in ("trail", "insert", "remove"):
        return _change_segments(draft.segments, fault)
    if fault.action == "lines":
        changed = draft.line_end != LINE_ENDS[fault.place]
        draft.line_end = LINE_ENDS[fault.place]
        return changed
    if fault.action == "encode":
        draft.codec = fault.place
        draft.segments[0][18:] = [fault.text]
        draft.segments.append(list(_EIGHT_BIT_NOTE))
        return True
    return False


def _write(segments: Segments, fault: Fault) -> bool:
    name, _, number = fault.place.partition("-")
    position = int(number)
    for segment in segments:
        # results: the first one that is a number, so that the fault spoils what counts
        if segment[0] != name or (name == "OBX" and (segment[2] != "NM" or not segment[5])):
            continue
        old = segment[position] if position < len(segment) else ""
        new = fault.text
        if "{" in new:
            new = new.replace("{}", old).replace("{comma}", old.replace(".", ",")).replace("{lower}", old.lower())
            if name == "OBX":
                new = new.replace("{unit}", segment[6].partition("^")[0]).replace("{name}", segment[3].split("^")[1])
        if new == old:
            return False
        segment += [""] * (position + 1 - len(segment))
        segment[position] = new
        return True
    return False


def _change_segments(segments: Segments, fault: Fault) -> bool:
    places = [place for place, segment in enumerate(segments) if segment[0] == fault.place]
    if not places:
        return False
    if fault.action == "trail":
        for place in places:
            segments[place] += [""] * len(fault.text)
    elif fault.action == "insert":
        text = fault.text.replace("{cr}", "\r").replace("{nul}", "\0").replace("{ff}", "\f")
        segments.insert(places[0] + 1, text.split("|"))
    else:
        segments[:] = [segment for segment in segments if segment[0] != fault.place]
    return True


def spoil_text(data: bytes, fault: Fault, random: Random) -> bytes:
    """Make a fault in the bytes of a message.

    Parameters
    ----------
    data : bytes
        The message.
    fault : Fault
        `replace`, `cut` or `frame-cut`; nothing happens for others.
    random : Random
        Source of chance.

    Returns
    -------
    bytes
        The message, changed or not.
    """
    if fault.action == "replace":
        return data.replace(fault.place.encode(), fault.text.encode(), 1)
    if fault.action in ("cut", "frame-cut"):
        end = random.randint(len(data) * 2 // 3, len(data) - 5)
        while data[end - 1 : end] in (b"\r", b"\n"):
            end -= 1
        return b"\x0b" * (fault.action == "frame-cut") + data[:end]
    return data


def spoil_tree(observation: dict[str, Any], fault: Fault) -> bool:
    """Make a fault in a FHIR Observation.

    Parameters
    ----------
    observation : dict
        Changed in place.
    fault : Fault
        `write` with a path of names; JSON as text, empty to remove the element.

    Returns
    -------
    bool
        Whether the Observation had a place for the fault.
    """
    if fault.action != "write":
        return False
    *above, name = fault.place.split(".")
    element = observation
    for step in above:
        if step not in element:
            return False
        element = element[step]
    if not fault.text:
        return element.pop(name, None) is not None
    element[name] = Raw(fault.text.replace("{}", str(element.get(name, ""))))
    return True


class Raw(str):
    """JSON that is written as it is, valid or not."""

    __slots__ = ()
