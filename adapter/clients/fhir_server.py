"""A FHIR server over HTTP: requests out, an `Answer` back; nothing is raised for what a server or the network does.

Connections are kept alive. Redirects are never followed: a server that moved is a fault to be told, and no token goes to another
host. What a server writes is read up to a limit and may hold patient data: it stays in `Answer.body`; `Answer.fault` and
`outcome_codes` give what may be logged.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson

from adapter.clients.oauth import Credentials, TokenFault

if TYPE_CHECKING:
    import aiohttp

FHIR_JSON = "application/fhir+json"
_ANSWER_LIMIT = 64 * 2**20
# FHIRPath of an element, without literals: a literal may be what the sender wrote
_EXPRESSION = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]()]{0,199}")
_CODE = re.compile(r"[a-z][a-z-]{0,39}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Parameters
    ----------
    status : int
        HTTP status; 0 when there was no whole answer.
    headers : mapping
        Names in lower case.
    body : bytes
        The content.
    fault : str
        Why there is no answer, in words without patient data: `connection refused`, `timeout`, `no token: ...`.
    sent : bool
        Whether the request may have reached the server.
    waited : float
        Seconds after which an answer was waited for no longer; the server may be at it still. 0: it is not.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    sent: bool = True
    waited: float = 0

    def json(self) -> Any:
        """Content as JSON, with numbers that are not exact; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def retry_after(self, now: float | None = None) -> float:
        """Seconds that the server asks to wait (RFC 9110, section 10.2.3: seconds or a date); 0 where it asks for none.

        Parameters
        ----------
        now : float, optional
            Seconds since 1970, to compare a date with; default: the clock.
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return int(text[:9])
        try:
            moment = parsedate_to_datetime(text).timestamp()
        except (TypeError, ValueError, IndexError, OverflowError):
            return 0
        return max(moment - (time.time() if now is None else now), 0)


class FhirServer:
    """A FHIR server.

    Parameters
    ----------
    url : str
        Base of the server.
    credentials : Credentials, optional
        What it wants to be shown.
    tls : ssl.SSLContext, optional
        Own authority or client certificate; default: the system's.
    connections : int
        How many at once.
    timeout_seconds : float
        For a whole request.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = 8,
        timeout_seconds: float = 30,
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials = credentials
        self._tls = tls
        self._connections = connections
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def transaction(self, bundle: bytes) -> Answer:
        """Post a transaction Bundle to the base of the server."""
        return await self.request("POST", "", bundle)

    async def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request.

        Parameters
        ----------
        method : str
            `GET`, `POST`, `PUT`, `DELETE`.
        path : str
            Below the base, already encoded: `Patient/17`, `metadata`, `Observation?identifier=...`; empty: the base itself.
        body : bytes
            FHIR JSON; empty: none.
        headers : mapping, optional
            Further headers.

        Returns
        -------
        Answer
            After 401 the token is renewed once and the request sent again.
        """
        answer, token = await self._once(method, path, body, headers or {})
        if answer.status == 401 and self._credentials is not None and self._credentials.refused(token):
            answer, _ = await self._once(method, path, body, headers or {})
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, str]:
        import aiohttp
        from yarl import URL

        session = self._open()
        token = ""
        sent = {"Accept": FHIR_JSON, **({"Content-Type": FHIR_JSON} if body else {}), **headers}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if self._credentials is not None:
                    token = await self._credentials.token(session)
                    sent["Authorization"] = f"Bearer {token}"
                url = URL(f"{self.url}/{path}" if path else self.url, encoded=True)
                async with session.request(method, url, data=body or None, headers=sent, allow_redirects=False) as response:
                    text = await _read(response)
                    if text is None:
                        return Answer(fault="the answer is too large"), token
                    found = {name.lower(): value for name, value in response.headers.items()}
                    return Answer(response.status, found, text), token
        except TokenFault as fault:
            return Answer(fault=f"no token: {fault}", sent=False), token
        except TimeoutError:
            return Answer(fault=f"no answer within {self._timeout_seconds:g} s", waited=self._timeout_seconds), token
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            return Answer(fault=_words(failure), sent=not isinstance(failure, aiohttp.ClientConnectorError)), token

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(limit=self._connections + 1, ssl=True if self._tls is None else self._tls)
            # neither cookies nor proxies of the environment: the same request each time, to the host that was named
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Read an answer up to the limit; None beyond it."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > _ANSWER_LIMIT:
            response.close()
            return None
        parts.append(part)
    return b"".join(parts)


def _words(failure: Exception) -> str:
    """Name a fault of the network; the texts of exceptions hold addresses only, but are long."""
    import aiohttp

    if isinstance(failure, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError)):
        return "TLS fault: the server's certificate or protocol is not accepted, or ours is not"
    if isinstance(failure, aiohttp.ClientConnectorError):
        return f"no connection ({failure.strerror or type(failure).__name__})"
    if isinstance(failure, (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError)):
        return "the connection broke"
    return f"no usable answer ({type(failure).__name__})"


def outcome_codes(body: Any) -> str:
    """What an OperationOutcome says, as far as it may be logged: `issue.code` and `issue.expression`.

    Parameters
    ----------
    body : Any
        Content of an answer, as JSON.

    Returns
    -------
    str
        Such as `invalid at Bundle.entry[3].resource.status; required`; empty when the content is no OperationOutcome.
        `diagnostics` and `details` are left out, they may quote the patient.
    """
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return ""
    issues = body.get("issue")
    found: list[str] = []
    for issue in issues[:10] if isinstance(issues, list) else ():
        if not isinstance(issue, dict):
            continue
        code = issue.get("code")
        text = code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown"
        expressions = issue.get("expression")
        first = expressions[0] if isinstance(expressions, list) and expressions else None
        if isinstance(first, str) and _EXPRESSION.fullmatch(first):
            text += f" at {first}"
        found.append(text)
    return "; ".join(dict.fromkeys(found))
