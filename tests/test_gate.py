"""What may overwrite what: the order of two versions of a result, and the rewriting of updates that are older."""

from itertools import permutations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.service.delivery.shared import shared_transaction
from adapter.service.engine.gate import contents_of, decide, held_back, newest, older, versions_of
from adapter.service.engine.moment import moment, order
from adapter.service.spool.records import Version

RESULT = "Observation?identifier=urn:test|1"


def transaction(*entries: bytes, timestamp: str = "2026-01-01T10:00:00Z") -> bytes:
    stamp = f'"timestamp":"{timestamp}",'.encode() if timestamp else b""
    return b'{"resourceType":"Bundle",%s"type":"transaction","entry":[%s]}' % (stamp, b",".join(entries))


def observation(
    status: str = "final", *, identity: str = RESULT, issued: str = "", value: str = "2.10", full_url: str = "urn:uuid:1"
) -> bytes:
    said = f'"issued":"{issued}",' if issued else ""
    return (
        f'{{"fullUrl":"{full_url}","resource":{{"resourceType":"Observation","status":"{status}",{said}'
        f'"valueQuantity":{{"value":{value}}}}},"request":{{"method":"PUT","url":"{identity}"}}}}'
    ).encode()


def version(rank: int = 1, issued: str = "", message_time: str = "", number: int = 1) -> Version:
    return Version(RESULT, rank, moment(issued), moment(message_time), number)


# -- what is read from an output -----------------------------------------------------------------------------------------


def test_an_update_is_a_version_with_its_own_time_of_issue_and_the_time_of_the_message():
    line = transaction(observation("corrected", issued="2026-01-01T08:00:00+01:00"))
    assert versions_of(line, b"", 7) == (Version(RESULT, 3, "20260101070000Z", "20260101100000Z", 7),)


def test_a_result_without_time_of_issue_has_that_of_the_report_that_lists_it():
    report = (
        b'{"fullUrl":"urn:uuid:9","resource":{"resourceType":"DiagnosticReport","status":"final","issued":"2026-01-01T09:00:00Z",'
        b'"result":[{"reference":"urn:uuid:1"}]},"request":{"method":"PUT","url":"DiagnosticReport?identifier=urn:test|9"}}'
    )
    assert [one.issued for one in versions_of(transaction(observation(), report), b"", 1)] == ["20260101090000Z"] * 2


def test_without_a_zone_the_digits_of_obr_22_and_msh_7_count():
    line = transaction(
        b'{"fullUrl":"urn:uuid:9","resource":{"resourceType":"DiagnosticReport","status":"final","_issued":{"extension":'
        b'[{"url":"http://hl7.org/fhir/StructureDefinition/originalText","valueString":"20260101115900"}]}},'
        b'"request":{"method":"PUT","url":"DiagnosticReport?identifier=urn:test|9"}}',
        timestamp="",
    )
    raw = b"MSH|^~\\&|LAB|FAC|||20260101120000||ORU^R01|1|P|2.5.1\rPID|1\r"
    assert versions_of(line, raw, 1)[0][2:4] == ("20260101115900", "20260101120000")


def test_fhir_input_is_dated_by_its_last_update():
    line = transaction(
        b'{"resource":{"resourceType":"Observation","status":"final","meta":{"lastUpdated":"2026-01-01T09:00:00Z"}},'
        b'"request":{"method":"PUT","url":"Observation/17"}}'
    )
    assert versions_of(line, b"", 1)[0][:3] == ("Observation/17", 1, "20260101090000Z")


@pytest.mark.parametrize(
    "line",
    [b'{"resourceType":"Patient"}', b'{"resourceType":"Bundle","type":"message"}', b'{"a":1}\n{"a":2}', transaction()],
)
def test_what_has_no_requests_has_no_versions(line):
    assert versions_of(line, b"", 1) == ()


def test_a_create_is_no_version():
    entry = observation().replace(b'"PUT"', b'"POST"')
    assert versions_of(transaction(entry), b"", 1) == ()


def test_the_provenance_of_a_message_is_no_version():
    entry = b'{"resource":{"resourceType":"Provenance"},"request":{"method":"PUT","url":"Provenance/1"}}'
    assert versions_of(transaction(entry), b"", 1) == ()


