"""Delivery to a FHIR server: what each answer means, shared resources first, the same bytes on a repetition."""

import asyncio
from random import Random

import orjson
import pytest
from aiohttp import web
from helpers.engines import engine_of, settings_of, until
from helpers.fhir_servers import fhir, outcome, serving, taken

from adapter.clients.fhir_server import FhirServer
from adapter.service.delivery.fhir_server import CONFLICT_LIMIT, GARBAGE_LIMIT, FhirServerDelivery
from adapter.service.delivery.parcel import Again, Dead, Delivered, Parcel

LINE = b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}},{"resource":{}}]}'
SHARED = (
    b'{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Organization",'
    b'"name":"TEST"},"request":{"method":"POST","url":"Organization","ifNoneExist":"identifier=urn:test|1"}},'
    b'{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","valueQuantity":{"value":4.20}},'
    b'"request":{"method":"PUT","url":"Observation?identifier=urn:test|2"}}]}'
)


def parcel(line=LINE, number=1, shared=(), transaction=True):
    return Parcel(number, bytes(32), "p", line, transaction, shared)


def deliver(answering, *parcels, timeout=5):
    async def run():
        async with serving(answering) as url:
            destination = FhirServerDelivery("server", FhirServer(url, timeout_seconds=timeout), 4)
            try:
                return await destination.deliver(parcels or (parcel(),))
            finally:
                await destination.close()

    return asyncio.run(run())


def answered(response):
    async def answering(request, body):
        return response() if callable(response) else response

    return deliver(answering)[0]


def test_a_transaction_response_for_each_entry_is_a_delivery():
    async def answering(request, body):
        return taken(body)

    assert deliver(answering) == [Delivered()]


@pytest.mark.parametrize(
    "content",
    [
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "201"}}]},
        {"resourceType": "Bundle", "type": "transaction-response"},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "200"}}, {}]},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "400"}}] * 2},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": 201}}] * 2},
        {"resourceType": "Bundle", "type": "searchset", "entry": [{}, {}]},
        {"resourceType": "OperationOutcome"},
        [],
        None,
    ],
)
def test_200_that_does_not_confirm_every_entry_is_no_delivery(content):
    result = answered(lambda: fhir(200, content))
    assert isinstance(result, Again)
    assert result.limit == GARBAGE_LIMIT


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"\xff\xfe", b'{"resourceType":"Bundle"'])
def test_200_with_garbage_is_no_delivery(body):
    assert isinstance(answered(lambda: web.Response(body=body)), Again)


@pytest.mark.parametrize("status", [400, 404, 405, 410, 412, 413, 415, 422])
def test_a_refused_message_is_dead_with_the_codes_of_the_outcome_and_no_patient_data(status):
    result = answered(lambda: outcome(status, "invalid", "Bundle.entry[1].resource", "TEST PATIENT, born 1946"))
    assert result == Dead(f"{status}: invalid at Bundle.entry[1].resource")


@pytest.mark.parametrize("status", [400, 412, 413, 422])
def test_a_refusal_without_an_outcome_is_a_refusal(status):
    assert answered(lambda: web.Response(status=status, text="TEST PATIENT")) == Dead(str(status))


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 301, 307, 308])
def test_what_is_wrong_with_the_destination_kills_no_message(status):
    result = answered(lambda: web.Response(status=status))
    assert isinstance(result, Again)
    assert (result.destination, result.message, result.limit) == (True, False, 0)


def test_a_conflict_is_tried_again_a_few_times_and_is_no_fault_of_the_destination():
    result = answered(lambda: outcome(409, "conflict"))
    assert result == Again("409: conflict", limit=CONFLICT_LIMIT, destination=False)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_cannot_just_now_is_tried_again_not_before_it_says(status):
    result = answered(lambda: web.Response(status=status, headers={"Retry-After": "17"}))
    assert result == Again(str(status), after=17, message=status not in (429, 503))


def test_a_server_that_hangs_is_tried_again():
    async def answering(request, body):
        await asyncio.sleep(30)

    assert deliver(answering, timeout=0.2) == [Again("no answer within 0.2 s", after=0.2)], (
        "and not while the server may be at it still"
    )


def test_a_server_that_dies_in_the_middle_of_its_answer_is_tried_again():
    async def answering(request, body):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"resourceType":"Bundle"')
        request.transport.abort()
        return response

    assert deliver(answering) == [Again("the connection broke")]


def test_what_is_no_transaction_is_not_sent():
    async def answering(request, body):
        raise AssertionError

    assert isinstance(deliver(answering, parcel(b'{"resourceType":"Bundle","type":"document"}', transaction=False))[0], Dead)


# -- shared resources --------------------------------------------------------------------------------------------------


def test_shared_resources_are_created_first_alone_and_once():
    bodies = []

    async def answering(request, body):
        bodies.append(body)
        return taken(body)

    one, two = (parcel(SHARED, number, ("Organization?identifier=urn:test|1",)) for number in (1, 2))
    assert deliver(answering, one, two) == [Delivered(), Delivered()]
    assert [len(orjson.loads(body)["entry"]) for body in bodies] == [1, 2, 2]
    assert bodies[1] == bodies[2] == SHARED


