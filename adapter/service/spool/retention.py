"""What leaves the spool, by age and by size, in steps so small that no door waits for them.

First the data of finished messages goes (converted and delivered everywhere or dropped there, or unselected), by age, and by
size the oldest first. What is waiting, dead or rejected never goes by itself. What tells a resend and what stands at the
receivers stays for `keep_results_days`. The space that this needs on a full disk is what `free_megabytes` keeps free.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from adapter.service.spool.files import instant
from adapter.service.spool.intake import IntakeStore
from adapter.service.spool.work import WorkStore

if TYPE_CHECKING:
    from adapter.service.settings import SpoolSettings

#: Messages of one step.
STEP = 200
#: Free pages that go back to the file system at the end.
_PAGES = 2_000
#: After so many rows in a row that are too young the rest is, too: only what was tried again stands out of order.
_YOUNG = 1_000
_ALWAYS = "9999"


def tidy(intake: IntakeStore, work: WorkStore, settings: SpoolSettings, now: datetime) -> int:
    """Do one step.

    Parameters
    ----------
    intake, work : IntakeStore, WorkStore
        The spool.
    settings : SpoolSettings
        How long and how much.
    now : datetime
        With time zone.

    Returns
    -------
    int
        How many messages it was about; 0: nothing is left to do for now.

    Raises
    ------
    SpoolFull
        The spool is not writable now.
    """
    numbers = removable(work, instant(now - timedelta(days=settings.keep_days)), STEP)
    if not numbers and intake.size() + work.size() > settings.keep_megabytes * 2**20:
        numbers = removable(work, _ALWAYS, STEP)
    if numbers:
        intake.remove(numbers)
        with work.transaction() as database:
            database.executemany("UPDATE message SET kept = 0 WHERE number = ?", [(number,) for number in numbers])
        return len(numbers)
    days = max(settings.keep_days, settings.keep_results_days)
    numbers = forgettable(work, instant(now - timedelta(days=days)), STEP)
    if numbers:
        forget(intake, work, numbers)
        return len(numbers)
    intake.shrink(_PAGES)
    work.shrink(_PAGES)
    return 0


def removable(work: WorkStore, before: str, limit: int) -> list[int]:
    """Give the oldest finished messages whose data is still there.

    Parameters
    ----------
    work : WorkStore
        Where it is recorded.
    before : str
        Recorded before this moment (`files.instant`).
    limit : int
        How many at most.
    """
    cursor = work.cursor()
    return _oldest(
        work,
        """
        SELECT number, converted_at, state <> 'rejected' AND NOT EXISTS (
            SELECT 1 FROM delivery WHERE delivery.number = message.number AND delivery.state IN ('waiting', 'dead'))
        FROM message WHERE kept = 1 AND number <= ? ORDER BY number
        """,
        (cursor,),
        before,
        limit,
    )


def forgettable(work: WorkStore, before: str, limit: int) -> list[int]:
    """Give the oldest messages whose data is gone; parameters as for `removable`. The newest row stays, it holds the number."""
    newest = work.newest()
    return _oldest(
        work, "SELECT number, converted_at, kept = 0 FROM message WHERE number < ? ORDER BY number", (newest,), before, limit
    )


def forget(intake: IntakeStore, work: WorkStore, numbers: Sequence[int]) -> None:
    """Delete all that is known of messages, and the results of which they are the last version.

    Raises
    ------
    SpoolFull
        The spool is not writable now.
    """
    intake.forget(numbers)
    with work.transaction() as database:
        for table in ("message", "delivery", "result"):
            database.executemany(f"DELETE FROM {table} WHERE number = ?", [(number,) for number in numbers])


def _oldest(work: WorkStore, statement: str, values: Sequence[object], before: str, limit: int) -> list[int]:
    """Walk over messages in order, without reading those behind the last one that is old enough."""
    found: list[int] = []
    young = 0
    with closing(work.each(statement, values)) as rows:
        for number, converted_at, may_go in rows:
            if converted_at >= before:
                young += 1
            else:
                young = 0
                if may_go:
                    found.append(number)
            if len(found) == limit or young == _YOUNG:
                break
    return found
