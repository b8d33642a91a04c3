"""Times to compare: the text of a time as it was sent, brought to digits; never a clock, never a guess.

A moment is digits from the year to what is known (`2026010112`, `20260101120000123`), followed by `Z` where the offset was
known (the digits are UTC then). Two moments compare only as far as both are known: `2026` is neither older nor newer than
`20260101`, and a time without offset is older than one with only where it would be so at every offset of the world.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TIME = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:T?(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(Z|[+-]\d\d:?\d\d)?(?:\^.*)?"
)
# Offsets of the world: UTC-12:00 to UTC+14:00.
_EARLIEST, _LATEST = timedelta(hours=14), timedelta(hours=12)
_LENGTHS = {"year": 4, "month": 6, "day": 8, "hour": 10, "minute": 12, "second": 14}


@lru_cache(maxsize=4096)
def moment(text: str) -> str:
    """Bring a time to digits.

    Parameters
    ----------
    text : str
        A FHIR `dateTime` or `instant`, or an HL7 v2 time (chapter 2A, DTM and TS): `20260101120000.123-0600`.

    Returns
    -------
    str
        Digits, with `Z` where the offset is known; empty where the text is no time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return ""
    digits = "".join(part for part in match.groups()[:6] if part)
    fraction, offset = match[7] or "", match[8] or ""
    try:
        start = _start(digits)
        if not offset or len(digits) < _LENGTHS["minute"]:
            # a date with an offset names no instant
            return digits + fraction
        if offset != "Z":
            minutes = int(offset[1:3]) * 60 + int(offset[-2:])
            start -= timedelta(minutes=minutes if offset[0] == "+" else -minutes)
    except (ValueError, OverflowError):
        return ""
    text = f"{start.year:04d}{start.month:02d}{start.day:02d}{start.hour:02d}{start.minute:02d}{start.second:02d}"
    return text[: len(digits)] + fraction + "Z"


def order(one: str, other: str) -> int:
    """Compare two moments.

    Parameters
    ----------
    one, other : str
        Moments; empty where nothing is known.

    Returns
    -------
    int
        -1 when `one` is older for certain, 1 when it is newer for certain, else 0.
    """
    if not one or not other or one == other:
        return 0
    if (one[-1] == "Z") == (other[-1] == "Z"):
        length = min(len(one.rstrip("Z")), len(other.rstrip("Z")))
        first, second = one[:length], other[:length]
        return (first > second) - (first < second)
    if one[-1] == "Z":
        return -order(other, one)
    # with room at both ends of the calendar
    if _end(one) <= _moved(_start(other[:-1]), -_LATEST):
        return -1
    return 1 if _start(one) >= _moved(_end(other[:-1]), _EARLIEST) else 0


def _start(digits: str) -> datetime:
    """First instant of what the digits name, read as UTC."""
    whole = digits[:14]
    filled = whole + "00000101000000"[len(whole) :]
    month, day, hour, minute, second = (int(filled[at : at + 2]) for at in range(4, 14, 2))
    # a leap second names the instant before it
    return datetime(int(filled[:4]), month, day, hour, minute, min(second, 59), tzinfo=UTC)


def _end(digits: str) -> datetime:
    """First instant after what the digits name, read as UTC; a year and a month count long."""
    step = {4: timedelta(days=366), 6: timedelta(days=31), 8: timedelta(days=1), 10: timedelta(hours=1), 12: timedelta(minutes=1)}
    return _moved(_start(digits), step.get(len(digits), timedelta(seconds=1)))


def _moved(instant: datetime, by: timedelta) -> datetime:
    """Move an instant, not beyond the calendar: a sender may write 9999 for never."""
    try:
        return instant + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta() else datetime.min.replace(tzinfo=UTC)
