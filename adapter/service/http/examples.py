"""An example of each body that the door reads: for its description, and for programs that try it out. No patient is real."""

from __future__ import annotations

import json
from typing import Any

_ER7 = (
    "MSH|^~\\&|TESTLIS|TEST LABORATORY|TESTEHR|TEST HOSPITAL|20260113102030+0000||ORU^R01^ORU_R01|M0001|P|2.5.1\r"
    "PID|1||T0001^^^TEST HOSPITAL&2.999.3&ISO^MR||PATIENT^TEST||19600101|F\r"
    "OBR|1|P0001|F0001|TEST1^Test one^L|||20260113080000+0000|||||||||||||||20260113101500+0000||LAB|F\r"
    "OBX|1|NM|TEST1^Test one^L||1.90|mg/L|0.8-2.2|N|||F\r"
    "SPM|1|||119364003^Serum^SCT\r"
)
_OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "urn:oid:2.999.5", "code": "TEST1"}], "text": "Test one"},
    "subject": {"display": "TEST PATIENT"},
    "valueQuantity": {"value": 2, "unit": "mg/L", "system": "http://unitsofmeasure.org", "code": "mg/L"},
}
_HEADER: dict[str, Any] = {
    "resourceType": "MessageHeader",
    "id": "m0001",
    "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "R01"},
    "source": {"name": "TESTLIS", "endpoint": "urn:oid:2.999.1"},
}
_MESSAGE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "message",
    "timestamp": "2026-01-13T10:20:30Z",
    "entry": [
        {"fullUrl": "http://test.example.org/fhir/MessageHeader/m0001", "resource": _HEADER},
        {"fullUrl": "http://test.example.org/fhir/Observation/o0001", "resource": {**_OBSERVATION, "id": "o0001"}},
    ],
}
_PARAMETERS: dict[str, Any] = {
    "resourceType": "Parameters",
    "parameter": [{"name": "coding", "valueCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0078", "code": "H"}}],
}
_BY_OPERATION = {"process-message": _MESSAGE, "translate-parameters": _PARAMETERS}


def example(operation: str, kind: str) -> Any:
    """Give an example of a body.

    Parameters
    ----------
    operation : str
        Name of the operation.
    kind : str
        Media type.

    Returns
    -------
    dict or str
        JSON as a value, all else as text.
    """
    if "json" not in kind:
        return _ER7
    found = _BY_OPERATION.get(operation, _OBSERVATION)
    return json.dumps(found) + "\n" if "ndjson" in kind else found
