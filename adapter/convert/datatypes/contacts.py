"""XAD, AD, SAD -> Address; XTN, TN -> ContactPoint.

Address lines stand in the order street (as one line: HL7's SAD.1), street name, dwelling number, other designation, addressee.
An address type without FHIR use or type, and one that FHIR only has wider, stays in `_use` or `_type` (A45).

A telephone number is given as one text: the unformatted one (XTN.12), else its parts as `+1 617 5551212 X77`, else XTN.1; the
parts stay in extensions of the ContactPoint, where R4 allows them (A27). What has no element keeps the text as sent.

Source: HL7 v2-to-FHIR 1.0.0 XAD[Address], SAD[Address], XTN[ContactPoint] with A27, A28, A30, A45.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.datatypes.codes import alternate_code, read_code
from adapter.convert.datatypes.text import any_valued, components, keep, put, put_code
from adapter.convert.datatypes.times import validity
from adapter.convert.environment import Environment
from adapter.convert.rules import Primitive

ADDRESS_USE = "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use"
CENSUS_TRACT = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-censusTract"
DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
#: Extensions of the value of a contact point, by number of the XTN component.
NUMBER_PARTS = (
    (5, "http://hl7.org/fhir/StructureDefinition/contactpoint-country"),
    (6, "http://hl7.org/fhir/StructureDefinition/contactpoint-area"),
    (7, "http://hl7.org/fhir/StructureDefinition/contactpoint-local"),
    (8, "http://hl7.org/fhir/StructureDefinition/contactpoint-extension"),
)

#: Vacation home: the one type that has an extension of its own.
_VACATION = "HV"
_ADDRESS_WITHOUT_ELEMENT = (8, 11, 15, 16, 17, 18, *range(20, 40))
_CONTACT_WITHOUT_ELEMENT = (9, 10, 11, 15, 16, 17, *range(19, 40))


def _county(text: str, address: dict[str, Any]) -> bool:
    """CWE in XAD.9 -> district (A30: original text, else text, else code); tells whether it says more than that."""
    parts = components(text, 9, "&")
    district = parts[8] or parts[1] or parts[0]
    if district:
        address["district"] = district
    return sum(map(bool, parts)) > 1


def _set_address_type(code: str, address: dict[str, Any], text: str, environment: Environment) -> None:
    """XAD.7 -> type, use or the extension of a vacation home (A45)."""
    if code == _VACATION:
        address["extension"] = [{"url": ADDRESS_USE, "valueCode": code}]
    elif code in environment.tables.vocabulary.get("0190-type", {}):
        put_code(address, "type", read_code("0190-type", code, environment, "7"), text)
    else:
        put_code(address, "use", read_code("0190-use", code, environment, "7"), text)


def address(text: str, environment: Environment) -> dict[str, Any] | None:
    """XAD, AD -> Address (v2-to-FHIR XAD[Address], A28, A30, A45).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Address; None when nothing is valued.
    """
    parts = components(text)
    count = len(parts)
    if count < 7:
        parts += [""] * (7 - count)
    found: dict[str, Any] = {}
    kept = False
    if parts[6]:
        _set_address_type(parts[6], found, text, environment)
    street = components(parts[0], 0, "&") if "&" in parts[0] else parts[:1]
    lines = [line for line in (*street, parts[1], parts[18] if count > 18 else "") if line]
    if lines:
        found["line"] = lines
    for number, key in ((3, "city"), (4, "state"), (5, "postalCode"), (6, "country")):
        if parts[number - 1]:
            found[key] = parts[number - 1]
    if count > 7:
        parts += [""] * (14 - count)
        raw = text.split("^") + [""] * 14
        if parts[8]:
            kept = _county(raw[8], found)
        if parts[9]:
            tract = components(raw[9], 9, "&")
            value = tract[8] or tract[1] or tract[0]
            # The tract belongs to the first line; `_line` lines up with `line` (FHIR R4, json.html#primitive).
            tract_of_line = {"extension": [{"url": CENSUS_TRACT, "valueString": value}]}
            found["_line"] = [tract_of_line, *[None] * (len(lines) - 1)]
            kept = kept or sum(map(bool, tract)) > 1
        if any_valued(parts, (12, 13, 14)):
            period, unused = validity(raw[11], raw[12], raw[13], environment, ("12", "13", "14"))
            put(found, "period", period)
            kept = kept or unused
        kept = kept or any_valued(parts, _ADDRESS_WITHOUT_ELEMENT)
    if kept:
        keep(found, text)
    return found or None


def _number(parts: list[str]) -> str:
    """Compose a telephone number of country, area, local number and extension (XTN.5 to XTN.8)."""
    country, area, local, extension = parts[4:8]
    if not local:
        return ""
    number = " ".join([part for part in (f"+{country.removeprefix('+')}" if country else "", area, local) if part])
    return f"{number} X{extension}" if extension else number


def _set_system(parts: list[str], found: dict[str, Any], environment: Environment) -> None:
    """XTN.3 -> system (XTN[ContactPoint], A27).

    Without a type, a communication address is an e-mail address, and a telephone number (the name of XTN.1, 7 and 12 in HL7
    v2.5.1 chapter 2, 2.A.89) is one of a phone.
    """
    if parts[2]:
        system = read_code("0202-system", parts[2], environment, "3")
        if system.__class__ is Primitive and system.value is None:
            system = Primitive("other", system.extension)
        put(found, "system", system)
    elif parts[3]:
        found["system"] = "email"
    elif (parts[0] or parts[6] or parts[11]) and "@" not in parts[0] + parts[11]:
        found["system"] = "phone"
    else:
        found["_system"] = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}


def _set_use(parts: list[str], found: dict[str, Any], text: str, environment: Environment) -> None:
    """XTN.2 -> use; the type of a cellular phone says mobile where XTN.2 is blank or the residence number (A27)."""
    use = read_code("0201-use", parts[1], environment, "2") if parts[1] else None
    by_type = environment.tables.vocabulary.get("0202-use", {}).get(parts[2])
    if by_type is not None and (use is None or use == "home"):
        use = Primitive(by_type.target, alternate_code("0201-use", parts[1], environment)) if parts[1] else by_type.target
    put_code(found, "use", use, text)


def contact_point(text: str, environment: Environment) -> dict[str, Any] | None:
    """XTN, TN -> ContactPoint (v2-to-FHIR XTN[ContactPoint], A27).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        ContactPoint; None when nothing is valued.
    """
    parts = components(text)
    count = len(parts)
    if not any(parts):
        return None
    if count < 18:
        parts += [""] * (18 - count)
    found: dict[str, Any] = {}
    _set_system(parts, found, environment)
    _set_use(parts, found, text, environment)
    system = found.get("system")
    numbers = (parts[11], _number(parts), parts[0])
    if system == "email":
        candidates = (parts[3], *numbers)
    else:
        candidates = (*numbers, "" if system else parts[3])
    value = ""
    for value in candidates:
        if value:
            found["value"] = value
            break
    left = (parts[0] or value) != value or (parts[3] or value) != value or (parts[11] or value) != value
    if any(parts[4:8]):
        pieces = [{"url": url, "valueString": parts[number - 1]} for number, url in NUMBER_PARTS if parts[number - 1]]
        found["extension"] = [*found.get("extension", ()), *pieces]
    rank = parts[17]
    if rank.isascii() and rank.isdecimal() and 0 < int(rank) < 2**31:
        found["rank"] = int(rank)
    elif rank:
        left = True
    if parts[12] or parts[13]:
        raw = text.split("^") + [""] * 2
        period, _ = validity("", raw[12], raw[13], environment, ("", "13", "14"))
        put(found, "period", period)
    if left or (count > 8 and any_valued(parts, _CONTACT_WITHOUT_ELEMENT)):
        keep(found, text)
    return found
