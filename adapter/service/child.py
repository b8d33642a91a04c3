"""The processes of the service: started by the supervisor, told what to do over their standard input, ended when it ends.

A child is `python -m adapter.service.child`. Its standard input brings the assignment (pickled: settings with their secrets,
numbers of inherited files), then one command a line: `reload`, `stop`. The end of it means that the supervisor is gone: the child
stops too, so that no process of an old service works on the spool beside a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Literal, NamedTuple

from adapter.service.logs import log, log_fault, start_logs
from adapter.service.loop import run
from adapter.service.settings import ServiceSettings

Kind = Literal["engine", "http"]


class Assignment(NamedTuple):
    """What a child is to do.

    Parameters
    ----------
    kind : {"engine", "http"}
        Its part.
    settings : ServiceSettings
        Settings of the service.
    wake : int
        File number of the engine's wake-up pipe: its reading end for the engine, its writing end for HTTP workers.
    answers : int
        Socket to the MLLP door, for the engine; -1 for others.
    listener : int
        Listening socket, for HTTP workers; -1 for others.
    lock : int
        The lock of the spool: held until the last process of the service is gone.
    """

    kind: Kind
    settings: ServiceSettings
    wake: int
    answers: int = -1
    listener: int = -1
    lock: int = -1

    @property
    def files(self) -> tuple[int, ...]:
        """File numbers that the child inherits."""
        return tuple(number for number in (self.wake, self.answers, self.listener, self.lock) if number >= 0)


class Child:
    """A running child, as the supervisor sees it."""

    def __init__(self, assignment: Assignment, process: asyncio.subprocess.Process) -> None:
        self.assignment = assignment
        self._process = process

    @classmethod
    async def start(cls, assignment: Assignment) -> Child:
        """Start a child and hand over its assignment."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapter.service.child", stdin=asyncio.subprocess.PIPE, pass_fds=assignment.files
        )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(assignment))
        return cls(assignment, process)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def tell(self, command: Literal["reload", "stop"]) -> None:
        """Send a command; a child that is gone does not hear it."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(f"{command}\n".encode())

    async def ended(self) -> int:
        """Wait until the process is gone; gives its exit status."""
        return await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """Ask the child to stop; end it when it does not in time."""
        self.tell("stop")
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            log("process-killed", "warning", kind=self.assignment.kind, pid=self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def commands(reload: Callable[[], None], stop: Callable[[], None]) -> None:
    """Follow the supervisor's commands until `stop`, or until the supervisor is gone (which means the same).

    Parameters
    ----------
    reload : callable
        Called for each `reload`.
    stop : callable
        Called once.
    """
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"stop":
            break
        if line.strip() == b"reload":
            reload()
    stop()


def _part(assignment: Assignment) -> Coroutine[Any, Any, None]:
    if assignment.kind == "engine":
        from adapter.service.engine.process import engine_process

        return engine_process(assignment)
    from adapter.service.http.worker import http_process

    return http_process(assignment)


def main() -> int:
    """Run the part that standard input assigns."""
    # a terminal and a service manager signal all processes of the group; only the supervisor acts on it
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # unbuffered, so that nothing of the commands behind the assignment is taken
    with open(0, "rb", buffering=0, closefd=False) as stream:
        assignment: Assignment = pickle.load(stream)
    start_logs(assignment.kind, assignment.settings.log.level)
    try:
        run(_part(assignment))
    except Exception:
        log_fault("process-failed", pid=os.getpid())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
