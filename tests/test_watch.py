"""Folder intake: a file is taken when it is complete, once, and nothing of it is lost."""

import asyncio
import gzip
import json
import os

import pytest

from adapter.service import watch as watch_module
from adapter.service import watch_files
from adapter.service.settings import WatchSettings
from adapter.service.spool.files import SpoolFull
from adapter.service.spool.intake import IntakeStore
from adapter.service.watch import Folder, watch


def message(control_id, kind="ORU^R01", value="2.1", name="TEST^PATIENT"):
    return (
        f"MSH|^~\\&|LAB|HOSPITAL|||20260504030201||{kind}|{control_id}|P|2.5.1\r"
        f"PID|1||T-1^^^HOSPITAL||{name}\rOBR|1|||1952-1^B2M^LN\rOBX|1|NM|1952-1^B2M^LN||{value}|mg/L|||||F\r"
    ).encode()


#: Of a second, in nanoseconds.
TENTH = 10**8
BUNDLE = b'{"resourceType": "Bundle", "type": "message", "id": "b-1", "entry": []}'


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.store.close()


class Place:
    """A watched folder and the spool behind it."""

    def __init__(self, tmp_path):
        self.folder = tmp_path / "in"
        self.folder.mkdir()
        self.settings = WatchSettings(name="lab", folder=self.folder, poll_seconds=0.01, settle_seconds=0.02)
        self.store = IntakeStore(tmp_path / "spool")

    def drop(self, name, data):
        (self.folder / name).write_bytes(data)

    def run(self, until=None, *, put=None, seconds=30.0, **changes):
        """Watch until nothing is left to take, or until a condition holds."""

        async def go():
            stop = asyncio.Event()
            settings = self.settings.model_copy(update=changes)
            task = asyncio.create_task(watch(settings, put or self.store.put, stop))
            for _ in range(int(seconds / 0.01)):
                await asyncio.sleep(0.01)
                if task.done() or (until or self.nothing_left)():
                    break
            else:
                pytest.fail("nothing happened")
            stop.set()
            await task

        asyncio.run(go())

    def looks(self, count=15):
        """Let some looks go by."""
        left = iter(range(count))
        self.run(lambda: next(left, None) is None)

    def nothing_left(self):
        return not [file for file in self.folder.iterdir() if file.is_file()]

    def names(self, folder):
        return sorted(file.name for file in (self.folder / folder).iterdir()) if (self.folder / folder).exists() else []

    @property
    def taken(self):
        return [(stored.number, stored.control_id) for stored in self.store.after(0, 10_000)]


def test_a_file_becomes_messages_and_moves_to_done(place):
    place.drop("feed.hl7", message("1") + message("2"))
    place.run()
    assert place.taken == [(1, "1"), (2, "2")]
    assert place.names("done") == ["feed.hl7"]
    assert place.names("rejected") == []


def test_what_is_kept_names_door_sender_and_patient(place):
    place.drop("feed.hl7", message("1"))
    place.run()
    stored = place.store.get(1)
    assert (stored.door, stored.peer, stored.sender, stored.format) == ("lab", "feed.hl7", "LAB|HOSPITAL", "er7")
    assert stored.patient
    assert stored.data.rstrip(b"\r") == message("1").rstrip(b"\r")


def test_packed_files_and_fhir_are_taken(place):
    place.drop("feed.hl7.gz", gzip.compress(message("1")))
    place.drop("bundle.json", BUNDLE)
    place.run()
    assert sorted(control_id for _, control_id in place.taken) == ["1", "b-1"]


