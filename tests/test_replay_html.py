"""The HTML report: one closed file, hostile text as data, every message a row, texts while there is room.

How it behaves in a browser is tested by `.ci/browser/run`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import run

from adapter.replay.html import content
from adapter.replay.html.page import html_bytes
from adapter.replay.report import Cause, Course, CoursePoint, ElementChange, Group, MessageResult, Origin, Report

HOSTILE = """</script><script>alert(1)</script><!-- "onload=alert(2) ' & <img src=x onerror=alert(3)>"""
SERUM = (
    "MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||4711^^^HOSPITAL||TEST^PATIENT\rOBR|1||7|1^Panel^L|||20260614083000\r"
    "OBX|1|NM|1952-1^B2M^LN||{value}|mg/L|0.8-2.2|||||F|||20260614\rSPM|1|||SER^^HL70487\r"
)


def changed(index: int, source: str = "MSH|", lines: tuple[str, ...] = (), cause: int = 0) -> MessageResult:
    change = ElementChange("Patient.active", "true", None, ("Patient[1]", ("active",)), None, (Origin("PID[1]-3"),), (), [cause])
    return MessageResult(
        f"{index}.hl7", 1, "LIS|LAB", "different", "converted", ("code-unmapped OBX[1]-3",), 1, source, lines, (), [change]
    )


def report_of(messages: list[MessageResult], causes: int = 1) -> Report:
    groups = [
        Group(cause, [n for n, one in enumerate(messages) if one.changes and one.changes[0].causes == [cause]])
        for cause in range(causes)
    ]
    return Report(messages, [Cause("row", f"units.csv line {number}") for number in range(causes)], groups)


def data_of(page: bytes) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.decode(), re.S)
    assert found
    return json.loads(found[1])


def test_text_of_a_message_cannot_leave_the_data():
    page = html_bytes(report_of([changed(1, HOSTILE, ('{"resourceType":"Patient","active":true}',))])).decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert HOSTILE in data_of(page.encode())["texts"]


