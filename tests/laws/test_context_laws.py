"""Context judgements add and never take away; both doors give the same; a second time changes nothing."""

import csv
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers.fixtures import fixture_files, fixture_id, split
from helpers.results import resources

from adapter.config import CONTEXT_SWITCHES, Settings
from adapter.convert.message import Converter
from adapter.fhir.bundle import bundle
from adapter.fhir.json import dumps
from adapter.hl7v2.framing import RawMessage
from adapter.hl7v2.message import read_message
from adapter.pipeline import Pipeline
from adapter.tables.index import Tables
from adapter.tables.layers import shipped_root
from adapter.tables.load import load_tables

EXAMPLE = shipped_root() / "sites/example"
CONTEXT = Settings(to="collection", context=CONTEXT_SWITCHES)


@cache
def tables() -> Tables:
    return load_tables([EXAMPLE])


@cache
def pipeline(settings: Settings) -> Pipeline:
    return Pipeline(tables(), settings)


def without(resource: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != name}


@pytest.mark.parametrize("path", fixture_files(), ids=fixture_id)
def test_everything_that_leaves_without_context_leaves_with_it(path: Path) -> None:
    for raw in split(path.read_bytes())[0]:
        plain, judged = pipeline(Settings())(raw), pipeline(Settings(context=CONTEXT_SWITCHES))(raw)
        assert plain.fate == judged.fate
        after = list(resources(judged.lines))
        for resource in resources(plain.lines):
            same = [one for one in after if without(one, "note") == without(resource, "note")]
            assert any(one.get("note", [])[: len(resource.get("note", []))] == resource.get("note", []) for one in same)


@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_v2_and_fhir_doors_agree(path: Path) -> None:
    for raw in split(path.read_bytes())[0]:
        by_v2 = pipeline(CONTEXT)(raw)
        if by_v2.fate == "converted":
            plain = Converter(tables(), CONTEXT).convert(read_message(raw.data), raw.data)
            sent = dumps(bundle(plain.entries, "collection", **plain.envelope))
            assert pipeline(CONTEXT)(RawMessage("json", sent, 0)).lines == by_v2.lines


@pytest.mark.parametrize("form", ["transaction", "message", "collection"])
@pytest.mark.parametrize("path", fixture_files(".hl7"), ids=fixture_id)
def test_a_second_time_changes_nothing(path: Path, form: Any) -> None:
    judge, again = pipeline(Settings(to=form, context=CONTEXT_SWITCHES)), pipeline(Settings(context=CONTEXT_SWITCHES))
    for raw in split(path.read_bytes())[0]:
        once = judge(raw).lines
        assert [line for sent in once for line in again(RawMessage("json", sent, 0)).lines] == once


def test_order_of_table_rows_does_not_matter(tmp_path: Path) -> None:
    shuffled = random.Random(11)
    for path in EXAMPLE.rglob("*.csv"):
        header, *rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        shuffled.shuffle(rows)
        target = tmp_path / path.relative_to(EXAMPLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    permuted = Pipeline(load_tables([tmp_path]), CONTEXT)
    messages = [raw for path in fixture_files() for raw in split(path.read_bytes())[0]]
    assert [permuted(raw).lines for raw in messages] == [pipeline(CONTEXT)(raw).lines for raw in messages]


def test_off_it_is_not_even_imported() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from adapter.pipeline import Pipeline; from adapter.config import Settings; "
        "from adapter.tables.load import load_tables; Pipeline(load_tables(), Settings()); "
        "print([name for name in sys.modules if name.startswith('adapter.enrich.context') or name == 'sqlite3'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
