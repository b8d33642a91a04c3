"""Judgements beyond the one result: off unless asked for, each by its own switch, none replaces what the laboratory said.

`judge.py` is the way in, from v2 entries or a FHIR resource. `facts.py` gathers the numbers of a message that may be compared;
`change.py` (switch `change`) compares with earlier results, `staging.py` (`iss`) gives the stage of the International Staging
System, `notes.py` (`notes`) adds notes that other results give reason for. Change and stage are Observations of their own with
`derivedFrom`; where none can be added (a single Observation, a search result) a note says the same.

Codes, cut-offs and texts are rows of the pack: `context_codes.csv`, `context_notes.csv`, `iss_stages.csv`, and of a site:
`variation.csv`, `iss_context.csv`.
"""
