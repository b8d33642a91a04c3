"""Datatype functions for fields of PID that are more than their type says: a date with a time, a number with a fixed system."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.datatypes.codes import codeable_concept
from adapter.convert.datatypes.contacts import contact_point
from adapter.convert.datatypes.identifiers import identifier_cx, typed
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import components, keep, leaf, put, verbatim
from adapter.convert.datatypes.times import date, date_time
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.rules import Primitive
from adapter.hl7v2.message import valued

PATIENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/patient-"


def birth_date(text: str, environment: Environment) -> Any:
    """TS of PID-7 -> birthDate; a time of birth goes into the `patient-birthTime` extension (v2-to-FHIR PID[Patient]:10-12)."""
    if len(text) <= 8:
        return date(text, environment)
    day = date(text[:8], environment)
    moment = date_time(text, environment)
    if isinstance(moment, Primitive):
        extension = moment.extension
    else:
        extension = ({"url": PATIENT_EXTENSION + "birthTime", "valueDateTime": moment},) if moment is not None else ()
    if isinstance(day, Primitive):
        return Primitive(day.value, day.extension + tuple(one for one in extension if one not in day.extension))
    return Primitive(day, extension)


@cache
def contact_point_with_use(use: str) -> DatatypeFunction:
    """Make the function that gives a ContactPoint whose use is the field's own where XTN names none.

    Parameters
    ----------
    use : str
        FHIR code: `home`, `work`.

    Returns
    -------
    function
        Datatype function XTN -> ContactPoint.
    """

    def contact_point_of_field(text: str, environment: Environment) -> Any:
        found = contact_point(text, environment)
        parts = text.split("^")
        if found is None or "use" in found or (len(parts) > 1 and valued(parts[1])):
            return found
        return {**found, "use": use}

    return contact_point_of_field


@cache
def wrapped(name: str, function: DatatypeFunction) -> DatatypeFunction:
    """Make the function that puts a value into an object: `{"language": concept}`."""

    def wrap(text: str, environment: Environment) -> Any:
        found = function(text, environment)
        return None if found is None else {name: found}

    return wrap


@cache
def nested_extension(url: str, name: str) -> DatatypeFunction:
    """Make the function that gives a complex extension with one CodeableConcept.

    Parameters
    ----------
    url : str
        Of the extension.
    name : str
        Of its part.

    Returns
    -------
    function
        Datatype function CWE -> Extension.
    """

    def extension(text: str, environment: Environment) -> Any:
        found = codeable_concept(text, environment)
        return None if found is None else {"url": url, "extension": [{"url": name, "valueCodeableConcept": found}]}

    return extension


def social_security_number(text: str, environment: Environment) -> Any:
    """PID-19 -> Identifier with the system of US social security numbers, as the field is defined (A52)."""
    value = leaf(text)
    return {"type": typed("SS"), "system": "http://hl7.org/fhir/sid/us-ssn", "value": value} if value else None


def drivers_license(text: str, environment: Environment) -> Any:
    """DLN -> Identifier: number, issuing state as assigner, expiration (v2-to-FHIR DLN[Identifier])."""
    number, issuer, expiration = components(text, 3)[:3]
    found: dict[str, Any] = {"type": typed("DL")}
    if number:
        found["value"] = number
    if expiration:
        period: dict[str, Any] = {}
        put(period, "end", date(expiration, environment))
        found["period"] = period
    if issuer:
        found["assigner"] = {"display": issuer}
    if any(components(text)[3:]):
        keep(found, text)
    return found if len(found) > 1 else None


def account_number(text: str, environment: Environment) -> Any:
    """PID-18 -> Identifier of type AN where CX.5 names no other."""
    found = identifier_cx(text, environment)
    if found is None or "type" in found:
        return found
    return {"type": typed("AN"), **found}


def birth_place(text: str, environment: Environment) -> Any:
    """ST of PID-23 -> Address that is only text."""
    found = leaf(text)
    return {"text": found} if found else None


def whole_number(text: str, environment: Environment) -> int | None:
    """NM -> positive integer; anything else is reported."""
    digits = leaf(text)
    if digits.isascii() and digits.isdigit() and int(digits) > 0 and len(digits) < 10:
        return int(digits)
    environment.fault("value-not-a-number", detail="a positive whole number is expected here", value=text)
    return None


def yes_no(text: str, environment: Environment) -> bool | None:
    """ID of table 0136 -> boolean."""
    row = environment.tables.vocabulary["0136"].get(leaf(text))
    if row is None:
        environment.fault("code-not-mapped", detail="table 0136", value=text)
        return None
    return row.target == "true"


def unknown_identity(text: str, environment: Environment) -> Any:
    """ID of PID-31 -> CodeableConcept for `patient-unknownIdentity` (A28)."""
    found = coded_in("0136")(text, environment)
    return {"coding": [found]} if found else None


def _whole(value: str, text: str, said: int) -> str | Primitive | None:
    """Give a string, with the text as sent where that has more components than the string says."""
    if sum(map(bool, components(text))) > said or "&" in text:
        return Primitive(value or None, (verbatim(text),))
    return value or None


def organization_name(text: str, environment: Environment) -> str | Primitive | None:
    """XON -> string: the name, else the identifier (v2-to-FHIR XON[string])."""
    parts = components(text, 10)
    return _whole(parts[0] or parts[9] or parts[2], text, 1)


def name_text(text: str, environment: Environment) -> str | Primitive | None:
    """XPN -> string: prefix, given names, family name, suffix (v2-to-FHIR XPN[string])."""
    parts = components(text, 5)
    family = leaf(text.partition("^")[0].partition("&")[0])
    said = [part for part in (parts[4], parts[1], parts[2], family, parts[3]) if part]
    return _whole(" ".join(said), text, len(said))
