"""Clients that no one here wrote, against a running service: each is acknowledged, and what it sent is delivered once and whole.

    clients.py TOOLS    the folder that `install` prints

python-hl7 (`mllp_send`), hl7apy, node-hl7-client, the proxy mllp2http, curl, fhirpy, fhirclient.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from running import END, ROOT, START, Service, accepted, acknowledged, exchange, result

from tools.ports import free_port

HERE = Path(__file__).resolve().parent
ER7 = "content-type: x-application/hl7-v2+er7"


class Bench:
    """A service, the tools, and what was acknowledged."""

    def __init__(self, service: Service, tools: Path) -> None:
        self.service = service
        self.tools = tools / "python" / "bin"
        self.node = tools / "node"
        #: messages that were acknowledged as v2, and how many results each holds
        self.taken: dict[bytes, int] = {}
        self.fhir = 0

    def file(self, name: str, data: bytes) -> str:
        path = self.service.folder / name
        path.write_bytes(data)
        return str(path)

    def run(self, *command: object, **more: Any) -> bytes:
        done = subprocess.run([str(part) for part in command], capture_output=True, timeout=60, check=False, **more)
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
        return bytes(done.stdout)

    def curl(self, *arguments: object) -> tuple[int, bytes]:
        """Status and body of an answer."""
        out = self.run("curl", "-sS", "-w", "%{http_code}", *arguments)
        return int(out[-3:]), out[:-3]

    def took(self, answer: bytes, *messages: bytes) -> None:
        """Note messages whose acknowledgements came back in their order."""
        assert acknowledged(answer) == accepted(*messages), f"{acknowledged(answer)} instead of {accepted(*messages)}"
        self.taken |= {data: data.count(b"OBX|") for data in messages}


def mllp_send(bench: Bench) -> None:
    """python-hl7: a file of frames, and one of messages with line feeds; it sends each without its last carriage return."""
    framed = [result(f"PYHL7-{number}", 1 + number) for number in range(3)]
    file = bench.file("framed", b"".join(START + data + END for data in framed))
    answer = bench.run(bench.tools / "mllp_send", "-p", bench.service.mllp, "-f", file, "127.0.0.1")
    bench.took(answer, *(data.rstrip(b"\r") for data in framed))
    loose = [result(f"PYHL7-L{number}") for number in range(2)]
    file = bench.file("loose", b"".join(data.replace(b"\r", b"\n") for data in loose))
    answer = bench.run(bench.tools / "mllp_send", "--loose", "-p", bench.service.mllp, "-f", file, "127.0.0.1")
    bench.took(answer, *(data.rstrip(b"\r") for data in loose))


def hl7apy(bench: Bench) -> None:
    file = bench.file("hl7apy", result("TEMPLATE"))
    told = json.loads(bench.run(bench.tools / "python", HERE / "python_clients.py", "hl7apy", bench.service.mllp, file))
    bench.taken[told["sent"].encode()] = 1


def node(bench: Bench) -> None:
    """node-hl7-client: several messages over one connection, each behind the answer to the one before it."""
    messages = [result(f"NODE-{number}", 1 + number) for number in range(3)]
    files = [bench.file(f"node-{number}", data.rstrip(b"\r")) for number, data in enumerate(messages)]
    out = bench.run("node", bench.node / "send.mjs", bench.service.mllp, *files)
    told = [json.loads(line) for line in out.splitlines()]
    assert [(one["code"], one["id"]) for one in told] == [("AA", "NODE-0"), ("AA", "NODE-1"), ("AA", "NODE-2")], told
    for one, data in zip(told, messages, strict=True):
        bench.taken[one["sent"].encode()] = data.count(b"OBX|")


def proxy(bench: Bench) -> None:
    """mllp2http, which passes frames on to `POST /hl7`."""
    port = free_port()
    url = f"http://127.0.0.1:{bench.service.http}/hl7"
    message = result("PROXY-1", 2)
    with _proxy(bench.tools / "mllp2http", "-H", "127.0.0.1", "-p", port, url, port=port):
        bench.took(exchange(port, message), message)


@contextlib.contextmanager
def _proxy(*command: object, port: int) -> Iterator[None]:
    import socket

    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def curl(bench: Bench) -> None:
    """The HTTP door: conversions plain and packed, messages of both kinds, descriptions, refusals."""
    url = bench.service.url
    message = result("CURL-1", 3)
    plain, packed = bench.file("m", message), bench.file("m.gz", gzip.compress(message))
    status, converted = bench.curl("-H", ER7, "--data-binary", "@" + plain, url + "/convert")
    assert status == 200
    assert sum(entry["resource"]["resourceType"] == "Observation" for entry in json.loads(converted)["entry"]) == 3
    encoded = ("-H", "content-encoding: gzip")
    assert bench.curl("-H", ER7, *encoded, "--data-binary", "@" + packed, url + "/convert") == (200, converted)
    chunked = ("-H", "transfer-encoding: chunked")
    assert bench.curl("-H", ER7, *chunked, "--data-binary", "@" + plain, url + "/convert") == (200, converted)
    several = bench.file("several", message + result("CURL-2") + b"MSH|nonsense\r")
    status, lines = bench.curl("-H", ER7, "--data-binary", "@" + several, url + "/convert")
    assert status == 200
    assert [json.loads(line)["resourceType"] for line in lines.splitlines()] == ["Bundle", "Bundle", "OperationOutcome"]
    status, answer = bench.curl("-H", ER7, "--data-binary", "@" + plain, url + "/hl7")
    assert status == 200
    bench.took(answer, message)
    status, again = bench.curl("-H", ER7, "--data-binary", "@" + plain, url + "/hl7")
    assert (status, acknowledged(again)) == (200, [("AA", "CURL-1")])
    status, refused = bench.curl(
        "-H", ER7, "--data-binary", "@" + bench.file("adt", message.replace(b"ORU^R01^ORU_R01", b"ADT^A01")), url + "/hl7"
    )
    assert (status, acknowledged(refused)) == (400, [("AR", "CURL-1")])
    status, statement = bench.curl(url + "/fhir/metadata")
    assert (status, json.loads(statement)["resourceType"]) == (200, "CapabilityStatement")
    posted = ("-H", "content-type: application/fhir+json", "--data-binary")
    status, told = bench.curl(*posted, "@" + str(ROOT / "fixtures/fhir/message.json"), url + "/fhir/$process-message")
    assert (status, json.loads(told)["entry"][0]["resource"]["response"]["code"]) == (200, "ok")
    bench.fhir += 1
    status, told = bench.curl(*posted, '{"resourceType":"Bundle"', url + "/fhir/$process-message")
    assert (status, json.loads(told)["resourceType"]) == (400, "OperationOutcome")
    for path, kind in (
        ("/health", b"{"),
        ("/ready", b"{"),
        ("/openapi.json", b"{"),
        ("/docs", b"<!DOCTYPE"),
        ("/metrics", b"# HELP"),
    ):
        status, told = bench.curl(url + path)
        assert (status, told[: len(kind)]) == (200, kind), path


def fhir_clients(bench: Bench) -> None:
    """fhirpy and fhirclient: capability statement, $translate, $process-message."""
    for name in ("fhirpy", "fhirclient"):
        command = (bench.tools / "python", HERE / "python_clients.py", name, bench.service.url + "/fhir")
        told = json.loads(bench.run(*command, ROOT / "fixtures/fhir/message.json"))
        assert told["id"] == f"{name}-1"
        bench.fhir += 1


CLIENTS: tuple[Callable[[Bench], None], ...] = (mllp_send, hl7apy, node, proxy, curl, fhir_clients)


def main(tools: Path) -> int:
    with Service() as service:
        bench = Bench(service, tools)
        for client in CLIENTS:
            client(bench)
            print(f"{client.__name__}: acknowledged")
        service.check_delivered(bench.taken)
        rows = service.spool()
        assert len(rows) == len(bench.taken) + bench.fhir, f"{len(rows)} messages in the spool"
        assert {row["state"] for row in rows} == {"delivered"}
        assert not service.faults(), service.faults()[:5]
        print(f"{len(rows)} messages of {len(CLIENTS)} groups of clients, each acknowledged and delivered once")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
