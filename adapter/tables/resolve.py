"""Finds the LOINC code of a result: `resolve_code`. A pure function; the answer carries the steps that led to it.

Order: a sent LOINC code with a right check digit; then rows of `codes.csv` by code, the most specific first; then rows
by name; a row that gives an analyte only is completed by axes (specimen, property from the unit's dimension, timing). What is
listed as something else is left alone. A contradiction is reported and repairs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapter.tables.axes import compatible, includes, of_timing, properties_of, unit_fits
from adapter.tables.check_rows import fold
from adapter.tables.index import BLANK, LOINC_SYSTEM, Pack, Tables, valued
from adapter.tables.loinc import is_loinc
from adapter.tables.lookups import Step
from adapter.tables.rows import LocalCodeRow, LoincRow, SenderRow


class Coding(NamedTuple):
    """One coding as sent: `system` is a URI or an HL7 v2 name, or empty."""

    system: str
    code: str
    display: str = ""


class CodeQuery(NamedTuple):
    """What is known about a result when its code is looked up.

    Parameters
    ----------
    codings : sequence of Coding
        As sent, in order.
    text : str
        Name of the test in words.
    specimen : str
        Specimen axis, empty when unknown.
    timing : str
        `spot`, `24h`, `timed` or empty.
    unit : str
        UCUM unit, empty when there is none or it is unknown.
    applications, facilities : sequence of str
        Components of the sender's names.
    """

    codings: Sequence[Coding] = ()
    text: str = ""
    specimen: str = ""
    timing: str = ""
    unit: str = ""
    applications: Sequence[str] = ()
    facilities: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a code is.

    Parameters
    ----------
    loinc : LoincRow or None
        The LOINC row; None when there is none.
    pack : Pack or None
        Pack of the row.
    row : str
        Id of the row that decided (`codes.csv`, `exclusions.csv` or `loinc.csv`).
    sent : bool
        Whether the sender sent this LOINC code.
    doubtful : bool
        Whether a row that was used is marked as doubtful.
    slug, detail : str
        Why there is no LOINC row (slug of an issue); both empty where no pack knows the test.
    conflicts : tuple of (str, str)
        Slug and detail of everything that a person should look at although a row was found, or beside the reason.
    steps : tuple of Step
        Everything that was looked up, in order.
    """

    loinc: LoincRow | None = None
    pack: Pack | None = None
    row: str = ""
    sent: bool = False
    doubtful: bool = False
    slug: str = ""
    detail: str = ""
    conflicts: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class _Search:
    """What a running look-up has gathered."""

    tables: Tables
    query: CodeQuery
    applications: tuple[str, ...]
    facilities: tuple[str, ...]
    sender: SenderRow | None
    steps: list[Step] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)

    def step(self, what: str, row: str = "") -> None:
        self.steps.append(Step(what, row))

    def fails(self, slug: str, detail: str, row: str = "", pack: Pack | None = None) -> Resolution:
        return Resolution(pack=pack, row=row, slug=slug, detail=detail, conflicts=tuple(self.conflicts), steps=tuple(self.steps))

    def system(self, coding: Coding) -> str:
        """System key of a coding; a system that was made of the sender's base and a local name counts as that name."""
        system = coding.system
        if self.sender is not None and self.sender.local_code_base:
            system = system.removeprefix(self.sender.local_code_base)
        return self.tables.system_key(system)


def resolve_code(tables: Tables, query: CodeQuery) -> Resolution:
    """Find the LOINC row of a result.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    query : CodeQuery
        What is known about the result.

    Returns
    -------
    Resolution
        A LOINC row, or the reason why there is none, with all steps.
    """
    search = _Search(
        tables, query, valued(query.applications), valued(query.facilities), tables.sender(query.applications, query.facilities)
    )
    if search.sender is not None:
        search.step("sender", search.sender.id)
    codings = [(search.system(coding), coding) for coding in query.codings]
    sent = [coding.code for system, coding in codings if system == LOINC_SYSTEM]
    if sent:
        found = _sent_loinc(search, sent)
        if found is not None:
            return found
    local = [(system, coding) for system, coding in codings if system != LOINC_SYSTEM]
    excluded = _exclusion(search, codings)
    if excluded is not None:
        return excluded
    match = _local_row(search, local)
    if isinstance(match, Resolution):
        return match
    if match is None:
        return _unmapped(search, codings)
    pack, row = match
    other = next((code for code in sent if is_loinc(code)), "")
    if other:
        detail = f"row {row.id} fits, but a LOINC code was sent that the pack {pack.name} does not have; it stands"
        return search.fails("code-unmapped", detail, row.id, pack)
    if row.loinc:
        loinc = tables.pack_of_loinc[row.loinc].loinc[row.loinc]
        return _found(search, tables.pack_of_loinc[row.loinc], loinc, row.id, doubtful=row.status == "doubtful")
    return _by_axes(search, pack, row)


