"""What a reference means inside a Bundle (FHIR R4, bundle.html#references), and how to rewrite references.

A reference is looked up in this order: `#id` in the resource's own `contained`; the same text as a `fullUrl`; `Type/id` with
the base of the referring entry's `fullUrl`; `Type/id` of exactly one resource in the Bundle. A version (`/_history/2`) is
left off when the version itself is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Resource = dict[str, Any]


@dataclass(slots=True)
class Index:
    """The resources of a Bundle by the names that references use.

    Parameters
    ----------
    by_url : dict
        `fullUrl` to resource.
    by_id : dict
        `Type/id` to resource; None where two resources have the same.
    """

    by_url: dict[str, Resource] = field(default_factory=dict)
    by_id: dict[str, Resource | None] = field(default_factory=dict)


def resources_of(bundle: Resource) -> Iterator[tuple[int, str, Resource]]:
    """Yield number, `fullUrl` (or an empty text) and resource of each entry that has a resource."""
    for number, entry in enumerate(bundle.get("entry", [])):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            full_url = entry.get("fullUrl")
            yield number, full_url if isinstance(full_url, str) else "", resource


def index(bundle: Resource) -> Index:
    """Index the resources of a Bundle.

    Parameters
    ----------
    bundle : dict
        A Bundle.

    Returns
    -------
    Index
        For `resolve`.
    """
    found = Index()
    for _, full_url, resource in resources_of(bundle):
        if full_url:
            found.by_url.setdefault(full_url, resource)
        if isinstance(resource.get("id"), str):
            name = f"{resource['resourceType']}/{resource['id']}"
            found.by_id[name] = None if name in found.by_id else resource
    return found


def base_of(full_url: str) -> str:
    """Base of the server that a RESTful `fullUrl` names (`http://a/fhir/` of `http://a/fhir/Patient/1`); else an empty text."""
    parts = full_url.rsplit("/", 2)
    return parts[0] + "/" if len(parts) == 3 and full_url.startswith(("http://", "https://")) else ""


def resolve(reference: Any, container: Resource, full_url: str, names: Index) -> Resource | None:
    """Find the resource that a Reference means.

    Parameters
    ----------
    reference : Any
        A Reference; anything else resolves to None.
    container : dict
        The resource in which the reference stands.
    full_url : str
        `fullUrl` of the entry in which it stands, or an empty text.
    names : Index
        The Bundle.

    Returns
    -------
    dict or None
        The resource; None when it is not in the Bundle or not certain.
    """
    target = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(target, str):
        return None
    if target.startswith("#"):
        return next((inner for inner in contained_in(container) if inner.get("id") == target[1:]), None)
    for name in dict.fromkeys((target, target.partition("/_history/")[0])):
        found = names.by_url.get(name) or names.by_url.get(base_of(full_url) + name)
        if found is None and "://" not in name:
            found = names.by_id.get(name)
        if found is not None:
            return found
    return None


def contained_in(resource: Resource) -> list[Resource]:
    """Resources in `contained`."""
    inner = resource.get("contained")
    return [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []


def rewritten(value: Any, targets: dict[str, str]) -> Any:
    """Replace the targets of references, copying only what changes.

    Parameters
    ----------
    value : Any
        Resource tree; it is not changed.
    targets : dict
        `Reference.reference` as it stands to what it becomes.

    Returns
    -------
    Any
        The same object when nothing in it changed, else a copy that shares what did not change.
    """
    if type(value) is dict:
        changed: dict[str, Any] = {}
        for name, inner in value.items():
            if type(inner) is str:
                if name == "reference" and inner in targets:
                    changed[name] = targets[inner]
            elif type(inner) is dict or type(inner) is list:
                new = rewritten(inner, targets)
                if new is not inner:
                    changed[name] = new
        return {**value, **changed} if changed else value
    if type(value) is list:
        copy = [rewritten(inner, targets) if type(inner) is dict or type(inner) is list else inner for inner in value]
        return copy if any(new is not old for new, old in zip(copy, value, strict=True)) else value
    return value


def references_in(value: Any, path: str) -> Iterator[tuple[str, Resource]]:
    """Yield path and Reference of every reference in a resource, `contained` included."""
    if type(value) is dict:
        if type(value.get("reference")) is str:
            yield path, value
        for name, inner in value.items():
            if type(inner) is dict or type(inner) is list:
                yield from references_in(inner, f"{path}.{name}")
    elif type(value) is list:
        for number, inner in enumerate(value):
            if type(inner) is dict:
                yield from references_in(inner, f"{path}[{number}]")
