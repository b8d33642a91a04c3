"""When the MLLP door acknowledges: at commit, after conversion, and in enhanced mode (MSH-15, MSH-16; HL7 v2.5.1 chapter 2.9)."""

import asyncio

import pytest
from helpers.waiting import until
from mllp_bench import Memory, a_client, a_door, code_and_id, fields_of, framed, oru

from adapter.issues import Issue

REJECTED = ("rejected", [Issue("bad-date", "PID[1]-7", "")])


def enhanced(control_id, accept, application, **fields):
    return oru(control_id, header=f"|||{accept}|{application}", **fields)


def test_after_conversion_the_answer_waits_for_it():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: put.arrivals)
            assert put.arrivals[0].answer
            await client.nothing()
            door.answer(1, "converted")
            assert code_and_id(await client.answer()) == ("AA", "1")

    asyncio.run(run())


def test_a_rejected_conversion_is_an_error_with_its_place():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: put.arrivals)
            door.answer(1, *REJECTED)
            answer = await client.answer()
            assert code_and_id(answer) == ("AE", "1")
            assert fields_of(answer, "ERR")[2] == "PID^1^7"

    asyncio.run(run())


def test_an_unselected_message_is_a_good_one():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: put.arrivals)
            door.answer(1, "unselected")
            assert code_and_id(await client.answer()) == ("AA", "1")

    asyncio.run(run())


def test_answers_keep_the_order_of_the_messages_although_conversions_do_not():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as client:
            await client.send(
                framed(oru("1")) + framed(oru("2")) + framed(oru("x", type="ADT^A01")) + framed(oru("3") + oru("4"))
            )
            await until(lambda: len(put.arrivals) == 4)
            for number in (4, 2, 3, 1):
                door.answer(number, "converted")
            assert code_and_id(await client.answer()) == ("AA", "1")
            assert code_and_id(await client.answer()) == ("AA", "2")
            assert code_and_id(await client.answer()) == ("AR", "x")
            both = await client.answer()
            assert both.index(b"MSA|AA|3") < both.index(b"MSA|AA|4")

    asyncio.run(run())


def test_a_conversion_that_is_late_is_an_error_and_its_answer_is_passed_over():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted", conversion_seconds=0.1) as door, a_client(door) as client:
            answer = await client.ask(oru("1"))
            assert code_and_id(answer) == ("AE", "1")
            assert fields_of(answer, "ERR")[5].startswith("conversion-late")
            door.answer(1, "converted")
            await client.nothing()

    asyncio.run(run())


def test_a_resend_waits_with_the_first_one():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as first, a_client(door) as second:
            await first.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 1)
            await second.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 2)
            door.answer(1, *REJECTED)
            assert code_and_id(await first.answer()) == ("AE", "1")
            assert code_and_id(await second.answer()) == ("AE", "1")

    asyncio.run(run())


def test_a_resend_that_comes_between_the_answer_and_its_record_is_told_the_same():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted", outcome_of=lambda number: None) as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 1)
            door.answer(1, *REJECTED)
            assert code_and_id(await client.answer()) == ("AE", "1")
            assert code_and_id(await client.ask(oru("1"))) == ("AE", "1")

    asyncio.run(run())


def test_a_resend_of_what_nobody_waited_for_is_told_what_was_recorded_meanwhile():
    """The engine tells of arrivals that wait only, and the first one did not (`acknowledge` was another then)."""

    async def run():
        found = {}
        put = Memory()
        put([oru_arrival("1")], "2026-01-01T00:00:00.000Z")
        settings = {"acknowledge": "converted", "conversion_seconds": 0.2, "outcome_of": found.get}
        async with a_door(put, **settings) as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 2)
            found[1] = ("converted", [])
            assert code_and_id(await client.answer()) == ("AA", "1")

    asyncio.run(run())


def test_a_resend_of_what_was_rejected_is_rejected_again():
    async def run():
        put = Memory()
        put([oru_arrival("1")], "2026-01-01T00:00:00.000Z")
        async with a_door(put, acknowledge="converted", outcome_of={1: REJECTED}.get) as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("1"))) == ("AE", "1")

    asyncio.run(run())


def oru_arrival(control_id):
    from adapter.service.spool.arrivals import Arrival

    return Arrival(oru(control_id), "er7", "mllp", "", "LAB|HOSP", control_id)


def test_a_peer_that_left_needs_no_answer():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door:
            async with a_client(door) as client:
                await client.send(framed(oru("1")))
                await until(lambda: put.arrivals)
            await until(lambda: all(one.ended for one in door._connections))
            door.answer(1, "converted")
            door.answer(99, "converted")
            await until(lambda: not door._connections)

    asyncio.run(run())


def test_enhanced_mode_accepts_at_commit_and_acknowledges_after_conversion():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            assert code_and_id(await client.ask(enhanced("1", "AL", "AL"))) == ("CA", "1")
            assert put.arrivals[0].answer
            await client.nothing()
            door.answer(1, "converted")
            answer = await client.answer()
            assert code_and_id(answer) == ("AA", "1")
            # nobody is to acknowledge the acknowledgement
            assert fields_of(answer, "MSH")[14:16] == ["NE", "NE"]

    asyncio.run(run())


