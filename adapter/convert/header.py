"""MSH -> MessageHeader (message Bundles) or Provenance (all other forms), and what the Bundle itself takes from MSH.

A MessageHeader belongs to message Bundles only; elsewhere one Provenance says where the resources come from: the digest of
the source, its control id, the sender, and this program with its version and table set. There is no clock: `recorded` is
the time of MSH-7, and without a zone it is absent with a reason.

Mapping: HL7 v2-to-FHIR segment maps MSH[MessageHeader], MSH[Bundle], MSH[Provenance-*]; ambiguities A34
(software), A39 (Provenance), A58 (Bundle.identifier.system). Without a MessageHeader, the receiver, the event and the network
addresses stay on the Provenance as sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from adapter import __version__
from adapter.convert import message_segments
from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import coding
from adapter.convert.datatypes.identifiers import hd_uri
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import components
from adapter.convert.datatypes.times import date_time, instant
from adapter.convert.datatypes.verbatim import keep_source, source_extension, source_field
from adapter.convert.header_template import apply_header_rules
from adapter.convert.message_ends import (
    UNKNOWN,
    hd_name,
    set_destination_address,
    set_receiving_application,
    set_receiving_facility,
    set_receiving_organization,
    set_source,
    set_source_address,
)
from adapter.convert.parties import organization, organization_of_authority
from adapter.convert.party import add_to
from adapter.convert.rules import Builder, Plan, Primitive, Rule, Targets
from adapter.fhir.canonical import CANONICAL_BASE
from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Segment, valued

PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
V2_ACTIVITY = "http://hl7.org/fhir/uv/v2mappings/CodeSystem/provenance-activity-type-v2-to-fhir"
_DEVICE_NAME = {"name": "b2m-fhir-adapter", "type": "model-name"}
_SOFTWARE_VERSION = {"type": {"text": "software"}, "value": __version__}
_TRANSFORMATION = {"coding": [{"system": V2_ACTIVITY, "code": "v2-fhir-transformation"}]}
_ASSEMBLER = {"coding": [{"system": PARTICIPANT_TYPE, "code": "assembler"}]}
_AUTHOR = {"coding": [{"system": PARTICIPANT_TYPE, "code": "author"}]}
#: System of the identifier that holds the SHA-256 of a source message.
DIGEST_SYSTEM = CANONICAL_BASE + "/identifier/sha256"


def _sending_facility(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    reference = organization_of_authority(assembly, segment, 4, text)
    if reference is None:
        return
    if "MessageHeader" in targets:
        targets["MessageHeader"]["sender"] = reference
    if not valued(segment[22]):
        _author(targets["Provenance"], reference)


def _sending_organization(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    reference = organization(assembly, segment, 22, text)
    if reference is None:
        return
    if "MessageHeader" in targets:
        targets["MessageHeader"]["responsible"] = reference
    _author(targets["Provenance"], reference)


def _author(provenance: dict[str, Any], who: dict[str, Any]) -> None:
    provenance["agent"].append({"type": _AUTHOR, "who": who})


def _transmitter(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Name the sending application in the Provenance, where no MessageHeader does."""
    if "MessageHeader" in targets:
        return
    who: dict[str, Any] = {}
    name = hd_name(text)
    if name:
        who["display"] = name
    uri = assembly.value(hd_uri, segment, 3, text) if "^" in text else None
    if uri is not None:
        who["identifier"] = {"system": "urn:ietf:rfc:3986", "value": uri}
    elif "^" in text:
        who["extension"] = [source_extension("MSH-3", text)]
    if who:
        provenance = targets["Provenance"]
        # R4's participant types have no transmitter (R5's have): the text says it
        provenance["agent"].append({"type": {"text": "transmitter"}, "who": who})


