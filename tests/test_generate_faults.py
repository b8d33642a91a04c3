"""Faults of real feeds: each can be asked for by name, tells its name, brings up its issue, and breaks nothing."""

from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from adapter.config import Settings
from adapter.intake import Intake
from adapter.issues import CATALOGUE
from adapter.pipeline import Pipeline
from adapter.replay.generate.faults import FaultPlan, plan_of
from adapter.replay.generate.habits import faults
from adapter.replay.generate.stream import generate
from adapter.replay.generate.writing import in_batch, in_stream
from adapter.tables.load import load_tables

ALL = faults().values()


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(load_tables((Path(__file__).resolve().parents[1] / "mappings/sites/example",)), Settings())


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_fault_brings_up_its_issue_and_never_crashes(fault, pipeline):
    spoilt = slugs = 0
    for message in islice(generate(7, form=fault.form, faults=FaultPlan(names=(fault.name,))), 40):
        intake = Intake()
        outcomes = [pipeline(raw) for raw in intake.feed(message.data) + intake.finish()]
        issues = {issue.slug for outcome in outcomes for issue in outcome.issues}
        assert "internal-error" not in issues
        assert "output-invalid" not in issues
        spoilt += message.faults == (fault.name,)
        slugs += bool(message.faults) and fault.issue in issues
    assert spoilt >= 10
    assert slugs >= 8 or not fault.issue


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_issue_of_a_fault_stands_in_the_catalogue(fault):
    assert not fault.issue or fault.issue in CATALOGUE


def test_as_counted_meets_every_message_with_its_own_chance():
    counts = Counter(name for one in islice(generate(7, faults=plan_of(["as-counted"])), 1000) for name in one.faults)
    assert 250 < counts["line-feed"] < 450
    assert len(counts) > 20


def test_a_share_spoils_so_many_messages():
    spoilt = sum(bool(one.faults) for one in islice(generate(7, faults=plan_of(["0.2"])), 1000))
    assert 100 < spoilt < 260


def test_a_share_and_a_name_spoil_so_many_messages_with_it():
    stream = list(islice(generate(7, faults=plan_of(["0.5", "time-missing"])), 400))
    assert {name for one in stream for name in one.faults} == {"time-missing"}
    assert 130 < sum(bool(one.faults) for one in stream) < 270


def test_a_stream_with_faults_can_be_cut_again():
    messages = list(islice(generate(7, form="mixed", faults=plan_of(["cut", "frame-cut", "fhir-cut", "0.3"])), 300))
    intake = Intake()
    found = intake.feed(b"".join(in_stream(messages))) + intake.finish()
    assert len(found) == len(messages)
    assert [one.slug == "truncated" for one in found] == [message.faults == ("frame-cut",) for message in messages]


def test_a_batch_with_messages_that_break_off_counts_right():
    messages = list(islice(generate(7, faults=plan_of(["cut", "frame-cut", "0.3"])), 100))
    intake = Intake()
    found = intake.feed(b"".join(in_batch(messages))) + intake.finish()
    assert len(found) == len(messages)
    assert intake.issues == []
    broken = [message.faults == ("frame-cut",) for message in messages[:-1]]
    assert [one.slug == "truncated" for one in found[:-1]] == broken


def test_faults_are_the_same_for_the_same_seed():
    first, second = ([(one.data, one.faults) for one in islice(generate(7, faults=plan_of(["0.5"])), 200)] for _ in range(2))
    assert first == second


def test_no_values_mean_no_plan():
    assert plan_of([]) is None


def test_names_and_share_are_read():
    assert plan_of(["decimal-comma", "0.25"]) == FaultPlan(Decimal("0.25"), ("decimal-comma",))


@pytest.mark.parametrize("values", [["no-such-fault"], ["1.5"], ["-0.1"], ["0.1", "0.2"], ["as-counted", "0.1"], ["NaN"]])
def test_what_cannot_be_meant_is_refused(values):
    with pytest.raises(ValueError):
        plan_of(values)
