"""How the engine makes way for the doors in a burst: while far more comes in than can be converted, it works a part of the time.

What comes in then waits in the spool in any case, and the doors need the processor, its caches and the disk to acknowledge it.
It is a burst when there is a backlog and `FACTOR` times as much came in as was given to the converters, over a spell of work.
Then a pause follows, as long as the share asks for: with a share of one half, as long as the spell. So nothing starves, however
long the burst is. A load that can be converted, a message alone, and the backlog after a burst know no pause.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: How much more than what is converted has to come in.
FACTOR = 2
#: A spell of work, in seconds: long enough to count, short beside what an alert watches.
SPELL_SECONDS = 0.2
#: Nothing may keep the engine away for longer.
LONGEST_SECONDS = 1.0


class Pace:
    """The pace of one engine.

    Parameters
    ----------
    share : float
        Part of the time that it works during a burst, above 0; 1: always.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share, self._clock = share, clock
        self._began: tuple[float, int, int] | None = None

    def idle(self) -> None:
        """There is no backlog."""
        self._began = None

    def pause(self, given: int, newest: int) -> float:
        """Say how long to make way now.

        Parameters
        ----------
        given : int
            Number of the last message that was given to the converters.
        newest : int
            Number of the last message that came in.

        Returns
        -------
        float
            Seconds; the spell begins anew after them.
        """
        now = self._clock()
        if self._began is None:
            self._began = now, given, newest
            return 0
        since, given_before, newest_before = self._began
        if now - since < SPELL_SECONDS:
            return 0
        burst = newest - newest_before > FACTOR * (given - given_before)
        pause = min((now - since) * (1 / self._share - 1), LONGEST_SECONDS) if burst else 0
        # what comes during the pause does not count, nor does the pause itself
        self._began = None if pause else (now, given, newest)
        return pause
