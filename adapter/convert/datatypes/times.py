"""TS, DTM, DT, TM and DR -> dateTime, date, instant, time and Period.

FHIR needs an offset as soon as there is a time of day. It is, in this order: the offset in the text, MSH-7's offset, the
configured zone (`Environment` knows which of the last two holds for the sender). Without any, and where the local time does
not exist or exists twice, the date alone is given and the text kept (A25). The precision sent is the precision given, but
that FHIR wants seconds where there are minutes: they are zero-filled, as FHIR R4 2.24.0.1 allows; a time that has the hour
only keeps its text beside (A26). What is no date is never repaired: the element has only its text.

HL7 v2.5.1 chapter 2: DTM 2.A.22, DT 2.A.21, TM 2.A.75, TS 2.A.77 (its second component, the degree of precision, limits what
is given), DR 2.A.20.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from adapter.convert.datatypes.text import ORIGINAL_TEXT, components, keep, put
from adapter.convert.environment import Environment, Fault, add_shortcut
from adapter.convert.rules import Primitive

_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d+)?)?)?)?)?)?([+-](?:0\d|1[0-3])[0-5]\d|[+-]1400)?", re.ASCII
)
_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d)(\.\d+)?)?)?([+-]\d{4})?", re.ASCII)
#: Days and offsets that are remembered: some years of a feed.
_REMEMBERED = 2048
_CLOCK = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d", re.ASCII)
#: Digits that a degree of precision (HL7 v2.5.1 2.A.77.2) leaves standing.
_PRECISION_DIGITS = {"Y": 4, "L": 6, "D": 8}


def _kept(value: str | None, text: str) -> Primitive:
    return Primitive(value, ({"url": ORIGINAL_TEXT, "valueString": text},))


def _offset(moment: datetime, environment: Environment) -> str:
    """Give the offset of a local time as FHIR writes it; empty where there is none, `?` where there are two."""
    if environment.default_offset:
        return environment.default_offset
    zone = environment.zone
    if zone is None:
        return ""
    first = zone.utcoffset(moment)
    if first != zone.utcoffset(moment.replace(fold=1)):
        return "?"
    assert first is not None
    seconds = first.days * 86400 + first.seconds
    sign = "+" if seconds >= 0 else "-"
    minutes, rest = divmod(abs(seconds), 60)
    # Local mean times before standard time have seconds, which no offset of FHIR can say.
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}" if not rest else ""


@lru_cache(_REMEMBERED)
def _day(text: str) -> str:
    """Write `YYYYMMDD` as FHIR does; empty for what is no day of the calendar."""
    match = _DATE_TIME.fullmatch(text)
    if match is None or match[3] is None or match[4] or match[8]:
        return ""
    try:
        datetime(int(match[1]), int(match[2]), int(match[3]))  # noqa: DTZ001  (only checks the calendar)
    except ValueError:
        return ""
    return f"{match[1]}-{match[2]}-{match[3]}"


@lru_cache(_REMEMBERED)
def _sent_offset(text: str) -> str:
    """Write `+ZZZZ` as FHIR does; empty for what is no offset."""
    match = _DATE_TIME.fullmatch("2000" + text)
    return f"{text[:3]}:{text[3:]}" if match is not None and match[8] == text else ""


def usual_time(text: str, environment: Environment) -> str:
    """Read `YYYYMMDDHHMMSS[+ZZZZ]`, as nearly all times are written; empty where `read_time` has to look closer."""
    count = len(text)
    if count == 19:
        zone = _sent_offset(text[14:])
    elif count == 14:
        zone = environment.default_offset
    else:
        return ""
    day = _day(text[:8])
    if day and zone and _CLOCK.match(text, 8):
        return f"{day}T{text[8:10]}:{text[10:12]}:{text[12:14]}{zone}"
    return ""


def read_time(text: str, environment: Environment, component: str = "") -> str | Primitive | None:
    """Read a time that stands in a component of a field; `date_time` is the same for a whole field.

    Parameters
    ----------
    text : str
        TS or DTM in ER7.
    environment : Environment
        Surroundings.
    component : str
        Where the text stands, for faults.

    Returns
    -------
    str, Primitive or None
        FHIR dateTime; with the text where the dateTime says less or more than it; None when nothing is valued.
    """
    usual = usual_time(text, environment)
    if usual:
        return usual
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return _read_odd_time(text, environment, component)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        if hour is None:
            datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001  (only checks the calendar)
            value = f"{year}-{month}-{day}" if day else f"{year}-{month}" if month else year
            return _kept(value, text) if offset else value
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0))  # noqa: DTZ001
    except ValueError:
        environment.fault("bad-date", component, value=text)
        return _kept(None, text)
    zone = f"{offset[:3]}:{offset[3:]}" if offset else _offset(moment, environment)
    if len(zone) < 2:
        environment.fault("local-time-ambiguous" if zone else "time-without-zone", component, value=text)
        return _kept(f"{year}-{month}-{day}", text)
    value = f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}{fraction or ''}{zone}"
    return value if minute else _kept(value, text)


def _read_odd_time(text: str, environment: Environment, component: str) -> str | Primitive | None:
    """Read what is not simply a time: blanks, null, a degree of precision; or report it."""
    parts = components(text, 2, "^" if "^" in text else "&")
    clean, precision = parts[0], parts[1].upper()
    if clean != text and _DATE_TIME.fullmatch(clean) and not any(parts[2:]):
        if not precision:
            return read_time(clean, environment, component)
        digits = _PRECISION_DIGITS.get(precision)
        value = read_time(clean[:digits] if digits else clean, environment, component)
        return _kept(value.value if isinstance(value, Primitive) else value, text)
    if not any(parts):
        return None
    environment.fault("bad-date", component, value=text)
    return _kept(None, text)


def date_time(text: str, environment: Environment) -> str | Primitive | None:
    """TS, DTM -> dateTime (v2-to-FHIR DTM[dateTime], A25, A26).

    Parameters
    ----------
    text : str
        The field in ER7: `YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ]`.
    environment : Environment
        Surroundings.

    Returns
    -------
    str, Primitive or None
        See `read_time`.
    """
    return read_time(text, environment)


def date(text: str, environment: Environment) -> str | Primitive | None:
    """DT, TS, DTM -> date: the day as sent, in the sender's local time; a time of day is kept as text.

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    str, Primitive or None
        FHIR date; None when nothing is valued.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is not None and match[4] is not None:
        day = read_time(text[:8], environment)
        return _kept(day, text) if isinstance(day, str) else day
    value = read_time(text, environment)
    if isinstance(value, Primitive) and value.value is not None:
        return Primitive(value.value[:10], value.extension)
    return value


