"""What the narrow schema of usual resources accepts, the whole one accepts: nothing invalid passes because it looks usual."""

import copy
from functools import cache
from typing import Any

import orjson
import pytest
from helpers.fixtures import convert, fixture_files
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir.json import dumps
from adapter.fhir.validation import SCHEMA_FOLDER, _compiled, _usual_validator, structure_faults

WHOLE = _compiled(orjson.loads((SCHEMA_FOLDER / "r4.json").read_bytes()))


@cache
def outputs() -> list[Any]:
    lines = {line for path in fixture_files(".hl7")[::3] for outcome in convert(path.read_bytes()) for line in outcome.lines}
    return [orjson.loads(line) for line in sorted(lines, key=len)]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a tree with each of its keys."""
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [(value, key) for key, _ in inner] + [place for _, one in inner for place in places(one)]


WRONG = [
    None,
    "",
    " ",
    "2026-02-30",
    "2026-13-01T00:00:00Z",
    "final",
    "no code",
    0,
    -1,
    True,
    [],
    {},
    [{}],
    {"value": "4.2"},
    [None],
]
NAMES = [
    "status",
    "_status",
    "valueString",
    "valueInteger",
    "valueQuantity",
    "effectivePeriod",
    "dataAbsentReason",
    "extension",
    "id",
]
NAMES += ["url", "code", "system", "resourceType", "request", "unknown"]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_changed_output_that_the_usual_schema_accepts_is_valid(data):
    tree = copy.deepcopy(data.draw(st.sampled_from(outputs())))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(tree)))
        change = data.draw(st.sampled_from(["remove", "replace", "add", "move"]))
        if key not in (container if isinstance(container, dict) else range(len(container))):
            continue
        if change == "remove":
            del container[key]
        elif change == "replace":
            container[key] = copy.deepcopy(data.draw(st.sampled_from(WRONG)))
        elif isinstance(container, dict):
            name = data.draw(st.sampled_from(NAMES))
            container[name] = copy.deepcopy(container[key] if change == "move" else data.draw(st.sampled_from(WRONG)))
    if _usual_validator().is_valid(tree):
        assert WHOLE.is_valid(tree)


@pytest.mark.parametrize("path", fixture_files(".hl7")[::7], ids=lambda path: path.stem)
def test_the_usual_schema_knows_what_the_conversion_makes(path):
    """Else each check takes twice as long."""
    for outcome in convert(path.read_bytes()):
        assert all(_usual_validator().is_valid(orjson.loads(line)) for line in outcome.lines)


def test_an_unusual_element_is_asked_of_the_whole_schema():
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "B2M"}, "language": "de"}
    assert not _usual_validator().is_valid(observation)
    assert structure_faults(observation, text=dumps(observation)) == []
    assert [path for path, _ in structure_faults({**observation, "language": 1}, text=b"{}")] == ["Observation.language"]
