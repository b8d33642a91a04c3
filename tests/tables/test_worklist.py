"""`tables unmapped`: from the issues of a run to drafts of the rows that are missing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from helpers.commands import convert_command, run

from adapter.issues import CATALOGUE, Issue
from adapter.tables.check import check
from adapter.tables.index import Tables
from adapter.tables.layers import read_layers
from adapter.tables.missing import TARGETS, facts_of, sender_facts, with_facts, with_row_facts
from adapter.tables.worklist import IssueFileError, read_issues, work_list

FEED = (
    "MSH|^~\\&|NEWLIS|NEW HOSPITAL|||20260615||ORU^R01|1|P|2.5.1|||||UNICODE UTF-8\r"
    "PID|1||4711^^^HOSPITAL||TEST^PATIENT||19700101|F\r"
    "OBR|1||7|99017^Panel^L\r"
    "OBX|1|NM|99017^Beta-2-Microglobulin after exercise^L||1.9|mg/L|0.8-2.2||||F\r"
    "OBX|2|NM|1952-1^^LN||1.9|mgs per litre||Hoch|||F\r"
    "OBX|3|NM|1952-1^^LN||2.9|mgs per litre||||F\r".replace("||||F", "|||||F")
)


@pytest.fixture
def issue_file(tmp_path: Path) -> Path:
    path = tmp_path / "issues.ndjson"
    convert_command("--quiet", "--issues", path, stdin=FEED.encode())
    return path


def facts(tables: Tables, issue: Issue) -> dict[str, str]:
    [found] = with_facts([issue], tables, ("NEWLIS",), ("NEW HOSPITAL",))
    return dict(found.facts)


def test_facts_of_a_sender_are_given_when_they_are_read(shipped: Tables) -> None:
    """The same as those that are written into the issue at once."""
    issues = [Issue(slug, "OBX[1]-3", "table 0085", "x") for slug in TARGETS] + [Issue("flag-conflict", "OBX[1]-8")]
    sender = ("NEWLIS",), ("NEW HOSPITAL",)
    later = [facts_of(issue, sender_facts(*sender)) for issue in with_row_facts(issues, shipped, *sender)]
    assert later == [issue.facts for issue in with_facts(issues, shipped, *sender)]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_an_unmapped_code_comes_with_the_key_of_the_missing_row(issue_file: Path) -> None:
    [issue] = [row for row in map(json.loads, issue_file.read_text().splitlines()) if row["slug"] == "code-unmapped"]
    assert issue["facts"] == {
        "sender_application": "NEWLIS",
        "sender_facility": "NEW HOSPITAL",
        "code_system": "L",
        "code": "99017",
        "name": "Beta-2-Microglobulin after exercise",
        "pack": "b2m",
    }


def test_the_issue_file_holds_no_patient_data(issue_file: Path) -> None:
    text = issue_file.read_text()
    assert all(secret not in text for secret in ("4711", "PATIENT", "1970", "1.9", "2.9"))


def test_the_most_frequent_missing_row_comes_first(issue_file: Path) -> None:
    drafts = [
        draft for draft in work_list(read_issues("", issue_file.read_text().splitlines())) if draft.file == "common/units.csv"
    ]
    assert [(draft.seen, draft.cells["spelling"]) for draft in drafts] == [(2, "mgs per litre")]


def test_the_list_is_csv(issue_file: Path) -> None:
    ran = run("tables", "unmapped", issue_file)
    rows = rows_of(b"\n".join(ran.lines).decode())
    assert ran.status == 0
    counts = [int(row["count"]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert {row["file"] for row in rows} >= {"b2m/codes.csv", "common/units.csv", "common/senders.csv", "common/tables/0078.csv"}


def test_drafts_are_table_files_in_which_only_cells_are_missing(issue_file: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert run("tables", "unmapped", issue_file, "--out", site).status == 0
    faults = check(read_layers([site]))
    assert faults
    assert {fault.slug for fault in faults} <= {"empty-cell", "no-outcome"}


def test_a_filled_in_draft_ends_the_issue(issue_file: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run("tables", "unmapped", issue_file, "--out", site)
    path = site / "common/units.csv"
    [row] = rows_of(path.read_text(encoding="utf-8"))
    row |= {"ucum": "mg/L", "source": "told by the laboratory"}
    for other in site.rglob("*.csv"):
        other.unlink()
    path.write_text(",".join(row) + "\n" + ",".join(f'"{cell}"' for cell in row.values()) + "\n", encoding="utf-8")
    assert b"unit-unknown" not in convert_command("--mappings", site, stdin=FEED.encode()).stderr.encode()


def test_drafts_never_overwrite_what_was_filled_in(issue_file: Path, tmp_path: Path) -> None:
    arguments = ("tables", "unmapped", issue_file, "--out", tmp_path / "site")
    assert run(*arguments).status == 0
    before = (tmp_path / "site/common/units.csv").read_bytes()
    assert run(*arguments).status == 2
    assert (tmp_path / "site/common/units.csv").read_bytes() == before


def test_a_line_that_is_no_issue_is_named() -> None:
    with pytest.raises(IssueFileError, match="f:2"):
        read_issues("f", ['{"slug": "unit-unknown"}', "MSH|^~"])


def test_a_wrong_file_gives_status_2(tmp_path: Path) -> None:
    wrong = tmp_path / "feed.hl7"
    wrong.write_text("MSH|^~\\&\r")
    assert run("tables", "unmapped", wrong).status == 2


def test_no_issue_gives_an_empty_list() -> None:
    assert work_list([{"slug": "flag-computed", "detail": "H"}]) == []


def test_a_code_of_the_patient_is_not_told(shipped: Tables) -> None:
    told = facts(shipped, Issue("code-not-mapped", "PID[1]-8", "table 0001", "Schmidt"))
    assert (told["table"], told["code"]) == ("0001", "")
    [draft] = work_list([{"slug": "code-not-mapped", "facts": told}])
    assert "--show-phi" in draft.cells["note"]


def test_a_coded_value_is_not_told(shipped: Tables) -> None:
    assert facts(shipped, Issue("code-not-mapped", "OBX[1]-5.1", "table 0085", "secret"))["code"] == ""


def test_a_code_of_the_laboratory_is_told(shipped: Tables) -> None:
    assert facts(shipped, Issue("code-not-mapped", "OBX[1]-11", "table 0085", "Q"))["code"] == "Q"


def test_a_refused_spelling_is_called_so(tmp_path: Path) -> None:
    issues = tmp_path / "issues.ndjson"
    convert_command("--quiet", "--issues", issues, stdin=FEED.replace("mgs per litre", "G/L").encode())
    [draft] = [draft for draft in work_list(read_issues("", issues.read_text().splitlines())) if draft.file == "common/units.csv"]
    assert "refused on purpose by row" in draft.cells["note"]


def test_every_slug_of_the_work_list_stands_in_the_catalogue() -> None:
    assert set(TARGETS) <= set(CATALOGUE)