# -- the order of two versions -----------------------------------------------------------------------------------------


def test_a_late_preliminary_is_older_than_any_final():
    assert older(version(0, issued="2026-02-01", number=2), version(1, issued="2026-01-01"))


def test_an_older_final_is_older_than_a_correction():
    assert older(version(1, issued="2026-01-01T08:00:00Z", number=2), version(3, issued="2026-01-01T09:00:00Z"))


def test_a_final_that_was_issued_later_is_newer_than_a_correction():
    assert not older(version(1, issued="2026-01-01T10:00:00Z", number=2), version(3, issued="2026-01-01T09:00:00Z"))


def test_with_the_same_issue_the_message_time_decides():
    one, other = (version(1, issued="2026-01-01T08:00:00Z", message_time=at) for at in ("20260101090000", "20260101090001"))
    assert older(one._replace(number=2), other)


def test_with_the_same_times_the_status_decides():
    assert older(version(1, number=2), version(3, number=1))


def test_with_the_same_times_and_status_the_later_arrival_is_newer():
    assert older(version(number=1), version(number=2))
    assert not older(version(number=2), version(number=1))


def test_a_message_is_never_older_than_itself():
    assert not older(version(number=5), version(3, issued="2027-01-01", number=5))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00+02:00", 1),
        ("2026-01-01T10:00:00Z", "2026-01-01T12:00:00+02:00", 0),
        ("20260101100000.5+0000", "2026-01-01T10:00:00.25Z", 1),
        ("2026", "2026-05-01T10:00:00Z", 0),
        ("2025", "2026-05-01T10:00:00Z", -1),
        ("202601011000", "20260101100059", 0),
        ("20260101100000", "20260101100001", -1),
        ("", "20260101", 0),
        ("rubbish", "20260101", 0),
        ("20260230", "20260101", 0),
        ("20260101100000", "2026-01-01T12:00:00Z", 0),
        ("20260101100000", "2026-01-02T12:00:00Z", -1),
        ("20260103100000", "2026-01-01T12:00:00Z", 1),
    ],
)
def test_times_compare_only_as_far_as_both_are_known(one, other, expected):
    assert order(moment(one), moment(other)) == expected
    assert order(moment(other), moment(one)) == -expected


@given(st.text(max_size=30))
def test_no_text_makes_a_moment_fail(text):
    assert order(moment(text), moment("2026-01-01T10:00:00Z")) in (-1, 0, 1)


# -- holding back --------------------------------------------------------------------------------------------------------


@given(*[st.from_regex(r"(0001|9999|2026)((01|12)(01|31)([01]2(00|59){0,2})?)?Z?", fullmatch=True)] * 2)
def test_any_two_moments_compare_and_agree_on_which_is_older(one, other):
    first, second = (text if text[:-1].isdigit() and moment(text) else "" for text in (one, other))
    assert order(first, second) == -order(second, first)


def test_never_is_newer_than_now_whatever_the_zone():
    assert order("9999", "20260101120000Z") == order("99991231", "20260101120000Z") == 1


def test_a_stale_update_becomes_a_create_of_the_same_identifier():
    line = held_back(transaction(observation()), frozenset({RESULT}))
    assert orjson.loads(line)["entry"][0]["request"] == {
        "method": "POST",
        "url": "Observation",
        "ifNoneExist": "identifier=urn:test|1",
    }


@pytest.mark.parametrize("value", ["4.20", "0.0000001", "1.0E-7", "12345678901234567890.10", "-0.0"])
def test_numbers_stay_as_written_when_an_update_is_held_back(value):
    assert f'"value":{value}}}'.encode() in held_back(transaction(observation(value=value)), frozenset({RESULT}))


def test_only_the_stale_update_is_rewritten():
    fresh = observation(identity="Observation?identifier=urn:test|2", full_url="urn:uuid:2")
    line = held_back(transaction(observation(), fresh), frozenset({RESULT}))
    assert [entry["request"]["method"] for entry in orjson.loads(line)["entry"]] == ["POST", "PUT"]


