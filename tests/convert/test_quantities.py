"""NM, SN, NR, NA, CQ, SI and OBX-6."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.convert.datatypes.quantities import composite_quantity, decimal_of, number_in_text, numeric, unit
from adapter.convert.datatypes.structured_numbers import (
    numeric_array,
    numeric_range,
    structured_numeric,
    whole_number,
)
from adapter.convert.environment import Environment
from adapter.convert.rules import Primitive
from adapter.fhir.json import dumps
from adapter.tables.load import load_tables

ORIGINAL_TEXT = "http://hl7.org/fhir/StructureDefinition/originalText"
UCUM = "http://unitsofmeasure.org"
ENVIRONMENT = Environment(load_tables())


def read(function: Any, value: str, units: str = "") -> tuple[Any, list[str]]:
    found, faults = ENVIRONMENT.run(function, f"{value}|{units}")
    return found, [fault.slug for fault in faults]


def kept(text: str) -> dict[str, Any]:
    return {"extension": [{"url": ORIGINAL_TEXT, "valueString": text}]}


class TestNumeric:
    @pytest.mark.parametrize("text", ["4.20", "0", "-0.5", "0.0000001", "12345678901234567.123", "100", "-0", "0.070"])
    def test_a_number_leaves_as_written(self, text: str) -> None:
        value, faults = read(numeric, text)
        assert dumps(value.content) == f'{{"value":{text}}}'.encode()
        assert faults == []

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("+4.2", "4.2"),
            ("007", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("139.", "139"),
            ("-.50", "-0.50"),
            ("+0", "0"),
            ("065.88", "65.88"),
        ],
    )
    def test_a_number_that_json_cannot_write_keeps_its_text_beside(self, text: str, canonical: str) -> None:
        value, faults = read(numeric, text)
        assert value == ("Quantity", {"value": Decimal(canonical), "_value": kept(text)})
        assert str(value.content["value"]) == canonical
        assert faults == []

    @pytest.mark.parametrize(
        "text",
        [
            "4,2",
            "48,5",
            "1e5",
            "1e999999",
            "NaN",
            "Infinity",
            "0 .07",
            "?7",
            "1:4",
            "3-9",
            "positive",
            "--1",
            "+-5",
            "-",
            ".",
            "<",
            "٣",
            "1_0",
            "01I",
        ],
    )
    def test_what_is_no_number_stays_text(self, text: str) -> None:
        assert read(numeric, text, "mg/L") == (("String", text), ["value-not-a-number"])

    def test_more_than_forty_digits_are_no_measurement(self) -> None:
        assert read(numeric, "1" * 41)[1] == ["value-not-a-number"]

    @pytest.mark.parametrize(
        ("text", "comparator", "number"),
        [("<7", "<", "7"), ("> 65.0", ">", "65.0"), (">=1.030", ">=", "1.030"), ("≤5", "<=", "5"), ("=>5", ">=", "5")],
    )
    def test_a_comparator_in_nm_is_read_and_reported(self, text: str, comparator: str, number: str) -> None:
        value, faults = read(numeric, text)
        assert value == ("Quantity", {"value": Decimal(number), "comparator": comparator})
        assert faults == ["value-type-misused"]

    def test_outer_blanks_are_no_part_of_the_number(self) -> None:
        assert read(numeric, "  4.20 ") == (("Quantity", {"value": Decimal("4.20")}), [])

    @pytest.mark.parametrize("text", ["", "  ", '""'])
    def test_nothing_gives_nothing(self, text: str) -> None:
        assert read(numeric, text, "mg/L") == (None, [])


class TestNumberInText:
    @pytest.mark.parametrize("text", ["4.20", "<0.35", "< 2.0", ">=128", "-6.5", "      2.29"])
    def test_a_plain_number_with_a_unit_is_a_number(self, text: str) -> None:
        value, faults = read(number_in_text, text, "mg/L")
        assert (value.name, faults) == ("Quantity", ["number-in-text"])

    def test_without_unit_it_stays_text(self) -> None:
        assert read(number_in_text, "4.20") == (None, [])

    @pytest.mark.parametrize("text", ["+4.2", "007", ".5", "4,2", "1:4", "4.2 H", "=7", "2.16.840.1", "1-2"])
    def test_anything_but_a_plain_number_stays_text(self, text: str) -> None:
        assert read(number_in_text, text, "mg/L") == (None, [])


class TestStructuredNumeric:
    @pytest.mark.parametrize(
        ("text", "content"),
        [
            ("^76", {"value": Decimal(76)}),
            ("^76^^", {"value": Decimal(76)}),
            ("=^0.5", {"value": Decimal("0.5")}),
            ("<^0.001", {"comparator": "<", "value": Decimal("0.001")}),
            (">=^32", {"comparator": ">=", "value": Decimal(32)}),
        ],
    )
    def test_a_number_without_separator_is_a_quantity(self, text: str, content: dict[str, Any]) -> None:
        assert read(structured_numeric, text) == (("Quantity", content), [])

    @pytest.mark.parametrize(
        ("text", "content"),
        [
            ("<10^^^", {"comparator": "<", "value": Decimal(10)}),
            ("0.83", {"value": Decimal("0.83")}),
            (">=1.030", {"comparator": ">=", "value": Decimal("1.030")}),
        ],
    )
    def test_a_value_wholly_in_the_first_component_is_read_and_reported(self, text: str, content: dict[str, Any]) -> None:
        assert read(structured_numeric, text) == (("Quantity", content), ["value-type-misused"])

    def test_colon_is_a_ratio(self) -> None:
        value, _ = read(structured_numeric, "<^1^:^128")
        assert value == ("Ratio", {"numerator": {"comparator": "<", "value": Decimal(1)}, "denominator": {"value": Decimal(128)}})

    def test_hyphen_is_a_range_with_the_unit_at_both_ends(self) -> None:
        value, _ = read(structured_numeric, "^10^-^20", "mg/dL")
        assert value == (
            "Range",
            {"low": {"value": Decimal(10), "unit": "mg/dL"}, "high": {"value": Decimal(20), "unit": "mg/dL"}},
        )

    def test_a_range_with_a_comparator_keeps_the_text(self) -> None:
        value, _ = read(structured_numeric, "<^10^-^20")
        assert value.content["extension"] == [{"url": ORIGINAL_TEXT, "valueString": "<^10^-^20"}]

    @pytest.mark.parametrize(("text", "said"), [("<>^5", "<> 5 mg/dL"), ("^2^+", "2 + mg/dL"), ("^2^+^3", "2 + 3 mg/dL")])
    def test_not_equal_and_plus_are_text_with_the_unit(self, text: str, said: str) -> None:
        assert read(structured_numeric, text, "mg/dL") == (("String", said), [])

    @pytest.mark.parametrize("text", ["100^1^:^1", "^test", "^20^-^10", "^10^-", "^1^:", "^5^^6", "^5^;^6", "=^", "^1^:^2^3"])
    def test_what_does_not_follow_the_type_stays_text(self, text: str) -> None:
        value, faults = read(structured_numeric, text)
        assert (value.name, faults) == ("String", ["value-not-converted"])

    def test_empty_components_give_nothing(self) -> None:
        assert read(structured_numeric, "^^^", "mg/dL") == (None, [])


class TestOtherTypes:
    def test_nr_is_a_range(self) -> None:
        value, _ = read(numeric_range, "1.5^2.50", "mg")
        assert dumps(value.content) == b'{"low":{"value":1.5,"unit":"mg"},"high":{"value":2.50,"unit":"mg"}}'

    def test_nr_may_have_one_bound(self) -> None:
        assert read(numeric_range, "^2.5") == (("Range", {"high": {"value": Decimal("2.5")}}), [])

    @pytest.mark.parametrize("text", ["2.5^1.5", "a^b", "1^2^3"])
    def test_an_impossible_nr_stays_text(self, text: str) -> None:
        assert read(numeric_range, text) == (("String", text), ["value-not-converted"])

    def test_the_unit_of_cq_is_stronger_than_obx_6(self) -> None:
        value, _ = read(composite_quantity, "5^mL&milliliter&UCUM", "L")
        assert value == ("Quantity", {"value": Decimal(5), "unit": "milliliter", "code": "mL", "system": UCUM})

    def test_the_unit_of_cq_as_bare_code_is_kept(self) -> None:
        assert read(composite_quantity, "5^mL")[0].content == {"value": Decimal(5), "unit": "mL"}

    def test_si_is_an_integer(self) -> None:
        assert read(whole_number, "3") == (("Integer", 3), [])

    def test_si_with_leading_zeros_keeps_its_text(self) -> None:
        value = read(whole_number, "03")[0].content
        assert value == Primitive(3, ({"url": ORIGINAL_TEXT, "valueString": "03"},))

    @pytest.mark.parametrize("text", ["3.0", "x", "99999999999"])
    def test_si_that_is_no_integer_stays_text(self, text: str) -> None:
        assert read(whole_number, text) == (("String", text), ["value-not-a-number"])

    def test_na_is_sampled_data_without_an_invented_period(self) -> None:
        value, _ = read(numeric_array, "125^34^-22~1^2.0^3", "mV")
        assert value.content["data"] == "125 34 -22 1 2.0 3"
        assert value.content["dimensions"] == 3
        assert value.content["origin"] == {"value": Decimal(0), "unit": "mV"}
        assert "period" not in value.content and "_period" in value.content

    @pytest.mark.parametrize("text", ["1^^3", "1^2~3", "1^x"])
    def test_na_with_gaps_stays_text(self, text: str) -> None:
        assert read(numeric_array, text) == (("String", text), ["value-not-converted"])


class TestUnit:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("mmol/L", {"unit": "mmol/L"}),
            ("mmol/L^millimole per liter^UCUM", {"unit": "millimole per liter", "code": "mmol/L", "system": UCUM}),
            ("a^year^2.16.840.1.113883.6.8", {"unit": "year", "code": "a", "system": UCUM}),
            ("^mg/L", {"unit": "mg/L"}),
            ("mg\\S\\L", {"unit": "mg^L"}),
            ('""', {}),
        ],
    )
    def test_code_and_system_only_where_the_sender_names_the_system(self, text: str, found: dict[str, Any]) -> None:
        assert unit(text, ENVIRONMENT) == found

    def test_a_code_of_an_unknown_system_stays_in_the_text(self) -> None:
        assert unit("MG^milligram^L", ENVIRONMENT) == {"unit": "milligram", "_unit": kept("MG^milligram^L")}

    def test_ucum_in_the_second_triplet_gives_the_code(self) -> None:
        found = unit("MGL^mg per L^L^mg/L^^UCUM", ENVIRONMENT)
        assert (found["unit"], found["code"], found["system"]) == ("mg per L", "mg/L", UCUM)

    def test_a_code_that_is_no_ucum_does_not_claim_ucum(self) -> None:
        found, faults = ENVIRONMENT.run(unit, "iU/mL^^UCUM")
        assert found == {"unit": "iU/mL", "_unit": kept("iU/mL^^UCUM")}
        assert [(fault.slug, fault.component) for fault in faults] == [("unit-unknown", "1")]

    def test_a_code_that_is_no_ucum_but_a_known_spelling_is_the_unit(self) -> None:
        assert unit("mcg/mL^microgram per mL^UCUM", ENVIRONMENT)["unit"] == "mcg/mL"
        assert unit("flocs^flocs seen^UCUM", ENVIRONMENT)["unit"] == "flocs seen"

    def test_the_version_of_the_system_is_not_lost(self) -> None:
        assert unit("mg/dL^^UCUM^^^^1.9", ENVIRONMENT)["_unit"] == kept("mg/dL^^UCUM^^^^1.9")


@given(st.from_regex(r"[+-]?[0-9]{0,12}(\.[0-9]{0,12})?", fullmatch=True))
def test_a_number_has_the_value_of_its_text(text: str) -> None:
    read_number = decimal_of(text)
    if read_number is not None:
        assert read_number[0] == Decimal(text)
        assert (read_number[1] or str(read_number[0])) == text


@given(st.text(max_size=30))
def test_a_value_is_never_lost_and_never_invented(text: str) -> None:
    text = text.replace("|", "").replace("\\", "")
    for function in (numeric, structured_numeric, numeric_range, composite_quantity, whole_number, numeric_array):
        value, _ = read(function, text)
        has_text = any(part.replace("&", "").strip() and part != '""' for row in text.split("~") for part in row.split("^"))
        assert (value is not None) >= has_text
        if value is not None and value.name == "Quantity":
            assert str(value.content["value"]).lstrip("-") in text or "_value" in value.content
