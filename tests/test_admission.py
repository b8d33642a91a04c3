"""What a door refuses before it acknowledges, and what it knows of a message then."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mllp_bench import oru

from adapter.hl7v2.admission import admit
from adapter.hl7v2.message import read_message
from adapter.issues import Rejected


def slug_of(data, **more):
    issue = admit(data, **more).issue
    return issue.slug if issue else ""


def test_a_result_message_is_admitted():
    admission = admit(oru("A1"))
    assert admission.issue is None
    assert (admission.sender, admission.control_id) == ("LAB|HOSP", "A1")
    assert len(admission.patient) == 32


@pytest.mark.parametrize(
    ("data", "slug", "place"),
    [
        (b"", "no-msh", "MSH"),
        (b"hello", "no-msh", "MSH"),
        (b'{"resourceType":"Observation"}', "no-msh", "MSH"),
        (b"MSH", "truncated", "MSH"),
        (oru(""), "control-id-missing", "MSH-10"),
        (oru('""'), "control-id-missing", "MSH-10"),
        (oru("1", type=""), "message-type-missing", "MSH-9"),
        (oru("1", type="ADT^A01"), "type-unsupported", "MSH-9.1"),
        (oru("1", version="3.0"), "version-unsupported", "MSH-12"),
        (oru("1", version="FHIR"), "version-unsupported", "MSH-12"),
        (oru("1", processing="T"), "processing-id-refused", "MSH-11"),
        (oru("1", processing="D^A"), "processing-id-refused", "MSH-11"),
        (oru("1").replace(b"\rPID|", b"\rNTE|"), "missing-patient", "PID"),
        (oru("1").replace(b"\rOBX|", b"\rNTE|"), "result-missing", "OBX"),
        (oru("1").replace(b"2.4", b"2\x004"), "binary-noise", "MSH"),
        (oru("1").replace(b"^~\\&", b"^^\\&"), "bad-delimiters", "MSH-2"),
    ],
)
def test_refusals(data, slug, place):
    issue = admit(data).issue
    assert (issue.slug, issue.place) == (slug, place)


@pytest.mark.parametrize("version", ["", "2.1", "2.5.1", "2.99", "2", "V2.3", "2.5.1^USA&&ISO"])
def test_versions_that_the_reader_reads_are_admitted(version):
    assert slug_of(oru("1", version=version)) == ""


@pytest.mark.parametrize("processing", ["P", "", "p", "P^T"])
def test_production_is_what_does_not_say_otherwise(processing):
    assert slug_of(oru("1", processing=processing)) == ""


def test_accepted_processing_ids_are_given():
    assert slug_of(oru("1", processing="T"), processing_ids=("P", "T")) == ""


def test_the_row_of_the_sender_is_stronger_than_what_is_given():
    assert slug_of(oru("1", processing="T"), sender_ids=lambda application, facility: {"T"}) == ""
    assert slug_of(oru("1"), sender_ids=lambda application, facility: {"T"}) == "processing-id-refused"
    assert slug_of(oru("1"), sender_ids=lambda application, facility: ()) == ""


def test_the_row_is_looked_up_with_the_usual_component_separator():
    asked = []
    data = oru("1").replace(b"|LAB|", b"|LAB^1.2^ISO|").translate(bytes.maketrans(b"^", b"%"))
    assert slug_of(data, sender_ids=lambda *sender: asked.append(sender) or ()) == ""
    assert asked == [("LAB%1.2%ISO".replace("%", "^"), "HOSP")]


def test_other_types_by_policy():
    assert slug_of(oru("1", type="ADT^A01"), unsupported="accept") == ""


def test_the_first_fault_of_the_envelope_counts():
    assert slug_of(oru("", type="ADT^A01", processing="T")) == "control-id-missing"
    assert slug_of(oru("1", type="ADT^A01", processing="T", version="3")) == "type-unsupported"


def test_issues_hold_no_text_of_the_sender_outside_their_value():
    for data in (oru("1", type="TEST^PATIENT"), oru("1", version="TEST"), oru("1", processing="TEST")):
        issue = admit(data).issue
        assert "TEST" not in issue.place + issue.detail


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_line_ends_of_any_kind(ends):
    assert admit(oru("1").replace(b"\r", ends)).patient == admit(oru("1")).patient
    assert slug_of(oru("1").replace(b"\r", ends)) == ""


def test_indented_and_bare_segments_count_as_the_reader_counts_them():
    assert slug_of(oru("1").replace(b"\rPID", b"\r  PID").replace(b"\rOBX", b"\r\tOBX")) == ""
    assert slug_of(oru("1").replace(b"\rOBX|", b"\rOBX\rNTE|")) == ""


def test_charsets_wide_and_other_do_not_matter():
    text = oru("1").decode().replace("TEST^PATIENT", "TÄST^PÄTIENT")
    for codec in ("utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        admission = admit(text.encode(codec))
        assert (admission.issue, admission.control_id, admission.patient) == (None, "1", admit(oru("1")).patient), codec


# -- the patient -------------------------------------------------------------------------------------------------------


def with_pid(pid, sender="LAB"):
    return oru("1").replace(b"PID|1||12345^^^HOSP^MR||TEST^PATIENT", pid.encode()).replace(b"|LAB|", f"|{sender}|".encode())


def test_the_same_identifier_and_authority_are_the_same_patient_for_every_sender():
    keys = {
        admit(with_pid(f"PID|1||12345^^^HOSP^MR~777^^^SSN||{name}", sender)).patient for name in "AB" for sender in ("L1", "L2")
    }
    assert len(keys) == 1


def test_the_same_number_of_another_authority_is_another_patient():
    assert admit(with_pid("PID|1||12345^^^HOSP")).patient != admit(with_pid("PID|1||12345^^^OTHER")).patient


def test_without_authority_the_sender_stands_for_it():
    assert admit(with_pid("PID|1||12345", "L1")).patient != admit(with_pid("PID|1||12345", "L2")).patient
    assert admit(with_pid("PID|1||12345", "L1")).patient == admit(with_pid('PID|1||12345^^^""', "L1")).patient


def test_old_versions_name_the_patient_in_pid_2_and_pid_4():
    assert (
        admit(with_pid("PID|1|12345")).patient
        == admit(with_pid("PID|1|||12345")).patient
        == admit(with_pid("PID|1||12345")).patient
    )


@pytest.mark.parametrize("pid", ["PID|1", "PID|1||^^^HOSP", 'PID|1||""', "PID|1||  "])
def test_a_patient_without_identifier_has_no_key(pid):
    assert admit(with_pid(pid)).patient == ""


def test_the_key_does_not_show_the_identifier():
    assert "12345" not in admit(oru("1")).patient


def test_a_segment_that_is_only_a_name_at_the_end_is_found_before_noise():
    data = b"\r".join(line for line in oru("1").split(b"\r") if not line.startswith(b"PID"))
    assert slug_of(data.rstrip(b"\r") + b"\rPID\0") == ""


# -- laws --------------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: oru("1")[:60] + tail)))
def test_any_bytes_get_a_verdict(data):
    admission = admit(data)
    assert admission.sender.count("|") >= 1
    assert admission.wants


edits = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([b"", b"|", b"\r", b"\n", b" ", b"\0", b"X", b"PID", b"OBX|", b"\\", b"^"])),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(edits)
def test_what_the_reader_reads_is_not_refused_for_its_form(changes):
    """A refusal is never stricter than the conversion, which would have read MSH, PID and OBX."""
    data = oru("1")
    for at, text in changes:
        data = data[:at] + text + data[at + 1 :]
    try:
        message = read_message(data)
    except Rejected:
        return
    names = {segment.name for segment in message.segments}
    slug = slug_of(data)
    assert slug not in ("no-msh", "truncated", "bad-delimiters", "binary-noise")
    assert slug != "missing-patient" or "PID" not in names
    assert slug != "result-missing" or "OBX" not in names
