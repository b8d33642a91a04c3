"""FHIR input: a resource or a Bundle -> its Observations with their surroundings.

Observations are found as the resource itself, in the entries of a Bundle (of any type, Bundles within Bundles included), and in
`contained` of either: a contained result is a result. Nothing is rebuilt: the tree that came in is the tree that goes out,
with its order, extensions and unknown elements; enrichment changes the Observations in it.

Sealed input passes unchanged: Bundles that are signed or documents (`signed-bundle`), resources that are neither Observation nor
Bundle (`fhir-unsupported`). It is validated all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.context import ObservationContext
from adapter.fhir.json import loads
from adapter.fhir.references import Index, Resource, index, resolve, resources_of
from adapter.fhir.sender import Sender, sender_of
from adapter.fhir.validation import examine
from adapter.issues import Issue, reject


@dataclass(slots=True)
class FhirInput:
    """What was read.

    Parameters
    ----------
    resource : dict
        The tree as it came, decimals exact.
    observations : list of ObservationContext
        Every Observation in it that may be enriched, in order.
    issues : list of Issue
        What was noticed.
    sealed : bool
        The input passes on unchanged.
    """

    resource: Resource
    observations: list[ObservationContext] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    sealed: bool = False


def read_fhir(data: bytes, *, validate: bool = True) -> FhirInput:
    """Read one FHIR resource from JSON.

    Parameters
    ----------
    data : bytes
        A resource; arrays and NDJSON are taken apart before.
    validate : bool
        Reject what does not conform to FHIR R4.

    Returns
    -------
    FhirInput
        The resource and its Observations.

    Raises
    ------
    issues.Rejected
        `json-invalid`, `json-unsafe`, or `fhir-invalid` with the path and reason of the first fault.
    """
    resource = loads(data)
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise reject("fhir-invalid", "Resource.resourceType", "the JSON is no FHIR resource")
    found = FhirInput(resource)
    if validate:
        faults, unknown = examine(resource, data)
        if faults:
            path, reason = faults[0]
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise reject("fhir-invalid", path, reason + more)
        found.issues += [Issue("fhir-unknown-element", path, reason) for path, reason in unknown]
    kind = resource["resourceType"]
    if kind == "Bundle":
        if _is_sealed(resource):
            found.sealed = True
            found.issues.append(Issue("signed-bundle", "Bundle"))
        else:
            _collect(resource, "Bundle", found)
    elif kind == "Observation":
        _add(resource, "", "Observation", Index(), {}, Sender(), found)
    else:
        found.sealed = True
        found.issues.append(Issue("fhir-unsupported", kind if kind.isalnum() else "Resource"))
    return found


def _is_sealed(bundle: Resource) -> bool:
    return "signature" in bundle or bundle.get("type") == "document"


def _collect(bundle: Resource, path: str, found: FhirInput) -> None:
    names = index(bundle)
    sender = sender_of(bundle, names)
    reports = _reports(bundle, names)
    for number, full_url, resource in resources_of(bundle):
        place = f"{path}.entry[{number}].resource"
        if resource["resourceType"] != "Bundle":
            _add(resource, full_url, place, names, reports, sender, found)
        elif _is_sealed(resource):
            found.issues.append(Issue("signed-bundle", place))
        else:
            _collect(resource, place, found)


def _reports(bundle: Resource, names: Index) -> dict[int, Resource]:
    """Index the DiagnosticReports by the identity of the Observations that they list."""
    reports: dict[int, Resource] = {}
    for _, full_url, resource in resources_of(bundle):
        if resource["resourceType"] == "DiagnosticReport":
            for reference in _list(resource, "result"):
                target = resolve(reference, resource, full_url, names)
                if target is not None:
                    reports.setdefault(id(target), resource)
    return reports


def _list(resource: Resource, name: str) -> list[Any]:
    value = resource.get(name)
    return value if isinstance(value, list) else []


def _add(
    resource: Resource, full_url: str, place: str, names: Index, reports: dict[int, Resource], sender: Sender, found: FhirInput
) -> None:
    """Note the Observation, and the Observations contained in whatever resource it is."""
    if resource["resourceType"] == "Observation":
        found.observations.append(_context(resource, resource, full_url, place, names, reports, sender))
    for number, inner in enumerate(_list(resource, "contained")):
        if isinstance(inner, dict) and inner.get("resourceType") == "Observation":
            where = f"{place}.contained[{number}]"
            found.observations.append(_context(inner, resource, full_url, where, names, reports, sender))


def _context(
    observation: Resource,
    container: Resource,
    full_url: str,
    place: str,
    names: Index,
    reports: dict[int, Resource],
    sender: Sender,
) -> ObservationContext:
    def find(reference: Any, kind: str) -> Resource | None:
        target = resolve(reference, container, full_url, names)
        return target if target is not None and target.get("resourceType") == kind else None

    organizations: list[Resource] = []
    for reference in _list(observation, "performer"):
        organization = find(reference, "Organization") or _named_organization(reference)
        if organization is None:
            role = find(reference, "PractitionerRole")
            organization = None if role is None else find(role.get("organization"), "Organization")
        if organization is not None and not any(organization is known for known in organizations):
            organizations.append(organization)
    return ObservationContext(
        observation=observation,
        patient=find(observation.get("subject"), "Patient"),
        specimen=find(observation.get("specimen"), "Specimen"),
        organizations=organizations,
        sender_application=sender.application,
        sender_facility=sender.facility,
        place=place,
        report=reports.get(id(observation)),
    )


def _named_organization(reference: Any) -> Resource | None:
    """Make the Organization that a Reference names by identifier or display, when it says that it is one."""
    if not isinstance(reference, dict) or reference.get("type") != "Organization":
        return None
    organization: Resource = {"resourceType": "Organization"}
    if "identifier" in reference:
        organization["identifier"] = [reference["identifier"]]
    if "display" in reference:
        organization["name"] = reference["display"]
    return organization if len(organization) > 1 else None
