"""CX, EI, EIP and HD -> Identifier. The identifiers of XON and XCN are a CX in another order and made by `parties.py`.

`Identifier.system` is a URI or absent (A04, A05): table 0363 (assigning authorities: OIDs, and namespaces that a site adds)
first, then the universal id of the HD (ISO, UUID, GUID, URI), then the sender's `identifier_base` with the namespace. A bare
namespace is no URI: it stands in `assigner.display`, as does the namespace beside a system. An authority that cannot be
written as URI keeps its id in `assigner.identifier`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.datatypes.codes import mapped_concept
from adapter.convert.datatypes.coding_systems import ABSOLUTE_URI, OID, UUID, uri_part
from adapter.convert.datatypes.table_codes import table_coding
from adapter.convert.datatypes.text import PLAIN, any_valued, components, keep, leaf, promoted
from adapter.convert.datatypes.times import validity
from adapter.convert.environment import DatatypeFunction, Environment, Fault, add_shortcut

CHECK_DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
#: Types of newer editions of table 0203 that R4 does not have, in words.
TYPES_IN_WORDS = {"PGN": "Placer group number", "FGN": "Filler group number", "SHIP": "Shipment tracking number"}

#: A character that no message has: it stands in for a number.
_STAND_IN = "\x1a"

Authority = tuple[str | None, dict[str, Any] | None]


def _universal_uri(universal: str, kind: str) -> str | None:
    """Write a universal id (HD.2) of a type (HD.3, table 0301) as URI; None when it is none."""
    kind = kind.upper()
    if kind in ("ISO", "") and OID.fullmatch(universal):
        return "urn:oid:" + universal
    if kind in ("UUID", "GUID") and UUID.fullmatch(universal):
        return "urn:uuid:" + universal.lower()
    if kind in ("URI", "ISO", "UUID", "GUID", "") and ABSOLUTE_URI.fullmatch(universal):
        return universal
    return None


def _hd_parts(text: str) -> list[str]:
    return components(text, 3, "^" if "^" in text else "&")


def hd_uri(text: str, environment: Environment) -> str | None:
    """HD -> URI of its universal id; the namespace alone gives none (v2-to-FHIR HD[uri], A04).

    Parameters
    ----------
    text : str
        HD in ER7, a field (`^`) or a component (`&`).
    environment : Environment
        Not used; every datatype function has it.

    Returns
    -------
    str or None
        `urn:oid:`, `urn:uuid:` or the URI itself.
    """
    parts = _hd_parts(text)
    return _universal_uri(parts[1], parts[2]) if parts[1] else None


def authority(text: str, environment: Environment) -> Authority:
    """HD -> system and assigner of an identifier (A04).

    Parameters
    ----------
    text : str
        HD in ER7, a field (`^`) or a component (`&`).
    environment : Environment
        Gives table 0363 and the sender's `identifier_base`.

    Returns
    -------
    tuple of (str or None, dict or None)
        `Identifier.system` and `Identifier.assigner`.
    """
    if not text:
        return None, None
    return _authority(_hd_parts(text), environment)


def _authority(parts: list[str], environment: Environment) -> Authority:
    namespace, universal, kind = parts[:3]
    assigner: dict[str, Any] = {}
    if namespace:
        assigner["display"] = namespace
    known = environment.tables.vocabulary.get("0363", {})
    row = (known.get(universal) if universal else None) or (known.get(namespace) if namespace else None)
    system = row.system if row is not None and row.system else None
    if universal or kind:
        uri = _universal_uri(universal, kind)
        system = system or uri
        if uri is None:
            identifier: dict[str, Any] = {}
            if kind:
                identifier["type"] = {"coding": [table_coding("0301", kind, environment)]}
            if universal:
                identifier["value"] = universal
            assigner["identifier"] = identifier
    if system is None and namespace and environment.sender is not None and environment.sender.identifier_base:
        system = environment.sender.identifier_base + uri_part(namespace)
    if any(parts[3:]):
        keep(assigner, "&".join(parts))
    return system, assigner or None


def _identifier(
    value: str, system_and_assigner: Authority, environment: Environment, component: str, type_code: dict[str, Any] | None
) -> dict[str, Any]:
    """Put an Identifier together; report one that has a value and no system."""
    found: dict[str, Any] = {}
    system, assigner = system_and_assigner
    if type_code is not None:
        found["type"] = type_code
    if system is not None:
        found["system"] = system
    if value:
        found["value"] = value
        if system is None:
            environment.fault("identifier-without-system", component, detail=assigner.get("display", "") if assigner else "")
    if assigner is not None:
        found["assigner"] = assigner
    return found


def _share_what_recurs(function: DatatypeFunction, separator: str = "^") -> None:
    """Let a function of texts that begin with a number make the rest of its Identifier once for each rest of the text.

    Numbers of orders and specimens never come again, what follows them (authority, type) always does. What the function
    makes of a rest is found out with a number that stands in for the real one; where this one turns up anywhere but in
    `value`, nothing is shared.

    Parameters
    ----------
    function : function
        Datatype function; to it, plain numbers must be all the same.
    separator : str
        What ends the number.
    """

    def surroundings(rest: str, environment: Environment) -> tuple[dict[str, Any], dict[str, Any]] | None:
        found = function(_STAND_IN + rest, environment)
        told = repr((found, environment.faults)).count(repr(_STAND_IN)[1:-1])
        if told != 1 or found.get("value") != _STAND_IN:
            return None
        names = list(found)
        place = names.index("value")
        return {name: found[name] for name in names[:place]}, {name: found[name] for name in names[place + 1 :]}

    def shortcut(text: str, environment: Environment) -> tuple[Any, tuple[Fault, ...]] | None:
        number, mark, rest = text.partition(separator)
        if not number or not PLAIN.issuperset(number):
            return None
        found, faults = (environment.memos.get(surroundings) or environment.memo(surroundings))[mark + rest]
        return None if found is None else ({**found[0], "value": number, **found[1]}, faults)

    add_shortcut(function, shortcut)


def _type(text: str, environment: Environment, component: str) -> dict[str, Any] | None:
    """Make the type of an identifier (table 0203)."""
    if not text:
        return None
    concept, faults = environment.memo(mapped_concept("0203"))[text]
    for fault in faults:
        environment.fault(fault.slug, component, fault.detail, fault.value)
    found: dict[str, Any] | None = concept
    return found


def _add_check_digit(found: dict[str, Any], digit: str) -> None:
    if digit:
        found["extension"] = [{"url": CHECK_DIGIT, "valueString": digit}, *found.get("extension", ())]


def identifier_cx(text: str, environment: Environment) -> dict[str, Any] | None:
    """CX -> Identifier (v2-to-FHIR CX[Identifier], A04).

    The check digit scheme, the assigning facility, jurisdiction and agency have no element: with one of them valued the
    text is kept as sent.

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Identifier, maybe without value; None when nothing is valued.
    """
    raw = text.split("^")
    raw += [""] * (8 - len(raw))
    value, digit, type_text = leaf(raw[0]), leaf(raw[1]), raw[4]
    # authorities recur, numbers do not
    system_and_assigner, faults = environment.memo(authority)[raw[3]]
    for fault in faults:
        environment.fault(*fault)
    found = _identifier(value, system_and_assigner, environment, "4", _type(type_text, environment, "5"))
    if raw[6] or raw[7]:
        period, _ = validity("", raw[6], raw[7], environment, ("", "7", "8"))
        if period is not None:
            found["period"] = period
    if (raw[2] or raw[5] or len(raw) > 8) and any_valued(components(text), (3, 6, *range(9, 30))):
        keep(found, text)
    _add_check_digit(found, digit)
    return found or None


_share_what_recurs(identifier_cx)


def _entity(text: str, environment: Environment, prefix: str, type_code: dict[str, Any] | None) -> dict[str, Any] | None:
    """EI -> Identifier, for a field or (with `prefix`) a component turned into components."""
    number, _, rest = text.partition("^")
    value = leaf(number.rstrip("&"))
    # numbers of orders never come again, their authorities always do
    names, faults = environment.memo(entity_authority)[rest]
    for fault in faults:
        environment.fault(*fault)
    if not value and names is None:
        return None
    found = _identifier(value, names[:2] if names is not None else (None, None), environment, prefix + "2", type_code)
    if names is not None and names[2]:
        keep(found, text)
    return found


def entity_authority(text: str, environment: Environment) -> tuple[str | None, dict[str, Any] | None, bool] | None:
    """EI without its number -> system and assigner, and whether more is valued than EI has components for.

    Parameters
    ----------
    text : str
        What follows the number in ER7: `namespace^universal id^type`.
    environment : Environment
        Surroundings.

    Returns
    -------
    tuple or None
        None when nothing is valued.
    """
    parts = components(text, 3)
    if not any(parts):
        return None
    return *_authority(parts[:3], environment), any(parts[3:])


def identifier_ei(text: str, environment: Environment) -> dict[str, Any] | None:
    """EI -> Identifier with system and assigner (v2-to-FHIR EI[Identifier-Extension], A05).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        Identifier; None when nothing is valued.
    """
    return _entity(text, environment, "", None)


def typed(type_code: str) -> dict[str, Any]:
    """Make the CodeableConcept of an identifier type that the mapping gives: of table 0203, or in words where R4 lacks it."""
    if type_code in TYPES_IN_WORDS:
        return {"text": TYPES_IN_WORDS[type_code]}
    return {"coding": [{"system": IDENTIFIER_TYPE, "code": type_code}]}


@cache
def identifier_typed(type_code: str) -> DatatypeFunction:
    """Make the function EI -> Identifier with a type.

    Parameters
    ----------
    type_code : str
        Code of table 0203: `PLAC`, `FILL`, `PGN`.

    Returns
    -------
    function
        Datatype function; the same one for the same code.
    """
    concept = typed(type_code)

    def identifier_ei_typed(text: str, environment: Environment) -> dict[str, Any] | None:
        return _entity(text, environment, "", concept)

    identifier_ei_typed.__qualname__ = f"identifier_typed({type_code!r})"
    _share_what_recurs(identifier_ei_typed)
    return identifier_ei_typed


@cache
def identifier_of_pair(component: int, type_code: str) -> DatatypeFunction:
    """Make the function EIP -> Identifier of one of its two parts.

    Parameters
    ----------
    component : {1, 2}
        1: placer assigned, 2: filler assigned.
    type_code : str
        Code of table 0203, empty for none.

    Returns
    -------
    function
        Datatype function; the same one for the same arguments.
    """
    concept = typed(type_code) if type_code else None
    prefix = f"{component}."

    def identifier_of_part(text: str, environment: Environment) -> dict[str, Any] | None:
        return _entity(promoted(text), environment, prefix, concept)

    _share_what_recurs(identifier_of_part, "&")

    def identifier_eip(text: str, environment: Environment) -> dict[str, Any] | None:
        parts = text.split("^")
        if len(parts) < component or not parts[component - 1]:
            return None
        memo = environment.memos.get(identifier_of_part) or environment.memo(identifier_of_part)
        made, faults = memo[parts[component - 1]]
        environment.faults += faults
        found: dict[str, Any] | None = made
        last = component == 2 or not parts[1:2] or not leaf(parts[1])
        if found is not None and last and any(map(leaf, parts[2:])):
            found = {**found}
            keep(found, text)
        return found

    identifier_eip.__qualname__ = f"identifier_of_pair({component}, {type_code!r})"
    return identifier_eip


#: SPM-2 and its like. The guide's PGN and FGN are types of order groups, and not in table 0203 of R4 (A29).
identifier_eip_placer = identifier_of_pair(1, "PLAC")
identifier_eip_filler = identifier_of_pair(2, "FILL")


def identifiers_eip(text: str, environment: Environment) -> list[dict[str, Any]]:
    """EIP -> the Identifiers of the placer (type PLAC) and of the filler (type FILL), those that are valued (A29).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    list of dict
        None, one or two Identifiers.
    """
    both = [identifier_eip_placer(text, environment), identifier_eip_filler(text, environment)]
    return both if None not in both else [found for found in both if found is not None]
