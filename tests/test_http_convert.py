"""`POST /convert`: what is answered to one message, to several, and to what is none."""

import gzip

import pytest
from helpers.http_door import ER7, FHIR, MESSAGE, message, running, settings_for, slug_of

from adapter.config import Settings
from adapter.fhir.validation import structure_faults
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

OBSERVATION = (
    b'{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1952-1"}]},'
    b'"valueQuantity":{"value":2.10,"unit":"mg/L","system":"http://unitsofmeasure.org","code":"mg/L"}}'
)
NDJSON = {"accept": "application/fhir+ndjson"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"), request_size=2**21)) as door:
        yield door


def test_one_message_is_answered_by_its_bundle_as_the_filter_gives_it(door):
    reply = door.ask("POST", "/convert", MESSAGE, ER7)
    expected = Pipeline(load_tables(), Settings())(RawMessage("er7", MESSAGE, 0)).lines
    assert (reply.status, reply.headers["content-type"], [reply.data]) == (200, "application/fhir+json", expected)


@pytest.mark.parametrize("kind", ["x-application/hl7-v2+er7", "application/hl7-v2", "text/plain", "text/plain; charset=utf-8"])
def test_v2_is_read_under_each_of_its_content_types(door, kind):
    assert door.ask("POST", "/convert", MESSAGE, {"content-type": kind}).json["type"] == "transaction"


@pytest.mark.parametrize("kind", ["application/fhir+json", "application/json", "application/fhir+ndjson", "application/x-ndjson"])
def test_fhir_leaves_in_the_shape_it_came_with_its_digits(door, kind):
    reply = door.ask("POST", "/convert", OBSERVATION, {"content-type": kind})
    assert reply.json["resourceType"] == "Observation"
    assert b'"value":2.10' in reply.data


def test_without_a_content_type_the_format_is_detected(door):
    reply = door.ask("POST", "/convert", MESSAGE, skip_auto_headers=["content-type"])
    assert reply.json["resourceType"] == "Bundle"


def test_issues_are_counted_in_a_header(door):
    reply = door.ask("POST", "/convert", MESSAGE.replace(b"mg/L", b"furlong"), ER7)
    assert reply.headers["b2m-adapter-issues"].startswith("error=0, warning=2, information=")


def test_several_messages_are_answered_line_by_line_in_their_order(door):
    reply = door.ask("POST", "/convert", b"".join(message(f"M{number}") for number in range(5)), ER7)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/fhir+ndjson"
    assert [line["identifier"]["value"] for line in reply.lines] == ["M0", "M1", "M2", "M3", "M4"]


def test_a_rejected_message_among_others_is_the_line_in_its_place(door):
    bad = b"MSH|^~\\&|LAB|NORTH|||20260113||ORU^R01|BAD|P|2.5.1\rOBX|1|NM|1952-1^^LN||1\r"
    reply = door.ask("POST", "/convert", message("M1") + bad + message("M2"), ER7)
    assert reply.status == 200
    assert [line["resourceType"] for line in reply.lines] == ["Bundle", "OperationOutcome", "Bundle"]
    assert slug_of(reply.lines[1]) == "missing-patient"


def test_a_rejected_message_alone_is_422(door):
    reply = door.ask("POST", "/convert", MESSAGE.replace(b"PID|1", b"ZID|1"), ER7)
    assert (reply.status, reply.slug) == (422, "missing-patient")


def test_another_type_alone_is_422(door):
    reply = door.ask("POST", "/convert", MESSAGE.replace(b"ORU^R01^ORU_R01", b"ADT^A08^ADT_A01"), ER7)
    assert (reply.status, reply.slug) == (422, "not-a-result")


def test_an_operation_outcome_is_valid_fhir_and_does_not_repeat_what_was_sent(door):
    reply = door.ask("POST", "/convert", MESSAGE.replace(b"PID|1", b"ZID|1").replace(b"2.10", b"SECRET"), ER7)
    assert structure_faults(reply.json) == []
    assert b"SECRET" not in reply.data
    assert b"12345" not in reply.data


def test_damaged_json_is_422_with_its_place(door):
    reply = door.ask("POST", "/convert", b'{"resourceType":"Observation",}', FHIR)
    assert (reply.status, reply.slug) == (422, "json-invalid")
    assert "line 1" in reply.json["issue"][0]["diagnostics"]


def test_json_that_is_nested_too_deep_is_422(door):
    data = b'{"resourceType":"Observation","extension":' + b"[" * 5000 + b"]" * 5000 + b"}"
    reply = door.ask("POST", "/convert", data, FHIR)
    assert (reply.status, reply.slug) == (422, "json-unsafe")


def test_v2_sent_as_json_is_422(door):
    assert door.ask("POST", "/convert", MESSAGE, FHIR).status == 422


@pytest.mark.parametrize("body", [b"", b"\r\n \r\n"])
def test_an_empty_body_is_400(door, body):
    reply = door.ask("POST", "/convert", body, ER7)
    assert (reply.status, reply.slug) == (400, "no-message")


def test_another_content_type_is_415_and_says_what_is_read(door):
    reply = door.ask("POST", "/convert", b"<xml/>", {"content-type": "application/xml"})
    assert (reply.status, reply.slug) == (415, "media-type")
    assert "application/fhir+json" in reply.headers["accept-post"]


def test_an_accept_header_without_any_of_the_answers_is_406(door):
    reply = door.ask("POST", "/convert", MESSAGE, {**ER7, "accept": "text/html"})
    assert (reply.status, reply.slug) == (406, "not-acceptable")


def test_several_messages_for_who_accepts_one_resource_only_is_406(door):
    reply = door.ask("POST", "/convert", MESSAGE + MESSAGE, {**ER7, "accept": "application/fhir+json"})
    assert (reply.status, reply.slug) == (406, "not-acceptable")


def test_one_message_for_who_asks_for_lines_is_a_line(door):
    reply = door.ask("POST", "/convert", MESSAGE, {**ER7, **NDJSON})
    assert reply.headers["content-type"] == "application/fhir+ndjson"
    assert [line["type"] for line in reply.lines] == ["transaction"]


def test_a_rejected_message_for_who_asks_for_lines_is_a_line(door):
    reply = door.ask("POST", "/convert", MESSAGE.replace(b"PID|1", b"ZID|1"), {**ER7, **NDJSON})
    assert (reply.status, slug_of(reply.lines[0])) == (200, "missing-patient")


@pytest.mark.parametrize("form", ["transaction", "message", "collection"])
def test_the_form_can_be_asked_for(door, form):
    assert door.ask("POST", f"/convert?to={form}", MESSAGE, ER7).json["type"] == form


def test_resources_one_by_one_are_lines(door):
    kinds = {line["resourceType"] for line in door.ask("POST", "/convert?to=ndjson", MESSAGE, ER7).lines}
    assert {"Patient", "Observation", "DiagnosticReport"} <= kinds


def test_the_unit_as_sent_can_be_asked_for(door):
    in_micrograms = MESSAGE.replace(b"2.10|mg/L|0.8-2.2", b"2100|ug/L|800-2200")
    assert b'"value":2100' in door.ask("POST", "/convert?units=as-sent", in_micrograms, ER7).data
    assert b'"value":2.100' in door.ask("POST", "/convert", in_micrograms, ER7).data


def test_a_zone_can_be_given(door):
    local = MESSAGE.replace(b"20260113080000+0100", b"20260113080000")
    assert b"2026-01-13T08:00:00+01:00" in door.ask("POST", "/convert?timezone=Europe/Berlin", local, ER7).data


def test_full_validation_can_be_asked_for(door):
    assert door.ask("POST", "/convert?validate=full", MESSAGE, ER7).status == 200


@pytest.mark.parametrize(
    "query", ["to=batch", "validate=off", "timezone=Mars/Base", "nothing=1", "to=message&to=collection", "to", "issues=%ff"]
)
def test_a_wrong_parameter_is_400(door, query):
    reply = door.ask("POST", f"/convert?{query}", MESSAGE, ER7)
    assert (reply.status, reply.slug) == (400, "parameter-invalid")


def test_with_issues_each_output_is_followed_by_its_issues(door):
    reply = door.ask("POST", "/convert?issues=true", MESSAGE.replace(b"mg/L", b"furlong") + MESSAGE, ER7)
    assert [line["resourceType"] for line in reply.lines] == ["Bundle", "OperationOutcome"] * 2
    assert "unit-unknown" in {issue["details"]["coding"][0]["code"] for issue in reply.lines[1]["issue"]}
    assert [structure_faults(line) for line in reply.lines[1::2]] == [[], []]


def test_with_issues_one_message_is_answered_by_lines_too(door):
    reply = door.ask("POST", "/convert?issues=true", MESSAGE, ER7)
    assert [line["resourceType"] for line in reply.lines] == ["Bundle", "OperationOutcome"]


def test_a_wrong_count_of_a_batch_is_told_at_the_end(door):
    batch = b"BHS|^~\\&|LAB\r" + MESSAGE + MESSAGE + b"BTS|3\r"
    reply = door.ask("POST", "/convert?issues=true", batch, ER7)
    assert slug_of(reply.lines[-1]) == "batch-count"


def test_gzip_is_unpacked(door):
    reply = door.ask("POST", "/convert", gzip.compress(MESSAGE), {**ER7, "content-encoding": "gzip"})
    assert reply.json["type"] == "transaction"


def test_members_of_gzip_in_a_row_are_one_body(door):
    data = gzip.compress(message("M1")) + gzip.compress(message("M2"))
    reply = door.ask("POST", "/convert", data, {**ER7, "content-encoding": "gzip"})
    assert [line["identifier"]["value"] for line in reply.lines] == ["M1", "M2"]


@pytest.mark.parametrize("data", [MESSAGE, gzip.compress(MESSAGE)[:-9], gzip.compress(MESSAGE) + b"MSH|"])
def test_damaged_gzip_is_400(door, data):
    reply = door.ask("POST", "/convert", data, {**ER7, "content-encoding": "gzip"})
    assert (reply.status, reply.slug) == (400, "content-encoding")


def test_another_content_encoding_is_415(door):
    reply = door.ask("POST", "/convert", MESSAGE, {**ER7, "content-encoding": "br"})
    assert (reply.status, reply.slug) == (415, "content-encoding")
    assert reply.headers["accept-encoding"] == "gzip"


def test_a_message_larger_than_what_is_converted_in_the_loop_is_converted_aside(door):
    notes = b"".join(b"NTE|%d||%s\r" % (number, b"a remark that takes room " * 40) for number in range(400))
    reply = door.ask("POST", "/convert", MESSAGE + notes, ER7)
    assert reply.status == 200
    assert len(reply.json["entry"]) > 3