def test_the_policy_names_the_one_script_and_the_one_style():
    page = html_bytes(report_of([changed(1)])).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nothing_is_fetched():
    page = html_bytes(report_of([changed(1)])).decode()
    addresses = set(re.findall(r"https?://[\w./-]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", page)


def test_a_message_as_accepted_is_a_row_without_its_text():
    same = MessageResult("a.hl7", 1, "LIS|LAB", "same", "converted", ("flag-computed OBX[1]-8", "flag-computed OBX[2]-8"), 2)
    data = data_of(html_bytes(Report([same])))
    assert data["messages"] == [[0, 1, 0, "same", "converted", 0, 2, 0, 0, -1]]
    assert data["slugs"] == ["flag-computed"]
    assert data["texts"] == []


def test_resources_that_are_the_same_on_both_sides_stand_once():
    patient = '{"resourceType":"Patient","active":true}'
    message = changed(1, "MSH|", (patient,))
    message.new_lines = (patient,)
    (detail,) = data_of(html_bytes(report_of([message])))["details"]
    assert detail[2] == detail[3]


def test_numbers_keep_their_digits():
    message = changed(1, "MSH|", ('{"resourceType":"Observation","valueQuantity":{"value":4.20}}',))
    assert '{"resourceType":"Observation","valueQuantity":{"value":4.20}}' in data_of(html_bytes(report_of([message])))["texts"]


def test_texts_are_taken_while_there_is_room_some_of_each_cause(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(content, "DETAIL_BYTES", 20_000)
    messages = [changed(index, f"MSH|{index}|" + "x" * 1000, cause=index // 50) for index in range(100)]
    data = data_of(html_bytes(report_of(messages, causes=2)))
    shown = [index for index, row in enumerate(data["messages"]) if row[9] >= 0]
    assert 10 < len(shown) < 20
    assert abs(sum(index < 50 for index in shown) - sum(index >= 50 for index in shown)) <= 1
    assert data["detailsLeftOut"] == 100 - len(shown)
    assert len(data["messages"]) == 100


def test_a_message_too_large_for_the_page_does_not_keep_others_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(content, "DETAIL_BYTES", 5_000)
    data = data_of(html_bytes(report_of([changed(0, "x" * 10_000), changed(1, "small")])))
    assert [row[9] for row in data["messages"]] == [-1, 0]
    assert "small" in data["texts"]
    assert len(data["texts"]) == len(set(data["texts"])) < 10


def test_results_of_patients_with_changes_are_kept_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(content, "COURSE_BYTES", 100)
    report = report_of([MessageResult("a.hl7", 1, "", "same"), changed(1)])
    for message, patient in ((0, "unchanged"), (1, "changed")):
        report.courses.append(
            Course(patient, "1952-1", "B2M", [CoursePoint(message, "2026-01-01", "<0.50", "mg/L", "0.8", "2.2", "L")])
        )
    data = data_of(html_bytes(report))
    assert [course[0] for course in data["courses"]] == ["changed"]
    assert data["courses"][0][2] == [[1, "2026-01-01", "<0.50", "mg/L", "0.8", "2.2", "L"]]
    assert data["coursesLeftOut"] == 1


def test_ten_thousand_changed_messages_stay_below_ten_megabytes():
    lines = ('{"resourceType":"Observation","note":"' + "x" * 3000 + '{}"}}',)
    messages = [
        changed(index, f"MSH|{index}|" + "y" * 700, tuple(line.replace("{}", str(index)) for line in lines))
        for index in range(10_000)
    ]
    assert len(html_bytes(report_of(messages))) < 10_000_000


def test_the_file_is_for_its_owner_only(tmp_path: Path):
    (tmp_path / "a.hl7").write_text(SERUM.format(value="1.9"))
    assert run("replay", "--update", tmp_path).status == 0
    page = tmp_path / "report.html"
    page.write_text("an older one")
    page.chmod(0o644)
    (tmp_path / "a.hl7").write_text(SERUM.format(value="1.90"))
    assert run("replay", tmp_path, "--html", page).status == 1
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    data = data_of(page.read_bytes())
    assert not data["passed"]
    assert data["courses"][0][2][0][1:5] == ["2026-06-14", "1.90", "mg/L", "0.8"]
    (change,) = [one for one in data["details"][0][4] if data["texts"][one[0]] == "Observation[1952-1].valueQuantity.value"]
    assert [data["texts"][one] for one in change[1:3]] == ["1.9", "1.90"]
    assert change[4] == ["Observation[1]", ["valueQuantity", "value"]]
    assert "OBX[1]-5" in [data["texts"][origin[0]] for origin in change[6]]


def test_a_message_is_shown_in_its_own_character_set(tmp_path: Path):
    text = SERUM.replace("UNICODE UTF-8", "|8859/15").replace("mg/L", "€g/ml")
    (tmp_path / "a.hl7").write_bytes(text.format(value="1.9").encode("iso8859-15"))
    assert run("replay", "--update", tmp_path).status == 0
    (tmp_path / "a.hl7").write_bytes(text.format(value="2.0").encode("iso8859-15"))
    assert run("replay", tmp_path, "--html", tmp_path / "report.html").status == 1
    assert "|2.0|€g/ml|" in data_of((tmp_path / "report.html").read_bytes())["texts"][0]


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "a.hl7").write_text(SERUM.format(value="1.9"))
    assert run("replay", "--update", tmp_path).status == 0
    result = run("replay", tmp_path, "--html", tmp_path / "none" / "report.html")
    assert result.status == 2
    assert "could not be written" in result.stderr


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PAIRS = [
    *((text, ground) for text in ("ink", "soft") for ground in ("page", "paper", "faint")),
    ("ink", "old-line"), ("ink", "now-line"), ("soft", "uncounted"), ("accent", "paper"), ("good", "good-paper"),
    ("bad", "bad-paper"),
    ("new", "new-paper"), ("mark-ink", "main"), ("mark-ink", "part"),
]  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(scheme: int, text: str, ground: str):
    # WCAG 2.1, 1.4.3: 4.5 to 1
    style = (Path(content.__file__).parent / "style.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.S)[scheme]))
    light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
