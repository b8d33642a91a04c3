"""MSH-3, 5, 6, 23, 24, 25 -> source and destination of a MessageHeader (v2-to-FHIR MSH[MessageHeader]; A33).

R4 requires an endpoint of both: OID, UUID, URI or DNS name as URI, else absent with a reason.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.identifiers import hd_uri
from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.environment import Environment
from adapter.convert.parties import organization, organization_of_authority
from adapter.convert.rules import Targets
from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Segment, valued

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}


def endpoint(text: str, environment: Environment) -> str | None:
    """HD -> url of an endpoint: OID, UUID, URI and DNS name as URI; anything else gives None (A33).

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    str or None
        A URL, or None when the HD names no universal id.
    """
    parts = text.split("^")
    if len(parts) > 2 and parts[2].upper() == "DNS" and valued(parts[1]):
        return "urn:dns:" + parts[1]
    return hd_uri(text, environment) if len(parts) > 1 else None


def hd_name(text: str) -> str:
    """HD -> its namespace, empty when there is none."""
    parts = text.split("^")
    return unescape(parts[0]) if valued(parts[0]) else ""


def _put_endpoint(assembly: Assembly, segment: Segment, number: int, text: str, holder: dict[str, Any], targets: Targets) -> None:
    url = assembly.value(endpoint, segment, number, text)
    if url is None:
        holder["_endpoint"] = UNKNOWN
        _keep_address(text, number, targets)
    else:
        holder["endpoint"] = url


def _keep_address(text: str, number: int, targets: Targets) -> None:
    """Keep an HD as sent whose universal id stands nowhere in the output: it is no URI, or another field gives the endpoint."""
    if any(valued(part) for part in text.split("^")[1:]):
        keep_source(targets["MessageHeader"], f"MSH-{number}", text)


def set_source(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-3 -> source of the MessageHeader."""
    source: dict[str, Any] = targets["MessageHeader"]["source"]
    name = hd_name(text)
    if name:
        source["name"] = name
    parts = text.split("^")
    if len(parts) > 1 and valued(parts[1]):
        source["software"] = unescape(parts[1])
    if not valued(segment[24]):
        source.pop("_endpoint", None)
        _put_endpoint(assembly, segment, 3, text, source, targets)
    else:
        _keep_address(text, 3, targets)


def set_source_address(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-24 -> endpoint of the source."""
    source: dict[str, Any] = targets["MessageHeader"]["source"]
    source.pop("_endpoint", None)
    _put_endpoint(assembly, segment, 24, text, source, targets)


def _destination(targets: Targets) -> dict[str, Any]:
    found: list[dict[str, Any]] = targets["MessageHeader"].setdefault("destination", [{"_endpoint": UNKNOWN}])
    return found[0]


def set_receiving_application(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-5 -> name of the destination, and its endpoint where MSH-25 gives none."""
    destination = _destination(targets)
    name = hd_name(text)
    if name:
        destination["name"] = name
    if not valued(segment[25]):
        destination.pop("_endpoint", None)
        _put_endpoint(assembly, segment, 5, text, destination, targets)
    else:
        _keep_address(text, 5, targets)


def set_destination_address(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-25 -> endpoint of the destination."""
    destination = _destination(targets)
    destination.pop("_endpoint", None)
    _put_endpoint(assembly, segment, 25, text, destination, targets)


def set_receiving_facility(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-6 -> receiver, where MSH-23 names none."""
    if not valued(segment[23]):
        reference = organization_of_authority(assembly, segment, 6, text)
        if reference is not None:
            _destination(targets)["receiver"] = reference


def set_receiving_organization(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-23 -> receiver."""
    reference = organization(assembly, segment, 23, text)
    if reference is not None:
        _destination(targets)["receiver"] = reference
