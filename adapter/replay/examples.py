"""Runs the examples of `tests.csv`: each row becomes a v2 message and goes the whole way; what comes out must be what it says.

What an empty cell of a row means: no value and no unit are compared; no LOINC code, no interpretation and no table range may come
out; no issue of severity error or warning may be reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from adapter.config import Settings
from adapter.fhir.canonical import INTERPRETATION_SYSTEMS, LOINC, MARK
from adapter.fhir.json import loads
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.check_rows import fold
from adapter.tables.columns import TESTS
from adapter.tables.index import Tables
from adapter.tables.rows import ExampleRow, SenderRow

_COLLECTED = date(2026, 6, 15)
_COMPARED = re.compile(r"([<>]=?)\s*(-?[0-9.]+)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ESCAPED = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"})
_DAYS = {"wk": 7, "d": 1}
_SEXES = {"male": "M", "female": "F", "other": "O"}


class Failure(NamedTuple):
    """One cell of an example that does not come out as it says."""

    file: str
    line: int
    row: str
    column: str
    expected: str
    actual: str

    def __str__(self) -> str:
        said = f"expected {self.expected or 'nothing'}, actual {self.actual or 'nothing'}"
        return f"{self.file}:{self.line}: row {self.row} column {self.column}: {said}"


class Verdict(NamedTuple):
    """What became of all examples: how many ran, and every failure."""

    examples: int
    failures: tuple[Failure, ...]


def run_examples(tables: Tables) -> Verdict:
    """Run every example of every pack.

    Parameters
    ----------
    tables : Tables
        Tables in force; those of a site bring their own examples.

    Returns
    -------
    Verdict
        Without examples nothing was tested: the caller must not take that for success.
    """
    pipelines: dict[tuple[str, ...], Pipeline] = {}
    origins = {
        row[0]: origin
        for sheet in tables.sheets.values()
        if sheet.kind is TESTS
        for row, origin in zip(sheet.rows, sheet.origins, strict=True)
    }
    failures: list[Failure] = []
    count = 0
    for pack in tables.packs.values():
        for example in pack.examples:
            count += 1
            key = (example.sender_application, example.sender_facility, example.range_laboratory) * bool(example.range_laboratory)
            if key not in pipelines:
                settings = Settings(to="ndjson")
                pipelines[key] = Pipeline(_with_range_laboratory(tables, example) if key else tables, settings)
            data = message_of(example, tables)
            outcome = pipelines[key](RawMessage("er7", data, 0))
            failures += [
                Failure(*origins[example.id], example.id, column, expected, actual)
                for column, expected, actual in _differences(example, outcome, tables)
            ]
    return Verdict(count, tuple(failures))


def message_of(example: ExampleRow, tables: Tables) -> bytes:
    """Write an example as an ORU^R01 message of a patient who does not exist.

    Parameters
    ----------
    example : ExampleRow
        The row.
    tables : Tables
        Tells a specimen code, which needs its coding system, from words.

    Returns
    -------
    bytes
        The message, UTF-8, segments ended by CR.
    """
    kind, value = _value(example.value)
    collected = _COLLECTED.strftime("%Y%m%d")
    observation = {
        1: "1",
        2: kind,
        3: "^".join(map(_escaped, (example.code, example.name, example.code_system))),
        5: value,
        6: _escaped(example.unit),
        7: _escaped(example.range),
        11: "F",
        14: collected,
        17: f"^{_escaped(example.method)}" if example.method else "",
        23: _escaped(example.laboratory),
    }
    patient = {3: "EXAMPLE^^^&2.999&ISO", 5: "TEST^PATIENT", 7: _birth_date(example.age), 8: _SEXES.get(example.sex, "")}
    sender = _escaped(example.sender_application), _escaped(example.sender_facility)
    header = ["MSH", "^~\\&", *sender, "", "", f"{collected}0800+0000", "", "ORU^R01", example.id, "P", "2.5.1"]
    segments = [
        "|".join([*header, *[""] * 5, "UNICODE UTF-8"]),
        _segment("PID", patient),
        _segment("OBR", {1: "1", 3: example.id, 4: "EXAMPLE^Example", 7: collected, 25: "F"}),
        _segment("OBX", observation),
    ]
    if example.specimen:
        segments.append(_segment("SPM", {1: "1", 4: _specimen(example.specimen, tables)}))
    return "".join(segment + "\r" for segment in segments).encode()


def _differences(example: ExampleRow, outcome: Outcome, tables: Tables) -> Iterator[tuple[str, str, str]]:
    if outcome.fate != "converted":
        yield "id", "a result", f"{outcome.fate}: {'; '.join(f'{issue.slug} {issue.detail}' for issue in outcome.issues)}"
        return
    resources = [loads(line) for line in outcome.lines]
    observation = next(resource for resource in resources if resource["resourceType"] == "Observation")
    for column, expected, actual in (
        ("expected_loinc", example.expected_loinc, _loinc(observation, tables)),
        ("expected_interpretation", example.expected_interpretation, _interpretations(observation)),
        ("expected_range", example.expected_range, _table_range(observation)),
    ):
        if expected != actual:
            yield column, expected, actual
    quantity = observation.get("valueQuantity", {})
    if example.expected_value:
        actual = f"{quantity.get('comparator', '')}{quantity.get('value', '')}"
        if actual != example.expected_value:
            yield "expected_value", example.expected_value, actual
    if example.expected_unit and quantity.get("code") != example.expected_unit:
        yield "expected_unit", example.expected_unit, quantity.get("code") or quantity.get("unit") or ""
    slugs = dict.fromkeys(issue.slug for issue in outcome.issues)
    serious = dict.fromkeys(issue.slug for issue in outcome.issues if issue.severity != "information")
    if (example.expected_issue and example.expected_issue not in slugs) or (serious and not example.expected_issue):
        yield "expected_issue", example.expected_issue, ", ".join(slugs if example.expected_issue else serious)


def _loinc(observation: dict[str, Any], tables: Tables) -> str:
    """LOINC code of a pack, as sent or as found."""
    codings = observation["code"].get("coding", ())
    codes = [coding.get("code", "") for coding in codings if coding.get("system") == LOINC]
    return next((code for code in codes if code in tables.pack_of_loinc), "")


def _interpretations(observation: dict[str, Any]) -> str:
    codings = [coding for concept in observation.get("interpretation", ()) for coding in concept.get("coding", ())]
    return " ".join(coding["code"] for coding in codings if coding.get("system") in INTERPRETATION_SYSTEMS)


def _table_range(observation: dict[str, Any]) -> str:
    extensions = [part for element in observation.get("referenceRange", ()) for part in element.get("extension", ())]
    parts = [part for extension in extensions if extension["url"] == MARK for part in extension["extension"]]
    return next((part["valueString"] for part in parts if part["url"] == "row"), "")


def _with_range_laboratory(tables: Tables, example: ExampleRow) -> Tables:
    """The tables as if the sender's row named the laboratory or publication whose range is the default."""
    names = (example.sender_application, example.sender_facility)
    row = tables.sender(names[:1], names[1:]) or SenderRow(
        f"sender-of-{example.id}", *names, "", "", "", "", "", "", frozenset(), True, "", ""
    )
    row = row._replace(sender_application=names[0], sender_facility=names[1], range_laboratory=example.range_laboratory)
    return replace(tables, senders=(row,), senders_by_name={names: row})


