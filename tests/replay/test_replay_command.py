"""`b2m-adapter replay`: what passes, what fails, what is accepted, what is written."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.commands import Run, run

SERUM = (
    "MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||4711^^^HOSPITAL||TEST^PATIENT\rOBR|1||7|1^Panel^L|||20260614083000\r"
    "OBX|1|NM|1952-1^B2M^LN||{value}|mg/L|0.8-2.2|||||F|||20260614\rSPM|1|||SER^^HL70487\r"
)
MESSAGE = SERUM.format(value="1.9")
MANIFEST = "replay.manifest.json.gz"


def replay(*arguments: str | Path) -> Run:
    return run("replay", *arguments)


def said(result: Run) -> str:
    return b"\n".join(result.lines).decode() + result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One accepted message."""
    path = tmp_path / "messages"
    path.mkdir()
    (path / "a.hl7").write_text(MESSAGE)
    assert replay("--update", path).status == 0
    return path


def test_what_was_accepted_passes(folder: Path):
    result = replay(folder)
    assert (result.status, result.lines) == (0, [b"1 message: 1 as accepted"])


def test_beside_a_message_stand_its_output_and_its_issues(folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == ["a.expected.issues", "a.expected.ndjson", "a.hl7", MANIFEST]
    first, *issues = (folder / "a.expected.issues").read_text().splitlines()
    assert first.endswith(": converted, 1 line")
    assert "  flag-computed OBX[1]-8" in issues


def test_nothing_accepted_is_a_failure(tmp_path: Path):
    (tmp_path / "a.hl7").write_text(MESSAGE)
    result = replay(tmp_path)
    assert result.status == 1
    assert "nothing is accepted" in said(result)


def test_a_folder_without_messages_is_a_failure(tmp_path: Path):
    assert replay(tmp_path).status == 1
    assert replay("--update", tmp_path).status == 1


def test_an_empty_folder_beside_a_full_one_is_a_failure(folder: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert replay(folder, tmp_path / "empty").status == 1


def test_a_file_without_messages_is_a_failure(tmp_path: Path):
    (tmp_path / "a.hl7").write_text("")
    assert replay(tmp_path).status == 1


def test_a_folder_that_is_not_there_is_a_wrong_use(tmp_path: Path):
    assert replay(tmp_path / "none").status == 2


def test_a_filter_that_leaves_nothing_is_a_failure(folder: Path):
    assert replay(folder, "--filter", "*.none").status == 1
    assert replay(folder, "--only-sender", "OTHER|*").status == 1
    assert replay(folder, "--only-sender", "LIS|HOSPITAL").status == 0


def test_a_new_message_is_a_failure(folder: Path):
    (folder / "b.hl7").write_text(MESSAGE)
    result = replay(folder)
    assert result.status == 1
    assert b"2 messages: 1 as accepted, 1 without accepted output" in result.lines


def test_a_message_that_is_gone_is_a_failure(folder: Path):
    (folder / "b.hl7").write_text(MESSAGE)
    assert replay("--update", folder).status == 0
    (folder / "b.hl7").unlink()
    assert replay(folder).status == 1
    assert replay("--update", folder).status == 0
    assert not list(folder.glob("b.*"))


def test_a_message_that_was_edited_is_its_own_cause(folder: Path):
    (folder / "a.hl7").write_text(SERUM.format(value="1.90"))
    result = replay(folder)
    assert result.status == 1
    assert result.lines[0].startswith(b"1 message: the message itself")
    assert b"  Observation[1952-1].valueQuantity.value" in result.lines


def test_the_component_behind_an_element_is_named(folder: Path):
    (folder / "a.hl7").write_text(SERUM.format(value="1.90"))
    assert "+ 1.90   from OBX[1]-5" in said(replay(folder))


def test_a_message_between_two_others_does_not_make_them_differ(folder: Path):
    (folder / "a.hl7").write_text(MESSAGE + SERUM.format(value="2.0"))
    assert replay("--update", folder).status == 0
    (folder / "a.hl7").write_text(MESSAGE + SERUM.format(value="2.1") + SERUM.format(value="2.0"))
    assert b"3 messages: 2 as accepted, 1 without accepted output" in replay(folder).lines


def test_update_shows_then_accepts(folder: Path):
    (folder / "a.hl7").write_text(SERUM.format(value="1.90"))
    result = replay("--update", folder)
    assert result.status == 0
    assert "+ 1.90" in said(result)
    assert replay(folder).status == 0


def test_update_of_a_part_is_refused(folder: Path):
    assert replay("--update", folder, "--filter", "*a*").status == 2
    assert replay("--update", folder / "a.hl7").status == 2


def test_accepting_again_changes_no_byte(folder: Path):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert replay("--update", folder).status == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_settings_are_those_that_were_accepted(tmp_path: Path):
    (tmp_path / "a.hl7").write_text(MESSAGE)
    assert replay("--update", tmp_path, "--timezone", "Europe/Berlin", "--to", "collection").status == 0
    assert replay(tmp_path).status == 0


def test_a_setting_is_a_cause(folder: Path):
    result = replay(folder, "--timezone", "Europe/Berlin")
    assert result.status == 1
    assert result.lines[0] == b"1 message: setting timezone: none -> Europe/Berlin"


def test_a_manifest_above_the_folder_counts(folder: Path):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "b.hl7").write_text(MESSAGE)
    assert replay("--update", folder, "--timezone", "Europe/Berlin").status == 0
    assert replay(inner).status == 0
    assert not (inner / MANIFEST).exists()


def test_a_site_is_found_from_wherever_the_replay_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site = tmp_path / "site" / "common"
    site.mkdir(parents=True)
    shipped = (Path(__file__).parents[2] / "mappings/common/units.csv").read_text().splitlines()[0]
    cells = {"id": "site-unit", "spelling": "MILLI", "ucum": "mg/L", "source": "test"}
    (site / "units.csv").write_text(f"{shipped}\n{','.join(cells.get(name, '') for name in shipped.split(','))}\n")
    (folder / "a.hl7").write_text(MESSAGE.replace("|mg/L|", "|MILLI|"))
    monkeypatch.chdir(tmp_path)
    assert replay("--update", "messages", "--mappings", "site").status == 0
    assert "1.9" in (folder / "a.expected.ndjson").read_text()
    monkeypatch.chdir(folder)
    assert replay(".").status == 0
    assert str(tmp_path) not in gzip.decompress((folder / MANIFEST).read_bytes()).decode()
    (site / "units.csv").write_text(shipped + "\n")
    assert said(replay(".")).startswith(
        "1 message: ../site/common/units.csv line 2 (row site-unit, gone): removed: spelling 'MILLI'"
    )


def test_every_kind_of_file_is_replayed(folder: Path):
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "B2M"}}
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep/b.er7").write_text(f"FHS|^~\\&\rBHS|^~\\&\r{MESSAGE}BTS|2\rFTS|1\r")
    (folder / "deep/er/c.txt").write_text(MESSAGE.replace("\r", "\n"))
    (folder / "d.json").write_text(json.dumps(resource))
    (folder / "e.ndjson.gz").write_bytes(gzip.compress((json.dumps(resource) + "\n").encode() * 2))
    assert replay("--update", folder).status == 0
    assert replay(folder).lines == [b"6 messages: 6 as accepted"]
    assert (folder / "e.expected.ndjson.gz").is_file()
    assert "  batch-count BTS" in (folder / "deep/b.expected.issues").read_text()


