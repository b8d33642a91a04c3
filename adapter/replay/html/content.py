"""The data of the page: every message as a row of numbers, and as many messages in full as the page has room for.

Names, issues, causes and texts stand once in lists, rows refer to them by index. Messages that changed are taken in full until
`DETAIL_BYTES` are used up: some of each cause first. What is left out is counted, and the page says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from adapter.clients.answer import milliseconds
from adapter.fhir.json import dumps, loads
from adapter.issues import Rejected
from adapter.replay.rendering import summary
from adapter.replay.report import Against, Course, ElementChange, MessageResult, Origin, Report
from adapter.replay.resource_pairs import held

DETAIL_BYTES = 5_500_000
COURSE_BYTES = 2_000_000
#: Elements of a message that are told one by one.
_CHANGES = 400


class Pool:
    """Texts (or other values) that stand once and are referred to by index."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.size = 0
        self._index: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        """Give the index of a value."""
        known = self._index.get(value)
        if known is None:
            known = self._index[value] = len(self.values)
            self.values.append(value)
            self.size += _size(value)
        return known

    def cut(self, count: int, size: int) -> None:
        """Forget what was added since there were so many values of so many bytes."""
        for value in self.values[count:]:
            del self._index[value]
        del self.values[count:]
        self.size = size


class _Detail(NamedTuple):
    """A message in full; texts by index."""

    source: int
    json: bool
    old: list[tuple[str, int, int]]
    new: list[tuple[str, int, int]]
    changes: list[list[Any]]
    issues: list[int]
    explained: bool


def content_of(report: Report) -> dict[str, Any]:
    """Give the data of the page.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    dict
        For JSON; `report.js` reads it.
    """
    files, senders, slugs, slug_sets, cause_sets, texts = (Pool() for _ in range(6))
    details: list[_Detail] = []
    place_of_detail = _details(report, texts, details)
    rows = [
        [
            files(message.file),
            message.number,
            senders(message.sender),
            message.status,
            message.fate,
            slug_sets(tuple(sorted({slugs(issue.partition(" ")[0]) for issue in message.issues}))),
            message.results,
            cause_sets(tuple(sorted({cause for change in message.changes for cause in change.causes}))),
            len(message.changes),
            place_of_detail.get(index, -1),
        ]
        for index, message in enumerate(report.messages)
    ]
    tests, courses, courses_left_out = _courses(report)
    return {
        "summary": summary(report),
        "passed": report.passed,
        "milliseconds": report.nanoseconds // 1_000_000,
        "faults": report.faults,
        "accepted": report.accepted,
        "against": _against(report.against),
        "versions": [
            {
                "folder": one.folder,
                "program": [one.old_program, one.new_program],
                "tables": [one.old_tables, one.new_tables],
                "rows": one.rows,
                "parts": one.parts,
                "settings": one.settings,
                "inUse": one.in_use,
            }
            for one in report.versions
        ],
        "causes": [[cause.kind, cause.title, cause.detail] for cause in report.causes],
        "groups": [[group.cause, group.elements, len(group.messages)] for group in report.groups],
        "files": files.values,
        "senders": senders.values,
        "slugs": slugs.values,
        "slugSets": slug_sets.values,
        "causeSets": cause_sets.values,
        "messages": rows,
        "texts": texts.values,
        "details": details,
        "detailsLeftOut": sum(message.failed for message in report.messages) - len(details),
        "tests": tests,
        "courses": courses,
        "coursesLeftOut": courses_left_out,
    }


def _against(against: Against | None) -> dict[str, Any] | None:
    if against is None:
        return None
    return {
        "endpoint": against.endpoint,
        "door": against.door,
        "program": against.program,
        "tables": against.tables,
        "answers": list(against.answers.items()),
        "results": against.results,
        "milliseconds": against.nanoseconds // 1_000_000,
        "latencies": [(name, milliseconds(one)) for name, one in against.latencies.items()],
        "notes": against.notes,
    }


def _details(report: Report, texts: Pool, details: list[_Detail]) -> dict[int, int]:
    """Take messages in full while there is room; gives the index of the detail by that of the message."""
    places: dict[int, int] = {}
    room = DETAIL_BYTES
    for index in _in_turn(report):
        count, size = len(texts.values), texts.size
        detail = _detail(report.messages[index], texts)
        used = texts.size - size + _size(detail)
        if used > room:
            texts.cut(count, size)
            continue
        room -= used
        places[index] = len(details)
        details.append(detail)
    return places


def _in_turn(report: Report) -> Iterator[int]:
    """Give the messages that do not come out as accepted: the first one of each cause, the second ones, ... then the others."""
    waiting: list[Iterator[int]] = [iter(group.messages) for group in report.groups]
    seen: set[int] = set()
    while waiting:
        for one in list(waiting):
            index = next((index for index in one if index not in seen), None)
            if index is None:
                waiting.remove(one)
            else:
                seen.add(index)
                yield index
    yield from (index for index, message in enumerate(report.messages) if message.failed and index not in seen)


def _detail(message: MessageResult, texts: Pool) -> _Detail:
    return _Detail(
        texts(message.source),
        message.source.lstrip("\ufeff \t\r\n")[:1] in ("{", "["),
        _resources(message.old_lines, texts),
        _resources(message.new_lines, texts),
        [_change(change, texts) for change in message.changes[:_CHANGES]],
        [texts(issue) for issue in message.issues],
        message.explained,
    )


def _resources(lines: Iterable[str], texts: Pool) -> list[tuple[str, int, int]]:
    """Take an output apart: name of each resource, its text, and the text of what its entry says (-1: nothing)."""
    try:
        found = held([loads(line) for line in lines])
    except (Rejected, ValueError):
        return [("text", texts(line), -1) for line in lines]
    return [
        (one.name, texts(dumps(one.resource).decode()), texts(dumps(one.entry).decode()) if one.entry else -1) for one in found
    ]


def _change(change: ElementChange, texts: Pool) -> list[Any]:
    return [
        texts(change.path),
        change.old if change.old is None else texts(change.old),
        change.new if change.new is None else texts(change.new),
        change.old_at,
        change.new_at,
        [_origin(origin, texts) for origin in change.old_from],
        [_origin(origin, texts) for origin in change.new_from],
        change.causes,
    ]


def _origin(origin: Origin, texts: Pool) -> list[int]:
    return [texts(origin.place), texts(", ".join(origin.rules)), texts(", ".join(origin.rows))]


def _courses(report: Report) -> tuple[list[tuple[str, str]], list[list[Any]], int]:
    """Give the tests, the courses, and the number of results that there is no room for; patients with changes come first."""
    tests, courses = Pool(), []
    room = COURSE_BYTES
    left_out = 0

    def changed(course: Course) -> bool:
        return any(report.messages[point.message].failed for point in course.points)

    for course in sorted(report.courses, key=lambda course: not changed(course)):
        points = [
            [point.message, point.time, point.value, point.unit, point.low, point.high, point.flag] for point in course.points
        ]
        size = _size(points)
        if size > room:
            left_out += len(points)
            continue
        room -= size
        courses.append([course.patient, tests((course.loinc, course.name)), points])
    return tests.values, courses, left_out


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
