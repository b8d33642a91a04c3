"""The HTTP door under bytes that nobody should send: fixed seed, bounded time; after each round the service must be as before.

    fuzz_http.py [--seconds 40] [--seed 1]

Rounds: bytes that are no HTTP, mutated requests, wrong lengths, abused chunks, gzip bombs, slow heads and bodies, pipelines,
connections that are torn away, more requests at once than there is room for. What is checked after each, `/health` besides, and
at the end: `fuzzing.py`.
"""

from __future__ import annotations

import contextlib
import gzip
import random
import re
import socket
import sys
import time
import zlib

from fuzzing import Attack, Fuzzer, promptly, read, reset_at_close, run
from running import ROOT, result

SETTINGS = "request_size = 4194304\nrequest_seconds = 3\nconcurrency = 32\nconnections = 64"
ER7 = b"content-type: x-application/hl7-v2+er7\r\n"
PATHS = (b"/convert", b"/convert", b"/fhir/ConceptMap/$translate?code=mg/l")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
FHIR = sorted((ROOT / "fixtures" / "fhir").glob("*.json"))


def ask(attack: Attack, *blocks: bytes, seconds: float = 5, end: bool = False, answers: int = 0) -> bytes:
    """Send bytes over a connection of their own; give what comes back until it is closed, or so many answers have come."""
    with attack.connect() as connection:
        with contextlib.suppress(OSError):
            for block in blocks:
                connection.sendall(block)
            if end:
                connection.shutdown(socket.SHUT_WR)
        return read(connection, seconds, until=lambda got: bool(answers) and whole_answers(got) >= answers)


def whole_answers(got: bytes) -> int:
    """Count answers whose body is there."""
    count = 0
    while (head := got.find(b"\r\n\r\n")) >= 0:
        length = re.search(rb"\r\ncontent-length: (\d+)", got[:head], re.IGNORECASE)
        if length is None:
            return count
        end = head + 4 + int(length[1])
        if len(got) < end:
            return count
        count += 1
        got = got[end:]
    return count


def request(path: bytes, body: bytes = b"", headers: bytes = b"", method: bytes = b"POST") -> bytes:
    return b"%b %b HTTP/1.1\r\nhost: test\r\n%bcontent-length: %d\r\n\r\n%b" % (method, path, headers, len(body), body)


def statuses(got: bytes) -> list[int]:
    return [int(one) for one in STATUS.findall(got)]


def noise(attack: Attack) -> None:
    """Bytes that are no HTTP, also with line ends strewn in, also a TLS hello and an MLLP frame."""
    for _ in range(25):
        data = bytearray(attack.dice.randbytes(attack.dice.randint(1, 5000)))
        for _ in range(attack.dice.randint(0, 30)):
            data[attack.dice.randrange(len(data))] = attack.dice.choice(b"\r\n :/G")
        assert 200 not in statuses(ask(attack, bytes(data), seconds=0.5, end=True))
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"\x0b" + result("X") + b"\x1c\r"):
        assert statuses(ask(attack, data, seconds=1)) in ([], [400])


