"""Generated messages: the same seed gives the same bytes, patients are coherent, and everything converts."""

import subprocess
import sys
from datetime import date
from decimal import ROUND_UP, Decimal, localcontext
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.fhir.json import loads
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.message import read_message
from adapter.intake import Intake
from adapter.pipeline import Outcome, Pipeline
from adapter.replay.generate.courses import Patient
from adapter.replay.generate.courses import visits as results_by_visit
from adapter.replay.generate.habits import courses, senders
from adapter.replay.generate.report import Generated
from adapter.replay.generate.stream import generate
from adapter.replay.generate.writing import in_batch, in_stream
from adapter.tables.load import load_tables

EXAMPLE_SITE = Path(__file__).resolve().parents[1] / "mappings/sites/example"
COUNT = 700


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(load_tables((EXAMPLE_SITE,)), Settings())


@pytest.fixture(scope="module")
def messages() -> list[Generated]:
    return list(islice(generate(7, form="mixed"), COUNT))


@pytest.fixture(scope="module")
def outcomes(messages: list[Generated], pipeline: Pipeline) -> list[Outcome]:
    return [pipeline(raw(message)) for message in messages]


def raw(message: Generated) -> RawMessage:
    return RawMessage("json" if message.form == "fhir" else "er7", message.data, 0)


def observations(outcome: Outcome) -> list[dict]:
    resource = loads(outcome.lines[0])
    found = [entry["resource"] for entry in resource.get("entry", ())] or [resource]
    return [one for one in found if one["resourceType"] == "Observation"]


def test_the_same_seed_gives_the_same_bytes():
    first, second = ([one.data for one in islice(generate(7, form="mixed"), 200)] for _ in range(2))
    assert first == second


def test_another_seed_gives_other_messages():
    assert next(generate(7)).data != next(generate(8)).data