def test_another_issue_of_the_input_is_a_failure(folder: Path):
    (folder / "a.hl7").write_text(f"FHS|^~\\&\rBHS|^~\\&\r{MESSAGE}BTS|1\rFTS|1\r")
    assert replay("--update", folder).status == 0
    (folder / "a.hl7").write_text(f"FHS|^~\\&\rBHS|^~\\&\r{MESSAGE}BTS|7\rFTS|1\r")
    assert replay(folder).status == 1


def test_two_files_cannot_share_an_accepted_output(folder: Path):
    (folder / "a.er7").write_text(MESSAGE)
    result = replay(folder)
    assert result.status == 2
    assert "a.expected.ndjson" in result.stderr


def test_output_that_differs_in_ids_only_passes_but_not_strictly(folder: Path):
    accepted = folder / "a.expected.ndjson"
    text = accepted.read_text()
    patient = text.split('"fullUrl":"urn:uuid:')[1][:36]
    accepted.write_text(text.replace(patient, "0" * 8 + patient[8:]))
    assert replay(folder).lines == [b"1 message: 0 as accepted, 1 other bytes, same meaning"]
    result = replay(folder, "--strict")
    assert result.status == 1
    assert result.lines[0].startswith(b"1 message: nothing in meaning: versions, ids or order")


