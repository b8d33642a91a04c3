"""What an MLLP server costs that does nothing (`echo`), and one that only makes messages durable (`enqueue`), to compare with.

`enqueue` does what nobody can leave out who acknowledges after the commit: all messages of a turn of the loop in one SQLite
transaction (WAL, synchronous FULL), then the acknowledgements. It knows no HL7, checks nothing, recognises no resend.

    python bench/bare_servers.py echo PORT
    python bench/bare_servers.py enqueue PORT FOLDER
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

END = b"\x1c\r"
Store = Callable[[list[bytes]], None]


class Server(asyncio.Protocol):
    """One connection; messages of all connections gather in `waiting` until the loop turns."""

    waiting: ClassVar[list[tuple[Server, bytes]]] = []
    store: ClassVar[Store | None] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(END)) >= 0:
            message, self.data = self.data[1:end], self.data[end + 2 :]
            if not self.waiting:
                asyncio.get_running_loop().call_soon(self.turn)
            self.waiting.append((self, message))

    @classmethod
    def turn(cls) -> None:
        waiting, cls.waiting = cls.waiting, []
        if cls.store is not None:
            cls.store([message for _, message in waiting])
        for connection, message in waiting:
            control_id = message.split(b"|", 10)[9]
            answer = b"\x0bMSH|^~\\&|A|B|C|D|20260101||ACK|1|P|2.5.1\rMSA|AA|" + control_id + b"\r" + END
            connection.transport.write(answer)  # type: ignore[attr-defined]


def store_in(folder: Path) -> Store:
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE message (number INTEGER PRIMARY KEY, data BLOB)")

    def store(messages: list[bytes]) -> None:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO message (data) VALUES (?)", [(message,) for message in messages])
        database.execute("COMMIT")

    return store


async def main() -> None:
    if sys.argv[1] == "enqueue":
        Server.store = staticmethod(store_in(Path(sys.argv[3])))
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", int(sys.argv[2]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
