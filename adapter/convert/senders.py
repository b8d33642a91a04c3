"""Who sent the message: MSH-3 and MSH-4 as names that `senders.csv` and the identity of resources use."""

from __future__ import annotations

from functools import lru_cache

from adapter.convert.environment import MEMO_ENTRIES
from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Message, valued


@lru_cache(MEMO_ENTRIES)
def hd_names(text: str) -> tuple[str, ...]:
    """Give namespace and universal id of an HD (HL7 v2.5.1 chapter 2, 2.A.33).

    Parameters
    ----------
    text : str
        The field in ER7.

    Returns
    -------
    tuple of str
        `(namespace,)` or `(namespace, universal id)`; empty when nothing is valued.
    """
    parts = [unescape(part) if valued(part) else "" for part in text.split("^")[:2]]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def sender_names(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the names of the sending application (MSH-3) and of the sending facility (MSH-4)."""
    header = message.segments[0]
    return hd_names(header[3]), hd_names(header[4])
