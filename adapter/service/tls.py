"""TLS of the doors: contexts from the settings, TLS 1.2 and newer only (RFC 8996, RFC 9325)."""

from __future__ import annotations

import ssl

from adapter.service.settings import TlsSettings

#: TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325, section 4.2); TLS 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """Make the context of a door.

    Parameters
    ----------
    settings : TlsSettings
        Certificate (with the chain behind it), key, and the authority of the clients.

    Returns
    -------
    ssl.SSLContext or None
        None without a certificate: the door speaks plain text. With `client_ca`, a client without a certificate of that
        authority does not get past the handshake.

    Raises
    ------
    OSError
        A file cannot be read, or is no certificate or key (`ssl.SSLError`).
    """
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    if settings.client_ca is not None:
        context.load_verify_locations(settings.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    """Answer the question for a password at once: a service has no terminal on which somebody could type it."""
    return ""
