"""Acknowledgements: what is answered to which MSH, and that nothing of the sender can become a segment or a frame of it."""

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapter.hl7v2.acknowledgement import acknowledgement, refusal_code
from adapter.hl7v2.header import header_of, is_acknowledgement, wanted, wants_of
from adapter.hl7v2.message import read_message
from adapter.issues import CATALOGUE, Issue

TIME = "20260101120000+0000"


def msh(control_id="MSG1", version="2.5.1", kind="ORU^R01^ORU_R01", delimiters="|^~\\&", **more):
    f, encoding = delimiters[0], delimiters[1:]
    rest = {"processing": "P", "charset": "", "sender": f"LAB{f}HOSP", "receiver": f"EHR{f}CLINIC"} | more
    parts = ("MSH", encoding, rest["sender"], rest["receiver"], "20260101", "", kind, control_id, rest["processing"], version)
    start = f.join(parts)
    return start + f * 6 + rest["charset"] if rest["charset"] else start


def ack(data, code="AA", issues=()):
    if isinstance(data, str):
        data = data.encode()
    return acknowledgement(header_of(data), code, issues, time=TIME, control_id="c-1")


def lines(answer, codec="utf-8"):
    return answer.decode(codec).split("\r")


def test_the_plain_acknowledgement():
    assert ack(msh() + "\rPID|1\r") == (
        b"MSH|^~\\&|EHR|CLINIC|LAB|HOSP|20260101120000+0000||ACK^R01^ACK|c-1|P|2.5.1\rMSA|AA|MSG1\r"
    )


def test_assigning_authorities_of_sender_and_receiver_stay():
    assert lines(ack(msh(sender="LAB^1.2.3^ISO|H^4.5^ISO")))[0].split("|")[4:6] == ["LAB^1.2.3^ISO", "H^4.5^ISO"]


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("2.1", "ORU^R01", "ACK"),
        ("2.2", "ORU^R01", "ACK"),
        ("2.3", "ORU^R01", "ACK^R01"),
        ("2.3.1", "ORU^R01", "ACK^R01^ACK"),
        ("2.4", "ORU^R01", "ACK^R01^ACK"),
        ("2.9", "ORU^R01^ORU_R01", "ACK^R01^ACK"),
        ("2.5.1", "ORU", "ACK"),
        ("2.5.1", "ORU^R-1", "ACK"),
        ("2.5.1", "", "ACK"),
    ],
)
def test_the_message_type_follows_the_version(version, kind, expected):
    fields = lines(ack(msh(version=version, kind=kind)))[0].split("|")
    assert (fields[8], fields[11]) == (expected, version)


@pytest.mark.parametrize("version", ["", "3.0", "2.99", "x"])
def test_a_message_of_no_known_version_is_answered_in_the_one_it_is_read_as(version):
    assert lines(ack(msh(version=version)))[0].split("|")[11] == "2.5.1"


@pytest.mark.parametrize(("sent", "answered"), [("P", "P"), ("T", "T"), ("D^A", "D"), ("", "P"), ("X\x1c", "P")])
def test_the_processing_id_is_echoed_when_it_is_one(sent, answered):
    assert lines(ack(msh(processing=sent)))[0].split("|")[10] == answered


def test_delimiters_of_the_sender_are_kept():
    answer = ack(
        msh(delimiters="$%*@!", kind="ORU%R01%ORU_R01", control_id="A%1"), "AE", [Issue("missing-patient", "PID[1]-3.1")]
    )
    assert lines(answer)[0].startswith("MSH$%*@!$EHR$CLINIC$LAB$HOSP$")
    assert lines(answer)[1] == "MSA$AE$A%1"
    assert lines(answer)[2].startswith("ERR$$PID%1%3%1%1$100%Segment sequence error%HL70357$E$missing-patient%%L$$$")


def test_the_truncation_character_is_kept_from_v2_7_on():
    assert ack(msh(delimiters="|^~\\&#", version="2.7")).startswith(b"MSH|^~\\&#|")
    assert ack(msh(delimiters="|^~\\&#", version="2.5.1")).startswith(b"MSH|^~\\&|")


