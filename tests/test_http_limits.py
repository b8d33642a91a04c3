"""What the HTTP door does not put up with: too large, too slow, too many, too packed; and what it bears."""

import asyncio
import contextlib
import gzip
import re
import socket
import time
import zlib

import aiohttp
import orjson
import pytest
from helpers.http_door import ER7, MESSAGE, message, running, settings_for, slug_of
from helpers.memory import growth_below
from helpers.waiting import eventually

NDJSON = {"accept": "application/fhir+ndjson"}
HEAD = b"POST /convert HTTP/1.1\r\nHost: door\r\nContent-Type: text/plain\r\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"), request_size=2**21)) as door:
        yield door


@pytest.fixture(scope="module")
def hasty_door(tmp_path_factory):
    """A door with little patience and little room."""
    settings = settings_for(tmp_path_factory.mktemp("door"), request_seconds=1, concurrency=2, connections=8)
    with running(settings) as door:
        yield door


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def outcome_of(answer: bytes) -> str:
    return slug_of(orjson.loads(answer.partition(b"\r\n\r\n")[2]))


def open_connections(door) -> int:
    """What the door counts, the connection of the question included."""
    found = re.search(rb'b2m_adapter_connections\{door="http"\} (\d+)', door.ask("GET", "/metrics").data)
    return int(found[1])


