"""Clients that others wrote, for Python: `python_clients.py CLIENT ...`; run in the environment that `install` makes.

Each asserts what it is told and prints one JSON object for each message that was taken: `sent` (its text) and `id`.

    hl7apy PORT FILE       hl7apy builds the message field by field, frames it, and reads the acknowledgement
    fhirpy URL FILE        capability statement, $translate, $process-message
    fhirclient URL FILE    the same
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

UNIT_SPELLINGS = "http://b2m-fhir-adapter.example.org/CodeSystem/unit-spellings"


def hl7apy_client(port: str, file: str) -> None:
    """hl7apy has a server but no client: its own framing and reading, over a socket."""
    from hl7apy.core import Message
    from hl7apy.parser import parse_message

    template = parse_message(Path(file).read_text(), find_groups=False)
    message = Message("ORU_R01", version="2.5.1")
    for field in ("msh_3", "msh_4", "msh_5", "msh_6", "msh_7", "msh_9", "msh_11"):
        setattr(message.msh, field, getattr(template.msh, field).to_er7())
    message.msh.msh_10 = "HL7APY1"
    group = message.add_group("ORU_R01_PATIENT_RESULT")
    group.oru_r01_patient.pid = template.pid.to_er7().replace("T" + template.msh.msh_10.to_er7(), "THL7APY1")
    order = group.add_group("ORU_R01_ORDER_OBSERVATION")
    order.obr = template.obr.to_er7().replace(template.msh.msh_10.to_er7(), "HL7APY1")
    order.oru_r01_observation.obx = template.obx.to_er7()
    order.oru_r01_specimen.spm = template.spm.to_er7()
    framed = message.to_mllp()
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(framed.encode())
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += connection.recv(65536)
    told = parse_message(answer.strip(b"\x0b\x1c\r").decode(), find_groups=False)
    told.validate()
    assert told.msh.msh_9.to_er7() == "ACK^R01^ACK", told.msh.msh_9.to_er7()
    assert told.msa.msa_1.to_er7() == "AA", told.to_er7()
    assert told.msa.msa_2.to_er7() == "HL7APY1"
    assert told.msh.msh_5.to_er7() == message.msh.msh_3.to_er7(), "the receiver of the answer is not the sender of the message"
    print(json.dumps({"sent": framed.strip("\x0b\x1c\r") + "\r", "id": "HL7APY1"}))


def _with_id(file: str, name: str) -> tuple[dict[str, Any], str]:
    """A FHIR message of its own for a client."""
    message = json.loads(Path(file).read_text())
    message["entry"][0]["resource"]["id"] = name
    message["entry"][0]["fullUrl"] = f"http://test.example.org/fhir/MessageHeader/{name}"
    return message, name


def _check_capability(statement: dict[str, Any]) -> None:
    assert statement["fhirVersion"] == "4.0.1"
    assert [one["name"] for one in statement["rest"][0]["operation"]] == ["process-message"]


def _check_translation(parameters: dict[str, Any]) -> None:
    named = {one["name"]: one for one in parameters["parameter"]}
    assert named["result"]["valueBoolean"] is True, parameters
    concept = next(part for part in named["match"]["part"] if part["name"] == "concept")
    assert concept["valueCoding"]["code"] == "mg/L", concept


def _check_answer(answer: dict[str, Any], identifier: str) -> None:
    assert (answer["resourceType"], answer["type"]) == ("Bundle", "message")
    told = answer["entry"][0]["resource"]["response"]
    assert (told["identifier"], told["code"]) == (identifier, "ok"), told


def fhirpy_client(url: str, file: str) -> None:
    from fhirpy import SyncFHIRClient

    client = SyncFHIRClient(url)
    _check_capability(client.execute("metadata", method="get"))
    asked = {"code": "mg/l", "system": UNIT_SPELLINGS}
    _check_translation(client.execute("ConceptMap/$translate", method="get", params=asked))
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "coding", "valueCoding": {"system": UNIT_SPELLINGS, "code": "mg/l"}}],
    }
    _check_translation(client.execute("ConceptMap/$translate", data=parameters))
    message, identifier = _with_id(file, "fhirpy-1")
    _check_answer(client.execute("$process-message", data=message), identifier)
    print(json.dumps({"sent": None, "id": identifier}))


def fhirclient_client(url: str, file: str) -> None:
    from fhirclient.client import FHIRClient
    from fhirclient.models.bundle import Bundle
    from fhirclient.models.capabilitystatement import CapabilityStatement
    from fhirclient.models.parameters import Parameters

    server = FHIRClient(settings={"app_id": "test", "api_base": url}).server
    statement = server.capabilityStatement
    assert isinstance(statement, CapabilityStatement)
    # fhirclient reads resources strictly: what is no FHIR R4 raises
    _check_capability(statement.as_json())
    found = Parameters(server.request_json("ConceptMap/$translate?code=mg/l&system=" + UNIT_SPELLINGS))
    _check_translation(found.as_json())
    message, identifier = _with_id(file, "fhirclient-1")
    answer = server.post_json("$process-message", Bundle(message).as_json()).json()
    _check_answer(Bundle(answer).as_json(), identifier)
    print(json.dumps({"sent": None, "id": identifier}))


CLIENTS = {"hl7apy": hl7apy_client, "fhirpy": fhirpy_client, "fhirclient": fhirclient_client}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](*sys.argv[2:])