@pytest.mark.parametrize("encoding", ["^~&", "^~\\\\&", "^^\\&", "^", "", "abcd", "^~\\&#?", '^~\\"'])
def test_a_faulty_set_of_delimiters_is_answered_with_the_usual_ones(encoding):
    answer = ack(msh(delimiters="|" + encoding, control_id="MSG-1"))
    assert answer.startswith(b"MSH|^~\\&|EHR|CLINIC|LAB|HOSP|")
    assert lines(answer)[1] == "MSA|AA|MSG-1"


def test_text_between_delimiters_that_are_none_is_escaped():
    answer = ack(msh(delimiters="A^~\\&", control_id="1|2^3", sender="\\1A2", receiver="3A4"))
    assert lines(answer)[1] == "MSA|AA|1\\F\\2\\S\\3"


def test_msh_10_of_a_message_that_does_not_parse_further():
    assert lines(ack(b"MSH|^~\\&|||||||ORU|ID-7"))[1] == "MSA|AA|ID-7"
    assert lines(ack(b"\xff\xfe\x00garbage"))[1] == "MSA|AA|"
    assert lines(ack(b""))[1] == "MSA|AA|"
    assert lines(ack(b"MSH"))[1] == "MSA|AA|"


def test_a_long_control_id_is_cut_at_the_length_of_the_standard():
    assert lines(ack(msh(control_id="x" * 199)))[1] == "MSA|AA|" + "x" * 199
    assert lines(ack(msh(control_id="x" * 300)))[1] == "MSA|AA|" + "x" * 199
    assert len(ack(msh(sender="y" * 5000 + "|H"))) < 1000


@pytest.mark.parametrize("char", ["\x0b", "\x1c", "\x00", "\x07", "\x85", "\u2028", "\u2029"])
def test_what_could_end_a_line_or_frame_is_escaped(char):
    answer = ack(msh(control_id=f"A{char}B", sender=f"L{char}B|H"))
    assert lines(answer)[1] == f"MSA|AA|A\\X{char.encode().hex().upper()}\\B"
    assert char not in answer.decode()


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("8859/1", "iso8859-1", "Müß"),
        ("UNICODE UTF-8", "utf-8", "Müß"),
        ("8859/7", "iso8859-7", "Ωμ"),
        ("SHIFT_JIS", "cp932", "表ソ"),
        ("~ISO IR87", "iso2022_jp_ext", "山田"),
        ("GB 18030-2000", "gb18030", "王丽"),
        ("", "utf-8", "Müß"),
        ("unknown", "iso8859-1", "Müß"),
    ],
)
def test_the_charset_of_the_sender_is_kept(charset, codec, text):
    answer = ack(msh(control_id=text, sender=f"{text}|H", charset=charset).encode(codec))
    assert lines(answer, codec)[1] == f"MSA|AA|{text}"
    assert lines(answer, codec)[0].split("|")[4] == text


def test_the_name_of_the_charset_is_echoed_when_it_is_known():
    assert lines(ack(msh(charset="8859/1")))[0].split("|")[17] == "8859/1"
    assert len(lines(ack(msh(charset="KLINGON")))[0].split("|")) == 12


def test_utf_16_is_answered_in_utf_16():
    for codec in ("utf-16-le", "utf-16-be"):
        answer = ack(msh(control_id="A\u1c0dB").encode(codec))
        assert lines(answer, codec)[1].startswith("MSA|AA|A\\X")
        assert b"\x1c" not in answer


def test_text_of_an_issue_that_the_charset_lacks_leaves_with_question_marks_and_the_control_id_whole():
    answer = ack(msh(control_id="Mü", charset="8859/1").encode("latin-1"), "AE", [Issue("missing-patient", "PID", "Ω")])
    assert lines(answer, "latin-1")[1] == "MSA|AE|Mü"
    assert lines(answer, "latin-1")[2].split("|")[7] == "?"


# -- ERR ---------------------------------------------------------------------------------------------------------------


