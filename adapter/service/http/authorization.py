"""Who may use the door: whoever has the token, or a certificate of the client authority; anybody on loopback.

A client certificate is checked in the TLS handshake, before there is a request. The token is compared in constant time.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from adapter.service.checks import loopback
from adapter.service.http.outcomes import Refusal
from adapter.service.settings import HttpSettings

#: A token that can be guessed protects nothing.
SHORTEST_TOKEN = 16


class AccessFault(Exception):  # noqa: N818  (a fault of the settings, as a table fault is one of the tables)
    """The door must not be opened as configured; the text says why, and what to do."""


class Authorization:
    """Checks the `Authorization` header (RFC 6750).

    Parameters
    ----------
    settings : HttpSettings
        Token, TLS, and where the door listens.

    Raises
    ------
    AccessFault
        Beyond loopback with neither token nor mutual TLS, or a token that is empty, too short or cannot be read.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._digest = _digest_of(settings)
        mutual = settings.tls.client_ca is not None
        if self._digest is None and not mutual and not settings.allow_open and not loopback(settings.host):
            raise AccessFault(
                f"http.host {settings.host} is not loopback, and nothing protects the door: "
                "set http.token_file, or http.tls.client_ca, or http.allow_open = true."
            )

    @property
    def needs_token(self) -> bool:
        """Whether requests need a token."""
        return self._digest is not None

    def reload(self) -> None:
        """Read the token again; raises `AccessFault` and keeps the old one when it cannot be used."""
        self._digest = _digest_of(self._settings)

    def check(self, header: bytes) -> None:
        """Check the header of a request.

        Parameters
        ----------
        header : bytes
            `Authorization` as sent; empty when it was not.

        Raises
        ------
        Refusal
            401.
        """
        if self._digest is None:
            return
        scheme, _, token = header.partition(b" ")
        # digests have one length, so that the comparison does not tell the length of the token
        if scheme.lower() != b"bearer" or not hmac.compare_digest(sha256(token.strip()).digest(), self._digest):
            raise Refusal("not-authorized", headers={"www-authenticate": "Bearer"})


def _digest_of(settings: HttpSettings) -> bytes | None:
    """Read the token and give its digest; None when there is none."""
    if settings.token_file is not None:
        try:
            token = settings.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise AccessFault(f"http.token_file {settings.token_file} cannot be read: {type(fault).__name__}.") from None
    elif settings.token is not None:
        token = settings.token.get_secret_value()
    else:
        return None
    if len(token) < SHORTEST_TOKEN or not token.isascii() or any(char.isspace() for char in token):
        raise AccessFault(f"the token of [http] needs at least {SHORTEST_TOKEN} characters of ASCII without blanks.")
    return sha256(token.encode()).digest()
