"""FHIR R4 in and out: exact JSON, reading, identity, bundle assembly, validation."""
