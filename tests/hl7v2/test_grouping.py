"""Which segment belongs to which patient, order, result and specimen."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2.grouping import Grouped, Order, Result, group
from adapter.hl7v2.message import Segment, read_message


def grouped(*lines: str) -> Grouped:
    return group(read_message(("MSH|^~\\&|LIS|LAB|EHR|HOSP|20260101||ORU^R01|1|P|2.5.1\r" + "\r".join(lines)).encode()))


def orders(*lines: str) -> list[Order]:
    return [order for patient in grouped(*lines).patient_results for order in patient.orders]


def text(segment: Segment | None) -> str:
    return segment.text if segment is not None else ""


def texts(segments: list[Segment]) -> list[str]:
    return [segment.text for segment in segments]


def results(observations: list[Result]) -> list[str]:
    return [result.segment.text for result in observations]


def test_an_order_is_orc_obr_and_their_results() -> None:
    first, second = orders("PID|1", "ORC|RE|A", "OBR|1|A", "OBX|1", "OBX|2", "ORC|RE|B", "OBR|2|B", "OBX|3")
    assert (text(first.common_order), text(first.request), results(first.observations)) == (
        "ORC|RE|A",
        "OBR|1|A",
        ["OBX|1", "OBX|2"],
    )
    assert (text(second.common_order), text(second.request), results(second.observations)) == ("ORC|RE|B", "OBR|2|B", ["OBX|3"])


def test_each_obr_begins_an_order() -> None:
    first, second = orders("PID|1", "ORC|RE", "OBR|1", "OBX|1", "OBR|2", "OBX|2")
    assert (text(first.request), text(second.request), second.common_order) == ("OBR|1", "OBR|2", None)


class TestOrcBehindObr:
    def test_it_belongs_to_the_obr_before_it(self) -> None:
        [order] = orders("PID|1", "OBR|1", "ORC|RE", "OBX|1")
        assert (text(order.common_order), text(order.request), results(order.observations)) == ("ORC|RE", "OBR|1", ["OBX|1"])

    def test_order_numbers_tell_which_obr_it_belongs_to(self) -> None:
        first, second = orders("PID|1", "OBR|1|A", "ORC|RE|A", "OBR|2|B", "ORC|RE|B", "OBX|1")
        assert [text(first.common_order), text(second.common_order)] == ["ORC|RE|A", "ORC|RE|B"]
        assert [text(first.request), text(second.request)] == ["OBR|1|A", "OBR|2|B"]

    def test_otherwise_it_begins_the_next_order_as_the_standard_says(self) -> None:
        first, second = orders("PID|1", "OBR|1|A", "ORC|RE|B", "OBR|2|B", "OBX|1")
        assert first.common_order is None
        assert (text(second.common_order), text(second.request)) == ("ORC|RE|B", "OBR|2|B")


def test_obx_without_obr_is_a_result_without_request() -> None:
    [order] = orders("PID|1", "OBX|1")
    assert (order.common_order, order.request, results(order.observations)) == (None, None, ["OBX|1"])


def test_obx_behind_orc_without_obr() -> None:
    [order] = orders("PID|1", "ORC|RE", "OBX|1")
    assert (text(order.common_order), order.request, results(order.observations)) == ("ORC|RE", None, ["OBX|1"])


class TestSpecimens:
    def test_obx_behind_spm_describe_the_specimen(self) -> None:
        [order] = orders("PID|1", "OBR|1", "OBX|1", "SPM|1", "OBX|2", "SPM|2", "OBX|3")
        assert results(order.observations) == ["OBX|1"]
        assert [results(specimen.observations) for specimen in order.specimens] == [["OBX|2"], ["OBX|3"]]

    def test_they_are_the_results_when_the_order_has_no_others(self) -> None:
        [order] = orders("PID|1", "OBR|1", "SPM|1", "OBX|1", "OBX|2")
        assert results(order.observations) == ["OBX|1", "OBX|2"]
        assert results(order.specimens[0].observations) == []

    def test_the_next_order_starts_anew(self) -> None:
        _, second = orders("PID|1", "OBR|1", "OBX|1", "SPM|1", "OBR|2", "OBX|2")
        assert results(second.observations) == ["OBX|2"]

    def test_what_follows_spm_stays_with_it(self) -> None:
        [order] = orders("PID|1", "OBR|1", "OBX|1", "SPM|1", "NTE|1", "SAC|1", "PRT|1")
        assert texts(order.specimens[0].others) == ["NTE|1", "SAC|1", "PRT|1"]


class TestNotesAndParticipants:
    def test_a_note_belongs_to_what_stands_before_it(self) -> None:
        message = grouped("NTE|0", "PID|1", "NTE|1", "ORC|RE", "NTE|2", "OBR|1", "NTE|3", "OBX|1", "NTE|4", "NTE|5", "OBX|2")
        [patient] = message.patient_results
        [order] = patient.orders
        assert texts(message.header) == ["NTE|0"]
        assert texts(patient.patient_segments) == ["NTE|1"]
        assert texts(order.notes) == ["NTE|2", "NTE|3"]
        assert texts(order.observations[0].notes) == ["NTE|4", "NTE|5"]

    def test_a_participant_belongs_to_what_stands_before_it(self) -> None:
        [patient] = grouped("PID|1", "PRT|1", "PV1|1", "PRT|2", "OBR|1", "PRT|3", "OBX|1", "PRT|4", "NTE|1").patient_results
        [order] = patient.orders
        assert texts(patient.patient_segments) == ["PRT|1"]
        assert texts(patient.visit) == ["PV1|1", "PRT|2"]
        assert texts(order.others) == ["PRT|3"]
        assert texts(order.observations[0].participants) == ["PRT|4"]
        assert texts(order.observations[0].notes) == ["NTE|1"]


class TestPatients:
    def test_each_pid_begins_a_patient(self) -> None:
        first, second = grouped("PID|1", "OBR|1", "OBX|1", "PID|2", "OBR|2", "OBX|2").patient_results
        assert [text(first.patient), text(second.patient)] == ["PID|1", "PID|2"]
        assert [text(order.request) for order in second.orders] == ["OBR|2"]

    def test_results_before_the_first_pid_belong_to_nobody(self) -> None:
        nobody, somebody = grouped("OBR|1", "OBX|1", "PID|1", "OBR|2").patient_results
        assert nobody.patient is None
        assert text(somebody.patient) == "PID|1"

    @pytest.mark.parametrize(
        "lines", [("PID|1", "PV1|1", "OBR|1", "OBX|1"), ("PID|1", "OBR|1", "OBX|1", "PV1|1"), ("PV1|1", "PID|1", "OBR|1")]
    )
    def test_the_visit_may_stand_anywhere(self, lines: tuple[str, ...]) -> None:
        [patient] = grouped(*lines).patient_results
        assert (text(patient.patient), texts(patient.visit)) == ("PID|1", ["PV1|1"])

    def test_relatives_and_others_before_the_order_belong_to_the_patient(self) -> None:
        [patient] = grouped("PID|1", "PD1|1", "NK1|1", "ZPI|1").patient_results
        assert texts(patient.patient_segments) == ["PD1|1", "NK1|1", "ZPI|1"]


def test_timing_and_other_segments_of_an_order() -> None:
    [order] = orders("PID|1", "ORC|RE", "OBR|1", "TQ1|1", "CTD|1", "OBX|1", "FT1|1", "CTI|1", "ZLR|1")
    assert texts(order.timing) == ["TQ1|1"]
    assert texts(order.others) == ["CTD|1", "FT1|1", "CTI|1", "ZLR|1"]


def test_segments_of_the_message_itself() -> None:
    assert texts(grouped("SFT|1", "UAC|1", "ZZZ|1", "PID|1", "OBR|1", "OBX|1", "DSC|1").header) == [
        "SFT|1",
        "UAC|1",
        "ZZZ|1",
        "DSC|1",
    ]


def all_segments(value: object) -> Iterator[Segment]:
    """Every segment that is reachable from a value of the grouping."""
    if isinstance(value, Segment):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from all_segments(item)
    elif value is not None:
        for name in value.__slots__:  # type: ignore[attr-defined]
            yield from all_segments(getattr(value, name))


NAMES = [
    "PID",
    "PD1",
    "NK1",
    "PV1",
    "ORC",
    "OBR",
    "OBX",
    "NTE",
    "SPM",
    "TQ1",
    "PRT",
    "SFT",
    "DSC",
    "ZZZ",
    "AL1",
    "CTD",
    "FT1",
    "SAC",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(NAMES), max_size=25))
def test_every_segment_stands_in_exactly_one_place(names: list[str]) -> None:
    message = read_message(("MSH|^~\\&|X\r" + "\r".join(f"{name}|{index}" for index, name in enumerate(names))).encode())
    assert Counter(map(id, all_segments(group(message)))) == Counter(map(id, message.segments[1:]))


def test_a_local_segment_right_behind_a_result_belongs_to_it() -> None:
    [order] = orders("PID|1", "OBR|1", "OBX|1", "NTE|1", "ZBX|1", "ZBX|2")
    assert texts(order.observations[0].others) == ["ZBX|1", "ZBX|2"]
