"""Memory of this process: how far it grows beyond what it holds, whatever the tests before took."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SELF = Path("/proc/self")


@contextmanager
def growth_below(megabytes: int) -> Iterator[None]:
    """Fail when the process takes so much more at any moment of the block."""
    # the peak begins anew: else a larger one of an earlier test would hide this one
    (SELF / "clear_refs").write_text("5")
    before = _kilobytes("VmRSS")
    yield
    grown = (_kilobytes("VmHWM") - before) / 1024
    assert grown < megabytes, f"{grown:.0f} MB more"


def _kilobytes(name: str) -> int:
    rows = (line.split() for line in (SELF / "status").read_text().splitlines())
    return next(int(row[1]) for row in rows if row[0] == f"{name}:")
