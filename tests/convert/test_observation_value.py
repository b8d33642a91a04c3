"""OBX-2 and OBX-5 to OBX-7: every value type gives something, whatever the text is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results import convert, kept_fields, obx, result, slugs, surroundings

from adapter.convert.observation_value import ATTACHMENT_VALUE, READERS, has_value
from adapter.fhir.json import dumps
from adapter.fhir.validation import structure_faults

SNOMED = "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("kind", "text", "element", "value"),
    [
        ("ST", "Clear yellow", "valueString", "Clear yellow"),
        ("ST", "A\\T\\B \\F\\ C", "valueString", "A&B | C"),
        ("ST", "A^B & C", "valueString", "A^B & C"),
        ("TX", "one~two", "valueString", "one\ntwo"),
        ("FT", "one\\.br\\two", "valueString", "one\ntwo"),
        ("ID", "Y", "valueCodeableConcept", {"coding": [{"code": "Y"}], "text": "Y"}),
        ("IS", "Y", "valueCodeableConcept", {"coding": [{"code": "Y"}], "text": "Y"}),
        ("DT", "20260110", "valueDateTime", "2026-01-10"),
        ("DTM", "20260110091500-0500", "valueDateTime", "2026-01-10T09:15:00-05:00"),
        ("TS", "20260110091500-0500", "valueDateTime", "2026-01-10T09:15:00-05:00"),
        ("TM", "0915", "valueTime", "09:15:00"),
        ("DR", "20260110^20260112", "valuePeriod", {"start": "2026-01-10", "end": "2026-01-12"}),
        ("VR", "a^b", "valueString", "a-b"),
        ("SI", "3", "valueInteger", 3),
        ("CQ", "5^mL", "valueQuantity", {"value": Decimal(5), "unit": "mL"}),
        ("NM", "4.20", "valueQuantity", {"value": Decimal("4.20")}),
        ("NR", "1^2", "valueRange", {"low": {"value": Decimal(1)}, "high": {"value": Decimal(2)}}),
    ],
)
def test_value_type(kind: str, text: str, element: str, value: Any) -> None:
    assert result(obx(kind, text))[element] == value


@pytest.mark.parametrize("kind", ["CE", "CWE", "CNE", "CF"])
def test_coded_values_keep_both_triplets(kind: str) -> None:
    codings = result(obx(kind, "260373001^Detected^SCT^POS^Positive^L"))["valueCodeableConcept"]["coding"]
    assert codings[0] == {"system": SNOMED, "code": "260373001", "display": "Detected"}
    assert codings[1]["code"] == "POS"


@pytest.mark.parametrize("kind", ["XCN", "CX", "XPN", "XAD", "XTN", "XON", "PN", "TN", "AD", "EI", "CP", "MO"])
def test_types_without_place_in_fhir_are_text_as_sent(kind: str) -> None:
    assembly = convert(obx(kind, "1^TEST^Ann"))
    observation = assembly.observations[0].observation
    assert (observation["valueString"], kept_fields(observation)) == ("1^TEST^Ann", {"OBX-2": kind})
    assert slugs(assembly) == ["value-type-as-text"]


@pytest.mark.parametrize("kind", ["", "TXT", "NUM", "ValueType", "*"])
def test_a_blank_or_unknown_type_is_text(kind: str) -> None:
    assembly = convert(obx(kind, "4.2", "mg/L"))
    assert assembly.observations[0].observation["valueString"] == "4.2"
    assert slugs(assembly) == ["value-type-unknown"]


@pytest.mark.parametrize("kind", ["CWE^^HL70125", "cwe", "CWE^Coded With Exceptions^HL70125"])
def test_a_type_written_differently_is_known(kind: str) -> None:
    assert "valueCodeableConcept" in result(obx(kind, "A^Alpha^L"))


def test_a_value_type_without_value_is_only_a_missing_value() -> None:
    assert slugs(convert(obx("", ""))) == ["value-missing"]


def test_an_impossible_date_is_text() -> None:
    assert result(obx("DT", "20260231"))["valueString"] == "20260231"


class TestUnits:
    def test_the_unit_stands_in_the_quantity(self) -> None:
        observation = result(obx("NM", "4.20", "mg/L^^UCUM"))
        assert observation["valueQuantity"] == {
            "value": Decimal("4.20"),
            "unit": "mg/L",
            "code": "mg/L",
            "system": "http://unitsofmeasure.org",
        }
        assert kept_fields(observation) == {}

    @pytest.mark.parametrize(
        ("kind", "text"), [("NM", "positive"), ("ST", "positive"), ("CWE", "A^Alpha^L"), ("SI", "3"), ("CQ", "5^mL")]
    )
    def test_a_unit_without_place_is_kept(self, kind: str, text: str) -> None:
        assert kept_fields(result(obx(kind, text, "mg/L")))["OBX-6"] == "mg/L"

    def test_the_unit_stands_in_the_text_of_an_sn(self) -> None:
        observation = result(obx("SN", "<>^5", "mg/L"))
        assert (observation["valueString"], kept_fields(observation)) == ("<> 5 mg/L", {})

    def test_a_unit_that_is_no_ucum_is_reported_at_its_place(self) -> None:
        assembly = convert(obx("NM", "5", "iU/mL^^UCUM"))
        assert [(issue.slug, issue.place) for issue in assembly.issues] == [("unit-unknown", "OBX[1]-6.1")]


class TestRepetitions:
    def test_each_repetition_is_a_component_with_the_code_of_the_result(self) -> None:
        observation = result(obx("CWE", "A^Alpha^L~B^Beta^L"))
        assert [one["code"]["coding"][0]["code"] for one in observation["component"]] == ["2345-7", "2345-7"]
        assert not any(name.startswith("value") for name in observation)

    def test_the_range_belongs_to_each_component(self) -> None:
        observation = result(obx("NM", "27~25", "mg/L", f7="20-30"))
        assert [one["referenceRange"][0]["text"] for one in observation["component"]] == ["20-30", "20-30"]

    def test_each_component_has_its_own_type(self) -> None:
        components = result(obx("NM", "0.1~negativ"))["component"]
        assert components[0]["valueQuantity"]["value"] == Decimal("0.1")
        assert components[1]["valueString"] == "negativ"

    def test_a_single_valued_repetition_is_a_single_value(self) -> None:
        assert result(obx("NM", "27~"))["valueQuantity"]["value"] == Decimal(27)

    def test_an_array_is_one_value(self) -> None:
        assert result(obx("NA", "1^2~3^4", "mV"))["valueSampledData"]["dimensions"] == 2


class TestAttachments:
    ED = "^Application^PDF^Base64^JVBERi0x"

    def test_a_document_stands_at_the_result_and_at_the_report(self) -> None:
        assembly = convert(obx("ED", self.ED))
        observation = assembly.observations[0].observation
        attachment = next(one["valueAttachment"] for one in observation["extension"] if one["url"] == ATTACHMENT_VALUE)
        assert assembly.resources["report"]["presentedForm"] == [attachment]

    def test_a_document_is_a_value(self) -> None:
        assert "dataAbsentReason" not in result(obx("ED", self.ED))

    def test_several_documents_are_components(self) -> None:
        components = result(obx("ED", f"{self.ED}~{self.ED}"))["component"]
        assert all(one["extension"][0]["url"].endswith("Observation.component.value") for one in components)


class TestReferenceRange:
    def read(self, text: str, units: str = "mg/L") -> dict[str, Any]:
        found: dict[str, Any] = result(obx("NM", "1", units, f7=text))["referenceRange"][0]
        return found

    def test_two_bounds_have_the_unit_of_the_value(self) -> None:
        assert dumps(self.read("0.60 - 2.4")) == (
            b'{"text":"0.60 - 2.4","low":{"value":0.60,"unit":"mg/L"},"high":{"value":2.4,"unit":"mg/L"}}'
        )

    def test_an_inclusive_bound_is_set(self) -> None:
        assert self.read("<=2.51")["high"]["value"] == Decimal("2.51")

    @pytest.mark.parametrize("text", ["<2.4", ">50", "0-<5", "Negative", "1-2^3-4", "M: 1-2", "0,6-2,4"])
    def test_everything_else_is_text_alone(self, text: str) -> None:
        assert self.read(text) == {"text": text}

    def test_a_range_in_another_unit_is_text_alone(self) -> None:
        assert self.read("0-300 ug/L") == {"text": "0-300 ug/L"}

    def test_the_unit_of_the_range_serves_where_obx_6_is_blank(self) -> None:
        assert self.read("0.6-2.4 mg/L", "")["high"] == {"value": Decimal("2.4"), "unit": "mg/L"}

    def test_the_explicit_null_is_no_range(self) -> None:
        assert "referenceRange" not in result(obx("NM", "1", "mg/L", f7='""'))


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([*READERS, "", "XCN", "ZZ"]),
    text=st.text(st.sampled_from('0123456789.,+-<>=:/^&~\\"TAbZé '), max_size=16),
    units=st.sampled_from(["", "mg/L", "mg/L^^UCUM", '""', "x^y^L"]),
    ranges=st.sampled_from(["", "1-2", "<3", "1-2 g/L"]),
)
def test_every_value_gives_a_valid_observation_that_holds_it(kind: str, text: str, units: str, ranges: str) -> None:
    assembly = convert(obx(kind, text, units, f7=ranges))
    observation = assembly.observations[0].observation
    assert structure_faults(observation) == []
    assert has_value(observation) != ("dataAbsentReason" in observation)
    parts = text.replace("~", "^").split("^")
    if any(part.strip() and part != '""' for part in parts) and kind not in ("ED", "RP"):
        assert has_value(observation) or not any(part.replace("&", "").replace('""', "").strip() for part in parts)


def test_the_tables_know_every_type_that_is_read() -> None:
    environment, _ = surroundings()
    assert set(READERS) <= set(environment.tables.vocabulary["0125"])
