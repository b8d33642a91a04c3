"""The time by which retention counts age: the clock of the machine, but not at the moment at which it jumps.

A clock that is set wrong by years for an hour would let everything go that is kept, also what tells resends and what stands at
the receivers. So a jump is believed when it has lasted a day; until then the time stands still, and nothing grows older.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from adapter.service.logs import log

#: The clock may differ by so much from the time that has passed, in seconds: leap seconds, a machine that slept for a moment.
TOLERANCE_SECONDS = 3600
#: How long a jump is not believed, in seconds.
DOUBT_SECONDS = 86_400


class BelievedClock:
    """The clock.

    Parameters
    ----------
    clock : callable
        Seconds since 1970, as the machine has it.
    passed : callable
        Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.time, passed: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._passed = clock, passed
        self._seen = self._believed = clock()
        self._at = passed()
        self._doubted_until = self._at

    def now(self) -> datetime:
        """Give the time, with time zone; to be asked more often than once an hour."""
        clock, at = self._clock(), self._passed()
        jump = (clock - self._seen) - (at - self._at)
        self._seen, self._at = clock, at
        if abs(jump) > TOLERANCE_SECONDS:
            log("clock-jumped", "warning", seconds=round(jump))
            # a clock that is set right again is not doubted
            back = at < self._doubted_until and abs(clock - self._believed) < DOUBT_SECONDS + TOLERANCE_SECONDS
            self._doubted_until = at if back else at + DOUBT_SECONDS
        if at >= self._doubted_until:
            self._believed = clock
        return datetime.fromtimestamp(self._believed, UTC)
