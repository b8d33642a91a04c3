"""Every LOINC code in every unit and specimen from every kind of sender: expected beside actual (`matrix_expected.py`)."""

from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import write_site
from enrich_examples import codes_of, context_of, observation, slugs
from matrix_expected import (
    BY_AXES,
    CODES,
    EXCLUDED,
    EXCLUDED_NAMES,
    REFUSED,
    SPECIMENS,
    SPREADSHEET_DATES,
    UNITS,
)

from adapter.config import Settings
from adapter.enrich.enricher import Enricher
from adapter.enrich.value import translations
from adapter.tables.load import load_tables

V2_0487 = "http://terminology.hl7.org/CodeSystem/v2-0487"
CODINGS = {
    "serum": (V2_0487, "SER"),
    "plasma": (V2_0487, "PLAS"),
    "blood": (V2_0487, "BLD"),
    "urine": (V2_0487, "UR"),
    "urine 24 h": ("http://snomed.info/sct", "276833005"),
    "csf": (V2_0487, "CSF"),
}
TRUSTED, UNTRUSTED, BLANK_UNIT = ("TRUSTED",), ("UNTRUSTED",), ("BLANKUNIT",)
#: Whether the number is of a plausible size is another question.
OTHER = {"value-implausible"}


@pytest.fixture(scope="module")
def enricher(tmp_path_factory: pytest.TempPathFactory) -> Enricher:
    """The shipped tables with three senders and the publications chosen by one sender each."""
    folder: Path = tmp_path_factory.mktemp("site")
    senders = [
        {"sender_application": "UNTRUSTED", "trust_loinc": "no"},
        {"sender_application": "BLANKUNIT", "blank_unit": "mg/L"},
        *({"sender_application": name, "range_laboratory": name} for name in ("pagana", "city-of-hope", "tietz-1995")),
    ]
    write_site(folder, {"senders": senders})
    return Enricher(load_tables([folder]), Settings())


def enriched(enricher: Enricher, resource: dict[str, Any], specimen: str, sender: tuple[str, ...]) -> set[str]:
    coding = dict(zip(("system", "code"), CODINGS[specimen], strict=True)) if specimen else None
    made = {"resourceType": "Specimen", "type": {"coding": [coding]}} if coding else ""
    return slugs(enricher.enrich(context_of(resource, made, sender_application=sender))) - OTHER


def outcome(resource: dict[str, Any], found: set[str]) -> tuple[str, str, str, frozenset[str]]:
    """First LOINC code, value with unit, number of translations, issues."""
    quantity = resource["valueQuantity"]
    codings = resource["code"]["coding"]
    loinc = codings[0]["code"] if codings[0].get("system") == "http://loinc.org" else ""
    value = f"{quantity['value']} {quantity.get('code', '')}".strip()
    return loinc, value, "translated" if translations(quantity) else "", frozenset(found)


def expected(code: str, spelling: str, specimen: str, sender: tuple[str, ...]) -> tuple[str, str, frozenset[str]]:
    """What must come out: value with unit, whether it was converted, issues."""
    if sender == UNTRUSTED:
        return "2.50", "", frozenset({"loinc-not-trusted"})
    unit = "mg/L" if not spelling and sender == BLANK_UNIT else spelling
    known = UNITS.get(unit)
    wrong = set()
    if specimen not in CODES[code].specimens:
        wrong.add("specimen-conflict")
    if known is not None and known.property != CODES[code].property:
        wrong.add("unit-conflict")
    if wrong:
        return "2.50", "", frozenset(wrong)
    if known is None:
        return "2.50", "", frozenset({"unit-unknown" if unit else "unit-missing"})
    if not known.value:
        return f"2.50 {known.ucum}", "", frozenset({"unit-not-convertible"})
    # the value as sent stays as a translation where its code was another one, or it had no unit
    return f"{known.value} {CODES[code].canonical}", "translated" if known.ucum != CODES[code].canonical else "", frozenset()


