"""Writes a report as FHIR R4: a transaction or collection Bundle, or the first result as an Observation of its own."""

from __future__ import annotations

from random import Random
from typing import Any

from adapter.fhir.identity import resource_uuid
from adapter.fhir.json import dumps, number
from adapter.replay.generate.courses import Measurement
from adapter.replay.generate.faults import FaultPlan, Raw, spoil_text, spoil_tree
from adapter.replay.generate.report import Report
from adapter.replay.generate.write_v2 import order_numbers

_LOINC, _UCUM, _SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
_SPECIMEN_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0487"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_STATUSES = {"P": "preliminary", "F": "final", "C": "corrected", "X": "cancelled"}
_OID = "urn:oid:2.999"


def write_fhir(report: Report, plan: FaultPlan | None, random: Random) -> tuple[bytes, tuple[str, ...]]:
    """Write a report.

    Parameters
    ----------
    report : Report
        What to say.
    plan : FaultPlan or None
        What to spoil.
    random : Random
        Source of chance, for faults only.

    Returns
    -------
    tuple of (bytes, tuple of str)
        One line of JSON with its line end, and the names of the faults in it.
    """
    tree, observations = _tree(report)
    chosen = plan.choose("fhir", random) if plan is not None else []
    made = {fault.name for fault in chosen if spoil_tree(observations[0], fault)}
    raws: list[str] = []
    data = dumps(_marked(tree, raws)) + b"\n"
    for place, raw in enumerate(raws):
        data = data.replace(f'"\\u0000{place}"'.encode(), raw.encode())
    for fault in chosen:
        spoilt = spoil_text(data, fault, random)
        if spoilt != data:
            data = spoilt
            made.add(fault.name)
    return data, tuple(fault.name for fault in chosen if fault.name in made)


def _marked(value: Any, raws: list[str]) -> Any:
    """Put a mark where text that may be no JSON belongs; it is put in when the rest is written."""
    if isinstance(value, Raw):
        raws.append(str(value))
        return f"\0{len(raws) - 1}"
    if isinstance(value, dict):
        return {name: _marked(inner, raws) for name, inner in value.items()}
    return [_marked(inner, raws) for inner in value] if isinstance(value, list) else value


def _tree(report: Report) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    sender = report.patient.sender
    patient_url = "urn:uuid:" + resource_uuid("generated patient", report.patient.identifier)
    observations, entries = [], [(patient_url, _patient(report))]
    for order, (_, results) in enumerate(report.orders, 1):
        _, filler = order_numbers(report, order)
        specimen_url = "urn:uuid:" + resource_uuid("generated specimen", filler)
        entries.append((specimen_url, _specimen(results[0][0], {"reference": patient_url})))
        for place, (result, status) in enumerate(results, 1):
            observation = _observation(report, result, status, f"{filler}-{place}")
            observation["subject"] = {"reference": patient_url}
            observation["specimen"] = {"reference": specimen_url}
            observations.append(observation)
            entries.append(("urn:uuid:" + resource_uuid("generated observation", filler, str(place)), observation))
    if sender.message_type == "observation":
        observation = observations[0]
        observation["contained"] = [{**entries[1][1], "id": "specimen"}]
        observation["contained"][0].pop("subject")
        observation["specimen"] = {"reference": "#specimen"}
        observation["subject"] = {"identifier": _identifier("2", report.patient.identifier)}
        return observation, observations
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": sender.message_type, "entry": []}
    bundle["identifier"] = _identifier("3", report.control_id)
    bundle["timestamp"] = report.issued.isoformat()
    for url, resource in entries:
        entry: dict[str, Any] = {"fullUrl": url, "resource": resource}
        if sender.message_type == "transaction":
            entry["request"] = {"method": "POST", "url": resource["resourceType"]}
        bundle["entry"].append(entry)
    return bundle, observations


def _identifier(branch: str, value: str) -> dict[str, Any]:
    return {"system": f"{_OID}.{branch}", "value": value}


def _patient(report: Report) -> dict[str, Any]:
    patient = report.patient
    birth = patient.birth_date
    return {
        "resourceType": "Patient",
        "identifier": [_identifier("2", patient.identifier)],
        "name": [{"family": f"PATIENT-{patient.number:04}", "given": ["TEST"]}],
        "gender": "female" if patient.sex == "F" else "male",
        "birthDate": f"{birth[:4]}-{birth[4:6]}-{birth[6:]}",
    }


def _specimen(result: Measurement, subject: dict[str, Any]) -> dict[str, Any]:
    code, text, system = result.test.specimen.split("^")
    coding = {"system": _SNOMED if system == "SCT" else _SPECIMEN_TYPE, "code": code, "display": text}
    return {"resourceType": "Specimen", "type": {"coding": [coding]}, "subject": subject}


def _observation(report: Report, result: Measurement, status: str, identifier: str) -> dict[str, Any]:
    sender, test = report.patient.sender, result.test
    local = f"https://{sender.facility}.example/codes"
    parts = test.code.split("^")
    codings = [
        {"system": _LOINC if system == "LN" else local, "code": code, "display": text}
        for code, text, system in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "identifier": [_identifier("4", identifier)],
        "status": _STATUSES[status],
        "code": {"coding": codings, "text": parts[1]},
        "effectiveDateTime": report.collected.isoformat(),
        "issued": report.issued.isoformat(),
        "performer": [{"display": sender.laboratory}],
    }
    unit = test.unit.partition("^")[0]
    if result.value:
        quantity: dict[str, Any] = {"value": number(result.value)}
        if result.comparator:
            quantity["comparator"] = result.comparator
        quantity["unit"] = unit
        # a sender that writes flags writes codes of units, too
        if "H" in sender.flags:
            quantity |= {"system": _UCUM, "code": unit}
        observation["valueQuantity"] = quantity
    else:
        observation["dataAbsentReason"] = {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]
        }
    if result.flag in sender.flags:
        observation["interpretation"] = [{"coding": [{"system": _INTERPRETATION, "code": result.flag}]}]
    if test.range:
        observation["referenceRange"] = [{"text": test.range}]
    if sender.method:
        observation["method"] = {"text": sender.method}
    if sender.remark and report.visit % 5 == 0:
        observation["note"] = [{"text": sender.remark}]
    return observation
