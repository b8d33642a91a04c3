"""What leaves the spool by age and size, and what never does."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from adapter.service.settings import SpoolSettings
from adapter.service.spool.files import instant
from adapter.service.spool.intake import Arrival, IntakeStore, Placed
from adapter.service.spool.retention import STEP, removable, tidy
from adapter.service.spool.work import Delivery, Finished, Version, WorkStore

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
MONTH = SpoolSettings(keep_days=30, keep_results_days=400)
SMALL = SpoolSettings(keep_days=30, keep_megabytes=1)


def ago(days):
    return instant(NOW - timedelta(days=days))


def sent(number, size=10):
    return Arrival(b"%08d" % number + b"x" * size, "er7", "mllp", sender="S", control_id=str(number))


@pytest.fixture
def spool(tmp_path):
    intake = IntakeStore(tmp_path)
    work = WorkStore(tmp_path)
    yield intake, work
    intake.close()
    work.close()


def fill(spool, days, *deliveries, count=1, state="converted", size=10, versions=()):
    intake, work = spool
    first = intake.newest() + 1
    numbers = range(first, first + count)
    intake.put([sent(number, size) for number in numbers], ago(days))
    work.record(
        [Finished(n, state, converted_at=ago(days), output=b"{}", deliveries=deliveries, versions=versions) for n in numbers]
    )


def tidied(spool, settings, now=NOW):
    steps = 0
    while tidy(*spool, settings, now):
        steps += 1
        assert steps < 1000
    return steps


def kept(spool):
    return [stored.number for stored in spool[0].after(0, 10_000)]


def test_finished_messages_go_after_their_days(spool):
    for days in (40, 31, 29, 1):
        fill(spool, days, Delivery("a", "delivered"))
    tidied(spool, MONTH)
    assert kept(spool) == [3, 4]


@pytest.mark.parametrize("state", ["waiting", "dead"])
def test_what_a_destination_still_wants_never_goes(spool, state):
    fill(spool, 399, Delivery("a", "delivered"), Delivery("b", state))
    tidied(spool, MONTH)
    assert kept(spool) == [1]


def test_a_rejected_message_never_goes_by_itself(spool):
    fill(spool, 399, state="rejected")
    tidied(spool, MONTH)
    assert kept(spool) == [1]


@pytest.mark.parametrize("state", ["unselected", "dropped", "converted"])
def test_what_nobody_wants_goes(spool, state):
    fill(spool, 40, state=state)
    tidied(spool, MONTH)
    assert kept(spool) == []


def test_a_dropped_one_goes_when_its_time_has_come(spool):
    fill(spool, 40, Delivery("a", "dead"))
    tidied(spool, MONTH)
    spool[1].drop(1, reason="x", time=ago(0))
    tidied(spool, MONTH)
    assert kept(spool) == []


def test_what_is_not_recorded_never_goes(spool):
    spool[0].put([sent(1)], ago(399))
    tidied(spool, MONTH)
    assert kept(spool) == [1]


def test_what_is_behind_an_unfinished_one_waits_for_it(spool):
    spool[0].put([sent(1)], ago(40))
    fill(spool, 40)
    tidied(spool, MONTH)
    assert kept(spool) == [1, 2]


def test_above_the_size_the_oldest_finished_go_first(spool):
    intake, work = spool
    fill(spool, 3, Delivery("a", "dead"), size=100_000)
    fill(spool, 2, Delivery("a", "delivered"), count=STEP, size=10_000)
    fill(spool, 1, Delivery("a", "delivered"), count=20, size=10_000)
    tidied(spool, SMALL)
    left = kept(spool)
    assert left[0] == 1
    assert left[1:] == list(range(STEP + 2, STEP + 22))
    assert intake.size() + work.size() <= 2**20


def test_a_resend_is_known_as_long_as_results_are_kept(spool):
    fill(spool, 40)
    fill(spool, 1)
    tidied(spool, MONTH)
    assert spool[0].put([sent(1)], ago(0)) == [Placed(1, "resend")]
    tidied(spool, MONTH, NOW + timedelta(days=361))
    assert spool[0].put([sent(1)], ago(0)) == [Placed(3, "new")]


def test_what_stands_at_the_receivers_is_forgotten_with_its_last_version(spool):
    old, corrected = Version("urn:a", 1, "", "", 1), Version("urn:b", 1, "", "", 1)
    fill(spool, 401, versions=(old, corrected))
    fill(spool, 1, versions=(corrected._replace(number=2),))
    tidied(spool, MONTH)
    assert list(spool[1].known(["urn:a", "urn:b"])) == ["urn:b"]


def test_a_message_that_was_tried_again_does_not_hold_the_others_up(spool):
    fill(spool, 0)
    fill(spool, 40, count=5)
    assert removable(spool[1], ago(30), 10) == [2, 3, 4, 5, 6]


def test_each_step_is_small(spool):
    fill(spool, 40, count=2 * STEP + 1)
    assert [tidy(*spool, MONTH, NOW) for _ in range(4)] == [STEP, STEP, 1, 0]


def test_free_space_goes_back_to_the_file_system(spool, tmp_path):
    fill(spool, 40, count=50, size=20_000)
    fill(spool, 1)
    spool[0].checkpoint()
    before = (tmp_path / "intake.db").stat().st_size
    tidied(spool, MONTH)
    spool[0].checkpoint()
    assert (tmp_path / "intake.db").stat().st_size < before / 2


@pytest.mark.parametrize(
    ("removed", "forgotten", "wanted"),
    [
        ([1, 2], [], [3, 4, 5, 6]),
        ([1, 2], [1, 2], [3, 4, 5, 6]),
        ([2, 3], [], [1, 4, 5, 6]),
        ([2, 3], [3], [1, 4, 5, 6]),
        ([1, 3, 4, 6], [1, 3], [2, 5]),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5], []),
    ],
)
def test_work_that_begins_anew_passes_over_what_is_gone(spool, tmp_path, removed, forgotten, wanted):
    """So operators are told to recover; the cursor would stay before what is never read again, and nothing ever be tidied."""
    intake, work = spool
    fill(spool, 40, Delivery("a", "delivered"), count=6)
    intake.remove(removed)
    intake.forget(forgotten)
    work.close()
    for file in tmp_path.glob("work.db*"):
        file.unlink()
    with closing(WorkStore(tmp_path)) as anew:
        assert [stored.number for stored in intake.after(anew.cursor(), 10)] == wanted
        anew.record([Finished(number, "converted", converted_at=ago(1)) for number in wanted])
        if wanted:
            intake.put([sent(7)], ago(1))
            anew.record([Finished(7, "converted", converted_at=ago(1))])
        assert anew.cursor() == intake.newest()
    with closing(WorkStore(tmp_path)) as again:
        assert again.cursor() == intake.newest()


def test_work_of_an_older_backup_passes_over_what_went_since(spool, tmp_path):
    intake, work = spool
    intake.put([sent(number) for number in range(1, 6)], ago(40))
    work.record([Finished(1, "converted")])
    intake.remove([1, 2, 3])
    work.close()
    with closing(WorkStore(tmp_path)) as restored:
        restored.record([Finished(4, "converted")])
        assert restored.cursor() == 4


def test_a_crash_between_the_files_is_made_good(spool):
    fill(spool, 40)
    spool[0].remove([1])
    tidied(spool, MONTH)
    assert removable(spool[1], "9999", 10) == []
