"""The MLLP door: messages over TCP become durable, then they are acknowledged.

All frames that arrived in one turn of the loop, over all connections, are admitted (`hl7v2.admission`), put into the spool in one
transaction, and answered. The put runs in the loop: the sync of the disk that it waits for is what the next group gathers behind.
`acknowledge = "converted"`, and MSH-16 in enhanced mode, ask for an answer after the conversion: it waits in its place until
`answer` brings it. One that does not come in time is AE with `conversion-late`: the message stays in the spool and is delivered.

One frame has one answer: a batch, or several messages in one frame, are answered by one frame with all acknowledgements.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence

from adapter.hl7v2.admission import Admission
from adapter.hl7v2.header import header_of, wanted
from adapter.hl7v2.usual_admission import Admitter, Usual
from adapter.issues import Issue
from adapter.service import metrics
from adapter.service.logs import log, log_fault
from adapter.service.mllp_answers import DOOR, Answers, OutcomeOf
from adapter.service.mllp_connection import PER_TURN, Connection, Slot
from adapter.service.mllp_group import Group, Part
from adapter.service.settings import MllpSettings
from adapter.service.spool.arrivals import Arrival, Placed
from adapter.service.spool.files import SpoolFull, instant
from adapter.service.tls import server_context

Put = Callable[[Sequence[Arrival], str], Sequence[Placed]]

#: Messages, and bytes, in one transaction.
GROUP = 1024
GROUP_BYTES = 32 * 2**20
#: Bytes of open frames over all connections.
HELD_LIMIT = 512 * 2**20
#: How long, in seconds, nothing is read after the spool refused: senders that repeat at once would only keep the disk busy.
FULL_PAUSE = 1.0
HANDSHAKE_SECONDS = 10.0


class MllpDoor:
    """Listens for MLLP connections.

    Parameters
    ----------
    settings : MllpSettings
        Address, limits, and when to acknowledge.
    put : callable
        Makes messages durable (`IntakeStore.put`); raises `SpoolFull`.
    sender_ids : callable, optional
        Processing ids of a sender's row (`sender_rows.processing_ids_of`).
    outcome_of : callable, optional
        What became of a message of this number, None when it is not converted yet: what a resend is told in `converted` mode.
        Without it a resend whose first message nobody waits for is told AA.
    """

    def __init__(
        self,
        settings: MllpSettings,
        put: Put,
        *,
        sender_ids: Callable[[str, str], Collection[str]] | None = None,
        outcome_of: OutcomeOf | None = None,
    ) -> None:
        self.settings = settings
        self.use(sender_ids)
        self._put = put
        self._answers = Answers(settings, outcome_of, self.wake)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._ready: deque[Connection] = deque()
        self._scheduled = False
        self._pausing = False
        self._stopping = False
        self._held = 0
        self._logged: set[str] = set()

    @property
    def holding(self) -> bool:
        """Whether nothing is read now."""
        return self._pausing or self._stopping

    @property
    def port(self) -> int:
        """The port that the door listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        OSError
            The address is taken, or a file of the TLS settings cannot be read.
        """
        self._loop = asyncio.get_running_loop()
        tls = server_context(self.settings.tls)
        self._server = await self._loop.create_server(
            lambda: Connection(self, self._loop),
            self.settings.host,
            self.settings.port,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
            backlog=min(self.settings.connections, 1024),
        )
        limits = self.settings
        shortest = min(limits.idle_seconds, limits.frame_seconds, limits.write_seconds, limits.conversion_seconds)
        self._tick_seconds = min(1.0, shortest / 4)
        self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        log("listening", door=DOOR, host=limits.host, port=self.port, tls=tls is not None)

    async def stop(self, seconds: float = 10.0) -> None:
        """Take no more, answer what was received whole, close.

        Parameters
        ----------
        seconds : float
            How long answers may wait for their conversion and peers may take to read them.
        """
        assert self._server is not None
        self._stopping = True
        self._server.close()
        until = self._loop.time() + seconds
        for connection in self._connections:
            connection.regulate()
        while self._loop.time() < until and (
            self._answers.waiting or any(one.frames and not one.closed for one in self._connections)
        ):
            await asyncio.sleep(0 if self._ready and not self._pausing else 0.01)
        for connection in tuple(self._connections):
            connection.close()
        while self._connections and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.transport.abort()
        self._ticker.cancel()
        self._answers.count_now()
        log("stopped", door=DOOR)

    def answer(self, number: int, fate: str, issues: Sequence[Issue] = ()) -> None:
        """Send what waits for the conversion of a message.

        Parameters
        ----------
        number : int
            The message; one that nobody waits for is passed over.
        fate : {"converted", "rejected", "unselected"}
            AE with the issues for `rejected`, else AA.
        issues : sequence of Issue
            What the acknowledgement tells.
        """
        self._answers.answer(number, fate, issues)
        self._answers.count_soon()

    def use(self, sender_ids: Callable[[str, str], Collection[str]] | None) -> None:
        """Ask this from now on for the processing ids of a sender: after a reload of the tables."""
        self._admitter = Admitter(frozenset(self.settings.processing_ids), self.settings.unsupported, sender_ids)
        # who is told what became of a message is answered the long way
        self._admit = self._admitter.admit if self.settings.acknowledge == "converted" else self._admitter

    # -- called by connections ------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        """Count a connection; False when it is one too many."""
        if len(self._connections) >= self.settings.connections or self._stopping:
            self._report("connection-limit", connection)
            return False
        self._connections.add(connection)
        metrics.connection(DOOR, 1)
        return True

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._connections:
            self._connections.remove(connection)
            metrics.connection(DOOR, -1)

    def wake(self, connection: Connection) -> None:
        """Take the frames of a connection in the next turn."""
        if not connection.queued:
            connection.queued = True
            self._ready.append(connection)
        self._schedule()

    def noise(self, connection: Connection, size: int) -> None:
        """Count bytes outside frames: they are skipped and cannot be answered, because nobody knows where a message would end."""
        self._report("no-msh", connection, bytes=size)

    def hold(self, change: int) -> bool:
        """Count bytes of open frames of all connections; False when they are too many."""
        self._held += change
        return change <= 0 or self._held <= HELD_LIMIT

    def refuse(self, connection: Connection, slug: str) -> None:
        """Answer the open frame with a refusal and end the connection."""
        header = header_of(connection.reader.beginning)
        self._report(slug, connection)
        connection.answer(self._answers.refusal(header, Issue(slug)))
        connection.close()
        self._answers.count_soon()

    def _report(self, slug: str, connection: Connection, **facts: object) -> None:
        """Count what was refused; log the first of its kind in a second, so that a flood does not fill the disk."""
        self._answers.count("refused", slug)
        if slug not in self._logged:
            self._logged.add(slug)
            log(slug, "warning", door=DOOR, peer=connection.peer, **facts)

    # -- one turn -------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled and not self._pausing:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Admit, put and answer what has arrived: a few messages of each connection, so that none has to wait for a busy one."""
        self._scheduled = False
        group = Group(self._admit, self._answers, self.settings.message_size)
        touched: list[Connection] = []
        for _ in range(len(self._ready)):
            if len(group.arrivals) >= GROUP or group.size >= GROUP_BYTES:
                break
            connection = self._ready.popleft()
            connection.queued = False
            touched.append(connection)
            taken = 0
            while connection.frames and taken < PER_TURN and not connection.stopped:
                taken += group.add(connection, connection.frames.popleft())
        if group.parts:
            placed, fault = self._store(group.arrivals)
            for part in group.parts:
                try:
                    self._settle(part, group.arrivals, placed, fault)
                except Exception:
                    # its sender sends it again and is told that it is there; the others must be answered
                    log_fault("answer-failed", door=DOOR, peer=part.connection.peer)
                    part.connection.transport.abort()
        for connection in touched:
            if connection.reader.more:
                connection.refill()
            if connection.frames and not connection.queued and not connection.stopped:
                connection.queued = True
                self._ready.append(connection)
            connection.end_turn()
        if self._ready:
            self._schedule()
        self._answers.count_soon()

    def _store(self, arrivals: list[Arrival]) -> tuple[Sequence[Placed], Issue | None]:
        """Make a group durable; give the reason when it could not be."""
        if not arrivals:
            return (), None
        begin = time.perf_counter()
        try:
            placed = self._put(arrivals, instant())
        except SpoolFull as full:
            log("not-stored", "error", door=DOOR, reason=full.reason, messages=len(arrivals))
            self._pause()
            return (), Issue("not-stored", "", full.reason)
        except Exception:
            log_fault("not-stored", door=DOOR, messages=len(arrivals))
            self._pause()
            return (), Issue("not-stored")
        self._answers.commit(time.perf_counter() - begin)
        return placed, None

    def _pause(self) -> None:
        self._pausing = True
        self._loop.call_later(FULL_PAUSE, self._resume)

    def _resume(self) -> None:
        self._pausing = False
        for connection in tuple(self._connections):
            connection.regulate()
        if self._ready:
            self._schedule()

    def _settle(self, part: Part, arrivals: Sequence[Arrival], placed: Sequence[Placed], fault: Issue | None) -> None:
        """Answer one message, or let its answer wait for the conversion."""
        connection, slot, number_of_part, admission, arrival = part
        if type(admission) is Usual:
            if fault is None:
                self._answers.count("received", placed[arrival].kind)
                text = self._answers.accept(admission)
                if slot is not None:
                    connection.place(slot).fill(number_of_part, text)
                else:
                    connection.answer(text)
                return
            admission = self._admitter.admit(arrivals[arrival].data)
        assert isinstance(admission, Admission)
        issue = admission.issue or fault
        wants = admission.wants
        text = b""
        if issue is not None:
            self._answers.count("refused", issue.slug)
            text = self._answers.refusal(admission.header, issue)
        else:
            number, kind = placed[arrival]
            self._answers.count("received", kind)
            waits = self._answers.waits(admission)
            if wants.enhanced:
                if wanted(wants.accept, good=True):
                    text = self._answers.acknowledge(admission.header, "CA")
                if waits:
                    self._answers.wait(number, kind, connection, None, 0, admission)
            elif waits:
                slot = connection.place(slot or Slot(1, batch=False))
                self._answers.wait(number, kind, connection, slot, number_of_part, admission)
                return
            else:
                text = self._answers.acknowledge(admission.header, "AA")
        if slot is not None:
            connection.place(slot).fill(number_of_part, text)
        else:
            connection.answer(text)

    # -- limits in time, counting ---------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Look at what takes too long."""
        self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        now = self._loop.time()
        limits = self.settings
        self._logged.clear()
        self._answers.late(now)
        for connection in tuple(self._connections):
            if connection.closing_since:
                if now - connection.closing_since > limits.write_seconds:
                    connection.transport.abort()
            elif connection.blocked_since:
                if now - connection.blocked_since > limits.write_seconds:
                    self._report("peer-not-reading", connection)
                    connection.transport.abort()
            elif connection.frame_since and connection.reading:
                if now - connection.frame_since > limits.frame_seconds:
                    self.refuse(connection, "frame-late")
            elif now - connection.active > limits.idle_seconds and not connection.frames and not connection.waiting:
                log("idle-connection-closed", door=DOOR, peer=connection.peer)
                connection.close()
        self._answers.count_soon()
