"""A client that posts messages to an HTTP address: v2 as HL7 over HTTP, FHIR as FHIR JSON.

A v2 acknowledgement in the answer counts more than the HTTP status. Redirects are not followed: a message, and the token, go
nowhere but where they were sent.
"""

from __future__ import annotations

import ssl
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple

from adapter.clients.mllp import ConnectionBroken

if TYPE_CHECKING:
    import aiohttp

ER7 = "x-application/hl7-v2+er7"
FHIR_JSON = "application/fhir+json"
#: Largest answer that is kept.
ANSWER_LIMIT = 64 * 2**20


class HttpReply(NamedTuple):
    """An answer.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes
        What came with it.
    nanoseconds : int
        From sending to the end of the answer.
    """

    status: int
    body: bytes
    nanoseconds: int


class HttpClient:
    """Posts messages to one address; connections are kept open.

    Parameters
    ----------
    url : str
        Address.
    tls : ssl.SSLContext, optional
        Own authority or certificate; default: those of the system.
    token : str
        Sent as bearer token; empty: none.
    connections : int
        How many at once.
    timeout_milliseconds : int
        For each answer.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        token: str = "",
        connections: int = 1,
        timeout_milliseconds: int = 30_000,
    ) -> None:
        self._url = url
        self._tls = tls
        self._token = token
        self._connections = connections
        self._timeout_milliseconds = timeout_milliseconds
        self._session: aiohttp.ClientSession | None = None

    async def send(self, data: bytes, *, fhir: bool) -> HttpReply:
        """Post a message; raises `ConnectionBroken`.

        Parameters
        ----------
        data : bytes
            The message.
        fhir : bool
            Whether it is FHIR JSON, not v2.

        Returns
        -------
        HttpReply
            Whatever the status.
        """
        import aiohttp

        session = self._opened()
        headers = {"Content-Type": FHIR_JSON if fhir else ER7}
        started = perf_counter_ns()
        try:
            async with session.post(self._url, data=data, headers=headers, allow_redirects=False) as response:
                body = await response.content.read(ANSWER_LIMIT)
                while not response.content.at_eof():
                    await response.content.readany()
                return HttpReply(response.status, body, perf_counter_ns() - started)
        except TimeoutError:
            raise ConnectionBroken("timeout") from None
        except aiohttp.ClientSSLError:
            raise ConnectionBroken("tls-failed") from None
        except aiohttp.ClientConnectorError:
            raise ConnectionBroken("connection-refused") from None
        except (aiohttp.ClientError, OSError):
            raise ConnectionBroken("connection-closed") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._tls if self._tls is not None else True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_milliseconds / 1000),
                headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
