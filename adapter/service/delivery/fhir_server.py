"""Output as transactions to a FHIR server: what its answers mean.

| answer | meaning |
|---|---|
| 2xx with a transaction-response of as many entries, each 2xx | delivered |
| 2xx with anything else | again; after `GARBAGE_LIMIT` attempts dead, if others went through |
| no connection, 408, 425, 429, 5xx | again, not before `Retry-After` |
| no answer in time | again, not before that time has passed once more |
| 3xx, 401, 403, 407; 404, 405 and 410 without an OperationOutcome | again: the destination is not what the settings say |
| 409 | again, up to `CONFLICT_LIMIT` attempts: servers answer so when two transactions meet; then dead |
| any other 4xx | dead, with the codes of the OperationOutcome |

The same message is the same transaction each time, byte for byte, and all its requests are conditional or by id: a repetition
changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from adapter.clients.fhir_server import Answer, FhirServer, outcome_codes
from adapter.service.delivery.parcel import Again, Dead, Delivered, Parcel, Result
from adapter.service.delivery.shared import shared_transaction

GARBAGE_LIMIT = 5
CONFLICT_LIMIT = 3
#: How many shared resources are remembered to be there; one that was forgotten is asked for again.
SHARED_REMEMBERED = 50_000
_AGAIN = frozenset({408, 425, 429})
# a server that takes so many requests a second and no more refuses some of every message's attempts
_OVERLOADED = frozenset({429, 503})
_NOT_LET_IN = frozenset({401, 403, 407})
_NOT_THERE = frozenset({404, 405, 410})
# the server's answer need not repeat what it was sent
_HEADERS = {"Prefer": "return=minimal"}


class FhirServerDelivery:
    """A FHIR server.

    Parameters
    ----------
    name : str
        As configured.
    server : FhirServer
        The client.
    concurrency : int
        How many transactions may be under way.
    """

    batch = 1

    def __init__(self, name: str, server: FhirServer, concurrency: int) -> None:
        self.name = name
        self.concurrency = concurrency
        self._server = server
        self._there: dict[str, None] = {}
        self._one_at_a_time = asyncio.Lock()

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Result]:
        """Deliver, one after the other."""
        return [await self._deliver(parcel) for parcel in parcels]

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def _deliver(self, parcel: Parcel) -> Result:
        if not parcel.transaction:
            return Dead("the output is no transaction Bundle (a signed document or another sealed resource)")
        if not self._are_there(parcel.shared):
            async with self._one_at_a_time:
                # another message may have created them meanwhile
                if not self._are_there(parcel.shared):
                    result = await self._post(shared_transaction(parcel.line, parcel.shared))
                    if not isinstance(result, Delivered):
                        return result
                    self._remember(parcel.shared)
        return await self._post(parcel.line)

    async def _post(self, transaction: bytes) -> Result:
        answer = await self._server.request("POST", "", transaction, _HEADERS)
        if 200 <= answer.status < 300:
            return result_of(answer, len(orjson.loads(transaction).get("entry", ())))
        return result_of(answer, 0)

    def _are_there(self, searches: Iterable[str]) -> bool:
        return all(search in self._there for search in searches)

    def _remember(self, searches: Iterable[str]) -> None:
        for search in searches:
            self._there[search] = None
        while len(self._there) > SHARED_REMEMBERED:
            del self._there[next(iter(self._there))]


def result_of(answer: Answer, entries: int) -> Result:
    """Say what the answer to a transaction means.

    Parameters
    ----------
    answer : Answer
        What came back.
    entries : int
        Number of entries that were sent.

    Returns
    -------
    Delivered, Again or Dead
        By the table above.
    """
    status = answer.status
    if not status:
        # two of the same transaction at the same moment could both find nothing and create twice
        return Again(answer.fault, after=answer.waited, message=answer.sent)
    if 200 <= status < 300:
        fault = _response_fault(answer.json(), entries)
        return Again(f"{status}, but {fault}", limit=GARBAGE_LIMIT) if fault else Delivered()
    codes = outcome_codes(answer.json())
    reason = f"{status}: {codes}" if codes else f"{status}"
    if status >= 500 or status in _AGAIN:
        return Again(reason, after=answer.retry_after(), message=status not in _OVERLOADED)
    if status < 400:
        return Again(f"{status}: redirects are not followed; the url of the destination is another one", message=False)
    if status in _NOT_LET_IN:
        return Again(f"{reason}: the destination does not let us in; see its token, certificate and rights", message=False)
    if status in _NOT_THERE and not codes:
        reason = f"{status} without an OperationOutcome: the url of the destination is not the base of a FHIR server"
        return Again(reason, message=False)
    if status == 409:
        return Again(reason, limit=CONFLICT_LIMIT, destination=False)
    return Dead(reason)


def _response_fault(body: Any, entries: int) -> str:
    """What is wrong with the content of a 2xx answer; empty when it confirms every entry."""
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle" or body.get("type") != "transaction-response":
        return "no transaction-response"
    answered = body.get("entry", [])
    if not isinstance(answered, list) or len(answered) != entries:
        return f"not {entries} entries were answered"
    for number, entry in enumerate(answered):
        response = entry.get("response") if isinstance(entry, dict) else None
        status = response.get("status") if isinstance(response, dict) else None
        if not isinstance(status, str) or not status.startswith("2"):
            return f"entry {number} was not taken"
    return ""
