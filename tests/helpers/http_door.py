"""The HTTP door on a port of its own, in a thread, and a client that no one here wrote (aiohttp)."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson

from adapter.service.http.worker import Worker
from adapter.service.settings import HttpSettings, ServiceSettings, SpoolSettings

ER7 = {"content-type": "x-application/hl7-v2+er7"}
FHIR = {"content-type": "application/fhir+json"}
MESSAGE = (
    b"MSH|^~\\&|LAB|NORTH|EHR|HOSPITAL|20260113102030+0100||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    b"PID|1||12345^^^NORTH&2.16.840.1.113883.19.3.1&ISO^MR||TEST^PATIENT\r"
    b"OBR|1|P1|F1|B2M^Beta-2 microglobulin^L|||20260113080000+0100\r"
    b"OBX|1|NM|1952-1^Beta-2-Microglobulin^LN||2.10|mg/L|0.8-2.2|N|||F\r"
)


def message(control_id: str) -> bytes:
    """A result message of its own."""
    return MESSAGE.replace(b"|M1|", f"|{control_id}|".encode())


class Reply(NamedTuple):
    status: int
    headers: Any
    data: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.data)

    @property
    def lines(self) -> list[Any]:
        return [orjson.loads(line) for line in self.data.splitlines()]

    @property
    def slug(self) -> str:
        """Slug of the first issue of an OperationOutcome."""
        return slug_of(self.json)


def slug_of(outcome: Any) -> str:
    assert outcome["resourceType"] == "OperationOutcome"
    return str(outcome["issue"][0]["details"]["coding"][0]["code"])


class Running(NamedTuple):
    url: str
    port: int
    worker: Worker

    def ask(self, method: str, path: str, data: Any = None, headers: Any = None, **more: Any) -> Reply:
        """Send one request."""

        async def asked() -> Reply:
            async with (
                aiohttp.ClientSession(auto_decompress=False) as session,
                session.request(method, self.url + path, data=data, headers=headers, **more) as response,
            ):
                return Reply(response.status, response.headers, await response.read())

        return asyncio.run(asked())

    def raw(self, data: bytes, *, seconds: int = 10) -> bytes:
        """Send bytes over a connection and give everything that comes back until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            got = b""
            while part := connection.recv(65536):
                got += part
        return got


def settings_for(folder: Path, /, **http: Any) -> ServiceSettings:
    return ServiceSettings(http=HttpSettings(port=0, **http), spool=SpoolSettings(folder=folder / "spool", free_megabytes=0))


@contextmanager
def running(settings: ServiceSettings, wake: int = -1) -> Iterator[Running]:
    """Run the door until the end of the block."""
    worker = Worker(settings, wake)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    thread = threading.Thread(target=lambda: asyncio.run(worker.serve(listener)))
    thread.start()
    try:
        until = time.monotonic() + 10
        while not worker.started and time.monotonic() < until:
            time.sleep(0.01)
        scheme = "https" if settings.http.tls.active else "http"
        yield Running(f"{scheme}://127.0.0.1:{port}", port, worker)
    finally:
        worker.stop()
        thread.join(20)
    assert not thread.is_alive()
