"""The tables as FHIR resources, and back."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import run
from table_sets import write

from adapter.enrich.mark import RULES
from adapter.fhir.full_validation import full_faults
from adapter.fhir.json import dumps, loads
from adapter.tables.export import code_systems, observation_definitions, value_sets
from adapter.tables.export_concept_maps import concept_maps
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

EXAMPLE = Path(__file__).parents[2] / "mappings/sites/example"


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables([EXAMPLE])


@pytest.fixture(scope="module")
def maps(tables: Tables) -> dict[str, dict[str, Any]]:
    return {resource["id"]: resource for resource in concept_maps(tables)}


def targets(resource: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {element.get("code", ""): element["target"] for group in resource["group"] for element in group["element"]}


def test_every_resource_is_valid(tables: Tables) -> None:
    made = [*concept_maps(tables), *observation_definitions(tables), *value_sets(tables), *code_systems(tables, RULES)]
    assert len(made) > 90
    assert {resource["id"]: full_faults(loads(dumps(resource))) for resource in made if full_faults(resource)} == {}


def test_each_resource_has_its_own_id(tables: Tables) -> None:
    for make in (concept_maps, observation_definitions, value_sets):
        ids = [resource["id"] for resource in make(tables)]
        assert len(ids) == len(set(ids))


def test_every_canonical_resource_names_the_version(tables: Tables) -> None:
    assert {resource["version"] for resource in concept_maps(tables)} == {tables.version}


def test_local_codes_are_mapped_per_sender(maps: dict[str, dict[str, Any]]) -> None:
    [target] = targets(maps["local-codes-ACMELIS-ACME-HOSPITAL"])["B2MUR"]
    assert (target["code"], target["equivalence"]) == ("1953-9", "equivalent")
    conditions = {part["property"].rpartition("#")[2]: part["value"] for part in target["dependsOn"]}
    assert conditions == {"sender_application": "ACMELIS", "sender_facility": "ACME HOSPITAL"}


def test_a_code_that_gives_an_analyte_only_has_no_loinc(maps: dict[str, dict[str, Any]]) -> None:
    [target] = targets(maps["local-codes-OTHERLIS-ACME-HOSPITAL"])["7001"]
    assert "code" not in target and target["equivalence"] == "wider"
    assert [part["value"] for part in target["product"]] == ["b2m"]


def test_unit_spellings_are_mapped_to_ucum(maps: dict[str, dict[str, Any]]) -> None:
    found = targets(maps["units"])
    assert found["MG/L"][0]["code"] == "mg/L"
    assert found["MG PER L"][0]["code"] == "mg/L"


def test_a_refused_spelling_has_no_target(maps: dict[str, dict[str, Any]]) -> None:
    [target] = targets(maps["units"])["ug/24.h"]
    assert target["equivalence"] == "unmatched" and "code" not in target


def test_hl7_codes_are_mapped_and_every_other_one_is_named(maps: dict[str, dict[str, Any]]) -> None:
    [group] = maps["hl7-table-0085"]["group"]
    assert targets(maps["hl7-table-0085"])["F"][0]["code"] == "final"
    assert (group["unmapped"]["mode"], group["unmapped"]["code"]) == ("fixed", "unknown")


def test_a_coding_system_is_mapped_to_its_uri(maps: dict[str, dict[str, Any]]) -> None:
    assert targets(maps["hl7-table-0396"])["LN"][0]["code"] == "http://loinc.org"


def definition(tables: Tables, name: str) -> dict[str, Any]:
    [found] = [resource for resource in observation_definitions(tables) if resource["id"] == name]
    return found


def test_a_range_is_an_interval_of_its_laboratory(tables: Tables) -> None:
    [interval] = definition(tables, "labcorp-1952-1")["qualifiedInterval"]
    assert interval["range"]["low"] == {
        "value": Decimal("0.6"), "unit": "mg/L", "system": "http://unitsofmeasure.org", "code": "mg/L",
    }  # fmt: skip
    assert interval["category"] == "reference"


def test_a_bound_that_does_not_belong_to_the_range_is_words(tables: Tables) -> None:
    [interval] = definition(tables, "bc-cancer-1952-1")["qualifiedInterval"]
    assert "range" not in interval
    assert interval["condition"].startswith("< 2 mg/L")


def test_age_bands_are_intervals_of_one_definition(tables: Tables) -> None:
    found = definition(tables, "matrai-2009-1952-1")["qualifiedInterval"]
    assert [interval["age"]["low"]["value"] for interval in found] == [29, 50]
    assert "younger than 50 a" in found[0]["condition"]


def test_value_set_of_a_pack_holds_its_codes(tables: Tables) -> None:
    [found] = [resource for resource in value_sets(tables) if resource["id"] == "b2m"]
    assert {concept["code"] for concept in found["compose"]["include"][0]["concept"]} == set(tables.packs["b2m"].loinc)
    assert "LOINC is copyright" in found["copyright"]


def test_code_systems_hold_laboratories_and_rules(tables: Tables) -> None:
    laboratories, rules = code_systems(tables, RULES)
    assert {"code": "acme-outpost", "display": "ACME OUTPOST"} in laboratories["concept"]
    assert {concept["code"] for concept in rules["concept"]} == set(RULES)


def test_the_same_tables_give_the_same_bytes(tables: Tables, maps: dict[str, dict[str, Any]]) -> None:
    again = load_tables([EXAMPLE])
    assert dumps(list(maps.values())) == dumps(concept_maps(again))
    assert dumps(observation_definitions(tables)) == dumps(observation_definitions(again))


@pytest.mark.parametrize("form", ["observationdefinition", "valueset", "codesystem"])
def test_the_command_writes_a_file_for_each_resource(form: str, tmp_path: Path) -> None:
    assert run("tables", "export", "--format", form, "--out", tmp_path / "out").status == 0
    for path in (tmp_path / "out").iterdir():
        resource = json.loads(path.read_bytes())
        assert path.stem == f"{resource['resourceType']}-{resource['id']}"
        assert resource["resourceType"].lower() == form


def test_an_unknown_format_gives_status_2(tmp_path: Path) -> None:
    assert run("tables", "export", "--format", "xml", "--out", tmp_path).status == 2


# -- and back -------------------------------------------------------------------------------------------------------------


def rows_of(tables: Tables) -> set[tuple[str, ...]]:
    """Everything that the rows of codes.csv say: all cells but id, source and note."""
    return {tuple(row[1:-2]) for name, sheet in tables.sheets.items() if name.endswith("/codes") for row in sheet.rows}


@pytest.mark.parametrize("name", ["local-codes", "local-codes-ACMELIS-ACME-HOSPITAL", "local-codes-OTHERLIS-ACME-HOSPITAL"])
def test_export_and_import_give_the_same_mapping(name: str, maps: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    file.write_bytes(dumps(maps[name]))
    ran = run("tables", "import", file, "--out", tmp_path / "site")
    assert ran.status == 0, ran.stderr
    before, after = load_tables([EXAMPLE]), load_tables([EXAMPLE, tmp_path / "site"])
    assert rows_of(after) == rows_of(before)
    assert len(after.overrides) == sum(len(group["element"]) for group in maps[name]["group"])


def test_every_kind_of_row_survives_the_way_through_fhir(tmp_path: Path) -> None:
    row = {
        "id": "t", "sender_application": "A", "sender_facility": "B", "code_system": "99X", "code": "1", "name": "a name",
        "specimen": "urine", "unit": "mg/L", "analyte": "b2m", "property": "MCnc", "timing": "24h", "challenge": "after rest",
        "method": "nephelometry", "declared_duplicate": "yes", "status": "doubtful",
    }  # fmt: skip
    before = load_tables([write(tmp_path / "site", {"b2m/codes": [row]})])
    [resource] = [one for one in concept_maps(before) if one["id"] == "local-codes-A-B"]
    (tmp_path / "map.json").write_bytes(dumps(resource))
    assert run("tables", "import", tmp_path / "map.json", "--out", tmp_path / "again").status == 0
    assert rows_of(load_tables([tmp_path / "again"])) == rows_of(before)


def import_map(tmp_path: Path, *mapped: tuple[str, str, str], target: str = "http://loinc.org") -> tuple[int, str, Path]:
    """Import a foreign ConceptMap of codes, LOINC codes and equivalences."""
    elements = [
        {"code": code, "display": f"Test {code}", "target": [{"code": loinc, "equivalence": equivalence}]}
        for code, loinc, equivalence in mapped
    ]
    resource = {
        "resourceType": "ConceptMap",
        "url": "http://acme.example/map",
        "status": "active",
        "group": [{"source": "http://acme.example/codes", "target": target, "element": elements}],
    }
    (tmp_path / "foreign.json").write_text(json.dumps(resource))
    ran = run("tables", "import", tmp_path / "foreign.json", "--out", tmp_path / "site", "--application", "LIS")
    return ran.status, ran.stderr, tmp_path / "site"


def test_a_foreign_map_becomes_rows_with_id_and_source(tmp_path: Path) -> None:
    status, _, site = import_map(tmp_path, ("S17", "1952-1", "equivalent"))
    assert status == 0
    [(_, row)] = load_tables([site]).codes["S17"]
    assert (row.sender_application, row.code_system, row.loinc) == ("LIS", "http://acme.example/codes", "1952-1")
    text = (site / "b2m/codes.csv").read_text()
    assert "imported from foreign.json, http://acme.example/map" in text


@pytest.mark.parametrize(
    ("loinc", "equivalence", "reason"),
    [
        ("1952-2", "equivalent", "loinc-check-digit"),
        ("Jan-52", "equivalent", "spreadsheet-date"),
        ("2823-3", "equivalent", "unknown-loinc"),
        ("1952-1", "wider", "no equivalent"),
    ],
)
def test_what_the_checker_refuses_is_listed_and_the_rest_is_taken(
    tmp_path: Path, loinc: str, equivalence: str, reason: str
) -> None:
    status, errors, site = import_map(tmp_path, ("GOOD", "1953-9", "equivalent"), ("BAD", loinc, equivalence))
    assert status == 1
    assert "BAD" in errors and reason in errors and "GOOD" not in errors
    tables = load_tables([site])
    assert "GOOD" in tables.codes and "BAD" not in tables.codes


def test_two_codes_for_one_loinc_are_refused_until_somebody_declares_them(tmp_path: Path) -> None:
    status, errors, _ = import_map(tmp_path, ("ONE", "1952-1", "equivalent"), ("TWO", "1952-1", "equivalent"))
    assert status == 2
    assert errors.count("undeclared-duplicate") == 2


def test_a_map_to_something_else_is_refused(tmp_path: Path) -> None:
    assert import_map(tmp_path, ("S", "1952-1", "equivalent"), target="http://snomed.info/sct")[0] == 2


def import_csv(tmp_path: Path, text: str) -> tuple[int, str, Path]:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    ran = run("tables", "import", tmp_path / "list.csv", "--out", tmp_path / "site", "--application", "LIS", "--system", "L")
    return ran.status, ran.stderr, tmp_path / "site"


@pytest.mark.parametrize(
    "text",
    [
        "LOINC,Local Code,Local Name,Units\n1952-1,S17,B2M serum,mg/L\n",
        "Test_Code;LOINC_NUM;Description;UOM\nS17;1952-1;B2M serum;mg/L\n",
        "\ufefflocal code\tmapped loinc\r\nS17\t1952-1\r\n",
    ],
)
def test_headers_and_separators_are_found_out(tmp_path: Path, text: str) -> None:
    status, errors, site = import_csv(tmp_path, text)
    assert status == 0, errors
    [(_, row)] = load_tables([site]).codes["S17"]
    assert row[1:8] == ("LIS", "", "L", "S17", "", "", "") and row.loinc == "1952-1"


def test_name_and_unit_beside_a_code_are_notes(tmp_path: Path) -> None:
    _, _, site = import_csv(tmp_path, "LOINC,Local Code,Local Name,Units\n1952-1,S17,B2M serum,mg/L\n")
    assert "unit: mg/L; name: B2M serum" in (site / "b2m/codes.csv").read_text()


def test_a_name_without_code_is_what_is_mapped(tmp_path: Path) -> None:
    _, _, site = import_csv(tmp_path, "LOINC,Local Code,Local Name\n1952-1,,Our B2M in serum\n")
    assert "our b2m in serum" in load_tables([site]).names


def test_a_line_without_loinc_is_not_mapped_yet(tmp_path: Path) -> None:
    status, _, site = import_csv(tmp_path, "LOINC,Local Code\n,S16\n1952-1,S17\n")
    assert status == 0
    assert "S16" not in load_tables([site]).codes


def test_a_refused_line_is_named_by_its_number(tmp_path: Path) -> None:
    _, errors, _ = import_csv(tmp_path, "LOINC,Local Code\n1952-1,S17\n1952-2,S18\n")
    assert "row 3 (code S18, loinc 1952-2) refused" in errors


def test_a_list_without_loinc_column_gives_status_2(tmp_path: Path) -> None:
    assert import_csv(tmp_path, "Code,Name\nS17,B2M\n")[0] == 2


def test_the_same_file_gives_the_same_rows(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, _, site = import_csv(tmp_path / name, "LOINC,Local Code\n1952-1,S17\n1953-9,S18\n")
        texts.append((site / "b2m/codes.csv").read_bytes())
    assert texts[0] == texts[1]
