"""Enrichment: what the mapping tables know about a result is added to its FHIR Observation, and marked.

`enricher.py` is the way through: `filter.py` (is it a result of a pack at all), `code.py` (LOINC coding), `value.py` (unit and
canonical quantity), `reference_range.py` (bounds that were sent), `table_range.py` (range of the laboratory's table),
`interpretation.py` (judgement, and agreement with the flags that were sent), `recurring.py` (what differs from an earlier
result in its number only). `result.py` is what they hand to each other;
`mark.py` makes the extension that tells what was added from what was sent.

Everything is judged in the units as sent and converted afterwards. What was sent is never taken away; an Observation that was
enriched before does not change again.
"""
