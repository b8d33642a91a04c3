"""Make `adapter/fhir/schema/r4_usual.json`: `r4.json` without the elements that outputs do not have.

The validator asks for each object which of its elements exist, and for each choice which others stand beside it. Most of what R4
allows never stands in an output; without it the same check takes a fifth less time. `usual_elements.txt` says which elements
stay: what the conversion makes of the messages of laboratories. After a change of it run::

    python -m tools.make_usual_schema

The schema only takes away: elements, and rules about elements that are taken away. So what it accepts `r4.json` accepts, and what
it does not accept `r4.json` is asked about (`adapter/fhir/validation.py`). To leave an element out costs time, never a fault.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapter.fhir.validation import SCHEMA_FOLDER

Schema = dict[str, Any]
#: Names of the elements that occur, by definition of the schema.
Elements = dict[str, set[str]]

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = SCHEMA_FOLDER / "r4_usual.json"
_REFERENCE = "#/$defs/"


def usual_elements() -> Elements:
    """Read `usual_elements.txt`: a definition and its elements a line."""
    lines = (ROOT / "tools" / "usual_elements.txt").read_text(encoding="utf-8").splitlines()
    return {
        name: set(elements.split()) for name, _, elements in (line.partition(":") for line in lines if not line.startswith("#"))
    }


def usual_schema(schema: Schema, elements: Elements) -> Schema:
    """Narrow a schema to some elements.

    Parameters
    ----------
    schema : dict
        `r4.json`.
    elements : dict
        Elements to be kept, by definition.

    Returns
    -------
    dict
        A schema that accepts nothing that the whole one does not accept.
    """
    definitions: Schema = schema["$defs"]
    narrowed = {
        name: one
        if one.get("additionalProperties") is not False
        else _narrowed(one, elements[name])
        if name in elements
        else False
        for name, one in definitions.items()
    }
    narrowed["Resource"] = _resource([kind for kind in _resource_types(definitions) if kind in elements])
    reached: Schema = {}
    waiting = ["Resource"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = narrowed[name]
            waiting += _references(narrowed[name])
    comment = "FHIR R4 (4.0.1), made by tools/make_usual_schema.py from r4.json: accepts less"
    return {**schema, "$comment": comment, "$defs": dict(sorted(reached.items()))}


def _narrowed(definition: Schema, kept: set[str]) -> Schema:
    """Take from the definition of an object the elements that are not kept, which it refuses then, and rules about them."""
    new = {**definition, "properties": {name: one for name, one in definition["properties"].items() if name in kept}}
    dependents = {
        name: one
        if set(one) != {"properties"}
        else {"properties": {other: no for other, no in one["properties"].items() if other in kept}}
        for name, one in definition.get("dependentSchemas", {}).items()
        if name in kept
    }
    rules = []
    for rule in definition.get("allOf", ()):
        condition = rule.get("if", {})
        if not kept.issuperset(condition.get("required", ())):
            # never so: the strict form of an array without siblings
            new["properties"] |= {name: one for name, one in rule["else"]["properties"].items() if name in kept}
        elif "not" in condition and kept.isdisjoint(condition["not"]["required"]):
            # always so: a required primitive without sibling
            new["required"] = [*new.get("required", ()), *rule["then"]["required"]]
        else:
            rules.append(rule)
    for keyword, value in (("dependentSchemas", dependents), ("allOf", rules)):
        new.pop(keyword, None)
        if value:
            new[keyword] = value
    return new


def _resource(kinds: list[str]) -> Schema:
    """Give the schema of a resource of one of these types."""
    chain: Schema | bool = False
    for kind in reversed(kinds):
        chain = {"if": {"properties": {"resourceType": {"const": kind}}}, "then": {"$ref": _REFERENCE + kind}, "else": chain}
    return {"type": "object", "required": ["resourceType"], "allOf": [chain]}


def _resource_types(definitions: Schema) -> list[str]:
    kinds: list[str] = definitions["Resource"]["if"]["properties"]["resourceType"]["enum"]
    return kinds


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        found = [target.removeprefix(_REFERENCE)] if isinstance(target, str) else []
        return found + [name for inner in value.values() for name in _references(inner)]
    return [name for inner in value for name in _references(inner)] if isinstance(value, list) else []


def main() -> None:
    """Write the schema."""
    schema = json.loads((SCHEMA_FOLDER / "r4.json").read_bytes())
    OUTPUT.write_text(json.dumps(usual_schema(schema, usual_elements()), separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
