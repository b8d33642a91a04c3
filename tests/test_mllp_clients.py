"""MLLP clients that others wrote: python-hl7's `mllp_send` and its clients, and a bare socket as engines use it."""

import asyncio
import subprocess
import sys
import threading
from contextlib import contextmanager

import hl7
import pytest
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection
from mllp_bench import Memory, a_door, framed, oru, plain_socket


@contextmanager
def served(put=None, **settings):
    """A door in a thread of its own, for clients that block."""
    started = threading.Event()
    found = {}

    async def serve():
        found["stop"] = asyncio.Event()
        found["loop"] = asyncio.get_running_loop()
        async with a_door(put, **settings) as door:
            found["door"] = door
            started.set()
            await found["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(5)
    try:
        yield found["door"]
    finally:
        found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join(5)


def test_python_hl7_client():
    put = Memory()
    with served(put) as door, MLLPClient("127.0.0.1", door.port) as client:
        for control_id in ("A1", "A2"):
            answer = hl7.parse(client.send_message(oru(control_id).decode()).strip(b"\x0b\x1c\r").decode())
            assert str(answer.segment("MSA")) == f"MSA|AA|{control_id}"
    assert [arrival.data for arrival in put.arrivals] == [oru("A1"), oru("A2")]


def test_python_hl7_asyncio_client():
    async def run():
        async with a_door() as door:
            reader, writer = await open_hl7_connection("127.0.0.1", door.port)
            writer.writemessage(hl7.parse(oru("A1").decode()))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 3)
            assert str(answer.segment("MSA")) == "MSA|AA|A1"
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize("options", [[], ["--loose"]])
def test_the_command_mllp_send(tmp_path, options):
    put = Memory()
    file = tmp_path / "messages.hl7"
    if options:
        file.write_bytes(oru("1").replace(b"\r", b"\n") + oru("2").replace(b"\r", b"\n"))
    else:
        file.write_bytes(framed(oru("1")) + framed(oru("2")))
    with served(put) as door:
        command = [sys.executable, "-c", "from hl7.client import mllp_send; mllp_send()", *options, "-p", str(door.port)]
        sent = subprocess.run([*command, "-f", str(file), "127.0.0.1"], capture_output=True, timeout=20, check=True)
    assert sent.stdout.count(b"MSA|AA|") == 2
    assert [arrival.control_id for arrival in put.arrivals] == ["1", "2"]


def test_a_sender_in_lock_step_that_writes_in_pieces():
    """As interface engines do: start block, text and end block in writes of their own."""
    with served() as door, plain_socket(door) as sender:
        for number in range(20):
            for piece in (b"\x0b", oru(str(number)), b"\x1c", b"\r"):
                sender.sendall(piece)
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += sender.recv(4096)
            assert f"MSA|AA|{number}\r".encode() in answer