def test_an_issue_that_is_not_reported_any_more_is_a_difference(folder: Path):
    issues = folder / "a.expected.issues"
    issues.write_text(issues.read_text() + "  flag-conflict OBX[1]-8\n")
    result = replay(folder)
    assert result.status == 1
    assert b"  issue flag-conflict OBX[1]-8" in result.lines


def test_digits_count(folder: Path):
    accepted = folder / "a.expected.ndjson"
    accepted.write_text(accepted.read_text().replace('"value":1.9,', '"value":1.90,'))
    result = replay(folder)
    assert result.status == 1
    assert {b"    - 1.90"} <= {line.split(b"   from")[0] for line in result.lines}


def test_files_that_do_not_belong_together_are_a_fault(folder: Path):
    (folder / "a.expected.ndjson").write_text("")
    result = replay(folder)
    assert result.status == 2
    assert "a.expected.issues" in result.stderr


def test_a_broken_manifest_is_a_fault(folder: Path):
    (folder / MANIFEST).write_bytes(b"no gzip")
    assert replay(folder).status == 2


def test_without_a_manifest_the_cause_is_not_known(folder: Path):
    (folder / MANIFEST).unlink()
    assert replay(folder).status == 0
    (folder / "a.hl7").write_text(SERUM.format(value="1.90"))
    assert "not known: there is no replay.manifest.json.gz" in said(replay(folder))


def test_table_faults_end_with_2(folder: Path, tmp_path: Path):
    assert replay(folder, "--mappings", tmp_path / "none").status == 2


def test_several_jobs_find_the_same(folder: Path):
    (folder / "b.hl7").write_text(MESSAGE + SERUM.format(value="2.0"))
    assert replay("--update", folder).status == 0
    assert replay(folder, "--jobs", "2").lines == [b"3 messages: 3 as accepted"]


def test_junit_has_a_case_for_each_message(folder: Path, tmp_path: Path):
    (folder / "b.hl7").write_text(MESSAGE)
    (folder / "a.hl7").write_text(SERUM.format(value="1.90"))
    file = tmp_path / "junit.xml"
    assert replay(folder, "--junit", file).status == 1
    cases = ElementTree.parse(file).getroot().findall("testsuite/testcase")
    assert [Path(case.get("classname")).name for case in cases] == ["a.hl7", "b.hl7"]
    failure = cases[0].find("failure")
    assert "Observation[1952-1].valueQuantity.value" in failure.text
    assert "cause: the message itself" in failure.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_junit_of_an_empty_run_fails(tmp_path: Path):
    (tmp_path / "in").mkdir()
    replay(tmp_path / "in", "--junit", tmp_path / "junit.xml")
    assert int(ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures")) > 0


def test_the_json_report_holds_everything(folder: Path, tmp_path: Path):
    (folder / "a.hl7").write_text(SERUM.format(value="2.30"))
    file = tmp_path / "report.json"
    replay(folder, "--json", file)
    report = json.loads(file.read_text())
    [message] = report["messages"]
    assert (message["sender"], message["status"], message["fate"], message["results"]) == (
        "LIS|HOSPITAL",
        "different",
        "converted",
        1,
    )
    assert message["source"].startswith("MSH|")
    assert len(message["old_lines"]) == len(message["new_lines"]) == 1
    change = next(one for one in message["changes"] if one["path"].endswith("valueQuantity.value"))
    assert (change["old"], change["new"], change["new_from"][0]["place"]) == ("1.9", "2.30", "OBX[1]-5")
    assert report["causes"][change["causes"][0]]["kind"] == "message"
    assert report["groups"][0]["messages"] == [0]
    [course] = report["courses"]
    assert (course["loinc"], len(course["patient"])) == ("1952-1", 12)
    point = course["points"][0]
    assert (point["value"], point["unit"], point["low"], point["high"], point["flag"]) == ("2.30", "mg/L", "0.8", "2.2", "H")
    assert report["passed"] is False
