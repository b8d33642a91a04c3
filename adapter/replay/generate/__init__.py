"""Makes test messages: synthetic patients, their results over time, written as laboratories write them.

`habits.py` reads the tables of this folder (`senders.csv`, `tests.csv`, `courses.toml`, `faults.csv`); `courses.py` gives a
patient's results visit by visit; `stream.py` puts the visits of many patients in the order of time; `write_v2.py` and
`write_fhir.py` write them; `faults.py` spoils them on request. Nobody in the output exists, and no number is a fact.
"""
