"""What `work.db` records of a message, as plain values."""

from __future__ import annotations

from typing import Literal, NamedTuple

MessageState = Literal["converted", "rejected", "unselected", "dropped"]
DeliveryState = Literal["waiting", "delivered", "dead", "dropped"]


class Version(NamedTuple):
    """What stands at the receivers under one identity; decides what may overwrite what."""

    identity: str
    rank: int
    issued: str
    message_time: str
    number: int


class Delivery(NamedTuple):
    """State of one message at one destination.

    Parameters
    ----------
    destination : str
        Its name.
    state : {"waiting", "delivered", "dead", "dropped"}
        `dead`: refused for good, a person has to look.
    attempts : int
        How often it was tried.
    next_attempt : str
        Not before this moment (`files.instant`); empty: now.
    reason : str
        Why it is not delivered, without patient data.
    delivered_at : str
        When it was (`files.instant`).
    """

    destination: str
    state: DeliveryState
    attempts: int = 0
    next_attempt: str = ""
    reason: str = ""
    delivered_at: str = ""


class Finished(NamedTuple):
    """What became of one message.

    Parameters
    ----------
    number : int
        Of the message.
    state : {"converted", "rejected", "unselected", "dropped"}
        What the conversion made of it.
    slug : str
        Issue that rejected it.
    issues : bytes
        JSON array of objects with slug, place and detail; no patient data.
    tables : str
        Version of the tables.
    converted_at : str
        When (`files.instant`).
    patient : str
        As in `delivery.Parcel`.
    output : bytes or None
        The converted line; kept while one of the deliveries is waiting or dead.
    deliveries : tuple of Delivery
        One for each destination that the message has to reach.
    versions : tuple of Version
        What of it stands at the receivers from now on.
    """

    number: int
    state: MessageState
    slug: str = ""
    issues: bytes = b"[]"
    tables: str = ""
    converted_at: str = ""
    patient: str = ""
    output: bytes | None = None
    deliveries: tuple[Delivery, ...] = ()
    versions: tuple[Version, ...] = ()


class Waiting(NamedTuple):
    """A message that a destination has not taken yet; `output` is `None` when it has to be converted again."""

    number: int
    patient: str
    delivery: Delivery
    output: bytes | None


class Backlog(NamedTuple):
    """How much of one state there is at one destination (`""`: the messages themselves), and the oldest of it."""

    destination: str
    state: str
    messages: int
    oldest: int
