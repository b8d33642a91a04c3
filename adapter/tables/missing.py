"""What a table row would need that nobody has written yet: facts for the issues that a new row would end.

An issue such as `code-unmapped` gets the key cells of the row that is missing: code, coding system and name of the test, unit
spelling, sender. `worklist.py` makes rows of them. Facts hold words of laboratories only, never a value or anything of a patient.

Most issues of a v2 message miss a row of the sender. Their facts are the sender, the same for all of them: `facts_of` gives them
to who reads them, and a conversion does not wait for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapter.fhir.canonical import LOINC
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue
from adapter.tables.check_rows import fold
from adapter.tables.index import Tables

TARGETS: dict[str, str] = {
    "code-unmapped": "codes",
    "specimen-unknown": "codes",
    "unit-unknown": "units",
    "unit-missing": "senders",
    "time-without-zone": "senders",
    "identifier-without-system": "senders",
    "code-without-system": "senders",
    "code-not-mapped": "code_map",
    "flag-not-mapped": "code_map",
}
"""Table file in which a row would end an issue, by slug."""

Facts = tuple[tuple[str, str], ...]

_MORE_THAN_SENDER = frozenset(slug for slug, target in TARGETS.items() if target != "senders")
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})\[\d+\]-(\d+)")
_COMPONENT = re.compile(r"component\[(\d+)\]")
#: Fields whose codes are words of laboratories; every other one (OBX-5 above all) may hold what belongs to a patient.
_CODED_BY_LABORATORIES = {
    ("OBX", 2), ("OBX", 3), ("OBX", 6), ("OBX", 8), ("OBX", 11), ("OBR", 4), ("OBR", 11), ("OBR", 15), ("OBR", 24), ("OBR", 25),
    ("ORC", 1), ("ORC", 5), ("SPM", 4), ("SPM", 21), ("SPM", 24),
}  # fmt: skip
_LONGEST_CODE = 40


def with_facts(
    issues: Iterable[Issue],
    tables: Tables,
    applications: Sequence[str],
    facilities: Sequence[str],
    context: ObservationContext | None = None,
) -> list[Issue]:
    """Add the facts that a new row would need to the issues that it would end.

    Parameters
    ----------
    issues : iterable of Issue
        What was noticed.
    tables : Tables
        Tables in force.
    applications, facilities : sequence of str
        Components of the sender's names (MSH-3, MSH-4).
    context : ObservationContext, optional
        The Observation that the issues are about.

    Returns
    -------
    list of Issue
        In the same order; others are the same objects.
    """
    sender = sender_facts(applications, facilities)
    told = []
    for issue in issues:
        target = TARGETS.get(issue[0])
        if target is not None:
            more = () if target == "senders" else tuple(_facts(issue, tables, applications, facilities, context))
            issue = issue._replace(facts=sender + more)
        told.append(issue)
    return told


def with_row_facts(
    issues: list[Issue],
    tables: Tables,
    applications: Sequence[str],
    facilities: Sequence[str],
    context: ObservationContext | None = None,
) -> list[Issue]:
    """Same as `with_facts`, but issues that miss a row of the sender stay as they are: `facts_of` knows their facts."""
    if _MORE_THAN_SENDER.isdisjoint([issue[0] for issue in issues]):
        return issues
    return [
        with_facts([issue], tables, applications, facilities, context)[0] if issue[0] in _MORE_THAN_SENDER else issue
        for issue in issues
    ]


def facts_of(issue: Issue, sender: Facts) -> Facts:
    """Give the facts of an issue of a message from this sender (`sender_facts`)."""
    return sender if not issue.facts and TARGETS.get(issue.slug) == "senders" else issue.facts


def sender_facts(applications: Sequence[str], facilities: Sequence[str]) -> Facts:
    """Give the facts that name a sender.

    Parameters
    ----------
    applications, facilities : sequence of str
        Components of its names (MSH-3, MSH-4).

    Returns
    -------
    tuple of (str, str)
        Columns of `senders.csv` and their cells.
    """
    return (
        ("sender_application", applications[0] if applications else ""),
        ("sender_facility", facilities[0] if facilities else ""),
    )


def _facts(
    issue: Issue, tables: Tables, applications: Sequence[str], facilities: Sequence[str], context: ObservationContext | None
) -> Iterable[tuple[str, str]]:
    target = TARGETS[issue.slug]
    if target == "code_map":
        yield "table", "0078" if issue.slug == "flag-not-mapped" else issue.detail.removeprefix("table ")
        yield "code", _laboratory_code(issue)
    elif context is not None:
        element = _element(issue, context.observation)
        if target == "units":
            quantity = element.get("valueQuantity", {})
            spelling = quantity.get("code") or quantity.get("unit") or ""
            yield "spelling", spelling
            if spelling in tables.units_refused:
                yield "refused", tables.units_refused[spelling].id
        elif target == "codes":
            base = row.local_code_base if (row := tables.sender(applications, facilities)) is not None else ""
            yield from _test(element.get("code", {}), tables, base)
    elif target == "units":
        yield "spelling", _laboratory_code(issue)


def _element(issue: Issue, observation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Observation, or the component that the issue names."""
    found = _COMPONENT.search(issue.place)
    return observation["component"][int(found[1])] if found else observation


def _test(code: Mapping[str, Any], tables: Tables, base: str) -> Iterable[tuple[str, str]]:
    codings = code.get("coding", [])
    local = [coding for coding in codings if coding.get("system") != LOINC] or codings or [{}]
    coding = local[0]
    name = coding.get("display") or code.get("text", "")
    yield "code_system", (coding.get("system", "").removeprefix(base) if base else coding.get("system", "")) or _name(coding)
    yield "code", coding.get("code", "")
    yield "name", name
    yield "pack", next(iter(sorted(_packs(coding.get("code", ""), name, tables))), "")


def _packs(code: str, name: str, tables: Tables) -> set[str]:
    """Packs whose rows have the code, or a name that stands within the name."""
    found = {pack.name for pack, _ in tables.codes.get(code, ())}
    within = tables.telling_names.search(fold(name))
    for known in (fold(name), within):
        found |= {pack.name for pack, _ in tables.names.get(known, ())}
    return found


def _name(coding: Mapping[str, Any]) -> str:
    """Name of a coding system without URI, where the conversion of v2 keeps it."""
    extensions = coding.get("_system", {}).get("extension", ())
    return next((extension["valueString"] for extension in extensions if "valueString" in extension), "")


def _laboratory_code(issue: Issue) -> str:
    """The code as sent, where its field holds words of laboratories only; empty where it could be a patient's."""
    field = _FIELD.match(issue.place)
    if field is None or (field[1], int(field[2])) not in _CODED_BY_LABORATORIES or len(issue.value) > _LONGEST_CODE:
        return ""
    return issue.value
