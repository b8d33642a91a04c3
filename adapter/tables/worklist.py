"""The work list: which rows are missing, made of the issues of a run (`convert --issues FILE`), the most frequent first.

Issues of the same missing row are counted together. A draft has the cells that are known; what a person must decide (the meaning)
and `source` stay empty, so that the checker refuses the row until somebody has filled them in.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from adapter.tables.columns import CODE_MAP, COMMON_FILES, PACK_FILES, FileKind
from adapter.tables.missing import TARGETS

KEYS: dict[str, tuple[str, ...]] = {
    "codes": ("sender_application", "sender_facility", "code_system", "code", "name"),
    "units": ("spelling",),
    "senders": ("sender_application", "sender_facility"),
    "code_map": ("table", "code"),
}
"""Facts that tell one missing row from another."""

UNKNOWN_PACK = "unknown-pack"
_ASKS: dict[str, str] = {
    "unit-missing": "blank_unit",
    "time-without-zone": "time_zone",
    "identifier-without-system": "identifier_base",
    "code-without-system": "local_code_base",
    "code-unmapped": "loinc or analyte",
    "specimen-unknown": "loinc, or the specimen at the sender",
    "unit-unknown": "ucum",
    "code-not-mapped": "system, target",
    "flag-not-mapped": "system, target",
}


class IssueFileError(ValueError):
    """A line of an issue file is none; the message says which and why."""


class Draft(NamedTuple):
    """One missing row.

    Parameters
    ----------
    file : str
        Table file that it belongs to, e.g. `common/units.csv`.
    seen : int
        How many issues it would end.
    slugs : tuple of str
        Slugs of these issues.
    cells : dict of str to str
        Every column of the file; `note` says how often it was seen and what to fill in.
    """

    file: str
    seen: int
    slugs: tuple[str, ...]
    cells: dict[str, str]


def read_issues(name: str, lines: Iterable[str]) -> list[Mapping[str, object]]:
    """Read an issue file.

    Parameters
    ----------
    name : str
        Its name, for the message of a fault.
    lines : iterable of str
        NDJSON, one issue a line.

    Returns
    -------
    list of mapping
        The issues.

    Raises
    ------
    IssueFileError
        A line is no JSON object with a slug.
    """
    issues: list[Mapping[str, object]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            issue = json.loads(line)
        except ValueError:
            issue = None
        if not isinstance(issue, dict) or "slug" not in issue:
            raise IssueFileError(f"{name}:{number}: the line is no issue; give a file that convert --issues wrote")
        issues.append(issue)
    return issues


def work_list(issues: Iterable[Mapping[str, object]]) -> list[Draft]:
    """Make drafts of the rows that are missing.

    Parameters
    ----------
    issues : iterable of mapping
        What `read_issues` gave; issues that no row would end are passed over.

    Returns
    -------
    list of Draft
        The most frequent first, then by file and key.
    """
    counted: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    refused: dict[tuple[str, ...], str] = {}
    for issue in issues:
        slug, facts = str(issue["slug"]), issue.get("facts")
        target = TARGETS.get(slug)
        if target is None or not isinstance(facts, dict):
            continue
        if target == "code_map" and not facts.get("code"):
            # shown by --show-phi only, where the field may hold what belongs to a patient
            facts = {**facts, "code": issue.get("value", "")}
        key = tuple(str(facts.get(name, "")) for name in KEYS[target])
        if not any(key):
            continue
        found = (_file(target, facts), target, *key)
        counted[found][slug] += 1
        if "refused" in facts:
            refused[found] = str(facts["refused"])
    drafts = [_draft(key, slugs, refused.get(key, "")) for key, slugs in counted.items()]
    return sorted(drafts, key=lambda draft: (-draft.seen, draft.file, draft.cells["id"]))


def kind_of(draft: Draft) -> FileKind:
    """Columns of the file that a draft belongs to."""
    folder, _, name = draft.file.removesuffix(".csv").rpartition("/")
    if folder == "common/tables":
        return CODE_MAP
    return (COMMON_FILES if folder == "common" else PACK_FILES)[name]


def _file(target: str, facts: Mapping[str, object]) -> str:
    if target == "codes":
        return f"{facts.get('pack') or UNKNOWN_PACK}/codes.csv"
    if target == "code_map":
        return f"common/tables/{facts.get('table')}.csv"
    return f"common/{target}.csv"


def _draft(key: tuple[str, ...], slugs: Counter[str], refused: str) -> Draft:
    file, target, *values = key
    count = slugs.total()
    digest = hashlib.sha256("\x1f".join(key).encode()).hexdigest()[:10]
    asks = dict.fromkeys(_ASKS[slug] for slug in sorted(slugs))
    note = f"seen {count} time{'s' * (count > 1)} ({', '.join(sorted(slugs))}); fill in: {'; '.join(asks)} and source"
    if refused:
        note += f"; refused on purpose by row {refused}: ask the sender first"
    if target == "code_map" and not values[1]:
        note += "; the field may hold what belongs to a patient: run convert with --show-phi to see the code"
    known = {"id": f"{target.replace('_', '-')}-{digest}", "note": note} | dict(zip(KEYS[target], values, strict=True))
    draft = Draft(file, count, tuple(sorted(slugs)), {})
    return draft._replace(cells={column: known.get(column, "") for column in kind_of(draft).header})
