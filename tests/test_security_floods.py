"""Floods at the MLLP door: what one peer, or many together, can make the service do is bounded."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from mllp_bench import Memory, a_client, a_door, code_and_id, framed, oru

from adapter.hl7v2.mllp import FrameReader
from adapter.service.mllp_connection import PER_TURN

TINY = b"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|%d|P|2.5.1\r\x1c\r"


def test_a_flood_of_noise_is_a_few_lines_of_log(monkeypatch):
    lines = []
    monkeypatch.setattr("adapter.service.mllp.log", lambda event, *_, **__: lines.append(event))

    async def run():
        async with a_door() as door, a_client(door) as client:
            for number in range(300):
                await client.send(b"noise %d\r" % number)
                await asyncio.sleep(0)
            assert code_and_id(await client.ask(oru("1"))) == ("AA", "1")

    asyncio.run(run())
    assert 1 <= lines.count("no-msh") <= 5


def test_many_small_messages_of_a_peer_are_cut_a_few_at_a_time():
    """Cutting all that a read brought, on many connections in one step, kept everybody waiting for a second."""
    flood = b"".join(TINY % number for number in range(4000))
    most = 0

    async def run():
        nonlocal most
        async with a_door() as door:
            loop = asyncio.get_running_loop()
            peers = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(5)]
            for _, writer in peers:
                writer.write(flood)
            end = loop.time() + 0.5
            while loop.time() < end:
                await asyncio.sleep(0)
                most = max([most, *(len(connection.frames) for connection in door._connections)])
            for _, writer in peers:
                writer.transport.abort()

    asyncio.run(run())
    assert 1 <= most <= PER_TURN


def test_a_connection_that_its_peer_has_reset_meanwhile_is_closed_all_the_same():
    class Reset:
        """A transport whose socket is not connected any longer."""

        def __init__(self, transport):
            self.transport = transport

        def __getattr__(self, name):
            return getattr(self.transport, name)

        def write_eof(self):
            raise OSError(107, "Transport endpoint is not connected")

    async def run():
        async with a_door() as door:
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            while not door._connections:
                await asyncio.sleep(0.01)
            (connection,) = door._connections
            connection.transport = Reset(connection.transport)
            connection.close()
            while door._connections:
                await asyncio.sleep(0.01)
            writer.close()

    asyncio.run(asyncio.wait_for(run(), 10))


def test_all_messages_of_one_read_are_answered_in_order():
    put = Memory()
    numbers = [str(number) for number in range(1000)]

    async def run():
        async with a_door(put) as door, a_client(door) as client:
            await client.send(b"".join(framed(oru(number)) for number in numbers))
            assert [code_and_id(await client.answer())[1] for _ in numbers] == numbers

    asyncio.run(run())
    assert [arrival.control_id for arrival in put.arrivals] == numbers


def test_all_messages_before_the_end_of_a_connection_are_answered():
    put = Memory()

    async def run():
        async with a_door(put) as door, a_client(door) as client:
            await client.send(b"".join(framed(oru(str(number))) for number in range(500)))
            client.writer.write_eof()
            for number in range(500):
                assert code_and_id(await client.answer()) == ("AA", str(number))

    asyncio.run(run())
    assert len(put.arrivals) == 500


PIECES = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", b"text", b"\x0bMSH|^~\\&|A\r\x1c\r", b"\x0bMSH|x", b"\n"])
)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.integers(1, 4), st.integers(0, 12))
def test_frames_are_the_same_however_many_are_asked_for_at_once(pieces, most, limit):
    data = b"".join(pieces)
    whole = FrameReader(limit + 4)
    wanted = whole.feed(data) + whole.finish()
    reader = FrameReader(limit + 4)
    frames = []
    for piece in pieces:
        found = reader.feed(piece, most)
        assert len(found) <= most
        frames += found
    while reader.more:
        frames += reader.feed(b"", most)
    assert frames + reader.finish() == wanted
    assert reader.noise == whole.noise
