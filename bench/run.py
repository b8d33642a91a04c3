"""`make bench`: measure, write the tables to standard output, compare with the limits.

Exit status: 0 when every limit holds, 1 when one is missed or a peer is missing. Measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from os import cpu_count
from pathlib import Path

import cold_start
import memory
import stages
import stream
import throughput
from contenders import adapters, load_stream, load_yardstick, peers

QUICK, FULL = 50 * 10**6, 10**9
TWO_RESULT_MESSAGES = 2000
RATIO_LIMIT, START_LIMIT, MEMORY_LIMIT = 4.0, 0.45, 150.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measured figure and its limit."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Tell whether the figure is within the limit."""
        return self.measured <= self.limit


def main() -> int:
    """Measure what the flags ask for; give the exit status."""
    options = _options()
    yardstick = load_yardstick(options.yardstick)
    messages = load_stream(options.stream)
    pairs = list(islice(stream.two_result_messages(), TWO_RESULT_MESSAGES))
    found, missing = ([], []) if options.without_peers else peers()
    for package in missing:
        print(
            f"peer is missing: {package} (install with `pip install -e '.[bench]'`, or run with --without-peers)", file=sys.stderr
        )
    print(f"{datetime.now(UTC):%Y-%m-%d}, {cpu_count()} CPU, {platform.python_implementation()} {platform.python_version()}")

    rows = throughput.measure([*adapters(), *found], yardstick, messages)
    _print("Stream, one core", _throughput(rows))
    small = throughput.measure(adapters(), yardstick, pairs)
    _print("Two results a message, one core", _throughput(small))
    _print("Stages, stream", stages.table(stages.measure(messages)))
    starts = cold_start.measure()
    _print("Cold start", ["| process | seconds |", "|---|---:|", *(f"| {name} | {time:.3f} |" for name, time in starts.items())])
    long = memory.measure(QUICK if options.quick else FULL)
    _print("Peak memory", _memory(long))

    verdicts = [
        Verdict("adapter against the yardstick, stream", rows[1].ratio, RATIO_LIMIT, "times"),
        Verdict("adapter against the yardstick, two results", small[1].ratio, RATIO_LIMIT, "times"),
        Verdict("cold start", list(starts.values())[-1], START_LIMIT, "s"),
        Verdict("peak memory", long.peak, MEMORY_LIMIT, "MB"),
    ]
    _print("Limits", _verdicts(verdicts))
    return int(bool(missing) or long.status != 0 or not all(verdict.holds for verdict in verdicts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description="Measure the adapter beside a yardstick and its peers.")
    parser.add_argument("--quick", action="store_true", help="peak memory on 50 MB instead of 1 GB")
    parser.add_argument("--without-peers", action="store_true", help="measure the adapter and the yardstick only")
    parser.add_argument("--yardstick", default="", metavar="FILE.py:FUNCTION", help="another yardstick: message text in")
    parser.add_argument("--stream", type=Path, metavar="FILE.json", help="another stream: a JSON list of messages")
    return parser.parse_args()


def _print(title: str, lines: Sequence[str]) -> None:
    print(f"\n### {title}\n", *lines, sep="\n", flush=True)


def _throughput(rows: Sequence[throughput.Throughput]) -> list[str]:
    lines = ["| | messages/s | us/message | ratio to the yardstick | quartiles |", "|---|---:|---:|---:|---|"]
    for row in rows:
        speed = f"{1e6 / row.microseconds:,.0f} | {row.microseconds:,.0f}"
        lines.append(f"| {row.name} | {speed} | {row.ratio:.2f} | {row.low:.2f} to {row.high:.2f} |")
    return lines


def _memory(long: memory.Memory) -> list[str]:
    return [
        "| stream | messages | peak RSS | wall clock | exit status |",
        "|---|---:|---:|---:|---:|",
        f"| {long.size / 1e6:,.0f} MB | {long.messages:,} | {long.peak:.0f} MB | {long.seconds:.0f} s | {long.status} |",
    ]


def _verdicts(verdicts: Sequence[Verdict]) -> list[str]:
    lines = ["| figure | measured | limit | |", "|---|---:|---:|---|"]
    for verdict in verdicts:
        says = "holds" if verdict.holds else "MISSED"
        lines.append(f"| {verdict.what} | {verdict.measured:.2f} {verdict.unit} | {verdict.limit:g} {verdict.unit} | {says} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
