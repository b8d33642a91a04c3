"""Memos are bounded: however many texts and senders come, the memory stays, and what recurs stays in it."""

from adapter.config import Settings
from adapter.convert.datatypes.codes import codeable_concept, coded_id, coding
from adapter.convert.datatypes.text import markdown_text, string
from adapter.convert.datatypes.times import date_time
from adapter.convert.environment import ENVIRONMENT_ENTRIES, MEMO_ENTRIES, Environment
from adapter.convert.message import ENVIRONMENT_LIMIT, Converter
from adapter.hl7v2.message import read_message
from adapter.tables.load import load_tables


def entries(environment: Environment) -> int:
    return sum(len(memo) + len(memo.older) for memo in environment.memos.values())


def test_memos_of_an_environment_hold_no_more_than_they_may():
    environment = Environment(load_tables())
    functions = [codeable_concept, coding, coded_id, string, date_time, markdown_text]
    for number in range(ENVIRONMENT_ENTRIES):
        for function in functions:
            environment.memo(function)[f"C{number}"]
        assert entries(environment) <= ENVIRONMENT_ENTRIES


def test_one_memo_holds_no_more_than_it_may():
    memo = Environment(load_tables()).memo(codeable_concept)
    for number in range(MEMO_ENTRIES * 2):
        assert memo[f"C{number}"][0]["coding"][0]["code"] == f"C{number}"
        assert len(memo) + len(memo.older) <= MEMO_ENTRIES


def test_what_recurs_is_not_forgotten_because_of_what_does_not():
    environment = Environment(load_tables())
    memo = environment.memo(codeable_concept)
    known = memo["B2M^Beta-2 microglobulin^L"]
    for number in range(ENVIRONMENT_ENTRIES):
        memo[f"C{number}"]
        assert memo["B2M^Beta-2 microglobulin^L"] is known


def test_what_is_not_remembered_is_read_each_time():
    memo = Environment(load_tables(), remembers=False).memo(codeable_concept)
    assert memo["B2M^^L"] == memo["B2M^^L"]
    assert not memo


def test_a_converter_keeps_so_many_environments_and_no_more():
    converter = Converter(load_tables(), Settings())
    for minutes in range(ENVIRONMENT_LIMIT + 5):
        source = (
            f"MSH|^~\\&|LIS|LAB|||20260113102030+01{minutes:02d}||ORU^R01|M1|P|2.5.1\r"
            "PID|1||T1^^^H^MR||PATIENT^TEST\rOBR|1|P1|F1|B2M^B2M^L\rOBX|1|NM|B2M^B2M^L||1.9|mg/L|||||F\r"
        ).encode()
        assert converter.convert(read_message(source), source).observations
    assert len(converter._surroundings) == ENVIRONMENT_LIMIT