def _event(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    parts = text.split("^")
    code = parts[1] if len(parts) > 1 and valued(parts[1]) else parts[0]
    event = assembly.value(coded_in("0003"), segment, 9, code) or {}
    targets["MessageHeader"]["eventCoding"] = {**event, "display": unescape(text)}


def _control_id(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    identifier: dict[str, Any] = {"value": unescape(text)}
    system = _sender_uri(assembly, segment)
    if system is not None:
        identifier["system"] = system
    targets["Bundle"]["identifier"] = identifier
    targets["Provenance"]["entity"].append({"role": "source", "what": {"identifier": identifier}})


def _sender_uri(assembly: Assembly, segment: Segment) -> str | None:
    """Give the system of MSH-10: the sending application's universal id, else the facility's (A58)."""
    for number in (3, 4):
        if valued(segment[number]) and "^" in segment[number]:
            uri = assembly.value(hd_uri, segment, number, segment[number])
            if uri is not None:
                return str(uri)
    return None


def _processing_id(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    pairs = [(table, code) for table, code in zip(("0103", "0207"), text.split("^"), strict=False) if valued(code)]
    tags = [tag for table, code in pairs if (tag := assembly.value(coded_in(table), segment, 11, code)) is not None]
    if tags:
        holder = targets.get("MessageHeader") or targets["Provenance"]
        holder.setdefault("meta", {})["tag"] = tags
    if "~" in text or any(components(text)[2:]):
        keep_source(targets["Provenance"], "MSH-11", text)


def _timestamp(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    moment = assembly.value(instant, segment, 7, text)
    provenance = targets["Provenance"]
    if isinstance(moment, str):
        targets["Bundle"]["timestamp"] = moment
        provenance["recorded"] = moment
        del provenance["_recorded"]
    found = assembly.environment.memo(date_time)[text][0]
    if isinstance(found, Primitive):
        if found.value is not None:
            provenance["occurredDateTime"] = found.value
        if found.extension:
            provenance["_occurredDateTime"] = {"extension": list(found.extension)}
    elif found is not None:
        provenance["occurredDateTime"] = found


def _labels(targets: Targets) -> list[dict[str, Any]]:
    """Give the security labels of the MessageHeader, else of the Provenance, to be filled."""
    holder = targets.get("MessageHeader") or targets["Provenance"]
    labels: list[dict[str, Any]] = holder.setdefault("meta", {}).setdefault("security", [])
    return labels


def _security(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    _labels(targets).append({"display": unescape(text)})


def _security_coding(number: int) -> Any:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        security = _labels(targets)
        for part in text.split("~"):
            found = assembly.value(coding, segment, number, part) if valued(part) else None
            if found is not None:
                security.append(found)

    return build


def _continuation(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-14: this message goes on where another one stopped."""
    assembly.report("message-continued", segment, 14)
    keep_source(targets["Provenance"], "MSH-14", text)


def _country(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-17 -> country of the sending facility; without one it stays as sent."""
    facility = organization_of_authority(assembly, segment, 4, segment[4])
    if facility is not None:
        add_to(assembly, facility, "address", [{"country": unescape(text)}])
    else:
        keep_source(targets["Provenance"], "MSH-17", text)


def _language(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-19 -> language of the MessageHeader, when it is a language tag and nothing else is said."""
    code = components(text, 1)[0]
    if "MessageHeader" in targets and _LANGUAGE.fullmatch(code):
        targets["MessageHeader"]["language"] = code
        if code == text:
            return
    keep_source(targets["Provenance"], "MSH-19", text)


def _without_header(number: int) -> Builder:
    """Make the builder that keeps on the Provenance what only a MessageHeader has a place for."""
    keep = source_field(f"MSH-{number}")

    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        if "MessageHeader" not in targets:
            # the same from message to message of a sender
            found = assembly.environment.memo(keep)[text][0]
            targets["Provenance"].setdefault("extension", []).append(found)

    return build


#: Fields that MessageHeader alone has a place for: receiver, event, network addresses.
_OF_HEADER = (5, 6, 9, 23, 24, 25)
#: A tag of BCP 47: language, maybe script and region.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")

_ENCODING = "says how the message is encoded; the output has its own encoding"
_PROTOCOL = "belongs to the acknowledgement between sender and receiver, not to the result"

MSH_RULES: tuple[Rule, ...] = (
    Rule("MSH-1", drop=_ENCODING),
    Rule("MSH-2", drop=_ENCODING),
    Rule("MSH-3", "MessageHeader.source", build=set_source, repeats="whole", note="A33 A34"),
    Rule("MSH-3", "Provenance.agent[]", build=_transmitter, repeats="whole", note="A39"),
    Rule("MSH-4", "Provenance.agent[]", build=_sending_facility, repeats="whole", note="MSH[MessageHeader] sender; A39"),
    Rule("MSH-5", "MessageHeader.destination[]", build=set_receiving_application, repeats="whole", note="A33"),
    Rule("MSH-6", "MessageHeader.destination[].receiver", build=set_receiving_facility, repeats="whole"),
    Rule("MSH-7", "Bundle.timestamp", build=_timestamp, repeats="whole", note="A25"),
    Rule("MSH-8", "Provenance.meta.security[]", build=_security, repeats="whole"),
    Rule("MSH-9", "MessageHeader.eventCoding", build=_event, repeats="whole"),
    Rule("MSH-10", "Bundle.identifier", build=_control_id, repeats="whole", note="A58"),
    Rule("MSH-11", "Provenance.meta.tag[]", build=_processing_id, repeats="whole"),
    Rule("MSH-12", drop=_ENCODING),
    Rule("MSH-13", drop=_PROTOCOL),
    Rule("MSH-14", "Provenance.extension[]", build=_continuation, repeats="whole", note="HL7 v2.5.1 chapter 2, 2.10.2"),
    Rule("MSH-15", drop=_PROTOCOL),
    Rule("MSH-16", drop=_PROTOCOL),
    Rule("MSH-17", "Provenance.agent[]", build=_country, note="MSH[MessageHeader]:23: address of the sending facility"),
    Rule("MSH-18", drop=_ENCODING),
    Rule("MSH-19", "Provenance.extension[]", build=_language, repeats="whole", note="or MessageHeader.language"),
    Rule("MSH-20", drop=_ENCODING),
    Rule("MSH-21", "Provenance.extension[]", source_field("MSH-21"), repeats="whole", note="the extension is unpublished"),
    Rule("MSH-22", "Provenance.agent[]", build=_sending_organization, repeats="whole", note="MSH[MessageHeader] responsible"),
    Rule("MSH-23", "MessageHeader.destination[].receiver", build=set_receiving_organization, repeats="whole"),
    Rule("MSH-24", "MessageHeader.source.endpoint", build=set_source_address, repeats="whole", note="A33"),
    Rule("MSH-25", "MessageHeader.destination[].endpoint", build=set_destination_address, repeats="whole", note="A33"),
    Rule("MSH-26", "Provenance.meta.security[]", build=_security_coding(26), repeats="whole"),
    Rule("MSH-27", "Provenance.meta.security[]", build=_security_coding(27), repeats="whole"),
    Rule("MSH-28", "Provenance.extension[]", source_field("MSH-28"), repeats="whole", note="no element in MessageHeader"),
    *(Rule(f"MSH-{number}", "Provenance.extension[]", build=_without_header(number), repeats="whole") for number in _OF_HEADER),
)


RULES: dict[str, tuple[Rule, ...]] = {"MSH": MSH_RULES, **message_segments.RULES}


def build_header(
    assembly: Assembly, plans: dict[str, Plan], segments: Sequence[Segment], digest: str, *, message: bool
) -> dict[str, Any]:
    """Build what stands for the message as a whole.

    Parameters
    ----------
    assembly : Assembly
        The message being converted; its results are there already, so that the header can point to them.
    plans : dict
        Compiled rules by name.
    segments : sequence of Segment
        The segments of the message itself, MSH excepted.
    digest : str
        SHA-256 of the source bytes, in hexadecimal.
    message : bool
        A MessageHeader is wanted.

    Returns
    -------
    dict
        What the Bundle takes from MSH: `identifier`, `timestamp`.
    """
    segment = assembly.message.segments[0]
    envelope: dict[str, Any] = {}
    adapter_device = _adapter_device(assembly)
    provenance: dict[str, Any] = {
        "resourceType": "Provenance",
        "target": [],
        "_recorded": UNKNOWN,
        "activity": _TRANSFORMATION,
        "agent": [{"type": _ASSEMBLER, "who": adapter_device}],
        "entity": [{"role": "source", "what": {"identifier": {"system": DIGEST_SYSTEM, "value": digest}}}],
    }
    targets: dict[str, dict[str, Any]] = {"Provenance": provenance, "Bundle": envelope}
    header: dict[str, Any] = {}
    if message:
        header = targets["MessageHeader"] = {"resourceType": "MessageHeader", "source": {"_endpoint": UNKNOWN}}
    reports = assembly.reports
    if message:
        if reports:
            header["focus"] = [{"reference": url} for url in reports]
        reference = assembly.add(header, (assembly.sender_key, digest), "put")
        assembly.entries.insert(0, assembly.entries.pop())
        provenance["target"] = [reference]
    apply_header_rules(plans["MSH"], assembly, segment, targets)
    message_segments.build_message_segments(assembly, plans, segments, targets)
    if not provenance["target"]:
        chosen = reports or [entry.full_url for entry in assembly.entries if entry.resource["resourceType"] == "Observation"]
        chosen = chosen or [entry.full_url for entry in assembly.entries[:1]]
        provenance["target"] = [{"reference": url} for url in chosen]
    if message:
        _source_provenance(assembly, provenance, digest)
    assembly.add(provenance, (assembly.sender_key, digest), "put")
    return envelope


def _source_provenance(assembly: Assembly, provenance: dict[str, Any], digest: str) -> None:
    """Split the sender's part off: message Bundles name source and transformation apart, as the mapping guide does."""
    senders = provenance["agent"][1:]
    if not senders:
        return
    provenance["agent"] = provenance["agent"][:1]
    source = {key: value for key, value in provenance.items() if key not in ("activity", "id", "meta", "extension")}
    source["agent"] = senders
    source["activity"] = {"text": "message - " + unescape(assembly.message.segments[0][9])}
    assembly.add(source, (assembly.sender_key, digest, "source"), "put")


def _adapter_device(assembly: Assembly) -> dict[str, str]:
    """Name this program, its version and its tables: the agent that made the resources."""
    tables_version = assembly.environment.tables.version
    device = {
        "resourceType": "Device",
        "deviceName": [_DEVICE_NAME],
        "version": [_SOFTWARE_VERSION, {"type": {"text": "mapping tables"}, "value": tables_version}],
    }
    return assembly.share(device, ("b2m-fhir-adapter", __version__, tables_version))
