"""Replay: runs messages through the whole way again, to see what the tables say and what a change of them would change.

`examples.py` runs the rows of `tests.csv`; `table_change.py` runs a folder of messages with an old and a new set of tables.
"""
