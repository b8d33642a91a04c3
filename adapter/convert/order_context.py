"""What the results of one order share: the order itself, its report, its ServiceRequest and its specimens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adapter.hl7v2.grouping import Order
from adapter.hl7v2.message import Segment


@dataclass(slots=True, eq=False)
class OrderContext:
    """One order on its way into FHIR; `order.build_order` makes it, `observation.build_observations` reads it.

    Parameters
    ----------
    order : Order
        The segments of the order.
    report : dict
        The DiagnosticReport; results and documents are appended to it.
    report_key : tuple of str
        Key of the DiagnosticReport without the patient (accession number, authority, OBR-4): part of the keys of its results.
    service_request : dict or None
        The ServiceRequest; questions asked at order entry are appended to it (A20).
    specimens : list of (reference, resource, SPM segment or None)
        What `specimen.build_specimens` made.
    organizations : list of dict
        Organizations that perform the whole report, for results that name none.
    observations : list of (reference, resource, OBX segment)
        The results that `observation.build_observations` made.
    """

    order: Order
    report: dict[str, Any]
    report_key: tuple[str, ...]
    service_request: dict[str, Any] | None = None
    specimens: list[tuple[dict[str, str], dict[str, Any], Segment | None]] = field(default_factory=list)
    organizations: list[dict[str, Any]] = field(default_factory=list)
    observations: list[tuple[dict[str, str], dict[str, Any], Segment]] = field(default_factory=list)
