"""Counts of the engine, added up between two records: counting one by one would cost more than some messages."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime

from adapter.issues import CATALOGUE
from adapter.service import metrics
from adapter.service.engine.flights import Flight


class Tally:
    """Counts that are not in the metrics yet."""

    def __init__(self) -> None:
        self._messages: Counter[tuple[str, str]] = Counter()
        self._issues: Counter[str] = Counter()
        self._stages: list[tuple[str, float, int]] = []

    def stage(self, name: str, seconds: float, count: int = 1) -> None:
        """Note the time of a stage."""
        self._stages.append((name, seconds, count))

    def message(self, flight: Flight, now: datetime) -> None:
        """Note a message that was recorded."""
        self._messages[flight.stored.sender, flight.converted.fate] += 1
        self._issues.update(flight.converted.slugs)
        received = datetime.fromisoformat(flight.stored.received)
        self._stages.append(("end-to-end", max((now - received).total_seconds(), 0), 1))
        if flight.parcel is not None and not flight.open:
            self._stages.append(("deliver", time.monotonic() - flight.begun, 1))

    def flush(self) -> None:
        """Put everything into the metrics."""
        for (sender, fate), count in self._messages.items():
            metrics.converted(sender, fate, count)
        for slug, count in self._issues.items():
            metrics.issue(slug, CATALOGUE[slug].severity, count)
        for name, seconds, count in self._stages:
            metrics.stage(name, seconds, count)
        self._messages.clear()
        self._issues.clear()
        self._stages.clear()
