"""The garbage collector, told what the program is like: tables and modules stay, and messages leave next to no cycles behind.

A conversion makes thousands of dictionaries that die with the message by counting alone; the collector would walk over them,
and over the tables, again and again, for a tenth of the time. A process that converts one message after the other calls
`settle` once. Until then everything that is made stays: a one-shot run waits with the collector (`paused`) until it settles.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Containers made before the youngest are looked at, and how many looks before the older generations. Over 20 MB of messages the
#: filter holds 69 MB with these, with (2,000, 10, 10) and with (20,000, 20, 50).
_THRESHOLDS = (5_000, 10, 10)


def settle(*, again: bool = False) -> None:
    """Take what stays out of the collector's sight, and let it look less often.

    Parameters
    ----------
    again : bool
        Other tables are in use now: what was set aside before is looked at once more, so that the old ones can go.
    """
    if again:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


@contextmanager
def paused() -> Iterator[None]:
    """Keep the collector from looking until `settle` is called, or the block ends."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
