"""`b2m-adapter send`: messages to an MLLP or HTTP endpoint, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Sequence
    from contextlib import ExitStack

    from adapter.clients.answer import Tally
    from adapter.clients.endpoint import Endpoint
    from adapter.clients.sending import SendOptions
    from adapter.hl7v2.framing import RawMessage

ACCEPTED, REFUSED, USAGE, BROKEN = 0, 1, 2, 3
_BLOCK = 2**16

SEND_EPILOG = """
ENDPOINT is HOST:PORT, mllp://HOST:PORT, mllps://HOST:PORT (TLS), or an http(s):// address. A message is accepted by AA or CA
whose MSA-2 names it, over HTTP also by a status of 200 to 299. In enhanced mode the first acknowledgement decides, further ones
are counted. A message without an answer is not sent again.

Example:  b2m-adapter generate --count 100 | b2m-adapter send localhost:2575

Exit status: 0 all accepted; 1 at least one refused; 2 usage; 3 a connection or the input broke: some messages have no answer.
"""


def send(
    endpoint: Annotated[str, typer.Argument(help="Where to.", metavar="ENDPOINT")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files to send (.gz is unpacked); none or - means standard input.", metavar="[FILE]..."),
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Seconds to wait for a connection or an answer.")] = "30",
    rate: Annotated[str, typer.Option("--rate", help="At most so many messages a second. Default: no limit.")] = "",
    connections: Annotated[
        int,
        typer.Option("--connections", min=1, max=1000, help="Connections at once; a patient's messages stay on one, in order."),
    ] = 1,
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=1, max=10_000, help="Messages that may wait for an answer on one MLLP connection.")
    ] = 1,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS on MLLP; the other TLS options imply it.")] = False,
    tls_ca: Annotated[
        Path | None, typer.Option("--tls-ca", help="Trust these authorities instead of the system's.", metavar="FILE")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Own certificate, for mutual TLS.", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Key of the certificate.", metavar="FILE")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the bearer token for HTTP.", metavar="FILE")
    ] = None,
    results: Annotated[bool, typer.Option("--results", help="Write one line of JSON a message to standard output.")] = False,
    show_phi: Annotated[
        bool, typer.Option("--show-phi", help="Add the answer itself to --results. It may hold patient data.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1024, help="Largest message in bytes.")] = 64 * 2**20,
) -> None:
    """Send messages to an MLLP or HTTP endpoint and wait for the acknowledgement of each."""
    import asyncio

    from adapter.clients.endpoint import client_context, endpoint_of
    from adapter.clients.sending import SendOptions

    paths = files or [Path("-")]
    try:
        secured = tls or any((tls_ca, tls_cert, tls_key))
        where = endpoint_of(endpoint, tls=secured)
        options = SendOptions(
            connections=connections,
            in_flight=in_flight,
            timeout_milliseconds=scaled("--timeout", timeout, 1000),
            interval_nanoseconds=10**12 // scaled("--rate", rate, 1000) if rate else 0,
            tls=client_context(tls_ca, tls_cert, tls_key) if where.tls else None,
            token=token_file.read_text(encoding="utf-8").strip() if token_file is not None else "",
        )
        for path in paths:
            if str(path) != "-" and not path.is_file():
                raise ValueError(f"{path} is no file")
    except (OSError, ValueError) as error:
        typer.echo(f"b2m-adapter: {error}.", err=True)
        raise typer.Exit(USAGE) from None
    raise typer.Exit(asyncio.run(_send(where, paths, options, results=results, show_phi=show_phi, limit=limit)))


send.__doc__ = f"{send.__doc__}\n{SEND_EPILOG}"


def scaled(name: str, text: str, factor: int) -> int:
    """Read a decimal number and give its multiple as an integer, 1 at least."""
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or not 0 < value < 10**9:
        raise ValueError(f"{name} {text} is no positive number")
    return max(int(value * factor), 1)


async def _send(
    where: Endpoint, paths: Sequence[Path], options: SendOptions, *, results: bool, show_phi: bool, limit: int
) -> int:
    import sys
    import zlib
    from collections import Counter
    from time import perf_counter_ns

    from adapter.clients.answer import Tally
    from adapter.clients.sending import send_messages
    from adapter.fhir.json import dumps

    tally = Tally()
    further: Counter[str] = Counter()
    broken = ""
    started = perf_counter_ns()
    try:
        async for answer in send_messages(where, _messages(paths, limit), options, further):
            tally.add(answer)
            if results:
                row = answer.row | ({"answer": answer.body.decode("utf-8", "replace")} if show_phi else {})
                sys.stdout.buffer.write(dumps(row) + b"\n")
        sys.stdout.flush()
    except* (OSError, EOFError, zlib.error) as group:
        broken = f"input or output broke: {group.exceptions[0]}"
    _tell(tally, further, perf_counter_ns() - started, broken)
    if broken or tally.fates["unanswered"] or tally.fates["not-sent"]:
        return BROKEN
    return REFUSED if tally.fates["refused"] else ACCEPTED


def _tell(tally: Tally, further: Counter[str], nanoseconds: int, broken: str) -> None:
    for line in tally.lines(nanoseconds):
        typer.echo(f"b2m-adapter: {line}", err=True)
    if further:
        codes = ", ".join(f"{code or 'no acknowledgement'} {count}" for code, count in sorted(further.items()))
        typer.echo(f"b2m-adapter: further answers to messages that had one: {codes}", err=True)
    if broken:
        typer.echo(f"b2m-adapter: {broken}", err=True)


async def _messages(paths: Sequence[Path], limit: int) -> AsyncIterator[RawMessage]:
    """Read files block by block, in a thread, so that a slow pipe does not keep answers from being read."""
    import asyncio
    from contextlib import ExitStack

    from adapter.intake import Intake

    for path in paths:
        with ExitStack() as stack:
            file = _opened(path, stack)
            intake = Intake(limit=limit)
            while block := await asyncio.to_thread(file.read1, _BLOCK):  # type: ignore[attr-defined]
                for raw in intake.feed(block):
                    yield raw
            for raw in intake.finish():
                yield raw


def _opened(path: Path, stack: ExitStack) -> BinaryIO:
    import gzip
    import sys

    if str(path) == "-":
        return sys.stdin.buffer
    if path.suffix == ".gz":
        return stack.enter_context(gzip.open(path, "rb"))  # type: ignore[return-value]
    return stack.enter_context(path.open("rb"))
