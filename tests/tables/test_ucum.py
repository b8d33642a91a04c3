"""UCUM arithmetic: exact, and in agreement with an independent implementation."""

from __future__ import annotations

import warnings
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.tables.decimals import multiply, power_of_ten
from adapter.tables.index import Tables
from adapter.tables.load import load_tables
from adapter.tables.ucum import Atom, Ucum, UcumError

UCUM = load_tables().ucum

MORE_UNITS = [
    "mg/dL", "g/L", "ng/mL", "pg/mL", "ug/(24.h)", "mg/(24.h)", "mg/d", "mmol/L", "umol/min", "U/L", "kat/L", "10*9/L", "10*-3",
    "10*3/uL", "/uL", "%", "[ppth]", "mm[Hg]", "m[H2O]", "cm", "mL/min/{1.73_m2}", "mosm/kg", "Pa", "kPa", "J/s", "mo", "wk", "a",
    "min", "[lb_av]", "[in_i]", "fL", "pg", "m2.s-1", "g.m/s2", "(mg/L)/(g/L)", "MG/L", "Mg/L", "G/L", "2.mg/L", "1/L", "s-1",
]  # fmt: skip


OTHERWISE_IN_PINT = ("[LPF]", "[Hg]", "[H2O]")
"""UCUM makes a low power field 100 and rounds mercury to 133.3220 kPa/m; pint takes 1 and the conventional density."""


def convert(number: str, from_unit: str, to_unit: str) -> str:
    return str(UCUM.convert(Decimal(number), from_unit, to_unit))


def test_power_of_ten_moves_the_point_and_keeps_the_digits() -> None:
    assert convert("300", "ug/L", "mg/L") == "0.300"


def test_trailing_zeros_stay() -> None:
    assert convert("4.20", "ug/mL", "mg/L") == "4.20"


def test_a_growing_number_is_written_without_exponent() -> None:
    assert convert("4", "mg/dL", "mg/L") == "40"
    assert convert("4.0", "mg/dL", "mg/L") == "40"
    assert convert("1.25", "g/L", "mg/L") == "1250"


def test_other_factors_round_to_the_digits_of_the_value() -> None:
    assert convert("90", "min", "h") == "1.5"
    assert convert("100", "min", "h") == "1.67"
    assert convert("1.000", "h", "min") == "60.00"


def test_a_day_and_twenty_four_hours_are_the_same() -> None:
    assert UCUM.factor("mg/(24.h)", "mg/d") == 1


def test_creatinine_in_braces_says_nothing() -> None:
    assert UCUM.factor("mg/g{creat}", "ug/g{creat}") == 1000
    assert UCUM.factor("ug/g{creat}", "ug/g") == 1


def test_mass_and_amount_of_substance_never_meet() -> None:
    assert UCUM.factor("nmol/L", "mg/L") is None


def test_arbitrary_units_convert_to_their_own_multiples_only() -> None:
    assert UCUM.factor("k[IU]/L", "[IU]/mL") == 1
    assert UCUM.factor("[IU]/L", "U/L") is None
    assert UCUM.factor("[IU]/L", "[arb'U]/L") is None
    assert UCUM.factor("[IU]/L", "mg/L") is None


def test_special_units_convert_to_nothing_else() -> None:
    assert UCUM.factor("Cel", "K") is None


def test_upper_case_milligram_is_megagauss() -> None:
    assert UCUM.valid("MG/L")
    assert UCUM.factor("MG/L", "mg/L") is None


def test_mass_by_24_times_hours_is_no_rate() -> None:
    assert UCUM.valid("ug/24.h")
    assert UCUM.factor("ug/24.h", "ug/(24.h)") is None


def test_mass_ratio_and_substance_ratio_are_different_kinds_and_do_not_convert() -> None:
    assert UCUM.parse("ug/g").dimension == UCUM.parse("umol/mol").dimension == ()
    assert UCUM.kind_of_quantity("ug/g") != UCUM.kind_of_quantity("umol/mol")
    assert UCUM.factor("ug/g{creat}", "umol/mol{creat}") is None
    assert UCUM.factor("ug/g", "[ppm]") is None


