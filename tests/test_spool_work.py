"""`work.db`: what became of each message, exact after a crash at any place."""

import os
import sqlite3

import pytest

from adapter.service.spool.files import SpoolFault, SpoolFull
from adapter.service.spool.intake import Arrival, IntakeStore
from adapter.service.spool.work import Backlog, Delivery, Finished, Version, WorkStore

TIME = "2026-05-04T03:02:01.000Z"
LATER = "2026-05-04T04:00:00.000Z"


@pytest.fixture
def work(tmp_path):
    intake = IntakeStore(tmp_path)
    intake.put([Arrival(b"%d" % each, "er7", "mllp", control_id=str(each)) for each in range(20)], TIME)
    intake.close()
    store = WorkStore(tmp_path)
    yield store
    store.close()


def converted(number, *deliveries, patient="", output=b"{}", **more):
    return Finished(number, "converted", converted_at=TIME, patient=patient, output=output, deliveries=deliveries, **more)


def test_what_is_recorded_comes_back(work):
    finished = Finished(3, "rejected", "bad-date", b'[{"slug":"bad-date"}]', "abc", TIME)
    work.record([finished])
    assert work.finished(3) == finished
    assert work.finished(4) is None


def test_the_cursor_stops_before_the_first_gap(work):
    work.record([Finished(1, "converted"), Finished(2, "converted"), Finished(5, "converted")])
    assert work.cursor() == 2
    assert work.unrecorded([3, 4, 5, 6]) == [3, 4, 6]
    work.record([Finished(4, "converted")])
    assert work.cursor() == 2
    work.record([Finished(3, "converted")])
    assert work.cursor() == 5
    assert work.unrecorded([]) == []


def test_an_output_is_kept_while_a_destination_wants_it(work):
    work.record([converted(1, Delivery("a", "waiting"), Delivery("b", "waiting"), output=b"line")])
    work.progress(1, [Delivery("a", "delivered", 1, delivered_at=TIME)])
    assert work.finished(1).output == b"line"
    work.progress(1, [Delivery("b", "dead", 3, reason="http-422")])
    assert work.finished(1).output == b"line"
    work.progress(1, [Delivery("b", "delivered", 4)])
    assert work.finished(1).output is None


def test_a_waiting_output_is_kept_small(work):
    work.record([converted(1, Delivery("a", "waiting"), output=b'{"resourceType":"Observation"}' * 1000)])
    assert work.rows("SELECT length(data) FROM output")[0][0] < 1000
    assert work.waiting("a", TIME, 1)[0].output == b'{"resourceType":"Observation"}' * 1000


def test_an_output_that_everybody_has_is_not_kept(work):
    work.record([converted(1, Delivery("a", "delivered"))])
    assert work.finished(1).output is None


def test_a_message_recorded_anew_counts_once(work):
    work.record([Finished(1, "rejected", "bad-date")])
    work.record([converted(1, Delivery("a", "delivered"))])
    assert work.finished(1).state == "converted"
    assert work.backlog() == []


def test_what_waits_comes_in_order_with_its_output(work):
    work.record([converted(number, Delivery("a", "waiting"), output=b"%d" % number) for number in (3, 1, 2)])
    assert [(waiting.number, waiting.output) for waiting in work.waiting("a", TIME, 10)] == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert [waiting.number for waiting in work.waiting("a", TIME, 1, after=1)] == [2]
    assert work.waiting("b", TIME, 10) == []


def test_what_was_tried_waits_for_its_moment(work):
    work.record([converted(1, Delivery("a", "waiting", 1, LATER))])
    assert work.waiting("a", TIME, 10) == []
    assert [waiting.delivery.attempts for waiting in work.waiting("a", LATER, 10)] == [1]


def test_a_message_waits_behind_the_one_before_it_of_its_patient(work):
    work.record(
        [
            converted(1, Delivery("a", "waiting", 1, LATER), patient="p"),
            converted(2, Delivery("a", "waiting"), patient="p"),
            converted(3, Delivery("a", "waiting"), patient="q"),
            converted(4, Delivery("a", "waiting")),
        ]
    )
    assert [waiting.number for waiting in work.waiting("a", TIME, 10)] == [3, 4]
    work.progress(1, [Delivery("a", "dead")])
    assert [waiting.number for waiting in work.waiting("a", TIME, 10)] == [2, 3, 4]


def test_destinations_do_not_wait_for_each_other(work):
    work.record([converted(1, Delivery("a", "waiting", 1, LATER), Delivery("b", "waiting"), patient="p")])
    assert work.waiting("a", TIME, 10) == []
    assert len(work.waiting("b", TIME, 10)) == 1


def test_the_backlog_counts_what_is_not_done(work):
    work.record(
        [
            converted(1, Delivery("a", "waiting"), Delivery("b", "delivered")),
            converted(2, Delivery("a", "waiting"), Delivery("b", "dead")),
            Finished(3, "rejected"),
            Finished(4, "unselected"),
        ]
    )
    assert sorted(work.backlog()) == [Backlog("", "rejected", 1, 3), Backlog("a", "waiting", 2, 1), Backlog("b", "dead", 1, 2)]


def test_what_stands_at_the_receivers_is_known(work):
    first, second = Version("urn:a", 1, TIME, TIME, 1), Version("urn:b", 2, "", TIME, 1)
    work.record([converted(1, versions=(first, second))])
    assert work.known(["urn:a", "urn:b", "urn:c"]) == {"urn:a": first, "urn:b": second}
    newer = first._replace(rank=5, number=2)
    work.progress(2, [], [newer])
    assert work.known(["urn:a"] * 1200) == {"urn:a": newer}


