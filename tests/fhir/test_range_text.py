"""Which range texts are read, and which stay text. The forms are those of real feeds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.range_text import parse_range

BOTH_BOUNDS = [
    ("0.6-2.4", "0.6", "2.4"),
    ("132-145", "132", "145"),
    ("42.0-54.0", "42.0", "54.0"),
    ("50 - 150", "50", "150"),
    ("27.0 - 33.0", "27.0", "33.0"),
    ("0.25-4", "0.25", "4"),
    ("0.0-400", "0.0", "400"),
    ("2-2.6", "2", "2.6"),
    ("0-0.40", "0", "0.40"),
    ("0 - 5.50", "0", "5.50"),
    ("20.0 - 250", "20.0", "250"),
    ("0-1", "0", "1"),
    ("  30 - 360", "30", "360"),
    ("4.00 -5.70 ", "4.00", "5.70"),
    ("80.0 -100.0", "80.0", "100.0"),
    ("4.00- 5.70", "4.00", "5.70"),
    ("[ 0.04 - 0.40 ]", "0.04", "0.40"),
    ("[ 150 - 450 ]", "150", "450"),
    ("[0.6-2.4]", "0.6", "2.4"),
    ("(5.2-13.2)", "5.2", "13.2"),
    ("(135-150)", "135", "150"),
    ("( 0.6 - 2.4 )", "0.6", "2.4"),
    ("13 to 18", "13", "18"),
    ("4.3 to 6.2", "4.3", "6.2"),
    ("0 to 0.3", "0", "0.3"),
    ("150000 to 350000", "150000", "350000"),
    ("0.6 TO 2.4", "0.6", "2.4"),
    ("0.6–2.4", "0.6", "2.4"),
    ("0.6 – 2.4", "0.6", "2.4"),
    ("0.6\u00a0-\u00a02.4", "0.6", "2.4"),
    ("-3-3", "-3", "3"),
    ("-3 - 3", "-3", "3"),
    ("-0.40-0.40", "-0.40", "0.40"),
    ("-5--3", "-5", "-3"),
    ("-5 - -3", "-5", "-3"),
    (".4-1.5", ".4", "1.5"),
    ("0.00-10000.00", "0.00", "10000.00"),
    ("1.210-2.70", "1.210", "2.70"),
    ("0-999", "0", "999"),
]

UPPER_BOUND = [
    ("<0.35", "0.35", False),
    ("<20", "20", False),
    ("< 0.9", "0.9", False),
    ("< 53", "53", False),
    ("     < 20", "20", False),
    ("     <  5", "5", False),
    ("[ < 3.0]", "3.0", False),
    ("[ < 0.21 ]", "0.21", False),
    ("(<6.2)", "6.2", False),
    ("(<104)", "104", False),
    ("<999", "999", False),
    ("<=1.030", "1.030", True),
    ("<=0.50", "0.50", True),
    ("<= 0.50", "0.50", True),
    ("=<0.50", "0.50", True),
    ("≤2.51", "2.51", True),
    ("≤ 300", "300", True),
]

LOWER_BOUND = [
    (">131", "131", False),
    (">1.00", "1.00", False),
    ("> 6.8", "6.8", False),
    ("> 60", "60", False),
    ("[ > 1.5]", "1.5", False),
    ("(>1.3)", "1.3", False),
    ("(>60)", "60", False),
    (">=0.91", "0.91", True),
    (">=60", "60", True),
    ("=>60", "60", True),
    ("≥60", "60", True),
]

WITH_UNIT = [
    ("0.6-2.4 mg/L", "0.6", "2.4", "mg/L"),
    ("0.6 - 2.4 mg/L", "0.6", "2.4", "mg/L"),
    ("0.6-2.4mg/L", "0.6", "2.4", "mg/L"),
    ("0.6 mg/L - 2.4 mg/L", "0.6", "2.4", "mg/L"),
    ("0.5-2.0 ug/L", "0.5", "2.0", "ug/L"),
    ("0.5-2.0 µg/L", "0.5", "2.0", "µg/L"),
    ("0.0-0.9 s/co", "0.0", "0.9", "s/co"),
    ("649-1346 cells/mcL", "649", "1346", "cells/mcL"),
    ("(0.6-2.4) mg/L", "0.6", "2.4", "mg/L"),
    ("30-370 mcg/24 h", "30", "370", "mcg/24 h"),
    ("4.0-5.6 %", "4.0", "5.6", "%"),
    ("4.0-5.6%", "4.0", "5.6", "%"),
    ("0-3 /HPF", "0", "3", "/HPF"),
    ("<10 ug/dL", None, "10", "ug/dL"),
    ("<10 ug/dl", None, "10", "ug/dl"),
    ("<43 IU/mL", None, "43", "IU/mL"),
    ("<0.50 IU/mL", None, "0.50", "IU/mL"),
    ("<1.0 S/CO", None, "1.0", "S/CO"),
    ("(>1.00) mmol/l", "1.00", None, "mmol/l"),
    ("> 60 mL/min/1.73m2", "60", None, "mL/min/1.73m2"),
    ("≤300 mcg/L", None, "300", "mcg/L"),
]

REFUSED = {
    "nothing": ["", " ", "  ", "[ ]", "()", "-", "...", "+", "null", "NONE"],
    "words": [
        "Not Detected",
        "Negative",
        "negativ",
        "  negativ",
        "négatif",
        "negativ -",
        "Normal",
        "norm",
        "See Below",
        "SEE TARGETS",
        "Abnormal",
        "non-reactive",
        "UNDETECTED",
        "geschlechtsabhängig",
        "voir tableau",
        "Reference Range",
        "RANGE",
        "N",
        "L",
        "H",
        "A",
    ],
    "words with digits": [
        "Exon 7 Present",
        "See note 3",
        "ReferenceRange1",
        "IIII1",
        "9jnHwvEiBZ",
        "Iv2CRuPt1T",
        "Within Normal Limits = FA",
        "< III",
        "Immun. >10",
        "Up to 3.0",
        "BELOW 20",
        "TARGET <5.20",
        "TARGET >1.29",
        "<130 optimal",
        "<10 = Negative",
        "< Daily 4%",
        "(3.9-6.1)nüchtern",
        "3.9-5.8) nüchtern",
        "7-56 units per liter of serum",
        "High Viral Load > or = 850000iU/mL",
        "<9 mcg/dL:  Acceptable background lead exposure",
        "0.6-2.4 mg/L fasting",
        "Adults 0.6-2.4",
    ],
    "one number": ["0", "59", "37203", "20230615", "2.4", "2.4 mg/L"],
    "open end, sign or empty bound": [
        "0.24 -",
        "1.0 -",
        "40.000000-",
        "- 738",
        "- 3.0",
        "-738",
        "-3.0",
        " - <6",
        " - <1.00",
        "5-",
        "-",
    ],
    "decimal comma or thousands": ["0,6 - 2,4", "0,6-2,4", "1,000-2,000", "<1,5", "1,5-3", "1.000,0-2.000,0", "4,300 to 10,800"],
    "no plain numbers": [
        "00-1",
        "0-01",
        "007-9",
        "5.-8.000",
        "0.37-.070",
        "< 0 .59",
        "≤2 .51",
        "1e2-1e3",
        "1-5e5/L",
        "0x1-0x2",
        "١-٢",
    ],
    "components": [
        "35-150^35^150",
        "0-100^0^100",
        ">40^>40",
        ">^11.0",
        "^^10.000000",
        "0.6^2.4",
        "5.-8.000^5.0 - 8.0",
        "-42.99^3.2 - 16  umol/L",
        "1.005-1.030^1.005 - 1.030",
        "-NEG^NEGATIVE",
        "-NEG^NEGATIVE (g/L)",
        "mo^month^ANSI",
        "4.50&5.90",
        "115.-155.000^F: 115 - 155  g/L",
    ],
    "another separator": ["70_105", r"\70_105", "0.6/2.4", "0.6;2.4", "0.6..2.4", "0.6~2.4", "0.6 2.4"],
    "titres and dates": ["<1:80", "< 1:1", "1:40-1:80", "2023-06-15", "2023-06", "08:00-16:00"],
    "grades": ["0-1+", "1+-2+"],
    "several ranges": [
        "M: 1-2 F: 3-4",
        "M 1-2/F 3-4",
        "<30 yrs: 0.6-2.0",
        "15-200 / 15-50 (Grenzbereich) / 100-120 (Optimalbereich)",
        "Follikel   (1.6-12.0) / Peak       (8.0-22.0)",
        "70-120 / Therapie   (12-33)",
        "(1.20-0.93) / Therapie   (4.50-2.00)",
        "<150 Mangel / 150-220 Graubereich / >220 Ausreichend",
        "<60    : negativ / 60-100 : grenzwertig / >100   : positiv",
        "<1 = Susceptible, >= 1 = Resistant",
        "Recommended: <200; Moderate Risk: 200-239 ; High Risk: >240",
        r"(<0.20) \ (>2.40)toxisch",
        r"(2.3-25.0) \ (2.3-10.0)Menopause",
        "0-2-7.2",
        "5 - 10 to 20",
        "1-2/3",
        "0-1/40",
        "1-2 mg/L, 3-4 mg/L",
    ],
    "contradiction": [
        "<7-10",
        ">2-7.2",
        "1.15-0.90",
        "5-3",
        "3--5",
        "<>5",
        "<=>5",
        ">0.5-<1.0x",
        "0.6 mg/L - 2.4 ug/L",
        "0.6-2.4 %/%%/ ",
    ],
    "no width": ["0-0", "0.0-0.0", "0.00-0.00", "5-5", "0 - <0"],
    "sign after a comparator": ["<-5", ">-2.0", "> - 2"],
    "brackets that do not pair": ["[0.6-2.4", "0.6-2.4]", "(0.6-2.4]", "[0.6-2.4[", "((0.6-2.4))", "[0.6-2.4](0.6-2.4)"],
}


@pytest.mark.parametrize(("text", "low", "high"), BOTH_BOUNDS)
def test_two_bounds_are_both_inclusive(text: str, low: str, high: str) -> None:
    parsed = parse_range(text)
    assert parsed is not None
    assert parsed == (Decimal(low), Decimal(high), True, True, low, high, "", text)


@pytest.mark.parametrize(("text", "high", "inclusive"), UPPER_BOUND)
def test_an_upper_bound_is_inclusive_only_where_the_text_says_so(text: str, high: str, inclusive: bool) -> None:
    parsed = parse_range(text)
    assert parsed is not None
    assert (parsed.low, parsed.high, parsed.high_text, parsed.high_inclusive) == (None, Decimal(high), high, inclusive)


@pytest.mark.parametrize(("text", "low", "inclusive"), LOWER_BOUND)
def test_a_lower_bound_is_inclusive_only_where_the_text_says_so(text: str, low: str, inclusive: bool) -> None:
    parsed = parse_range(text)
    assert parsed is not None
    assert (parsed.high, parsed.low, parsed.low_text, parsed.low_inclusive) == (None, Decimal(low), low, inclusive)


@pytest.mark.parametrize(("text", "low", "high", "unit"), WITH_UNIT)
def test_a_unit_in_the_text_is_returned(text: str, low: str | None, high: str | None, unit: str) -> None:
    parsed = parse_range(text)
    assert parsed is not None
    assert (parsed.low_text or None, parsed.high_text or None, parsed.unit) == (low, high, unit)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED.items() for text in texts])
def test_refused(kind: str, text: str) -> None:
    assert parse_range(text) is None, kind


@pytest.mark.parametrize("text", ["0.50 - <1.00", "0.50-<1.00", "0.50 - < 1.00"])
def test_a_second_bound_with_a_comparator_is_exclusive(text: str) -> None:
    parsed = parse_range(text)
    assert parsed is not None
    assert parsed[:4] == (Decimal("0.50"), Decimal("1.00"), True, False)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("0-300 ug/g creat", "ug/g creat"), ("4-11 10*3/uL", "10*3/uL"), ("<5 ratio", "ratio"), ("(3-5) U", "U"), ("3-5U", "U")],
)
def test_the_unit_of_the_result_is_known_for_a_unit_however_it_is_written(text: str, unit: str) -> None:
    assert parse_range(text) is None
    parsed = parse_range(text, unit)
    assert parsed is not None
    assert parsed.unit == unit


@pytest.mark.parametrize(("text", "unit"), [("4-1110*3/uL", "10*3/uL"), ("3-4.5g", ".5g"), ("3-45", "5"), ("3-5 kg", "g")])
def test_the_unit_of_the_result_never_takes_a_piece_of_a_number_or_of_another_unit(text: str, unit: str) -> None:
    assert parse_range(text, unit) in (None, parse_range(text))


def test_the_text_stays_as_given() -> None:
    parsed = parse_range("  [ 0.60 - 2.40 ] ")
    assert parsed is not None
    assert (parsed.text, parsed.low_text, parsed.high_text) == ("  [ 0.60 - 2.40 ] ", "0.60", "2.40")


def test_a_paragraph_is_refused_without_reading_it() -> None:
    assert parse_range("0.6-2.4" + " " * 100) is None


numbers = st.decimals(min_value=0, max_value=10**6, places=2)


@given(numbers, numbers, st.sampled_from(["{}-{}", "{} - {}", "[ {} - {} ]", "({}-{})", "{} to {}", "{}-{} mg/L"]))
def test_two_bounds_come_back_exactly(one: Decimal, other: Decimal, form: str) -> None:
    low, high = sorted((one, other))
    parsed = parse_range(form.format(low, high))
    if low == high:
        assert parsed is None
    else:
        assert parsed is not None
        assert (parsed.low_text, parsed.high_text) == (str(low), str(high))


@given(st.text(alphabet="0123456789.-<>=≤≥ ()[]/,:^mgLto%–", max_size=30))
def test_whatever_is_read_stands_in_the_text(text: str) -> None:
    parsed = parse_range(text)
    if parsed is not None:
        assert parsed.low is None or parsed.high is None or parsed.low < parsed.high
        assert all(part in text for part in (parsed.low_text, parsed.high_text, parsed.unit))
        assert parsed.low is not None or parsed.high is not None
