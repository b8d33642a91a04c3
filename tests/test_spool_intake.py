"""`intake.db`: what a door hands over is durable, numbered in order, and a resend is known as one."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapter.service.spool import intake as intake_module
from adapter.service.spool.arrivals import identity_of
from adapter.service.spool.files import LOG_READY_BYTES, SpoolFault, SpoolFull, instant
from adapter.service.spool.intake import FILE, Arrival, IntakeStore, Placed
from adapter.service.spool.requests import Request, RequestBox
from adapter.service.spool.work import WorkStore

TIME = "2026-05-04T03:02:01.000Z"


def arrival(data=b"MSH|1", control_id="1", sender="LAB|HOSPITAL", **more):
    return Arrival(data, "er7", "mllp", sender=sender, control_id=control_id, **more)


@pytest.fixture
def store(tmp_path):
    store = IntakeStore(tmp_path / "spool")
    yield store
    store.close()


def test_messages_are_numbered_in_the_order_of_arrival(store):
    assert store.put([arrival(control_id=name) for name in "abc"], TIME) == [Placed(1, "new"), Placed(2, "new"), Placed(3, "new")]
    assert [stored.control_id for stored in store.after(0, 10)] == ["a", "b", "c"]


def test_a_message_comes_back_as_it_came(store):
    sent = Arrival(b"MSH|\xff\x00", "er7", "mllp", "127.0.0.1:4711", "LAB|", "7", "patient", True)
    store.put([sent], TIME)
    stored = store.get(1)
    assert (
        stored.data,
        stored.format,
        stored.door,
        stored.peer,
        stored.sender,
        stored.control_id,
        stored.patient,
        stored.answer,
    ) == sent
    assert stored.received == TIME


def test_a_resend_gets_the_first_number(store):
    store.put([arrival(control_id="other"), arrival()], TIME)
    assert store.put([arrival()], TIME) == [Placed(2, "resend")]
    assert store.newest() == 2


def test_a_resend_within_one_group_is_known(store):
    assert store.put([arrival(), arrival()], TIME) == [Placed(1, "new"), Placed(1, "resend")]


def test_a_control_id_with_another_content_is_taken_and_told(store):
    store.put([arrival(b"first")], TIME)
    assert store.put([arrival(b"second")], TIME) == [Placed(2, "reused-id")]
    assert store.put([arrival(b"second"), arrival(b"first")], TIME) == [Placed(2, "resend"), Placed(1, "resend")]


def test_another_sender_may_use_the_same_control_id(store):
    store.put([arrival()], TIME)
    assert store.put([arrival(sender="OTHER|")], TIME) == [Placed(2, "new")]


def test_equal_v2_messages_without_control_id_are_no_resend(store):
    assert [placed.kind for placed in store.put([arrival(control_id="")] * 2, TIME)] == ["new", "new"]


def test_fhir_without_identifier_is_told_by_its_content(store):
    first, second = (Arrival(data, "json", "http") for data in (b"{}", b"[]"))
    assert store.put([first, second, first], TIME) == [Placed(1, "new"), Placed(2, "new"), Placed(1, "resend")]


def test_an_accident_of_hashing_loses_nothing(store, monkeypatch):
    monkeypatch.setattr(intake_module, "identity_of", lambda arrival: identity_of(arrival)._replace(claim=1, content=1))
    placed = store.put([arrival(b"a", "1"), arrival(b"b", "2"), arrival(b"a", "1")], TIME)
    assert placed == [Placed(1, "new"), Placed(2, "new"), Placed(1, "resend")]


def test_control_ids_that_are_counted_up_lie_side_by_side_and_no_two_are_the_same():
    control_ids = ["MSG0098", "MSG0099", "MSG0100", "MSG100", "MSG", "9" * 20, "1" + "9" * 19, "0", "00", "Q-7"]
    claims = [identity_of(arrival(control_id=control_id)).claim for control_id in control_ids]
    assert claims[1] - claims[0] == claims[2] - claims[1] == 1
    assert len(set(claims)) == len(claims)
    assert identity_of(arrival(control_id="MSG0098", sender="OTHER|")).claim not in claims


def test_text_that_no_database_holds_is_kept_readable(store):
    store.put([arrival(control_id="\ud800x")], TIME)
    assert store.put([arrival(control_id="\ud800x")], TIME) == [Placed(1, "resend")]


def test_nothing_to_put_is_nothing(store):
    assert store.put([], TIME) == []


def test_a_reader_gets_a_bounded_amount(store):
    store.put([arrival(b"x" * 100, str(each)) for each in range(9)], TIME)
    assert len(store.after(0, 4)) == 4
    assert [stored.number for stored in store.after(4, 9, byte_limit=150)] == [5, 6]
    assert len(store.after(8, 9, byte_limit=1)) == 1


def test_what_was_put_is_there_after_a_new_start(store, tmp_path):
    store.put([arrival()], TIME)
    again = IntakeStore(tmp_path / "spool")
    assert again.get(1).data == b"MSH|1"
    assert again.put([arrival()], TIME) == [Placed(1, "resend")]
    again.close()


def test_only_the_owner_can_read(store, tmp_path):
    store.put([arrival()], TIME)
    folder = tmp_path / "spool"
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}


def test_each_commit_is_synced_to_the_disk(store):
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_resend_is_known_after_the_data_is_gone(store):
    store.put([arrival(), arrival(control_id="2")], TIME)
    store.remove([1])
    assert store.get(1).data == b""
    assert [stored.number for stored in store.after(0, 10)] == [2]
    assert store.put([arrival()], TIME) == [Placed(1, "resend")]


def test_no_number_is_used_twice_even_when_all_is_forgotten(store):
    store.put([arrival(control_id="1"), arrival(control_id="2")], TIME)
    store.remove([1, 2])
    store.forget([1, 2])
    assert store.get(1) is None
    assert store.put([arrival(control_id="3")], TIME) == [Placed(3, "new")]


def test_data_is_never_forgotten_before_it_is_removed(store):
    store.put([arrival(control_id="1"), arrival(control_id="2")], TIME)
    store.forget([1])
    assert store.get(1).data == b"MSH|1"


def test_the_newest_row_cannot_be_deleted(store):
    store.put([arrival()], TIME)
    with pytest.raises(sqlite3.IntegrityError):
        store._database.execute("DELETE FROM message")


# -- when the spool takes nothing ------------------------------------------------------------------------------------------


@contextmanager
def no_more_pages(store):
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    yield
    store._database.execute("PRAGMA max_page_count = 1000000000")


def test_a_full_spool_keeps_nothing_of_a_group_and_recovers(store):
    store.put([arrival(control_id="0")], TIME)
    group = [arrival(control_id="1"), arrival(b"x" * 100_000, "2")]
    with no_more_pages(store), pytest.raises(SpoolFull, match="full"):
        store.put(group, TIME)
    assert store.newest() == 1
    assert store.put(group, TIME) == [Placed(2, "new"), Placed(3, "new")]


def test_with_too_little_free_space_nothing_is_taken(tmp_path, monkeypatch):
    store = IntakeStore(tmp_path, free_bytes=2**20)
    monkeypatch.setattr(intake_module, "free_bytes", lambda folder: 2**20 - 1)
    with pytest.raises(SpoolFull, match="1 MB"):
        store.put([arrival()], TIME)
    assert "1 MB" in store.writable()
    monkeypatch.setattr(intake_module, "free_bytes", lambda folder: 2**20)
    assert store.put([arrival()], TIME) == [Placed(1, "new")]
    assert store.writable() == ""
    store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_loses_nothing_and_recovers(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        store = IntakeStore(disk / "spool")
        taken = []
        with pytest.raises(SpoolFull, match=r"full|failed"):
            for each in range(100):
                taken += store.put([arrival(os.urandom(30_000), str(each))], TIME)
        assert len(store.after(0, 1000)) == len(taken) > 2
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        assert store.put([arrival(control_id="after")], TIME) == [Placed(len(taken) + 1, "new")]
        store.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_another_writer_for_too_long_is_told(store, tmp_path):
    store._database.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "spool" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolFull, match="another process"):
        store.put([arrival()], TIME)
    other.execute("ROLLBACK")
    assert store.put([arrival()], TIME) == [Placed(1, "new")]
    other.close()


def test_after_a_fault_of_the_disk_the_file_is_opened_anew(store, tmp_path):
    def broken(self, *_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        raise error

    class Broken:
        in_transaction = False
        execute = broken

        def close(self):
            pass

    store._database.close()
    store._database = Broken()
    with pytest.raises(SpoolFull, match="the disk failed"):
        store.put([arrival()], TIME)
    assert store.put([arrival()], TIME) == [Placed(1, "new")]


def test_a_file_that_vanished_is_not_made_anew(store, tmp_path):
    store.put([arrival()], TIME)
    store.close()
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    with pytest.raises(SpoolFull):
        store.put([arrival(control_id="2")], TIME)
    assert not (tmp_path / "spool").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "spool")
    assert store.put([arrival(control_id="2")], TIME) == [Placed(2, "new")]


def test_what_is_no_spool_is_not_opened(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(SpoolFault, match="no SQLite database"):
        IntakeStore(tmp_path)


def test_a_spool_of_a_newer_version_is_not_opened(store, tmp_path):
    store._database.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolFault, match="newer version"):
        IntakeStore(tmp_path / "spool")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolFault, match="cannot be made"):
        IntakeStore(tmp_path / "file" / "spool")


# -- several processes, and death ------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from adapter.service.spool.files import instant
from adapter.service.spool.intake import Arrival, IntakeStore
store = IntakeStore(Path(sys.argv[1]))
for each in range(int(sys.argv[3])):
    group = [Arrival(b"%d" % part, "er7", "mllp", sender=sys.argv[2], control_id=f"{each}-{part}") for part in range(3)]
    for placed, sent in zip(store.put(group, instant()), group):
        print(placed.number, sent.control_id, flush=True)
"""


