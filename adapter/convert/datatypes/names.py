"""XPN, PN, FN and the name in XCN and CNN -> HumanName.

The family name (FN) keeps its own and its partner's parts in extensions of `_family`. Suffix, degree and professional suffix
become suffixes in this order. A name type without FHIR use stays in `_use` (A45). Name representation, context and what
else has no element keep the text as sent. Nothing is joined into `HumanName.text`: the sender gave no such text.

Source: HL7 v2-to-FHIR 1.0.0 XPN[HumanName], FN[HumanName] with A56, XCN[Practitioner] with A28 and A54, CNN[Practitioner].
"""

from __future__ import annotations

from typing import Any, NamedTuple

from adapter.convert.datatypes.codes import read_code
from adapter.convert.datatypes.text import any_valued, components, keep, put, put_code, verbatim
from adapter.convert.datatypes.times import validity
from adapter.convert.environment import Environment

ASSEMBLY_ORDER = "http://hl7.org/fhir/StructureDefinition/humanname-assembly-order"
#: Extensions of the family name, by number of the FN component.
FAMILY_PARTS = (
    (2, "http://hl7.org/fhir/StructureDefinition/humanname-own-prefix"),
    (3, "http://hl7.org/fhir/StructureDefinition/humanname-own-name"),
    (4, "http://hl7.org/fhir/StructureDefinition/humanname-partner-prefix"),
    (5, "http://hl7.org/fhir/StructureDefinition/humanname-partner-name"),
)


class NamePlaces(NamedTuple):
    """Component numbers of the parts of a name; 0 where the datatype has none.

    `without_element` lists the components that keep the text; those of an identifier in the same datatype are not among them.
    """

    family: int
    given: int
    further_given: int
    suffix: int
    prefix: int
    degree: int
    use: int
    validity_range: int
    assembly_order: int
    start: int
    end: int
    professional_suffix: int
    without_element: tuple[int, ...]


XPN = NamePlaces(1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, (8, 9, *range(15, 30)))
#: The degree (XCN.7) is a qualification of the Practitioner (A54) and not part of the name.
XCN = NamePlaces(2, 3, 4, 5, 6, 0, 10, 17, 18, 19, 20, 21, (15, *range(24, 30)))


def _family(text: str, name: dict[str, Any]) -> None:
    """FN -> family with the extensions of its parts."""
    parts = components(text, 5, "&")
    if parts[0]:
        name["family"] = parts[0]
    extensions = [{"url": url, "valueString": parts[number - 1]} for number, url in FAMILY_PARTS if parts[number - 1]]
    if any(parts[5:]):
        extensions.append(verbatim(text))
    if extensions:
        name["_family"] = {"extension": extensions}


def read_name(text: str, places: NamePlaces, environment: Environment) -> dict[str, Any] | None:
    """Make a HumanName of the components of any datatype that has a name.

    Parameters
    ----------
    text : str
        One repetition in ER7.
    places : NamePlaces
        Where the parts stand.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        HumanName; None when no part of a name is valued.
    """
    parts = components(text)
    has_tail = len(parts) > places.use
    if len(parts) < 22:
        parts += [""] * (22 - len(parts))
    name: dict[str, Any] = {}
    if parts[places.family - 1]:
        _family(text.split("^", places.family)[places.family - 1], name)
    given = [part for part in (parts[places.given - 1], parts[places.further_given - 1]) if part]
    if given:
        name["given"] = given
    if parts[places.prefix - 1]:
        name["prefix"] = [parts[places.prefix - 1]]
    suffix = [parts[n - 1] for n in (places.suffix, places.degree, places.professional_suffix) if n and parts[n - 1]]
    if suffix:
        name["suffix"] = suffix
    if parts[places.use - 1]:
        put_code(name, "use", read_code("0200", parts[places.use - 1], environment, str(places.use)), text)
    if has_tail:
        _tail(text, parts, places, name, environment)
    return name or None


def _tail(text: str, parts: list[str], places: NamePlaces, name: dict[str, Any], environment: Environment) -> None:
    """Set what stands behind the name type: validity, assembly order, and what has no element."""
    kept = any_valued(parts, places.without_element)
    whole, start, end = places.validity_range, places.start, places.end
    if any_valued(parts, (whole, start, end)):
        raw = text.split("^") + [""] * 22
        where = (str(whole), str(start), str(end))
        period, unused = validity(raw[whole - 1], raw[start - 1], raw[end - 1], environment, where)
        put(name, "period", period)
        kept = kept or unused
    order = parts[places.assembly_order - 1]
    if order:
        row = environment.tables.vocabulary.get("0444", {}).get(order)
        if row is not None and row.target:
            name["extension"] = [*name.get("extension", ()), {"url": ASSEMBLY_ORDER, "valueCode": row.target}]
        else:
            kept = True
    if kept:
        keep(name, text)


def human_name(text: str, environment: Environment) -> dict[str, Any] | None:
    """XPN, PN -> HumanName (v2-to-FHIR XPN[HumanName], A45, A56).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        HumanName; None when nothing is valued.
    """
    return read_name(text, XPN, environment)


def human_name_xcn(text: str, environment: Environment) -> dict[str, Any] | None:
    """XCN -> the HumanName in it (v2-to-FHIR XCN[Practitioner]); identifier and degree are the caller's (A54).

    Parameters
    ----------
    text : str
        One repetition in ER7. CNN has its name at the same places.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        HumanName; None when no part of the name is valued.
    """
    return read_name(text, XCN, environment)