@pytest.mark.parametrize("code", CODES)
def test_every_unit_specimen_and_sender(enricher: Enricher, code: str) -> None:
    table = []
    for spelling, specimen, sender in product((*UNITS, *REFUSED, ""), SPECIMENS, (TRUSTED, UNTRUSTED, BLANK_UNIT)):
        resource = observation(code, "2.50", spelling)
        found = enriched(enricher, resource, specimen, sender)
        loinc, value, moved, issues = outcome(resource, found)
        must = expected(code, spelling, specimen, sender)
        assert loinc == code
        if not spelling and sender == BLANK_UNIT and not must[2]:
            must = (must[0], "translated", must[2])
        if must != (value, moved, issues):
            table.append(f"{code} | {spelling} | {specimen} | {sender[0]} | expected {must} | actual {(value, moved, issues)}")
    assert not table, "\n".join(table)


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_a_name_alone_is_resolved_by_specimen_and_unit(enricher: Enricher, specimen: str) -> None:
    table = []
    for spelling in (*UNITS, *REFUSED, ""):
        resource = observation("x", "2.50", spelling)
        resource["code"] = {"coding": [{"code": "4711", "display": "Beta-2 Microglobulin"}]}
        found = enriched(enricher, resource, specimen, TRUSTED)
        unit = UNITS.get(spelling)
        must = BY_AXES.get((specimen, unit.property), "") if unit else ""
        actual = outcome(resource, found)[0]
        if must != actual or (not must and not found):
            table.append(f"{spelling} | {specimen} | expected {must or 'none, and an issue'} | actual {actual}, {found}")
    assert not table, "\n".join(table)


def test_every_code_of_the_pack_is_in_the_matrix(enricher: Enricher) -> None:
    assert set(load_tables().packs["b2m"].loinc) == set(CODES)


@pytest.mark.parametrize(("system", "code"), EXCLUDED)
def test_what_looks_like_it_and_is_something_else_is_left_alone(enricher: Enricher, system: str, code: str) -> None:
    resource = observation(code, "2.50", "mg/L", "0.6-2.4")
    resource["code"] = {"coding": [{"system": system, "code": code} if system else {"code": code}]}
    before = dict(resource)
    assert enriched(enricher, resource, "serum", TRUSTED) == {"code-excluded"}
    assert resource == before


@pytest.mark.parametrize("name", EXCLUDED_NAMES)
def test_a_name_that_looks_like_it_is_left_alone(enricher: Enricher, name: str) -> None:
    resource = observation("x", "2.50", "mg/L", "0.6-2.4")
    resource["code"] = {"coding": [{"code": "1", "display": name}]}
    enriched(enricher, resource, "serum", TRUSTED)
    assert resource["code"]["coding"] == [{"code": "1", "display": name}]
    assert "interpretation" not in resource


@pytest.mark.parametrize("code", SPREADSHEET_DATES)
def test_a_damaged_code_is_reported_and_not_guessed(enricher: Enricher, code: str) -> None:
    resource = observation(code, "2.50", "mg/L", "0.6-2.4")
    assert enriched(enricher, resource, "serum", TRUSTED) == {"loinc-check-digit"}
    assert "interpretation" not in resource


@pytest.mark.parametrize("spelling", [name for name, unit in UNITS.items() if unit.value])
def test_ucumvert_agrees_with_every_factor(spelling: str) -> None:
    from ucumvert import PintUcumRegistry

    unit = UNITS[spelling]
    if "[IU]" in unit.ucum:
        return
    canonical = next(code.canonical for code in CODES.values() if code.property == unit.property)
    registry = _registry(PintUcumRegistry)
    theirs = (registry.from_ucum(unit.ucum) / registry.from_ucum(canonical)).to("").magnitude
    assert abs(Decimal(repr(float(theirs))) * Decimal("2.50") - Decimal(unit.value)) < Decimal("1e-9") * Decimal(unit.value)


def _registry(kind: Any, made: list[Any] = []) -> Any:  # noqa: B006  (one registry for all tests: it takes a second to make)
    if not made:
        made.append(kind())
    return made[0]


