"""The engine: takes messages from the spool, converts them in other processes, decides what overwrites what, delivers, records.

`engine.py` is the process. `converters.py` is the pool of converter processes and `worker.py` what runs in them. `gate.py`
(pure) holds back what is older than what was delivered. `lanes.py` keeps the order per patient for one destination.
`recorder.py` writes to the spool in groups. `answers.py` tells the door what became of a message.
"""
