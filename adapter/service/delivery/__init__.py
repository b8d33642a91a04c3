"""Delivery of converted messages: one file a kind of destination (`folder.py`, `stdout.py`, `fhir_server.py`), made by `make.py`.

A destination takes parcels and says what became of each (`parcel.py`); it keeps no order and no retries, both are the lane's
(`engine/lanes.py`). `shared.py` finds what the messages of many patients create together, `breaker.py` stops trying where
trying is of no use.
"""
