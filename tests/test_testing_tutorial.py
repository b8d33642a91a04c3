"""The tutorial of docs/testing.md: it shows what it promises, and the shell that runs it is a reader's.

That its output is real is tested with the other pages (test_docs.py), which runs all of it again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.waiting import eventually, gone

from tools.shell_session import Session, told_in_one_shell

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def output_of(command: str) -> str:
    """What the page shows below the last such command."""
    return re.findall(rf"^\$ {re.escape(command)}\n(.*?)(?=^\$ |^```)", PAGE, re.S | re.M)[-1]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path, os.environ, 20)
    yield session
    session.close()


def test_nothing_accepted_is_shown_to_fail():
    assert "nothing is accepted" in output_of("b2m-adapter replay --mappings build/testing/site build/testing/messages")


def test_the_changed_row_is_named_with_its_line():
    assert "codes.csv line 2 (row clinic-serum): changed: loinc '1952-1' -> '1953-9'" in PAGE
    assert PAGE.count('$ echo "exit status $?"\nexit status 1') == 2


def test_the_same_messages_pass_in_the_program_and_through_both_doors_of_the_service():
    for through in (
        "",
        " --against http://127.0.0.1:8575 --connections 2",
        " --against 127.0.0.1:2575 --results build/testing/out",
    ):
        assert output_of(f"b2m-adapter replay build/testing/generated{through}").endswith("1000 messages: 1000 as accepted\n")


def test_every_command_of_the_tester_is_in_it():
    for command in (
        "convert",
        "explain",
        "replay --update",
        "--junit",
        "--html",
        "generate",
        "serve",
        "send",
        "--against",
        "diff",
    ):
        assert re.search(rf"^\$ b2m-adapter .*{command}", PAGE, re.M), command


def test_what_varies_is_shown_as_such():
    assert "p50 …, p90 …, p99 …, max …" in PAGE
    assert not re.search(r"\d\.\d\d ms|\d messages/s", PAGE)


def test_links_and_pictures_are_there():
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert "images/replay-report.png" in targets
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
    assert "](docs/testing.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_commands_run_in_one_shell(shell: Session):
    assert shell.run("cd / && word=one") == ""
    assert shell.run('echo "$PWD $word"') == "/ one\n"


def test_the_status_of_a_command_is_there_for_the_next_one(shell: Session):
    assert shell.run("false") == ""
    assert shell.run("echo $?") == "1\n"


@pytest.mark.parametrize(
    ("command", "output"), [("printf a", "a"), ("echo a", "a\n"), ("printf 'a\\n\\n'", "a\n\n"), ("true", "")]
)
def test_output_is_that_of_the_command(shell: Session, command: str, output: str):
    assert shell.run(command) == output


def test_what_was_left_in_the_background_ends_with_the_shell(tmp_path: Path):
    session = Session(tmp_path, os.environ, 20)
    child = int(session.run("sleep 100 & echo $!"))
    session.close()
    eventually(lambda: gone(child))


def test_a_command_without_end_is_ended(tmp_path: Path):
    session = Session(tmp_path, os.environ, 1)
    with pytest.raises(RuntimeError, match="took too long at: sleep 60"):
        session.run("sleep 60")
    session.close()


def test_a_page_writes_its_files_replaces_ports_and_shows_what_varies(tmp_path: Path):
    page = (
        "<!-- one shell -->\n<!-- ports 2575 -->\n<!-- varies '\\d+ ms' as '… ms' -->\n"
        "<!-- file a/b.txt -->\n```text\none\n```\n"
        "```console\n$ cat a/b.txt\nstale\n$ echo port 2575, 17 ms\n$ echo 2575 > used\n```\n"
    )
    told = told_in_one_shell(page, tmp_path, os.environ, 20)
    assert told.endswith("$ cat a/b.txt\none\n$ echo port 2575, 17 ms\nport 2575, … ms\n$ echo 2575 > used\n```\n")
    assert (tmp_path / "used").read_text() != "2575\n"