def writer(folder: Path, sender: str, groups: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), sender, str(groups)], stdout=subprocess.PIPE, text=True)


def test_processes_that_begin_a_spool_together_share_it(tmp_path):
    writers = [writer(tmp_path / "spool", f"S{each}", 50) for each in range(3)]
    told = [line.split() for each in writers for line in each.communicate(timeout=60)[0].splitlines()]
    assert [each.returncode for each in writers] == [0, 0, 0]
    assert sorted(int(number) for number, _ in told) == list(range(1, 451))


def test_what_was_told_before_a_sudden_death_is_there(tmp_path):
    victim = writer(tmp_path / "spool", "S", 1_000_000)
    told = [victim.stdout.readline().split() for _ in range(100)]
    victim.kill()
    rest = victim.communicate()[0].rpartition("\n")[0]
    told += [line.split() for line in rest.splitlines()]
    store = IntakeStore(tmp_path / "spool")
    kept = {str(stored.number): stored.control_id for stored in store.after(0, 1_000_000)}
    assert {number: kept.get(number) for number, _ in told} == dict(told)
    assert list(kept) == [str(number) for number in range(1, len(kept) + 1)]
    assert len(kept) % 3 == 0
    store.close()


OPERATOR = """
import sys
from pathlib import Path
from adapter.service.spool.requests import Request, RequestBox
box = RequestBox(Path(sys.argv[1]))
box.ask([Request(0, "2026-05-04T03:02:01.000Z", "retry", 1)])
box.close()
"""


