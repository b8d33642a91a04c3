"""What a door knows of FHIR input before it is converted: who sent it, its control id, its patient.

The counterpart of `hl7v2.admission`: cheap and certain. Whether the resource conforms to FHIR is for the conversion to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from adapter.fhir.references import Resource
from adapter.issues import Issue


class FhirAdmission(NamedTuple):
    """What a door knows of FHIR input.

    Parameters
    ----------
    sender : str
        `name|endpoint` of `MessageHeader.source`; empty when the input has none.
    control_id : str
        What tells a message from another one of the sender: `Bundle.identifier`, else the id of the MessageHeader, else that of
        the Bundle. Empty for other resources: they are told by their content.
    patient : str
        Digest of the first identifier of the first Patient, else of the first subject that is referred to; empty when there is
        none.
    issue : Issue or None
        Why the input is refused: `json-invalid`, `fhir-invalid`.
    """

    sender: str
    control_id: str
    patient: str
    issue: Issue | None


def admit_fhir(data: bytes) -> FhirAdmission:
    """Look at FHIR input before it is acknowledged.

    Parameters
    ----------
    data : bytes
        One JSON value.

    Returns
    -------
    FhirAdmission
        Never raises.
    """
    try:
        resource = orjson.loads(data)
    except orjson.JSONDecodeError:
        return FhirAdmission("", "", "", Issue("json-invalid"))
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return FhirAdmission("", "", "", Issue("fhir-invalid", "resourceType"))
    resources = list(_resources(resource))
    header: Resource = next((found for found in resources if found["resourceType"] == "MessageHeader"), {})
    source = _dict(header.get("source"))
    sender = "|".join(_text(source.get(name)) for name in ("name", "endpoint")) if source else ""
    return FhirAdmission(sender, _control_id(resource, header), _patient(resources, sender), None)


def _control_id(resource: Resource, header: Resource) -> str:
    if resource["resourceType"] != "Bundle":
        return ""
    identifier = _dict(resource.get("identifier"))
    if value := _text(identifier.get("value")):
        system = _text(identifier.get("system"))
        return f"{system}|{value}" if system else value
    return _text(header.get("id")) or _text(resource.get("id"))


def _patient(resources: list[Resource], sender: str) -> str:
    for resource in resources:
        if resource["resourceType"] == "Patient":
            identifiers = resource.get("identifier")
            first = _dict(identifiers[0]) if isinstance(identifiers, list) and identifiers else {}
            if value := _text(first.get("value")):
                return _digest(value, _text(first.get("system")) or sender)
            return _digest(_text(resource.get("id")), sender)
    for resource in resources:
        subject = _dict(resource.get("subject"))
        identifier = _dict(subject.get("identifier"))
        if value := _text(identifier.get("value")):
            return _digest(value, _text(identifier.get("system")) or sender)
        if reference := _text(subject.get("reference")):
            return _digest(reference, sender)
    return ""


def _digest(value: str, authority: str) -> str:
    return blake2b(f"{value}\0{authority}".encode(), digest_size=16).hexdigest() if value else ""


def _resources(resource: Resource) -> Iterator[Resource]:
    """Give the resource itself, and those of a Bundle."""
    yield resource
    entries = resource.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        inner = _dict(entry).get("resource")
        if isinstance(inner, dict) and isinstance(inner.get("resourceType"), str):
            yield inner


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