def _sent_loinc(search: _Search, codes: Sequence[str]) -> Resolution | None:
    tables = search.tables
    for code in codes:
        if not is_loinc(code):
            search.step(f"sent LOINC {code!r}: the check digit is wrong")
            search.conflicts.append(("loinc-check-digit", "the code in the LOINC coding fails the check digit"))
            continue
        pack = tables.pack_of_loinc.get(code)
        search.step(f"sent LOINC {code}", pack.loinc[code].id if pack else "")
        if pack is None:
            continue
        row = pack.loinc[code]
        if search.sender is not None and not search.sender.trust_loinc:
            search.step("the sender's LOINC codes are not trusted", search.sender.id)
            return search.fails("loinc-not-trusted", f"row {search.sender.id} says so", search.sender.id, pack)
        return _found(search, pack, row, row.id, sent=True)
    return None


def _exclusion(search: _Search, codings: Sequence[tuple[str, Coding]]) -> Resolution | None:
    tables = search.tables
    for system, coding in codings:
        for pack, row in tables.excluded_codes.get(coding.code, ()):
            same_name = not row.name or fold(row.name) in (fold(coding.display), fold(search.query.text))
            if (not row.code_system or tables.system_key(row.code_system) == system) and same_name:
                search.step(f"exclusion of code {coding.code}", row.id)
                return search.fails("code-excluded", row.reason, row.id, pack)
    for name in _names(search, codings):
        excluded = tables.excluded_names.get(fold(name))
        if excluded is not None and not excluded[1].code:
            search.step(f"exclusion of name {name!r}", excluded[1].id)
            return search.fails("code-excluded", excluded[1].reason, excluded[1].id, excluded[0])
    return None


def _local_row(search: _Search, codings: Sequence[tuple[str, Coding]]) -> tuple[Pack, LocalCodeRow] | Resolution | None:
    """Row of `codes.csv` that fits best, by code and then by name; None when there is none."""
    best: list[tuple[Pack, LocalCodeRow]] = []
    for system, coding in codings:
        rows = search.tables.codes.get(coding.code, ())
        fitting = _fitting(search, rows, system, (coding.display, search.query.text))
        search.step(f"local code {coding.system or 'no system'}|{coding.code}", fitting[0][1].id if fitting else "")
        best += fitting[:1]
    if not best:
        for name in _names(search, codings):
            rows = search.tables.names.get(fold(name), ())
            systems = [system for system, _ in codings] or [""]
            fitting = next((found for system in systems if (found := _fitting(search, rows, system, (name,)))), [])
            search.step(f"name {name!r}", fitting[0][1].id if fitting else "")
            if fitting:
                best.append(fitting[0])
                break
    if not best:
        return None
    if any(row[8:14] != best[0][1][8:14] for _, row in best[1:]):
        detail = f"the codings mean different things: rows {', '.join(row.id for _, row in best)}"
        return search.fails("code-unmapped", detail, best[0][1].id, best[0][0])
    return best[0]


def _fitting(
    search: _Search, rows: Sequence[tuple[Pack, LocalCodeRow]], system: str, names: Sequence[str]
) -> list[tuple[Pack, LocalCodeRow]]:
    """Rows whose key fits, the most specific first; none when two of them say different specimens that nobody sent."""
    query, tables = search.query, search.tables
    folded = {fold(name) for name in names if name}
    fitting = [
        (pack, row)
        for pack, row in rows
        if row.sender_application in ("", *search.applications)
        and row.sender_facility in ("", *search.facilities)
        and (not row.code_system or _key(tables, row.code_system) == (system or BLANK))
        and (not row.name or fold(row.name) in folded)
        and (not row.unit or row.unit == (query.unit or BLANK))
        and (not row.specimen or _specimen_fits(tables, row, query.specimen))
    ]
    if not query.specimen:
        said = {row.specimen for _, row in fitting if row.specimen and row.specimen != BLANK}
        if len(said) > 1:
            fitting = [(pack, row) for pack, row in fitting if row.specimen not in said]
    # the exact specimen is better than one that includes it
    return sorted(fitting, key=lambda item: (-sum(map(bool, item[1][1:8])), item[1].specimen not in ("", query.specimen)))


def _key(tables: Tables, system: str) -> str:
    return BLANK if system == BLANK else tables.system_key(system)


def _specimen_fits(tables: Tables, row: LocalCodeRow, specimen: str) -> bool:
    if row.specimen == BLANK:
        return not specimen
    if not specimen:
        return bool(row.analyte)
    return includes(tables, row.specimen, specimen)