def test_files_are_taken_in_the_order_of_their_time(place):
    for age, name in ((30, "c"), (20, "a"), (10, "b")):
        place.drop(name, message(name))
        os.utime(place.folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    place.run()
    assert [control_id for _, control_id in place.taken] == ["c", "a", "b"]


@pytest.mark.parametrize("name", [".feed.hl7", "feed.tmp", "feed.hl7.part", "feed.FILEPART", "feed.hl7~"])
def test_a_temporary_name_is_left_alone(place, name):
    place.drop(name, message("1"))
    place.looks()
    assert place.taken == []
    assert (place.folder / name).exists()


def test_a_file_that_still_grows_is_not_read(place):
    folder = Folder(place.settings.model_copy(update={"settle_seconds": 2.0}))
    place.drop("feed.hl7", message("1"))
    assert folder.ready(0 * TENTH) == []
    assert folder.ready(19 * TENTH) == []
    place.drop("feed.hl7", message("1") + message("2"))
    assert folder.ready(20 * TENTH) == []
    assert folder.ready(39 * TENTH) == []
    assert [path.name for path, _ in folder.ready(40 * TENTH)] == ["feed.hl7"]


def test_a_file_is_never_taken_at_the_first_look(place):
    folder = Folder(place.settings.model_copy(update={"settle_seconds": 0.001}))
    place.drop("feed.hl7", message("1"))
    assert folder.ready(10000 * TENTH) == []
    assert len(folder.ready(10010 * TENTH)) == 1


def test_a_file_that_changes_while_it_is_read_is_read_again(place):
    place.drop("feed.hl7", b"".join(message(str(each)) for each in range(100)))

    def put(arrivals, time):
        if not place.taken:
            with (place.folder / "feed.hl7").open("ab") as file:
                file.write(message("last"))
        return place.store.put(arrivals, time)

    place.run(put=put)
    assert [control_id for _, control_id in place.taken] == [*map(str, range(100)), "last"]
    assert place.names("done") == ["feed.hl7"]


def test_an_empty_file_stays_because_its_sender_may_have_it_open(place):
    place.drop("feed.hl7", b"")
    place.looks()
    assert (place.folder / "feed.hl7").exists()


def test_nothing_in_done_is_overwritten(place):
    for turn in range(3):
        place.drop("feed.hl7", message(str(turn)))
        place.run()
    assert place.names("done") == ["feed.1.hl7", "feed.2.hl7", "feed.hl7"]
    assert {(place.folder / "done" / name).stat().st_size for name in place.names("done")} == {len(message("0"))}


def test_a_file_without_message_is_rejected_with_its_reason(place):
    place.drop("note.txt", b"  \r\n ")
    place.run()
    assert place.names("rejected") == ["note.txt", "note.txt.reason.json"]
    reason = json.loads((place.folder / "rejected" / "note.txt.reason.json").read_bytes())
    assert [issue["slug"] for issue in reason["issues"]] == ["no-message"]
    assert place.names("done") == []


def test_a_file_of_which_nothing_is_admitted_is_rejected_whole(place):
    place.drop("adt.hl7", message("1", kind="ADT^A01") + message("2", kind="ADT^A01"))
    place.run()
    assert place.names("rejected") == ["adt.hl7", "adt.hl7.reason.json"]
    reason = json.loads((place.folder / "rejected" / "adt.hl7.reason.json").read_bytes())
    assert [(issue["message"], issue["slug"]) for issue in reason["issues"]] == [(1, "type-unsupported"), (2, "type-unsupported")]
    assert place.taken == []


def test_a_type_that_is_not_converted_is_taken_where_the_settings_say_so(place):
    place.drop("adt.hl7", message("1", kind="ADT^A01"))
    place.run(unsupported="accept")
    assert place.taken == [(1, "1")]


def test_of_a_mixed_file_the_good_ones_are_taken_and_the_others_kept_apart(place):
    bad = message("", value="9.9")
    place.drop("feed.hl7", message("1") + bad + message("3"))
    place.run()
    assert [control_id for _, control_id in place.taken] == ["1", "3"]
    assert place.names("done") == ["feed.hl7"]
    assert place.names("rejected") == ["feed.hl7.000002.hl7", "feed.hl7.000002.hl7.reason.json"]
    assert (place.folder / "rejected" / "feed.hl7.000002.hl7").read_bytes().rstrip(b"\r") == bad.rstrip(b"\r")
    reason = json.loads((place.folder / "rejected" / "feed.hl7.000002.hl7.reason.json").read_bytes())
    assert (reason["file"], reason["message"], reason["slug"]) == ("feed.hl7", 2, "control-id-missing")


def test_a_reason_holds_no_patient_data(place):
    place.drop("feed.hl7", message("", name="SECRET^NAME"))
    place.run()
    assert b"SECRET" not in (place.folder / "rejected" / "feed.hl7.reason.json").read_bytes()


def test_a_message_beyond_the_limit_is_kept_whole_apart(place):
    large = message("2", value="9" * 5000)
    place.drop("feed.hl7", message("1") + large + message("3"))
    place.run(message_size=2048)
    assert [control_id for _, control_id in place.taken] == ["1", "3"]
    (kept,) = [name for name in place.names("rejected") if not name.endswith(".reason.json")]
    assert (place.folder / "rejected" / kept).read_bytes().rstrip(b"\r") == large.rstrip(b"\r")


def test_a_packed_file_that_breaks_off_is_rejected_and_what_could_be_read_is_taken(place):
    messages = b"".join(message(str(each), value=os.urandom(200).hex()) for each in range(300))
    place.drop("feed.hl7.gz", gzip.compress(messages)[:-20_000])
    place.run()
    first = len(place.taken)
    assert 0 < first < 300
    assert place.names("rejected") == ["feed.hl7.gz", "feed.hl7.gz.reason.json"]
    place.drop("feed.hl7.gz", gzip.compress(messages))
    place.run()
    assert place.taken == [(each + 1, str(each)) for each in range(300)]
    assert place.names("done") == ["feed.hl7.gz"]


def test_the_half_message_where_a_packed_file_breaks_off_is_never_taken(place):
    whole = message("1") + message("2")
    packed = gzip.compress(whole, 0)
    # stored without compression: the break is in the middle of the value of the second message
    place.drop("feed.hl7.gz", packed[: packed.rindex(b"2.1|mg") + 1])
    place.run()
    assert place.taken == [(1, "1")]


def test_a_batch_that_says_it_has_more_messages_is_told(place, monkeypatch):
    reports = []
    monkeypatch.setattr(watch_module, "log", lambda event, *_, **facts: reports.append(event))
    place.drop("batch.hl7", b"FHS|^~\\&\rBHS|^~\\&\r" + message("1") + b"BTS|2\rFTS|1\r")
    place.run()
    assert place.taken == [(1, "1")]
    assert reports == ["batch-count", "file-taken"]


def test_only_the_owner_can_read_what_is_put_away(place):
    place.drop("feed.hl7", message("1") + message(""))
    place.run()
    assert oct((place.folder / "done").stat().st_mode & 0o777) == "0o700"
    modes = {oct(file.stat().st_mode & 0o777) for file in (place.folder / "rejected").iterdir()}
    assert modes == {"0o600"}


# -- crashes and faults ----------------------------------------------------------------------------------------------------


def test_a_crash_between_commit_and_move_delivers_nothing_twice(place, monkeypatch):
    place.drop("feed.hl7", message("1") + message("2"))

    class Crash(BaseException):
        pass

    def dies(*_):
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(watch_module, "move", dies)
        place.run()
    assert (place.folder / "feed.hl7").exists()
    place.run()
    assert place.taken == [(1, "1"), (2, "2")]
    assert place.names("done") == ["feed.hl7"]


def test_a_crash_in_the_middle_of_a_file_is_made_good(place):
    place.drop("feed.hl7", b"".join(message(str(each)) for each in range(200)))

    class Crash(BaseException):
        pass

    def dies_at_the_second_group(arrivals, time):
        if place.taken:
            raise Crash
        return place.store.put(arrivals, time)

    with pytest.raises(Crash):
        place.run(put=dies_at_the_second_group)
    assert 0 < len(place.taken) < 200
    place.run()
    assert place.taken == [(each + 1, str(each)) for each in range(200)]


def test_a_full_spool_is_waited_for(place, monkeypatch):
    monkeypatch.setattr(watch_module, "_FIRST_PAUSE", 0.02)
    place.drop("feed.hl7", message("1"))
    refusals = iter([True, True, True])

    def put(arrivals, time):
        if next(refusals, False):
            raise SpoolFull("no space")
        return place.store.put(arrivals, time)

    place.run(put=put)
    assert place.taken == [(1, "1")]


def test_a_stop_while_the_spool_is_full_leaves_the_file(place):
    place.drop("feed.hl7", message("1"))
    tried = []

    def put(arrivals, time):
        tried.append(arrivals)
        raise SpoolFull("no space")

    place.run(lambda: tried, put=put)
    assert (place.folder / "feed.hl7").exists()


def test_a_file_that_cannot_be_moved_is_read_once_and_moved_later(place, monkeypatch):
    place.drop("feed.hl7", message("1"))
    reads = []
    read = watch_module.messages
    monkeypatch.setattr(watch_module, "messages", lambda *arguments: reads.append(1) or read(*arguments))
    failures = iter([True] * 5)

    def move(path, folder):
        if next(failures, False):
            raise PermissionError(13, "Permission denied")
        return watch_files.move(path, folder)

    monkeypatch.setattr(watch_module, "move", move)
    place.run()
    assert len(reads) == 1
    assert place.names("done") == ["feed.hl7"]


def test_links_folders_and_pipes_are_no_files(place, tmp_path, monkeypatch):
    reports = []
    monkeypatch.setattr(watch_module, "log", lambda event, *_, **facts: reports.append(event))
    (tmp_path / "outside.hl7").write_bytes(message("1"))
    (place.folder / "link.hl7").symlink_to(tmp_path / "outside.hl7")
    (place.folder / "folder").mkdir()
    os.mkfifo(place.folder / "pipe.hl7")
    place.looks()
    assert place.taken == []
    assert reports == ["no-regular-file"] * 3


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(place, tmp_path):
    (tmp_path / "outside.hl7").write_bytes(message("1"))
    (place.folder / "link.hl7").symlink_to(tmp_path / "outside.hl7")
    with pytest.raises(OSError, match="symbolic"):
        watch_files.open_regular(place.folder / "link.hl7")


def test_what_cannot_be_read_is_reported_once_and_keeps_nothing_out(place, monkeypatch):
    reports = []
    monkeypatch.setattr(watch_module, "log", lambda event, *_, **facts: reports.append((event, facts.get("reason"))))
    place.drop("a.hl7", message("1"))
    place.drop("b.hl7", message("2"))
    opened = watch_files.open_regular

    def denied(path):
        if path.name == "a.hl7":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(watch_module, "open_regular", denied)
    place.looks(30)
    assert place.taken == [(1, "2")]
    assert reports.count(("file-not-taken", "Permission denied")) == 1


def test_a_file_that_vanishes_is_no_fault(place, monkeypatch):
    reports = []
    monkeypatch.setattr(watch_module, "log", lambda event, *_, **facts: reports.append(event))
    place.drop("feed.hl7", message("1"))

    def gone(path):
        path.unlink(missing_ok=True)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(watch_module, "open_regular", gone)
    place.looks()
    assert reports == []


def test_a_folder_that_is_not_there_is_reported_once_and_waited_for(place, monkeypatch):
    reports = []
    monkeypatch.setattr(watch_module, "log", lambda event, *_, **facts: reports.append(event))
    place.folder.rmdir()
    place.looks()
    assert reports == ["folder-unreadable"]
    place.folder.mkdir()
    place.drop("feed.hl7", message("1"))
    place.run()
    assert place.taken == [(1, "1")]


def test_the_log_names_no_file(place, monkeypatch):
    told = []
    monkeypatch.setattr(watch_module, "log", lambda *words, **facts: told.append((words, facts)))
    place.drop("TEST_PATIENT.hl7", message("1"))
    place.drop("TEST_PATIENT.txt", b"  ")
    place.run()
    assert told
    assert "TEST_PATIENT" not in repr(told)


def test_done_may_be_on_another_file_system(place, tmp_path, monkeypatch):
    from pathlib import Path

    def elsewhere(self, target):
        raise OSError(18, "Invalid cross-device link")

    place.drop("feed.hl7", message("1"))
    monkeypatch.setattr(Path, "rename", elsewhere)
    moved = watch_files.move(place.folder / "feed.hl7", tmp_path / "done")
    assert moved.read_bytes() == message("1")
    assert not (place.folder / "feed.hl7").exists()


def test_a_large_file_takes_bounded_memory(place):
    import tracemalloc

    one = message("{}", value="1" * 3000)
    with (place.folder / "feed.hl7").open("wb") as file:
        for each in range(5000):
            file.write(one.replace(b"{}", b"%d" % each))
    sizes = []
    tracemalloc.start()
    place.run(put=lambda arrivals, time: sizes.append(len(arrivals)) or place.store.put(arrivals[:1], time), seconds=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 5000
    assert peak < 16 * 2**20
