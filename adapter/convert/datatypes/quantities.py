"""NM, CQ and OBX-6 -> Quantity; a number in a text field -> Quantity. The other numeric types are in `structured_numbers`.

A number is read only when the whole text is one in the grammar of HL7 (sign, digits, decimal point) or a comparator with such
a number; everything else is refused and stays text. A number that JSON cannot write as sent (`+4.2`, `.5`, `5.`, `007`) is
written in its canonical form and `_value` keeps the text. Not read on purpose: decimal comma (`4,2`), exponent (`1e5`), blanks
inside (`0 .07`).

The datatype functions of values take the value and OBX-6 in one text, `value|units`, so that a memo knows both; `|` cannot
occur in either. A unit is text; it gets a code only where the sender names its coding system, and UCUM only where the sender
says UCUM and the code is valid UCUM. What spellings mean is decided later, by tables.

References
----------
HL7 v2.5.1 chapter 2, 2.A.47 (NM), 2.A.15 (CQ); v2-to-FHIR maps NM[Quantity], CQ[Quantity], CWE[Quantity]; ambiguities A07, A30.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from adapter.convert.datatypes.coding_systems import code_system
from adapter.convert.datatypes.text import ORIGINAL_TEXT, components, leaf, promoted
from adapter.convert.environment import MEMO_ENTRIES, Environment
from adapter.fhir.json import number
from adapter.tables.index import UCUM_SYSTEM

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

#: Comparators as sent and as FHIR R4 writes them; `=` says nothing (A08).
COMPARATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "≤": "<=", "≥": ">=", "=<": "<=", "=>": ">=", "=": ""}

#: More digits are no measurement; a reader could not keep them exactly.
_DIGITS = 40
#: Up to this length `Decimal` itself writes a plain number as it was (`0.0000001` is longer).
_SHORT = 8
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_LOOSE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_COMPARED = re.compile(r"(<=|>=|=<|=>|<|>|≤|≥|=)?\s*(\S+)")
_CODE = re.compile(r"\S+( \S+)*")


class Value(NamedTuple):
    """What a value became.

    Parameters
    ----------
    name : str
        Name of the FHIR type as in `value[x]`: `Quantity`, `String`, `Attachment`.
    content : Any
        The value.
    """

    name: str
    content: Any


def decimal_of(text: str) -> tuple[Decimal, str] | None:
    """Read a number of HL7 type NM.

    Parameters
    ----------
    text : str
        Text without outer blanks.

    Returns
    -------
    tuple of (Decimal, str) or None
        The number, and the text as sent where the number is written differently (else empty). None when it is no number.
    """
    if len(text) > _DIGITS:
        return None
    if _PLAIN.fullmatch(text):
        return (Decimal(text) if len(text) <= _SHORT else number(text)), ""
    found = _LOOSE.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return None
    sign = "-" if found[1] == "-" else ""
    whole = found[2].lstrip("0") or "0"
    return number(f"{sign}{whole}.{found[3]}" if found[3] else sign + whole), text


def amount(text: str, *, comparator: bool = False) -> dict[str, Any] | None:
    """Read a number, with its comparator where one is allowed, as Quantity without unit.

    Parameters
    ----------
    text : str
        `4.20`, `<7`, `>= 1.030`.
    comparator : bool
        Whether a comparator may stand before the number.

    Returns
    -------
    dict or None
        A new Quantity with `value`, perhaps `comparator` and `_value`; None when the text is no number.
    """
    compared = ""
    if comparator:
        found = _COMPARED.fullmatch(text)
        if found is None:
            return None
        compared, text = COMPARATORS[found[1]] if found[1] else "", found[2]
    read = decimal_of(text)
    if read is None:
        return None
    value, sent = read
    quantity: dict[str, Any] = {"value": value}
    if compared:
        quantity["comparator"] = compared
    if sent:
        quantity["_value"] = {"extension": [{"url": ORIGINAL_TEXT, "valueString": sent}]}
    return quantity


@lru_cache(MEMO_ENTRIES)
def plain_number(text: str) -> Decimal | None:
    """Read a number that leaves as written, without looking at anything else: nearly all results are such, and many come again.

    Parameters
    ----------
    text : str
        `4.20`.

    Returns
    -------
    Decimal or None
        None when `numeric` has to look closer.
    """
    return Decimal(text) if len(text) <= _SHORT and _PLAIN.fullmatch(text) else None


def unit(text: str, environment: Environment) -> dict[str, Any]:
    """OBX-6 (CWE, CE) -> the unit part of a Quantity (CWE[Quantity]).

    The text of the first triplet, else its code, is the unit. Code and system come from the triplet that names UCUM, else from
    the first with a known coding system. What does not fit stays as sent in `_unit`.

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Gives the coding systems.

    Returns
    -------
    dict
        `unit`, `code`, `system`, `_unit`, as far as they are known; not to be changed.
    """
    if "^" not in text:
        shown = leaf(text)
        return {"unit": shown} if shown else {}
    parts = components(text, 6)
    shown = parts[1] or parts[0] or parts[4] or parts[3] or next(filter(None, parts), "")
    if not shown:
        return {}
    coded = _coded_unit(parts, environment)
    if coded is None and parts[0] in environment.tables.units and code_system(parts[2], environment) == UCUM_SYSTEM:
        # No UCUM, but a spelling that the unit table knows: enrichment must find it.
        shown = parts[0]
    found: dict[str, Any] = {"unit": shown}
    said = {shown}
    if coded is not None:
        code, name, system = coded
        found["code"], found["system"] = code, system
        said.update((code, name))
    if not said.issuperset(filter(None, parts)):
        found["_unit"] = {"extension": [{"url": ORIGINAL_TEXT, "valueString": text}]}
    return found


def _coded_unit(parts: list[str], environment: Environment) -> tuple[str, str, str] | None:
    """Give code, name of the coding system and its URI; a code that is no UCUM stays text, whatever the sender calls it."""
    chosen = None
    for first in (0, 3):
        code, name = parts[first], parts[first + 2]
        if code and name and _CODE.fullmatch(code):
            system = code_system(name, environment)
            if system == UCUM_SYSTEM:
                if environment.tables.ucum.valid(code):
                    return code, name, system
                environment.fault("unit-unknown", str(first + 1), "no valid UCUM; kept as text", code)
            elif system and chosen is None:
                chosen = code, name, system
    return chosen


def units_as_text(text: str) -> str:
    """OBX-6 -> text behind a value that is kept as text (A08): CWE.2, else CWE.1."""
    parts = components(text, 2)
    return parts[1] or parts[0]


def with_unit(quantity: dict[str, Any], units: str, environment: Environment) -> dict[str, Any]:
    """Add the unit to a Quantity."""
    if units and units != '""':
        quantity.update(environment.memo(unit)[units][0])
    return quantity


def text_value(text: str) -> Value | None:
    """Keep a value as it was sent, as text."""
    kept = leaf(text)
    return Value("String", kept) if kept else None


def numeric(text: str, environment: Environment) -> Value | None:
    """NM with OBX-6 -> Quantity; what is no number stays text (`value-not-a-number`).

    A comparator before the number (`<7`) breaks the type, but its meaning is certain: it is read (`value-type-misused`).

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Quantity or text.
    """
    sent, _, units = text.partition("|")
    stripped = sent.strip()
    quantity = amount(stripped)
    if quantity is None and (quantity := amount(stripped, comparator=True)) is not None:
        environment.fault("value-type-misused", "", "a comparator in a field of type NM", sent)
    if quantity is not None:
        return Value("Quantity", with_unit(quantity, units, environment))
    value = text_value(sent)
    if value is not None:
        environment.fault("value-not-a-number", "", "", sent)
    return value


def number_in_text(text: str, environment: Environment) -> Value | None:
    """ST, TX and FT with OBX-6 -> Quantity when the text is exactly a plain number, or a comparator and one, and a unit was sent.

    A unit makes the text a measurement. Without one `7` may be a grade, a room or a name, and stays text.

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Quantity; None when it stays text.
    """
    sent, _, units = text.partition("|")
    stripped = sent.strip()
    if not units or units == '""' or not units_as_text(units):
        return None
    quantity = amount(stripped, comparator=stripped[:1] in "<>≤≥")
    if quantity is None or "_value" in quantity:
        return None
    environment.fault("number-in-text", "", "", sent)
    return Value("Quantity", with_unit(quantity, units, environment))


def composite_quantity(text: str, environment: Environment) -> Value | None:
    """CQ with OBX-6 -> Quantity; the unit of the CQ itself is stronger (A30).

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Quantity, or text.
    """
    sent, _, units = text.partition("|")
    value, _, own_units = sent.partition("^")
    quantity = amount(leaf(value), comparator=True)
    if quantity is None or "^" in own_units:
        kept = text_value(sent)
        if kept is not None:
            environment.fault("value-not-converted", "", "CQ", sent)
        return kept
    if own_units:
        units = promoted(own_units)
        for fault in environment.memo(unit)[units][1]:
            environment.fault(fault.slug, f"2.{fault.component}", fault.detail, fault.value)
    return Value("Quantity", with_unit(quantity, units, environment))