def test_a_stale_update_by_id_is_left_out_and_references_to_it_name_the_id():
    report = (
        b'{"fullUrl":"urn:uuid:9","resource":{"resourceType":"DiagnosticReport","result":[{"reference":"urn:uuid:1"}]},'
        b'"request":{"method":"POST","url":"DiagnosticReport"}}'
    )
    line = held_back(transaction(observation(identity="Observation/17"), report), frozenset({"Observation/17"}))
    (entry,) = orjson.loads(line)["entry"]
    assert entry["resource"]["result"] == [{"reference": "Observation/17"}]


def delivered(arrivals):
    """What a server holds after messages arrived in this order and the gate decided on each."""
    known, server = {}, {}
    for number, (line, name) in enumerate(arrivals, start=1):
        versions = versions_of(line, b"", number)
        stale = decide(versions, known)
        for entry in orjson.loads(held_back(line, stale) if stale else line)["entry"]:
            request = entry["request"]
            if request["method"] == "PUT":
                server[request["url"]] = name
            else:
                server.setdefault(f"{request['url']}?{request['ifNoneExist']}", name)
        known.update({one.identity: one for one in newest(versions, known)})
    return server


# of one precision: what is not known of one of two times cannot order them
TIMES = st.sampled_from(
    ["2026-01-01T08:00:00Z", "2026-01-01T09:00:00Z", "2026-01-02T00:30:00+02:00", "2026-01-01T09:00:00+01:00"]
)
RANKS = {"preliminary": 0, "final": 1, "amended": 2, "corrected": 3, "entered-in-error": 4}


@given(st.lists(st.tuples(st.sampled_from([*RANKS]), TIMES, TIMES), min_size=1, max_size=4))
def test_any_order_of_arrival_leaves_the_same_version_at_the_server(versions):
    lines = [
        (transaction(observation(status, issued=issued), timestamp=sent), (status, moment(issued), moment(sent)))
        for status, issued, sent in versions
    ]
    assert len({delivered(arrivals)[RESULT] for arrivals in permutations(lines)}) == 1


@given(st.permutations(range(4)), st.sampled_from(["", "2026", "2026-01-01", "2026-01-01T08:00:00Z", "20260101080000"]))
def test_whatever_is_known_of_the_times_a_preliminary_never_replaces_a_final(arrival, issued):
    kinds = ["preliminary", "final", "preliminary", "registered"]
    lines = [(transaction(observation(kinds[one], issued=issued)), kinds[one]) for one in arrival]
    assert delivered(lines)[RESULT] == "final"


# -- shared resources ----------------------------------------------------------------------------------------------------


def shared(kind: str, number: int, reference: str = "") -> bytes:
    inside = f',"partOf":{{"reference":"{reference}"}}' if reference else ""
    return (
        f'{{"fullUrl":"urn:uuid:{number}","resource":{{"resourceType":"{kind}"{inside}}},'
        f'"request":{{"method":"POST","url":"{kind}","ifNoneExist":"identifier=urn:test|{number}"}}}}'
    ).encode()


def test_shared_resources_are_the_conditional_creates_of_what_many_patients_have():
    line = transaction(
        shared("Organization", 1), shared("Patient", 2), shared("Practitioner", 3), observation(full_url="urn:uuid:4")
    )
    assert contents_of(line, b"", 1).shared == ("Organization?identifier=urn:test|1", "Practitioner?identifier=urn:test|3")


def test_shared_resources_may_refer_to_each_other_but_not_to_the_patient():
    line = transaction(
        shared("Organization", 1),
        shared("Location", 2, "urn:uuid:1"),
        shared("Device", 3, "urn:uuid:5"),
        shared("Organization", 4, "urn:uuid:3"),
        shared("Patient", 5),
    )
    assert contents_of(line, b"", 1).shared == ("Organization?identifier=urn:test|1", "Location?identifier=urn:test|2")


def test_their_transaction_holds_them_alone_with_the_requests_of_the_message():
    line = transaction(shared("Organization", 1), shared("Patient", 2))
    cut = orjson.loads(shared_transaction(line, contents_of(line, b"", 1).shared))
    assert (cut["type"], cut["entry"]) == ("transaction", [orjson.loads(shared("Organization", 1))])
