"""What the fuzzers of both doors share: a service under attack, its rounds within their time, and the check after each of them.

A fuzzer has rounds and a good client (`Fuzzer`); `run` starts a service, attacks it, and prints a line a round and a summary as
its last line. After each round a good client is answered within a second, the processes are the same and within their memory,
and the log tells no fault. At the end every message that was acknowledged is in the spool, and every good one was delivered
once, whole.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from running import Service, accepted, acknowledged, result

#: Memory that the supervisor's process and all processes together may take, in bytes.
SUPERVISOR_MEMORY, MEMORY = 250 * 2**20, 900 * 2**20


@dataclass
class Attack:
    """A service, chance, and what was acknowledged."""

    service: Service
    port: int
    dice: random.Random
    number: int = 0
    #: good messages that were acknowledged, with their results
    taken: dict[bytes, int] = field(default_factory=dict)
    #: mutated messages that were acknowledged as taken
    kept: dict[str, bytes] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def good(self) -> bytes:
        self.number += 1
        return result(f"G{self.number}", self.dice.randint(1, 4))

    def took(self, answer: bytes, *messages: bytes) -> None:
        """Note messages whose acknowledgements, and no others, came back in their order."""
        assert acknowledged(answer) == accepted(*messages), f"{answer[-300:]!r} instead of {accepted(*messages)}"
        self.taken |= {data: data.count(b"OBX|") for data in messages}


@dataclass
class Fuzzer:
    """What is done to one door."""

    door: str
    #: lines of the section of the door
    limits: str
    #: each at least once
    rounds: Sequence[Callable[[Attack], None]]
    #: again and again while there is time
    again: Sequence[Callable[[Attack], None]]
    #: sends a good message and notes it
    good_client: Callable[[Attack], None]


def read(connection: socket.socket, seconds: float, until: Callable[[bytes], bool] = lambda _: False) -> bytes:
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


def reset_at_close(connection: socket.socket) -> None:
    """Make the connection be torn away, not ended, when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def crowding() -> float:
    """Give how many times longer a little work takes now than the processor's time for it: 1 where nothing else runs."""
    began, used = time.monotonic(), time.process_time()
    while (worked := time.process_time() - used) < 0.1:
        pass
    return (time.monotonic() - began) / worked


def promptly(ask: Callable[[], object], when: str) -> float:
    """Ask for something that must come within a second; gives how long it took.

    On a machine that does other things that second is as much longer as work takes there, and the best of three counts: a service
    that is held up keeps all of them waiting.
    """
    waits = []
    for _ in range(3):
        began = time.monotonic()
        ask()
        waits.append(time.monotonic() - began)
        if waits[-1] < 1 or waits[-1] < crowding():
            return waits[-1]
    raise AssertionError(f"{when} good clients waited " + ", ".join(f"{one:.2f} s" for one in waits))


def _check(fuzzer: Fuzzer, attack: Attack, name: str, processes: list[int]) -> None:
    """The service is as it was."""
    service = attack.service
    seconds = promptly(lambda: fuzzer.good_client(attack), f"after {name}")
    assert service.processes() == processes, f"after {name} the processes are {service.processes()}, not {processes}"
    memory = service.memory()
    supervisor, whole = memory[service.process.pid], sum(memory.values())
    assert supervisor < SUPERVISOR_MEMORY, f"after {name} the supervisor takes {supervisor >> 20} MiB"
    assert whole < MEMORY, f"after {name} the service takes {whole >> 20} MiB"
    faults = service.faults()
    assert not faults, json.dumps(faults[:5], indent=1)
    print(f"{name}: answered after {seconds * 1000:.0f} ms, supervisor {supervisor >> 20} MiB, all {whole >> 20} MiB", flush=True)


def _within(seconds: float, fuzzer: Fuzzer) -> Iterator[Callable[[Attack], None]]:
    """Each round at least once, then some again until the time is over."""
    end = time.monotonic() + seconds
    yield from fuzzer.rounds
    while time.monotonic() < end:
        yield from fuzzer.again


def run(fuzzer: Fuzzer, description: str) -> int:
    """Attack a service as the command line says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rounds = 0
    with Service(**{fuzzer.door: fuzzer.limits}) as service:
        attack = Attack(service, getattr(service, fuzzer.door), random.Random(options.seed))
        fuzzer.good_client(attack)
        # what was converted shows that the converters have started, too, which the service does not wait for
        service.settled()
        processes = service.processes()
        for one in _within(options.seconds, fuzzer):
            one(attack)
            _check(fuzzer, attack, one.__name__, processes)
            rounds += 1
        service.check_delivered(attack.taken)
        lost = attack.kept.keys() - {row["digest"] for row in service.spool()}
        assert not lost, f"{len(lost)} mutated messages were acknowledged and are not in the spool: {attack.kept[lost.pop()]!r}"
    assert attack.number > rounds >= len(fuzzer.rounds) > 0
    messages = f"{len(attack.taken)} good messages, each delivered once"
    messages += f"; {len(attack.kept)} mutated ones acknowledged, each kept" if attack.kept else ""
    print(f"{fuzzer.door}: {rounds} rounds of {len(fuzzer.rounds)} kinds, the service as before after each; {messages}")
    return 0
