"""What counts as a difference between two outputs, and what does not."""

from __future__ import annotations

import json
import random
import re
import uuid

import pytest
from helpers.fixtures import convert_fixture
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir.json import loads
from adapter.replay.comparison import compare

TEXT = convert_fixture("serum/above-range.hl7")[0].lines[0].decode()


def paths(old: object, new: object, **options: bool) -> list[str]:
    return [difference.path for difference in compare(old, new, **options)]


def with_new_uuids(text: str) -> str:
    """The same output, every UUID another one."""
    made: dict[str, str] = {}
    return re.sub(
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda found: made.setdefault(found[0], str(uuid.uuid4())), text
    )


def test_an_output_is_the_same_as_itself():
    assert compare(loads(TEXT), loads(TEXT)) == []


def test_uuids_do_not_count():
    assert compare(loads(TEXT), loads(with_new_uuids(TEXT))) == []


@given(st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_entries_and_members_does_not_count(chance: random.Random):
    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            names = list(value)
            chance.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        return [shuffled(part) for part in value] if isinstance(value, list) else value

    other = shuffled(loads(with_new_uuids(TEXT)))
    chance.shuffle(other["entry"])
    assert compare(loads(TEXT), other) == []


@pytest.mark.parametrize(("digits", "other"), [("2.45", "2.450"), ("2.45", "2.46"), ("0.6", "0.60"), ("0.6", "6e-1")])
def test_numbers_count_digit_by_digit(digits: str, other: str):
    changed = TEXT.replace(f'"value":{digits}', f'"value":{other}')
    [difference] = compare(loads(TEXT), loads(changed))
    assert (str(difference.old), str(difference.new)) == (digits, other)


def test_true_is_not_one():
    assert paths({"resourceType": "Patient", "active": True}, {"resourceType": "Patient", "active": 1}) == ["Patient.active"]


def test_a_reference_to_another_resource_counts():
    old = loads(TEXT)
    new = loads(TEXT)
    observation = next(entry["resource"] for entry in new["entry"] if entry["resource"]["resourceType"] == "Observation")
    observation["subject"] = observation["specimen"]
    [difference] = compare(old, new)
    assert (difference.path, difference.old, difference.new) == ("Observation[1952-1].subject.reference", "Patient", "Specimen")


def test_the_order_of_interpretations_counts():
    assert paths({"interpretation": [{"text": "H"}, {"text": "A"}]}, {"interpretation": [{"text": "A"}, {"text": "H"}]})


def test_an_item_that_is_put_in_front_is_the_only_difference():
    old = {"resourceType": "Observation", "code": {"coding": [{"code": "A"}, {"code": "B"}]}}
    new = {"resourceType": "Observation", "code": {"coding": [{"code": "X"}, {"code": "A"}, {"code": "B"}]}}
    [difference] = compare(old, new)
    assert (difference.old, difference.new, difference.new_at) == (None, {"code": "X"}, ("Observation[1]", ("code", "coding", 0)))


def test_a_resource_that_is_gone_is_one_difference():
    new = loads(TEXT)
    new["entry"] = [entry for entry in new["entry"] if entry["resource"]["resourceType"] != "Specimen"]
    assert paths(loads(TEXT), new)[0] == "Specimen"


def test_a_request_counts():
    assert paths(loads(TEXT), loads(TEXT.replace('"url":"Patient"', '"url":"Person"'))) == ["Bundle.entry[Patient].request.url"]


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        (r'("url":"tables","valueString":)"[0-9a-f]+"', r'\1"0000"'),
        (r'("recorded":)"[^"]+"', r'\1"2001-01-01T00:00:00Z"'),
        (r'("system":"[^"]*/identifier/sha256","value":)"[0-9a-f]+"', r'\1"00"'),
        (r'("text":"software"\},"value":)"[^"]+"', r'\1"99"'),
        (r'("text":"mapping tables"\},"value":)"[^"]+"', r'\1"99"'),
    ],
)
def test_what_changes_by_itself_does_not_count(pattern: str, other: str):
    changed, count = re.subn(pattern, other, TEXT)
    assert count
    assert compare(loads(TEXT), loads(changed)) == []
    assert compare(loads(TEXT), loads(changed), strict=True)


def test_strict_counts_ids_and_order():
    other = loads(TEXT)
    other["entry"].reverse()
    assert compare(loads(TEXT), other, strict=True)
    assert compare(loads(TEXT), loads(with_new_uuids(TEXT)), strict=True)
    assert compare(loads(TEXT), loads(json.dumps(json.loads(TEXT))), strict=True) == []


def test_observations_are_matched_by_what_they_say():
    """Two results change places and addresses; one of them has another value."""
    first = {"resourceType": "Observation", "code": {"coding": [{"code": "1952-1"}]}, "status": "final", "valueString": "1"}
    second = {"resourceType": "Observation", "code": {"coding": [{"code": "2160-0"}]}, "status": "final", "valueString": "2"}
    [difference] = compare([first, second], [second | {"id": "x"}, first | {"valueString": "3"}])
    assert (difference.path, difference.old, difference.new) == ("Observation[1952-1].valueString", "1", "3")
    assert (difference.old_at[0], difference.new_at[0]) == ("Observation[1]", "Observation[2]")


def test_lines_of_ndjson_are_compared_whatever_their_order():
    old = [{"resourceType": "Patient", "id": "1"}, {"resourceType": "Observation", "subject": {"reference": "Patient/1"}}]
    new = [{"resourceType": "Observation", "subject": {"reference": "Patient/9"}}, {"resourceType": "Patient", "id": "9"}]
    assert compare(old, new) == []
