"""Law 1: every valued text of a result is found in the output, and what is not converted keeps its bytes."""

import base64
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from helpers.fixtures import convert, fixture_files, fixture_id, split
from helpers.results import digits, resources

from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import read_message, valued

#: Types whose digits are kept and whose punctuation is that of FHIR.
TIMES = {"DT", "DTM", "TS", "TM", "DR"}
#: OBX fields that say what the result is: test, sub-id, value, units, range, flags, method.
FIELDS = (3, 4, 5, 6, 7, 8, 17)


def texts(value: Any) -> Iterator[str]:
    """Every text and number in an output, as written."""
    if isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        yield digits(value)


def parts(field: str) -> list[str]:
    """Components of a field that say something; separators of SN and `=` say nothing of their own."""
    found = [unescape(part).strip() for part in re.split(r"[~^&]", field) if valued(part)]
    return [part for part in found if part not in ("", "=", ":", "/", "+", "-")]


#: Names of coding systems and what stands for them in FHIR.
SYSTEMS = {
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "SCT": "http://snomed.info/sct",
    "HL70078": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
}


def is_found(part: str, found: list[str], field: int, kind: str) -> bool:
    if part in SYSTEMS:
        return SYSTEMS[part] in found
    if field == 5 and kind in TIMES:
        return any(re.sub(r"\D", "", part) in re.sub(r"\D", "", text) for text in found)
    comparator = re.fullmatch(r"([<>])\s*([0-9.]+)", part)
    if field == 5 and comparator:
        return comparator[1] in found and comparator[2] in found
    return any(part in text for text in found)


@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_every_component_of_a_result_is_found_in_the_output(path):
    for outcome in convert(path.read_bytes()):
        if outcome.fate != "converted":
            continue
        found = [text for resource in resources(outcome.lines) for text in texts(resource)]
        for segment in read_message(outcome.source).segments:
            if segment.name == "NTE":
                assert any(unescape(segment[3]) in text for text in found)
            if segment.name != "OBX":
                continue
            for number in FIELDS:
                if number == 5 and segment[2] == "ED":
                    assert base64.b64encode(unescape(segment[5].split("^")[4]).encode()).decode() in found
                    continue
                for part in parts(segment[number]):
                    assert is_found(part, found, number, segment[2]), f"OBX[{segment.number}]-{number}: {part!r}"


@pytest.mark.parametrize("path", fixture_files(), ids=fixture_id)
def test_every_message_has_an_outcome_with_its_bytes(path):
    data = path.read_bytes()
    messages, _ = split(data)
    outcomes = convert(data)
    assert [outcome.source for outcome in outcomes] == [message.data for message in messages]
    assert all(message.data in data for message in messages)


@pytest.mark.parametrize("path", fixture_files(), ids=fixture_id)
def test_what_is_not_converted_says_why(path):
    for outcome in convert(path.read_bytes()):
        assert outcome.lines or outcome.issues


@pytest.mark.parametrize("path", fixture_files(), ids=fixture_id)
def test_the_adapter_never_makes_output_that_it_must_stop(path):
    found = {issue.slug for outcome in convert(path.read_bytes()) for issue in outcome.issues}
    assert found.isdisjoint({"output-invalid", "internal-error"})