def test_shared_resources_that_cannot_be_created_hold_the_message_back_and_are_tried_again():
    bodies = []

    async def answering(request, body):
        bodies.append(body)
        return web.Response(status=503) if len(bodies) == 1 else taken(body)

    one = parcel(SHARED, 1, ("Organization?identifier=urn:test|1",))
    assert deliver(answering, one, one) == [Again("503", message=False), Delivered()]
    assert [len(orjson.loads(body)["entry"]) for body in bodies] == [1, 1, 2]


# -- with the engine ---------------------------------------------------------------------------------------------------


def oru(number: int, patient: int) -> bytes:
    return (
        f"MSH|^~\\&|LAB|FAC|||20260101120000+0000||ORU^R01|C{number}|P|2.5.1\r"
        f"PID|1||{patient}^^^A&1.2.3&ISO||TEST^PATIENT\rOBR|1||F{number}^LAB|1952-1^B2M^LN|||20260101\r"
        f"OBX|1|NM|1952-1^B2M^LN||2.{number:02d}|mg/L^^UCUM|||||F|||||ORG^Test Laboratory^99LAB\r"
    ).encode()


def server_settings(folder, url, **options):
    quick = {"retry_seconds": 0.01, "retry_limit_seconds": 0.05, "timeout_seconds": 0.3, **options}
    return settings_of(folder, delivery=[{"kind": "fhir-server", "name": "server", "url": url, **quick}])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_message_arrives_once_in_the_order_of_its_patient_through_latencies_and_faults(tmp_path, seed):
    """Faults before and after the server took the transaction; a repetition is the same, byte for byte."""
    random = Random(seed)
    taken_up: list[bytes] = []
    attempts: dict[str, set[bytes]] = {}
    alone: list[int] = []

    async def answering(request, body):
        entries = orjson.loads(body)["entry"]
        if not any(entry["resource"]["resourceType"] == "Observation" for entry in entries):
            alone.append(1)
            assert len(alone) == 1, "shared resources are created one at a time"
            await asyncio.sleep(0.001)
            alone.pop()
            return taken(body)
        await asyncio.sleep(random.choice((0, 0, 0.003)))
        name = next(entry["request"]["url"] for entry in entries if entry["resource"]["resourceType"] == "Provenance")
        attempts.setdefault(name, set()).add(body)
        fate = random.random()
        if fate < 0.05:
            return web.Response(status=random.choice((429, 500, 503)))
        if fate < 0.08:
            request.transport.abort()
        taken_up.append(body)
        if fate < 0.11:
            request.transport.abort()
        return taken(body) if fate < 0.97 else web.Response(status=502)

    async def scene():
        async with serving(answering) as url, engine_of(tmp_path, server_settings(tmp_path, url)) as running:
            messages = [oru(number, number % 7) for number in range(1, 61)]
            running.put(*messages, patient=lambda data: data.split(b"PID|1||")[1][:1].decode())
            await running.recorded(60)
            await until(lambda: all(running.state(number, "server") == "delivered" for number in range(1, 61)))

    asyncio.run(scene())
    assert len(attempts) == 60
    assert all(len(bodies) == 1 for bodies in attempts.values()), "a repetition is the same transaction"
    values: dict[str, list[float]] = {}
    for body in dict.fromkeys(taken_up):
        entries = orjson.loads(body)["entry"]
        patient = next(entry["request"]["ifNoneExist"] for entry in entries if entry["resource"]["resourceType"] == "Patient")
        result = next(entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Observation")
        values.setdefault(patient, []).append(result["valueQuantity"]["value"])
    assert sum(map(len, values.values())) == 60
    assert all(one == sorted(one) for one in values.values())


def test_while_a_server_is_down_messages_wait_and_none_is_dead(tmp_path):
    up = False

    async def answering(request, body):
        return taken(body) if up else web.Response(status=401)

    async def scene():
        nonlocal up
        async with serving(answering) as url, engine_of(tmp_path, server_settings(tmp_path, url)) as running:
            numbers = running.put(*(oru(number, number) for number in range(1, 20)), patient=lambda data: data[-40:].hex())
            await running.recorded(numbers[-1])
            assert {running.state(number, "server") for number in numbers} == {"waiting"}
            up = True
            await until(lambda: {running.state(number, "server") for number in numbers} == {"delivered"})

    asyncio.run(scene())


def test_a_message_that_the_server_refuses_is_dead_with_the_reason(tmp_path):
    async def answering(request, body):
        return outcome(422, "business-rule") if b"Observation" in body else taken(body)

    async def scene():
        async with serving(answering) as url, engine_of(tmp_path, server_settings(tmp_path, url)) as running:
            running.put(oru(1, 1))
            await running.recorded(1)
            delivery = running.work.finished(1).deliveries[0]
            assert (delivery.state, delivery.reason) == ("dead", "422: business-rule")

    asyncio.run(scene())
