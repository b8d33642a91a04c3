"""The state of the spool in numbers, read when somebody asks for the metrics."""

from __future__ import annotations

from datetime import UTC, datetime

from adapter.service.spool.files import free_bytes
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.work import WorkStore

Labelled = tuple[dict[str, str], float]


class SpoolGauges:
    """Gauges of a spool; satisfies `adapter.service.metrics.Snapshot`.

    Parameters
    ----------
    intake, work : IntakeStore, WorkStore
        The spool.
    """

    def __init__(self, intake: IntakeStore, work: WorkStore) -> None:
        self._intake = intake
        self._work = work

    def gauges(self) -> dict[str, list[Labelled]]:
        """Count what waits and what is dead, and how old the oldest of it is.

        Returns
        -------
        dict
            `queue_depth` and `oldest_seconds`: messages that are not recorded yet (`state="received"`), and for each destination
            those that wait for it (`state="waiting"`) or were given up (`state="dead"`); `state="rejected"` could not be
            converted. `spool_bytes` by file, `spool_free_bytes` of the disk.
        """
        cursor = self._work.cursor()
        depth: list[Labelled] = [({"state": "received", "destination": ""}, max(0, self._intake.newest() - cursor))]
        oldest: list[Labelled] = [({"state": "received", "destination": ""}, self._age(cursor + 1))]
        for one in self._work.backlog():
            labels = {"state": one.state, "destination": one.destination}
            depth.append((labels, one.messages))
            oldest.append((labels, self._age(one.oldest)))
        return {
            "queue_depth": depth,
            "oldest_seconds": oldest,
            "spool_bytes": [({"file": "intake"}, self._intake.size()), ({"file": "work"}, self._work.size())],
            "spool_free_bytes": [({}, free_bytes(self._intake.folder))],
        }

    def _age(self, number: int) -> float:
        """Seconds since the first message from a number on was received; 0 when there is none."""
        received = self._intake.received_from(number)
        if not received:
            return 0.0
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(received)).total_seconds())
