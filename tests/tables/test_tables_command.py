"""`b2m-adapter tables`."""

from __future__ import annotations

import json
from pathlib import Path

from table_sets import write
from typer.testing import CliRunner

from adapter.cli.tables import app
from adapter.tables.reference import reference

EXAMPLE = str(Path(__file__).parents[2] / "mappings/sites/example")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_shipped_tables_and_the_example_site_are_sound() -> None:
    status, output = run("check", "--mappings", EXAMPLE)
    assert status == 0, output
    assert output.startswith("0 faults")


def test_faults_give_status_2_and_are_json_on_request(tmp_path: Path) -> None:
    site = write(tmp_path, {"common/units": [{"id": "u", "spelling": "x", "ucum": "mcg"}]})
    status, output = run("check", "--mappings", str(site), "--json")
    fault = json.loads(output)["faults"][0]
    assert status == 2
    assert (fault["slug"], fault["line"], fault["column"]) == ("bad-unit", 2, "ucum")


def test_resolve_goes_step_by_step_to_a_row_with_file_and_line() -> None:
    status, output = run(
        "resolve", "--code", "1952-1", "--system", "LN", "--unit", "MG/L", "--specimen", "SER", "--range", "<2.51"
    )
    assert status == 0
    assert "sent LOINC 1952-1: row" in output
    assert "units.csv:" in output
    assert "range: < 2.51" in output


def test_resolve_without_result_says_why_and_gives_status_1() -> None:
    status, output = run("resolve", "--name", "Beta-2 Microglobulin", "--unit", "mg/L", "--json")
    assert status == 1
    assert json.loads(output)["answer"]["issue"] == "specimen-unknown"


def test_show_lists_what_a_site_overrides(tmp_path: Path) -> None:
    site = write(tmp_path, {"common/units": [{"id": "site-row", "spelling": "mg/L", "ucum": "g/L"}]})
    status, output = run("show", "--mappings", str(site))
    assert status == 0
    assert "row site-row" in output
    assert "replaces row" in output


def test_faulty_tables_stop_resolve_with_status_2(tmp_path: Path) -> None:
    assert run("resolve", "--mappings", str(tmp_path / "nowhere"))[0] == 2


def test_every_help_ends_with_an_example() -> None:
    for command in ("check", "resolve", "show"):
        assert "Example:  b2m-adapter tables" in run(command, "--help")[1]


def test_the_column_reference_is_up_to_date() -> None:
    assert (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8") == reference()
