"""Separators that nothing follows, and fields of blanks alone: they carry nothing and are no part of the message.

`|1^A^^|||` says `|1^A` (HL7 v2.5.1 chapter 2.5.3). Read alike, the two are the same result with the same identity, whichever
way a sender writes it today.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATORS = frozenset("|^&~")
# a pattern that begins with a literal is found in half the time that `in` takes for two frequent characters
_EMPTY_COMPONENT = re.compile(r"\^\|")
_EMPTY_SUBCOMPONENT = re.compile(r"&[|~^]")
_BLANK = re.compile(r"\| ")
_BLANK_START = re.compile(r"\|\s")
#: Fields of text, where a separator may be a character that the sender forgot to escape; and MSH-2.
_KEPT_FIELDS = {"MSH": 1, "OBX": 5, "NTE": 3}


def may_have_empty_parts(text: str, lines: Sequence[str], start: int = 0) -> bool:
    """Tell, quickly and never too narrow, whether there is anything to remove.

    Parameters
    ----------
    text : str
        Segments with canonical delimiters.
    lines : sequence of str
        The same, one by one.
    start : int
        Where to begin in the text.

    Returns
    -------
    bool
        Whether a separator stands before the end of what it separates, or a blank at the beginning of a field.
    """
    if _EMPTY_COMPONENT.search(text, start) or _BLANK.search(text, start):
        return True
    if not _SEPARATORS.isdisjoint([line[-1:] for line in lines]):
        return True
    if text.find("&", start) >= 0 and _EMPTY_SUBCOMPONENT.search(text, start):
        return True
    if text.find("~", start) >= 0 and (text.find("^~", start) >= 0 or text.find("~|", start) >= 0):
        return True
    return not text.isascii() and _BLANK_START.search(text, start) is not None


def without_empty_parts(name: str, text: str) -> str:
    """Give a segment without what carries nothing.

    Parameters
    ----------
    name : str
        Its name.
    text : str
        The segment with canonical delimiters.

    Returns
    -------
    str
        The segment; OBX-5, NTE-3 and MSH-2 as they were.
    """
    text = text.rstrip("|")
    if not may_have_empty_parts(text, (text,)):
        return text
    fields = text.split("|")
    kept = _KEPT_FIELDS.get(name, 0)
    for number, field in enumerate(fields):
        if number != kept and field:
            fields[number] = "" if field.isspace() else _without_ends(field)
    return "|".join(fields)


def _without_ends(field: str) -> str:
    repetitions = [repetition.rstrip("^&") for repetition in field.split("~")]
    if "&^" in field:
        repetitions = ["^".join([part.rstrip("&") for part in repetition.split("^")]) for repetition in repetitions]
    return "~".join(repetitions).rstrip("~")
