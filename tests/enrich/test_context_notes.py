"""Notes that other results of the same message give reason for."""

import pytest
from context_messages import MARKER, SERUM, URINE, Site, message, notes, observations, order, run, slugs

from adapter.enrich.mark import is_marked

IN_URINE = "1953-9^Beta-2-Microglobulin^LN"
PH, RATE = "2756-5^pH of Urine^LN", "98979-8^eGFR^LN"


@pytest.mark.parametrize(
    ("value", "unit", "noted"),
    [
        ("5.5", "[pH]", True),
        ("5.9", "pH", True),
        ("5.9", "", True),
        ("6.0", "", False),
        ("6", "", False),
        ("7.0", "", False),
        ("<^5.0", "", True),
        ("<^6.0", "", True),
        ("<^6.5", "", False),
        (">^5.0", "", False),
    ],
)
def test_acid_urine_may_read_falsely_low(context_site: Site, value: str, unit: str, noted: bool) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L", f"{PH}|{value}|{unit}", specimen=URINE)
    outcome = run(context_site("notes"), message(orders))
    result, ph = observations(outcome)
    assert [text.startswith("Urine pH below 6") for text in notes(result)] == [True] * noted
    assert notes(ph) == []
    assert ("context-note" in slugs(outcome.issues)) is noted


def test_the_note_is_marked_with_its_row(context_site: Site) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L", f"{PH}|5.0|", specimen=URINE)
    (note,) = observations(run(context_site("notes"), message(orders)))[0]["note"]
    assert is_marked(note)
    assert note["extension"][0]["extension"][1] == {"url": "row", "valueString": "note-urine-ph"}


def test_a_note_of_the_laboratory_stays_before_it(context_site: Site) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L", f"{PH}|5.0|", specimen=URINE).replace("\rOBX|2", "\rNTE|1||as sent\rOBX|2")
    assert notes(observations(run(context_site("notes"), message(orders)))[0])[0] == "as sent"


def test_urine_of_another_collection_says_nothing(context_site: Site) -> None:
    orders = (
        order(f"{IN_URINE}|0.2|mg/L", specimen=URINE),
        order(f"{PH}|5.0|", specimen=URINE, time="20260113100000+0100", number=2),
    )
    assert notes(observations(run(context_site("notes"), message(*orders)))[0]) == []


@pytest.mark.parametrize(
    ("value", "unit", "noted"),
    [("59", "mL/min/{1.73_m2}", True), ("60", "mL/min/{1.73_m2}", False), ("45", "", False), (">^60", "mL/min/{1.73_m2}", False)],
)
def test_reduced_kidney_function_raises_serum(context_site: Site, value: str, unit: str, noted: bool) -> None:
    outcome = run(context_site("notes"), message(order(f"{MARKER}|4.2|mg/L", f"{RATE}|{value}|{unit}")))
    assert [text.startswith("Reduced glomerular") for text in notes(observations(outcome)[0])] == [True] * noted


def test_kidney_function_is_no_matter_of_urine_results(context_site: Site) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L", specimen=URINE), order(f"{RATE}|30|mL/min/{{1.73_m2}}", number=2)
    assert notes(observations(run(context_site("notes"), message(*orders)))[0]) == []


@pytest.mark.parametrize(
    ("serum", "urine", "word"),
    [
        ("4.2|mg/L|0.8-2.2", "0.02|mg/L|0.04-0.22", "glomerular"),
        ("0.5|mg/L|0.8-2.2", "0.90|mg/L|0.04-0.22", "tubular"),
        ("4.2|mg/L|0.8-2.2", "0.10|mg/L|0.04-0.22", ""),
        ("4.2|mg/L|0.8-2.2", "0.90|mg/L|0.04-0.22", ""),
        ("4.2|mg/L||H", "0.02|mg/L||L", "glomerular"),
    ],
)
def test_the_pattern_of_serum_and_urine_is_contested_and_says_so(context_site: Site, serum: str, urine: str, word: str) -> None:
    orders = order(f"{MARKER}|{serum}"), order(f"{IN_URINE}|{urine}", specimen=URINE, number=2)
    outcome = run(context_site("notes"), message(*orders))
    found = notes(observations(outcome)[0])
    assert [word in text and "contested" in text for text in found] == [True] * bool(word)
    assert notes(observations(outcome)[1]) == []


def test_a_pattern_is_of_one_day(context_site: Site) -> None:
    orders = (
        order(f"{MARKER}|4.2|mg/L|0.8-2.2"),
        order(f"{IN_URINE}|0.02|mg/L|0.04-0.22", specimen=URINE, number=2, time="20260114080000+0100"),
    )
    assert notes(observations(run(context_site("notes"), message(*orders)))[0]) == []


def test_no_flag_is_changed_and_no_observation_added(context_site: Site) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L|0-0.3", f"{PH}|5.0|", specimen=URINE)
    plain, noted = observations(run(context_site(), message(orders))), observations(run(context_site("notes"), message(orders)))
    assert noted[0].pop("note")
    assert noted == plain


def test_without_the_switch_there_is_none(context_site: Site) -> None:
    orders = order(f"{IN_URINE}|0.2|mg/L", f"{PH}|5.0|", specimen=URINE)
    assert notes(observations(run(context_site("change", "iss"), message(orders)))[0]) == []


def test_loinc_codes_that_are_not_trusted_are_not_looked_at(context_site: Site) -> None:
    senders = [{"sender_application": "TESTLIS", "trust_loinc": "no"}]
    orders = order(f"{IN_URINE}|0.2|mg/L", f"{PH}|5.0|", specimen=URINE)
    assert notes(observations(run(context_site("notes", senders=senders), message(orders)))[0]) == []


def test_serum_is_not_urine(context_site: Site) -> None:
    orders = order(f"{MARKER}|2.0|mg/L", f"{PH}|5.0|", specimen=SERUM)
    assert notes(observations(run(context_site("notes"), message(orders)))[0]) == []