def test_another_process_that_opens_and_closes_the_spool_does_not_take_the_log_away(store, tmp_path):
    """It does when this process has lost its locks: what is put then is acknowledged and lost."""
    store.put([arrival(b"1", "1")], TIME)
    work = WorkStore(tmp_path / "spool")
    box = RequestBox(tmp_path / "spool")
    box.close()
    subprocess.run([sys.executable, "-c", OPERATOR, tmp_path / "spool"], check=True)
    store.put([arrival(b"2", "2")], TIME)
    reader = writer(tmp_path / "spool", "S", 1)
    reader.communicate(timeout=60)
    assert [stored.data for stored in store.after(0, 2)] == [b"1", b"2"]
    assert store.newest() == 5, "both processes write one log"
    work.close()


def test_the_log_begins_again_when_the_engine_copies_it(store, tmp_path):
    log = tmp_path / "spool" / f"{FILE}-wal"
    reader = IntakeStore(tmp_path / "spool")
    sizes = []
    for turn in range(6):
        store.put([arrival(os.urandom(1_500_000), f"{turn}-{each}") for each in range(2)], instant())
        reader.checkpoint()
        sizes.append(log.stat().st_size)
    assert max(sizes) < 20 * 2**20
    reader.close()


def test_the_log_is_made_long_before_messages_come(store, tmp_path):
    log = tmp_path / "spool" / f"{FILE}-wal"
    store.put([arrival(b"first", "1")], TIME)
    store.lengthen_log()
    long = log.stat().st_size
    assert long >= LOG_READY_BYTES
    store.put([arrival(b"second", "2")], TIME)
    store.checkpoint()
    store.put([arrival(b"third", "3")], TIME)
    assert log.stat().st_size == long
    store.close()
    again = IntakeStore(tmp_path / "spool")
    assert [stored.data for stored in again.after(0, 9)] == [b"first", b"second", b"third"]
    assert (tmp_path / "spool" / FILE).stat().st_size < 2**20
    again.close()


def test_a_crash_finds_what_was_committed_in_a_long_log(tmp_path):
    program = """
import os, sys
from pathlib import Path
from adapter.service.spool.intake import Arrival, IntakeStore
store = IntakeStore(Path(sys.argv[1]))
store.lengthen_log()
store.put([Arrival(b"kept", "er7", "mllp", control_id="1")], "2026-01-01T00:00:00.000Z")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    store = IntakeStore(tmp_path)
    assert [stored.data for stored in store.after(0, 9)] == [b"kept"]
    store.close()


# -- requests of operators -------------------------------------------------------------------------------------------------


def test_requests_wait_in_order_until_they_are_removed(tmp_path):
    box = RequestBox(tmp_path)
    box.ask([Request(0, TIME, "retry", 7, forced=True), Request(0, TIME, "drop", 8, "fhir", "test")])
    assert box.after(0) == [Request(1, TIME, "retry", 7, forced=True), Request(2, TIME, "drop", 8, "fhir", "test")]
    box.remove(1)
    assert [request.number for request in box.after(0)] == [2]
    box.remove(2)
    box.ask([Request(0, TIME, "drop", 9)])
    assert [request.number for request in box.after(0)] == [3]
    box.close()


def test_moments_are_sortable_text():
    assert len(instant()) == len(TIME)
    assert json.loads(json.dumps(instant())).endswith("Z")
