"""NTE behind OBX -> Observation.note."""

from __future__ import annotations

from typing import Any

import pytest
from results import convert, obx, result

from adapter.fhir.validation import structure_faults


def notes(*segments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(obx("NM", "1"), *segments).get("note", [])
    return found


def test_each_nte_is_a_note() -> None:
    assert [note["text"] for note in notes("NTE|1||First", "NTE|2||Second")] == ["First", "Second"]


def test_repetitions_are_lines() -> None:
    assert notes("NTE|1||First~second")[0]["text"] == "First\nsecond"


def test_line_breaks_are_decoded() -> None:
    assert notes("NTE|1||First\\.br\\second")[0]["text"] == "First\nsecond"


def test_author_and_time() -> None:
    assembly = convert(obx("NM", "1"), "NTE|1||Text||7^Noter^Nia|20260115110000-0500")
    note = assembly.observations[0].observation["note"][0]
    assert note["time"] == "2026-01-15T11:00:00-05:00"
    assert assembly.resources[note["authorReference"]["reference"]]["identifier"][0]["value"] == "7"


@pytest.mark.parametrize(
    ("segment", "field", "text"), [("NTE|1|L|Text", "NTE-2", "L"), ("NTE|1||Text|RE^Remark", "NTE-4", "RE^Remark")]
)
def test_what_has_no_place_is_kept(segment: str, field: str, text: str) -> None:
    kept = notes(segment)[0]["extension"][0]["extension"]
    assert [part["valueString"] for part in kept] == [field, text]


def test_a_coded_comment_is_the_text_where_there_is_no_other() -> None:
    assert notes("NTE|1|||||||| HEM^Hemolyzed^L")[0]["text"] == "Hemolyzed"


@pytest.mark.parametrize("segment", ["NTE|1", "NTE|1|L|", 'NTE|1|L|""'])
def test_a_blank_line_is_no_note(segment: str) -> None:
    assert notes(segment) == []


def test_a_note_without_text_but_with_a_time_is_kept() -> None:
    note = notes("NTE|1|||||20260115")[0]
    assert note["time"] == "2026-01-15"
    assert structure_faults({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "note": [note]}) == []
