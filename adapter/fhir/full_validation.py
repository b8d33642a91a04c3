"""`--validate full`: a second judge, and the invariants that structure alone does not show.

Structure first (`validation.py`), then the models of fhir.resources (written by others from the same standard; R4B, which
agrees with R4 in the resources met here), then invariants that compare values, then references (`closure.py`). fhir.resources
is imported at the first use: it takes a third of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapter.fhir.bundle_rules import Fault
from adapter.fhir.closure import closure_faults
from adapter.fhir.references import Resource, contained_in, references_in
from adapter.fhir.validation import structure_faults

_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")


def full_faults(resource: dict[str, Any], *, unknown_allowed: bool = False) -> list[Fault]:
    """Say everything that can be said against a resource.

    Parameters
    ----------
    resource : dict
        Resource tree with `Decimal` numbers.
    unknown_allowed : bool
        Elements that FHIR R4 does not know are no fault.

    Returns
    -------
    list of (str, str)
        Path and reason; empty when the resource is valid.
    """
    faults = structure_faults(resource, unknown_allowed=unknown_allowed)
    if faults:
        return faults
    return [*_model_faults(resource), *_invariant_faults(resource, resource["resourceType"]), *closure_faults(resource)]


def _model_faults(resource: Resource) -> list[Fault]:
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    kind = resource["resourceType"]
    try:
        model = get_fhir_model_class(kind)
    except KeyError:  # a resource type of R4 that R4B no longer has
        return []
    try:
        model.model_validate(resource)
    except ValidationError as error:
        # `extra_forbidden`: unknown elements are judged by structure_faults.
        return [
            (_path(kind, one["loc"]), "does not conform to fhir.resources: " + one["type"].replace("_", " "))
            for one in error.errors(include_url=False, include_context=False, include_input=False)
            if one["type"] != "extra_forbidden"
        ]
    return []


def _path(kind: str, location: tuple[int | str, ...]) -> str:
    return kind + "".join([f"[{part}]" if isinstance(part, int) else f".{part}" for part in location])


def _invariant_faults(resource: Resource, path: str) -> Iterator[Fault]:
    if resource["resourceType"] == "Bundle":
        for number, entry in enumerate(resource.get("entry", [])):
            if "fullUrl" in entry and not _well_formed(entry["fullUrl"]):
                yield f"{path}.entry[{number}].fullUrl", "is no well-formed UUID or OID"
            if "resource" in entry:
                yield from _invariant_faults(entry["resource"], f"{path}.entry[{number}].resource")
        return
    yield from _contained_faults(resource, path)
    if resource["resourceType"] == "Observation":
        yield from _observation_faults(resource, path)
    yield from _value_faults(resource, path)


def _contained_faults(resource: Resource, path: str) -> Iterator[Fault]:
    """dom-2 to dom-5."""
    used = {reference["reference"].removeprefix("#") for _, reference in references_in(resource, "")}
    for number, inner in enumerate(contained_in(resource)):
        place = f"{path}.contained[{number}]"
        meta = inner.get("meta", {})
        if "contained" in inner:
            yield f"{place}.contained", "a contained resource contains none (dom-2)"
        refers_back = any(reference["reference"] == "#" for _, reference in references_in(inner, ""))
        if inner.get("id") not in used and not refers_back:
            yield place, "is referred to from nowhere (dom-3)"
        if "versionId" in meta or "lastUpdated" in meta:
            yield f"{place}.meta", "a contained resource has no version and no update time (dom-4)"
        if "security" in meta:
            yield f"{place}.meta", "a contained resource has no security label (dom-5)"
        if inner["resourceType"] == "Observation":
            yield from _observation_faults(inner, place)
        yield from _value_faults(inner, place)


def _observation_faults(observation: Resource, path: str) -> Iterator[Fault]:
    """obs-7: a component with the code of the Observation is its value."""
    if any(name.startswith(("value", "_value")) for name in observation):
        for number, component in enumerate(observation.get("component", [])):
            if _codes(component["code"]) & _codes(observation["code"]):
                yield f"{path}.component[{number}].code", "is the code of the Observation, which has a value itself (obs-7)"


def _codes(concept: Resource) -> set[tuple[str, str]]:
    return {(coding.get("system", ""), coding["code"]) for coding in concept.get("coding", []) if "code" in coding}


def _value_faults(value: Any, path: str) -> Iterator[Fault]:
    """ele-1, per-1, rng-2, and well-formed `urn:` references anywhere in a resource."""
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _value_faults(inner, f"{path}[{number}]")
        return
    if not isinstance(value, dict):
        return
    # `_given` and the like belong to a value beside them: an id alone is content there.
    if value.keys() == {"id"} and not path.rpartition(".")[2].startswith("_"):
        yield path, "has neither value nor content (ele-1)"
    if isinstance(value.get("reference"), str) and not _well_formed(value["reference"]):
        yield f"{path}.reference", "is no well-formed UUID or OID"
    start, end = value.get("start"), value.get("end")
    if isinstance(start, str) and isinstance(end, str) and not _ordered(start, end):
        yield path, "ends before it starts (per-1)"
    low, high = _quantity(value.get("low")), _quantity(value.get("high"))
    if low is not None and high is not None and low[1:] == high[1:] and low[0] > high[0]:
        yield path, "low is above high (rng-2)"
    for name, inner in value.items():
        if name != "contained":
            yield from _value_faults(inner, f"{path}.{name}")


def _well_formed(uri: str) -> bool:
    if uri.startswith("urn:uuid:"):
        return _UUID.fullmatch(uri) is not None
    return not uri.startswith("urn:oid:") or _OID.fullmatch(uri) is not None


def _ordered(start: str, end: str) -> bool:
    """Whether the end is not before the start, by the digits that both have; two times need their zones, so days decide."""
    shared = min(len(start), len(end), 10)
    return start[:shared] <= end[:shared]


def _quantity(value: Any) -> tuple[Decimal, Any, Any] | None:
    """Value, system and code (or unit) of a Quantity that has a number."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), (Decimal, int)):
        return None
    return Decimal(value["value"]), value.get("system"), value.get("code", value.get("unit"))
