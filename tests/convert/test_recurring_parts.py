"""What recurs from message to message (patient, visit, header, authorities of numbers) gives the same as the first time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.convert.message import Conversion, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables

TABLES = load_tables()
HEADER = r"MSH|^~\&|LIS|LAB^1.2.3^ISO|EHR|HOSP|20260101120000+0000||ORU^R01|{}|P|2.5.1"
PID = "PID|1||{}^^^HOSP&1.2.9&ISO^MR||TEST^PATIENT||19500101|F"
PV1 = "PV1|1|I|ONC^1^2^HOSP||||7^TEST^DOCTOR^^^^^^LAB&1.2.4&ISO||||||||||V1^^^HOSP&1.2.9&ISO"
OBR = "OBR|1|{0}^EHR|{0}^LIS^1.2.5^ISO|L1^Local test^L|||20260101080000+0000|||||||||7^TEST^DOCTOR|||||||||F"
OBX = "OBX|1|NM|L1^Local test^L||4.20|mg/L|0-9|N|||F"
SPM = "SPM|1|S{0}&EHR^S{0}&LIS||SER^Serum^HL70487"


def converted(converter: Converter, *segments: str) -> Conversion:
    source = "\r".join(segments).encode()
    return converter.convert(read_message(source), source)


def outcome(conversion: Conversion) -> str:
    """Everything, the order of elements included."""
    patients = [context.patient for context in conversion.observations]
    return repr((conversion.entries, conversion.envelope, conversion.issues, patients))


def fresh(*, remembers: bool = True, to: Any = None) -> Converter:
    return Converter(TABLES, Settings(to=to), remembers=remembers)


def both_ways(messages: list[tuple[str, ...]], to: Any = None) -> None:
    remembering, forgetful = fresh(to=to), fresh(remembers=False, to=to)
    for segments in messages:
        assert outcome(converted(remembering, *segments)) == outcome(converted(forgetful, *segments))


@pytest.mark.parametrize("to", [None, "message", "ndjson"])
def test_a_patient_with_many_messages_is_the_same_in_each(to):
    both_ways([(HEADER.format(n), PID.format("123"), PV1, OBR.format(n), OBX, SPM.format(n)) for n in range(1, 6)], to)


def test_the_patient_who_recurs_is_not_changed_by_what_a_message_adds_to_him():
    converter = fresh()
    for number in range(4):
        found = converted(converter, HEADER.format(number), PID.format("123"), OBR.format(number), OBX)
        patient = found.entries[0].resource
        assert len(patient["identifier"]) == 1
        patient["identifier"].append({"value": "other"})


def test_a_patient_without_number_never_recurs():
    converter = fresh()
    urls = {converted(converter, HEADER.format(n), PID.format(""), OBR.format(n), OBX).entries[0].full_url for n in range(4)}
    assert len(urls) == 4


def test_the_same_patient_of_another_sender_is_another_one_where_the_number_has_no_authority():
    converter = fresh()
    patient = "PID|1||123||TEST^PATIENT"
    mine = [converted(converter, HEADER.format(n), patient, OBR.format(n), OBX).entries[0].full_url for n in range(4)]
    other = converted(converter, HEADER.format(9).replace("LIS|", "OTHER|"), patient, OBR.format(9), OBX).entries[0].full_url
    assert len(set(mine)) == 1
    assert other not in mine


def test_the_second_patient_of_a_message_shares_the_parties_of_the_first():
    one = (PID.format("123"), PV1, OBR.format(1), OBX, PID.format("124"), PV1.replace("V1", "V2"), OBR.format(2), OBX)
    both_ways([(HEADER.format(n), *one) for n in range(4)])


def test_each_message_has_time_and_control_id_of_its_own():
    converter = fresh()
    converted(converter, HEADER.format("A1"), PID.format("123"), OBR.format(1), OBX)
    later = HEADER.format("A2").replace("20260101", "20260102")
    envelope = converted(converter, later, PID.format("123"), OBR.format(1), OBX).envelope
    assert envelope["timestamp"] == "2026-01-02T12:00:00+00:00"
    assert envelope["identifier"]["value"] == "A2"


def test_the_sending_facility_is_the_organization_that_a_result_named_before():
    result = OBX + "|" * 12 + "LAB^^^^^X&1.2.3&ISO^XX^^^1.2.3"
    both_ways([(HEADER.format(n), PID.format("123"), OBR.format(n), OBX if n < 2 else result) for n in range(4)])


_numbers = st.text('AB12-^&~\\" .é', max_size=8)
_moments = st.sampled_from(
    ["20260101080000+0000", "20260101080000", "20261345", "202601010860", "2026", "20260101080000-0500", '""', ""]
)


@given(
    st.lists(
        st.tuples(_numbers, _numbers, _moments, st.sampled_from(["", "^EHR", "^^1.2.5^ISO", "^A\\T\\B^9^X^more"])), max_size=4
    )
)
def test_numbers_and_times_give_the_same_with_and_without_memory(sent):
    both_ways(
        [
            (
                HEADER.format(number).replace("20260101120000+0000", moment),
                f"PID|1||{other}^^^HOSP&1.2.9&ISO^MR||TEST^PATIENT||{moment}",
                f"ORC|RE|{number}{authority}|{other}{authority}||CM||||{moment}",
                f"OBR|1|{number}{authority}|{other}^LIS|L1^Local test^L|||{moment}|||||||||||||||{moment}|||F",
                OBX + f"|||{moment}",
                f"SPM|1|{number}&EHR^{other}&LIS||SER|||||||||||||{moment}|{moment}",
            )
            for number, other, moment, authority in sent
        ]
    )
