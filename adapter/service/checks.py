"""What is wrong with settings of the service that are well-formed each by itself: everything that a start would stumble over.

`b2m-adapter config check` prints the list; `b2m-adapter serve` refuses to start while it is not empty.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from adapter.service.settings import FhirServerDestination, FolderDestination, ServiceSettings, TlsSettings
from adapter.tables.load import TableFaults, load_tables


def faults_of(settings: ServiceSettings) -> list[str]:
    """Find what keeps the service from starting or from doing what it should.

    Parameters
    ----------
    settings : ServiceSettings
        Settings as read.

    Returns
    -------
    list of str
        Each with the name of the setting, what is wrong and what to do; empty when all is well.
    """
    return [*_doors(settings), *_delivery(settings), *_conversion(settings), *_folders(settings)]


def loopback(host: str) -> bool:
    """Whether a door on this address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _doors(settings: ServiceSettings) -> Iterator[str]:
    if not settings.mllp.enabled and not settings.http.enabled and not settings.watch:
        yield "mllp.enabled: no door is open; enable mllp or http, or watch a folder."
    if settings.mllp.enabled:
        yield from _tls("mllp.tls", settings.mllp.tls)
    http = settings.http
    if not http.enabled:
        return
    yield from _tls("http.tls", http.tls)
    if http.token is not None and http.token_file is not None:
        yield "http.token: token and token_file are both given; keep one."
    if http.token_file is not None:
        yield from _secret("http.token_file", http.token_file)
    guarded = http.token is not None or http.token_file is not None or http.tls.client_ca is not None
    if not guarded and not http.allow_open and not loopback(http.host):
        yield (
            f"http.host: {http.host} is reached from other machines and nothing guards the door; "
            "give token_file or tls.client_ca, or say allow_open = true."
        )
    if settings.mllp.enabled and http.port and (http.host, http.port) == (settings.mllp.host, settings.mllp.port):
        yield "http.port: MLLP and HTTP cannot share a port."


def _delivery(settings: ServiceSettings) -> Iterator[str]:
    names = [destination.name for destination in settings.delivery]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"delivery: {name} is the name of two destinations; each needs its own."
    if not settings.delivery:
        yield "delivery: nothing takes the output; add a [[delivery]] of kind folder, stdout or fhir-server."
    for index, destination in enumerate(settings.delivery):
        where = f"delivery[{index}] ({destination.name})"
        if isinstance(destination, FolderDestination):
            yield from _writable(f"{where}.folder", destination.folder)
        if isinstance(destination, FhirServerDestination):
            if settings.convert.to != "transaction":
                yield f"{where}: a FHIR server takes transactions; set convert.to = 'transaction'."
            if not destination.url.startswith(("http://", "https://")):
                yield f"{where}.url: {destination.url!r} does not begin with http:// or https://."
            elif urlsplit(destination.url).username is not None:
                yield f"{where}.url: it holds credentials, which would be shown; use token_file or oauth."
            ways = [destination.token, destination.token_file, destination.oauth]
            if sum(way is not None for way in ways) > 1:
                yield f"{where}: token, token_file and oauth exclude each other; keep one."
            if destination.token_file is not None:
                yield from _secret(f"{where}.token_file", destination.token_file)
            if destination.oauth is not None:
                if (destination.oauth.client_secret is None) == (destination.oauth.client_secret_file is None):
                    yield f"{where}.oauth: give client_secret_file or client_secret."
                if destination.oauth.client_secret_file is not None:
                    yield from _secret(f"{where}.oauth.client_secret_file", destination.oauth.client_secret_file)
            for name in ("ca", "certificate", "key"):
                path = getattr(destination, name)
                if path is not None and not path.is_file():
                    yield f"{where}.{name}: {path} is no file."
            if (destination.certificate is None) != (destination.key is None):
                yield f"{where}: certificate and key go together."


def _conversion(settings: ServiceSettings) -> Iterator[str]:
    convert = settings.convert
    if convert.timezone:
        try:
            ZoneInfo(convert.timezone)
        except (KeyError, ValueError, OSError):
            yield f"convert.timezone: {convert.timezone!r} is no IANA zone; write one such as Europe/Berlin or UTC."
    for folder in convert.mappings:
        if not folder.is_dir():
            yield f"convert.mappings: {folder} is no folder."
            return
    try:
        tables = load_tables(convert.mappings)
    except TableFaults as found:
        yield from (f"convert.mappings: {fault}" for fault in found.faults)
        return
    for pack in convert.only:
        if pack not in tables.packs:
            yield f"convert.only: {pack!r} is no pack; there are {', '.join(sorted(tables.packs))}."


def _folders(settings: ServiceSettings) -> Iterator[str]:
    yield from _writable("spool.folder", settings.spool.folder)
    names = [watched.name for watched in settings.watch]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"watch: {name} is the name of two folders; each needs its own."
    for index, watched in enumerate(settings.watch):
        where = f"watch[{index}] ({watched.name}).folder"
        if not watched.folder.is_dir():
            yield f"{where}: {watched.folder} is no folder."
        elif not os.access(watched.folder, os.R_OK | os.W_OK | os.X_OK):
            yield f"{where}: {watched.folder} must be readable and writable: files are moved when they are done."


def _tls(where: str, tls: TlsSettings) -> Iterator[str]:
    if not tls.active:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(str(tls.certificate), str(tls.key))
    except (OSError, ssl.SSLError) as failure:
        yield f"{where}.certificate: {tls.certificate} and {tls.key} cannot be used: {failure}."
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(str(tls.client_ca))
        except (OSError, ssl.SSLError) as failure:
            yield f"{where}.client_ca: {tls.client_ca} cannot be used: {failure}."


def _secret(where: str, path: Path) -> Iterator[str]:
    try:
        if not path.read_text(encoding="utf-8").strip():
            yield f"{where}: {path} is empty."
        elif path.stat().st_mode & 0o007:
            yield f"{where}: {path} can be read by everybody; chmod 600."
    except (OSError, UnicodeDecodeError) as failure:
        yield f"{where}: {path} cannot be read: {failure}."


def _writable(where: str, folder: Path) -> Iterator[str]:
    """A folder that exists must be writable; one that does not must be possible to make."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest.parent != nearest:
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield f"{where}: {folder} cannot be written."
