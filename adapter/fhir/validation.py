"""Structural validation against FHIR R4: one compiled JSON schema, 0.1 ms for a Bundle of twenty resources.

The schemas in `schema/` are made from the official definitions by `tools/make_fhir_schema.py`: `r4.json` knows the resource types
that laboratories send; `r4_whole.json.gz` knows all of them and is compiled when another type arrives. `r4_usual.json`
(`tools/make_usual_schema.py`) is `r4.json` without the elements that outputs seldom have: what it accepts is valid, what it does
not accept is asked of `r4.json`. Each is compiled at its first use, in 3 to 12 ms. Bundle invariants are in `bundle_rules.py`,
references in `closure.py`, deeper checks in `full_validation.py`.

Most strings may hold anything but control characters, and in JSON each of these is an escape. So one look at the JSON of a
resource (`text`) spares a regex for each of its strings: a tenth of the time.

A reason never holds what the sender wrote, except the name of an unknown element in the path, when it looks like a name.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from adapter.fhir.bundle_rules import Fault, bundle_faults
from adapter.fhir.json import ExactDecimal

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

SCHEMA_FOLDER = Path(__file__).parent / "schema"
# One broken message must not fill the log.
FAULT_LIMIT = 100

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")
_UNKNOWN = "is no element of FHIR R4"
_INVARIANTS = {
    "att-1": "an attachment with data needs contentType (att-1)",
    "cpt-2": "a contact point with a value needs system (cpt-2)",
    "obs-3": "a reference range needs low, high or text (obs-3)",
    "org-1": "an organization needs an identifier or a name (org-1)",
    "pat-1": "a contact needs a name, telecom, address or organization (pat-1)",
    "qty-3": "a coded unit needs system (qty-3)",
}
_REASONS = {
    "minItems": "is an empty array",
    "minProperties": "is an empty object",
    "minimum": "is out of range",
    "maximum": "is out of range",
    "enum": "is no code of the required value set",
    "propertyNames": "a value allows no other value and no extension or part beside it",
}
# A whole decimal (1.0) is no FHIR integer, but JSON schema takes it for one. Half a unit is a decimal to both.
_ANY_DECIMAL = Decimal("0.5")
# Escapes of control characters, and of a few other characters in JSON that others wrote.
_ESCAPE = re.compile(rb"\\(?:u00|[bf])")
_NOT_EMPTY = {"type": "string", "minLength": 1}


def _compiled(schema: dict[str, Any]) -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator, RegexOptions

    # RegexOptions: the engine that works in linear time.
    return Draft202012Validator(schema, pattern_options=RegexOptions())


def _shipped_schema() -> dict[str, Any]:
    schema: dict[str, Any] = orjson.loads((SCHEMA_FOLDER / "r4.json").read_bytes())
    return schema


@cache
def _shipped_validator() -> Draft202012Validator:
    return _compiled(_shipped_schema())


@cache
def _usual_validator() -> Draft202012Validator:
    """Validator of usual resources whose strings hold no control characters; it accepts nothing that the others do not."""
    schema: dict[str, Any] = orjson.loads((SCHEMA_FOLDER / "r4_usual.json").read_bytes())
    schema["$defs"].update(string=_NOT_EMPTY, markdown=_NOT_EMPTY)
    return _compiled(schema)


@cache
def _whole_validator() -> Draft202012Validator:
    import gzip

    return _compiled(orjson.loads(gzip.decompress((SCHEMA_FOLDER / "r4_whole.json.gz").read_bytes())))


@cache
def _shipped_types() -> frozenset[str]:
    return frozenset(_shipped_schema()["$defs"]["Resource"]["if"]["properties"]["resourceType"]["enum"])


def structure_faults(resource: dict[str, Any], *, unknown_allowed: bool = False, text: bytes = b"") -> list[Fault]:
    """Say what makes a resource no valid FHIR R4, as far as its structure shows it.

    Checked: elements and their types, cardinality, one value[x], primitive formats with real calendar days, required codes, empty
    values, and the invariants att-1, bdl-1 to bdl-12, cpt-2, ext-1, inv-1, obs-3, obs-6, org-1, pat-1, qty-3. Not checked:
    profiles, terminology beyond required codes, references (`closure_faults`).

    Parameters
    ----------
    resource : dict
        Resource tree with `Decimal` numbers.
    unknown_allowed : bool
        Elements that FHIR R4 does not know are no fault: they came in with FHIR input, were reported there and are kept.
    text : bytes
        The resource as JSON, where it is at hand: validation is faster then.

    Returns
    -------
    list of (str, str)
        Path (`Bundle.entry[3].resource.status`) and reason; empty when the resource is valid. It ends after `FAULT_LIMIT` faults.
    """
    faults, unknown = examine(resource, text)
    return faults if unknown_allowed else faults + unknown


def examine(resource: dict[str, Any], text: bytes = b"") -> tuple[list[Fault], list[Fault]]:
    """Same as `structure_faults`, with unknown elements apart.

    Parameters
    ----------
    resource : dict
        Resource tree with `Decimal` numbers.
    text : bytes
        The resource as JSON, where it is at hand.

    Returns
    -------
    faults : list of (str, str)
        Path and reason of what is wrong.
    unknown : list of (str, str)
        Path and reason of elements that FHIR R4 does not know. What stands inside them is not checked.
    """
    faults: list[Fault] = []
    unknown: list[Fault] = []
    if not _fits(resource, text):
        tree = _schema_tree(resource)
        validator = _shipped_validator() if _resource_types(tree) <= _shipped_types() else _whole_validator()
        root = resource.get("resourceType")
        start = root if isinstance(root, str) and _NAME.fullmatch(root) else "Resource"
        for error in validator.iter_errors(tree):
            if error.kind.name == "additionalProperties":
                place = _path(start, error.instance_path)
                unknown += [(f"{place}.{_safe_name(name)}", _UNKNOWN) for name in error.kind.as_dict()["unexpected"]]
            else:
                faults.append(_fault(start, error))
                if len(faults) == FAULT_LIMIT:
                    break
    if not faults and resource["resourceType"] == "Bundle":
        faults = bundle_faults(resource)[:FAULT_LIMIT]
    return faults, unknown


def _fits(resource: dict[str, Any], text: bytes) -> bool:
    # one character is found at the speed of memory: half a microsecond for 40 kB, where the pattern takes ten
    plain = text and not (b"\\" in text and _ESCAPE.search(text))
    try:
        return bool(plain and _usual_validator().is_valid(resource)) or _shipped_validator().is_valid(resource)
    except ValueError:  # an ExactDecimal, whose class the validator does not know
        return False


def _schema_tree(value: Any) -> Any:
    """Copy a tree with plain decimals in the place of exact ones."""
    if type(value) is dict:
        return {name: _schema_tree(inner) for name, inner in value.items()}
    if type(value) is list:
        return [_schema_tree(inner) for inner in value]
    return _ANY_DECIMAL if type(value) is ExactDecimal else value


def _resource_types(tree: Any) -> set[str]:
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            kind = value.get("resourceType")
            if isinstance(kind, str):
                found.add(kind)
            waiting += value.values()
        elif type(value) is list:
            waiting += value
    return found


def _safe_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else "?"


def _path(start: str, parts: list[str | int]) -> str:
    return start + "".join([f"[{part}]" if isinstance(part, int) else f".{_safe_name(part)}" for part in parts])


def _fault(start: str, error: ValidationError) -> Fault:
    place, kind, definition = _path(start, error.instance_path), error.kind.name, _definition(error)
    if kind == "required":
        return f"{place}.{error.kind.as_dict()['property']}", "is required"
    if kind == "type":
        return place, "must be " + " or ".join(error.kind.as_dict()["types"])
    if kind in {"pattern", "minLength"}:
        return place, f"is no valid {definition}"
    if kind == "anyOf":
        return place, _INVARIANTS.get(definition, "has no value that is allowed here")
    if kind == "falseSchema":
        if place.endswith(".resourceType"):
            return place, "is no resource type of FHIR R4"
        return place, "must not stand beside another value or a reason for its absence"
    return place, _REASONS.get(kind, "does not conform to the schema")


def _definition(error: ValidationError) -> str:
    path = error.schema_path
    return str(path[1]) if len(path) > 1 and path[0] == "$defs" else ""
