"""`POST /hl7` and `POST /fhir/$process-message`: durable before the answer, resends recognised, faults told."""

import asyncio
import os

import aiohttp
import orjson
import pytest
from helpers.http_door import ER7, FHIR, MESSAGE, message, running, settings_for, slug_of

from adapter.fhir.validation import structure_faults
from adapter.service.spool.intake import IntakeStore

PROCESS = "/fhir/$process-message"


@pytest.fixture
def door(tmp_path):
    with running(settings_for(tmp_path)) as door:
        yield door


@pytest.fixture
def spool(tmp_path, door):
    store = IntakeStore(tmp_path / "spool")
    yield store
    store.close()


def fhir_message(**changes) -> dict:
    header = {
        "resourceType": "MessageHeader",
        "id": "message-1",
        "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "R01"},
        "source": {"name": "LAB", "endpoint": "urn:oid:2.16.840.1.113883.19.3.1"},
    } | changes
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1952-1"}]},
        "subject": {"identifier": {"system": "urn:oid:2.16.840.1.113883.19.3.1", "value": "12345"}},
    }
    return {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}, {"resource": observation}]}


def posted(door, resource, **headers):
    return door.ask("POST", PROCESS, orjson.dumps(resource), {**FHIR, **headers})


def header_of(reply) -> dict:
    return reply.json["entry"][0]["resource"]


def segments(reply) -> dict[str, list[str]]:
    return {line[:3]: line.split("|") for line in reply.data.decode().split("\r") if line}


# -- HL7 over HTTP -----------------------------------------------------------------------------------------------------


def test_a_v2_message_is_in_the_spool_when_it_is_acknowledged(door, spool):
    reply = door.ask("POST", "/hl7", MESSAGE, ER7)
    assert (reply.status, reply.headers["content-type"]) == (200, "x-application/hl7-v2+er7")
    assert segments(reply)["MSA"][1:3] == ["AA", "M1"]
    stored = spool.get(1)
    assert (stored.data, stored.format, stored.door, stored.control_id) == (MESSAGE, "er7", "http", "M1")


def test_a_resend_is_acknowledged_alike_and_kept_once(door, spool):
    assert [segments(door.ask("POST", "/hl7", MESSAGE, ER7))["MSA"][1] for _ in range(3)] == ["AA"] * 3
    assert len(spool.after(0, 10)) == 1


def test_in_enhanced_mode_the_answer_is_the_accept_acknowledgement(door):
    enhanced = MESSAGE.replace(b"|P|2.5.1\r", b"|P|2.5.1|||AL|NE\r")
    assert segments(door.ask("POST", "/hl7", enhanced, ER7))["MSA"][1] == "CA"


def test_another_type_is_refused_with_400(door, spool):
    reply = door.ask("POST", "/hl7", MESSAGE.replace(b"ORU^R01^ORU_R01", b"ADT^A08^ADT_A01"), ER7)
    assert (reply.status, segments(reply)["MSA"][1:3]) == (400, ["AR", "M1"])
    assert spool.after(0, 10) == []


def test_a_message_without_patient_is_refused_with_500_and_its_place(door):
    reply = door.ask("POST", "/hl7", MESSAGE.replace(b"PID|1", b"ZID|1"), ER7)
    assert (reply.status, segments(reply)["MSA"][1]) == (500, "AE")
    assert segments(reply)["ERR"][2].startswith("PID")


def test_a_test_message_is_refused(door):
    reply = door.ask("POST", "/hl7", MESSAGE.replace(b"|P|2.5.1", b"|T|2.5.1"), ER7)
    assert (reply.status, segments(reply)["MSA"][1]) == (400, "AR")


def test_noise_is_refused_with_an_acknowledgement(door):
    reply = door.ask("POST", "/hl7", b"PID|1||nothing before me\r", ER7)
    assert (reply.status, segments(reply)["MSA"][1]) == (400, "AR")


@pytest.mark.parametrize(("body", "slug"), [(b"", "no-message"), (MESSAGE + MESSAGE, "request-malformed")])
def test_one_request_carries_one_message(door, body, slug):
    reply = door.ask("POST", "/hl7", body, ER7)
    assert (reply.status, reply.slug) == (400, slug)


def test_json_is_not_taken_for_v2(door):
    assert door.ask("POST", "/hl7", b"{}", FHIR).status == 415


def test_messages_of_many_connections_are_all_there_once(door, spool):
    async def ask() -> list[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)) as session:

            async def one(number: int) -> int:
                async with session.post(door.url + "/hl7", data=message(f"M{number}"), headers=ER7) as response:
                    assert f"MSA|AA|M{number}\r" in (await response.read()).decode()
                    return response.status

            return await asyncio.gather(*(one(number) for number in range(200)))

    assert asyncio.run(ask()) == [200] * 200
    assert len({stored.control_id for stored in spool.after(0, 1000)}) == 200


