"""The same bytes, tables and settings give the same bytes."""

import csv
import random

import pytest
from helpers.fixtures import convert, fixture_files, fixture_id, split, tables
from helpers.results import Result, observations, view

from adapter.config import Settings
from adapter.pipeline import Pipeline
from adapter.tables.layers import shipped_root
from adapter.tables.load import load_tables


def lines(pipeline: Pipeline) -> list[list[bytes]]:
    return [pipeline(raw).lines for path in fixture_files() for raw in split(path.read_bytes())[0]]


def test_two_fresh_pipelines():
    assert lines(Pipeline(tables(), Settings())) == lines(Pipeline(tables(), Settings()))


def test_what_was_converted_before_has_no_influence():
    """Memos must not change anything: the same messages in reverse order."""
    messages = [raw for path in fixture_files() for raw in split(path.read_bytes())[0]]
    forwards, backwards = Pipeline(tables(), Settings()), Pipeline(tables(), Settings())
    assert [forwards(raw).lines for raw in messages] == [backwards(raw).lines for raw in reversed(messages)][::-1]


def test_a_pipeline_that_has_seen_everything_says_what_a_new_one_says():
    """Output and issues: of all messages, the second time, and of each message alone."""
    messages = [raw for path in fixture_files() for raw in split(path.read_bytes())[0]]
    used = Pipeline(tables(), Settings())
    for raw in messages:
        used(raw)
    for raw in messages:
        again, alone = used(raw), Pipeline(tables(), Settings())(raw)
        assert (again.lines, again.issues) == (alone.lines, alone.issues)


def test_order_of_table_rows_does_not_matter(tmp_path):
    root = shipped_root()
    shuffled = random.Random(7)
    for path in root.rglob("*.csv"):
        if "sites" in path.relative_to(root).parts:
            continue
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file))
        shuffled.shuffle(rows)
        target = tmp_path / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    permuted = load_tables(root=tmp_path)
    assert permuted.version == tables().version
    assert lines(Pipeline(permuted, Settings())) == lines(Pipeline(tables(), Settings()))


@pytest.mark.parametrize("path", [path for path in fixture_files(".hl7") if b"\n" not in path.read_bytes()], ids=fixture_id)
def test_line_ends_make_no_difference(path):
    """CR, LF and CRLF end a segment alike; only what knows the digest of the bytes may differ."""

    def results(data: bytes) -> list[Result]:
        return [view(observation) for outcome in convert(data) for observation in observations(outcome.lines)]

    data = path.read_bytes()
    assert results(data.replace(b"\r", b"\n")) == results(data)
    assert results(data.replace(b"\r", b"\r\n")) == results(data)