def gzip_of_blanks(size: int) -> bytes:
    """The beginning of a gzip file of blanks, so many MiB of them, packed to a thousandth.

    A full flush makes a block that stands for itself, so that one of them can be repeated; the end with its checksum is missing,
    and whoever asks for it has unpacked everything.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    return head + (packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)) * size


# -- size --------------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(door):
    answer = door.raw(HEAD + b"Content-Length: 2147483648\r\nConnection: close\r\n\r\n")
    assert (status_of(answer), outcome_of(answer)) == (413, "oversize")


def test_a_body_that_turns_out_too_large_is_refused(door):
    async def blocks():
        for _ in range(40):
            yield b"x" * 65536

    reply = door.ask("POST", "/convert", blocks(), ER7)
    assert (reply.status, reply.slug) == (413, "oversize")


def test_a_gzip_bomb_is_refused_with_flat_memory(door):
    bomb = gzip_of_blanks(1024)
    assert len(bomb) < 2**20 * 11 // 10
    with growth_below(16):
        reply = door.ask("POST", "/convert", bomb, {**ER7, "content-encoding": "gzip"})
    assert (reply.status, reply.slug) == (413, "oversize")


def test_a_small_body_that_unpacks_beyond_the_ratio_is_refused(door):
    reply = door.ask("POST", "/convert", gzip_of_blanks(2), {**ER7, "content-encoding": "gzip"})
    assert (reply.status, reply.slug) == (413, "oversize")


def test_a_feed_that_packs_well_is_taken(door):
    feed = b"".join(message(f"M{number}") for number in range(2000))
    packed = gzip.compress(feed)
    reply = door.ask("POST", "/convert", packed, {**ER7, "content-encoding": "gzip"})
    assert (reply.status, len(reply.lines)) == (200, 2000)


def test_a_fault_of_the_body_after_the_first_lines_is_the_last_line(door):
    async def feed():
        for number in range(200):
            yield message(f"M{number}")
            await asyncio.sleep(0.001)
        for _ in range(33):
            yield b"MSH|" + b"x" * 65536

    reply = door.ask("POST", "/convert", feed(), ER7)
    assert reply.status == 200
    assert reply.lines[0]["resourceType"] == "Bundle"
    assert slug_of(reply.lines[-1]) == "oversize"


def test_headers_without_end_are_refused(door):
    answer = door.raw(HEAD + b"X: " + b"x" * 100_000)
    assert (status_of(answer), outcome_of(answer)) == (431, "headers-too-large")


def test_too_many_headers_are_refused(door):
    answer = door.raw(HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n")
    assert (status_of(answer), outcome_of(answer)) == (431, "headers-too-large")


def test_a_long_address_is_refused(door):
    answer = door.raw(b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: door\r\n\r\n")
    assert (status_of(answer), outcome_of(answer)) == (431, "headers-too-large")


def test_trailers_without_end_are_refused(door):
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nMSH\r\n0\r\n"
    answer = door.raw(chunked + b"".join(b"X-%d: y\r\n" % number for number in range(500)))
    assert not answer or status_of(answer) in (400, 431)


@pytest.mark.parametrize(
    "noise", [b"\x00\x01\x02\x03\r\n\r\n", b"MSH|^~\\&|LAB\r\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_no_http_is_400(door, noise):
    answer = door.raw(noise + b"\r\n\r\n")
    assert (status_of(answer), outcome_of(answer)) == (400, "request-malformed")


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_body_that_does_not_arrive_is_dropped(hasty_door):
    began = time.monotonic()
    answer = hasty_door.raw(HEAD + b"Content-Length: 1000\r\n\r\nMSH|")
    assert (status_of(answer), outcome_of(answer)) == (408, "request-too-slow")
    assert time.monotonic() - began < 5


def test_one_byte_after_the_other_does_not_hold_a_connection(hasty_door):
    with socket.create_connection(("127.0.0.1", hasty_door.port), timeout=10) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 8:
                connection.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_headers_that_do_not_arrive_are_dropped(hasty_door):
    answer = hasty_door.raw(HEAD)
    assert (status_of(answer), outcome_of(answer)) == (408, "request-too-slow")


def test_a_connection_on_which_nothing_is_asked_is_closed(hasty_door):
    assert hasty_door.raw(b"") == b""


def test_others_are_answered_while_a_slow_one_is_waited_for(hasty_door):
    with socket.create_connection(("127.0.0.1", hasty_door.port), timeout=10) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nMSH|")
        assert hasty_door.ask("POST", "/convert", MESSAGE, ER7).status == 200


def test_a_client_that_does_not_read_its_answer_is_dropped(hasty_door):
    feed = b"".join(message(f"M{number}") for number in range(4000))
    with socket.create_connection(("127.0.0.1", hasty_door.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(feed) + feed)
        # the other one is that of the question
        eventually(lambda: open_connections(hasty_door) > 1)
        eventually(lambda: open_connections(hasty_door) == 1)


def test_health_answers_while_a_large_message_is_converted(door):
    notes = b"".join(b"NTE|%d||%s\r" % (number, b"a remark that takes room " * 4) for number in range(12_000))

    async def ask() -> tuple[bool, list]:
        async with aiohttp.ClientSession() as session:
            large = asyncio.ensure_future(session.post(door.url + "/convert", data=MESSAGE + notes, headers=ER7))
            waits = []
            while not large.done():
                began = time.perf_counter()
                async with session.get(door.url + "/health") as health:
                    assert health.status == 200
                waits.append(time.perf_counter() - began)
            return (await large).status == 200, waits

    good, waits = asyncio.run(ask())
    assert good
    assert len(waits) > 2


# -- number ------------------------------------------------------------------------------------------------------------


def test_more_requests_at_once_than_allowed_are_503_with_retry_after(tmp_path):
    async def ask(url: str):
        async with aiohttp.ClientSession() as session:
            enough, begun = asyncio.Event(), asyncio.Semaphore(0)

            async def slow_body():
                yield MESSAGE[:20]
                begun.release()
                await enough.wait()
                yield MESSAGE[20:]

            under_way = [asyncio.ensure_future(session.post(url + "/convert", data=slow_body(), headers=ER7)) for _ in range(2)]
            for _ in under_way:
                await begun.acquire()
            # until the door has begun with both there is room for more
            one_too_many = 200
            while one_too_many == 200:
                async with session.post(url + "/convert", data=MESSAGE, headers=ER7) as last:
                    one_too_many = last.status
                    said = last.headers.get("retry-after"), await last.read()
            async with session.get(url + "/health") as health:
                alive = health.status
            enough.set()
            return one_too_many, said[0], slug_of(orjson.loads(said[1])), alive, [(await answer).status for answer in under_way]

    with running(settings_for(tmp_path, request_seconds=30, concurrency=2)) as door:
        assert asyncio.run(ask(door.url)) == (503, "5", "too-busy", 200, [200, 200])


def test_more_connections_than_allowed_are_closed_at_once(hasty_door):
    connections = [socket.create_connection(("127.0.0.1", hasty_door.port), timeout=5) for _ in range(8)]
    try:
        # the door takes them in their order
        one_more = socket.create_connection(("127.0.0.1", hasty_door.port), timeout=5)
        with one_more, contextlib.suppress(ConnectionError):
            assert one_more.recv(1) == b""
    finally:
        for connection in connections:
            connection.close()
    eventually(lambda: hasty_door.ask("GET", "/health").status == 200)


# -- streams -----------------------------------------------------------------------------------------------------------


def test_answers_come_while_the_body_is_still_going_out(door):
    """The first line is here before the last message was sent."""

    async def ask() -> tuple[int, int]:
        sent = 0

        async def feed():
            nonlocal sent
            for number in range(400):
                sent += 1
                yield message(f"M{number}")
                await asyncio.sleep(0.001)

        async with (
            aiohttp.ClientSession() as session,
            session.post(door.url + "/convert", data=feed(), headers={**ER7, **NDJSON}) as response,
        ):
            await response.content.readline()
            sent_at_first_line = sent
            count = 1
            while await response.content.readline():
                count += 1
        return sent_at_first_line, count

    sent, count = asyncio.run(ask())
    assert count == 400
    assert sent < 400


def test_a_client_that_reads_nothing_before_it_has_sent_everything_is_served(tmp_path):
    """The answer is ten times the body: buffers of both sides cannot hold it, and neither side may wait for the other."""
    feed = b"".join(message(f"M{number}") for number in range(3000))
    with running(settings_for(tmp_path)) as door, socket.create_connection(("127.0.0.1", door.port), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(feed))
        for start in range(0, len(feed), 65536):
            connection.sendall(feed[start : start + 65536])
        lines = 0
        while part := connection.recv(2**20):
            lines += part.count(b'{"resourceType":"Bundle"')
    assert lines >= 2990  # some stand across two parts
