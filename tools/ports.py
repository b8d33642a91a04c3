"""Ports that nothing listens on, for services that are started for a test, a measurement or a page.

They are below those that the system gives to outgoing connections: else one of these could take a port before its service does,
or while it starts again, and a client that knocks meanwhile could meet itself.
"""

from __future__ import annotations

import contextlib
import random
import socket

_RANGE = range(20_000, 32_000)
_given: set[int] = set()
#: not the one that a seed of a test makes repeat itself
_dice = random.SystemRandom()


def free_port() -> int:
    """Find a port; the same one is not given twice."""
    for port in _dice.sample(_RANGE, len(_RANGE)):
        if port not in _given:
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                _given.add(port)
                return port
    raise OSError("no port is free")
