"""A function written for a frequent shape of a segment does what the rules say, to the last issue."""

from __future__ import annotations

from typing import Any

import pytest
from converted import HEADER, OBR, OBX, ORC, PID
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.convert import rules
from adapter.convert.assembly import Assembly
from adapter.convert.environment import Environment
from adapter.convert.message import Conversion, Converter, all_rules
from adapter.convert.rules import Plan, apply_rules, compile_rules
from adapter.convert.walks import written_walk
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

TABLES = load_tables()
ENVIRONMENT = Environment(TABLES, default_offset="-05:00")
TEXTS = st.sampled_from(
    [
        "",
        "1",
        "B2M^Beta-2 microglobulin^L",
        "20260115080000",
        "2026",
        "T1^NS&1.2.3&ISO",
        "TEST^PATIENT",
        "x\\T\\y",
        '""',
        "a~b",
        "H",
        "F",
    ]
)


def applied(plan: Plan, fields: list[str], targets: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[Any]]:
    message = read_message("\r".join((HEADER, PID, "|".join(fields))).encode())
    assembly = Assembly(message, ENVIRONMENT, patient_reference={"reference": "urn:uuid:patient"}, patient_key="patient")
    apply_rules(plan, assembly, message.segments[-1], targets)
    return targets, assembly.issues


def convert(converter: Converter, *segments: str) -> Conversion:
    source = "\r".join((HEADER, *segments)).encode()
    return converter.convert(read_message(source), source)


@given(st.sampled_from(["PV1", "SPM", "NTE", "TQ1", "PD1"]), st.lists(TEXTS, min_size=1, max_size=40))
def test_a_written_function_does_what_the_rules_say(name: str, texts: list[str]):
    target = {"PV1": "Encounter", "SPM": "Specimen", "NTE": "Annotation", "TQ1": "ServiceRequest", "PD1": "Patient"}[name]
    plan = compile_rules(all_rules()[name], ENVIRONMENT)
    fields = [name, *texts]
    first = applied(plan, fields, {target: {}})
    for _ in range(rules._FREQUENT):
        later = applied(plan, fields, {target: {}})
    assert later == first
    assert list(later[0][target]) == list(first[0][target])


def test_a_field_without_a_rule_is_kept_and_reported_by_a_written_function_too():
    converter = Converter(TABLES, Settings(to="message"))
    odd = OBX + "|" * 30 + "unknown"
    found = [convert(converter, PID, ORC, OBR, odd) for _ in range(rules._FREQUENT + 2)]
    assert {tuple(issue.slug for issue in one.issues) for one in found} == {tuple(issue.slug for issue in found[0].issues)}
    assert "unmapped-field" in {issue.slug for issue in found[-1].issues}
    assert [entry.resource for entry in found[-1].entries] == [entry.resource for entry in found[0].entries]


def test_a_repetition_goes_by_the_rules_though_the_shape_is_known():
    converter = Converter(TABLES, Settings(to="message"))
    plain, repeated = OBX.replace("||||F", "|N|||F"), OBX.replace("||||F", "|N~H|||F")
    for _ in range(rules._FREQUENT + 1):
        convert(converter, PID, OBR, plain.replace("4.20", "high"))
    found = convert(converter, PID, OBR, repeated.replace("4.20", "high"))
    (observation,) = [entry.resource for entry in found.entries if entry.resource["resourceType"] == "Observation"]
    assert [one["coding"][0]["code"] for one in observation["interpretation"]] == ["N", "H"]


def test_a_rare_shape_gets_no_function():
    plan = compile_rules(all_rules()["NTE"], ENVIRONMENT)
    applied(plan, ["NTE", "1", "L", "note"], {"Annotation": {}})
    assert not plan.walks


def test_what_a_plan_knows_of_shapes_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "_SHAPES", 4)
    plan = compile_rules(all_rules()["PV1"], ENVIRONMENT)
    for number in range(3, 15):
        for _ in range(rules._FREQUENT):
            applied(plan, ["PV1", *[""] * number, "x"], {"Encounter": {}})
        assert len(plan.walks) <= 4
        assert len(plan.met) <= 4


def test_a_written_function_names_the_fields_it_reads():
    plan = compile_rules(all_rules()["NTE"], ENVIRONMENT)
    walk = written_walk(plan.steps, [3], ["Annotation"], {"Primitive": rules.Primitive})
    assert walk.__code__.co_consts.count(3) == 1
    assert "handle" not in walk.__code__.co_names