def test_a_new_spool_gives_every_destination_everything(work):
    assert work.see(["a", "b"], 5, TIME) == {"a": 1, "b": 1}


def test_a_destination_added_later_begins_with_what_comes_then(work):
    work.see(["a"], 0, TIME)
    assert work.see(["a", "b"], 20, TIME) == {"a": 1, "b": 21}
    assert work.see(["b"], 30, TIME) == {"b": 21}


def test_dropping_ends_what_is_not_delivered(work):
    work.record([converted(1, Delivery("a", "waiting"), Delivery("b", "dead", reason="http-422"), Delivery("c", "delivered"))])
    work.drop(1, reason="test message", time=LATER)
    finished = work.finished(1)
    assert [(each.destination, each.state) for each in finished.deliveries] == [
        ("a", "dropped"),
        ("b", "dropped"),
        ("c", "delivered"),
    ]
    assert finished.deliveries[0].reason == "test message"
    assert finished.output is None
    assert work.backlog() == []


@pytest.mark.parametrize(("late", "state"), [("waiting", "dropped"), ("dead", "dropped"), ("delivered", "delivered")])
def test_what_was_dropped_while_it_was_tried_stays_dropped_unless_it_arrived(work, late, state):
    work.record([converted(1, Delivery("a", "waiting"))])
    work.drop(1, reason="x", time=LATER)
    work.progress(1, [Delivery("a", late, 2, reason="timeout")])
    assert work.finished(1).deliveries[0].state == state


def test_dropping_at_one_destination_leaves_the_others(work):
    work.record([converted(1, Delivery("a", "waiting"), Delivery("b", "waiting"))])
    work.drop(1, destination="a", reason="gone", time=LATER)
    assert [each.state for each in work.finished(1).deliveries] == ["dropped", "waiting"]


def test_a_rejected_message_and_one_not_converted_yet_can_be_dropped(work):
    work.record([Finished(1, "rejected", "bad-date", b"[]", "", TIME)])
    work.drop(1, reason="x", time=LATER)
    work.drop(2, reason="x", time=LATER, request=9)
    assert [work.finished(number).state for number in (1, 2)] == ["dropped", "dropped"]
    assert (work.cursor(), work.request()) == (2, 9)
    work.drop(1, reason="x", time=LATER)
    assert work.finished(1).slug == "bad-date"


def test_a_request_is_fulfilled_together_with_what_it_changed(work):
    work.record([converted(1, Delivery("a", "dead"))])
    work.progress_all([(1, Delivery("a", "waiting"))], request=4)
    assert work.request() == 4
    work.record([], request=5)
    assert work.request() == 5


def test_a_group_is_recorded_whole_or_not_at_all(work):
    with pytest.raises(SpoolFull):
        work.record([Finished(1, "converted"), Finished("no number", "converted")])
    assert work.finished(1) is None
    assert work.cursor() == 0
    work.record([Finished(1, "converted")])
    assert work.cursor() == 1


def test_a_full_disk_is_told_and_passes(work):
    pages = work._database.execute("PRAGMA page_count").fetchone()[0]
    work._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolFull, match="full"):
        work.record([converted(1, Delivery("a", "waiting"), output=os.urandom(100_000))])
    work._database.execute("PRAGMA max_page_count = 1000000")
    work.record([converted(1, Delivery("a", "waiting"), output=os.urandom(100_000))])
    assert work.cursor() == 1


def test_after_a_fault_of_the_disk_the_file_is_opened_anew(work):
    class Broken:
        in_transaction = True

        def execute(self, *_):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
            raise error

        def close(self):
            pass

    work._database.close()
    work._database = Broken()
    with pytest.raises(SpoolFull, match="the disk failed"):
        work.record([Finished(1, "converted")])
    work.record([Finished(1, "converted")])
    assert work.cursor() == 1


def test_a_file_that_vanished_is_not_made_anew(work, tmp_path):
    work.close()
    (tmp_path / "work.db").unlink()
    with pytest.raises(SpoolFull, match="gone"):
        work.record([Finished(1, "converted")])


def test_the_work_of_another_spool_is_refused(work, tmp_path):
    work.record([Finished(1, "converted")])
    work.close()
    for file in tmp_path.glob("intake.db*"):
        file.unlink()
    with pytest.raises(SpoolFault, match="Restore both files"):
        WorkStore(tmp_path)


def test_the_work_of_a_younger_backup_is_refused(work, tmp_path):
    work.record([Finished(20, "converted")])
    work.close()
    database = sqlite3.connect(tmp_path / "intake.db", isolation_level=None)
    database.execute("DROP TRIGGER message_newest_stays")
    database.execute("DELETE FROM message WHERE number = 20")
    database.close()
    with pytest.raises(SpoolFault, match="does not have"):
        WorkStore(tmp_path)


def test_the_files_take_no_more_room_than_they_need(work):
    for number in range(1, 9):
        work.record([converted(number, Delivery("a", "waiting"), output=os.urandom(50_000))])
    before = work.size()
    work.progress_all([(number, Delivery("a", "delivered")) for number in range(1, 9)])
    work.shrink(1000)
    work.checkpoint()
    assert work.size() < before - 350_000
