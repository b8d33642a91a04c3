"""A repeated text of OBX-2 to OBX-13: the same result as by the rules, with the number, the places and the lists of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from converted import HEADER, OBR, PID, convert, resources
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.convert.message import Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

CODE = "L1^Local test^L"
FORGETFUL = Converter(load_tables(), Settings(to="message"), remembers=False)


def obx(number: int, value: str = "4.20", unit: str = "mg/L", interval: str = "0-9", flag: str = "N", more: str = "") -> str:
    return f"OBX|{number}|NM|{CODE}|{number}|{value}|{unit}|{interval}|{flag}|||F{more}"


def observations(*segments: str) -> list[dict[str, Any]]:
    return resources(convert(PID, OBR, *segments), "Observation")


def test_each_result_has_its_own_number():
    found = observations(obx(1, "4.20"), obx(1, "4.2"), obx(1, "17"))
    assert [str(one["valueQuantity"]["value"]) for one in found] == ["4.20", "4.2", "17"]


def test_a_value_that_is_no_plain_number_takes_nothing_from_the_number_before_it():
    _, words = observations(obx(1, "4.20"), obx(1, "hemolysed"))
    assert "valueQuantity" not in words


def test_each_result_has_the_time_of_its_own():
    first, second = observations(obx(1, more="|||20260101080000+0000"), obx(1, more="|||20260102080000+0000"))
    assert (first["effectiveDateTime"], second["effectiveDateTime"]) == ("2026-01-01T08:00:00+00:00", "2026-01-02T08:00:00+00:00")


def test_each_issue_names_its_own_segment():
    found = convert(PID, OBR, obx(1, flag="ODD"), obx(1, flag="ODD"))
    assert [issue.place for issue in found.issues if issue.slug == "flag-not-mapped"] == ["OBX[1]-8.1", "OBX[2]-8.1"]


def test_the_lists_of_a_result_are_its_own():
    (before,) = observations(obx(1))
    before["interpretation"].append({"text": "computed"})
    before["referenceRange"].clear()
    (after,) = observations(obx(1))
    assert len(after["interpretation"]) == 1
    assert after["referenceRange"][0]["text"] == "0-9"


def test_the_category_is_that_of_the_order():
    with_section = OBR.removesuffix("|F") + "LAB|F"
    first = resources(convert(PID, OBR, obx(1)), "Observation")
    second = resources(convert(PID, with_section, obx(1)), "Observation")
    assert "category" not in first[0]
    assert second[0]["category"][0]["coding"][0]["code"] == "laboratory"


def test_performers_of_several_results_are_reported_once():
    bare = "|" * 14 + "7^TEST^DOCTOR"
    found = convert(PID, OBR, obx(1, more=bare), obx(2, more=bare))
    assert [issue.place for issue in found.issues if "-25" in issue.place] == ["OBX[1]-25.9"]
    assert len(resources(found, "PractitionerRole")) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["4.20", "0", "-1.5", "<7", "007", "text", ""]),
            st.sampled_from(["mg/L", "mg/L^milligram per litre^UCUM", "", '""', "odd^unit^L"]),
            st.sampled_from(["0-9", "<5", "", "0-9 mg/L"]),
            st.sampled_from(["N", "H~A", "ODD", "", '""']),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_remembered_never_shows(results: list[tuple[str, str, str, str]]):
    segments = [obx(number, *one) for number, one in enumerate(results, 1)]
    source = "\r".join((HEADER, PID, OBR, *segments)).encode()
    fresh = FORGETFUL.convert(read_message(source), source)
    known = convert(PID, OBR, *segments)
    assert [entry.resource for entry in known.entries] == [entry.resource for entry in fresh.entries]
    assert [list(entry.resource) for entry in known.entries] == [list(entry.resource) for entry in fresh.entries]
    assert known.issues == fresh.issues


def test_numbers_stay_exact():
    (found,) = observations(obx(1, "1.000"))
    assert found["valueQuantity"]["value"] == Decimal("1.000")
    assert str(found["valueQuantity"]["value"]) == "1.000"
