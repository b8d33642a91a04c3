"""MSH and SFT -> MessageHeader (message Bundles) or Provenance (all other forms), and what the Bundle itself takes from MSH.

A MessageHeader belongs to message Bundles only; elsewhere one Provenance says where the resources come from: the digest of
the source, its control id, the sender, and this program with its version and table set. There is no clock: `recorded` is
the time of MSH-7, and without a zone it is absent with a reason.

Mapping: HL7 v2-to-FHIR segment maps MSH[MessageHeader], MSH[Bundle], MSH[Provenance-*], SFT[MessageHeader]; ambiguities
A33 (endpoints), A34 (software), A39 (Provenance), A58 (Bundle.identifier.system).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter import __version__
from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import coded_in, coding
from adapter.convert.datatypes.identifiers import hd_uri
from adapter.convert.datatypes.text import string
from adapter.convert.datatypes.times import date_time, instant
from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.environment import Environment
from adapter.convert.parties import organization, organization_of_authority
from adapter.convert.rules import Plan, Primitive, Rule, Targets, apply_rules
from adapter.fhir.canonical import CANONICAL_BASE
from adapter.hl7v2.escapes import unescape
from adapter.hl7v2.message import Segment, valued

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
V2_ACTIVITY = "http://hl7.org/fhir/uv/v2mappings/CodeSystem/provenance-activity-type-v2-to-fhir"
#: System of the identifier that holds the SHA-256 of a source message.
DIGEST_SYSTEM = CANONICAL_BASE + "/identifier/sha256"

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


def _name(text: str) -> str:
    parts = text.split("^")
    return unescape(parts[0]) if valued(parts[0]) else ""


def _put_endpoint(assembly: Assembly, segment: Segment, number: int, text: str, holder: dict[str, Any]) -> None:
    url = assembly.value(endpoint, segment, number, text)
    if url is None:
        holder["_endpoint"] = UNKNOWN
    else:
        holder["endpoint"] = url


def _source(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    source: dict[str, Any] = targets["MessageHeader"]["source"]
    name = _name(text)
    if name:
        source["name"] = name
    parts = text.split("^")
    if len(parts) > 1 and valued(parts[1]):
        source["software"] = unescape(parts[1])
    if not valued(segment[24]):
        source.pop("_endpoint", None)
        _put_endpoint(assembly, segment, 3, text, source)


def _source_address(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    source: dict[str, Any] = targets["MessageHeader"]["source"]
    source.pop("_endpoint", None)
    _put_endpoint(assembly, segment, 24, text, source)


def _destination(targets: Targets) -> dict[str, Any]:
    found: list[dict[str, Any]] = targets["MessageHeader"].setdefault("destination", [{"_endpoint": UNKNOWN}])
    return found[0]


def _receiving_application(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    destination = _destination(targets)
    name = _name(text)
    if name:
        destination["name"] = name
    if not valued(segment[25]):
        destination.pop("_endpoint", None)
        _put_endpoint(assembly, segment, 5, text, destination)


def _destination_address(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    destination = _destination(targets)
    destination.pop("_endpoint", None)
    _put_endpoint(assembly, segment, 25, text, destination)


def _receiving_facility(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    if not valued(segment[23]):
        reference = organization_of_authority(assembly, segment, 6, text)
        if reference is not None:
            _destination(targets)["receiver"] = reference


def _receiving_organization(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    reference = organization(assembly, segment, 23, text)
    if reference is not None:
        _destination(targets)["receiver"] = reference


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
    provenance["agent"].append({"type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "author"}]}, "who": who})


def _transmitter(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """Name the sending application in the Provenance, where no MessageHeader does."""
    if "MessageHeader" in targets:
        return
    who: dict[str, Any] = {}
    name = _name(text)
    if name:
        who["display"] = name
    uri = hd_uri(text, assembly.environment) if "^" in text else None
    if uri is not None:
        who["identifier"] = {"system": "urn:ietf:rfc:3986", "value": uri}
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


def _security(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    label = {"display": unescape(text)}
    targets["MessageHeader"].setdefault("meta", {}).setdefault("security", []).append(label)


def _security_coding(number: int) -> Any:
    def build(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
        security = targets["MessageHeader"].setdefault("meta", {}).setdefault("security", [])
        for part in text.split("~"):
            found = assembly.value(coding, segment, number, part) if valued(part) else None
            if found is not None:
                security.append(found)

    return build


def _continuation(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """MSH-14: this message goes on where another one stopped."""
    assembly.report("message-continued", segment, 14)
    keep_source(targets["Provenance"], "MSH-14", text)


def _continued(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """DSC: this message stops where another one goes on."""
    assembly.report("message-continued", segment, 1)
    keep_source(targets["Provenance"], "DSC", segment.text)


_ENCODING = "says how the message is encoded; the output has its own encoding"
_PROTOCOL = "belongs to the acknowledgement between sender and receiver, not to the result"

MSH_RULES: tuple[Rule, ...] = (
    Rule("MSH-1", drop=_ENCODING),
    Rule("MSH-2", drop=_ENCODING),
    Rule("MSH-3", "MessageHeader.source", build=_source, repeats="whole", note="A33 A34"),
    Rule("MSH-3", "Provenance.agent[]", build=_transmitter, repeats="whole", note="A39"),
    Rule("MSH-4", "Provenance.agent[]", build=_sending_facility, repeats="whole", note="MSH[MessageHeader] sender; A39"),
    Rule("MSH-5", "MessageHeader.destination[]", build=_receiving_application, repeats="whole", note="A33"),
    Rule("MSH-6", "MessageHeader.destination[].receiver", build=_receiving_facility, repeats="whole"),
    Rule("MSH-7", "Bundle.timestamp", build=_timestamp, repeats="whole", note="A25"),
    Rule("MSH-8", "MessageHeader.meta.security[]", build=_security, repeats="whole"),
    Rule("MSH-9", "MessageHeader.eventCoding", build=_event, repeats="whole"),
    Rule("MSH-10", "Bundle.identifier", build=_control_id, repeats="whole", note="A58"),
    Rule("MSH-11", "Provenance.meta.tag[]", build=_processing_id, repeats="whole"),
    Rule("MSH-12", drop=_ENCODING),
    Rule("MSH-13", drop=_PROTOCOL),
    Rule("MSH-14", "Provenance.extension[]", build=_continuation, repeats="whole", note="HL7 v2.5.1 chapter 2, 2.10.2"),
    Rule("MSH-15", drop=_PROTOCOL),
    Rule("MSH-16", drop=_PROTOCOL),
    Rule("MSH-17", drop="country whose rules the encoding follows; no result depends on it"),
    Rule("MSH-18", drop=_ENCODING),
    Rule("MSH-19", drop="language of the message's texts as a whole; texts keep no language of their own"),
    Rule("MSH-20", drop=_ENCODING),
    Rule("MSH-21", drop="profile that the v2 message claims to follow; the FHIR output follows none of them"),
    Rule("MSH-22", "Provenance.agent[]", build=_sending_organization, repeats="whole", note="MSH[MessageHeader] responsible"),
    Rule("MSH-23", "MessageHeader.destination[].receiver", build=_receiving_organization, repeats="whole"),
    Rule("MSH-24", "MessageHeader.source.endpoint", build=_source_address, repeats="whole", note="A33"),
    Rule("MSH-25", "MessageHeader.destination[].endpoint", build=_destination_address, repeats="whole", note="A33"),
    Rule("MSH-26", "MessageHeader.meta.security[]", build=_security_coding(26), repeats="whole"),
    Rule("MSH-27", "MessageHeader.meta.security[]", build=_security_coding(27), repeats="whole"),
    Rule("MSH-28", drop="special access label of the v2 message; MSH-26 and MSH-27 carry the security labels"),
)


def _vendor(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    name = _name(text)
    if name:
        targets["Device"]["manufacturer"] = name


def _software_version(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    version = unescape(text)
    targets["Device"].setdefault("version", []).append({"value": version})
    if "MessageHeader" in targets:
        targets["MessageHeader"]["source"].setdefault("version", version)


def _software_name(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    name = unescape(text)
    targets["Device"]["deviceName"] = [{"name": name, "type": "manufacturer-name"}]
    if "MessageHeader" in targets:
        source = targets["MessageHeader"]["source"]
        if segment.number == 1:
            source["software"] = name


def _software_information(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    targets["Device"].setdefault("note", []).append({"text": unescape(text)})


SFT_RULES: tuple[Rule, ...] = (
    Rule("SFT-1", "Device.manufacturer", build=_vendor, repeats="whole"),
    Rule("SFT-2", "Device.version[]", build=_software_version, repeats="whole"),
    Rule("SFT-3", "Device.deviceName[]", build=_software_name, repeats="whole", note="A34"),
    Rule("SFT-4", "Device.modelNumber", value=string),
    Rule("SFT-5", "Device.note[]", build=_software_information, repeats="whole"),
    Rule("SFT-6", "Device.version[].extension(installDate)", drop="installation date of the sender's software"),
)

_CREDENTIAL = "proves who sent the message to the receiver of the message; a credential must not be passed on"

UAC_RULES: tuple[Rule, ...] = (
    Rule("UAC-1", drop=_CREDENTIAL),
    Rule("UAC-2", drop=_CREDENTIAL),
)

DSC_RULES: tuple[Rule, ...] = (
    Rule("DSC-1", "Provenance.extension[]", build=_continued, repeats="whole", note="HL7 v2.5.1 chapter 2, 2.10.2"),
    Rule("DSC-2", drop="kept with DSC-1"),
)

RULES: dict[str, tuple[Rule, ...]] = {"MSH": MSH_RULES, "SFT": SFT_RULES, "UAC": UAC_RULES, "DSC": DSC_RULES}


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
        "activity": {"coding": [{"system": V2_ACTIVITY, "code": "v2-fhir-transformation"}]},
        "agent": [{"type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "assembler"}]}, "who": adapter_device}],
        "entity": [{"role": "source", "what": {"identifier": {"system": DIGEST_SYSTEM, "value": digest}}}],
    }
    targets: dict[str, dict[str, Any]] = {"Provenance": provenance, "Bundle": envelope}
    header: dict[str, Any] = {}
    if message:
        header = targets["MessageHeader"] = {"resourceType": "MessageHeader", "source": {"_endpoint": UNKNOWN}}
    reports = [entry.full_url for entry in assembly.entries if entry.resource["resourceType"] == "DiagnosticReport"]
    if message:
        if reports:
            header["focus"] = [{"reference": url} for url in reports]
        reference = assembly.add(header, (assembly.sender_key, digest), "put")
        assembly.entries.insert(0, assembly.entries.pop())
        provenance["target"] = [reference]
    apply_rules(plans["MSH"], assembly, segment, targets)
    for other in segments:
        if other.name == "SFT":
            _build_software(assembly, plans, other, targets)
        elif other.name in ("UAC", "DSC"):
            apply_rules(plans[other.name], assembly, other, targets)
        else:
            assembly.keep_segment(other, provenance)
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


def _build_software(assembly: Assembly, plans: dict[str, Plan], segment: Segment, targets: dict[str, dict[str, Any]]) -> None:
    device: dict[str, Any] = {"resourceType": "Device"}
    apply_rules(plans["SFT"], assembly, segment, {"Device": device, **targets})
    if len(device) > 1:
        reference = assembly.share(device, ("SFT", *segment.fields[1:]))
        targets["Provenance"]["entity"].append({"role": "derivation", "what": reference})


def _adapter_device(assembly: Assembly) -> dict[str, str]:
    """Name this program, its version and its tables: the agent that made the resources."""
    tables_version = assembly.environment.tables.version
    device = {
        "resourceType": "Device",
        "deviceName": [{"name": "b2m-fhir-adapter", "type": "model-name"}],
        "version": [
            {"type": {"text": "software"}, "value": __version__},
            {"type": {"text": "mapping tables"}, "value": tables_version},
        ],
    }
    return assembly.share(device, ("b2m-fhir-adapter", __version__, tables_version))