def test_enhanced_mode_does_not_hold_back_acceptance_of_later_messages():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(framed(enhanced("1", "AL", "AL")) + framed(enhanced("2", "AL", "AL")))
            assert code_and_id(await client.answer()) == ("CA", "1")
            assert code_and_id(await client.answer()) == ("CA", "2")
            door.answer(2, *REJECTED)
            assert code_and_id(await client.answer()) == ("AE", "2")
            door.answer(1, "converted")
            assert code_and_id(await client.answer()) == ("AA", "1")

    asyncio.run(run())


GOOD, BAD = "converted", "rejected"


@pytest.mark.parametrize(
    ("accept", "application", "fate", "codes"),
    [
        ("AL", "NE", GOOD, ["CA"]),
        ("AL", "", BAD, ["CA"]),
        ("AL", "ER", GOOD, ["CA"]),
        ("AL", "ER", BAD, ["CA", "AE"]),
        ("AL", "SU", GOOD, ["CA", "AA"]),
        ("AL", "SU", BAD, ["CA"]),
        ("ER", "AL", GOOD, ["AA"]),
        ("SU", "NE", GOOD, ["CA"]),
        ("NE", "ER", BAD, ["AE"]),
        ("NE", "NE", GOOD, []),
        ("", "SU", GOOD, ["AA"]),
        ("al", "ne", GOOD, ["CA"]),
    ],
)
def test_conditions_of_table_0155_for_a_stored_message(accept, application, fate, codes):
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(framed(enhanced("1", accept, application)))
            await until(lambda: put.arrivals)
            door.answer(1, fate, [Issue("bad-date", "PID-7")])
            client.writer.write_eof()
            assert [line[4:6].decode() for line in (await client.at_end()).split(b"\r") if line.startswith(b"MSA")] == codes

    asyncio.run(run())


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("AL", "AL", ["CR"]),
        ("ER", "NE", ["CR"]),
        ("SU", "AL", ["AR"]),
        ("SU", "NE", []),
        ("NE", "AL", ["AR"]),
        ("NE", "ER", ["AR"]),
        ("NE", "NE", []),
        ("NE", "SU", []),
    ],
)
def test_conditions_of_table_0155_for_a_refused_message(accept, application, codes):
    async def run():
        async with a_door() as door, a_client(door) as client:
            await client.send(framed(enhanced("1", accept, application, type="ADT^A01")))
            client.writer.write_eof()
            assert [line[4:6].decode() for line in (await client.at_end()).split(b"\r") if line.startswith(b"MSA")] == codes

    asyncio.run(run())


def test_content_at_fault_is_an_accept_error():
    async def run():
        async with a_door() as door, a_client(door) as client:
            without_patient = enhanced("1", "AL", "NE").replace(b"PID|", b"ZID|")
            assert code_and_id(await client.ask(without_patient)) == ("CE", "1")

    asyncio.run(run())


@pytest.mark.parametrize(("accept", "application"), [("NE", "AL"), ("", "AL"), ("Y", "N")])
def test_modes_that_are_the_original_one(accept, application):
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            assert code_and_id(await client.ask(enhanced("1", accept, application))) == ("AA", "1")
            assert not put.arrivals[0].answer

    asyncio.run(run())


def test_a_full_spool_in_enhanced_mode_is_an_accept_reject():
    async def run():
        put = Memory()
        put.full = True
        async with a_door(put) as door, a_client(door) as client:
            assert code_and_id(await client.ask(enhanced("1", "AL", "AL"))) == ("CR", "1")

    asyncio.run(run())


def test_stopping_waits_for_conversions_that_are_under_way():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: put.arrivals)
            stopping = asyncio.create_task(door.stop(2))
            await asyncio.sleep(0.05)
            door.answer(1, "converted")
            assert code_and_id(await client.answer()) == ("AA", "1")
            await stopping

    asyncio.run(run())


def test_an_answer_that_cannot_be_written_ends_its_connection_only():
    async def run():
        put = Memory()
        async with a_door(put, acknowledge="converted") as door, a_client(door) as first, a_client(door) as second:
            await first.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 1)
            await second.send(framed(oru("2")))
            await until(lambda: len(put.arrivals) == 2)
            door.answer(1, "rejected", [Issue("no-slug-of-the-catalogue")])
            assert await first.at_end() == b""
            door.answer(2, "converted")
            assert code_and_id(await second.answer()) == ("AA", "2")

    asyncio.run(run())


def test_a_resend_whose_outcome_cannot_be_read_waits_for_it():
    async def run():
        def outcome_of(number):
            raise OSError

        put = Memory()
        put([oru_arrival("1")], "2026-01-01T00:00:00.000Z")
        async with a_door(put, acknowledge="converted", outcome_of=outcome_of) as door, a_client(door) as client:
            await client.send(framed(oru("1")))
            await until(lambda: len(put.arrivals) == 2)
            door.answer(1, "converted")
            assert code_and_id(await client.answer()) == ("AA", "1")

    asyncio.run(run())


def test_a_spool_that_answers_for_too_few_messages_ends_their_connections_only():
    async def run():
        lost = True

        def put(arrivals, moment):
            return [] if lost else memory(arrivals, moment)

        memory = Memory()
        async with a_door(put) as door:
            async with a_client(door) as client:
                await client.send(framed(oru("1")))
                assert await client.at_end() == b""
            lost = False
            async with a_client(door) as client:
                assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

    asyncio.run(run())
