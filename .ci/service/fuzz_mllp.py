"""The MLLP door under bytes that nobody should send: fixed seed, bounded time; after each round the service must be as before.

    fuzz_mllp.py [--seconds 40] [--seed 1]

Rounds: noise, mutated frames, frames split anywhere, a frame without end, a million empty frames, connections that end or stop
reading in the middle, more connections than there is room for. What is checked after each and at the end: `fuzzing.py`.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

from fuzzing import Attack, Fuzzer, promptly, read, reset_at_close, run
from mutations import DESTRUCTIVE
from running import END, ROOT, START, accepted, acknowledged, digest, exchange, result

LIMITS = "message_size = 1048576\nconnections = 64\nframe_seconds = 3\nidle_seconds = 20\nwrite_seconds = 2"
FIXTURES = sorted((ROOT / "fixtures").glob("*/*.hl7"))


def send(attack: Attack, connection: socket.socket, data: bytes, *, pieces: int = 1) -> None:
    """Send bytes in pieces; a service that closes meanwhile is in its right."""
    places = sorted(attack.dice.randrange(len(data) + 1) for _ in range(pieces - 1))
    with contextlib.suppress(OSError):
        for begin, end in zip([0, *places], [*places, len(data)], strict=True):
            connection.sendall(data[begin:end])


def noise(attack: Attack) -> None:
    """Bytes of any kind, also with frame blocks strewn in."""
    for _ in range(30):
        data = bytearray(attack.dice.randbytes(attack.dice.randint(1, 20_000)))
        for _ in range(attack.dice.randint(0, 30)):
            data[attack.dice.randrange(len(data))] = attack.dice.choice(b"\x0b\x1c\r\n|M")
        with attack.connect() as connection:
            send(attack, connection, bytes(data), pieces=attack.dice.randint(1, 5))
            answer = read(connection, 0.02)
            assert not [one for one in acknowledged(answer) if one[0] == "AA"], "noise was taken for a message"


def mutated(attack: Attack) -> None:
    """Messages of the fixtures with something wrong in them, in good frames: each frame gets one answer."""
    for _ in range(40):
        data = attack.dice.choice(FIXTURES).read_bytes()
        for _ in range(attack.dice.randint(1, 3)):
            data = attack.dice.choice(DESTRUCTIVE)(data, attack.dice) or data
        # a block in the text would make it two frames
        data = data.translate(None, b"\x0b\x1c")
        after = attack.good()
        with attack.connect() as connection:
            send(attack, connection, START + data + END + START + after + END, pieces=attack.dice.randint(1, 4))
            (wanted,) = accepted(after)
            answer = read(connection, 5, until=lambda got, wanted=wanted: wanted in acknowledged(got))
        assert wanted in acknowledged(answer), f"a good message behind a mutated one was not taken: {answer[-300:]!r}"
        attack.taken[after] = after.count(b"OBX|")
        _check_answer(answer)
        # of a batch the messages are kept, not the whole
        if [code for code, _ in acknowledged(answer)] == ["AA", "AA"] and b"HS|" not in data:
            attack.kept[digest(data)] = data


def _check_answer(answer: bytes) -> None:
    """Whatever was sent, an answer is whole frames of acknowledgements; nothing of a sender adds a frame or a segment to it."""
    frames = answer.split(END)
    assert frames[-1] == b"", f"an answer that is not whole: {frames[-1][:100]!r}"
    for frame in frames[:-1]:
        assert frame[:1] == START, f"bytes between answers: {frame[:100]!r}"
        if b"\0M" in frame or b"M\0" in frame:
            # a sender that writes UTF-16 or UTF-32 is answered so, in ASCII characters
            frame = frame.replace(b"\0", b"")
        assert not set(frame[1:]) & {0x0B, 0x1C, 0x0A, 0}, f"blocks or line feeds within an answer: {frame!r}"
        names = [segment[:3] for segment in frame[1:].split(b"\r") if segment]
        assert set(names) <= {b"MSH", b"MSA", b"ERR", b"BHS", b"BTS"}, f"segments of an answer: {names}"


def split(attack: Attack) -> None:
    """Good messages cut anywhere, also one byte after the other, several in one write, with noise between them."""
    for _ in range(15):
        messages = [attack.good() for _ in range(attack.dice.randint(1, 5))]
        data = b"".join(attack.dice.choice((b"", b"\r\n", b"noise")) + START + one + END for one in messages)
        with attack.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send(attack, connection, data, pieces=attack.dice.choice((1, 2, 7, 300)))
            answer = read(connection, 5, until=lambda got, count=len(messages): len(acknowledged(got)) == count)
        attack.took(answer, *messages)
        _check_answer(answer)


def endless(attack: Attack) -> None:
    """A frame that goes on for ever, with a header and without; refused at the limit, not kept."""
    block = b"OBX|1|NM|1952-1^B2M^LN||1.0|mg/L\r" * 30_000
    for begin in (result("ENDLESS"), b"", b"FHS|^~\\&\r"):
        with attack.connect() as connection:
            send(attack, connection, START + begin)
            for _ in range(100):
                send(attack, connection, block)
            answer = read(connection, 5, until=lambda got: END in got)
            assert not [one for one in acknowledged(answer) if one[0] == "AA"]


def empty(attack: Attack) -> None:
    """A million empty frames, then a good message on the same connection."""
    good = attack.good()
    with attack.connect() as connection:
        began = time.monotonic()
        for _ in range(100):
            send(attack, connection, (START + END) * 10_000)
        send(attack, connection, START + good + END)
        answer = read(connection, 10, until=lambda got: END in got)
    assert time.monotonic() - began < 10
    attack.took(answer, good)


def half_closed(attack: Attack) -> None:
    """Peers that end in the middle of a frame, or behind a whole one without waiting for the answer in time."""
    for _ in range(20):
        good = attack.good()
        with attack.connect() as connection:
            cut = attack.dice.randint(1, len(good))
            send(attack, connection, START + good[:cut])
            connection.shutdown(socket.SHUT_WR)
            answer = read(connection, 5)
        assert not [one for one in acknowledged(answer) if one[0] == "AA"], "half a message was taken"
        good = attack.good()
        with attack.connect() as connection:
            send(attack, connection, START + good + END)
            connection.shutdown(socket.SHUT_WR)
            answer = read(connection, 5)
        attack.took(answer, good)


def reset(attack: Attack) -> None:
    """Peers that tear the connection away."""
    for _ in range(20):
        with attack.connect() as connection:
            good = attack.good()
            reset_at_close(connection)
            send(attack, connection, START + good + attack.dice.choice((b"", END)))


def deaf(attack: Attack) -> None:
    """Peers that send and never read: dropped after their time, without harm to others."""
    connections = [attack.connect() for _ in range(8)]
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
    data = b"".join(START + b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|%d|P|2.5.1\r" % number + END for number in range(2000))
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.send(data)
        promptly(lambda: good_client(attack), "beside deaf ones")
    for connection in connections:
        connection.close()


def crowd(attack: Attack) -> None:
    """All connections that there are, each with half a frame: further ones are turned away, and time frees the places."""
    crowd = []
    with contextlib.suppress(OSError):
        for _ in range(100):
            crowd.append(attack.connect())
            crowd[-1].sendall(START + b"MSH|^~\\&|CROWD")
    time.sleep(5)
    for connection in crowd:
        connection.close()


def good_client(attack: Attack) -> None:
    good = attack.good()
    attack.took(exchange(attack.port, good, seconds=30), good)


ROUNDS = (noise, mutated, split, endless, empty, half_closed, reset, deaf, crowd)

if __name__ == "__main__":
    sys.exit(run(Fuzzer("mllp", LIMITS, ROUNDS, ROUNDS[:3], good_client), __doc__))
