"""What keeps one MLLP peer from harming others: limits on connections, size, time and unread answers, and fairness."""

import asyncio
import socket
import time

from helpers.memory import growth_below
from helpers.waiting import SECONDS, until
from mllp_bench import Memory, a_client, a_door, code_and_id, fields_of, framed, oru, plain_socket

from adapter.service import mllp
from adapter.service.mllp_connection import PER_TURN


def test_a_connection_too_many_is_closed_at_once_and_the_others_live_on():
    async def run():
        async with a_door(connections=2) as door, a_client(door) as first, a_client(door) as second:
            await first.ask(oru("1"))
            await second.ask(oru("2"))
            async with a_client(door) as third:
                assert await third.at_end() == b""
            assert code_and_id(await first.ask(oru("3"))) == ("AA", "3")
            second.writer.close()
            await until(lambda: len(door._connections) == 1)
            async with a_client(door) as fourth:
                assert code_and_id(await fourth.ask(oru("4"))) == ("AA", "4")

    asyncio.run(run())


def test_an_oversize_message_is_refused_before_its_end_and_the_next_one_is_taken():
    async def run():
        put = Memory()
        async with a_door(put, message_size=2048) as door, a_client(door) as client:
            await client.send(b"\x0b" + oru("1") + b"NTE|1||" + b"x" * 4000)
            answer = await client.answer()
            assert code_and_id(answer) == ("AR", "1")
            assert fields_of(answer, "ERR")[3].startswith("207^")
            await client.send(b"y" * 100_000 + b"\x1c\r" + framed(oru("2")))
            assert code_and_id(await client.answer()) == ("AA", "2")
        assert [arrival.control_id for arrival in put.arrivals] == ["2"]

    asyncio.run(run())


def test_a_frame_without_end_costs_no_memory():
    async def run():
        async with a_door(message_size=1024) as door, a_client(door) as client:
            await client.send(b"\x0b" + oru("1") + b"x" * 1024)
            await client.answer()
            with growth_below(50):
                for _ in range(200):
                    await client.send(b"x" * 2**20)
                await client.send(b"\x1c\r")
                assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")

    asyncio.run(run())


def test_a_flood_of_empty_frames_is_no_work():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            begin = time.process_time()
            await client.send(b"\x0b\x1c\r" * 1_000_000)
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")
            assert time.process_time() - begin < 1
        assert len(put.arrivals) == 1

    asyncio.run(run())


def test_a_frame_that_takes_too_long_is_refused_and_its_connection_closed():
    async def run():
        async with a_door(frame_seconds=0.5) as door, a_client(door) as slow, a_client(door) as other:
            await slow.send(b"\x0b" + oru("1")[:80])
            for _ in range(4):
                await asyncio.sleep(0.04)
                await slow.send(b"x")
            answer = await slow.answer()
            assert code_and_id(answer) == ("AR", "1")
            assert fields_of(answer, "ERR")[5].startswith("frame-late")
            assert await slow.at_end() == b""
            assert code_and_id(await other.ask(oru("2"))) == ("AA", "2")

    asyncio.run(run())


def test_messages_one_after_the_other_are_not_one_slow_frame():
    async def run():
        async with a_door(frame_seconds=0.5) as door, a_client(door) as client:
            began = time.monotonic()
            while time.monotonic() - began < 0.6:
                await client.send(framed(oru()) + b"\x0b")
                assert code_and_id(await client.answer())[0] == "AA"
                await asyncio.sleep(0.04)

    asyncio.run(run())


def test_an_idle_connection_is_closed():
    async def run():
        async with a_door(idle_seconds=0.3) as door, a_client(door) as client:
            await client.ask(oru("1"))
            assert await client.at_end() == b""

    asyncio.run(run())


def test_a_peer_that_does_not_read_is_dropped_and_the_others_live_on():
    async def run():
        async with a_door(write_seconds=0.2) as door, a_client(door) as other:
            with plain_socket(door) as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.setblocking(False)
                burst = framed(oru("1", processing="T")) * 200
                end = time.monotonic() + SECONDS
                dropped = False
                while not dropped and time.monotonic() < end:
                    try:
                        deaf.send(burst)
                    except BlockingIOError:
                        pass
                    except OSError:
                        dropped = True
                    await asyncio.sleep(0.005)
            assert dropped
            assert code_and_id(await other.ask(oru("2"))) == ("AA", "2")

    asyncio.run(run())


def test_a_busy_connection_does_not_make_others_wait():
    async def run():
        order = []
        memory = Memory()

        def put(arrivals, moment):
            order.extend(arrival.control_id for arrival in arrivals)
            return memory(arrivals, moment)

        async with a_door(put) as door, a_client(door) as busy, a_client(door) as other:
            await busy.send(framed(oru("0")))
            await busy.answer()
            busy.writer.write(b"".join(framed(oru(f"b{number}")) for number in range(1000)))
            other.writer.write(framed(oru("other")))
            assert code_and_id(await other.answer()) == ("AA", "other")
            assert order.index("other") <= 2 * PER_TURN + 1
            assert [code_and_id(await busy.answer())[1] for _ in range(1000)] == [f"b{number}" for number in range(1000)]

    asyncio.run(run())


def test_open_frames_of_all_connections_together_are_bounded(monkeypatch):
    async def run():
        monkeypatch.setattr(mllp, "HELD_LIMIT", 100_000)
        async with a_door() as door, a_client(door) as first, a_client(door) as second:
            await first.send(b"\x0b" + oru("1") + b"x" * 60_000)
            await until(lambda: sum(one.held for one in door._connections) > 60_000)
            await second.send(b"\x0b" + oru("2") + b"x" * 60_000)
            answer = await second.answer()
            assert code_and_id(answer) == ("AR", "2")
            assert await second.at_end() == b""
            await first.send(b"\r\x1c\r")
            assert code_and_id(await first.answer()) == ("AA", "1")

    asyncio.run(run())


def test_noise_of_any_kind_leaves_the_door_alive():
    async def run():
        async with a_door() as door:
            for noise in (
                b"GET / HTTP/1.1\r\n\r\n",
                bytes(range(256)) * 40,
                b"\x16\x03\x01\x02\x00\x01",
                b"\x0b" * 5000,
                b"\x1c\r" * 5000,
            ):
                async with a_client(door) as client:
                    await client.send(noise)
            async with a_client(door) as client:
                assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

    asyncio.run(run())


def test_a_batch_of_too_many_messages_is_refused_whole():
    async def run():
        put = Memory()
        async with a_door(put) as door, a_client(door) as client:
            begin = time.process_time()
            batch = b"BHS|^~\\&\r" + b"MSH|^~\\&|\r" * 1_000_000
            answer = await client.ask(batch)
            assert time.process_time() - begin < 2
            assert fields_of(answer, "MSA")[1] == "AR"
            assert code_and_id(await client.ask(oru("2"))) == ("AA", "2")
        assert len(put.arrivals) == 1

    asyncio.run(run())


def test_blocks_in_text_are_no_work():
    """Each of them might begin or end a frame."""

    async def run():
        async with a_door() as door, a_client(door) as client:
            begin = time.process_time()
            await client.send(b"\x0b" + oru("1") + b"NTE|" + b"\x0b" * 2_000_000 + b"\x1c." * 1_000_000 + b"\r\x1c\r")
            assert code_and_id(await client.answer())[1] == "1"
            assert time.process_time() - begin < 1

    asyncio.run(run())
