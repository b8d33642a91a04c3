"""Memos are bounded: however many texts and senders come, the memory stays."""

from adapter.config import Settings
from adapter.convert.datatypes.codes import codeable_concept
from adapter.convert.environment import ENVIRONMENT_ENTRIES, Environment
from adapter.convert.message import ENVIRONMENT_LIMIT, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables


def test_memos_of_an_environment_start_anew_when_they_are_full():
    environment = Environment(load_tables())
    memo = environment.memo(codeable_concept)
    for number in range(ENVIRONMENT_ENTRIES + 10):
        assert memo[f"C{number}"][0]["coding"][0]["code"] == f"C{number}"
    assert sum(map(len, environment.memos.values())) < ENVIRONMENT_ENTRIES


def test_a_converter_keeps_so_many_environments_and_no_more():
    converter = Converter(load_tables(), Settings())
    for minutes in range(ENVIRONMENT_LIMIT + 5):
        source = (
            f"MSH|^~\\&|LIS|LAB|||20260113102030+01{minutes:02d}||ORU^R01|M1|P|2.5.1\r"
            "PID|1||T1^^^H^MR||PATIENT^TEST\rOBR|1|P1|F1|B2M^B2M^L\rOBX|1|NM|B2M^B2M^L||1.9|mg/L|||||F\r"
        ).encode()
        assert converter.convert(read_message(source), source).observations
    assert len(converter._surroundings) == ENVIRONMENT_LIMIT
