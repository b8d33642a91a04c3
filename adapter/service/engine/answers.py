"""Answers of the engine to the MLLP door, for messages whose acknowledgement waits for the conversion.

Over a stream socket, one line of JSON for each message, in the order of conversion:

    {"number": 17, "fate": "rejected", "slug": "fhir-invalid", "issues": [{"slug": "...", "place": "...", "detail": "..."}]}

`fate` is `converted`, `rejected` or `unselected`; `slug` is the issue that rejected the message, else empty; `issues` are its
errors and warnings (all of them when it was not converted). After a crash of the engine a number may come twice, and numbers
that nobody waits for any longer may come: the door leaves them out. An empty line begins what an engine says. A door that does
not read gets none of what does not fit.
"""

from __future__ import annotations

import asyncio
import socket

import orjson

from adapter.service.engine.worker import Converted
from adapter.service.logs import log

#: What waits for the door to read it, in bytes.
BUFFER = 4 * 2**20


def answer_line(converted: Converted) -> bytes:
    """Write the answer for a message."""
    return orjson.dumps(
        {
            "number": converted.number,
            "fate": converted.fate,
            "slug": converted.slug,
            "issues": orjson.Fragment(converted.issues),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


class Answers:
    """The engine's end of the socket."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._full = False

    @classmethod
    async def connect(cls, connection: socket.socket) -> Answers:
        """Use a connected stream socket."""
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=connection)
        # ends what an engine before this one may have left half written
        transport.write(b"\n")
        return cls(transport)

    def send(self, converted: Converted) -> None:
        """Tell the door what became of a message."""
        if self._transport.is_closing():
            return
        full = self._transport.get_write_buffer_size() > BUFFER
        if full and not self._full:
            log("door-does-not-read", "warning")
        self._full = full
        if not full:
            self._transport.write(answer_line(converted))

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()
