"""The MLLP door: what is answered to what, in which order, and what stands in the spool then."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mllp_bench import Memory, a_client, a_door, code_and_id, fields_of, framed, oru

from adapter.service import metrics
from adapter.service.spool.files import SpoolFull
from adapter.service.spool.intake import IntakeStore


def test_a_message_is_stored_as_it_came_and_acknowledged():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("A1"))) == ("AA", "A1")
        (arrival,) = put.arrivals
        assert arrival.data == oru("A1")
        assert (arrival.format, arrival.door, arrival.sender, arrival.control_id) == ("er7", "mllp", "LAB|HOSP", "A1")
        assert arrival.peer.startswith("127.0.0.1:")
        assert not arrival.answer

    asyncio.run(run())


def test_sender_and_receiver_change_places_in_the_acknowledgement():
    async def run():
        async with a_door() as door, a_client(door) as client:
            header = fields_of(await client.ask(oru("A1")), "MSH")
            assert header[2:6] == ["EHR", "CLINIC", "LAB", "HOSP"]

    asyncio.run(run())


def test_many_messages_in_one_read_are_answered_in_order_and_stored_in_one_transaction():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(b"".join(framed(oru(str(number))) for number in range(50)))
            assert [code_and_id(await client.answer())[1] for _ in range(50)] == [str(number) for number in range(50)]
        assert len(put.groups) < 5

    asyncio.run(run())


def test_refused_and_accepted_messages_are_answered_in_their_order():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(framed(oru("1")) + framed(oru("2", type="ADT^A01")) + framed(oru("3")) + framed(b"nonsense"))
            assert [code_and_id(await client.answer()) for _ in range(4)] == [("AA", "1"), ("AR", "2"), ("AA", "3"), ("AR", "")]
        assert [arrival.control_id for arrival in put.arrivals] == ["1", "3"]

    asyncio.run(run())


def test_the_messages_of_several_connections_share_a_transaction():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as first, a_client(door) as second:
            first.writer.write(framed(oru("1")))
            second.writer.write(framed(oru("2")))
            assert code_and_id(await first.answer()) == ("AA", "1")
            assert code_and_id(await second.answer()) == ("AA", "2")

    asyncio.run(run())


def test_a_refusal_says_where_and_why():
    async def run():
        async with a_door() as door, a_client(door) as client:
            answer = await client.ask(oru("9", processing="T"))
            assert code_and_id(answer) == ("AR", "9")
            error = fields_of(answer, "ERR")
            assert error[2] == "MSH^1^11"
            assert error[3] == "202^Unsupported processing id^HL70357"
            assert error[4] == "E"
            # the connection lives on
            assert code_and_id(await client.ask(oru("10"))) == ("AA", "10")

    asyncio.run(run())


def test_the_row_of_a_sender_is_stronger_than_the_processing_ids_of_the_settings():
    async def run():
        rows = {("LAB", "HOSP"): frozenset({"T"})}
        async with a_door(sender_ids=lambda *sender: rows.get(sender, ())) as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("1", processing="T"))) == ("AA", "1")
            assert code_and_id(await client.ask(oru("2", processing="P"))) == ("AR", "2")

    asyncio.run(run())


def test_other_tables_count_from_the_next_message_of_a_known_sender_on():
    async def run():
        async with a_door() as door, a_client(door) as client:
            for number in ("1", "2"):
                assert code_and_id(await client.ask(oru(number, processing="P"))) == ("AA", number)
            door.use(lambda application, facility: frozenset({"T"}))
            assert code_and_id(await client.ask(oru("3", processing="P"))) == ("AR", "3")

    asyncio.run(run())


def test_a_known_sender_is_told_that_the_spool_takes_nothing():
    async def run():
        stored = Memory()

        def put(arrivals, time):
            if stored.arrivals:
                raise SpoolFull("no space")
            return stored(arrivals, time)

        async with a_door(put) as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")
            answer = await client.ask(oru("2"))
            assert code_and_id(answer) == ("AR", "2")
            assert b"not-stored" in answer

    asyncio.run(run())


def test_other_types_are_stored_where_the_policy_says_so():
    async def run():
        put = Memory()
        async with a_door(put, unsupported="accept") as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("1", type="ADT^A01"))) == ("AA", "1")
        assert len(put.arrivals) == 1

    asyncio.run(run())


def test_an_acknowledgement_is_not_answered():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(framed(oru("1", type="ACK^R01^ACK")))
            assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")
        assert [arrival.control_id for arrival in put.arrivals] == ["2"]

    asyncio.run(run())


def test_segments_may_end_with_line_feeds():
    async def run():
        async with a_door() as door, a_client(door) as client:
            assert code_and_id(await client.ask(oru("1").replace(b"\r", b"\n"))) == ("AA", "1")
            assert code_and_id(await client.ask(oru("2").replace(b"\r", b"\r\n"))) == ("AA", "2")

    asyncio.run(run())


def test_a_sender_without_line_end_behind_the_end_block_is_answered_after_a_moment():
    async def run():
        async with a_door() as door, a_client(door) as client:
            await client.send(b"\x0b" + oru("1") + b"\x1c")
            assert code_and_id(await client.answer()) == ("AA", "1")
            await client.send(b"\r")
            assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")

    asyncio.run(run())


def test_a_missing_end_block_is_noticed_at_the_next_message():
    async def run():
        async with a_door() as door, a_client(door) as client:
            await client.send(b"\x0b" + oru("1") + framed(oru("2")))
            assert code_and_id(await client.answer()) == ("AA", "1")
            assert code_and_id(await client.answer()) == ("AA", "2")

    asyncio.run(run())


def test_a_message_cut_within_a_segment_is_refused_with_its_control_id():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(b"\x0b" + oru("1")[:-10] + framed(oru("2")))
            answer = await client.answer()
            assert code_and_id(answer) == ("AR", "1")
            assert fields_of(answer, "ERR")[5].startswith("truncated")
            assert code_and_id(await client.answer()) == ("AA", "2")
        assert [arrival.control_id for arrival in put.arrivals] == ["2"]

    asyncio.run(run())


def test_a_frame_that_is_open_when_the_peer_ends_is_not_taken():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(framed(oru("1")) + b"\x0b" + oru("2"))
            client.writer.write_eof()
            assert code_and_id(await client.answer()) == ("AA", "1")
            assert code_and_id(await client.answer()) == ("AR", "2")
            assert await client.at_end() == b""
        assert [arrival.control_id for arrival in put.arrivals] == ["1"]

    asyncio.run(run())


def test_a_message_without_frame_is_skipped():
    """Nobody can tell where it ends; the sender is set to another protocol and sees no answer."""

    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            await client.send(oru("1"))
            await client.nothing()
            assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")
        assert [arrival.control_id for arrival in put.arrivals] == ["2"]

    asyncio.run(run())


def test_several_messages_in_a_frame_get_one_frame_of_acknowledgements():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            answer = await client.ask(oru("1") + oru("2", type="ADT^A01") + oru("3"))
            assert [line for line in answer.split(b"\r") if line.startswith(b"MSA")] == [b"MSA|AA|1", b"MSA|AR|2", b"MSA|AA|3"]
        assert [arrival.data for arrival in put.arrivals] == [oru("1"), oru("3")]

    asyncio.run(run())


def test_a_batch_is_answered_by_a_batch():
    async def run():
        async with a_door() as door, a_client(door) as client:
            batch = b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + oru("1") + oru("2") + b"BTS|2\rFTS|1\r"
            await client.send(framed(oru("0")) + framed(batch) + framed(oru("3")))
            assert code_and_id(await client.answer()) == ("AA", "0")
            lines = (await client.answer()).split(b"\r")
            assert lines[0] == b"BHS|^~\\&"
            assert [line for line in lines if line.startswith(b"MSA")] == [b"MSA|AA|1", b"MSA|AA|2"]
            assert lines[-2] == b"BTS|2"
            assert code_and_id(await client.answer()) == ("AA", "3")

    asyncio.run(run())


def test_a_batch_without_messages_is_refused():
    async def run():
        async with a_door() as door, a_client(door) as client:
            assert code_and_id(await client.ask(b"FHS|^~\\&|LAB\rFTS|0\r"))[0] == "AE"

    asyncio.run(run())


def test_a_resend_and_a_reused_control_id_are_acknowledged(tmp_path):
    async def run():
        store = IntakeStore(tmp_path / "spool")
        async with a_door(store.put) as door, a_client(door) as client:
            for message in (oru("1"), oru("1"), oru("1", patient="67890")):
                assert code_and_id(await client.ask(message)) == ("AA", "1")
        assert [stored.data for stored in store.after(0, 10)] == [oru("1"), oru("1", patient="67890")]
        store.close()

    asyncio.run(run())


def test_a_full_spool_refuses_and_takes_again_when_there_is_space():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            put.full = True
            answer = await client.ask(oru("1"))
            assert code_and_id(answer) == ("AR", "1")
            assert fields_of(answer, "ERR")[3].startswith("207^")
            put.full = False
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")
        assert len(put.arrivals) == 1

    asyncio.run(run())


def test_any_fault_of_the_spool_refuses_and_the_door_lives_on():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            put.failure = RuntimeError("TEST^PATIENT")
            answer = await client.ask(oru("1"))
            assert code_and_id(answer) == ("AR", "1")
            assert b"PATIENT" not in answer
            put.failure = None
            assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")

    asyncio.run(run())


def test_stopping_answers_what_was_received_and_refuses_new_connections():
    async def run():
        put = Memory()
        async with a_door(put) as door:
            port = door.port
            async with a_client(door) as client:
                client.writer.write(b"".join(framed(oru(str(number))) for number in range(500)))
                first = await client.answer()
                await door.stop(2)
                rest = await client.at_end()
            assert len(put.arrivals) == 1 + rest.count(b"MSA|AA|")
            assert code_and_id(first) == ("AA", "0")
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


def answers_of(chunks):
    """MSA of all answers to a stream; the peer half-closes behind it."""

    async def run():
        async with a_door(message_size=1024) as door, a_client(door) as client:
            for chunk in chunks:
                client.writer.write(chunk)
                await asyncio.sleep(0)
            client.writer.write_eof()
            answers = await client.at_end()
        return [line for line in answers.split(b"\r") if line.startswith((b"MSA", b"ERR", b"BHS", b"BTS"))]

    return asyncio.run(run())


PIECES = [
    framed(oru("1")),
    framed(oru("2", type="ADT^A01")),
    framed(oru("3", processing="T")),
    framed(oru("4") + oru("5")),
    framed(b"BHS|^~\\&\r" + oru("6") + b"BTS|1\r"),
    b"\x0b" + oru("7"),
    b"\x0b" + oru("8")[:-9],
    framed(b""),
    framed(oru("9") + b"NTE|" + b"x" * 1024),
    b"noise",
    b"\x0b\x0b\x1c",
    framed(b"\xff\xfe\0"),
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=6), st.data())
def test_the_same_bytes_get_the_same_answers_in_any_chunks(pieces, data):
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    bounds = [0, *cuts, len(stream)]
    chunks = [stream[first:last] for first, last in pairwise(bounds)]
    assert answers_of(chunks) == answers_of([stream])


def test_what_happens_is_counted(monkeypatch):
    counted = {}

    def count(name):
        def counter(*labels):
            labels, number = (labels[:-1], labels[-1]) if isinstance(labels[-1], int) else (labels, 1)
            counted[name, *labels] = counted.get((name, *labels), 0) + number

        return counter

    for name in ("received", "answered", "refused", "connection"):
        monkeypatch.setattr(metrics, name, count(name))

    async def run():
        async with a_door() as door, a_client(door) as client:
            for message in (oru("1"), oru("1"), oru("1", patient="2"), oru("2", type="ADT^A01"), oru("3", type="ACK")):
                await client.send(framed(message))
            for _ in range(4):
                await client.answer()
            await client.send(b"noise" + framed(oru("4")))
            await client.answer()

    asyncio.run(run())
    assert counted == {
        ("received", "mllp", "new"): 2,
        ("received", "mllp", "resend"): 1,
        ("received", "mllp", "reused-id"): 1,
        ("received", "mllp", "acknowledgement"): 1,
        ("answered", "mllp", "AA"): 4,
        ("answered", "mllp", "AR"): 1,
        ("refused", "mllp", "type-unsupported"): 1,
        ("refused", "mllp", "no-msh"): 1,
        ("connection", "mllp"): 0,
    }
