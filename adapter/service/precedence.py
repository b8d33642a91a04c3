"""Which process of the service goes first where the processor is short: the doors, then the engine, then the converters.

Niceness says who gets how much. Who runs at once when it wakes up is another matter: a door sleeps for each sync of the disk,
and Linux lets whoever runs meanwhile go on to the end of its slice, some milliseconds. From 6.12 on a process can ask for short
slices and then interrupts those with longer ones; elsewhere it stays as it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

#: How long, in nanoseconds, a door runs at a time when others want to run; its share of the processor stays the same.
_DOOR_SLICE = 400_000
#: sched_setattr(2) by machine.
_CALLS = {"x86_64": 314, "aarch64": 274}
#: size, policy, flags, nice, priority, runtime, deadline, period
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def go_first() -> None:
    """Let this process, a door, run as soon as it wakes up. The processes that it starts inherit it until they `stand_back`."""
    _set_slice(_DOOR_SLICE)


def stand_back(nicer: int) -> None:
    """Let the doors go first: be nicer by so much, and wait for one's turn."""
    os.nice(nicer)
    _set_slice(0)


def _set_slice(nanoseconds: int) -> None:
    """Ask for a slice; 0: the usual one."""
    call = _CALLS.get(platform.machine())
    if not sys.platform.startswith("linux") or call is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, nanoseconds, 0, 0)
        # an older system refuses it or does not look at it
        ctypes.CDLL(None, use_errno=True).syscall(call, 0, attributes, 0)