def damaged(dice: random.Random, data: bytes) -> bytes:
    """Change, take out, put in or repeat bytes in a few places."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(changed))
        change = dice.randrange(4)
        if change == 0:
            changed[place] = dice.randrange(256)
        elif change == 1 and len(changed) > 40:
            del changed[place : place + dice.randint(1, 20)]
        elif change == 2:
            changed[place:place] = dice.choice(
                (b"\r\n", b"\0", b"\r\n\r\n", b"%00", b"9" * 40, b"transfer-encoding: chunked\r\n")
            )
        else:
            changed += changed[place:]
    return bytes(changed)


def mutated(attack: Attack) -> None:
    """Good requests with bytes changed, taken out or put in: an answer is never a fault of the program."""
    for _ in range(60):
        kind, body = ER7, result("MUTATED", 2)
        if attack.dice.random() < 0.4:
            kind, body = b"content-type: application/fhir+json\r\n", attack.dice.choice(FHIR).read_bytes()
        whole = attack.dice.random() < 0.4
        if not whole:
            body = damaged(attack.dice, body)
        if attack.dice.random() < 0.3:
            kind, body = kind + b"content-encoding: gzip\r\n", gzip.compress(body, mtime=0)
            if not whole and attack.dice.random() < 0.5:
                body = damaged(attack.dice, body)
        # what is kept must not be a mutated message: only conversions and translations
        data = request(attack.dice.choice(PATHS), body, kind)
        if whole:
            data = damaged(attack.dice, data)
        got = ask(attack, data, seconds=0.3, answers=1)
        assert 500 not in statuses(got), f"{data[:500]!r} gave {got[:500]!r}"


def lengths(attack: Attack) -> None:
    """Lengths that do not fit the body, are no numbers, contradict each other: nothing is taken, no second request hides."""
    body = result("LENGTHS")
    hidden = request(b"/hl7", result("HIDDEN"), ER7)
    for length in (b"-1", b"1e3", b"0x10", b"99999999999999999999999", b"+5", b" ", b"5, 5", b"2147483648"):
        got = ask(attack, b"POST /hl7 HTTP/1.1\r\nhost: test\r\n%bcontent-length: %b\r\n\r\n%b" % (ER7, length, body), seconds=4)
        assert 200 not in statuses(got), f"length {length!r} was taken: {got[:200]!r}"
    short = b"POST /hl7 HTTP/1.1\r\nhost: test\r\n%bcontent-length: %d\r\n\r\n" % (ER7, len(body) + 10)
    assert 200 not in statuses(ask(attack, short + body, end=True))
    # request smuggling (RFC 9112, section 6.3): both kinds of length, and two lengths
    both = b"POST /convert HTTP/1.1\r\nhost: test\r\n%bcontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" % ER7
    assert 200 not in statuses(ask(attack, both + hidden, seconds=4))
    two = b"POST /convert HTTP/1.1\r\nhost: test\r\n%bcontent-length: 0\r\ncontent-length: %d\r\n\r\n" % (ER7, len(hidden))
    assert 200 not in statuses(ask(attack, two + hidden, seconds=4))
    odd = b"POST /convert HTTP/1.1\r\nhost: test\r\n%btransfer-encoding: xchunked\r\n\r\n0\r\n\r\n" % ER7
    assert 200 not in statuses(ask(attack, odd + hidden, seconds=4))


def chunks(attack: Attack) -> None:
    """Chunks without end, of one byte, with sizes that are none, with extensions and trailers without end."""
    head = b"POST /convert HTTP/1.1\r\nhost: test\r\n%btransfer-encoding: chunked\r\n\r\n" % ER7
    body = result("CHUNKS")
    single = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert statuses(ask(attack, head + single, answers=1)) == [200]
    for size in (b"-1", b"ffffffffffffffffffff", b"g", b"", b"0x5"):
        got = ask(attack, head + size + b"\r\n" + body + b"\r\n0\r\n\r\n", seconds=4)
        assert 200 not in statuses(got), f"a chunk of size {size!r} was taken"
    for flood in (b"1;" + b"x" * 2**20, b"0\r\n" + b"trailer: x\r\n" * 50_000, b"1\r\nM\r\n" * 2**20 * 2):
        got = ask(attack, head + flood, seconds=4)
        assert 200 not in statuses(got)


def bombs(attack: Attack) -> None:
    """A few kilobytes that unpack to gigabytes: plain, twice packed, many members, cut off."""
    machine = zlib.compressobj(9, wbits=31)
    bomb = b"".join(machine.compress(bytes(2**20)) for _ in range(1000)) + machine.flush()
    member = gzip.compress(bytes(2**20))
    begin = gzip.compress(result("BOMB"))
    packed = ER7 + b"content-encoding: gzip\r\n"
    for body in (bomb, gzip.compress(bomb), member * 2000, begin + bomb, bomb[: len(bomb) // 2], begin[:-4]):
        for path in (b"/convert", b"/hl7"):
            got = ask(attack, request(path, body, packed), answers=1)
            assert not set(statuses(got)) & {500}, got[:300]
            assert path == b"/convert" or 200 not in statuses(got), got[:300]


def slow(attack: Attack) -> None:
    """Many connections that send a byte now and then, in head and body: others are answered, and the slow ones are dropped."""
    connections = [attack.connect() for _ in range(40)]
    for number, connection in enumerate(connections):
        connection.sendall(b"POST /hl7 HTTP/1.1\r\nhost: test\r\n" + (b"content-length: 100\r\n\r\n" if number % 2 else b""))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
        health(attack)
        time.sleep(0.3)
    for connection in connections:
        with contextlib.suppress(OSError):
            got = attack_end(connection)
            assert 200 not in statuses(got)


def attack_end(connection: socket.socket) -> bytes:
    """What a connection that the service has dropped still gives; one that it has not is a fault."""
    connection.settimeout(3)
    got = b""
    with connection, contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            got += more
    return got


def pipelines(attack: Attack) -> None:
    """Many requests in one write: answered in their order, the good messages among them taken once each."""
    for _ in range(5):
        messages = [attack.good() for _ in range(20)]
        data = b"".join(request(b"/hl7", one, ER7) for one in messages)
        got = ask(attack, data, answers=len(messages))
        attack.took(got, *messages)
    got = ask(attack, request(b"/health", method=b"GET") * 2000, answers=2000, seconds=10)
    assert statuses(got).count(200) == 2000, len(statuses(got))


def torn(attack: Attack) -> None:
    """Clients that go away: in the head, in the body, before the answer, while a large answer is on its way."""
    large = request(b"/convert", b"".join(result(f"L{number}", 3) for number in range(300)), ER7)
    for _ in range(20):
        connection = attack.connect()
        reset_at_close(connection)
        cut = attack.dice.randint(1, len(large))
        with contextlib.suppress(OSError):
            connection.sendall(attack.dice.choice((large[:cut], large, request(b"/hl7", attack.good(), ER7))))
            if attack.dice.random() < 0.5:
                connection.recv(100)
        connection.close()


def crowd(attack: Attack) -> None:
    """More connections, and more requests at once, than there is room for: 503 or closed; the places come back."""
    connections = []
    with contextlib.suppress(OSError):
        for _ in range(100):
            connections.append(attack.connect())
            connections[-1].sendall(b"POST /hl7 HTTP/1.1\r\nhost: test\r\n%bcontent-length: 100\r\n\r\n" % ER7)
    time.sleep(4)
    for connection in connections:
        connection.close()


def health(attack: Attack) -> None:
    """Another client is answered at once."""

    def asked() -> None:
        got = ask(attack, request(b"/health", method=b"GET"), seconds=30, answers=1)
        assert statuses(got) == [200], got[:200]

    promptly(asked, "for /health")


def good_client(attack: Attack) -> None:
    health(attack)
    good = attack.good()
    attack.took(ask(attack, request(b"/hl7", good, ER7), seconds=30, answers=1), good)


ROUNDS = (noise, mutated, lengths, chunks, bombs, slow, pipelines, torn, crowd)

if __name__ == "__main__":
    sys.exit(run(Fuzzer("http", SETTINGS, ROUNDS, ROUNDS[:2], good_client), __doc__))
