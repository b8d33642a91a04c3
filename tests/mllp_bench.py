"""An MLLP door, an in-memory spool and a plain client for tests."""

import asyncio
import contextlib
import socket

from helpers.waiting import SECONDS

from adapter.service.mllp import MllpDoor
from adapter.service.settings import MllpSettings
from adapter.service.spool.arrivals import Arrival, Placed
from adapter.service.spool.files import SpoolFull


def oru(control_id="1", patient="12345", header="", **fields):
    """A result message; `header` stands behind MSH-12."""
    values = {"type": "ORU^R01^ORU_R01", "processing": "P", "version": "2.5.1"} | fields
    return (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101120000+0000||{values['type']}|{control_id}|{values['processing']}|{values['version']}{header}\r"
        f"PID|1||{patient}^^^HOSP^MR||TEST^PATIENT\r"
        "OBR|1||F1|1952-1^B2M^LN\r"
        "OBX|1|NM|1952-1^B2M^LN||2.4|mg/L|0.8-2.4|N|||F\r"
    ).encode()


def framed(data: bytes) -> bytes:
    return b"\x0b" + data + b"\x1c\r"


def fields_of(answer: bytes, segment: str) -> list[str]:
    """Fields of the first segment of a name."""
    for line in answer.decode("latin-1").split("\r"):
        if line.startswith(segment):
            return line.split("|")
    return []


def code_and_id(answer: bytes) -> tuple[str, str]:
    msa = fields_of(answer, "MSA")
    return msa[1], msa[2]


class Memory:
    """A spool in memory."""

    def __init__(self):
        self.groups: list[list[Arrival]] = []
        self.full = False
        self.failure: Exception | None = None
        self._numbers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._next = 0

    @property
    def arrivals(self) -> list[Arrival]:
        return [arrival for group in self.groups for arrival in group]

    def __call__(self, arrivals, time):
        assert time.endswith("Z")
        if self.full:
            raise SpoolFull("the disk or the database is full")
        if self.failure is not None:
            raise self.failure
        self.groups.append(list(arrivals))
        return [self._place(arrival) for arrival in arrivals]

    def _place(self, arrival):
        known = self._numbers.get((arrival.sender, arrival.control_id))
        if known is not None and known[1] == arrival.data:
            return Placed(known[0], "resend")
        self._next += 1
        if known is None:
            self._numbers[arrival.sender, arrival.control_id] = self._next, arrival.data
        return Placed(self._next, "new" if known is None else "reused-id")


class Client:
    """A peer that reads and writes bytes."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, seconds=SECONDS) -> bytes:
        """The next frame, without framing."""
        frame = await asyncio.wait_for(self.reader.readuntil(b"\x1c\r"), seconds)
        assert frame[:1] == b"\x0b"
        return frame[1:-2]

    async def ask(self, message: bytes) -> bytes:
        await self.send(framed(message))
        return await self.answer()

    async def nothing(self, seconds=0.1) -> None:
        """No answer comes for a while."""
        with contextlib.suppress(TimeoutError):
            raise AssertionError(await asyncio.wait_for(self.reader.readexactly(1), seconds))

    async def at_end(self, seconds=SECONDS) -> bytes:
        """What comes until the door closes."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), seconds)
        return b""


@contextlib.asynccontextmanager
async def a_door(put=None, *, outcome_of=None, sender_ids=None, **settings):
    door = MllpDoor(MllpSettings(port=0, **settings), put or Memory(), outcome_of=outcome_of, sender_ids=sender_ids)
    await door.start()
    try:
        yield door
    finally:
        await door.stop(0.5)


@contextlib.asynccontextmanager
async def a_client(door, **more):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=2**22, **more)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def plain_socket(door) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=SECONDS)
