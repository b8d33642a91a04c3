"""The yardstick: about as little as a conversion of ORU^R01 to a FHIR R4 transaction Bundle can do in Python.

It is what the adapter is measured against, and no adapter: it takes each field where the stream has it, believes every code
and date, and has no tables, no enrichment, no validation and no issues. It does give exact decimals, UUIDs from content, code
systems, units, ranges, flags, notes and about ten resources; without these the ratio would compare two different jobs.

    python bench/yardstick.py FILE      one Bundle a message to standard output
"""

from __future__ import annotations

import re
import sys
from hashlib import sha1
from typing import Any

import orjson

Json = dict[str, Any]

NAMESPACE = bytes.fromhex("5be1b5a2b3c94cb093f7d0a1c8e64f21")
SYSTEMS = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "NPI": "http://hl7.org/fhir/sid/us-npi",
    "HL70487": "http://terminology.hl7.org/CodeSystem/v2-0487",
}
SEXES = {"F": "female", "M": "male", "O": "other", "A": "other", "U": "unknown"}
STATUSES = {"F": "final", "P": "preliminary", "C": "corrected", "X": "cancelled", "I": "registered", "W": "entered-in-error"}
FLAG_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
FLAGS: dict[str, list[Json]] = {
    code: [{"coding": [{"system": FLAG_SYSTEM, "code": code, "display": display}]}]
    for code, display in (("H", "High"), ("L", "Low"), ("N", "Normal"), ("A", "Abnormal"), ("HH", "Critical high"))
}
COMPARATORS = frozenset(("<", ">", "<=", ">="))
ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", ".br": "\n"}

_decimal = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_interval = re.compile(r"([0-9]+(?:\.[0-9]+)?)-([0-9]+(?:\.[0-9]+)?)").fullmatch
_escape = re.compile(r"\\([^\\]*)\\")


def convert(message: str) -> bytes:
    """Convert one message of the stream.

    Parameters
    ----------
    message : str
        Segments ended by CR, the standard delimiters, every segment and field where the stream has it.

    Returns
    -------
    bytes
        A transaction Bundle, compact JSON.
    """
    entries: list[Json] = []
    practitioners: dict[str, Json] = {}
    organizations: dict[str, list[Json]] = {}
    results: list[Json] = []
    orc: list[str] = []
    sender = order = timestamp = control = ""
    patient: Json = {}
    encounter: Json = {}
    specimen: Json = {}
    observation: Json = {}
    for segment in message.split("\r"):
        fields = segment.split("|")
        name = fields[0]
        count = len(fields)
        if name == "OBX":
            observation = {
                "resourceType": "Observation",
                "status": STATUSES.get(fields[11], "unknown"),
                "code": _concept(fields[3]),
            }
            observation["subject"] = patient
            observation["encounter"] = encounter
            if count > 14 and fields[14]:
                observation["effectiveDateTime"] = _time(fields[14])
            if count > 19 and fields[19]:
                observation["issued"] = _time(fields[19])
            unit = _unit(fields[6]) if fields[6] else {}
            if fields[5]:
                _put_value(observation, fields[2], fields[5], unit)
            if fields[8]:
                observation["interpretation"] = FLAGS.get(fields[8]) or [{"text": fields[8]}]
            if fields[7]:
                observation["referenceRange"] = _range(fields[7], unit)
            if count > 23 and fields[23]:
                performer = organizations.get(fields[23])
                if performer is None:
                    performer = organizations[fields[23]] = [_add(entries, _organization(fields[23]), fields[23])]
                observation["performer"] = performer
            observation["specimen"] = specimen
            results.append(_add(entries, observation, sender, order, fields[1], fields[3], fields[4]))
        elif name == "NTE":
            if observation:
                observation.setdefault("note", []).append({"text": _text(fields[3])})
        elif name == "ORC":
            orc = fields
        elif name == "OBR":
            order = fields[3]
            specimen = {"reference": _uuid("Specimen", sender, order)}
            code, final = _concept(fields[4]), fields[25] == "F"
            request: Json = {
                "resourceType": "ServiceRequest",
                "identifier": [_identifier(fields[2])],
                "intent": "order",
                "code": code,
            }
            request["status"] = "completed" if final else "active"
            request["subject"] = patient
            if fields[16]:
                request["requester"] = _practitioner_once(entries, practitioners, fields[16])
            if len(orc) > 9 and orc[9]:
                request["authoredOn"] = _time(orc[9])
            results = []
            report = {
                "resourceType": "DiagnosticReport",
                "identifier": [_identifier(order)],
                "basedOn": [_add(entries, request, sender, fields[2])],
                "status": "final" if final else "preliminary",
                "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": fields[24]}]}],
                "code": code,
                "subject": patient,
                "encounter": encounter,
                "effectiveDateTime": _time(fields[7]),
                "issued": _time(fields[22]),
                "specimen": [specimen],
                "result": results,
            }
            _add(entries, report, sender, order)
            observation = {}
        elif name == "SPM":
            sample: Json = {"resourceType": "Specimen", "type": _concept(fields[4]), "subject": patient}
            sample["identifier"] = [_identifier(fields[2].rpartition("^")[2].replace("&", "^"))]
            sample["collection"] = {"collectedDateTime": _time(fields[17])}
            sample["receivedTime"] = _time(fields[18])
            _add(entries, sample, sender, order)
        elif name == "PID":
            patient = _patient(entries, fields)
        elif name == "PV1":
            visit: Json = {"resourceType": "Encounter", "status": "unknown", "subject": patient}
            visit["class"] = {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "IMP" if fields[2] == "I" else "AMB",
            }
            visit["participant"] = [{"individual": _practitioner_once(entries, practitioners, fields[7])}]
            encounter = _add(entries, visit, sender, control)
        elif name == "MSH":
            sender, control, timestamp = fields[2] + fields[3], fields[9], _time(fields[6])
            application, _, oid = fields[2].partition("^")
            header = {
                "resourceType": "MessageHeader",
                "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": fields[8].split("^")[1]},
                "source": {"name": application, "endpoint": "urn:oid:" + oid.partition("^")[0]},
                "destination": [{"name": fields[4], "endpoint": "urn:v2:" + fields[5]}],
            }
            _add(entries, header, sender, control)
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "timestamp": timestamp, "entry": entries})


