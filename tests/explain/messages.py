"""Helpers: a message taken apart, its account and its explanation."""

from functools import cache

from helpers.fixtures import tables

from adapter.config import Settings
from adapter.explain.account import Account, account_of
from adapter.explain.explanation import Element, Explanation, explain_v2
from adapter.explain.outputs import Workbench
from adapter.hl7v2.message import Message, read_message

HEADER = "MSH|^~\\&|LIS|LAB|||20260115103000-0500||ORU^R01|M1|P|2.5.1"
PID = "PID|||123^^^&2.16.840.1.113883.3.999.9&ISO||TEST^PATIENT"
OBR = "OBR|||FIL1^LIS|1952-1^B2M^LN|||20260115080000-0500||||||||||||||||||F"
OBX = "OBX||NM|1952-1^B2M^LN||2.45|mg/L|0.6-2.4||||F"


@cache
def workbench(form: str = "transaction", note_rows: bool = False) -> Workbench:
    return Workbench(tables(), Settings(to=form), note_rows=note_rows)


def read(*segments: str) -> Message:
    return read_message("\r".join((HEADER, *segments)).encode())


def account(*segments: str, form: str = "transaction") -> Account:
    message = read(*segments)
    found = account_of(message, message.source, workbench(form))
    assert found is not None
    return found


def fate(account: Account, place: str) -> tuple[str, str]:
    """What became of the component at a place, and the reason."""
    (found,) = [posting for posting in account.postings if posting.component.place == place]
    return found.kind, found.reason


def explanation(*segments: str) -> Explanation:
    message = read(*segments)
    found = explain_v2(message, message.source, workbench(note_rows=True))
    assert found is not None
    return found


def element(explanation: Explanation, name: str) -> Element:
    """The element of a name: `Observation[1].status`."""
    (found,) = [one for one in explanation.elements if f"{one.resource}.{one.name}" == name]
    return found


def places(element: Element) -> list[str]:
    return [source.component.place for source in element.sources]
