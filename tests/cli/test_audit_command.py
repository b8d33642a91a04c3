"""`b2m-adapter audit`: counts, drops and losses of each message; exit status 1 on a loss; no patient data unless asked for."""

import json

import pytest
from helpers.commands import run
from helpers.fixtures import FOLDER

from adapter.explain.outputs import Workbench

MESSAGE = FOLDER / "serum/above-range.hl7"


@pytest.fixture
def forgetful(monkeypatch):
    """A conversion that makes the same output whatever the message says."""
    convert, outputs = Workbench.convert, {}

    def first(self, message, source):
        if source not in outputs:
            outputs[source] = convert(self, message, source)
        return outputs[source]

    monkeypatch.setattr(Workbench, "convert", first)


def test_message_that_loses_nothing():
    found = run("audit", MESSAGE)
    assert found.status == 0
    assert found.lines[0].startswith(b"message 1: ")
    assert found.lines[0].endswith(b" 0 lost")


def test_drops_are_listed_with_their_reason():
    assert b"  dropped OBX[1]-1: the order of the results says it" in run("audit", MESSAGE).lines


def test_loss_is_listed_and_ends_with_one(forgetful):
    found = run("audit", MESSAGE)
    assert found.status == 1
    assert b"  LOST OBX[1]-5: it makes no difference to the output" in found.lines


def test_what_was_sent_is_not_shown(forgetful):
    assert not any(b"2.45" in line for line in run("audit", MESSAGE).lines)
    assert not any(b"2.45" in line for line in run("audit", "--json", MESSAGE).lines)


def test_what_was_sent_is_shown_on_request(forgetful):
    assert any(b"['2.45']" in line for line in run("audit", "--show-phi", MESSAGE).lines)


def test_json_has_counts_drops_and_losses():
    (row,) = map(json.loads, run("audit", "--json", MESSAGE).lines)
    assert row["message"] == 1
    assert row["counts"]["lost"] == 0
    assert row["lost"] == []
    assert {"place": "OBX[1]-1", "reason": "the order of the results says it"} in row["dropped"]


def test_every_message_of_the_input_has_its_account():
    lines = run("audit", stdin=MESSAGE.read_bytes() * 2).lines
    assert [line[:10] for line in lines if line.startswith(b"message")] == [b"message 1:", b"message 2:"]


def test_message_that_is_rejected_is_no_loss():
    found = run("audit", stdin=b"MSH|^~\\&|LIS|LAB|||20260113||ORU^R01|1|P|2.5.1\rOBX|1|NM|1952-1^B2M^LN||2.45|mg/L\r")
    assert found.status == 0
    assert found.lines == [b"message 1: rejected: missing-patient"]


def test_fhir_is_left_to_explain():
    found = run("audit", FOLDER / "fhir/observation.json")
    assert found.status == 0
    assert b"explain" in found.lines[0]


def test_wrong_flag_ends_with_two():
    assert run("audit", "--to", "batch", MESSAGE).status == 2


def test_missing_file_ends_with_two(tmp_path):
    assert run("audit", tmp_path / "none.hl7").status == 2
