"""The CSV tables of `mappings/`: columns, loading, checking, UCUM arithmetic, indexes and resolution.

`columns.py` declares the files, `layers.py` reads them and lays sites over them, `check.py` finds the faults, `index.py`
compiles what is left to dictionaries, `load.py` does all of this. `resolve.py` and `lookups.py` look things up step by step,
`ucum.py` computes with units.
"""
