"""The tables of the generator: senders and their habits, their tests, courses of patients, faults of real feeds.

Each row names its source; shares were counted in 3,236 public ORU messages with 48,605 results, or are called estimated.
"""

from __future__ import annotations

import csv
import io
import tomllib
from datetime import timedelta, timezone
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

FOLDER = "adapter.replay.generate"


class Sender(NamedTuple):
    """A laboratory system and its habits: a row of `senders.csv`.

    `weight` is its share of the patients; `delimiters` are MSH-1 and MSH-2; `codec` is the real encoding and `charset` what
    MSH-18 says; `specimen_in` and `compared_as` say where the specimen stands and how a result beyond the measuring range is
    written; `flags` lists the flags that it sends; `menu` names its rows of `tests.csv`.
    """

    id: str
    form: str
    weight: int
    application: str
    facility: str
    version: str
    delimiters: str
    charset: str
    codec: str
    line_end: str
    time_format: str
    zone: timezone
    message_type: str
    specimen_in: str
    compared_as: str
    flags: frozenset[str]
    order_segment: bool
    visit_segment: bool
    method: str
    laboratory: str
    tests: tuple[Test, ...]
    remark: str


class Test(NamedTuple):
    """One test of a laboratory: a row of `tests.csv`. `factor` converts from the unit of the courses into the unit sent."""

    quantity: str
    order: str
    code: str
    specimen: str
    unit: str
    factor: Decimal
    decimals: Decimal
    below: Decimal | None
    above: Decimal | None
    range: str
    low: Decimal | None
    high: Decimal | None
    high_exclusive: bool


class Phase(NamedTuple):
    """A part of a course: number of visits, days between them, and the two ends of the level of each quantity."""

    visits: tuple[int, int]
    days: tuple[int, int]
    levels: dict[str, tuple[Decimal, Decimal]]


class Course(NamedTuple):
    """How a patient fares: phases one after the other. `every` tells quantities that are measured at each n-th visit only."""

    name: str
    weight: int
    ages: tuple[int, int]
    spread: int
    every: dict[str, int]
    phases: tuple[Phase, ...]


class Derived(NamedTuple):
    """A quantity that follows from others of the same visit."""

    numerator: str
    denominator: str
    factor: Decimal


class Episode(NamedTuple):
    """In which messages a visit is reported: status of each, `resend` for the same bytes once more."""

    name: str
    weight: int
    messages: tuple[str, ...]


class Courses(NamedTuple):
    """Everything of `courses.toml`."""

    courses: tuple[Course, ...]
    derived: dict[str, Derived]
    episodes: tuple[Episode, ...]


class Fault(NamedTuple):
    """An oddity of real feeds: a row of `faults.csv`.

    `action`, `place` and `text` say what is done (see `faults.py`); `counted` of `messages` messages have it; `issue` is what the
    adapter reports (empty: nothing in particular).
    """

    name: str
    form: str
    action: str
    place: str
    text: str
    counted: int
    messages: int
    issue: str


def _rows(name: str) -> list[dict[str, str]]:
    text = (files(FOLDER) / name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _test(row: dict[str, str]) -> Test:
    return Test(
        row["quantity"],
        row["order"],
        row["code"],
        row["specimen"],
        row["unit"],
        Decimal(row["factor"]),
        Decimal(1).scaleb(-int(row["decimals"])),
        _decimal(row["below"]),
        _decimal(row["above"]),
        row["range"],
        _decimal(row["low"]),
        _decimal(row["high"]),
        row["high_exclusive"] == "yes",
    )


def _zone(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1))


@cache
def senders() -> tuple[Sender, ...]:
    """Read `senders.csv` and `tests.csv`.

    Returns
    -------
    tuple of Sender
        In the order of the file.
    """
    menus: dict[str, list[Test]] = {}
    for row in _rows("tests.csv"):
        menus.setdefault(row["menu"], []).append(_test(row))
    return tuple(
        Sender(
            row["id"],
            row["form"],
            int(row["weight"]),
            row["application"],
            row["facility"],
            row["version"],
            row["delimiters"],
            row["charset"],
            row["codec"],
            row["line_end"],
            row["time_format"],
            _zone(row["utc_offset"]),
            row["message_type"],
            row["specimen_in"],
            row["compared_as"],
            frozenset(row["flags"].split()),
            row["order_segment"] == "yes",
            row["visit_segment"] == "yes",
            row["method"],
            row["laboratory"],
            tuple(menus[row["menu"]]),
            row["remark"],
        )
        for row in _rows("senders.csv")
    )


def _phase(table: dict[str, Any]) -> Phase:
    levels = {
        name: (Decimal(pair[0]), Decimal(pair[1])) for name, pair in table.items() if name not in ("name", "visits", "days")
    }
    return Phase(tuple(table["visits"]), tuple(table["days"]), levels)


@cache
def courses() -> Courses:
    """Read `courses.toml`.

    Returns
    -------
    Courses
        Courses, derived quantities and episodes, in the order of the file.
    """
    text = (files(FOLDER) / "courses.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text, parse_float=Decimal)
    return Courses(
        tuple(
            Course(
                table["name"],
                table["weight"],
                tuple(table["ages"]),
                table["spread"],
                table["every"],
                tuple(_phase(phase) for phase in table["phase"]),
            )
            for table in found["course"]
        ),
        {
            name: Derived(table["numerator"], table.get("denominator", ""), Decimal(table["factor"]))
            for name, table in found["derived"].items()
        },
        tuple(Episode(table["name"], table["weight"], tuple(table["messages"])) for table in found["episode"]),
    )


@cache
def faults() -> dict[str, Fault]:
    """Read `faults.csv`.

    Returns
    -------
    dict
        Rows by name, in the order of the file.
    """
    return {
        row["name"]: Fault(
            row["name"],
            row["form"],
            row["action"],
            row["place"],
            row["text"],
            int(row["counted"]),
            int(row["messages"]),
            row["issue"],
        )
        for row in _rows("faults.csv")
    }
