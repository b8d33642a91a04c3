"""The change against the earlier result: only with a site's own variation, decided exactly, never across methods."""

import stat
from decimal import Decimal
from pathlib import Path

import pytest
from context_messages import MARKER, URINE, Site, judgements, message, notes, observations, order, run, slugs
from hypothesis import given
from hypothesis import strategies as st

from adapter.cli.history import SqliteHistory
from adapter.enrich.mark import is_marked

#: RCV = sqrt(2) * 1.96 * sqrt(3^2 + 4^2) = 13.859292911256331...
VARIATION = {"loinc": "1952-1", "specimen": "serum-plasma", "cv_analytical": "3", "cv_individual": "4", "z": "1.96"}
BEFORE, AFTER = "20260101080000+0100", "20260113080000+0100"


def pair(old: str, new: str, unit: str = "mg/L", code: str = MARKER) -> tuple[str, str]:
    """Two orders of one patient, the later one first."""
    return order(f"{code}|{new}|{unit}", time=AFTER), order(f"{code}|{old}|mg/L", time=BEFORE, number=2)


@pytest.mark.parametrize(
    ("old", "new", "change", "code"),
    [
        ("2.0", "2.2", "10.00", ""),
        ("2.0", "2.5", "25.00", "U"),
        ("2.5", "2.0", "-20.00", "D"),
        ("2.0", "2.0", "0.00", ""),
        ("3.0", "4.0", "33.33", "U"),
        ("100.00000", "113.85929", "13.86", ""),
        ("100.00000", "113.85930", "13.86", "U"),
        ("100.00000", "86.14071", "-13.86", ""),
        ("100.00000", "86.14070", "-13.86", "D"),
    ],
)
def test_it_is_significant_where_it_is_larger_than_the_reference_change_value(
    context_site: Site, old: str, new: str, change: str, code: str
) -> None:
    outcome = run(context_site("change", variation=[VARIATION]), message(*pair(old, new)))
    (judgement,) = judgements(outcome)
    assert str(judgement["valueQuantity"]["value"]) == change
    assert [one["coding"][0]["code"] for one in judgement.get("interpretation", [])] == ([code] if code else [])
    assert "13.86 %" in judgement["note"][0]["text"]


def test_it_is_an_observation_of_its_own_derived_from_both(context_site: Site) -> None:
    outcome = run(context_site("change", variation=[VARIATION]), message(*pair("2.0", "3.0")))
    new, old, judgement = observations(outcome)
    assert is_marked(judgement) and is_marked(judgement["interpretation"][0])
    own = [one["identifier"][0]["value"] for one in (new, old)]
    assert [one["reference"] for one in judgement["derivedFrom"]] == own
    assert judgement["effectiveDateTime"] == new["effectiveDateTime"]
    assert judgement["subject"] == new["subject"]
    assert "interpretation" not in new


def test_units_are_converted_before_the_comparison(context_site: Site) -> None:
    (judgement,) = judgements(run(context_site("change", variation=[VARIATION]), message(*pair("2.0", "2500", "ug/L"))))
    assert str(judgement["valueQuantity"]["value"]) == "25.00"


def test_without_a_row_of_the_site_nothing_is_compared(context_site: Site) -> None:
    assert judgements(run(context_site("change"), message(*pair("2.0", "9.0")))) == []


def test_without_the_switch_nothing_is_compared(context_site: Site) -> None:
    assert judgements(run(context_site("notes", variation=[VARIATION]), message(*pair("2.0", "9.0")))) == []


@pytest.mark.parametrize("row", [{**VARIATION, "loinc": "1953-9"}, {**VARIATION, "loinc": "1953-9", "specimen": "urine"}])
def test_urine_is_compared_only_where_a_row_names_urine(context_site: Site, row: dict[str, str]) -> None:
    urine = [
        order("1953-9^Beta-2-Microglobulin^LN|0.9|mg/L", specimen=URINE),
        order("1953-9^Beta-2-Microglobulin^LN|0.1|mg/L", specimen=URINE, time=BEFORE, number=2),
    ]
    found = judgements(run(context_site("change", variation=[row]), message(*urine)))
    assert len(found) == (row["specimen"] == "urine")


def test_a_result_after_dialysis_is_another_code(context_site: Site) -> None:
    orders = order(f"{MARKER}|9.0|mg/L"), order("87708-4^Beta-2-Microglobulin^LN|2.0|mg/L", time=BEFORE, number=2)
    rows = [VARIATION, {**VARIATION, "loinc": "87708-4"}]
    assert judgements(run(context_site("change", variation=rows), message(*orders))) == []


def test_methods_are_not_mixed(context_site: Site) -> None:
    first, second = pair("2.0", "9.0")
    first = first.replace(f"|||F|||{AFTER}", f"|||F|||{AFTER}|||NEPH^Nephelometry^L")
    assert judgements(run(context_site("change", variation=[VARIATION]), message(first, second))) == []


def test_laboratories_are_not_mixed(context_site: Site) -> None:
    first, second = pair("2.0", "9.0")
    first = first.replace(f"|||F|||{AFTER}", f"|||F|||{AFTER}|||||||||Labcorp")
    assert judgements(run(context_site("change", variation=[VARIATION]), message(first, second))) == []


