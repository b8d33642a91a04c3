"""`b2m-adapter diff`: what differs in meaning, by field name or FHIR path, and what does not."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from adapter.cli import app
from adapter.fhir.json import loads
from adapter.replay.generate.stream import generate
from adapter.replay.semantic_diff import field_names, message_differences, paired_messages

MSH = "MSH|^~\\&|TESTLIS|TEST LABORATORY|||20260113102030+0100||ORU^R01|M1|P|2.5.1"
PID = "PID|1||T1^^^TEST&2.999.1&ISO||PATIENT^TEST"
OBR = "OBR|1|P1|F1|1952-1^B2M^LN"
RESULTS = [
    "OBX|1|NM|1952-1^Beta-2-Microglobulin^LN||4.20|mg/L|0.8-2.4|H|||F",
    "OBX|2|NM|2160-0^Creatinine^LN||1.10|mg/dL|0.6-1.2|N|||F",
    "OBX|3|NM|1751-7^Albumin^LN||4.1|g/dL|3.5-5.2|N|||F",
]


def message(*segments: str, end: str = "\r") -> bytes:
    return end.join([*segments, ""]).encode()


def lines(old: bytes, new: bytes, *, strict: bool = False) -> list[str]:
    return [f"{one.path}: {one.old} -> {one.new}" for one in message_differences(old, new, strict=strict)]


WHOLE = message(MSH, PID, OBR, *RESULTS)


def test_a_lost_digit_is_a_difference_by_field_name():
    changed = message(MSH, PID, OBR, RESULTS[0].replace("4.20", "4.2"), *RESULTS[1:])
    (found,) = message_differences(WHOLE, changed)
    assert found == ("OBX[1]-5", "observation value", "4.20", "4.2")


def test_a_component_is_named_by_its_number():
    assert lines(WHOLE, WHOLE.replace(b"^Creatinine^", b"^Crea^")) == ["OBX[2]-3.2: Creatinine -> Crea"]


def test_a_repetition_is_named_by_its_number():
    old = message(MSH, "PID|1||T1~T2^^^TEST")
    assert lines(old, message(MSH, "PID|1||T1~T3^^^TEST")) == ["PID[1]-3[2].1: T2 -> T3"]


def test_an_inserted_result_does_not_shift_the_others():
    inserted = "OBX|1|NM|2532-0^LDH^LN||180|U/L||N|||F"
    shifted = [f"OBX|{number}{text[5:]}" for number, text in enumerate(RESULTS, 2)]
    found = lines(WHOLE, message(MSH, PID, OBR, inserted, *shifted))
    assert found == [f"OBX[1]: None -> {inserted}"]


def test_a_removed_result_is_one_difference():
    assert lines(WHOLE, message(MSH, PID, OBR, RESULTS[0], RESULTS[2])) == [f"OBX[2]: {RESULTS[1]} -> None"]


def test_a_changed_and_an_inserted_result_are_told_apart():
    changed = [RESULTS[0].replace("4.20", "4.30"), "OBX|2|NM|2532-0^LDH^LN||180|U/L||N|||F", *RESULTS[1:]]
    found = [one.path for one in message_differences(WHOLE, message(MSH, PID, OBR, *changed))]
    assert found == ["OBX[1]-5", "OBX[2]"]


@pytest.mark.parametrize(
    "other",
    [
        message(MSH, PID, OBR, *RESULTS, end="\n"),
        message(MSH, PID, OBR, *RESULTS, end="\r\n"),
        WHOLE.replace(b"|4.20|", b"|4.20|").replace(b"|F\r", b"|F||||\r"),
        WHOLE.replace(b"1952-1^B2M^LN", b"1952-1^B2M^LN^^"),
        WHOLE.translate(bytes.maketrans(b"|^", b"^|")),
        WHOLE.replace(b"OBX|2", b"OBX|7"),
        WHOLE.replace(b"PATIENT^TEST", b"P\\X41\\TIENT^TEST"),
    ],
    ids=["line feeds", "CRLF", "empty fields", "empty components", "delimiters", "set id", "escape"],
)
def test_what_has_no_meaning_is_no_difference_but_counts_with_strict(other):
    assert message_differences(WHOLE, other) == []
    assert message_differences(WHOLE, other, strict=True) != []


def test_an_escaped_separator_is_not_a_separator():
    old, new = WHOLE.replace(b"Albumin", b"A\\S\\B"), WHOLE.replace(b"Albumin", b"A^B")
    assert message_differences(old, new)


def test_null_is_not_empty():
    assert lines(WHOLE, WHOLE.replace(b"|H||", b'|""||')) == ['OBX[1]-8: H -> ""']


def test_equal_texts_in_different_character_sets_are_the_same():
    segments = (PID, OBR, RESULTS[0].replace("mg/L", "µg/mL"))
    utf_8 = message(MSH + "||||||UNICODE UTF-8", *segments)
    latin_1 = "\r".join([MSH + "||||||8859/1", *segments, ""]).encode("latin-1")
    assert lines(utf_8, latin_1) == ["MSH-18: UNICODE UTF-8 -> 8859/1"]


def test_messages_are_matched_by_control_id():
    first, second = WHOLE, WHOLE.replace(b"|M1|", b"|M2|")
    assert paired_messages([first, second], [second, first]) == [(0, 1), (1, 0)]


def test_resends_are_matched_in_order():
    assert paired_messages([WHOLE, WHOLE], [WHOLE, WHOLE, WHOLE]) == [(0, 0), (1, 1), (None, 2)]


def test_messages_without_common_ids_are_matched_by_place():
    first, second = WHOLE, WHOLE.replace(b"|M1|", b"|M2|")
    assert paired_messages([first, second], [WHOLE.replace(b"|M1|", b"|N1|")]) == [(0, 0), (1, None)]


def test_field_names_are_those_of_the_standard():
    names = field_names()
    assert names["OBX", 5] == "observation value"
    assert names["OBR", 25] == "result status"
    assert names["SPM", 4] == "specimen type"
    assert len(names) > 600


def test_a_long_message_is_compared_in_reasonable_time():
    many = [f"OBX|{n}|NM|{n}^T^L||{n}|mg/L" for n in range(3000)]
    changed = [text.replace("mg/L", "g/L") for text in many]
    assert len(message_differences(message(MSH, *many), message(MSH, *changed))) == 3000


@given(st.integers(0, 10**6), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_a_message_does_not_differ_from_itself(seed, place):
    stream = generate(seed)
    data = [next(stream).data for _ in range(place % 5 + 1)][-1]
    assert message_differences(data, data) == []
    assert message_differences(data, data, strict=True) == []


# -- the command ---------------------------------------------------------------------------------------------------------------


def run(*arguments: object, stdin: bytes = b""):
    return CliRunner(mix_stderr=False).invoke(app, ["diff", *map(str, arguments)], input=stdin)


@pytest.fixture
def pair(tmp_path: Path):
    def write(old: bytes, new: bytes, suffix: str = ".hl7") -> tuple[Path, Path]:
        paths = tmp_path / f"old{suffix}", tmp_path / f"new{suffix}"
        paths[0].write_bytes(old)
        paths[1].write_bytes(new)
        return paths

    return write


def test_command_writes_a_line_for_each_difference(pair):
    done = run(*pair(WHOLE, WHOLE.replace(b"4.20", b"4.2")))
    assert done.exit_code == 1
    assert done.stdout == 'OBX[1]-5 observation value: "4.20" -> "4.2"\n'


def test_command_says_nothing_of_equal_files(pair):
    done = run(*pair(WHOLE, WHOLE))
    assert (done.exit_code, done.stdout) == (0, "")


def test_command_names_the_message_where_there_are_several(pair):
    second = WHOLE.replace(b"|M1|", b"|M2|")
    done = run(*pair(WHOLE + second, WHOLE + second.replace(b"4.20", b"4.2")))
    assert done.stdout.startswith("message 2: OBX[1]-5 observation value:")


def test_command_tells_of_messages_without_partner(pair):
    done = run(*pair(WHOLE + WHOLE.replace(b"|M1|", b"|M2|"), WHOLE))
    assert done.exit_code == 1
    assert done.stdout == "message 2: message only in the first file\n"


def test_command_writes_json(pair):
    done = run("--json", *pair(WHOLE, WHOLE.replace(b"4.20", b"4.2")))
    row = {"path": "OBX[1]-5", "name": "observation value", "old": "4.20", "new": "4.2"}
    assert loads(done.stdout) == {"same": False, "differences": [row]}


OBSERVATION = (
    b'{"resourceType":"Observation","status":"final","code":{"text":"B2M"},"valueQuantity":{"value":4.20,"unit":"mg/L"}}'
)


def test_fhir_numbers_count_digit_by_digit(pair):
    done = run(*pair(OBSERVATION, OBSERVATION.replace(b"4.20", b"4.2"), ".json"))
    assert done.exit_code == 1
    assert done.stdout.endswith("valueQuantity.value: 4.20 -> 4.2\n")


def test_fhir_member_order_does_not_count(pair):
    other = b'{"status":"final","resourceType":"Observation","valueQuantity":{"unit":"mg/L","value":4.20},"code":{"text":"B2M"}}'
    assert run(*pair(OBSERVATION, other, ".json")).exit_code == 0


def test_packed_files_and_standard_input_are_read(tmp_path: Path):
    packed = tmp_path / "old.hl7.gz"
    packed.write_bytes(gzip.compress(WHOLE))
    assert run(packed, "-", stdin=WHOLE).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [(WHOLE, OBSERVATION), (b"", WHOLE), (b"no message", WHOLE), (WHOLE + OBSERVATION, WHOLE), (b"MSH|||||||", WHOLE)],
    ids=["v2 and FHIR", "empty", "no message", "mixed", "damaged"],
)
def test_files_that_cannot_be_compared_are_a_usage_error(pair, old, new):
    done = run(*pair(old, new))
    assert done.exit_code == 2
    assert done.stderr.startswith("b2m-adapter: ")


def test_a_missing_file_is_a_usage_error(tmp_path: Path):
    assert run(tmp_path / "none", tmp_path / "none").exit_code == 2


def test_standard_input_cannot_be_both():
    assert run("-", "-").exit_code == 2
