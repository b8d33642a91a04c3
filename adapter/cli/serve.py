"""`b2m-adapter serve`: the service; its flags are the strongest settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

USAGE, BROKEN = 2, 3
EPILOG = (
    "Example:  b2m-adapter serve --config deploy/adapter.toml --- Exit status: 0 stopped by a signal; "
    "2 the settings or tables have faults, nothing was started; 3 a port or the spool is taken, or a part of it failed."
)


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings (TOML); environment and flags are stronger.", metavar="FILE")
    ] = None,
    mllp: Annotated[
        str, typer.Option("--mllp", help="Listen for MLLP here; off: do not. Default: 127.0.0.1:2575.", metavar="HOST:PORT")
    ] = "",
    http: Annotated[
        str, typer.Option("--http", help="Listen for HTTP here; off: do not. Default: 127.0.0.1:8575.", metavar="HOST:PORT")
    ] = "",
    spool: Annotated[
        Path | None, typer.Option("--spool", help="Folder of the spool. It holds patient data.", metavar="DIR")
    ] = None,
    to_folder: Annotated[
        Path | None, typer.Option("--to-folder", help="Deliver into this folder, one file a message.", metavar="DIR")
    ] = None,
    to_server: Annotated[str, typer.Option("--to-server", help="Deliver to this FHIR server.", metavar="URL")] = "",
    to_stdout: Annotated[bool, typer.Option("--to-stdout", help="Deliver to standard output, one line a message.")] = False,
    watch: Annotated[
        Path | None, typer.Option("--watch", help="Take files that senders drop into this folder.", metavar="DIR")
    ] = None,
    acknowledge: Annotated[
        str, typer.Option("--acknowledge", help="When MLLP acknowledges: commit or converted. Default: commit.", metavar="WHEN")
    ] = "",
    mappings: Annotated[
        list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone of times without offset, such as Europe/Berlin.", metavar="ZONE")
    ] = "",
    processes: Annotated[int, typer.Option("--processes", min=0, max=64, help="Converter processes. Default: 1.")] = 0,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error. Default: info.")] = "",
) -> None:
    """Receive messages over MLLP, HTTP or a folder, keep them safe, convert and deliver them."""
    from adapter.cli.config import refuse, settings_or_exit
    from adapter.service.checks import faults_of
    from adapter.service.logs import start_logs
    from adapter.service.loop import run
    from adapter.service.supervisor import SpoolInUse, Supervisor

    delivery: list[dict[str, Any]] = []
    if to_folder is not None:
        delivery.append({"name": "folder", "kind": "folder", "folder": to_folder})
    if to_server:
        delivery.append({"name": "server", "kind": "fhir-server", "url": to_server})
    if to_stdout:
        delivery.append({"name": "stdout", "kind": "stdout"})
    flags: dict[str, Any] = {
        "mllp": {**_address("--mllp", mllp), **({"acknowledge": acknowledge} if acknowledge else {})},
        "http": _address("--http", http),
        "spool": {"folder": spool} if spool is not None else {},
        "convert": {
            **({"mappings": mappings} if mappings else {}),
            **({"timezone": timezone} if timezone else {}),
            **({"processes": processes} if processes else {}),
        },
        "log": {"level": log_level} if log_level else {},
        **({"delivery": delivery} if delivery else {}),
        **({"watch": [{"name": "watched", "folder": watch}]} if watch is not None else {}),
    }
    settings = settings_or_exit(config, {name: section for name, section in flags.items() if section})
    faults = faults_of(settings)
    if faults:
        refuse(faults)
    # what the service writes holds patient data; every process inherits this
    os.umask(0o077)
    start_logs("supervisor", settings.log.level)
    try:
        if not run(_run(Supervisor, settings)):
            raise typer.Exit(BROKEN)
    except SpoolInUse as used:
        print(f"b2m-adapter: another service works on the spool {used}.", file=sys.stderr)
        raise typer.Exit(BROKEN) from None
    except OSError as failure:
        print(f"b2m-adapter: the service cannot start: {failure}", file=sys.stderr)
        raise typer.Exit(BROKEN) from None


async def _run(supervisor: Any, settings: Any) -> bool:
    # made inside the loop that its events belong to
    went_well: bool = await supervisor(settings).run()
    return went_well


def _address(flag: str, text: str) -> dict[str, Any]:
    """Read `HOST:PORT`, `PORT` or `off`."""
    if not text:
        return {}
    if text == "off":
        return {"enabled": False}
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        print(f"b2m-adapter: {flag} {text!r} is not HOST:PORT, PORT or off.", file=sys.stderr)
        raise typer.Exit(USAGE)
    return {"enabled": True, "port": int(port), **({"host": host.strip("[]")} if host else {})}
