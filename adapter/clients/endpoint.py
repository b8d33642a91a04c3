"""Where messages are sent to: `HOST:PORT`, `mllp://HOST:PORT`, `mllps://HOST:PORT`, `http://...`, `https://...`."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

#: IANA: hl7.
MLLP_PORT = 2575


class Endpoint(NamedTuple):
    """An address.

    Parameters
    ----------
    protocol : {"mllp", "http"}
        What is spoken there.
    host : str
        Name or address.
    port : int
        Port.
    tls : bool
        Whether TLS is spoken (`mllps`, `https`, or because certificates are given).
    url : str
        For HTTP: the whole address.
    """

    protocol: str
    host: str
    port: int
    tls: bool
    url: str


def endpoint_of(text: str, *, tls: bool = False) -> Endpoint:
    """Read an address.

    Parameters
    ----------
    text : str
        As the user wrote it.
    tls : bool
        Whether MLLP goes over TLS whatever the scheme.

    Returns
    -------
    Endpoint
        MLLP when no scheme says otherwise.

    Raises
    ------
    ValueError
        What is wrong.
    """
    parts = urlsplit(text if "://" in text else f"mllp://{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} has no valid port") from None
    if parts.scheme not in ("mllp", "mllps", "http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no address; write HOST:PORT, mllp://HOST:PORT, mllps://HOST:PORT or http(s)://...")
    if parts.username is not None:
        raise ValueError("an address must not hold a name or password; use --token-file")
    if parts.scheme in ("http", "https"):
        if tls and parts.scheme == "http":
            raise ValueError("TLS options do not go with http://; write https://")
        return Endpoint("http", parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.scheme == "https", text)
    if parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{text!r}: an MLLP address ends with its port")
    return Endpoint("mllp", parts.hostname, port or MLLP_PORT, tls or parts.scheme == "mllps", "")


def client_context(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Make the TLS settings of a client; the server is always checked.

    Parameters
    ----------
    authority : Path or None
        Certificates of the authorities that are trusted; None: those of the system.
    certificate, key : Path or None
        Own certificate and its key, for mutual TLS.

    Returns
    -------
    ssl.SSLContext
        TLS 1.2 or later, name of the host checked.

    Raises
    ------
    ValueError
        When a file cannot be used.
    """
    if (certificate is None) != (key is None):
        raise ValueError("--tls-cert and --tls-key go together")
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority is not None else None)
        if certificate is not None and key is not None:
            # an encrypted key must not make the program ask on the terminal
            context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError) as failure:
        raise ValueError(f"a certificate or key cannot be used: {failure}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
