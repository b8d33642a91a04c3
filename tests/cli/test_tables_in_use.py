"""Which tables made an output, and what sites override: the output and standard error say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.commands import convert_command

from adapter.config import OUTPUT_FORMS
from adapter.fhir.canonical import TABLES_VERSION
from adapter.tables.load import load_tables

VERSION = load_tables().version
MESSAGE = (
    b"MSH|^~\\&|LIS|HOSPITAL|||20260615||ORU^R01|1|P|2.5.1\rPID|1||1^^^HOSPITAL||TEST^PATIENT\r"
    b"OBR|1||7|1^Panel^L\rOBX|1|NM|2951-2^Sodium^LN||140|mmol/L|||||F\r"
)


def observation(unit: str = "mg/L", **more: object) -> bytes:
    code = {"coding": [{"system": "http://loinc.org", "code": "1952-1"}]}
    quantity = {"value": 1.9, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return json.dumps(
        {"resourceType": "Observation", "status": "final", "code": code, "valueQuantity": quantity, **more}
    ).encode()


def tags(line: bytes) -> list[str]:
    found = json.loads(line).get("meta", {}).get("tag", [])
    return [tag["code"] for tag in found if tag["system"] == TABLES_VERSION]


@pytest.mark.parametrize("form", OUTPUT_FORMS)
def test_every_form_of_a_v2_message_names_the_tables(form: str) -> None:
    assert VERSION.encode() in b"".join(convert_command("--to", form, stdin=MESSAGE).lines)


def test_fhir_input_that_was_converted_only_gets_a_tag() -> None:
    [line] = convert_command(stdin=observation("ug/L")).lines
    assert tags(line) == [VERSION]


def test_fhir_input_with_a_mark_needs_no_tag() -> None:
    [line] = convert_command(stdin=observation(referenceRange=[{"text": "0.8-2.2"}])).lines
    assert VERSION.encode() in line
    assert tags(line) == []


def test_fhir_input_that_was_not_changed_leaves_without_a_version() -> None:
    [line] = convert_command(stdin=observation()).lines
    assert VERSION.encode() not in line


def test_a_tag_of_other_tables_is_replaced_and_other_tags_stay() -> None:
    others = [{"system": TABLES_VERSION, "code": "0" * 64}, {"code": "mine"}]
    [line] = convert_command(stdin=observation("ug/L", meta={"tag": others})).lines
    assert json.loads(line)["meta"]["tag"] == [{"code": "mine"}, {"system": TABLES_VERSION, "code": VERSION}]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "common"
    folder.mkdir()
    rows = "t-1,MG/L,mg/L,,,test,\nt-2,mg/L,mg/L,,retired,test,\nt-3,NEW,mg/L,,,test,\n"
    (folder / "units.csv").write_text("id,spelling,ucum,display,status,source,note\n" + rows)
    return tmp_path


def test_standard_error_says_what_sites_override(site: Path) -> None:
    assert "sites replace 1 and remove 1 rows" in convert_command("--mappings", site, stdin=MESSAGE).stderr


def test_nothing_is_said_where_nothing_is_overridden(site: Path) -> None:
    assert "sites replace" not in convert_command(stdin=MESSAGE).stderr
    assert "sites replace" not in convert_command("--quiet", "--mappings", site, stdin=MESSAGE).stderr
