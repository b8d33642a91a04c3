"""What was remembered of earlier messages changes nothing: every byte and every issue is the same as without memory."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

TABLES = load_tables()
HEADER = r"MSH|^~\&|LIS|LAB^1.2.3^ISO|EHR|HOSP|20260101120000+0000||ORU^R01|{}|P|2.5.1"
PID = "PID|1||T1^^^HOSP&1.2.9&ISO^MR||TEST^PATIENT||19500101|F"
OBR = "OBR|{0}|P{0}^EHR|F{0}^LIS|L1^Local test^L|||20260101080000+0000|||||||||||||||||LAB|F"
SPM = "SPM|1|S1&EHR^S1&LIS||SER^Serum^HL70487"
B2M = "OBX|{}|NM|1952-1^B2M^LN||{}|mg/L|0.8-2.2||||F|||20260101080000+0000"

#: Settings, and how many messages are tried.
MODES = [
    pytest.param(Settings(), 120, id="default"),
    pytest.param(Settings(units="as-sent", timezone="Europe/Berlin"), 60, id="as-sent"),
    pytest.param(Settings(validate="off"), 40, id="off"),
    pytest.param(Settings(to="message"), 10, id="message"),
    pytest.param(Settings(to="ndjson"), 10, id="ndjson"),
]


class Both:
    """Two ways through: one that has met all messages before, and for each message one that has met none."""

    def __init__(self, mode: Settings) -> None:
        self.mode = mode
        self.remembering = Pipeline(TABLES, mode)

    def agree(self, *segments: str) -> None:
        raw = RawMessage("er7", "\r".join(segments).encode(), 0)
        one, other = self.remembering(raw), Pipeline(TABLES, self.mode)(raw)
        assert [(issue.slug, issue.place) for issue in one.issues] == [(issue.slug, issue.place) for issue in other.issues]
        assert one == other


def message(*results: str, number: int = 1) -> tuple[str, ...]:
    return (HEADER.format(number), PID, OBR.format(1), *results, SPM)


@pytest.mark.parametrize("values", [("1.10", "1.1"), ("0.80", "0.79"), ("2.2", "2.20", "2.21"), ("9999", "1.0"), ("-1", "0")])
def test_each_verdict_on_the_number_is_told_apart(values):
    both = Both(Settings())
    for _ in range(3):
        for value in values:
            both.agree(*message(B2M.format(1, value)))


def test_a_number_is_converted_each_time():
    both = Both(Settings())
    for value in ("450", "451", "45.0", "4500", "300", "301", "0.5"):
        both.agree(*message(f"OBX|1|NM|1953-9^B2M^LN||{value}|ug/L|0-300||||F"))


def test_a_specimen_that_a_later_order_names_again_with_its_type():
    both = Both(Settings())
    bare, typed = "SPM|1|S1&EHR^S1&LIS", SPM
    result = "OBX|1|NM|B2M^Beta-2 microglobulin^L||1.7|mg/L|0.8-2.2||||F"
    for first, second in ((bare, bare), (bare, bare), (bare, bare), (bare, typed), (typed, bare), (bare, typed)):
        both.agree(HEADER.format(1), PID, OBR.format(1), result, first, OBR.format(2), result, second)


def test_a_result_that_has_children_gets_its_members():
    both = Both(Settings())
    child = OBR.format(2) + "|1952-1&B2M&LN^^1.7|||P1&EHR^F1&LIS"
    for _ in range(4):
        both.agree(HEADER.format(1), PID, OBR.format(1), B2M.format(1, "1.7"), SPM)
        both.agree(HEADER.format(1), PID, OBR.format(1), B2M.format(1, "1.7"), SPM, child, B2M.format(1, "1.8"))


def test_the_same_order_twice_in_a_message():
    both = Both(Settings())
    for _ in range(4):
        both.agree(HEADER.format(1), PID, OBR.format(1), B2M.format(1, "1.7"), SPM, OBR.format(1), B2M.format(1, "1.7"), SPM)


def test_senders_of_one_environment_are_told_apart():
    both = Both(Settings())
    for sender in ("LIS", "LIS", "LIS", "OTHER", "OTHER", "LIS"):
        result = "OBX|1|NM|B2X^Unknown^L||1.7|furlong|0.8-2.2||||F"
        both.agree(HEADER.format(1).replace("LIS", sender), PID, OBR.format(1), result, SPM)


_often = st.sampled_from
_results = st.builds(
    "OBX|{}|{}|{}|{}|{}|{}|{}|{}|{}||{}|{}||{}|{}||{}|{}|{}|{}|{}|{}|{}|{}|{}".format,
    st.just("1"),
    _often(["NM", "NM", "NM", "ST", "SN", "CWE", "TX", "ED", ""]),
    _often(
        ["1952-1^B2M^LN", "1953-9^B2M^LN", "B2M^Beta-2 microglobulin^L", "2951-2^Sodium^LN", "1952-2^Bad^LN", "^Only text", ""]
    ),
    _often(["", "", "", "1", "1.1", '""']),
    _often(
        [
            "1.7",
            "2.9",
            "450",
            "0.10",
            "-3",
            "007",
            "1e5",
            "<2.4",
            "^<^2.4",
            "neg^Negative^L",
            "99999",
            "",
            '""',
            'a "b"\\T\\c',
            "1~2",
        ]
    ),
    _often(["mg/L", "ug/L", "nmol/L", "MG/L", "mg/L^milligram^UCUM", "furlong", ""]),
    _often(["0.8-2.2", "0-300", "<2.4", "normal", ""]),
    _often(["", "", "H", "N", "N~H", "ZZ"]),
    _often(["", "", "", "1"]),
    _often(["F", "F", "F", "P", "C", "X", "W", "", "Q"]),
    _often(["", "", "20250101"]),
    _often(["20260101080000+0000", "20260101080000+0000", "20260101080000", "20261345", ""]),
    _often(["", "", "MAIN^Main laboratory^L", "MAIN"]),
    _often(["", "", "7^TEST^DOCTOR"]),
    _often(["", "", "M1^Method^L", "M1^Method^L~M2"]),
    _often(["", "", "DEV1"]),
    _often(["", "20260101090000+0000", "2026"]),
    _often(["", "", "20260101", "ARM^Arm^L~LEG"]),
    _often(["", "", "", "R1^LIS"]),
    _often(["", "", "", "x"]),
    _often(["", "LAB^^^^^X&1.2.3&ISO^XX^^^L9", "LAB", "A~B"]),
    _often(["", "Street^^Town", "Street"]),
    _often(["", "", "9^TEST^DIRECTOR"]),
)
_notes = _often(["", "", "", "NTE|1||Comment", "NTE|1||", "NTE|1|L|a\\.br\\b||7^TEST^NURSE|20260101", "PRT||UC||SC|8^TEST^P"])
_orders = st.tuples(
    _often(["", "", "AU^9^LAB"]),
    st.lists(st.tuples(_results, _notes), min_size=1, max_size=3),
    _often([SPM, SPM, "", "SPM|1|S2||UR"]),
)


@pytest.mark.parametrize(("mode", "count"), MODES)
def test_all_results_are_the_same_with_and_without_memory(mode, count):
    both = Both(mode)

    @given(st.lists(_orders, min_size=1, max_size=2))
    @settings(max_examples=count, deadline=None)
    @example([("", [(B2M.format(1, "1.7"), "")] * 3, SPM)] * 3)
    def check(orders):
        segments = [HEADER.format(1), PID]
        for number, (collector, results, specimen) in enumerate(orders, 1):
            segments.append(OBR.format(number).replace("|||||||||||||||||LAB", f"|||{collector}||||||||||||||LAB"))
            segments += [segment for pair in results for segment in pair if segment]
            segments += [specimen] if specimen else []
        # a frequent shape of a segment gets a function of its own from the fourth time on
        for _ in range(5):
            both.agree(*segments)

    check()
