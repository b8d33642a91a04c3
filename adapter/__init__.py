"""B2M FHIR adapter: laboratory results in (HL7 v2 ORU or FHIR), enriched FHIR R4 out."""

__version__ = "0.1.0"
