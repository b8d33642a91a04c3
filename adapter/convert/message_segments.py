"""SFT, UAC, DSC and other segments of the message itself -> Device of the sending software, and what the Provenance keeps.

Mapping: v2-to-FHIR SFT[Device], SFT[MessageHeader]; A34. A credential (UAC) is not passed on. A message that is one part of a
longer one (DSC, MSH-14) is converted as it is and reported. What has no mapping stays on the Provenance as sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.text import components, leaf, put, string
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.verbatim import keep_source
from adapter.convert.rules import Plan, Rule, Targets, apply_rules
from adapter.hl7v2.message import Segment, valued

INSTALL_DATE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Device.version.installDate"


def _vendor(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """XON of SFT-1 -> the name of the maker; its number has no element."""
    parts = components(text, 10)
    name = parts[0] or parts[9] or parts[2]
    if name:
        targets["Device"]["manufacturer"] = name
    if sum(map(bool, parts)) > 1 or "~" in text:
        keep_source(targets["Device"], "SFT-1", text)


def _version(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    version = {"value": leaf(text)}
    if not version["value"]:
        return
    targets["Device"]["version"] = [version]
    if "MessageHeader" in targets:
        targets["MessageHeader"]["source"].setdefault("version", version["value"])


def _name(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    name = leaf(text)
    if not name:
        return
    targets["Device"]["deviceName"] = [{"name": name, "type": "manufacturer-name"}]
    if "MessageHeader" in targets and segment.number == 1:
        targets["MessageHeader"]["source"]["software"] = name


def _information(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    information = leaf(text)
    if information:
        targets["Device"].setdefault("note", []).append({"text": information})


def _installed(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """SFT-6 -> extension of the version; FHIR requires a version to hang it on."""
    extension: dict[str, Any] = {"url": INSTALL_DATE}
    put(extension, "valueDateTime", assembly.value(date_time, segment, 6, text))
    if "version" in targets["Device"] and len(extension) > 1:
        targets["Device"]["version"][0]["extension"] = [extension]
    else:
        keep_source(targets["Device"], "SFT-6", text)


SFT_RULES: tuple[Rule, ...] = (
    Rule("SFT-1", "Device.manufacturer", build=_vendor, repeats="whole", note="SFT[Device]:4"),
    Rule("SFT-2", "Device.version[]", build=_version, repeats="whole", note="SFT[Device]:6, SFT[MessageHeader]:4"),
    Rule("SFT-3", "Device.deviceName[]", build=_name, repeats="whole", note="SFT[Device]:7; A34"),
    Rule("SFT-4", "Device.modelNumber", value=string, note="SFT[Device]:9"),
    Rule("SFT-5", "Device.note[]", build=_information, repeats="whole", note="SFT[Device]:10"),
    Rule("SFT-6", f"Device.version[].extension({INSTALL_DATE}).valueDateTime", build=_installed, note="SFT[Device]:11; A28"),
)

_CREDENTIAL = "proves to the receiver of the message who sent it; a credential must not be passed on"

UAC_RULES: tuple[Rule, ...] = (
    Rule("UAC-1", drop=_CREDENTIAL),
    Rule("UAC-2", drop=_CREDENTIAL),
)


def _continued(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """DSC: this message stops where another one goes on."""
    assembly.report("message-continued", segment, 1)
    keep_source(targets["Provenance"], "DSC", segment.text)


DSC_RULES: tuple[Rule, ...] = (
    Rule("DSC-1", "Provenance.extension[]", build=_continued, repeats="whole", note="HL7 v2.5.1 chapter 2, 2.10.2"),
    Rule("DSC-2", drop="how the message is continued, without meaning when it is not; DSC-1 keeps the whole segment"),
)

RULES: dict[str, tuple[Rule, ...]] = {"SFT": SFT_RULES, "UAC": UAC_RULES, "DSC": DSC_RULES}


def build_message_segments(
    assembly: Assembly, plans: dict[str, Plan], segments: Sequence[Segment], targets: dict[str, dict[str, Any]]
) -> None:
    """Build what the segments of the message itself say.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict
        Compiled rules by name.
    segments : sequence of Segment
        The segments of the message itself, MSH excepted.
    targets : dict
        `Provenance`, `Bundle`, and `MessageHeader` where there is one.
    """
    for segment in segments:
        if segment.name == "SFT":
            _build_software(assembly, plans, segment, targets)
        elif segment.name in RULES:
            apply_rules(plans[segment.name], assembly, segment, targets)
        else:
            assembly.keep_segment(segment, targets["Provenance"])


def _build_software(assembly: Assembly, plans: dict[str, Plan], segment: Segment, targets: dict[str, dict[str, Any]]) -> None:
    device: dict[str, Any] = {"resourceType": "Device"}
    apply_rules(plans["SFT"], assembly, segment, {"Device": device, **targets})
    if any(valued(text) for text in segment.fields[1:]):
        reference = assembly.share(device, ("SFT", *segment.fields[1:]))
        targets["Provenance"]["entity"].append({"role": "derivation", "what": reference})
