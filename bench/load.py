"""A client that keeps MLLP or HTTP connections busy, each with one message under way, and says how fast the answers came.

It is a process of its own, made to cost little beside the server: messages are made before the clock starts, sockets are polled.
Answers are checked, so that a server that refuses is not fast.

    python bench/load.py mllp PORT --connections 16 --messages 20000
    python bench/load.py http PORT --connections 16 --messages 20000
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence

TEMPLATE = (
    "MSH|^~\\&|LOADTEST^2.999.1^ISO|TEST LABORATORY^2.999.2^ISO|RECEIVER|TEST|20260113102030+0000||ORU^R01^ORU_R01|"
    "{start}-{number}|P|2.5.1||||||UNICODE UTF-8\r"
    "PID|1||L{patient:07d}^^^TEST&2.999.3&ISO^MR||PATIENT^TEST^LOAD||19600101|F|||EXAMPLE STREET 1^^TESTVILLE^^00000^XX\r"
    "PV1|1|O|TESTWARD^1^1^TEST HOSPITAL||||1234567893^CLINICIAN^TEST^^^^^^NPI&2.16.840.1.113883.4.6&ISO\r"
    "ORC|RE|P{start}{number}^TESTEHR^2.999.4^ISO|F{start}{number}^LOADTEST^2.999.1^ISO||CM\r"
    "OBR|1|P{start}{number}^TESTEHR^2.999.4^ISO|F{start}{number}^LOADTEST^2.999.1^ISO|24323-8^PANEL^LN|||20260113080000+0000"
    "|||||||||||||||20260113101500+0000||LAB|F\r"
    "OBX|1|NM|1952-1^Beta-2-Microglobulin^LN||{value}.{number:04d}|mg/L^^UCUM|0.8-2.2||||F|||20260113080000+0000"
    "||||||||TEST LABORATORY\r"
    "OBX|2|NM|2160-0^Creatinine^LN||0.{number:04d}|mg/dL^^UCUM|0.55-1.15||||F|||20260113080000+0000||||||||TEST LABORATORY\r"
    "SPM|1|S{start}{number}&LOADTEST&2.999.1&ISO||119364003^Serum^SCT|||||||||||||20260113080000+0000\r"
)
END = b"\x1c\r"


def messages(count: int, start: str, patients: int = 5_000) -> list[bytes]:
    """Messages of two results, each with numbers of its own; a patient comes again after `patients` messages."""
    return [
        TEMPLATE.format(start=start, number=number, patient=number % patients, value=1 + number % 7).encode()
        for number in range(count)
    ]


def mllp_request(message: bytes) -> bytes:
    return b"\x0b" + message + END


def http_request(message: bytes) -> bytes:
    head = "POST /convert HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: x-application/hl7-v2+er7\r\n"
    return f"{head}Content-Length: {len(message)}\r\n\r\n".encode() + message


def mllp_answer(data: bytes) -> bool | None:
    """Whether a whole answer accepts the message; None while it is not whole."""
    if not data.endswith(END):
        return None
    return b"MSA|AA|" in data or b"MSA|CA|" in data


def http_answer(data: bytes) -> bool | None:
    """Whether a whole answer is a converted message; None while it is not whole."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return None
    if not head.startswith(b"HTTP/1.1 200"):
        return False
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return None if len(body) < length else True


def load(
    port: int, requests: Sequence[bytes], connections: int, whole: Callable[[bytes], bool | None], seconds: float = 0
) -> dict[str, float]:
    """Send everything, or as much as goes in so many seconds; each connection waits for its answer before it sends more.

    Returns
    -------
    dict
        `messages`, `seconds`, `refused`, and `p50`, `p99`, `longest` of the times from request to answer in milliseconds.
    """
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    parts: dict[int, bytes] = {}
    sent_at: dict[int, float] = {}
    times: list[float] = []
    refused = 0
    stream = iter(requests)
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[one.fileno()] = one
        poll.register(one.fileno(), select.EPOLLIN)
    began = time.perf_counter()
    for number, one in sockets.items():
        request = next(stream, None)
        if request is not None:
            parts[number] = b""
            sent_at[number] = time.perf_counter()
            one.sendall(request)
    while sent_at:
        for number, _ in poll.poll(30):
            data = sockets[number].recv(262144)
            if not data:
                raise ConnectionError("the server closed a connection")
            data = parts[number] + data
            verdict = whole(data)
            if verdict is None:
                parts[number] = data
                continue
            now = time.perf_counter()
            times.append(now - sent_at[number])
            refused += not verdict
            request = next(stream, None) if not seconds or now - began < seconds else None
            if request is None:
                del sent_at[number]
                continue
            parts[number] = b""
            sent_at[number] = now
            sockets[number].sendall(request)
    taken = time.perf_counter() - began
    times.sort()
    return {
        "messages": len(times),
        "seconds": taken,
        "refused": refused,
        "p50": times[len(times) // 2] * 1e3,
        "p99": times[len(times) * 99 // 100] * 1e3,
        "longest": times[-1] * 1e3,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=("mllp", "http"))
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long; --messages is what it has at most")
    parser.add_argument("--start", default="", help="part of the control ids, so that no message of another run comes again")
    options = parser.parse_args()
    request, answer = (mllp_request, mllp_answer) if options.protocol == "mllp" else (http_request, http_answer)
    made = [request(one) for one in messages(options.messages, options.start or format(time.time_ns(), "x"))]
    found = load(options.port, made, options.connections, answer, options.seconds)
    if options.seconds and found["messages"] == options.messages:
        raise SystemExit("too few messages for so many seconds")
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
