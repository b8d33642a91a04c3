"""CWE, CE, CNE, CF, ID and IS -> CodeableConcept, Coding and code.

A coded element holds up to three triplets (code, text, coding system). Each becomes one coding, in the order sent; the
original text (CWE.9), else the first display, becomes `text`. A coding system name becomes a URI only when table 0396 or the
sender's row knows it; else the name is kept in `_system` (A06).

`mapped_concept` and `mapped_code` put a code map (`mappings/common/tables/`) between: the FHIR code first, and the code as
sent kept beside it. Only codes that belong to the mapped HL7 table are translated: those without a system (ID, IS) and
those that name the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from adapter.convert.datatypes.coding_systems import OID, known_system, local_system
from adapter.convert.datatypes.text import any_valued, components, keep, leaf, verbatim
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.rules import Primitive
from adapter.fhir.v2_codes import may_claim
from adapter.tables.rows import CodeRow

ALTERNATE_CODES = "http://hl7.org/fhir/StructureDefinition/alternate-codes"

_CODE = re.compile(r"\S+( \S+)*")

# Index of code, version and coding system OID of the three triplets (HL7 v2.7 chapter 2A, CWE).
_TRIPLETS = ((0, 6, 13), (3, 7, 16), (9, 12, 19))
_TWO_TRIPLETS = _TRIPLETS[:2]
_SIZE = 22
_PADDING = [""] * _SIZE
# Value sets and their versions, and what later versions may add, have no element in CodeableConcept.
_WITHOUT_ELEMENT = (15, 16, 18, 19, *range(21, 40))
_CODE_ONLY = {"system", "code"}
_EXACT = frozenset(("", "equal", "equivalent"))

Rows = Mapping[str, CodeRow]


def _set_system(
    found: dict[str, Any], code: str, name: str, oid: str, environment: Environment, first: int, report: bool
) -> None:
    """Set the system by name and OID (CWE.3, CWE.14); report a code that stays without.

    A HL7 table that is named for a code it does not have stays as text: a coding must not claim what is not so.
    """
    uri = known_system(name, environment) if name else None
    kept = ""
    if oid:
        by_oid = known_system(oid, environment) if OID.fullmatch(oid) else None
        if uri is None and by_oid is not None:
            uri, kept = by_oid, name
        elif by_oid is None or by_oid != uri:
            kept = oid
    if uri is not None and not may_claim(uri, code):
        if report:
            environment.fault("code-not-mapped", str(first + 1), f"table {uri[-4:]}", code)
        uri, kept = None, f"{name} {oid}".strip()
    elif uri is None:
        uri = local_system(name, environment) if name else None
        if uri is None:
            kept = f"{name} {kept}".strip()
            environment.fault("code-without-system", str(first + 3), name)
    if uri is not None:
        found["system"] = uri
    if kept:
        found["_system"] = {"extension": [verbatim(kept)]}


def set_code(found: dict[str, Any], code: str) -> None:
    """Set the code; text that is no FHIR `code` (line breaks, double blanks) is kept as text."""
    if (" " not in code and code.isprintable()) or _CODE.fullmatch(code):
        found["code"] = code
    else:
        found["_code"] = {"extension": [verbatim(code)]}


def _coding(
    parts: list[str], place: tuple[int, int, int], environment: Environment, report: bool = True
) -> dict[str, Any] | None:
    """Make the coding of one triplet, None when nothing of it is valued."""
    first, version, oid = place
    code, display, name = parts[first : first + 3]
    found: dict[str, Any] = {}
    uri = environment.tables.coding_systems.get(name.upper()) if name else None
    if uri is not None and not parts[oid] and may_claim(uri, code):
        found["system"] = uri
    elif name or code or parts[oid]:
        _set_system(found, code, name, parts[oid], environment, first, report)
    if parts[version]:
        found["version"] = parts[version]
    if code:
        set_code(found, code)
    if display:
        found["display"] = display
    return found or None


def _concept(parts: list[str], codings: list[dict[str, Any]], text: str) -> dict[str, Any] | None:
    """Put codings and text together; a coding that is nothing but the text is left to the text."""
    title = parts[8] or parts[1] or parts[4] or parts[10]
    if title:
        codings = [coding for coding in codings if len(coding) > 1 or coding.get("display") != title]
    concept: dict[str, Any] = {}
    if len(parts) > 14 and any_valued(parts, _WITHOUT_ELEMENT):
        keep(concept, text)
    if codings:
        concept["coding"] = codings
    if title:
        concept["text"] = title
    return concept or None


def codeable_concept(text: str, environment: Environment) -> dict[str, Any] | None:
    """CWE, CE, CNE, CF -> CodeableConcept (v2-to-FHIR CWE[CodeableConcept], A06).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        CodeableConcept; None when nothing is valued.
    """
    parts = components(text)
    places = _TRIPLETS if len(parts) > 9 else _TWO_TRIPLETS
    parts += _PADDING
    codings = []
    for place in places:
        found = _coding(parts, place, environment)
        if found is not None:
            codings.append(found)
    return _concept(parts, codings, text)


def coding(text: str, environment: Environment) -> dict[str, Any] | None:
    """CWE -> Coding: the first one; the text is kept as sent when it says more (v2-to-FHIR CWE[Coding]).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Coding; None when nothing is valued.
    """
    return _first_coding(codeable_concept(text, environment), text)


def _first_coding(concept: dict[str, Any] | None, text: str) -> dict[str, Any] | None:
    if concept is None:
        return None
    codings = concept.get("coding", ())
    title = concept.get("text")
    first: dict[str, Any] = codings[0] if codings else {"display": title} if title else {}
    if len(codings) > 1 or "extension" in concept or title != first.get("display"):
        first = {"extension": [verbatim(text)], **first}
    return first


def first_of(codings: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """Give the first coding of a code map; the text is kept as sent when it has more than one triplet.

    Parameters
    ----------
    codings : list of dict
        What `mapped_concept` made of the text; at least one.
    text : str
        The text in ER7.

    Returns
    -------
    dict
        Coding.
    """
    return {"extension": [verbatim(text)], **codings[0]} if any(components(text)[3:]) else codings[0]


def coded_id(text: str, environment: Environment) -> dict[str, Any] | None:
    """ID, IS without a known table -> CodeableConcept with the code as coding and text (A07).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        CodeableConcept; None when nothing is valued.
    """
    if "^" in text:
        return codeable_concept(text, environment)
    code = leaf(text)
    if not code:
        return None
    return {"coding": [{"code": code}], "text": code} if _CODE.fullmatch(code) else {"text": code}


def _own_system(table: str, environment: Environment) -> tuple[str, str | None]:
    """Give name and URI of the HL7 table that a code map translates (`0190-type` translates table 0190)."""
    name = "HL7" + table[:4]
    return name, known_system(name, environment)


def _source_coding(
    parts: list[str], place: tuple[int, int, int], table: str, rows: Rows, environment: Environment
) -> tuple[dict[str, Any] | None, CodeRow | None, bool]:
    """Make the coding of one triplet as sent, with its row in the code map and whether it belongs to the mapped table."""
    first = place[0]
    code, name = parts[first], parts[first + 2]
    own_name, own_uri = _own_system(table, environment)
    row = rows.get(code) if code else None
    if name or parts[place[2]]:
        belongs = name.upper() == own_name or (own_uri is not None and known_system(name, environment) == own_uri)
        return _coding(parts, place, environment, not belongs), row if belongs else None, belongs and bool(code)
    if row is None or own_uri is None or not may_claim(own_uri, code):
        # Nothing says that the code is of the HL7 table: it stays without system.
        source: dict[str, Any] = {}
        if code:
            set_code(source, code)
    else:
        source = {"system": own_uri, "code": code}
    if parts[place[1]]:
        source["version"] = parts[place[1]]
    if parts[first + 1]:
        source["display"] = parts[first + 1]
    return source or None, row, bool(code)


def _target_coding(row: CodeRow) -> dict[str, Any]:
    target = {"system": row.system, "code": row.target} if row.system else {"code": row.target}
    if row.display:
        target["display"] = row.display
    return target


@cache
def mapped_concept(table: str) -> DatatypeFunction:
    """Make the function that gives a CodeableConcept by a code map: the FHIR coding first, then the coding as sent.

    Where both are the same code of the same system there is one coding, with the display as sent. A code of the table that
    the map does not have is kept and reported (`code-not-mapped`).

    Parameters
    ----------
    table : str
        Name of the code map: `0078`, `0004-status`.

    Returns
    -------
    function
        Datatype function: CWE, CE, CNE, ID, IS -> CodeableConcept or None. The same one for the same table.
    """

    def concept_by_map(text: str, environment: Environment) -> dict[str, Any] | None:
        rows: Rows = environment.tables.vocabulary.get(table, {})
        parts = components(text, _SIZE)
        codings: list[dict[str, Any]] = []
        for place in _TRIPLETS:
            source, row, belongs = _source_coding(parts, place, table, rows, environment)
            if source is None:
                continue
            if belongs and row is None:
                environment.fault("code-not-mapped", str(place[0] + 1), f"table {table[:4]}", parts[place[0]])
                row = rows.get("*")
            if row is not None and row.target:
                target = _target_coding(row)
                if source.get("system") == target.get("system") and source.get("code") == target["code"]:
                    source = {**target, **source}
                else:
                    codings.append(target)
            codings.append(source)
        return _concept(parts, codings, text)

    concept_by_map.__qualname__ = f"mapped_concept({table!r})"
    return concept_by_map


def read_code(
    table: str, text: str, environment: Environment, component: str = "", report: bool = True
) -> str | Primitive | None:
    """Translate a code that stands in a component of a field; `mapped_code` is the same for a whole field.

    Parameters
    ----------
    table : str
        Name of the code map: `0085`, `0190-use`.
    text : str
        ID, IS or CWE in ER7.
    environment : Environment
        Surroundings.
    component : str
        Where the text stands, for faults.
    report : bool
        Whether a code that the map does not name is reported here (`code-not-mapped`).

    Returns
    -------
    str, Primitive or None
        FHIR code; with the code as sent where the FHIR code does not say the same; None when nothing is valued.
    """
    rows: Rows = environment.tables.vocabulary.get(table, {})
    row = rows.get(text)
    if row is not None and row.target and row.equivalence in _EXACT:
        return row.target
    parts = components(text, _SIZE)
    found: CodeRow | None = None
    sources: list[dict[str, Any]] = []
    unknown = ""
    for place in _TRIPLETS:
        source, row, belongs = _source_coding(parts, place, table, rows, environment)
        if source is not None:
            sources.append(source)
        if row is None and belongs:
            unknown = unknown or parts[place[0]]
        elif row is not None and row.target and found is None:
            found = row
    concept = _concept(parts, sources, text)
    if concept is None:
        return None
    if found is None:
        if unknown and report:
            environment.fault("code-not-mapped", component, f"table {table[:4]}", unknown)
        found = rows.get("*")
    elif found.equivalence in _EXACT and concept.keys() == {"coding"} and len(sources) == 1 and sources[0].keys() <= _CODE_ONLY:
        return found.target
    kept = {"url": ALTERNATE_CODES, "valueCodeableConcept": concept}
    return Primitive(found.target if found is not None and found.target else None, (kept,))


@cache
def mapped_code(table: str, *, report: bool = True) -> DatatypeFunction:
    """Make the function that gives a FHIR `code` by a code map.

    The code as sent is kept in the `alternate-codes` extension whenever the FHIR code does not say the same: where the map
    is not one to one, where it has no target for the code, and where the text says more than the code.

    Parameters
    ----------
    table : str
        Name of the code map: `0085`, `0190-use`.
    report : bool
        Whether a code that the map does not name is reported here (`code-not-mapped`).

    Returns
    -------
    function
        Datatype function: ID, IS, CWE -> code, `Primitive` or None. The same one for the same table.
    """

    def code_by_map(text: str, environment: Environment) -> str | Primitive | None:
        return read_code(table, text, environment, report=report)

    code_by_map.__qualname__ = f"mapped_code({table!r})"
    return code_by_map


def alternate_code(table: str, code: str, environment: Environment) -> tuple[dict[str, Any], ...]:
    """Make the extension that keeps a code of a HL7 table beside the FHIR code.

    Parameters
    ----------
    table : str
        Name of the code map or table.
    code : str
        The code, clean.
    environment : Environment
        Gives the URI of the table.

    Returns
    -------
    tuple of dict
        One `alternate-codes` extension, as `Primitive` wants it.
    """
    _, uri = _own_system(table, environment)
    source = {"system": uri, "code": code} if uri and may_claim(uri, code) else {"code": code}
    return ({"url": ALTERNATE_CODES, "valueCodeableConcept": {"coding": [source]}},)