def test_errors_up_to_v2_4_stand_in_err_1_with_a_text_in_msa_3():
    answer = ack(msh(version="2.3"), "AE", [Issue("missing-patient", "PID"), Issue("bad-date", "OBX[2]-14")])
    assert lines(answer)[1] == "MSA|AE|MSG1|The message has results but no PID segment."
    assert lines(answer)[2] == "ERR|PID^1^^100&Segment sequence error&HL70357~OBX^2^14^102&Data type error&HL70357"


def test_errors_from_v2_5_on_have_a_segment_each():
    answer = ack(msh(), "AE", [Issue("bad-date", "OBX[2]-14[3].1.2", "a|b", "TEST^PATIENT"), Issue("missing-patient", "PID")])
    assert lines(answer)[2:] == [
        "ERR||PID^1|100^Segment sequence error^HL70357|E|missing-patient^^L|||The message has results but no PID segment.",
        f"ERR||OBX^2^14^3^1^2|102^Data type error^HL70357|W|bad-date^^L||a\\F\\b|{CATALOGUE['bad-date'].meaning}",
        "",
    ]
    assert b"PATIENT" not in answer


@pytest.mark.parametrize("place", ["Bundle.entry[3].resource.status", "byte 12", "", "obx-5"])
def test_a_place_that_is_none_in_v2_is_left_out(place):
    assert lines(ack(msh(), "AE", [Issue("internal-error", place)]))[2].startswith("ERR|||207^")


def test_at_most_ten_errors_are_told_errors_first():
    issues = [Issue("bad-date", f"OBX[{number}]-14") for number in range(1, 40)] + [Issue("missing-patient", "PID")]
    told = [line for line in lines(ack(msh(), "AE", issues)) if line.startswith("ERR")]
    assert len(told) == 10
    assert "missing-patient" in told[0]


@pytest.mark.parametrize("slug", CATALOGUE)
def test_every_issue_can_be_told(slug):
    for version in ("2.3", "2.5.1"):
        answer = ack(msh(version=version), "AE", [Issue(slug, "OBX[1]-5")])
        assert answer.isascii()
        assert CATALOGUE[slug].error_code.encode() in answer


# -- which acknowledgement ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "application", "expected"),
    [
        ("", "", (False, "NE", "AL")),
        ("NE", "AL", (False, "NE", "AL")),
        ("AL", "", (True, "AL", "NE")),
        ("", "ER", (True, "NE", "ER")),
        ("al", " SU", (True, "AL", "SU")),
        ("Y", "N", (False, "NE", "AL")),
        ("AL", "?", (True, "AL", "NE")),
    ],
)
def test_what_the_sender_wants(accept, application, expected):
    assert tuple(wants_of(header_of((msh() + f"|||{accept}|{application}").encode()))) == expected


def test_conditions_of_table_0155():
    assert [wanted(condition, good=True) for condition in ("AL", "NE", "ER", "SU")] == [True, False, False, True]
    assert [wanted(condition, good=False) for condition in ("AL", "NE", "ER", "SU")] == [True, False, True, False]


@pytest.mark.parametrize(
    ("slug", "code"),
    [
        ("type-unsupported", "AR"),
        ("version-unsupported", "AR"),
        ("processing-id-refused", "AR"),
        ("control-id-missing", "AR"),
        ("not-stored", "AR"),
        ("oversize", "AR"),
        ("truncated", "AR"),
        ("missing-patient", "AE"),
        ("bad-delimiters", "AE"),
        ("binary-noise", "AE"),
    ],
)
def test_the_code_of_a_refusal(slug, code):
    assert refusal_code(Issue(slug)) == code
    assert refusal_code(Issue(slug), accept=True) == "C" + code[1]


@pytest.mark.parametrize(
    ("kind", "expected"), [("ACK^R01^ACK", True), ("ACK", True), ("MCF", True), ("ORU^R01", False), ("", False)]
)
def test_what_is_an_acknowledgement(kind, expected):
    assert is_acknowledgement(header_of(msh(kind=kind).encode())) is expected


