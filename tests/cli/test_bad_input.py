"""Bad input gets a clear issue with its place; it is rejected, or the element kept as text; the others are converted."""

import json
import time

import pytest
from helpers.commands import convert_command, issues_in, rejected_in
from helpers.fixtures import FOLDER

GOOD = (FOLDER / "urine/microgram-per-litre.hl7").read_bytes()
SERUM = (FOLDER / "serum/above-range.hl7").read_bytes()
OBSERVATION = (FOLDER / "fhir/observation-quantities.json").read_bytes()
GOOD_LINES = convert_command(stdin=GOOD).lines


def feed(bad: bytes, tmp_path, *arguments: str):
    """Feed a bad message between two good ones, each in its frame."""
    stream = b"".join(b"\x0b" + data + b"\x1c\r" for data in (GOOD, bad, GOOD))
    done = convert_command("--issues", tmp_path / "issues", "--rejects", tmp_path / "rejects", *arguments, stdin=stream)
    assert done.lines[0] == done.lines[-1] == GOOD_LINES[0]
    assert "Traceback" not in done.stderr
    issues = [row for row in issues_in(tmp_path / "issues") if row["message"] == 2]
    return done, issues, rejected_in(tmp_path / "rejects")


@pytest.mark.parametrize(
    ("bad", "slug", "place"),
    [
        (SERUM[:60], "truncated", "MSH-9"),
        (b"MSH|^~\\&\r", "truncated", "MSH"),
        (SERUM.replace(b"ORU^R01^ORU_R01", b""), "message-type-missing", "MSH-9"),
        (b"PID|1||T1\rOBR|1\r", "no-msh", ""),
        (b"MSH|^^^^|TESTLIS\rPID|1\r", "bad-delimiters", "MSH-2"),
        (bytes(range(1, 11)) * 20 + b"\xff\xfe", "binary-noise", ""),
        (SERUM.replace(b"PATIENT", b"PAT\x00IENT"), "binary-noise", ""),
        (b"".join(line + b"\r" for line in SERUM.split(b"\r") if not line.startswith(b"PID") and line), "missing-patient", "PID"),
        (b'{"resourceType":"Observation","status":"final",', "json-invalid", "byte"),
        (b'{"resourceType":"Observation","status":"final","status":"amended"}', "json-unsafe", ""),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "json-unsafe", ""),
        (b"[" * 100_000, "no-msh", "byte"),
        (OBSERVATION.replace(b"2.45", b"NaN"), "json-unsafe", ""),
        (OBSERVATION.replace(b"2.45", b"1e9999999"), "json-unsafe", ""),
        (OBSERVATION.replace(b'"final"', b'"done"'), "fhir-invalid", "Observation.status"),
        (OBSERVATION.replace(b"2026-01-13", b"2026-13-45"), "fhir-invalid", "Observation.effectiveDateTime"),
        (OBSERVATION.replace(b'"obs-2"', b'"obs-2\xff"'), "json-invalid", "byte"),
        (b'{"resourceType":"NoSuchResource"}', "fhir-invalid", ""),
    ],
    ids=[
        "breaks off in MSH",
        "only MSH-1 and MSH-2",
        "no message type",
        "no MSH",
        "delimiters that are all the same",
        "binary noise",
        "NUL byte",
        "no PID",
        "JSON breaks off",
        "a key twice",
        "nested 10,000 deep",
        "100,000 open brackets",
        "NaN",
        "an exponent beyond every number",
        "wrong status",
        "impossible date",
        "invalid UTF-8",
        "unknown resource",
    ],
)
def test_rejected_with_its_bytes_and_its_place(bad, slug, place, tmp_path):
    done, issues, rejects = feed(bad, tmp_path)
    assert done.status == 1
    assert len(done.lines) == 2
    assert issues[-1]["slug"].startswith(slug)
    assert issues[-1]["severity"] == "error"
    assert place in issues[-1]["place"]
    assert b"".join(rejects).strip() == bad.strip()


def test_invalid_utf_8_in_a_message_is_read_as_latin_1_and_reported(tmp_path):
    done, issues, _ = feed(SERUM.replace(b"PATIENT", b"PR\xdcFUNG"), tmp_path)
    assert done.status == 0
    assert "PRÜFUNG".encode() in done.lines[1]
    assert ("charset-mismatch", "MSH-18") in [(row["slug"], row["place"]) for row in issues]


@pytest.mark.parametrize(
    "text",
    ["1e999999", "NaN", "0 .07", "4,2", "--5", "1.2.3", "٣", "1_000", "Infinity", "0x10", "9" * 5000],
    ids=lambda text: text[:12],
)
def test_text_that_is_no_number_is_kept_as_text(text, tmp_path):
    done, issues, _ = feed(SERUM.replace(b"|2.45|", f"|{text}|".encode()), tmp_path)
    assert done.status == 0
    assert json.dumps(text, ensure_ascii=False).encode() in done.lines[1]
    assert b'"valueQuantity"' not in done.lines[1]
    assert ("value-not-a-number", "OBX[1]-5") in [(row["slug"], row["place"]) for row in issues]


@pytest.mark.parametrize("text", ["20261345", "20260230080000+0100", "2026-01-13", "today", "20260113256161"])
def test_date_that_does_not_exist_is_kept_as_text(text, tmp_path):
    bad = SERUM.replace(b"||||F|||20260113080000+0100", b"||||F|||" + text.encode())
    done, issues, _ = feed(bad, tmp_path)
    assert done.status == 0
    assert f'"{text}"'.encode() in done.lines[1]
    assert ("bad-date", "OBX[1]-14") in [(row["slug"], row["place"]) for row in issues]


def test_field_of_10_megabytes_is_converted_in_linear_time(tmp_path):
    text = b"x" * 10_000_000
    begin = time.monotonic()
    done, _, _ = feed(SERUM.replace(b"|NM|", b"|ST|").replace(b"|2.45|", b"|" + text + b"|"), tmp_path)
    assert done.status == 0
    assert text in done.lines[1]
    assert time.monotonic() - begin < 20


def test_100_000_segments_are_read_in_linear_time(tmp_path):
    begin = time.monotonic()
    done, _, _ = feed(SERUM + b"NTE|1|L|a note of one of many lines\r" * 100_000, tmp_path)
    assert len(done.lines) == 3
    assert time.monotonic() - begin < 20


def test_more_segments_than_the_limit_are_rejected(tmp_path):
    done, issues, _ = feed(SERUM + b"NTE|1\r" * 200_001, tmp_path)
    assert done.status == 1
    assert issues[-1]["slug"] == "too-many-segments"


def test_empty_input_says_so():
    done = convert_command(stdin=b"")
    assert done.lines == []
    assert "no-message" in done.stderr


def test_input_that_is_neither_is_rejected(tmp_path):
    done = convert_command("--rejects", tmp_path / "rejects", stdin=b"name,value\nB2M,2.45\n")
    assert (done.status, done.lines) == (1, [])
    assert b"".join(rejected_in(tmp_path / "rejects")).strip() == b"name,value\nB2M,2.45"
