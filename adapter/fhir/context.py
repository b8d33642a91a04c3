"""One Observation and what is known around it: where the converted v2 result and the FHIR input meet before enrichment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class ObservationContext(NamedTuple):
    """An Observation to be enriched, with its surroundings as FHIR resources.

    Parameters
    ----------
    observation : dict
        The Observation; enrichment changes it in place.
    patient : dict or None
        Its subject, when that is a Patient in the same input.
    specimen : dict or None
        Its specimen, when it is in the same input.
    organizations : list of dict
        The Organizations that performed it, in the order sent.
    sender_application : tuple of str
        Name and universal id of the sending application; `()` when unknown, the id absent when unknown.
    sender_facility : tuple of str
        Name and universal id of the sending facility, likewise.
    place : str
        Where it stands in the source: `OBX[2]`, `Bundle.entry[3].resource`.
    report : dict or None
        The DiagnosticReport that lists it, when it is in the same input.
    """

    observation: dict[str, Any]
    patient: dict[str, Any] | None = None
    specimen: dict[str, Any] | None = None
    organizations: Sequence[dict[str, Any]] = ()
    sender_application: tuple[str, ...] = ()
    sender_facility: tuple[str, ...] = ()
    place: str = ""
    report: dict[str, Any] | None = None