@pytest.mark.parametrize(("old", "new"), [("<^0.5", "9.0"), ("2.0", ">^9.0"), ("0", "9.0"), ("2000", "9.0")])
def test_what_is_no_certain_number_is_not_compared(context_site: Site, old: str, new: str) -> None:
    assert judgements(run(context_site("change", variation=[VARIATION]), message(*pair(old, new)))) == []


def test_of_several_earlier_results_the_last_one_counts(context_site: Site) -> None:
    older = order(f"{MARKER}|1.0|mg/L", time="20251201080000+0100", number=3)
    found = judgements(run(context_site("change", variation=[VARIATION]), message(*pair("2.0", "2.5"), older)))
    assert [str(one["valueQuantity"]["value"]) for one in found] == ["25.00", "100.00"]


def test_two_equally_late_earlier_results_are_not_chosen_from(context_site: Site) -> None:
    twin = order(f"{MARKER}|1.0|mg/L", time=BEFORE, number=3)
    outcome = run(context_site("change", variation=[VARIATION]), message(*pair("2.0", "2.5"), twin))
    assert judgements(outcome) == []
    assert "change-not-computed" in slugs(outcome.issues)


def test_another_message_of_the_patient_is_found_in_the_history(context_site: Site, tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history.sqlite")
    pipeline = context_site("change", history=history, variation=[VARIATION])
    new, old = pair("2.0", "3.0")
    (first,) = observations(run(pipeline, message(old)))
    _, judgement = observations(run(pipeline, message(new, control="M2")))
    assert str(judgement["valueQuantity"]["value"]) == "50.00"
    identifier = {"system": "urn:ietf:rfc:3986", "value": first["identifier"][0]["value"]}
    assert judgement["derivedFrom"][1] == {"type": "Observation", "identifier": identifier}


def test_another_patient_is_not(context_site: Site, tmp_path: Path) -> None:
    pipeline = context_site("change", history=SqliteHistory(tmp_path / "history.sqlite"), variation=[VARIATION])
    new, old = pair("2.0", "3.0")
    run(pipeline, message(old, patient="T2"))
    assert judgements(run(pipeline, message(new))) == []


def test_a_result_is_not_compared_with_itself_when_it_comes_again(context_site: Site, tmp_path: Path) -> None:
    pipeline = context_site("change", history=SqliteHistory(tmp_path / "history.sqlite"), variation=[VARIATION])
    new, old = pair("2.0", "3.0")
    run(pipeline, message(old))
    once = run(pipeline, message(new)).lines
    assert run(pipeline, message(new)).lines == once
    assert len(judgements(run(pipeline, message(new)))) == 1


def test_a_result_that_was_taken_back_is_forgotten(context_site: Site, tmp_path: Path) -> None:
    pipeline = context_site("change", history=SqliteHistory(tmp_path / "history.sqlite"), variation=[VARIATION])
    new, old = pair("2.0", "3.0")
    run(pipeline, message(old))
    run(pipeline, message(old.replace("|F|||2026", "|X|||2026")))
    assert judgements(run(pipeline, message(new))) == []


def test_a_single_observation_gets_a_note(context_site: Site, tmp_path: Path) -> None:
    pipeline = context_site("change", history=SqliteHistory(tmp_path / "history.sqlite"), variation=[VARIATION])

    def single(value: str, day: str) -> str:
        return (
            '{"resourceType":"Observation","status":"final","identifier":[{"system":"urn:oid:2.16.840.1.113883.19.3","value":"'
            f'{day}"}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"1952-1"}}]}},"contained":[{{"resourceType":'
            '"Patient","id":"p","identifier":[{"system":"urn:oid:2.16.840.1.113883.19.5","value":"T1"}]}],"subject":'
            f'{{"reference":"#p"}},"effectiveDateTime":"{day}","valueQuantity":{{"value":{value},"unit":"mg/L"}}}}'
        )

    run(pipeline, single("2.0", "2026-01-01"))
    (observation,) = observations(run(pipeline, single("3.0", "2026-01-13")))
    (note,) = notes(observation)
    assert "change 50.00 %" in note and is_marked(observation["note"][0])


def test_the_history_is_readable_by_its_owner_only_and_names_no_patient(context_site: Site, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    run(context_site("change", history=SqliteHistory(path), variation=[VARIATION]), message(*pair("2.0", "3.0"), patient="T4711"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"T4711" not in path.read_bytes()


@given(st.decimals("0.2", "90", places=2), st.decimals("0.2", "90", places=2))
def test_the_flag_is_what_high_precision_arithmetic_says(old: Decimal, new: Decimal) -> None:
    from fractions import Fraction

    from adapter.enrich.context.change import larger_than_reference_change

    change = Fraction(new) / Fraction(old) - 1
    row = (Decimal(3), Decimal(4), Decimal("1.96"))
    assert larger_than_reference_change(change, *row)[0] is (abs(change) * 100 > Fraction("13.859292911256331"))


def test_the_code_of_a_change_is_defined() -> None:
    import json

    from adapter.enrich.context.judgement import JUDGEMENT_SYSTEM
    from adapter.fhir import canonical

    path = Path(canonical.__file__).parent / "definitions/CodeSystem-judgement.json"
    definition = json.loads(path.read_text(encoding="utf-8"))
    assert definition["url"] == JUDGEMENT_SYSTEM
    assert [concept["code"] for concept in definition["concept"]] == ["change"]
