"""The HTTP door: conversions that are answered at once, messages that are made durable, the tables as a translation service.

`app.py` puts the door together; `operations.py` lists what it offers, and everything that describes the door (`openapi.py`,
`capability.py`, with `examples.py`) is made of that list. `convert.py`, `process_message.py`, `translate.py` and `probes.py`
do the work. `body.py` reads requests within limits, `protocol.py` keeps slow and endless ones away, `outcomes.py` writes
errors. `worker.py` runs all of it as one process of several that share a socket.
"""