def _add(entries: list[Json], resource: Json, *key: str) -> Json:
    kind = resource["resourceType"]
    url = _uuid(kind, *key)
    entries.append({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
    return {"reference": url}


def _uuid(*key: str) -> str:
    digest = sha1(NAMESPACE + "\x1f".join(key).encode()).hexdigest()
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def _text(text: str) -> str:
    return _escape.sub(lambda match: ESCAPES.get(match[1], match[0]), text) if "\\" in text else text


def _time(text: str) -> str:
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    if len(text) == 19:
        return f"{day}T{text[8:10]}:{text[10:12]}:{text[12:14]}{text[14:17]}:{text[17:]}"
    return day


def _coding(code: str, display: str, system: str) -> Json:
    coding: Json = {"system": SYSTEMS.get(system) or "urn:v2:" + system} if system else {}
    coding["code"] = _text(code)
    if display:
        coding["display"] = _text(display)
    return coding


def _concept(text: str) -> Json:
    parts = text.split("^")
    codings = [_coding(parts[0], parts[1], parts[2])]
    if len(parts) > 5:
        codings.append(_coding(parts[3], parts[4], parts[5]))
    return {"coding": codings, "text": _text(parts[1])}


def _unit(text: str) -> Json:
    parts = text.split("^")
    if len(parts) > 2 and parts[2] == "UCUM":
        return {"unit": _text(parts[1]), "system": "http://unitsofmeasure.org", "code": _text(parts[0])}
    return {"unit": _text(parts[0])}


def _put_value(observation: Json, kind: str, text: str, unit: Json) -> None:
    if kind == "NM" and _decimal(text):
        observation["valueQuantity"] = {"value": orjson.Fragment(text), **unit}
    elif kind == "SN":
        comparator, _, number = text.partition("^")
        quantity: Json = {"value": orjson.Fragment(number), **unit}
        if comparator in COMPARATORS:
            quantity["comparator"] = comparator
        observation["valueQuantity"] = quantity
    elif kind in ("CWE", "CE"):
        observation["valueCodeableConcept"] = _concept(text)
    else:
        observation["valueString"] = _text(text)


def _range(text: str, unit: Json) -> list[Json]:
    match = _interval(text)
    if match is None:
        return [{"text": _text(text)}]
    low, high = orjson.Fragment(match[1]), orjson.Fragment(match[2])
    return [{"low": {"value": low, **unit}, "high": {"value": high, **unit}, "text": text}]


def _identifier(text: str) -> Json:
    value, _, authority = text.partition("^")
    return {"system": "urn:v2:" + authority, "value": value} if authority else {"value": value}


def _authority(text: str) -> str:
    parts = text.split("&")
    return "urn:oid:" + parts[1] if len(parts) > 1 else "urn:v2:" + parts[0]


def _organization(text: str) -> Json:
    parts = text.split("^")
    organization: Json = {"resourceType": "Organization", "name": _text(parts[0])}
    if len(parts) > 9 and parts[9]:
        organization["identifier"] = [{"system": _authority(parts[5]), "value": parts[9]}]
    return organization


def _practitioner_once(entries: list[Json], known: dict[str, Json], text: str) -> Json:
    reference = known.get(text)
    if reference is None:
        parts = text.split("^")
        practitioner = {
            "resourceType": "Practitioner",
            "identifier": [{"system": SYSTEMS.get(parts[8], "urn:v2:" + parts[8]), "value": parts[0]}],
            "name": [{"family": _text(parts[1]), "given": [_text(parts[2])]}],
        }
        reference = known[text] = _add(entries, practitioner, parts[8], parts[0])
    return reference


def _patient(entries: list[Json], fields: list[str]) -> Json:
    identifiers = []
    for repetition in fields[3].split("~"):
        parts = repetition.split("^")
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": parts[4]}]}
        identifiers.append({"type": kind, "system": _authority(parts[3]), "value": parts[0]})
    name, address, phone = fields[5].split("^"), fields[11].split("^"), fields[13].split("^")
    patient = {
        "resourceType": "Patient",
        "identifier": identifiers,
        "name": [{"family": _text(name[0]), "given": [_text(given) for given in name[1:3] if given]}],
        "gender": SEXES.get(fields[8], "unknown"),
        "birthDate": _time(fields[7]),
        "address": [
            {
                "line": [_text(address[0])],
                "city": address[2],
                "state": address[3],
                "postalCode": address[4],
                "country": address[5],
            }
        ],
        "telecom": [{"system": "phone", "use": "home", "value": f"+{phone[4]} {phone[5]} {phone[6]}"}],
    }
    return _add(entries, patient, str(identifiers[0]["system"]), str(identifiers[0]["value"]))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", newline="") as source:  # noqa: PTH123  (pathlib would double its start time)
        for one in re.findall(r"MSH\|[^\x0b\x1c]*", source.read()):
            sys.stdout.buffer.write(convert(one) + b"\n")