@pytest.mark.parametrize("spelling", ["MG/L", "ug/24.h", "G/L"])
def test_ucum_takes_the_traps_for_units_and_the_adapter_does_not_ask_it(spelling: str) -> None:
    from ucumvert import PintUcumRegistry

    registry = _registry(PintUcumRegistry)
    assert registry.from_ucum(spelling).dimensionality != registry.from_ucum("mg/L").dimensionality
    assert spelling in REFUSED or UNITS[spelling].ucum != spelling


ADULT = {"resourceType": "Patient", "birthDate": "1960-01-01"}


@pytest.mark.parametrize(
    ("laboratory", "code", "specimen", "unit", "judged"),
    [
        # Quest, adults: <= 2.51 mg/L
        ("Quest Diagnostics", "1952-1", "serum", "mg/L", {"2.50": "N", "2.51": "N", "2.52": "H", "0.2": "N"}),
        # Labcorp: 0.6 - 2.4 mg/L
        ("Labcorp", "1952-1", "serum", "mg/L", {"0.59": "L", "0.6": "N", "2.4": "N", "2.41": "H", "2.45": "H"}),
        # Pagana: blood 0.7-1.8 mcg/mL; urine <= 300 mcg/L, which is 0.300 mg/L
        ("pagana", "1952-1", "serum", "mg/L", {"0.69": "L", "0.7": "N", "1.8": "N", "1.81": "H"}),
        ("pagana", "1953-9", "urine", "mcg/L", {"300": "N", "300.1": "H"}),
        ("pagana", "1953-9", "urine", "mg/L", {"0.300": "N", "0.301": "H", "3": "H"}),
        # City of Hope: serum 1.5-3, urine 0.04-0.22, cerebrospinal fluid 0.2-2 mg/L
        ("city-of-hope", "1952-1", "serum", "mg/L", {"1.49": "L", "1.5": "N", "3": "N", "3.01": "H", "2.45": "N"}),
        ("city-of-hope", "1953-9", "urine", "mg/L", {"0.039": "L", "0.04": "N", "0.22": "N", "0.221": "H"}),
        ("city-of-hope", "1951-3", "csf", "mg/L", {"0.19": "L", "0.2": "N", "2": "N", "2.01": "H"}),
        # Tietz 1995, 24 hour urine: 0.03-0.37 mg/day
        ("tietz-1995", "10873-8", "urine 24 h", "ug/24 h", {"29": "L", "30": "N", "370": "N", "371": "H"}),
    ],
)
def test_ranges_of_the_sources_resolve_and_judge_as_written(
    enricher: Enricher, laboratory: str, code: str, specimen: str, unit: str, judged: dict[str, str]
) -> None:
    published = laboratory.islower()
    organizations = [] if published else [{"resourceType": "Organization", "name": laboratory}]
    sender = (laboratory,) if published else TRUSTED
    coding = dict(zip(("system", "code"), CODINGS[specimen], strict=True))
    flags = {}
    for value in judged:
        resource = observation(code, value, unit, effectiveDateTime="2026-01-13")
        made = context_of(
            resource, {"type": {"coding": [coding]}}, patient=ADULT, organizations=organizations, sender_application=sender
        )
        enricher.enrich(made)
        (flags[value],) = codes_of(resource)
    assert flags == judged


@pytest.mark.parametrize("laboratory", ["pagana", "city-of-hope", "Pagana", "City of Hope"])
def test_a_publication_is_no_laboratory_that_a_message_could_name(enricher: Enricher, laboratory: str) -> None:
    resource = observation("1952-1", "2.50", "mg/L")
    enricher.enrich(context_of(resource, organizations=[{"resourceType": "Organization", "name": laboratory}]))
    assert "referenceRange" not in resource


def test_300_milligrams_in_urine_are_never_a_range(enricher: Enricher) -> None:
    resource = observation("1953-9", "0.25", "mg/L", "0-300")
    assert enriched(enricher, resource, "urine", TRUSTED) == {"range-implausible"}
    assert "interpretation" not in resource
