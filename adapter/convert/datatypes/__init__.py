"""Datatype functions: text of one field repetition -> FHIR structure, one file per family of datatypes.

Each function is pure: `(text, environment) -> value`. `text` is ER7 in the canonical delimiters; the value is a ready FHIR
structure that nobody changes afterwards (it may be remembered and shared), a `Primitive`, or None where nothing is to be said.
What a function cannot place in a FHIR element it keeps: the text as sent goes into an `originalText` extension.

    codes           CWE, CE, CNE, CF, ID, IS   CodeableConcept, Coding, code
    coding_systems  names of table 0396 -> URI
    identifiers     CX, EI, EIP, HD
    names           XPN, PN, FN, and the name in XCN and CNN
    contacts        XAD, SAD, XTN
    times           TS, DTM, DT, TM, DR
    text            ST, TX, FT, and the small helpers for leaf text that all others use

Source of the rules: HL7 v2-to-FHIR 1.0.0 datatype maps; where these are open or wrong, the decisions A04-A07, A10, A25-A30,
A42, A45, A46, A49, A54, A56 in `docs/mapping.md`.
"""