def instant(text: str, environment: Environment) -> str | Primitive | None:
    """TS, DTM -> instant: only where time and offset are known, else the text alone (v2-to-FHIR DTM[instant], A25).

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    str, Primitive or None
        FHIR instant. Where seconds were not sent they are zero and the text stands beside.
    """
    usual = usual_time(text, environment)
    if usual:
        return usual
    value = read_time(text, environment)
    if value is None:
        return None
    moment = value.value if isinstance(value, Primitive) else value
    if moment is None or "T" not in moment:
        return _kept(None, text)
    match = _DATE_TIME.fullmatch(text)
    return value if match is not None and match[6] else _kept(moment, text)


def _with_faults(text: str, environment: Environment) -> tuple[str, tuple[Fault, ...]] | None:
    """Give what `date_time` and `instant` give for nearly all times."""
    usual = usual_time(text, environment)
    return (usual, ()) if usual else None


add_shortcut(date_time, _with_faults)
add_shortcut(instant, _with_faults)


def time_of_day(text: str, environment: Environment) -> str | Primitive | None:
    """TM -> time: seconds zero-filled; FHIR times have no offset, so one that is sent is kept as text.

    Parameters
    ----------
    text : str
        The field in ER7: `HH[MM[SS[.S...]]][+/-ZZZZ]`.
    environment : Environment
        Surroundings.

    Returns
    -------
    str, Primitive or None
        FHIR time; None when nothing is valued.
    """
    parts = components(text)
    if not any(parts):
        return None
    match = None if any(parts[1:]) else _TIME.fullmatch(parts[0])
    if match is None:
        environment.fault("bad-date", value=text)
        return _kept(None, text)
    hour, minute, second, fraction, offset = match.groups()
    value = f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"
    return _kept(value, text) if offset or minute is None else value


def make_period(
    start: str, end: str, environment: Environment, start_component: str, end_component: str
) -> dict[str, Any] | None:
    """Make a Period of two times.

    Parameters
    ----------
    start, end : str
        TS or DTM in ER7, maybe empty.
    environment : Environment
        Surroundings.
    start_component, end_component : str
        Where they stand, for faults.

    Returns
    -------
    dict or None
        Period; a start after the end (FHIR R4 per-1) is kept as text only and reported.
    """
    first = read_time(start, environment, start_component) if start else None
    last = read_time(end, environment, end_component) if end else None
    period: dict[str, Any] = {}
    if _is_after(first, last):
        environment.fault("bad-date", end_component, detail="the end is before the start", value=end)
        period["_start"] = {"extension": list(_kept(None, start).extension)}
        period["_end"] = {"extension": list(_kept(None, end).extension)}
        return period
    put(period, "start", first)
    put(period, "end", last)
    return period or None


def _is_after(first: str | Primitive | None, last: str | Primitive | None) -> bool:
    """Tell whether one time is certainly after another."""
    start = first.value if isinstance(first, Primitive) else first
    end = last.value if isinstance(last, Primitive) else last
    if not start or not end:
        return False
    if len(start) > 10 and len(end) > 10:
        return datetime.fromisoformat(start) > datetime.fromisoformat(end)
    size = min(len(start), len(end), 10)
    return bool(start[:size] > end[:size])


def period(text: str, environment: Environment) -> dict[str, Any] | None:
    """DR -> Period (v2-to-FHIR DR[Period]).

    Parameters
    ----------
    text : str
        The field in ER7, or the component of another datatype with `&` between its parts.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Period; None when nothing is valued.
    """
    return read_period(text, environment)


def read_period(text: str, environment: Environment, component: str = "") -> dict[str, Any] | None:
    """Read a DR that stands in a component of a field; `period` is the same for a whole field."""
    separator = "^" if "^" in text else "&"
    parts = text.split(separator)
    prefix = component + "." if component else ""
    found = make_period(parts[0], parts[1] if len(parts) > 1 else "", environment, prefix + "1", prefix + "2")
    if any(part and part != '""' for part in parts[2:]):
        found = found or {}
        keep(found, text)
    return found


def validity(
    whole: str, start: str, end: str, environment: Environment, places: tuple[str, str, str]
) -> tuple[dict[str, Any] | None, bool]:
    """Make the period of a name, address or contact: from its start and end, else from its range (XPN.12/13 before XPN.10).

    Parameters
    ----------
    whole, start, end : str
        DR and two DTM in ER7, maybe empty.
    environment : Environment
        Surroundings.
    places : tuple of str
        Where they stand, for faults.

    Returns
    -------
    tuple of (dict or None, bool)
        Period, and whether the range was sent but not used.
    """
    if start or end:
        return make_period(start, end, environment, places[1], places[2]), bool(whole)
    return (read_period(whole, environment, places[0]) if whole else None), False
