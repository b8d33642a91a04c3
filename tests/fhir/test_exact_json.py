"""Exact JSON: what is read is what is written, and nothing unsafe is read."""

import copy
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.json import ExactDecimal, dumps, loads, number
from adapter.issues import Rejected

NUMBERS = [
    "4.20",
    "0.0000001",
    "-0",
    "-0.0",
    "1e2",
    "1E+2",
    "1.0E-5",
    "0.00",
    "123456789012345678901234567890",
    "3.141592653589793238462643383279",
    "1e999999",
]

number_texts = st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?\Z")
trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | number_texts.map(number),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abcé"\\'), inner, max_size=4),
    max_leaves=20,
)


def holds_float(value):
    if isinstance(value, dict):
        return any(map(holds_float, value.values()))
    return any(map(holds_float, value)) if isinstance(value, list) else isinstance(value, float)


def slug(data):
    with pytest.raises(Rejected) as caught:
        loads(data)
    return caught.value.issue.slug


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_leaves_as_it_came(text):
    assert dumps(loads(f'{{"value":{text}}}')) == f'{{"value":{text}}}'.encode()


@given(number_texts)
def test_any_number_leaves_as_it_came(text):
    assert dumps(loads(text)) == text.encode()
    assert dumps(number(text)) == text.encode()


@given(trees)
def test_reading_undoes_writing(tree):
    again = loads(dumps(tree))
    assert again == tree
    assert dumps(again) == dumps(tree)
    assert not holds_float(again)


@given(number_texts)
def test_an_exact_number_has_the_value_of_its_text(text):
    assert number(text) == Decimal(text)
    assert str(number(text)) == text


@pytest.mark.parametrize("text", ["007", "+4.2", ".5", "5.", "4,2", "", " 1", "1\n", "NaN", "Infinity", "0x1", "1_000", "\u0661"])
def test_what_is_no_json_number_is_refused(text):
    with pytest.raises(ValueError, match="grammar"):
        number(text)


@pytest.mark.parametrize("text", ["1e9999999", "1e-9999999", "1e99999999999999999999999"])
def test_an_exponent_beyond_a_million_is_refused(text):
    with pytest.raises(ValueError, match="range"):
        number(text)
    assert slug(text) == "json-unsafe"


def test_a_huge_exponent_is_kept_as_text_and_never_written_out():
    assert len(dumps(number("1e999999"))) == 8
    assert len(dumps(Decimal("1E-999999"))) == 9


def test_a_result_of_arithmetic_is_written_out_in_positional_digits():
    assert dumps(Decimal("0.001") * Decimal("0.0001")) == b"0.0000001"


def test_trailing_zeros_of_arithmetic_stay():
    assert dumps(Decimal("300") * Decimal("0.001")) == b"0.300"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_number_is_not_written(value):
    with pytest.raises(TypeError):
        dumps(value)


def test_an_exact_number_survives_copying():
    assert str(copy.deepcopy(ExactDecimal("1e2"))) == "1e2"


def test_an_integer_is_read_as_integer():
    assert type(loads("12")) is int


def test_a_whole_decimal_is_not_read_as_integer():
    assert isinstance(loads("1.0"), Decimal)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"value":NaN}',
        b'{"value":-Infinity}',
        b'{"text":"\\ud800"}',
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 100_000,
    ],
    ids=["duplicate key", "NaN", "Infinity", "lone surrogate", "65 arrays", "65 objects", "100,000 arrays"],
)
def test_unsafe_json_is_rejected(data):
    assert slug(data) == "json-unsafe"


def test_a_depth_of_64_is_read():
    assert loads(b"[" * 64 + b"]" * 64)


def test_many_shallow_objects_are_not_deep():
    assert len(loads(b"[" + b"{}," * 999 + b"{}]")) == 1000


def test_a_surrogate_pair_is_read():
    assert loads(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_an_escaped_backslash_before_ud800_is_no_surrogate():
    assert loads(b'"\\\\ud800"') == "\\ud800"


@pytest.mark.parametrize("data", [b"", b"{", b"{'a':1}", b"[1,]", b"[01]", b'"\x01"', b"{} {}", b'{"a":\xff}', "\ud800"])
def test_what_is_no_json_is_rejected(data):
    assert slug(data) == "json-invalid"


def test_a_syntax_error_is_named_by_line_and_column():
    with pytest.raises(Rejected) as caught:
        loads(b'{\n "a": x}')
    assert caught.value.issue.place == "line 2, column 7"


def test_the_name_of_a_duplicate_key_is_not_in_the_detail():
    with pytest.raises(Rejected) as caught:
        loads(b'{"SECRET":1,"SECRET":2}')
    assert "SECRET" not in str(caught.value)


def test_a_byte_order_mark_is_skipped():
    assert loads(b"\xef\xbb\xbf{}") == {}


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_rejected(data):
    try:
        tree = loads(data)
    except Rejected:
        return
    assert json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal) == tree
