"""Circuit breaker of a destination (pure: the caller tells the time).

Closed: everything is tried. After so many faults in a row it opens: nothing is tried for a pause that doubles each time, up to a
limit. Then it is half open: one attempt; when that succeeds it closes, else it opens again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

CLOSED: Final = 0
HALF_OPEN: Final = 1
OPEN: Final = 2


class Breaker:
    """The breaker.

    Parameters
    ----------
    faults : int
        Faults in a row that open it.
    pause : float
        Seconds of the first pause.
    limit : float
        Seconds of the longest pause.
    changed : callable
        Told the new state.
    random : Random, optional
        For jitter: several engines must not knock at the same moment.
    """

    def __init__(
        self, faults: int, pause: float, limit: float, changed: Callable[[int], None], random: Random | None = None
    ) -> None:
        self._faults, self._pause, self._limit, self._changed = faults, pause, limit, changed
        self._random = random or Random()
        self.state = CLOSED
        self._in_a_row = 0
        self._openings = 0
        self._until: float = 0
        self._under_way = False

    def opens_in(self, now: float) -> float:
        """Seconds until the next attempt may be made; 0: now."""
        if self.state == CLOSED:
            return 0
        if self.state == HALF_OPEN:
            # the one attempt is under way; its end decides
            return self._limit if self._under_way else 0
        return max(self._until - now, 0)

    def begin(self) -> None:
        """Note that an attempt begins."""
        if self.state == OPEN:
            self._change(HALF_OPEN)
        if self.state == HALF_OPEN:
            self._under_way = True

    def success(self) -> bool:
        """Note that the destination works; tells whether it did not before."""
        was = self.state
        self._in_a_row = self._openings = 0
        self._under_way = False
        self._change(CLOSED)
        return was != CLOSED

    def fault(self, now: float, after: float = 0) -> None:
        """Note a fault.

        Parameters
        ----------
        now : float
            Seconds.
        after : float
            Seconds that the destination asks to wait.
        """
        self._in_a_row += 1
        self._under_way = False
        if self.state == OPEN:
            # attempts that were under way when it opened
            self._until = max(self._until, now + after)
            return
        if self.state == HALF_OPEN or self._in_a_row >= self._faults:
            pause = pause_after(self._openings, self._pause, self._limit, self._random)
            self._openings += 1
            self._until = now + max(pause, after)
            self._change(OPEN)

    def _change(self, state: int) -> None:
        if state != self.state:
            self.state = state
            self._changed(state)


def pause_after(attempts: int, first: float, limit: float, random: Random) -> float:
    """Seconds to wait after so many attempts: doubled each time up to the limit, of which a random part between half and all."""
    whole = min(first * (1 << min(attempts, 32)), limit)
    return whole * random.randint(500, 1000) / 1000
