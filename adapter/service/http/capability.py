"""`GET /fhir/metadata`: the CapabilityStatement (FHIR R4) of the FHIR side of the door."""

from __future__ import annotations

from typing import Any

import adapter
from adapter.fhir.canonical import CANONICAL_BASE

#: When what is stated here last changed; not a clock, so that the same release states the same.
STATED = "2026-11-22"
_DEFINITIONS = "http://hl7.org/fhir/OperationDefinition/"


def capability_statement(base: str, *, token: bool) -> dict[str, Any]:
    """Make the CapabilityStatement.

    Parameters
    ----------
    base : str
        Address of the FHIR side: `http://127.0.0.1:8575/fhir`.
    token : bool
        Whether requests need a bearer token.

    Returns
    -------
    dict
        The resource.
    """
    security: dict[str, Any] = {
        "description": "Requests carry `Authorization: Bearer`." if token else "No token; TLS may ask for a certificate."
    }
    return {
        "resourceType": "CapabilityStatement",
        "url": CANONICAL_BASE + "/CapabilityStatement/service",
        "version": adapter.__version__,
        "name": "ResultAdapter",
        "title": "Adapter of laboratory results to FHIR R4",
        "status": "active",
        "date": STATED,
        "kind": "instance",
        "software": {"name": "b2m-fhir-adapter", "version": adapter.__version__},
        "implementation": {"description": "HTTP door of the adapter", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "resource": [
                    {
                        "type": "ConceptMap",
                        "documentation": "The mapping tables in force. Local codes to LOINC, HL7 tables to FHIR, units to UCUM.",
                        "operation": [{"name": "translate", "definition": _DEFINITIONS + "ConceptMap-translate"}],
                    }
                ],
                "operation": [{"name": "process-message", "definition": _DEFINITIONS + "MessageHeader-process-message"}],
            }
        ],
        "messaging": [
            {
                "endpoint": [
                    {
                        "protocol": {"system": "http://terminology.hl7.org/CodeSystem/message-transport", "code": "http"},
                        "address": base + "/$process-message",
                    }
                ],
                "documentation": "A message is durable before it is answered; it is converted and delivered behind the answer.",
            }
        ],
    }
