"""`b2m-adapter convert --context ... --history FILE`."""

import stat
from pathlib import Path

import pytest
from helpers.commands import convert_command, slugs_in
from helpers.fixtures import FOLDER

from adapter.tables.layers import shipped_root

EXAMPLE = ("--mappings", shipped_root() / "sites/example")
MYELOMA, ACID = FOLDER / "context/myeloma-before-treatment.hl7", FOLDER / "context/acid-urine.hl7"
EARLIER = FOLDER / "context/earlier-result.hl7"


@pytest.mark.parametrize("switches", [("--context", "iss", "--context", "notes"), ("--context", "iss,notes")])
def test_switches_are_repeated_or_separated_by_commas(switches: tuple[str, ...], tmp_path: Path) -> None:
    issues = tmp_path / "issues.ndjson"
    assert convert_command(MYELOMA, ACID, *switches, *EXAMPLE, "--issues", issues).status == 0
    assert {"iss-staged", "context-note"} <= set(slugs_in(issues))


def test_a_switch_that_does_not_exist_is_refused() -> None:
    done = convert_command(ACID, "--context", "prognosis")
    assert (done.status, done.lines) == (2, [])
    assert "change, iss, notes" in done.stderr


@pytest.mark.parametrize("flags", [(), ("--context", "iss"), ("--context", "change", "--jobs", "2")])
def test_the_history_goes_with_change_and_one_job(flags: tuple[str, ...], tmp_path: Path) -> None:
    done = convert_command(EARLIER, *flags, "--history", tmp_path / "history.sqlite")
    assert (done.status, done.lines) == (2, [])
    assert not (tmp_path / "history.sqlite").exists()


def test_the_history_is_kept_from_run_to_run(tmp_path: Path) -> None:
    history = tmp_path / "history.sqlite"
    segments = EARLIER.read_bytes().split(b"\r")
    old, new = [b"\r".join([*segments[:2], *group, b""]) for group in (segments[2:5], segments[5:8])]
    switches = ("--context", "change", "--history", history, *EXAMPLE)
    assert b"52.38" not in convert_command(*switches, stdin=old).lines[0]
    assert b"52.38" in convert_command(*switches, stdin=new).lines[0]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no database, only text that somebody wrote" * 50)
    done = convert_command(EARLIER, "--context", "change", "--history", other, *EXAMPLE)
    assert (done.status, done.lines) == (2, [])
    assert other.read_text().startswith("no database")
