"""Credentials for an HTTP server: a fixed bearer token, or OAuth 2 client credentials (RFC 6749, section 4.4).

A token is kept until shortly before its end, asked for by one request at a time, and thrown away when the server refuses it.
Secrets are never written anywhere; a fault names the token endpoint's status and its error code only.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote_plus, urlsplit

import orjson

if TYPE_CHECKING:
    import aiohttp

# A token that ends within this time is renewed before it is used.
_MARGIN_SECONDS = 30
# Lifetime where the answer names none (RFC 6749, section 5.1 recommends to name one).
_DEFAULT_SECONDS = 300
_ANSWER_LIMIT = 64 * 1024
# RFC 6749, section 5.2
_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)


class TokenFault(Exception):  # noqa: N818  (as the other faults of this program)
    """No token can be had; `str()` says why, without secrets."""


class Credentials(Protocol):
    """What a client shows to a server."""

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Give the bearer token for the next request; raises `TokenFault`."""

    def refused(self, token: str) -> bool:
        """Hear that the server answered 401 to a token; tells whether another one may work."""


class BearerToken:
    """A fixed token, read again each time where it stands in a file.

    Parameters
    ----------
    read : callable
        Gives the token.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Give the token; raises `TokenFault` where its file cannot be read."""
        try:
            return self._read()
        except OSError as failure:
            raise TokenFault(f"the file of the token cannot be read ({failure.strerror})") from None

    def refused(self, token: str) -> bool:
        """Tell whether the file holds another token by now."""
        try:
            return self._read() != token
        except OSError:
            return False


class ClientCredentials:
    """OAuth 2 client credentials.

    Parameters
    ----------
    token_url : str
        The token endpoint: `https`, or `http` on this machine (RFC 6749, section 3.2: the secret needs TLS).
    client_id : str
        Name of the client.
    secret : callable
        Gives the secret of the client.
    scope : str
        Scope that is asked for; empty: the server's default.
    clock : callable
        Monotonic seconds.

    Raises
    ------
    ValueError
        The token endpoint would get the secret in the clear.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        secret: Callable[[], str],
        scope: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(token_url)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError("token_url must be https: the client's secret goes there")
        self._url, self._client_id, self._secret, self._scope = token_url, client_id, secret, scope
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = clock()

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Give a token that is good for some time yet; raises `TokenFault`."""
        async with self._lock:
            if not self._token or self._clock() >= self._until:
                self._token, seconds = await self._ask(session)
                # a token that lives shorter than the margin is used once
                self._until = self._clock() + max(seconds - _MARGIN_SECONDS, 0)
            return self._token

    def refused(self, token: str) -> bool:
        """Throw the token away; a new one may work."""
        if token == self._token:
            self._token = ""
        return True

    async def _ask(self, session: aiohttp.ClientSession) -> tuple[str, float]:
        import aiohttp

        try:
            secret = self._secret()
        except OSError as failure:
            raise TokenFault(f"the file of the client's secret cannot be read ({failure.strerror})") from None
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined
        basic = b64encode(f"{quote_plus(self._client_id)}:{quote_plus(secret)}".encode()).decode()
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
        try:
            async with session.post(self._url, data=form, headers=headers, allow_redirects=False) as response:
                text = await response.content.read(_ANSWER_LIMIT)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            raise TokenFault(f"the token endpoint does not answer ({type(failure).__name__})") from None
        try:
            answer = orjson.loads(text)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise TokenFault(f"the token endpoint answered {status} without JSON")
        if status != 200 or not isinstance(answer.get("access_token"), str) or not answer["access_token"].isprintable():
            error = answer.get("error")
            raise TokenFault(f"the token endpoint answered {status}" + (f" {error}" if error in _ERRORS else ""))
        if str(answer.get("token_type", "bearer")).lower() != "bearer":
            raise TokenFault("the token endpoint gave a token that is no bearer token")
        seconds = answer.get("expires_in", _DEFAULT_SECONDS)
        try:
            return answer["access_token"], max(int(seconds), 0)
        except (TypeError, ValueError):
            return answer["access_token"], _DEFAULT_SECONDS