def test_compound_units_convert_however_they_are_written() -> None:
    assert UCUM.factor("N", "kg.m/s2") == 1
    assert UCUM.factor("(mg/L)/(g/L)", "mg/g") == 1
    assert UCUM.factor("10*9/L", "10*3/uL") == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mcg",
        "µg/L",
        "ug/g creat",
        "mg/",
        "mg//L",
        "(mg",
        "mg)",
        "mg/24h",
        "NMOL/L",
        "0.mg",
        "mg{",
        "m31",
        "/",
        "m+-2",
        "m{ü}",
    ],
)
def test_what_is_no_ucum(text: str) -> None:
    assert not UCUM.valid(text)
    with pytest.raises(UcumError):
        UCUM.parse(text)


def test_nested_and_huge_expressions_end() -> None:
    assert not UCUM.valid("(" * 5000)
    assert not UCUM.valid("10*999999999")


def test_a_definition_that_leads_back_to_itself_is_a_fault() -> None:
    ucum = Ucum([Atom("x", "derived", False, "y", ""), Atom("y", "derived", False, "x", "")], [])
    assert not ucum.valid("x")
    assert not ucum.valid("y")


def oracle(unit: str) -> tuple[float, str]:
    """Size and dimension of a unit by ucumvert and pint."""
    return float(ORACLE(unit).to_base_units().magnitude), str(ORACLE(unit).dimensionality)


@pytest.fixture(scope="module", autouse=True)
def _oracle() -> None:
    global ORACLE
    from ucumvert import PintUcumRegistry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ORACLE = PintUcumRegistry().from_ucum


def test_every_unit_agrees_with_an_independent_implementation(shipped: Tables) -> None:
    units = sorted({row.ucum for row in shipped.units.values()} | set(MORE_UNITS))
    groups: dict[tuple[object, ...], tuple[str, float]] = {}
    compared = 0
    for unit in units:
        parsed = UCUM.parse(unit)
        names = {base for base, _ in parsed.dimension}
        if parsed.arbitrary or names & {"Cel", "[pH]", "[degF]"} or any(atom in unit for atom in OTHERWISE_IN_PINT):
            continue
        try:
            size, dimension = oracle(unit)
        except Exception:
            # units that the other implementation does not know are not compared; the count below keeps this honest
            continue
        reference, reference_size = groups.setdefault((dimension, *UCUM.kind_of_quantity(unit)), (unit, size))
        factor = UCUM.factor(unit, reference)
        assert factor is not None, (unit, reference, dimension)
        assert float(factor) == pytest.approx(size / reference_size, rel=1e-9), (unit, reference)
        compared += 1
    assert compared > 100, compared


numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4)


@given(numbers)
def test_there_and_back_is_the_same_text(value: Decimal) -> None:
    there = UCUM.convert(value, "mg/L", "ng/mL")
    assert UCUM.convert(there, "ng/mL", "mg/L") == value
    assert there.as_tuple().digits == value.as_tuple().digits or there == value * 1000


@given(numbers, st.fractions(min_value=Fraction(1, 10**6), max_value=10**6))
def test_rounding_is_within_half_of_the_last_digit(value: Decimal, factor: Fraction) -> None:
    exact = Fraction(value) * factor
    found = multiply(value, factor)
    digits = len(value.as_tuple().digits)
    if value:
        assert len(found.as_tuple().digits) >= digits
        assert abs(Fraction(found) - exact) <= abs(exact) / Fraction(10 ** (digits - 1)) / 2


@given(st.integers(min_value=-25, max_value=25))
def test_powers_of_ten_are_known(power: int) -> None:
    assert power_of_ten(Fraction(10) ** power) == power


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert UCUM.valid(text) in (True, False)


def test_mercury_is_as_ucum_rounds_it() -> None:
    assert UCUM.factor("mm[Hg]", "Pa") == Fraction("133.322")
