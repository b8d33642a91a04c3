"""Results of patients over time, read from outputs: what a page draws as a curve with its reference band."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from adapter.fhir.canonical import INTERPRETATION_SYSTEMS, LOINC, UCUM
from adapter.fhir.json import dumps, loads
from adapter.replay.report import Course, CoursePoint
from adapter.tables.index import Tables

_DIGITS = 12


class Courses:
    """Gathers the results of recognised tests by patient and LOINC code."""

    def __init__(self) -> None:
        self._courses: dict[tuple[str, str], Course] = {}

    def add(self, lines: Iterable[bytes], tables: Tables, message: int) -> None:
        """Take the results of one message.

        Parameters
        ----------
        lines : iterable of bytes
            Its output.
        tables : Tables
            Say which LOINC codes belong to a pack, and their names.
        message : int
            Index of the message in the report.
        """
        resources = [resource for line in lines for resource in _resources(loads(line))]
        patients = [one for one in resources if one.get("resourceType") == "Patient"]
        patient = _patient(patients[0]) if len(patients) == 1 else ""
        for resource in resources:
            if resource.get("resourceType") != "Observation":
                continue
            codings = resource.get("code", {}).get("coding", ())
            code = next(
                (one["code"] for one in codings if one.get("system") == LOINC and one.get("code") in tables.pack_of_loinc), ""
            )
            point = _point(resource, message)
            if code and point is not None:
                name = tables.pack_of_loinc[code].loinc[code].long_name
                whose = patient or _of_subject(resource)
                self._courses.setdefault((whose, code), Course(whose, code, name)).points.append(point)

    def found(self) -> list[Course]:
        """Give the courses, those of most results first, each in the order of time."""
        for course in self._courses.values():
            course.points.sort(key=lambda point: (point.time, point.message))
        return sorted(self._courses.values(), key=lambda course: (-len(course.points), course.patient, course.loinc))


def _resources(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if resource.get("resourceType") != "Bundle":
        yield resource
        return
    for entry in resource.get("entry", ()):
        if "resource" in entry:
            yield from _resources(entry["resource"])


def _patient(patient: dict[str, Any]) -> str:
    identifiers = patient.get("identifier", ())
    first = next((one for one in identifiers if one.get("value")), None)
    text = f"{first.get('system', '')}|{first['value']}" if first is not None else dumps(patient).decode()
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _of_subject(observation: dict[str, Any]) -> str:
    """Digest of the subject where an output holds several patients or none."""
    return hashlib.sha256(dumps(observation.get("subject", {}))).hexdigest()[:_DIGITS]


def _point(observation: dict[str, Any], message: int) -> CoursePoint | None:
    quantity = observation.get("valueQuantity")
    if not isinstance(quantity, dict) or "value" not in quantity:
        return None
    ranges = observation.get("referenceRange", [{}])
    low, high = (ranges[0].get(end, {}).get("value") for end in ("low", "high"))
    codings = [one for concept in observation.get("interpretation", ()) for one in concept.get("coding", ())]
    flag = next((one["code"] for one in codings if one.get("system") in INTERPRETATION_SYSTEMS and one.get("code")), "")
    unit = quantity.get("code") if quantity.get("system") == UCUM else quantity.get("unit")
    time = observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start", "")
    return CoursePoint(
        message, time, quantity.get("comparator", "") + _digits(quantity["value"]), unit or "", _digits(low), _digits(high), flag
    )


def _digits(value: Decimal | int | None) -> str:
    return "" if value is None else dumps(value).decode()