def test_a_spool_that_takes_nothing_is_503_and_the_door_recovers(door, spool, monkeypatch):
    blocker = IntakeStore(spool.folder)
    blocker._database.execute("BEGIN IMMEDIATE")
    reply = door.ask("POST", "/hl7", MESSAGE, ER7)
    assert (reply.status, reply.headers["retry-after"], segments(reply)["MSA"][1]) == (503, "5", "AR")
    ready = door.ask("GET", "/ready")
    assert (ready.status, ready.slug) == (503, "not-ready")
    blocker._database.execute("ROLLBACK")
    blocker.close()
    assert door.ask("POST", "/hl7", MESSAGE, ER7).status == 200
    assert door.ask("GET", "/ready").status == 200


def test_the_engine_is_woken_after_the_commit(tmp_path):
    reading, writing = os.pipe()
    try:
        with running(settings_for(tmp_path), wake=writing) as door:
            assert door.ask("POST", "/hl7", MESSAGE, ER7).status == 200
            assert os.read(reading, 10) == b"+"
    finally:
        os.close(reading)
        os.close(writing)


# -- FHIR messaging ----------------------------------------------------------------------------------------------------


def test_a_fhir_message_is_in_the_spool_when_it_is_answered(door, spool):
    sent = orjson.dumps(fhir_message())
    reply = door.ask("POST", PROCESS, sent, FHIR)
    assert reply.status == 200
    assert header_of(reply)["response"] | {"details": {}} == {"identifier": "message-1", "code": "ok", "details": {}}
    stored = spool.get(1)
    assert (stored.data, stored.format, stored.control_id) == (sent, "json", "message-1")
    assert stored.patient


def test_the_answer_is_a_message_of_valid_fhir_for_who_sent_it(door):
    reply = posted(door, fhir_message())
    assert structure_faults(reply.json) == []
    assert reply.json["type"] == "message"
    assert header_of(reply)["eventCoding"]["code"] == "R01"
    assert header_of(reply)["destination"] == [{"endpoint": "urn:oid:2.16.840.1.113883.19.3.1"}]


def test_a_message_that_comes_again_is_answered_alike_and_kept_once(door, spool):
    replies = [posted(door, fhir_message()) for _ in range(3)]
    assert {header_of(reply)["response"]["code"] for reply in replies} == {"ok"}
    assert {reply.json["entry"][1]["resource"]["issue"][0]["details"]["text"] for reply in replies} == {"Kept as message 1."}
    assert len(spool.after(0, 10)) == 1


def test_the_uuid_of_the_entry_names_a_message_whose_header_has_no_id(door):
    sent = fhir_message()
    del sent["entry"][0]["resource"]["id"]
    sent["entry"][0]["fullUrl"] = "urn:uuid:4a1f5c1e-6f4c-4a7e-9b55-0c1d2e3f4a5b"
    assert header_of(posted(door, sent))["response"]["identifier"] == "4a1f5c1e-6f4c-4a7e-9b55-0c1d2e3f4a5b"


def test_a_message_that_nothing_names_is_400(door):
    sent = fhir_message()
    del sent["entry"][0]["resource"]["id"]
    reply = posted(door, sent)
    assert (reply.status, reply.slug) == (400, "required-field-missing")


def test_a_bundle_without_message_header_is_400(door, spool):
    sent = fhir_message()
    del sent["entry"][0]
    reply = posted(door, sent)
    assert (reply.status, reply.slug) == (400, "message-header-missing")
    assert spool.after(0, 10) == []


@pytest.mark.parametrize(
    ("sent", "slug"),
    [
        ({"resourceType": "Bundle", "type": "transaction"}, "fhir-invalid"),
        ({"resourceType": "Observation"}, "fhir-invalid"),
        ([], "fhir-invalid"),
        ({"resourceType": "Bundle", "type": "message", "entry": "no"}, "message-header-missing"),
    ],
)
def test_what_is_no_message_is_400(door, sent, slug):
    reply = posted(door, sent)
    assert (reply.status, reply.slug) == (400, slug)


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_json_is_400(door, data):
    assert door.ask("POST", PROCESS, data, FHIR).status == 400


def test_a_message_with_invalid_content_is_answered_by_fatal_error(door, spool):
    sent = fhir_message()
    sent["entry"][1]["resource"]["status"] = "done"
    reply = posted(door, sent)
    assert (reply.status, header_of(reply)["response"]["code"]) == (422, "fatal-error")
    assert slug_of(reply.json["entry"][1]["resource"]) == "fhir-invalid"
    assert structure_faults(reply.json) == []
    assert spool.after(0, 10) == []


def test_a_message_with_an_invalid_header_is_400(door):
    reply = posted(door, fhir_message(source={}))
    assert (reply.status, reply.slug) == (400, "fhir-invalid")


def test_a_message_that_cannot_be_kept_is_answered_by_transient_error(door, spool):
    blocker = IntakeStore(spool.folder)
    blocker._database.execute("BEGIN IMMEDIATE")
    reply = posted(door, fhir_message())
    blocker._database.execute("ROLLBACK")
    blocker.close()
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert header_of(reply)["response"]["code"] == "transient-error"


def test_an_answer_at_a_later_time_is_not_offered(door):
    reply = door.ask("POST", PROCESS + "?async=true", orjson.dumps(fhir_message()), FHIR)
    assert (reply.status, reply.slug) == (400, "parameter-invalid")


def test_v2_is_not_taken_for_a_fhir_message(door):
    assert door.ask("POST", PROCESS, MESSAGE, ER7).status == 415
