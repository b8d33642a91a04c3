"""Conversion in worker processes: chunks of messages out, outcomes back in input order, a bounded number under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from adapter.collector import settle
from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.load import load_tables

CHUNK_MESSAGES = 50
CHUNK_BYTES = 4 * 2**20

_pipeline: Pipeline | None = None


def _start(settings: Settings) -> None:
    global _pipeline
    _pipeline = Pipeline(load_tables(settings.mappings), settings)
    settle()


def _convert(chunk: list[RawMessage]) -> list[Outcome]:
    assert _pipeline is not None
    return [_pipeline(raw) for raw in chunk]


def _chunks(messages: Iterable[RawMessage]) -> Iterator[list[RawMessage]]:
    """Cut the stream by number and by size, so that a few large messages do not fill the memory."""
    chunk: list[RawMessage] = []
    size = 0
    for message in messages:
        chunk.append(message)
        size += len(message.data)
        if len(chunk) >= CHUNK_MESSAGES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def convert_in_workers(settings: Settings, messages: Iterable[RawMessage], jobs: int) -> Iterator[Outcome]:
    """Convert with several processes, in input order.

    Parameters
    ----------
    settings : Settings
        How to convert; each worker loads the tables itself.
    messages : iterable of RawMessage
        The input.
    jobs : int
        Number of processes.

    Yields
    ------
    Outcome
        In input order. At most `3 * jobs` chunks are under way.
    """
    chunks = _chunks(messages)
    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(settings,)) as pool:
        pending: deque[Future[list[Outcome]]] = deque(pool.submit(_convert, chunk) for chunk in islice(chunks, 3 * jobs))
        while pending:
            yield from pending.popleft().result()
            for chunk in islice(chunks, 1):
                pending.append(pool.submit(_convert, chunk))
