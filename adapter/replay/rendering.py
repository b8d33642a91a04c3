"""Reports of a replay as text, JSON and JUnit XML."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from adapter.clients.answer import milliseconds
from adapter.fhir.json import dumps
from adapter.replay.report import MessageResult, Origin, Report, Status

_SHOWN_MESSAGES = 5
_SHOWN_CHANGES = 12
_SHOWN_TEXT = 160
_SHOWN_PLACES = 4
_STATUS: dict[Status, str] = {
    "same": "as accepted",
    "equivalent": "other bytes, same meaning",
    "different": "different",
    "missing": "without accepted output",
    "gone": "gone",
}
#: Characters that XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_lines(report: Report, *, every: bool = False) -> Iterator[str]:
    """Write a report for people: groups by cause, the messages that differ, what makes the run fail, a summary.

    Parameters
    ----------
    report : Report
        The report.
    every : bool
        Whether to show every message and change, not the first ones of each.

    Yields
    ------
    str
        Lines.
    """
    for group in report.groups:
        yield f"{_counted(len(group.messages), 'message')}: {report.causes[group.cause]}"
    differing = [message for message in report.messages if message.failed]
    # a few messages of each cause: those of the second cause must not be hidden behind a hundred of the first one
    limit = len(report.messages) if every else _SHOWN_MESSAGES
    wanted = {number for group in report.groups for number in group.messages[:limit]}
    shown = [message for number, message in enumerate(report.messages) if number in wanted]
    for message in shown:
        yield ""
        yield from message_lines(report, message, every=every)
    for status, words in (("missing", "has no accepted output"), ("gone", "is gone; its accepted output is still there")):
        others = [message for message in differing if message.status == status]
        if others:
            yield ""
        yield from (f"{message.name} {words}" for message in others[:limit])
        if len(others) > limit:
            yield f"and {len(others) - limit} more (--all names them)"
    hidden = sum(message.status == "different" for message in differing) - len(shown)
    if hidden > 0:
        yield f"\nand {_counted(hidden, 'message')} more for the same causes (--all shows them)"
    if differing:
        yield ""
    for versions in report.versions:
        if report.groups and versions.folder:
            said = [
                f"tables {versions.old_tables[:12]} -> {versions.new_tables[:12]} ({_counted(versions.rows, 'row')})",
                f"program {versions.old_program} -> {versions.new_program} ({_counted(versions.parts, 'part')} other)",
                *(f"setting {setting}" for setting in versions.settings),
            ]
            yield f"since {versions.folder} was accepted: {'; '.join(said)}"
    yield from report.faults
    yield from against_lines(report)
    yield summary(report)


def against_lines(report: Report) -> Iterator[str]:
    """Say what is to be said of the running service that gave the outputs."""
    against = report.against
    if against is None:
        return
    answers = ", ".join(f"{count} times {code}" for code, count in against.answers.items()) or "no answer"
    read = f", {_counted(against.results, 'output')} read back" if against.results else ""
    yield f"through {against.door} {against.endpoint}: {answers}{read}; {milliseconds(against.nanoseconds)} ms"
    if against.latencies:
        yield "answered after (ms): " + ", ".join(f"{name} {milliseconds(one)}" for name, one in against.latencies.items())
    if against.tables:
        yield f"the service: program {against.program or 'not told'}, tables {against.tables[:12]}"
    yield from against.notes


def summary(report: Report) -> str:
    """Say in one line what a replay found."""
    found = Counter(message.status for message in report.messages)
    parts = [f"{found[status]} {words}" for status, words in _STATUS.items() if found[status] or status == "same"]
    count = sum(message.number > 0 for message in report.messages)
    accepted = f"; outputs of {_counted(report.accepted, 'file')} accepted" if report.accepted else ""
    return f"{_counted(count, 'message')}: {', '.join(parts)}{accepted}"


def message_lines(report: Report, message: MessageResult, *, every: bool = False) -> Iterator[str]:
    """Write what differs in one message: each element, old and new, what made it, and the causes.

    Parameters
    ----------
    report : Report
        Holds the causes.
    message : MessageResult
        The message.
    every : bool
        Whether to show every change.

    Yields
    ------
    str
        Lines.
    """
    yield message.name
    shown = message.changes if every else message.changes[:_SHOWN_CHANGES]
    for change in shown:
        yield f"  {change.path}"
        for sign, value, origins in (("-", change.old, change.old_from), ("+", change.new, change.new_from)):
            if value is not None:
                yield f"    {sign} {_cut(value, every)}{_from(origins)}"
        yield from (f"    cause: {report.causes[cause].title}" for cause in change.causes)
    if len(shown) < len(message.changes):
        yield f"  and {_counted(len(message.changes) - len(shown), 'element')} more (--all shows them)"


def _from(origins: Iterable[Origin]) -> str:
    """Say what made a value: enrichment with its rows, components with their rules and rows."""
    texts = []
    found = list(origins)
    for origin in found[:_SHOWN_PLACES]:
        rules = ", ".join(origin.rules)
        rows = "".join(f", row {row}" for row in origin.rows)
        texts.append(f"{origin.place} ({rules}{rows})" if origin.place and rules else f"{origin.place or rules}{rows}")
    more = f" and {len(found) - _SHOWN_PLACES} more" if len(found) > _SHOWN_PLACES else ""
    return f"   from {'; '.join(texts)}{more}" if texts else ""


def _cut(text: str, whole: bool) -> str:
    return text if whole or len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "..."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def json_bytes(report: Report) -> bytes:
    """Write a report as JSON: the fields of `adapter/replay/report.py`, and whether the run passed."""
    data = dataclasses.asdict(report)
    for row, message in zip(data["messages"], report.messages, strict=True):
        row["name"] = message.name
    data["passed"] = report.passed
    data["summary"] = summary(report)
    return dumps(data) + b"\n"


def junit_bytes(report: Report) -> bytes:
    """Write a report as JUnit XML: one test case a message; what makes the whole run fail is a case of its own."""
    failures = sum(message.failed for message in report.messages) + len(report.faults)
    count = len(report.messages) + len(report.faults)
    suite = ElementTree.Element("testsuite", name="b2m-adapter replay", tests=str(count), failures=str(failures), errors="0")
    if report.against is not None:
        properties = ElementTree.SubElement(suite, "properties")
        for name, nanoseconds in report.against.latencies.items():
            ElementTree.SubElement(properties, "property", name=f"latency {name} ms", value=milliseconds(nanoseconds))
    for message in report.messages:
        number = f"message {message.number}" if message.number else "accepted output"
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(message.file), name=number)
        if message.failed:
            _fail(case, _failure(message), "\n".join(message_lines(report, message, every=True)))
    for fault in report.faults:
        _fail(ElementTree.SubElement(suite, "testcase", classname="replay", name="run"), fault, fault)
    suites = ElementTree.Element("testsuites", tests=str(count), failures=str(failures))
    suites.append(suite)
    ElementTree.indent(suites)
    text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _failure(message: MessageResult) -> str:
    words = {"missing": "no accepted output", "gone": "the message is gone"}
    return words.get(message.status) or f"{_counted(len(message.changes), 'element')} differ"


def _fail(case: ElementTree.Element, said: str, text: str) -> None:
    ElementTree.SubElement(case, "failure", message=_xml(said)).text = _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
