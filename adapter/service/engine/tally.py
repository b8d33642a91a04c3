"""Counts of the engine, added up between two records: counting one by one would cost more than some messages."""

from __future__ import annotations

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
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._stages: dict[str, list[float]] = {}

    def stage(self, name: str, seconds: float) -> None:
        """Note the time of a stage."""
        self._stages.setdefault(name, []).append(seconds)

    def attempt(self, destination: str, result: str) -> None:
        """Note an attempt to deliver."""
        self._attempts[destination, result] += 1

    def message(self, flight: Flight, now: datetime) -> None:
        """Note a message that was recorded."""
        self._messages[flight.stored.sender, flight.converted.fate] += 1
        self._issues.update(flight.converted.slugs)
        received = datetime.fromisoformat(flight.stored.received)
        self.stage("end-to-end", max((now - received).total_seconds(), 0))

    def flush(self) -> None:
        """Put everything into the metrics."""
        for (sender, fate), count in self._messages.items():
            metrics.converted(sender, fate, count)
        for slug, count in self._issues.items():
            metrics.issue(slug, CATALOGUE[slug].severity, count)
        for (destination, result), count in self._attempts.items():
            metrics.delivered(destination, result, count)
        for name, times in self._stages.items():
            metrics.stages(name, times)
        self._messages.clear()
        self._issues.clear()
        self._attempts.clear()
        self._stages.clear()
