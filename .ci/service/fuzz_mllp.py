"""The MLLP door under bytes that nobody should send: fixed seed, bounded time; after each round the service must be as before.

    fuzz_mllp.py [--seconds 40] [--seed 1]

Rounds: noise, mutated frames, frames split anywhere, a frame without end, a million empty frames, connections that end or stop
reading in the middle, more connections than there is room for. After each round a good client is answered within a second, the
processes are the same and within their memory, and the log tells no fault. At the end every message that was acknowledged is in
the spool, and every good one was delivered once, whole.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator

from mutations import DESTRUCTIVE
from running import END, ROOT, START, Service, acknowledged, digest, exchange, result

#: Memory that the doors' process and all others may take, in bytes.
DOOR_MEMORY, MEMORY = 250 * 2**20, 900 * 2**20
LIMITS = "message_size = 1048576\nconnections = 64\nframe_seconds = 3\nidle_seconds = 20\nwrite_seconds = 2"
FIXTURES = sorted((ROOT / "fixtures").glob("*/*.hl7"))


class Attack:
    """A service, chance, and what was acknowledged."""

    def __init__(self, service: Service, seed: int) -> None:
        self.service = service
        self.dice = random.Random(seed)
        self.number = 0
        #: good messages that were acknowledged, with their results
        self.taken: dict[bytes, int] = {}
        #: mutated messages that were acknowledged as taken
        self.kept: dict[str, bytes] = {}

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.service.mllp), timeout=10)

    def good(self) -> bytes:
        self.number += 1
        return result(f"G{self.number}", self.dice.randint(1, 4))

    def send(self, connection: socket.socket, data: bytes, *, pieces: int = 1) -> None:
        """Send bytes in pieces; a service that closes meanwhile is in its right."""
        places = sorted(self.dice.randrange(len(data) + 1) for _ in range(pieces - 1))
        with contextlib.suppress(OSError):
            for begin, end in zip([0, *places], [*places, len(data)], strict=True):
                connection.sendall(data[begin:end])

    def read(self, connection: socket.socket, seconds: float, *, until: Callable[[bytes], bool] = lambda _: False) -> bytes:
        """Read until the end, a condition, or for so long."""
        got = b""
        end = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while (left := end - time.monotonic()) > 0 and not until(got):
                if not select.select([connection], [], [], left)[0]:
                    break
                more = connection.recv(65536)
                if not more:
                    break
                got += more
        return got


def noise(attack: Attack) -> None:
    """Bytes of any kind, also with frame blocks strewn in."""
    for _ in range(30):
        data = bytearray(attack.dice.randbytes(attack.dice.randint(1, 20_000)))
        for _ in range(attack.dice.randint(0, 30)):
            data[attack.dice.randrange(len(data))] = attack.dice.choice(b"\x0b\x1c\r\n|M")
        with attack.connect() as connection:
            attack.send(connection, bytes(data), pieces=attack.dice.randint(1, 5))
            answer = attack.read(connection, 0.02)
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
            attack.send(connection, START + data + END + START + after + END, pieces=attack.dice.randint(1, 4))
            control_id = after.split(b"|", 10)[9].decode()
            answer = attack.read(connection, 5, until=lambda got, wanted=("AA", control_id): wanted in acknowledged(got))  # type: ignore[misc]
        assert ("AA", control_id) in acknowledged(answer), f"a good message behind a mutated one was not taken: {answer[-300:]!r}"
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
            attack.send(connection, data, pieces=attack.dice.choice((1, 2, 7, 300)))
            answer = attack.read(connection, 5, until=lambda got, count=len(messages): len(acknowledged(got)) == count)  # type: ignore[misc]
        wanted = [("AA", one.split(b"|", 10)[9].decode()) for one in messages]
        assert acknowledged(answer) == wanted, f"{acknowledged(answer)} instead of {wanted}"
        _check_answer(answer)
        attack.taken |= {one: one.count(b"OBX|") for one in messages}


def endless(attack: Attack) -> None:
    """A frame that goes on for ever, with a header and without; refused at the limit, not kept."""
    block = b"OBX|1|NM|1952-1^B2M^LN||1.0|mg/L\r" * 30_000
    for begin in (result("ENDLESS"), b"", b"FHS|^~\\&\r"):
        with attack.connect() as connection:
            attack.send(connection, START + begin)
            for _ in range(100):
                attack.send(connection, block)
            answer = attack.read(connection, 5, until=lambda got: END in got)
            assert not [one for one in acknowledged(answer) if one[0] == "AA"]


def empty(attack: Attack) -> None:
    """A million empty frames, then a good message on the same connection."""
    good = attack.good()
    with attack.connect() as connection:
        began = time.monotonic()
        for _ in range(100):
            attack.send(connection, (START + END) * 10_000)
        attack.send(connection, START + good + END)
        answer = attack.read(connection, 10, until=lambda got: END in got)
    assert acknowledged(answer) == [("AA", good.split(b"|", 10)[9].decode())]
    assert time.monotonic() - began < 10
    attack.taken[good] = good.count(b"OBX|")


def half_closed(attack: Attack) -> None:
    """Peers that end in the middle of a frame, or behind a whole one without waiting for the answer in time."""
    for _ in range(20):
        good = attack.good()
        with attack.connect() as connection:
            cut = attack.dice.randint(1, len(good))
            attack.send(connection, START + good[:cut])
            connection.shutdown(socket.SHUT_WR)
            answer = attack.read(connection, 5)
        assert not [one for one in acknowledged(answer) if one[0] == "AA"], "half a message was taken"
        good = attack.good()
        with attack.connect() as connection:
            attack.send(connection, START + good + END)
            connection.shutdown(socket.SHUT_WR)
            answer = attack.read(connection, 5)
        assert acknowledged(answer) == [("AA", good.split(b"|", 10)[9].decode())], answer
        attack.taken[good] = good.count(b"OBX|")


def reset(attack: Attack) -> None:
    """Peers that tear the connection away."""
    for _ in range(20):
        with attack.connect() as connection:
            good = attack.good()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            attack.send(connection, START + good + attack.dice.choice((b"", END)))


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
        began = time.monotonic()
        _good_client(attack)
        assert time.monotonic() - began < 1
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


ROUNDS = (noise, mutated, split, endless, empty, half_closed, reset, deaf, crowd)


def _good_client(attack: Attack) -> None:
    good = attack.good()
    answer = exchange(attack.service.mllp, good)
    assert acknowledged(answer) == [("AA", good.split(b"|", 10)[9].decode())], answer
    attack.taken[good] = good.count(b"OBX|")


def check(attack: Attack, round_name: str, processes: list[int]) -> None:
    """The service is as it was."""
    service = attack.service
    began = time.monotonic()
    _good_client(attack)
    seconds = time.monotonic() - began
    assert seconds < 1, f"after {round_name} a good client waited {seconds:.2f} s"
    assert service.processes() == processes, f"after {round_name} the processes are others"
    memory = service.memory()
    assert memory[service.process.pid] < DOOR_MEMORY, f"after {round_name} the door takes {memory[service.process.pid] >> 20} MiB"
    assert sum(memory.values()) < MEMORY, f"after {round_name} the service takes {sum(memory.values()) >> 20} MiB"
    faults = service.faults()
    assert not faults, json.dumps(faults[:5], indent=1)
    sizes = f"door {memory[service.process.pid] >> 20} MiB, all {sum(memory.values()) >> 20} MiB"
    print(f"{round_name}: answered after {seconds * 1000:.0f} ms, {sizes}", flush=True)


def rounds(seconds: float) -> Iterator[Callable[[Attack], None]]:
    """Each round at least once, then again until the time is over."""
    end = time.monotonic() + seconds
    yield from ROUNDS
    while time.monotonic() < end:
        yield from ROUNDS[:3]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Service(mllp=LIMITS) as service:
        attack = Attack(service, options.seed)
        _good_client(attack)
        processes = service.processes()
        for one in rounds(options.seconds):
            one(attack)
            check(attack, one.__name__, processes)
        service.check_delivered(attack.taken)
        lost = attack.kept.keys() - {row["digest"] for row in service.spool()}
        assert not lost, f"{len(lost)} mutated messages were acknowledged and are not in the spool: {attack.kept[lost.pop()]!r}"
        print(
            f"{len(attack.taken)} good messages, each delivered once; {len(attack.kept)} mutated ones taken; seed {options.seed}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
