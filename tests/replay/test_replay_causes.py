"""Causes of changed outputs: a table row, a line of code and a setting are named, and nothing else.

The code is changed in a copy of the package, which runs as a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
#: A unit spelling, a range of a laboratory's table, a range text, and one that none of the changes touches.
MESSAGES = ("urine/local-code-random", "serum/range-of-laboratory-adult", "ranges/read", "missing/value")

UNIT = ("mappings/common/units.csv", "unit-mcg.per.L,mcg/L,ug/L,", "unit-mcg.per.L,mcg/L,ng/L,")
RANGE = ("mappings/b2m/ranges.csv", "2.51,yes,mg/L,<= 2.51 mg/L", "2.55,yes,mg/L,<= 2.55 mg/L")
CODE = ("adapter/fhir/range_text.py", '.strip() != "<"', '.strip() == "<"')
CONSTANT = ("adapter/convert/header.py", '"code": "assembler"', '"code": "composer"')


class Checkout:
    """A copy of the program and its tables, and a folder of accepted messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "adapter", folder / "adapter", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "mappings", folder / "mappings")
        for name in MESSAGES:
            (folder / "messages" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FIXTURES / f"{name}.hl7", folder / "messages" / f"{name}.hl7")
        assert self.replay("--update").returncode == 0

    def replay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "adapter.cli",
            "replay",
            "messages",
            "--explain",
            "1",
            "--json",
            "report.json",
            *arguments,
        ]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def change(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def causes(self, *arguments: str) -> dict[str, set[str]]:
        """Causes by title, and the files whose messages changed through each."""
        done = self.replay(*arguments)
        assert done.returncode == 1, done.stderr
        report = json.loads((self.folder / "report.json").read_text())
        return {
            report["causes"][group["cause"]]["title"]: {report["messages"][number]["file"] for number in group["messages"]}
            for group in report["groups"]
        }


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def checkout(accepted: Checkout):
    """The checkout; what a test changes is put back."""
    files = {file: (accepted.folder / file).read_bytes() for file, _, _ in (UNIT, RANGE, CODE, CONSTANT)}
    yield accepted
    for file, data in files.items():
        (accepted.folder / file).write_bytes(data)


def line_of(file: str, text: str) -> int:
    return next(number for number, line in enumerate((ROOT / file).read_text().splitlines(), 1) if text in line)


def test_one_unit_row_one_range_row_and_one_line_of_code_are_the_causes_and_nothing_else(checkout: Checkout):
    for change in (UNIT, RANGE, CODE):
        checkout.change(*change)
    causes = checkout.causes()
    unit = f"mappings/common/units.csv line {line_of(UNIT[0], UNIT[1])} (row unit-mcg.per.L)"
    range_row = f"mappings/b2m/ranges.csv line {line_of(RANGE[0], RANGE[1])} (row range-quest-serum)"
    code = f"adapter/fhir/range_text.py line {line_of(CODE[0], 'def _two_bounds')} (_two_bounds)"
    assert causes.keys() == {unit, range_row, code}
    assert causes[unit] == {"messages/urine/local-code-random.hl7"}
    assert causes[range_row] == {"messages/serum/range-of-laboratory-adult.hl7"}
    assert "messages/ranges/read.hl7" in causes[code]
    assert "messages/serum/range-of-laboratory-adult.hl7" not in causes[code]


def test_each_change_alone_is_the_only_cause(checkout: Checkout):
    checkout.change(*RANGE)
    assert [title.partition(" line")[0] for title in checkout.causes()] == ["mappings/b2m/ranges.csv"]


def test_a_constant_is_a_cause(checkout: Checkout):
    checkout.change(*CONSTANT)
    [title] = checkout.causes()
    assert title == f"adapter/convert/header.py line {line_of(CONSTANT[0], CONSTANT[1])} (_ASSEMBLER)"


def test_of_several_parts_that_ran_each_is_the_cause_of_its_own_elements(checkout: Checkout):
    checkout.change(*CONSTANT)
    checkout.change(*CODE)
    assert {title.rpartition("(")[2] for title in checkout.causes()} == {"_ASSEMBLER)", "_two_bounds)"}
    report = json.loads((checkout.folder / "report.json").read_text())
    found = {
        (change["path"].partition(".")[0], report["causes"][cause]["title"].rpartition("(")[2])
        for message in report["messages"]
        for change in message["changes"]
        for cause in change["causes"]
        if change["path"].startswith(("Provenance.", "Observation[1952-1]."))
    }
    assert found == {("Provenance", "_ASSEMBLER)"), ("Observation[1952-1]", "_two_bounds)")}


def test_a_comment_is_no_change(checkout: Checkout):
    checkout.change(CODE[0], CODE[1], CODE[1] + "  # as sent")
    assert checkout.replay().returncode == 0


def test_what_did_not_run_is_no_cause(checkout: Checkout):
    checkout.change(*RANGE)
    path = checkout.folder / "adapter/convert/next_of_kin.py"
    text = path.read_text()
    path.write_text(text + "\n\ndef never_called() -> int:\n    return 1\n")
    try:
        assert [title.partition(" line")[0] for title in checkout.causes()] == ["mappings/b2m/ranges.csv"]
    finally:
        path.write_text(text)


def test_a_row_of_a_site_that_is_laid_over_now_is_a_cause(checkout: Checkout):
    site = checkout.folder / "site/common/units.csv"
    site.parent.mkdir(parents=True, exist_ok=True)
    header = (ROOT / UNIT[0]).read_text().splitlines()[0]
    row = {"id": "site-mcg", "spelling": "mcg/L", "ucum": "ng/L", "source": "test"}
    site.write_text(f"{header}\n{','.join(row.get(name, '') for name in header.split(','))}\n")
    assert list(checkout.causes("--mappings", "site")) == ["site/common/units.csv line 2 (row site-mcg)"]


def test_old_and_new_value_name_the_row_that_made_them(checkout: Checkout):
    checkout.change(*RANGE)
    done = checkout.replay()
    assert (
        "Observation[1952-1].referenceRange[0].high.value\n    - 2.51   from range-from-table, row range-quest-serum"
        in done.stdout
    )
    assert "+ 2.55   from range-from-table, row range-quest-serum (mappings/b2m/ranges.csv:2)" in done.stdout
