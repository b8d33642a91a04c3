"""`b2m-adapter send`: exit status, counts, results."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapter.cli import app
from adapter.fhir.json import loads
from adapter.hl7v2.header import header_of
from adapter.hl7v2.mllp import FrameReader

MESSAGE = b"MSH|^~\\&|TESTLIS|TEST|||20260113||ORU^R01|M%d|P|2.5.1\rPID|1||T1\rOBR|1\rOBX|1|NM|1||1\r"


def run(*arguments: object, stdin: bytes = b""):
    return CliRunner(mix_stderr=False).invoke(app, ["send", *map(str, arguments)], input=stdin)


@contextmanager
def server(codes: dict[str, str]) -> Iterator[int]:
    """A server in a thread: answers AA, or the code of the control id; cuts the connection for an empty code."""
    ready, stop, port = threading.Event(), asyncio.Event(), 0
    loop = asyncio.new_event_loop()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(2**20)
        while data := await reader.read(2**16):
            for frame in frames.feed(data):
                control_id = header_of(frame.data).control_id
                code = codes.get(control_id, "AA")
                if not code:
                    writer.transport.abort()
                    return
                answer = f"MSH|^~\\&|||||20260113||ACK|A|P|2.5.1\rMSA|{code}|{control_id}|PATIENT^TEST\r"
                writer.write(b"\x0b" + answer.encode() + b"\x1c\r")
        writer.close()

    async def serve() -> None:
        nonlocal port
        listening = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listening.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(5)
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


def test_all_accepted_ends_with_0_and_tells_codes_and_latency():
    with server({}) as port:
        done = run(f"localhost:{port}", stdin=b"".join(MESSAGE % n for n in range(5)))
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert "5 accepted" in done.stderr
    assert "AA 5" in done.stderr
    assert "answered after (ms): 50%" in done.stderr


def test_a_refused_message_ends_with_1():
    with server({"M2": "AE"}) as port:
        done = run(f"mllp://localhost:{port}", stdin=b"".join(MESSAGE % n for n in range(1, 4)))
    assert done.exit_code == 1
    assert "AA 2, AE 1" in done.stderr


def test_a_broken_connection_ends_with_3():
    with server({"M2": ""}) as port:
        done = run(f"localhost:{port}", stdin=b"".join(MESSAGE % n for n in range(1, 4)))
    assert done.exit_code == 3
    assert "2 accepted, 1 unanswered" in done.stderr
    assert "connection-closed 1" in done.stderr


def test_results_are_one_line_a_message():
    with server({"M2": "AR"}) as port:
        done = run(f"localhost:{port}", "--results", stdin=MESSAGE % 1 + MESSAGE % 2)
    rows = [loads(line) for line in done.stdout.splitlines()]
    assert [(row["message"], row["control_id"], row["fate"], row["code"]) for row in rows] == [
        (1, "M1", "accepted", "AA"),
        (2, "M2", "refused", "AR"),
    ]
    assert rows[0]["milliseconds"] > 0


def test_answers_are_shown_only_when_asked_for():
    with server({}) as port:
        assert "PATIENT" not in run(f"localhost:{port}", "--results", stdin=MESSAGE % 1).stdout
        assert "PATIENT" in run(f"localhost:{port}", "--results", "--show-phi", stdin=MESSAGE % 1).stdout


def test_files_are_sent_and_unpacked(tmp_path: Path):
    plain, packed = tmp_path / "a.hl7", tmp_path / "b.hl7.gz"
    plain.write_bytes(MESSAGE % 1)
    packed.write_bytes(gzip.compress(MESSAGE % 2))
    with server({}) as port:
        done = run(f"localhost:{port}", plain, packed, "--connections", 2, "--in-flight", 4)
    assert done.exit_code == 0
    assert "2 accepted" in done.stderr


def test_a_damaged_file_ends_with_3(tmp_path: Path):
    damaged = tmp_path / "b.hl7.gz"
    damaged.write_bytes(gzip.compress(MESSAGE % 2)[:-12])
    with server({}) as port:
        done = run(f"localhost:{port}", damaged)
    assert done.exit_code == 3
    assert "input or output broke" in done.stderr


def test_nothing_to_send_is_no_failure():
    with server({}) as port:
        done = run(f"localhost:{port}")
    assert done.exit_code == 0
    assert "nothing to send" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("ftp://localhost",),
        ("localhost:1", "no-such-file"),
        ("localhost:1", "--timeout", "0"),
        ("localhost:1", "--rate", "fast"),
        ("localhost:1", "--tls-cert", "no-such-file"),
        ("localhost:1", "--token-file", "no-such-file"),
        ("http://localhost:1/", "--tls"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("b2m-adapter: ")
