"""`b2m-adapter generate`: what it writes where, and what it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapter.cli import app
from adapter.fhir.json import loads
from adapter.intake import Intake


def run(*arguments: str):
    return CliRunner(mix_stderr=False).invoke(app, ["generate", *arguments])


def test_standard_output_gets_the_messages():
    intake = Intake()
    done = run("--count", "30", "--form", "mixed")
    assert done.exit_code == 0
    assert len(intake.feed(done.stdout_bytes) + intake.finish()) == 30


def test_a_folder_gets_one_file_a_message(tmp_path: Path):
    assert run("--count", "12", "--form", "mixed", "--out", str(tmp_path / "made")).exit_code == 0
    files = sorted((tmp_path / "made").iterdir())
    assert len(files) == 12
    assert {file.suffix for file in files} == {".hl7", ".json"}
    assert files[0].name.startswith("0000001-")


def test_labels_tell_what_is_known_of_each_message(tmp_path: Path):
    labels = tmp_path / "labels.ndjson"
    assert run("--count", "40", "--faults", "decimal-comma", "--labels", str(labels)).exit_code == 0
    rows = [loads(line) for line in labels.read_bytes().splitlines()]
    assert [row["message"] for row in rows] == list(range(1, 41))
    assert {"sender", "patient", "course", "visit", "kind", "faults", "results"} <= rows[0].keys()
    assert ["decimal-comma"] in [row["faults"] for row in rows]


def test_a_batch_is_one_file_with_headers_and_count():
    done = run("--count", "5", "--batch")
    assert done.stdout_bytes.startswith(b"FHS|")
    assert done.stdout_bytes.endswith(b"BTS|5\rFTS|1\r")


def test_faults_are_listed_with_their_shares_and_issues():
    assert "charset-undeclared       er7   287/3236  charset-guessed" in run("--list-faults").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--form", "xml"),
        ("--faults", "no-such-fault"),
        ("--base-date", "tomorrow"),
        ("--batch", "--form", "mixed"),
        ("--batch", "--out", "somewhere"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout_bytes == b""


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    assert run("--count", "1", "--out", str(tmp_path / "file")).exit_code == 3