# -- laws --------------------------------------------------------------------------------------------------------------

field = st.text(max_size=12).map(lambda text: text.replace("\r", "").replace("\n", ""))
nasty = st.sampled_from(
    ["", "|", "^", "~", "\\", "&", "\x0b", "\x1c", "\x1c\x0b", "\\F\\", "\\", "A", "Ü", "\u2028", "\x85", "MSA", "$"]
)
texts = st.one_of(field, st.lists(nasty, max_size=5).map("".join))
separators = st.one_of(st.just("|"), st.sampled_from("$%!A1\\^ é¬|"))
encodings = st.one_of(st.just("^~\\&"), st.text(alphabet="^~\\&#$%@!A |é", max_size=6))


@st.composite
def headers(draw):
    separator = draw(separators)
    fields = [draw(texts) for _ in range(draw(st.integers(0, 18)))]
    if len(fields) > 8 and draw(st.booleans()):
        fields[8] = draw(st.sampled_from(["2.1", "2.3", "2.4", "2.5.1", "2.7", "2.9"]))
    text = "MSH" + separator + draw(encodings) + separator + separator.join(fields)
    codec = draw(st.sampled_from(["utf-8", "latin-1", "utf-16-le", "cp932"]))
    return text.encode(codec, "replace")


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        headers(), headers().map(lambda data: data + b"\rPID|1\r"), st.binary(max_size=80), st.binary().map(lambda b: b"MSH" + b)
    )
)
@example(b"MSH|^~\\&|||||||ORU|1\x0bMSA|AA|2")
@example(b"MSH|\\^~&|||||||ORU|\\")
def test_any_bytes_get_a_whole_acknowledgement(data):
    header = header_of(data)
    for code, issues in (("AA", ()), ("AE", [Issue("missing-patient", "PID[1]-3", "a|b\r\n"), Issue("internal-error")])):
        answer = acknowledgement(header, code, issues, time=TIME, control_id="c-1")
        assert b"\x0b" not in answer
        assert b"\x1c" not in answer
        text = answer.decode(header.codec)
        assert text.splitlines() == text.removesuffix("\r").split("\r")
        names = [line[:3] for line in text.splitlines()]
        assert names[:2] == ["MSH", "MSA"]
        assert set(names[2:]) <= {"ERR"}
        assert len(names) <= 4
        message = read_message(answer)
        assert message.header[10] == "c-1"
        assert message.segments[1][1] == code
        parsed = hl7.parse(text)
        assert [str(segment[0]) for segment in parsed] == names
        assert str(parsed.segment("MSA")[1]) == code


plain = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"], exclude_characters="|^~\\&"), min_size=1, max_size=199)


@settings(max_examples=100, deadline=None)
@given(plain, st.sampled_from(["2.3", "2.4", "2.5.1", "2.7", ""]))
def test_msa_2_is_msh_10(control_id, version):
    data = msh(control_id=control_id, version=version, charset="8859/1").encode("latin-1")
    header = header_of(data)
    answer = acknowledgement(header, "AA", (), time=TIME, control_id="c-1").decode(header.codec)
    assert str(hl7.parse(answer).segment("MSA")[2]).strip() == header.fields[10].strip()
    assert answer.split("\r")[1] == f"MSA|AA|{header.fields[10]}"


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.2"])
@pytest.mark.parametrize(
    "issues", [(), [Issue("missing-patient", "PID[1]-3.1", "detail"), Issue("bad-date", "OBX[2]-14")]], ids=["AA", "AE"]
)
def test_hl7apy_reads_it_in_every_version(version, issues):
    answer = ack(msh(version=version, sender="LAB^1.2.3^ISO|HOSP", kind="ORU^R01"), "AE" if issues else "AA", issues)
    message = parse_message(answer.decode(), validation_level=VALIDATION_LEVEL.TOLERANT)
    assert message.msa.msa_2.to_er7() == "MSG1"
    assert message.version == version
    assert len(message.err) == (0 if not issues else 1 if version < "2.5" else 2)
