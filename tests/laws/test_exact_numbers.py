"""Law 4: numbers leave as they came, digit by digit, and conversion is exact."""

from decimal import Decimal, localcontext

from helpers.fixtures import FOLDER, convert
from helpers.results import amount, digits, observations, view
from hypothesis import example, given, settings
from hypothesis import strategies as st

MESSAGE = (FOLDER / "serum/above-range.hl7").read_bytes()
OBSERVATION = (FOLDER / "fhir/observation-quantities.json").read_bytes()

#: What laboratories report: up to 12 digits before and after the point, trailing zeros included.
numbers = st.from_regex(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?", fullmatch=True)


def quantity(value: str, unit: str) -> dict:
    (outcome,) = convert(MESSAGE.replace(b"|2.45|mg/L|0.6-2.4|", f"|{value}|{unit}||".encode()))
    assert outcome.fate == "converted", outcome.issues
    (observation,) = observations(outcome.lines)
    return observation["valueQuantity"]


@given(value=numbers)
@settings(max_examples=60, deadline=None)
def test_number_in_the_canonical_unit(value):
    assert amount(quantity(value, "mg/L")) == f"{value} mg/L"


@given(value=numbers)
@settings(max_examples=60, deadline=None)
def test_converted_number_is_exact_and_the_number_as_sent_stays(value):
    found = quantity(value, "ug/L")
    (translation,) = found["extension"]
    assert digits(translation["valueQuantity"]["value"]) == value
    with localcontext(prec=60):
        assert Decimal(digits(found["value"])) * 1000 == Decimal(value)


@given(value=numbers)
@settings(max_examples=60, deadline=None)
def test_conversion_by_a_power_of_ten_keeps_every_digit(value):
    """`300` ug/L is `0.300` mg/L: the digits and so the precision are those of the sender."""
    converted = digits(quantity(value, "ug/L")["value"])
    sent = Decimal(value).as_tuple()
    left = Decimal(converted).as_tuple()
    assert (left.digits, left.exponent) == (sent.digits, sent.exponent - 3)


@given(value=st.from_regex(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?(?:[eE][+-]?[0-9]{1,2})?", fullmatch=True))
@example(value="1E-7")
@example(value="1e2")
@settings(max_examples=60, deadline=None)
def test_number_in_fhir_input(value):
    """JSON may write an exponent; it stays an exponent."""
    (outcome,) = convert(OBSERVATION.replace(b'"value": 2.45', b'"value": ' + value.encode()))
    assert outcome.fate == "converted", outcome.issues
    assert f'"value":{value},'.encode() in outcome.lines[0]


def test_number_of_another_analyte():
    data = (FOLDER / "structures/other-analytes-only.hl7").read_bytes().replace(b"|1.10|", b"|1.100|")
    (outcome,) = convert(data)
    assert view(observations(outcome.lines)[0]).value == '1.100 "mg/dL"'