def test_the_bytes_do_not_depend_on_the_process():
    code = (
        "from itertools import islice; from hashlib import sha256; from adapter.replay.generate.stream import generate; "
        "print(sha256(b''.join(one.data for one in islice(generate(7, form='mixed'), 200))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_bytes_do_not_depend_on_the_decimal_context():
    first = [one.data for one in islice(generate(7, form="mixed"), 100)]
    with localcontext() as context:
        context.prec, context.rounding = 3, ROUND_UP
        assert [one.data for one in islice(generate(7, form="mixed"), 100)] == first


def test_a_longer_stream_begins_with_the_shorter_one():
    assert [one.data for one in islice(generate(3), 20)] == [one.data for one in islice(generate(3), 60)][:20]


def test_the_base_date_moves_the_messages():
    assert b"|2020010" in next(generate(7, base=date(2020, 1, 1))).data


def test_every_message_converts(outcomes: list[Outcome]):
    assert {outcome.fate for outcome in outcomes} == {"converted"}


def test_no_message_has_an_issue_of_severity_error(outcomes: list[Outcome]):
    assert [issue for outcome in outcomes for issue in outcome.issues if issue.severity == "error"] == []


def test_every_message_with_values_has_a_recognised_result(
    messages: list[Generated], outcomes: list[Outcome], pipeline: Pipeline
):
    known = set(pipeline.tables.packs["b2m"].loinc)
    for message, outcome in zip(messages, outcomes, strict=True):
        codes = {coding["code"] for one in observations(outcome) for coding in one["code"]["coding"]}
        assert codes & known or message.kind == "cancelled", message.label


def test_values_leave_digit_by_digit(messages: list[Generated], pipeline: Pipeline):
    as_sent = Pipeline(pipeline.tables, Settings(units="as-sent"))
    for message in messages[:200]:
        out = [one["valueQuantity"]["value"] for one in observations(as_sent(raw(message))) if "valueQuantity" in one]
        sent = [result["value"].strip("<>") for result in message.label["results"] if result["value"]]
        sent = sent[:1] if message.report.patient.sender.message_type == "observation" else sent
        assert [str(value) for value in out] == sent


@given(st.integers())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_seed_gives_messages_that_convert_without_error(pipeline, seed):
    for message in islice(generate(seed, form="mixed", patients=4), 8):
        outcome = pipeline(raw(message))
        assert outcome.fate == "converted"
        assert not [issue for issue in outcome.issues if issue.severity == "error"]


def test_the_flags_that_are_sent_agree_with_the_ranges(outcomes: list[Outcome]):
    assert not [issue for outcome in outcomes for issue in outcome.issues if issue.slug == "flag-conflict"]


def test_no_value_is_implausible(outcomes: list[Outcome]):
    slugs = {issue.slug for outcome in outcomes for issue in outcome.issues}
    assert not slugs & {"value-implausible", "range-implausible", "unit-conflict", "unit-unknown", "specimen-conflict"}


def test_the_stream_can_be_cut_into_its_messages_again(messages: list[Generated]):
    intake = Intake()
    found = intake.feed(b"".join(in_stream(messages))) + intake.finish()
    assert [one.data.strip() for one in found] == [message.data.strip() for message in messages]


def test_all_senders_take_part(messages: list[Generated]):
    stream = islice(generate(7, form="mixed", patients=300), 3000)
    assert {message.report.patient.sender.id for message in stream} == {sender.id for sender in senders()}


def test_all_courses_and_kinds_take_part():
    stream = list(islice(generate(7, patients=100), 2000))
    assert {message.report.patient.course.name for message in stream} == {course.name for course in courses().courses}
    assert {message.kind for message in stream} == {"preliminary", "final", "corrected", "cancelled", "resend"}


def test_versions_of_the_standard_are_spread():
    assert {sender.version for sender in senders() if sender.form == "er7"} >= {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.9"}


def test_a_resend_is_byte_identical():
    seen = {}
    resends = 0
    for message in islice(generate(7), 500):
        if message.kind == "resend":
            resends += 1
            assert message.data == seen[message.report.control_id]
        seen[message.report.control_id] = message.data
    assert resends


def test_control_ids_are_unique_but_for_resends():
    ids = [message.report.control_id for message in islice(generate(7), 500) if message.kind != "resend"]
    assert len(ids) == len(set(ids))
    assert max(map(len, ids)) <= 20


def test_a_correction_repeats_the_order_number_later_with_another_value():
    first: dict[str, Generated] = {}
    corrections = 0
    for message in islice(generate(7), 800):
        segments = read_message(message.data).segments
        filler = next(segment[3] for segment in segments if segment.name == "OBR")
        if message.kind == "corrected":
            corrections += 1
            before, result = first[filler], next(segment for segment in segments if segment.name == "OBX")
            assert result[11] == "C"
            assert next(segment[25] for segment in segments if segment.name == "OBR") == "C"
            assert message.report.issued > before.report.issued
            assert message.label["results"][0] != before.label["results"][0]
        first.setdefault(filler, message)
    assert corrections


def test_messages_come_in_the_order_of_time():
    stream = [message.report.issued for message in islice(generate(7), 400) if message.kind != "resend"]
    assert all(before <= after for before, after in pairwise(stream))


@pytest.mark.parametrize("severity", [0, 500, 1000])
def test_treatment_lowers_and_relapse_raises(severity):
    course = next(one for one in courses().courses if one.name == "myeloma, response and relapse")
    patient = Patient(1, senders()[0], course, "F", "19600101", severity)
    values = [Decimal(measured[0].value) for _, measured in results_by_visit(patient, courses(), Random(1))]
    assert values[0] > min(values) * 2
    assert values[-1] > min(values) * 2
    assert values[0] > values[1] > values[4]


def test_names_cannot_be_mistaken_for_real_ones(messages: list[Generated]):
    for message in messages:
        if message.form == "er7":
            pid = next(segment for segment in read_message(message.data).segments if segment.name == "PID")
            assert pid[5].startswith("PATIENT-")
            assert pid[5].endswith("^TEST")
            assert not pid[11]


def test_a_batch_counts_its_messages():
    intake = Intake()
    found = intake.feed(b"".join(in_batch(islice(generate(7), 50)))) + intake.finish()
    assert len(found) == 50
    assert intake.issues == []


def test_the_whole_stream_needs_constant_memory():
    import tracemalloc

    stream = generate(5)
    for _ in islice(stream, 500):
        pass
    tracemalloc.start()
    for _ in islice(stream, 3000):
        pass
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000
