"""Replay: runs messages through the whole way again, to see what the tables say and what a change of them would change.

`run.py` compares folders of messages with their accepted outputs: `compared.py` runs and compares, `comparison.py` (with
`resource_pairs.py`) tells what differs in meaning, `causes.py` finds why by trying, with the old tables and the fingerprints of
the old program from the manifest (`manifest.py`, `program.py`), `origins.py` tells what made each value. `report.py` is the
result, `rendering.py` writes it. `accepted.py` and `sources.py` know the files.

`examples.py` runs the rows of `tests.csv`; `table_change.py` runs a folder of messages with an old and a new set of tables;
`semantic_diff.py` compares two files; `generate/` makes messages.
"""
