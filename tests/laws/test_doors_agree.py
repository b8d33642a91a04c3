"""A v2 result and the same result sent as FHIR leave identical, and what left once leaves the same again."""

from dataclasses import replace

import pytest
from helpers.fixtures import convert, fixture_files, fixture_id, pipeline, split, tables
from helpers.results import Result, observations, view

from adapter.config import OUTPUT_FORMS, Settings
from adapter.convert.message import Converter
from adapter.fhir.bundle import bundle
from adapter.fhir.json import dumps
from adapter.hl7v2.message import read_message

COLLECTION = Settings(to="collection")


@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_v2_and_fhir_doors_agree(path):
    """Converted without enrichment and sent through the FHIR door, a message leaves as through the v2 door."""
    for raw in split(path.read_bytes())[0]:
        by_v2 = pipeline(COLLECTION)(raw)
        if by_v2.fate != "converted":
            continue
        plain = Converter(tables(), COLLECTION).convert(read_message(raw.data), raw.data)
        sent = dumps(bundle(plain.entries, "collection", **plain.envelope))
        (by_fhir,) = convert(sent)
        assert by_fhir.fate == "converted", by_fhir.issues
        assert by_fhir.lines == by_v2.lines


# alone in NDJSON, a resource has lost the specimen and the laboratory around it
@pytest.mark.parametrize("form", [form for form in OUTPUT_FORMS if form != "ndjson"])
@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_output_of_a_v2_message_does_not_change_when_it_comes_in_again(path, form):
    for outcome in convert(path.read_bytes(), Settings(to=form)):
        assert [line for sent in outcome.lines for again in convert(sent) for line in again.lines] == outcome.lines


@pytest.mark.parametrize("path", fixture_files(".json", ".ndjson"), ids=fixture_id)
def test_output_of_fhir_input_does_not_change_when_it_comes_in_again(path):
    once = [line for outcome in convert(path.read_bytes()) for line in outcome.lines]
    assert [line for sent in once for outcome in convert(sent) for line in outcome.lines] == once


@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_result_that_left_in_units_as_sent_becomes_canonical_when_it_comes_in_again(path):
    """Value, flags and bounds; the translation now has the UCUM code that was added on the way."""

    def results(lines: list[bytes]) -> list[Result]:
        return [replace(view(observation), as_sent="") for observation in observations(lines)]

    for outcome in convert(path.read_bytes(), Settings(to="collection", units="as-sent")):
        (canonical,) = convert(outcome.source, COLLECTION)
        again = [line for sent in outcome.lines for one in convert(sent) for line in one.lines]
        assert results(again) == results(canonical.lines)
