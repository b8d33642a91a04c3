"""`b2m-adapter explain`: a tree of elements and what made them; exit status 1 where there is nothing to explain."""

import json
import re
import shlex
from pathlib import Path

import pytest
from helpers.commands import run
from helpers.fixtures import FOLDER

MESSAGE = FOLDER / "serum/above-range.hl7"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "explain.md"


def test_tree_names_component_rule_and_row():
    lines = run("explain", "--path", "Observation.status", MESSAGE).lines
    assert lines[1:3] == [b"Observation[1]", b"  status"]
    assert re.fullmatch(rb"      from OBX\[1\]-11  rule OBX-11>Observation.status; row 0085-F \(.*0085\.csv:\d+\)", lines[3])


def test_flag_names_the_rule_that_computed_it():
    lines = run("explain", "--path", "Observation.interpretation", MESSAGE).lines
    assert any(line.strip().startswith(b"enrichment interpretation-computed") for line in lines)


def test_values_are_not_shown():
    assert not any(b"2.45" in line or b"PATIENT" in line for line in run("explain", MESSAGE).lines)
    assert not any(b"2.45" in line for line in run("explain", "--json", MESSAGE).lines)


def test_values_are_shown_on_request():
    lines = run("explain", "--show-phi", "--path", "Observation.valueQuantity", MESSAGE).lines
    assert b"  valueQuantity.value = 2.45" in lines


def test_json_has_an_object_for_each_element():
    (row,) = map(json.loads, run("explain", "--json", "--path", "Observation.status", MESSAGE).lines)
    (element,) = row["elements"]
    assert element["path"] == "status"
    assert element["sources"][0]["place"] == "OBX[1]-11"
    assert element["sources"][0]["rules"] == ["OBX-11>Observation.status"]


def test_message_is_chosen_by_number():
    lines = run("explain", "--message", "2", "--path", "Observation.status", stdin=MESSAGE.read_bytes() * 3).lines
    assert [line for line in lines if line.startswith(b"message")] == [lines[0]]
    assert lines[0].startswith(b"message 2, tables ")


def test_fhir_input_is_explained():
    lines = run("explain", "--path", "Observation.code", FOLDER / "fhir/observation-local-code.json").lines
    assert any(b"enrichment code-resolved" in line for line in lines)
    assert any(b"as received" in line for line in lines)


def test_element_that_is_not_there_ends_with_one():
    assert run("explain", "--path", "Observation.method", MESSAGE).status == 1


def test_rejected_message_says_why_and_ends_with_one():
    found = run("explain", stdin=b"MSH|^~\\&|LIS|LAB|||20260113||ORU^R01|1|P|2.5.1\rOBX|1|NM|1952-1^B2M^LN||2.45|mg/L\r")
    assert found.status == 1
    assert b"missing-patient" in found.lines[0]


def test_wrong_path_ends_with_two():
    assert run("explain", "--path", "Observation..code", MESSAGE).status == 2


def console_examples() -> list[tuple[str, str]]:
    """Commands of the page with the output it shows."""
    blocks = re.findall(r"```console\n\$ b2m-adapter (.*?)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    return blocks


def steady(text: str) -> str:
    """Leave out what changes whenever a row is added to a table: the version, and the lines of rows."""
    return re.sub(r"\.csv:\d+", ".csv", re.sub(r"tables [0-9a-f]{12}", "tables", text)).strip()


@pytest.mark.parametrize(("command", "shown"), console_examples())
def test_the_page_shows_real_output(command, shown, monkeypatch):
    monkeypatch.chdir(PAGE.parents[1])
    output = b"\n".join(run(*shlex.split(command)).lines).decode()
    assert steady(output) == steady(shown)
