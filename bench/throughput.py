"""Throughput on one core, as a ratio to the yardstick.

Contenders take turns, block by block, in one process. Before each block of a contender the yardstick converts the same messages,
so both meet the same machine at the same moment; the ratio of a block is the contender's time over the yardstick's, the result
is the median of the ratios. Time is processor time of this process, which a busy neighbour lengthens less than the wall clock.
Each message comes once per contender, so a memo helps as much as it would on a feed and no more. Garbage is collected when the
interpreter wants to: a forced collection before each block makes the yardstick 10 % slower and flatters everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import process_time

from contenders import Contender, Convert

#: The yardstick repeats short blocks until it has converted this many messages: else the clock's noise is in the ratio.
LEAST = 20


@dataclass(frozen=True, slots=True)
class Throughput:
    """Result of one contender.

    Parameters
    ----------
    name : str
        The contender.
    microseconds : float
        Median time of a message.
    ratio : float
        Median of the blocks' ratios to the yardstick.
    low, high : float
        Quartiles of these ratios.
    """

    name: str
    microseconds: float
    ratio: float
    low: float
    high: float


def measure(contenders: Sequence[Contender], yardstick: Convert, messages: Sequence[str]) -> list[Throughput]:
    """Measure contenders beside the yardstick.

    Parameters
    ----------
    contenders : sequence of Contender
        Whom to measure.
    yardstick : function
        What to compare with.
    messages : sequence of str
        The stream. The first block of each contender warms it up and is not counted.

    Returns
    -------
    list of Throughput
        The yardstick first, then the contenders in their order.
    """
    ratios: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    floor: list[float] = []
    for turn in range(max(contender.blocks for contender in contenders) + 1):
        for contender in contenders:
            block = messages[turn * contender.block : (turn + 1) * contender.block]
            if turn > contender.blocks or not block:
                continue
            warm = messages[max(0, turn * contender.block - 1)]
            base = _time(yardstick, block, -(-LEAST // len(block)), warm)
            taken = _time(contender.convert, block, 1, warm)
            if turn:
                ratios[contender.name].append(taken / base)
                times[contender.name].append(taken)
                floor.append(base)
    rows = [Throughput("yardstick", median(floor), 1.0, 1.0, 1.0)]
    for name, found in ratios.items():
        low, _, high = quantiles(found, n=4)
        rows.append(Throughput(name, median(times[name]), median(found), low, high))
    return rows


def _time(convert: Convert, block: Sequence[str], repeats: int, warm: str) -> float:
    """Give microseconds a message. A message of the block before brings code and data back into the caches."""
    convert(warm)
    start = process_time()
    for _ in range(repeats):
        for message in block:
            convert(message)
    return (process_time() - start) * 1e6 / (len(block) * repeats)
