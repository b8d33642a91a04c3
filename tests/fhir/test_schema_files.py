"""Properties of the shipped schemas, and of their generator (`tools/make_fhir_schema.py`)."""

import gzip
import importlib.util
import json
import re
from pathlib import Path

import pytest

from adapter.fhir.validation import SCHEMA_FOLDER
from tools.make_usual_schema import usual_elements, usual_schema

SHIPPED = json.loads((SCHEMA_FOLDER / "r4.json").read_bytes())["$defs"]
WHOLE = json.loads(gzip.decompress((SCHEMA_FOLDER / "r4_whole.json.gz").read_bytes()))["$defs"]
TARGETS = json.loads((SCHEMA_FOLDER / "reference_targets.json").read_bytes())


def generator():
    path = Path(__file__).parents[2] / "tools" / "make_fhir_schema.py"
    spec = importlib.util.spec_from_file_location("make_fhir_schema", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def types(definitions):
    return definitions["Resource"]["if"]["properties"]["resourceType"]["enum"]


def test_the_shipped_types_are_those_of_the_generator():
    assert types(SHIPPED) == generator().SHIPPED


def test_the_shipped_primitives_and_invariants_are_those_of_the_generator():
    made = generator()
    assert {name: WHOLE[name] for name in made.PRIMITIVES if name in WHOLE} == {
        name: schema for name, schema in made.PRIMITIVES.items() if name in WHOLE
    }
    assert {key: WHOLE[key] for key in made.INVARIANTS} == {key: schema for key, (_, schema) in made.INVARIANTS.items()}


def test_the_whole_schema_knows_every_resource_type_of_r4():
    assert len(types(WHOLE)) == 146


def test_the_shipped_schema_is_a_part_of_the_whole():
    assert all(WHOLE[name] == schema for name, schema in SHIPPED.items() if name != "Resource")


@pytest.mark.parametrize("definitions", [SHIPPED, WHOLE], ids=["shipped", "whole"])
def test_every_reference_within_the_schema_resolves(definitions):
    names = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(definitions)))
    assert names <= set(definitions)


def test_every_object_is_closed_and_every_array_needs_an_item():
    for name, schema in WHOLE.items():
        if schema.get("type") == "object" and name != "Resource":
            assert schema["additionalProperties"] is False, name
            arrays = [one for one in schema["properties"].values() if isinstance(one, dict) and one.get("type") == "array"]
            assert all(one["minItems"] == 1 for one in arrays), name


def test_every_datatype_needs_content():
    objects = [
        name for name, schema in WHOLE.items() if schema.get("type") == "object" and name not in {*types(WHOLE), "Resource"}
    ]
    assert all(WHOLE[name]["minProperties"] == 1 for name in objects)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("observation-status", "corrected"),
        ("administrative-gender", "other"),
        ("diagnostic-report-status", "appended"),
        ("request-status", "revoked"),
        ("http-verb", "PUT"),
    ],
)
def test_required_codes_are_enumerated(values, code):
    assert code in SHIPPED[f"values:{values}"]["enum"]


def test_reference_targets_follow_the_standard():
    assert TARGETS["Observation.specimen"] == ["Specimen"]
    assert TARGETS["Observation.subject"] == ["Device", "Group", "Location", "Patient"]
    assert "Observation.focus" not in TARGETS


USUAL_FILE = json.loads((SCHEMA_FOLDER / "r4_usual.json").read_bytes())
USUAL = USUAL_FILE["$defs"]


def test_the_usual_schema_is_made_of_the_shipped_one_and_the_list_of_usual_elements():
    whole = json.loads((SCHEMA_FOLDER / "r4.json").read_bytes())
    assert usual_schema(whole, usual_elements()) == USUAL_FILE


def test_usual_elements_are_elements_of_the_shipped_schema():
    for name, elements in usual_elements().items():
        assert elements <= set(SHIPPED[name]["properties"]), name


def test_the_usual_schema_asks_of_each_element_what_the_shipped_one_asks():
    for name, schema in USUAL.items():
        if name == "Resource" or schema is False:
            continue
        whole = SHIPPED[name]
        if "properties" not in schema:
            assert schema == whole, name
            continue
        assert schema["additionalProperties"] is False, name
        strict = {
            element: one
            for rule in whole.get("allOf", ())
            for element, one in rule.get("else", {}).get("properties", {}).items()
            if rule["if"]["required"][0] not in schema["properties"]
        }
        assert all(one == {**whole["properties"], **strict}[element] for element, one in schema["properties"].items()), name
        assert schema.get("minProperties") == whole.get("minProperties"), name
        assert set(schema.get("required", ())) >= set(whole.get("required", ())), name


def test_the_usual_schema_keeps_each_rule_about_the_elements_that_it_keeps():
    for name, schema in USUAL.items():
        if schema is False or "properties" not in schema:
            continue
        kept = set(schema["properties"])
        for element, rule in SHIPPED[name].get("dependentSchemas", {}).items():
            if element in kept and set(rule) == {"properties"}:
                others = {other for other in rule["properties"] if other in kept}
                assert set(schema["dependentSchemas"][element]["properties"]) == others, f"{name}.{element}"
        for rule in SHIPPED[name].get("allOf", ()):
            required = rule.get("then", {}).get("required")
            sibling = rule.get("if", {}).get("not", {}).get("required", [""])[0]
            if "if" not in rule or sibling in kept:
                assert rule in schema["allOf"], f"{name}: {rule}"
            elif required is not None:
                assert set(required) <= set(schema["required"]), f"{name}: {rule}"
