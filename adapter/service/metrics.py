"""What is counted while the service runs, for Prometheus. No label holds patient data or free text of a sender without bound.

Several processes count; `prometheus_client` adds them up from files in the folder that the supervisor names (`prepare`) before
anything here is used. Without it (in tests) everything is counted in the one process.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Senders with a label of their own; more of them count as `other`, so that a noisy line cannot fill the memory.
SENDERS = 200


def prepare(folder: Path) -> None:
    """Name the folder in which all processes count, and empty it; before this module's counters are used by any of them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob("*.db"):
        left.unlink()
    os.environ[FOLDER_VARIABLE] = str(folder)


class Snapshot(Protocol):
    """State of the spool at the moment of a scrape."""

    def gauges(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Values by name of the gauge (`queue_depth`): labels and value."""


class _Metrics:
    """The counters; made when first used, because `prometheus_client` reads the folder when it is imported."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        class Times(Histogram):
            """A histogram that takes many values at the price of one: each `observe` writes to two files."""

            def observe_all(self, values: Sequence[float]) -> None:
                """Count values: one more in the first bucket whose bound they do not pass, as in `observe`."""
                counts = Counts(bisect_left(self._upper_bounds, value) for value in values)
                for bucket, count in counts.items():
                    self._buckets[bucket].inc(count)
                self._sum.inc(sum(values))

        name = "b2m_adapter_{}".format
        self.received = Counter(name("received"), "Messages made durable, by door and kind.", ["door", "kind"])
        self.answered = Counter(name("answered"), "Answers by door and code (MSA-1, or HTTP status).", ["door", "code"])
        self.refused = Counter(name("refused"), "What a door refused, by issue.", ["door", "issue"])
        self.connections = Gauge(name("connections"), "Open connections.", ["door"], multiprocess_mode="livesum")
        self.converted = Counter(name("converted"), "Messages that the engine finished, by sender and fate.", ["sender", "fate"])
        self.issues = Counter(name("issues"), "Issues of converted messages.", ["issue", "severity"])
        self.delivered = Counter(name("delivered"), "Deliveries by destination and result.", ["destination", "result"])
        self.breaker = Gauge(
            name("breaker_state"),
            "Circuit breaker of a destination: 0 closed, 1 half open, 2 open.",
            ["destination"],
            multiprocess_mode="livemax",
        )
        self.reloads = Counter(name("table_reloads"), "Reloads of the tables, by result.", ["result"])
        self.restarts = Counter(name("restarts"), "Processes that were started again.", ["process"])
        self.stages = Times(
            name("stage_seconds"),
            "Time of a stage.",
            ["stage"],
            buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.senders: set[str] = set()
        self._stage: dict[str, Times] = {}

    def observe_stages(self, name: str, times: Sequence[float]) -> None:
        """Count times of a stage."""
        stage = self._stage.get(name)
        if stage is None:
            stage = self._stage[name] = self.stages.labels(name)
        stage.observe_all(times)


_metrics: _Metrics | None = None


def _all() -> _Metrics:
    global _metrics
    if _metrics is None:
        _metrics = _Metrics()
    return _metrics


def received(door: str, kind: str, count: int = 1) -> None:
    """Count messages that a door made durable: `new`, `resend` or `reused-id`."""
    _all().received.labels(door, kind).inc(count)


def answered(door: str, code: str, count: int = 1) -> None:
    """Count answers: `AA`, `AE`, `AR`, `CA`, `CE`, `CR`, or an HTTP status."""
    _all().answered.labels(door, code).inc(count)


def refused(door: str, slug: str, count: int = 1) -> None:
    """Count what a door refused, by the slug of the issue."""
    _all().refused.labels(door, slug).inc(count)


def connection(door: str, change: int) -> None:
    """Count a connection that opened (1) or closed (-1)."""
    _all().connections.labels(door).inc(change)


def converted(sender: str, fate: str, count: int = 1) -> None:
    """Count messages that the engine finished."""
    metrics = _all()
    if sender not in metrics.senders:
        if len(metrics.senders) >= SENDERS:
            sender = "other"
        metrics.senders.add(sender)
    metrics.converted.labels(sender, fate).inc(count)


def issue(slug: str, severity: str, count: int = 1) -> None:
    """Count issues of a message."""
    _all().issues.labels(slug, severity).inc(count)


def stage(name: str, seconds: float, count: int = 1) -> None:
    """Time of a stage (`commit`, `convert`, `deliver`, `end-to-end`); the same for `count` messages."""
    stages(name, [seconds] * count)


def stages(name: str, times: Sequence[float]) -> None:
    """Times of a stage in seconds, one for each time that it was gone through."""
    if times:
        _all().observe_stages(name, times)


def delivered(destination: str, result: str, count: int = 1) -> None:
    """Count attempts: `delivered`, `again`, `dead`."""
    _all().delivered.labels(destination, result).inc(count)


def breaker(destination: str, state: int) -> None:
    """State of a circuit breaker: 0 closed, 1 half open, 2 open."""
    _all().breaker.labels(destination).set(state)


def reload(result: str) -> None:
    """Count a reload of the tables: `changed`, `same`, `refused`."""
    _all().reloads.labels(result).inc()


def restarted(process: str) -> None:
    """Count a process that was started again: `engine`, `http`, `converter`."""
    _all().restarts.labels(process).inc()


def process_ended(pid: int) -> None:
    """Forget the gauges of a process that is gone."""
    if FOLDER_VARIABLE in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def exposition(snapshot: Snapshot | None = None) -> tuple[bytes, str]:
    """Write all metrics.

    Parameters
    ----------
    snapshot : Snapshot, optional
        Where the gauges of the spool come from: queue depth, age of the oldest waiting message, dead letters.

    Returns
    -------
    bytes
        Text of the Prometheus exposition format.
    str
        Its content type.
    """
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest

    _all()
    text = b""
    if FOLDER_VARIABLE in os.environ:
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry)
    else:
        text = generate_latest(REGISTRY)
    if snapshot is not None:
        extra = CollectorRegistry()
        for name, values in snapshot.gauges().items():
            gauge = None
            for labels, value in values:
                gauge = gauge or Gauge(f"b2m_adapter_{name}", "State of the spool.", list(labels), registry=extra)
                (gauge.labels(**labels) if labels else gauge).set(value)
        text += generate_latest(extra)
    return text, CONTENT_TYPE_LATEST
