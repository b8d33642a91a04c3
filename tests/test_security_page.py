"""`docs/security.md` names, for each threat, what holds it; what it names exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()
THREATS = PAGE.split("## Threats")[1].split("## What is not held")[0]
ROWS = [line for line in THREATS.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]


@cache
def functions(path):
    """Names in a file: `test_x`, `TestY::test_z`."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_each_threat_names_a_test_that_exists(row):
    threat, held, test = (cell.strip() for cell in row.strip("| ").split(" | "))
    assert threat
    assert held
    named = re.fullmatch(r"`([\w./]+\.py)::([\w:]+)`", test)
    assert named, f"{test} is no name of a test"
    assert named[2] in functions(named[1])


def test_there_are_threats():
    assert len(ROWS) > 40
