"""The CSV tables of `mappings/`: columns, loading, checking, UCUM arithmetic, indexes and resolution.

`columns.py` declares the files, `load.py` reads them and lays sites over them, `check.py` finds the faults, `index.py` compiles
what is left to dictionaries, `resolve.py` looks things up step by step, `ucum.py` computes with units.
"""
