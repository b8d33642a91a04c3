"""Laws of the HTTP door: how a body is cut on the line changes nothing; nor does what else is asked on the connection."""

import asyncio
import gzip
import socket
from itertools import pairwise

import pytest
from helpers.http_door import ER7, MESSAGE, message, running, settings_for
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.service.http.body import Body
from adapter.service.http.outcomes import Refusal

FEED = b"".join(message(f"M{number}") for number in range(3))
PACKED = gzip.compress(FEED[:700]) + gzip.compress(FEED[700:])
HEAD = b"POST /convert HTTP/1.1\r\nHost: door\r\nContent-Type: text/plain\r\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"))) as door:
        yield door


def read(parts: list[bytes], headers: dict[bytes, bytes], limit: int = 2**20) -> bytes:
    """Read a body that arrives in parts."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return messages.pop(0)

    return asyncio.run(Body(headers, receive, limit).whole())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_a_body_is_the_same_however_it_arrives(places):
    assert read(cut(FEED, places), {}) == FEED


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_a_packed_body_is_the_same_however_it_arrives(places):
    assert read(cut(PACKED, places), {b"content-encoding": b"gzip"}) == FEED


@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_damaged_gzip_is_refused_or_read_but_never_fails(noise, place):
    damaged = PACKED[:place] + noise + PACKED[place + len(noise) :]
    try:
        read([damaged], {b"content-encoding": b"gzip"})
    except Refusal as refusal:
        assert refusal.issue.slug in ("content-encoding", "oversize")


@given(st.integers(1, 2 * len(FEED)))
def test_no_body_passes_its_limit_packed_or_not(limit):
    for data, headers in ((FEED, {}), (gzip.compress(FEED), {b"content-encoding": b"gzip"})):
        if limit < len(FEED):
            with pytest.raises(Refusal):
                read([data], headers, limit)
        else:
            assert read([data], headers, limit) == FEED


@settings(max_examples=15)
@given(st.lists(st.integers(0, 10_000), max_size=5))
def test_an_answer_is_the_same_however_the_request_is_cut(door, places):
    whole = door.ask("POST", "/convert", FEED, ER7).data

    async def parts():
        for part in cut(FEED, places):
            if part:
                yield part
                await asyncio.sleep(0)

    assert door.ask("POST", "/convert", parts(), ER7).data == whole


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_noise_on_a_connection_never_closes_the_door(door, noise):
    with socket.create_connection(("127.0.0.1", door.port), timeout=5) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert door.ask("GET", "/health").status == 200


def test_requests_in_a_row_are_answered_in_their_order(door):
    """Pipelining (RFC 9112, section 9.3.2): the second request is sent before the first is answered."""
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(MESSAGE) + MESSAGE
    last = b"GET /health HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n"
    answer = door.raw(one + one.replace(b"|M1|", b"|M2|") + last)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.index(b'"value":"M1"') < answer.index(b'"value":"M2"') < answer.index(b'{"status":"ok"}')


def test_a_connection_is_used_again_after_a_refusal_whose_body_was_not_wanted(door):
    refused = b"POST /nothing HTTP/1.1\r\nHost: door\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    last = b"GET /health HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n"
    answer = door.raw(refused + last)
    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.endswith(b'{"status":"ok"}')


def test_an_old_client_is_served(door):
    answer = door.raw(
        b"POST /convert HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(MESSAGE) + MESSAGE
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_asks_first_is_told_to_go_on(door):
    with socket.create_connection(("127.0.0.1", door.port), timeout=5) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(MESSAGE))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(MESSAGE)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_goes_away_leaves_nothing_behind(door):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", door.port), timeout=5) as connection:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(FEED) + FEED[:400])
    assert door.ask("POST", "/convert", MESSAGE, ER7).status == 200
