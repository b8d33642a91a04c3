"""The garbage collector, told what the program is like: tables and modules stay, and messages leave next to no cycles behind.

A conversion makes thousands of dictionaries that die with the message by counting alone; the collector would walk over them,
and over the tables, again and again, for a tenth of the time. A process that converts one message after the other calls
`settle` once.
"""

from __future__ import annotations

import gc

#: Containers made before the youngest are looked at, and how many looks before the older generations. Much larger ones cost
#: memory: with (20,000, 20, 50) the filter held 141 MB on a stream on which it holds 68 MB with these, and was no faster.
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
