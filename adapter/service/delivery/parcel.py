"""What a destination gets, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Parcel(NamedTuple):
    """The output of one message.

    Parameters
    ----------
    number : int
        Number of the message in the spool.
    digest : bytes
        SHA-256 of the message as it came.
    patient : str
        Keys with blanks between them. Messages that have one in common (a patient, above all) keep their order; empty: unknown.
    line : bytes
        The output, without line end; several lines for NDJSON.
    transaction : bool
        Whether it is a transaction Bundle.
    shared : tuple of str
        Searches of the shared resources that it creates; see `shared.py`.
    """

    number: int
    digest: bytes
    patient: str
    line: bytes
    transaction: bool
    shared: tuple[str, ...]


class Delivered(NamedTuple):
    """The destination has it, durably as far as it says so."""


class Again(NamedTuple):
    """Not delivered; to be tried again.

    Parameters
    ----------
    reason : str
        Why, without patient data.
    after : float
        Seconds that the destination asks to wait; 0: it asks for none.
    limit : int
        With so many attempts the message is dead (where the fault may be the destination's: once others went through); 0: no
        limit.
    destination : bool
        Whether the fault is (or may be) the destination's; it counts for the circuit breaker then.
    message : bool
        Whether the fault may be the message's: one that fails again and again while others go through is dead in the end.
    """

    reason: str
    after: float = 0
    limit: int = 0
    destination: bool = True
    message: bool = True


class Dead(NamedTuple):
    """Refused for good; a person has to look.

    Parameters
    ----------
    reason : str
        Why, without patient data.
    """

    reason: str


Result = Delivered | Again | Dead


class Destination(Protocol):
    """A place to which output goes.

    Attributes
    ----------
    name : str
        As configured.
    batch : int
        How many parcels it takes at once; they are in order then, whatever the patient.
    concurrency : int
        How many calls of `deliver` may be under way; a patient is never in two of them.
    """

    name: str
    batch: int
    concurrency: int

    async def deliver(self, parcels: Sequence[Parcel]) -> list[Result]:
        """Deliver parcels, in order; one result each. Raises nothing for what the other side does."""

    async def close(self) -> None:
        """Let go of connections."""
