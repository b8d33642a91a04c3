"""Do references point to something, and to the right kind of thing?

`urn:` references must be the `fullUrl` of an entry, `#id` must be contained, and where the target's type is known it must be
one that the element allows (`schema/reference_targets.json`, made from the official definitions). References to resources
elsewhere are judged by the type in their text only.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import orjson

from adapter.fhir.bundle_rules import Fault
from adapter.fhir.references import Index, contained_in, index, references_in, resolve, resources_of
from adapter.fhir.validation import SCHEMA_FOLDER

_POSITION = re.compile(r"\[\d+\]")
_TYPE_IN_URL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$|\?)")
# Datatypes with references: they occur under many paths, their element names are the same everywhere.
_DATATYPES = ("Annotation", "Identifier", "Signature")


@cache
def _targets() -> dict[str, frozenset[str]]:
    table = orjson.loads((SCHEMA_FOLDER / "reference_targets.json").read_bytes())
    targets = {path: frozenset(types) for path, types in table.items()}
    for path, types in table.items():
        kind, _, name = path.partition(".")
        if kind in _DATATYPES:
            targets["*." + name] = frozenset(types)
    return targets


def closure_faults(resource: dict[str, Any]) -> list[Fault]:
    """Check the references of a resource, or of every resource of a Bundle.

    Parameters
    ----------
    resource : dict
        A resource with a valid structure.

    Returns
    -------
    list of (str, str)
        Path and reason of each reference that points to nothing or to a resource of a type that is not allowed there.
    """
    if resource.get("resourceType") != "Bundle":
        return _resource_faults(resource, "", resource["resourceType"], Index(), in_bundle=False)
    names = index(resource)
    faults: list[Fault] = []
    for number, full_url, inner in resources_of(resource):
        faults += _resource_faults(inner, full_url, f"Bundle.entry[{number}].resource", names, in_bundle=True)
    return faults


def _resource_faults(resource: dict[str, Any], full_url: str, path: str, names: Index, *, in_bundle: bool) -> list[Fault]:
    faults: list[Fault] = []
    contained = contained_in(resource)
    for place, reference in references_in(resource, resource["resourceType"]):
        where = path + place.removeprefix(resource["resourceType"]) + ".reference"
        text = reference["reference"]
        target = resource if text == "#" else resolve(reference, resource, full_url, names)
        if target is None and text.startswith("#"):
            faults.append((where, "is not contained in the resource"))
        elif target is None and text.startswith("urn:") and in_bundle:
            faults.append((where, "is the fullUrl of no entry"))
        else:
            faults += _type_faults(where, _element(place, resource, contained), reference, target)
    return faults


def _element(place: str, resource: dict[str, Any], contained: list[dict[str, Any]]) -> str:
    """Element path without positions; inside `contained` it begins at the contained resource."""
    prefix = f"{resource['resourceType']}.contained["
    if place.startswith(prefix):
        number, _, rest = place.removeprefix(prefix).partition("]")
        place = str(contained[int(number)]["resourceType"]) + rest
    return _POSITION.sub("", place)


def _type_faults(where: str, element: str, reference: dict[str, Any], target: dict[str, Any] | None) -> list[Fault]:
    if target is not None:
        kind = target["resourceType"]
    else:
        match = _TYPE_IN_URL.search(reference["reference"])
        if match is None:
            return []
        kind = match[1]
    targets = _targets()
    allowed = targets.get(element) or targets.get("*." + element.rpartition(".")[2])
    if allowed is not None and kind not in allowed:
        return [(where, f"points to a {kind}; allowed here: {', '.join(sorted(allowed))}")]
    if reference.get("type", kind) != kind:
        return [(where, "points to another type than Reference.type says")]
    return []
