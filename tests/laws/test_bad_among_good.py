"""One bad message does not stop the others, wherever it stands.

Without frames the next MSH or `{` at the start of a line ends what stands before it; bytes that begin with neither can only be
told apart in frames.
"""

from helpers.fixtures import FOLDER, convert
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = [
    (FOLDER / name).read_bytes()
    for name in ("serum/above-range.hl7", "urine/microgram-per-litre.hl7", "fhir/observation.json", "csf/mayo-range.hl7")
]
HEADED = [
    b"MSH|^~\\&|TESTLIS\r",
    b"MSH|^~\\&\r",
    b"MSH|||||\r",
    (FOLDER / "missing/patient.hl7").read_bytes(),
    b'{"resourceType":"Observation","status":"final"}\n',
    b'{"resourceType":"Observation",}\n',
    b'{"a":' * 200 + b"1" + b"}" * 200 + b"\n",
    (FOLDER / "serum/above-range.hl7").read_bytes().replace(b"PATIENT", b"PAT\x00IENT"),
]
HEADLESS = [b"PID|1||T1\rOBX|1|NM|1952-1^^LN||2.45|mg/L\r", b"\x00\x01\x02 noise \xff\xfe\r"]
LINES = {data: [outcome.lines for outcome in convert(data)] for data in GOOD}


def streams(bad: list[bytes]) -> st.SearchStrategy:
    return st.lists(st.sampled_from([(True, data) for data in GOOD] + [(False, data) for data in bad]), max_size=8)


def check(stream: list[tuple[bool, bytes]], data: bytes) -> None:
    outcomes = convert(data)
    expected = [lines for good, piece in stream if good for lines in LINES[piece]]
    assert [outcome.lines for outcome in outcomes if outcome.fate == "converted"] == expected
    rejected = [outcome for outcome in outcomes if outcome.fate == "rejected"]
    assert len(rejected) == len(outcomes) - len(expected) >= sum(not good for good, _ in stream)
    assert all(outcome.issues[-1].severity == "error" for outcome in rejected)


@given(stream=streams(HEADED))
@settings(max_examples=80, deadline=None)
def test_one_after_the_other(stream):
    check(stream, b"".join(data for _, data in stream))


@given(stream=streams(HEADED + HEADLESS))
@settings(max_examples=80, deadline=None)
def test_in_frames(stream):
    check(stream, b"".join(b"\x0b" + data + b"\x1c\r" for _, data in stream))
