"""Reads the text of a reference range, and refuses where it would have to guess.

One regular expression for ranges with two bounds and one for ranges with one bound must match the whole text; everything
else is refused and stays text. A wrong bound can harm a patient, an unread one cannot. Refused on purpose, though a person
might read them:

- `1,000-2,000` and `0,6-2,4`: the comma may separate thousands or decimals, and the sender's habit is not known;
- `5-`, `-5` and `- <6`: an open end, a sign or an empty bound;
- `00-1`, `5.-8`: no plain numbers, perhaps the rest of something that was cut off;
- `35-150^35^150`, `4.50&5.90`, `70_105`, `<1:80`, `M: 1-2 F: 3-4`, `Up to 3.0`, `<130 optimal`: more than a range, or words;
- `>2-7.2`, `3--5`, `5-3`: contradictions;
- `0-0`, `0.00-0.00`: no width, as a rule a template that nobody filled.

A word behind the bounds is a unit where it is the unit of the result as sent, has a `/` before a letter, or is `%`. The
caller must compare the unit with the unit of the result before it uses the bounds.

References
----------
HL7 v2.5.1 chapter 7, 7.4.2.7 (OBX-7: `lower limit-upper limit`, `> lower limit`, `< upper limit`, or words); the v2-to-FHIR
mapping of OBX-7 ("if OBX-7 is sufficiently parseable").
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

#: A longer text is no range but a paragraph.
_LONGEST = 80

_NUMBER = r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)"
_UNIT = r"(?:%|[A-Za-zµμ]*/[A-Za-zµμ\[{(][^\s,;:<>=-]*|[A-Za-zµμ]+/24 ?h)"
_TWO_BOUNDS = re.compile(
    rf"(?P<low>-?{_NUMBER})\s*(?P<low_unit>{_UNIT})?(?:\s*[-–]\s*|\s+(?:to|TO)\s+)"
    rf"(?P<below>(?:<=|=<|<|≤)\s*)?(?P<high>-?{_NUMBER})\s*(?P<unit>{_UNIT})?",
)
_ONE_BOUND = re.compile(rf"(?P<comparator><=|=<|≤|<|>=|=>|≥|>)\s*(?P<bound>{_NUMBER})\s*(?P<unit>{_UNIT})?")
_BRACKETS = re.compile(rf"(?:\[(?P<square>[^\[\]()]*)\]|\((?P<round>[^\[\]()]*)\))\s*(?P<unit>{_UNIT})?")


class ParsedRange(NamedTuple):
    """A reference range that was read with certainty.

    Parameters
    ----------
    low, high : decimal.Decimal or None
        The bounds; None where the range is open.
    low_inclusive, high_inclusive : bool
        Whether the bound itself is inside. Without meaning (True) where there is no bound.
    low_text, high_text : str
        The bounds as written; empty where there is none.
    unit : str
        The unit that the text names, as written; mostly empty.
    text : str
        The whole text as given.
    """

    low: Decimal | None
    high: Decimal | None
    low_inclusive: bool
    high_inclusive: bool
    low_text: str
    high_text: str
    unit: str
    text: str


@lru_cache(maxsize=2048)
def parse_range(text: str, sent_unit: str = "") -> ParsedRange | None:
    """Read the text of a reference range.

    Parameters
    ----------
    text : str
        OBX-7 or `Observation.referenceRange.text`, unescaped.
    sent_unit : str
        Unit of the result as sent. Where the text ends with it, it is known for a unit however it is written (`ug/g creat`).

    Returns
    -------
    ParsedRange or None
        None where the text is no range that can be read with certainty.
    """
    if len(text) > _LONGEST:
        return None
    inner, unit = _without_unit(text.strip(), sent_unit)
    if inner[:1] in ("[", "("):
        brackets = _BRACKETS.fullmatch(inner)
        if brackets is None:
            return None
        inner = (brackets["square"] or brackets["round"] or "").strip()
        unit = unit or brackets["unit"] or ""
    found = _two_bounds(inner, text) or _one_bound(inner, text)
    if found is None or not unit:
        return found
    return None if found.unit else found._replace(unit=unit)


def _without_unit(inner: str, unit: str) -> tuple[str, str]:
    """Split the unit of the result from the end of the text; only a unit that cannot belong to the number may touch it."""
    if not unit or not inner.endswith(unit):
        return inner, ""
    rest = inner[: -len(unit)]
    glued = rest[-1:].isalpha() or rest.endswith("/") or (rest[-1:].isdigit() and not (unit[0].isalpha() or unit[0] in "%/[{"))
    return (inner, "") if glued else (rest.rstrip(), unit)


def _two_bounds(inner: str, text: str) -> ParsedRange | None:
    found = _TWO_BOUNDS.fullmatch(inner)
    if found is None:
        return None
    low_text, high_text, unit = found["low"], found["high"], found["unit"] or ""
    low, high = Decimal(low_text), Decimal(high_text)
    if low >= high or (found["low_unit"] or unit) != unit:
        return None
    inclusive = (found["below"] or "").strip() != "<"
    return ParsedRange(low, high, True, inclusive, low_text, high_text, unit, text)


def _one_bound(inner: str, text: str) -> ParsedRange | None:
    found = _ONE_BOUND.fullmatch(inner)
    if found is None:
        return None
    comparator, bound_text, unit = found["comparator"], found["bound"], found["unit"] or ""
    bound, inclusive = Decimal(bound_text), comparator not in ("<", ">")
    if comparator in ("<", "<=", "=<", "≤"):
        return ParsedRange(None, bound, True, inclusive, "", bound_text, unit, text)
    return ParsedRange(bound, None, inclusive, True, bound_text, "", unit, text)
