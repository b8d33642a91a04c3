"""ORU^R01 -> FHIR R4 resources by the HL7 v2-to-FHIR mapping.

`message.Converter` is the door. Rules are declared in one file per resource family (`patient.py`, `observation.py`, ...),
compiled by `rules.py`, and use the datatype functions of `datatypes/`.
"""