def _unmapped(search: _Search, codings: Sequence[tuple[str, Coding]]) -> Resolution:
    """No row fits: silent for a test that no pack knows, an issue for one that looks like a pack's."""
    tables = search.tables
    names = _names(search, codings)
    if any(is_loinc(coding.code) for system, coding in codings if system == LOINC_SYSTEM):
        return search.fails("", "")
    known = [
        row.id
        for system, coding in codings
        if system != LOINC_SYSTEM
        for _, row in tables.codes.get(coding.code, ())
        if _is_of_system(search, row, system)
    ]
    known += [row.id for name in names for _, row in tables.names.get(fold(name), ())]
    if known:
        return search.fails(
            "code-unmapped", f"rows have this code or name, but none fits sender, specimen and unit: {', '.join(known)}"
        )
    others = [row.id for system, coding in codings if system != LOINC_SYSTEM for _, row in tables.codes.get(coding.code, ())]
    if others:
        search.step(f"rows of other senders or systems have this code: {', '.join(others)}")
    if any(tables.telling_names.search(fold(name)) for name in names):
        search.step("a known name stands within the name")
        return search.fails("code-unmapped", "a name that a pack knows stands within the name of the test")
    return search.fails("", "")


def _is_of_system(search: _Search, row: LocalCodeRow, system: str) -> bool:
    """Whether a row speaks of this sender's code, whatever specimen and unit it wants."""
    return (
        row.sender_application in ("", *search.applications)
        and row.sender_facility in ("", *search.facilities)
        and (not row.code_system or _key(search.tables, row.code_system) == (system or BLANK))
    )


def _names(search: _Search, codings: Sequence[tuple[str, Coding]]) -> list[str]:
    return [name for name in dict.fromkeys([coding.display for _, coding in codings] + [search.query.text]) if name]


def _by_axes(search: _Search, pack: Pack, row: LocalCodeRow) -> Resolution:
    """Complete an analyte to a LOINC code: specimen, property, timing, method and challenge must leave exactly one default."""
    tables, query = search.tables, search.query
    specimen = query.specimen or (row.specimen if row.specimen != BLANK else "")
    if not specimen:
        search.step(f"axes of {row.analyte}: no specimen is known", row.id)
        return search.fails("specimen-unknown", f"row {row.id} gives the analyte only", row.id, pack)
    properties = {row.property} if row.property else properties_of(tables, query.unit)
    if not properties:
        slug = "unit-unknown" if query.unit else "unit-missing"
        search.step(f"axes of {row.analyte} in {specimen}: the unit gives no property", row.id)
        return search.fails(slug, f"row {row.id} needs a unit to become a LOINC code", row.id, pack)
    timing = row.timing or query.timing
    fitting = [
        candidate
        for candidate in pack.loinc.values()
        if candidate.default
        and candidate.analyte == row.analyte
        and candidate.property in properties
        and candidate.method == row.method
        and candidate.challenge == row.challenge
        and includes(tables, candidate.specimen, specimen)
    ]
    exact = [candidate for candidate in fitting if candidate.specimen == specimen]
    fitting = of_timing(exact, timing) or of_timing(fitting, timing)
    axes = f"{row.analyte}, {specimen}, {'/'.join(sorted(properties))}, {timing or 'no timing'}"
    search.step(f"axes {axes}", fitting[0].id if len(fitting) == 1 else "")
    if len(fitting) != 1:
        detail = f"{'several LOINC codes have' if fitting else 'no LOINC code has'} these axes: {axes}"
        return search.fails("code-unmapped", detail, row.id, pack)
    return _found(search, pack, fitting[0], row.id, doubtful=row.status == "doubtful")


def _found(search: _Search, pack: Pack, row: LoincRow, decided: str, *, sent: bool = False, doubtful: bool = False) -> Resolution:
    """A LOINC row, with everything in which the result contradicts it."""
    tables, query = search.tables, search.query
    if query.specimen and not compatible(tables, row.specimen, query.specimen):
        detail = f"{row.loinc} is for {row.specimen}, the specimen is {query.specimen}"
        search.step(f"specimen {query.specimen} against {row.specimen} of {row.loinc}", row.id)
        search.conflicts.append(("specimen-conflict", detail))
    if query.timing and row.timing and query.timing != row.timing:
        detail = f"{row.loinc} is for timing {row.timing}, the specimen is {query.timing}"
        search.step(f"timing {query.timing} against {row.timing} of {row.loinc}", row.id)
        search.conflicts.append(("specimen-conflict", detail))
    if query.unit and not unit_fits(tables, row, query.unit):
        detail = f"{row.loinc} has the property {row.property}, the unit {query.unit} is of another kind"
        search.step(f"unit {query.unit} against {row.property} of {row.loinc}", row.id)
        search.conflicts.append(("unit-conflict", detail))
    return Resolution(
        loinc=row,
        pack=pack,
        row=decided,
        sent=sent,
        doubtful=doubtful or row.status == "doubtful",
        conflicts=tuple(search.conflicts),
        steps=tuple(search.steps),
    )