def _value(text: str) -> tuple[str, str]:
    """Give OBX-2 and OBX-5."""
    compared = _COMPARED.fullmatch(text)
    if compared is not None:
        return "SN", f"{compared[1]}^{compared[2]}"
    return ("NM" if _NUMBER.fullmatch(text) else "ST"), _escaped(text)


def _specimen(text: str, tables: Tables) -> str:
    """Give SPM-4: code and coding system where the tables know the code, words else."""
    systems = [row.code_system for row in tables.specimens.values() if row.code == text]
    if not systems or fold(text) in tables.specimen_texts:
        return f"^{_escaped(text)}"
    names = [name for name, uri in tables.coding_systems.items() if uri == tables.system_key(systems[0])]
    table = re.fullmatch(r".*/v2-([0-9]{4})", systems[0])
    return f"{_escaped(text)}^^{f'HL7{table[1]}' if table else min(names, key=len, default='')}"


def _birth_date(age: str) -> str:
    """Give PID-7 of a person who has reached the age on the day of collection."""
    number, _, unit = age.partition(" ")
    if not number:
        return ""
    if unit in _DAYS:
        return (_COLLECTED - timedelta(days=int(number) * _DAYS[unit])).strftime("%Y%m%d")
    years, months = divmod(_COLLECTED.month - 1 - int(number) * (12 if unit == "a" else 1), 12)
    return date(_COLLECTED.year + years, months + 1, _COLLECTED.day).strftime("%Y%m%d")


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)


def _segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])
