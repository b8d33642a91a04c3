"""The engine as a whole: everything that was accepted is converted, delivered once and recorded, whatever happens on the way."""

import asyncio
from contextlib import closing

import orjson
import pytest
from helpers.engines import Memory, engine_of, settings_of, until

from adapter.service.delivery.parcel import Again, Dead, Delivered
from adapter.service.engine import engine as engine_module
from adapter.service.engine.answers import answer_line
from adapter.service.engine.process import without_destination
from adapter.service.spool.files import SpoolFull
from adapter.service.spool.records import Backlog
from adapter.service.spool.work import WorkStore


def oru(number: int = 1, *, patient: str = "1", status: str = "F", value: str = "2.10", at: str = "20260101120000+0000") -> bytes:
    """A message with one result; the same number is the same result."""
    return (
        f"MSH|^~\\&|LAB|FAC|||{at}||ORU^R01|C{number}{status}{at}|P|2.5.1\r"
        f"PID|1||{patient}^^^A&1.2.3&ISO||TEST^PATIENT\r"
        f"OBR|1||F{number}^LAB|1952-1^Beta-2-Microglobulin^LN|||20260101|||||||||||||||{at}|||{status}\r"
        f"OBX|1|NM|1952-1^Beta-2-Microglobulin^LN||{value}|mg/L^^UCUM|||||{status}\r"
    ).encode()


BROKEN = b"MSH|^~\\&|LAB|FAC|||20260101||ORU^R01|1|P|2.5.1\rOBR|1\rOBX|1|NM|1952-1^B2M^LN||2.1|mg/L\r"
ADMISSION = b"MSH|^~\\&|LAB|FAC|||20260101||ADT^A01|1|P|2.5.1\rPID|1||1^^^A&1.2.3&ISO||TEST^PATIENT\r"


def requests_of(line: bytes) -> dict[str, str]:
    return {entry["resource"]["resourceType"]: entry["request"]["method"] for entry in orjson.loads(line)["entry"]}


def first_refused(times: int):
    """An answer that refuses the first message so many times; a later one that does not wait for it would overtake it."""
    refused = []

    def answer(parcel):
        if parcel.number == 1 and len(refused) < times:
            refused.append(parcel)
            return Again("409", destination=False)
        return Delivered()

    return answer


def of(*scenes):
    """Run the scenes of a test, one engine each, on the same spool."""
    for scene in scenes:
        asyncio.run(scene)


# -- the normal way ----------------------------------------------------------------------------------------------------


def test_a_message_is_converted_delivered_and_recorded(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            (number,) = running.put(oru(value="4.20"))
            await running.recorded(number)
            finished = running.work.finished(number)
        assert b'"value":4.20' in memory.got[0].line
        assert (finished.state, finished.deliveries[0].state, finished.deliveries[0].attempts) == ("converted", "delivered", 1)
        assert finished.output is None, "nobody wants it any longer"
        assert finished.tables and finished.converted_at

    of(scene())


def test_messages_reach_a_folder_under_their_number_through_processes(tmp_path):
    async def scene():
        settings = settings_of(tmp_path, delivery=[{"kind": "folder", "name": "out", "folder": tmp_path / "out"}])
        async with engine_of(tmp_path, settings, processes=True) as running:
            numbers = running.put(*(oru(number, patient=str(number % 3)) for number in range(1, 40)))
            await running.recorded(numbers[-1])
            digests = [running.intake.get(number).digest.hex()[:16] for number in numbers]
        files = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert files == [f"{number:08d}-{digest}.json" for number, digest in zip(numbers, digests, strict=True)]

    of(scene())


def test_a_rejected_message_is_a_dead_letter_with_its_reason_and_without_patient_data(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            (number,) = running.put(BROKEN)
            await running.recorded(number)
            finished = running.work.finished(number)
        assert (finished.state, finished.slug, finished.deliveries) == ("rejected", "missing-patient", ())
        assert orjson.loads(finished.issues)[-1]["slug"] == "missing-patient"

    of(scene())


def test_a_message_that_is_not_converted_is_recorded_as_unselected(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            (number,) = running.put(ADMISSION)
            await running.recorded(number)
            assert running.state(number) == "unselected"

    of(scene())


def test_a_bad_message_between_good_ones_stops_none_of_them(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            numbers = running.put(oru(1), BROKEN, oru(2), ADMISSION, oru(3))
            await running.recorded(numbers[-1])
        assert memory.numbers == [numbers[0], numbers[2], numbers[4]]

    of(scene())


def test_the_door_hears_what_became_of_a_message_that_waits_for_its_answer(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            running.put(oru(1))
            numbers = running.put(oru(2), BROKEN, answer=True)
            await running.recorded(numbers[-1])
            lines = [orjson.loads(answer_line(one)) for one in running.answers]
        assert [(line["number"], line["fate"], line["slug"]) for line in lines] == [
            (numbers[0], "converted", ""),
            (numbers[1], "rejected", "missing-patient"),
        ]
        assert lines[1]["issues"][-1]["slug"] == "missing-patient"

    of(scene())


def test_without_a_destination_messages_are_converted_and_recorded(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[]) as running:
            (number,) = running.put(oru())
            await running.recorded(number)
            assert running.state(number) == "converted"

    of(scene())


# -- destinations that fail ------------------------------------------------------------------------------------------------


def test_a_dead_destination_does_not_hold_up_another(tmp_path):
    async def scene():
        down = Memory("down", answer=lambda parcel: Again("no connection"))
        memory = Memory()
        async with engine_of(tmp_path, destinations=[down, memory]) as running:
            numbers = running.put(*(oru(number, patient=str(number)) for number in range(1, 60)))
            await running.recorded(numbers[-1])
            assert sorted(memory.numbers) == numbers
            assert {running.state(number, "down") for number in numbers} == {"waiting"}
            assert running.work.finished(1).output is not None
            # it comes back
            down.answer = lambda parcel: Delivered()
            await until(lambda: {running.state(number, "down") for number in numbers} == {"delivered"})
            assert running.work.finished(1).output is None
        assert sorted(down.numbers) == numbers

    of(scene())


def test_what_waits_for_a_destination_is_delivered_after_a_restart(tmp_path):
    down = Memory(answer=lambda parcel: Again("no connection"))
    back = Memory()
    numbers = []

    async def before():
        async with engine_of(tmp_path, destinations=[down]) as running:
            numbers.extend(running.put(*(oru(number) for number in range(1, 20)), patient="p"))
            await running.recorded(numbers[-1])

    async def after():
        async with engine_of(tmp_path, destinations=[back]) as running:
            numbers.extend(running.put(oru(30), patient="p"))
            await until(lambda: len(back.got) == 20)

    of(before(), after())
    assert back.numbers == numbers


def test_a_refused_message_is_dead_there_and_the_next_of_the_patient_goes_on(tmp_path):
    async def scene():
        memory = Memory(answer=lambda parcel: Dead("422: invalid") if parcel.number == 2 else Delivered())
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1), oru(2), oru(3), patient="p")
            await running.recorded(3)
            delivery = running.work.finished(2).deliveries[0]
            assert (delivery.state, delivery.reason) == ("dead", "422: invalid")
            assert running.work.finished(2).output is not None
        assert memory.numbers == [1, 3]

    of(scene())


def test_what_waits_for_a_destination_that_was_renamed_is_told_and_stays(tmp_path):
    named = {"kind": "folder", "folder": tmp_path / "out"}

    async def scene():
        old = Memory("old", answer=lambda parcel: Again("no connection"))
        async with engine_of(tmp_path, destinations=[old]) as running:
            running.put(oru(1), oru(2, patient="2"))
            await running.recorded(2)

    of(scene())
    with closing(WorkStore(tmp_path / "spool")) as work:
        assert without_destination(work, settings_of(tmp_path, delivery=[{**named, "name": "old"}])) == []
        renamed = settings_of(tmp_path, delivery=[{**named, "name": "new"}])
        assert without_destination(work, renamed) == [Backlog("old", "waiting", 2, 1)]


def test_a_destination_that_is_added_later_begins_with_what_comes_then(tmp_path):
    one, two = Memory("one"), Memory("two")

    async def before():
        async with engine_of(tmp_path, destinations=[one]) as running:
            running.put(oru(1))
            await running.recorded(1)

    async def after():
        async with engine_of(tmp_path, destinations=[one, two]) as running:
            running.put(oru(2))
            await running.recorded(2)

    of(before(), after())
    assert (one.numbers, two.numbers) == ([1, 2], [2])


# -- crashes ---------------------------------------------------------------------------------------------------------------


def test_what_was_delivered_but_not_recorded_is_delivered_again_byte_for_byte(tmp_path):
    first, second = Memory(), Memory()

    async def crashing():
        async with engine_of(tmp_path, destinations=[first], stop_seconds=0.1) as running:
            running.work.record = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no power"))
            running.put(*(oru(number) for number in range(1, 9)))
            await until(lambda: len(first.got) == 8)

    async def after():
        async with engine_of(tmp_path, destinations=[second]) as running:
            await running.recorded(8)

    with pytest.raises(RuntimeError, match="no power"):
        of(crashing())
    of(after())
    assert [(one.number, one.line) for one in second.got] == [(one.number, one.line) for one in first.got]


def test_after_a_crash_an_older_version_does_not_come_back(tmp_path):
    """The older message is delivered again, but what had replaced it is known."""
    first, second = Memory(), Memory()

    async def crashing():
        async with engine_of(tmp_path, destinations=[first], stop_seconds=0.1) as running:
            running.work.record = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no power"))
            running.put(oru(1), oru(1, status="C", value="3.00", at="20260102120000+0000"), patient="p")
            await until(lambda: len(first.got) == 2)

    async def after():
        async with engine_of(tmp_path, destinations=[second]) as running:
            await running.recorded(2)

    with pytest.raises(RuntimeError, match="no power"):
        of(crashing())
    of(after())
    assert [requests_of(one.line)["Observation"] for one in first.got] == ["PUT", "PUT"]
    assert [requests_of(one.line)["Observation"] for one in second.got] == ["POST", "PUT"]
    assert first.got[1].line == second.got[1].line


def test_a_stop_leaves_what_is_not_done_in_the_spool(tmp_path):
    memory = Memory()

    async def stopped():
        async with engine_of(tmp_path, destinations=[memory], stop_seconds=0.1) as running:
            running.put(*(oru(number) for number in range(1, 400)))
            await until(lambda: memory.got)

    async def after():
        async with engine_of(tmp_path, destinations=[memory]) as running:
            await running.recorded(399)

    of(stopped(), after())
    assert sorted(set(memory.numbers)) == list(range(1, 400))


def test_while_the_spool_is_full_nothing_is_lost_and_it_goes_on_when_there_is_space(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            record, tries = running.work.record, []

            def full_at_first(*values, **options):
                tries.append(1)
                if len(tries) == 1:
                    raise SpoolFull("the disk is full")
                record(*values, **options)

            running.work.record = full_at_first
            running.put(*(oru(number) for number in range(1, 30)))
            await running.recorded(29)
        assert sorted(memory.numbers) == list(range(1, 30))

    of(scene())


# -- overwriting -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "one after the other"])
def test_an_older_final_does_not_replace_a_correction(tmp_path, apart):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            messages = [oru(1, status="C", at="20260102120000+0000"), oru(1, status="F", at="20260101120000+0000")]
            for message in messages:
                running.put(message, patient="p")
                if apart:
                    await running.recorded(running.intake.newest())
            await running.recorded(2)
            issues = orjson.loads(running.work.finished(2).issues)
        assert [requests_of(one.line)["Observation"] for one in memory.got] == ["PUT", "POST"]
        assert [issue["place"] for issue in issues if issue["slug"] == "stale-result"] == [
            "DiagnosticReport[1]",
            "Observation[2]",
        ]

    of(scene())


def pid(text: str, message: bytes) -> bytes:
    return message.replace(b"PID|1||1^^^A&1.2.3&ISO||", b"PID|1||" + text.encode() + b"||")


@pytest.mark.parametrize(
    "form",
    ["1^^^A&1.2.3&ISO^MR", " 1^^^A&1.2.3&ISO", "X^^^OTHER~1^^^A&1.2.3&ISO", "1^^^&1.2.3&ISO", "1^^^A&1.2.3&ISO~7^^^B&1.2.4&ISO"],
)
def test_however_the_patient_is_written_a_correction_is_delivered_behind_the_final_that_waits(tmp_path, form):
    """And no two transactions create one patient at the same moment."""

    async def scene():
        memory = Memory(answer=first_refused(3))
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(pid(form, oru()), patient="one-key")
            running.put(oru(status="C", value="2.20", at="20260102120000+0000"), patient="another-key")
            await until(lambda: len(memory.got) == 2)
        assert memory.numbers == [1, 2]

    of(scene())


def test_fhir_results_of_one_identifier_keep_their_order_whether_or_not_the_patient_comes_with_them(tmp_path):
    def result(status, value, more=()):
        observation = {
            "resourceType": "Observation",
            "identifier": [{"system": "urn:test:result", "value": "1"}],
            "status": status,
            "code": {"text": "B2M"},
            "valueString": value,
        }
        entries = [
            {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}", "resource": one}
            for n, one in enumerate((observation, *more))
        ]
        return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})

    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:test:patient", "value": "1"}]}

    async def scene():
        memory = Memory(answer=first_refused(3))
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(result("final", "2.1", [patient]), patient="a")
            running.put(result("corrected", "2.2"), patient="b")
            await until(lambda: len(memory.got) == 2)
        assert memory.numbers == [1, 2]

    of(scene())


def test_a_newer_final_replaces_a_correction(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1, status="C"), oru(1, status="F", at="20260103120000+0000"), patient="p")
            await running.recorded(2)
        assert [requests_of(one.line)["Observation"] for one in memory.got] == ["PUT", "PUT"]

    of(scene())


def test_what_waited_while_a_newer_version_was_delivered_elsewhere_is_held_back(tmp_path):
    """Read again from the spool, an output is compared anew."""
    down, memory = Memory("down", answer=lambda parcel: Again("no connection")), Memory()

    async def before():
        async with engine_of(tmp_path, destinations=[down, memory]) as running:
            running.put(oru(1), patient="one")
            await running.recorded(1)
            running.put(oru(1, status="C", at="20260102120000+0000"), patient="another")
            await running.recorded(2)

    async def after():
        down.answer = lambda parcel: Delivered()
        async with engine_of(tmp_path, destinations=[down, memory]):
            await until(lambda: len(down.got) == 2)

    of(before(), after())
    assert {one.number: requests_of(one.line)["Observation"] for one in down.got} == {1: "POST", 2: "PUT"}


def test_a_result_of_the_year_9999_does_not_stop_the_engine(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(at="99991231"), patient="1")
            running.put(oru(at="20260101120000+0000", status="C"), patient="1")
            running.put(oru(2))
            await running.recorded(3)
        assert sorted(memory.numbers) == [1, 2, 3]

    of(scene())


def test_a_message_on_which_the_gate_fails_is_a_dead_letter_and_stops_none_of_the_others(tmp_path, monkeypatch):
    decide = engine_module.decide

    def faulty(versions, known):
        if versions and versions[0].number == 1:
            raise ArithmeticError("fault of the program")
        return decide(versions, known)

    monkeypatch.setattr(engine_module, "decide", faulty)

    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1), oru(2))
            await running.recorded(2)
            assert (running.state(1), running.work.finished(1).slug) == ("rejected", "internal-error")
        assert memory.numbers == [2]

    of(scene())


# -- operators ---------------------------------------------------------------------------------------------------------------


def test_a_dead_delivery_is_tried_again_on_request(tmp_path):
    async def scene():
        memory = Memory(answer=lambda parcel: Dead("422: invalid"))
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru())
            await running.recorded(1)
            memory.answer = lambda parcel: Delivered()
            await running.ask("retry", 1)
            assert running.state(1) == "delivered"

    of(scene())


def test_a_retry_goes_only_where_the_message_is_dead(tmp_path):
    async def scene():
        good, bad = Memory("good"), Memory("bad", answer=lambda parcel: Dead("400"))
        async with engine_of(tmp_path, destinations=[good, bad]) as running:
            running.put(oru())
            await running.recorded(1)
            bad.answer = lambda parcel: Delivered()
            await running.ask("retry", 1)
            assert (running.state(1, "good"), running.state(1, "bad")) == ("delivered", "delivered")
        assert (good.numbers, bad.numbers) == ([1], [1])

    of(scene())


@pytest.mark.parametrize(("forced", "method"), [(False, "POST"), (True, "PUT")])
def test_a_retry_behind_a_newer_version_is_held_back_unless_it_is_forced(tmp_path, forced, method):
    async def scene():
        memory = Memory(answer=lambda parcel: Dead("400") if parcel.number == 1 else Delivered())
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1), oru(1, status="C", at="20260102120000+0000"), patient="p")
            await running.recorded(2)
            memory.answer = lambda parcel: Delivered()
            await running.ask("retry", 1, forced=forced)
        assert [requests_of(one.line)["Observation"] for one in memory.got] == ["PUT", method]

    of(scene())


def test_a_rejected_message_is_converted_again_on_request(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            running.put(BROKEN)
            await running.recorded(1)
            before = running.work.finished(1).converted_at
            await running.ask("retry", 1)
            assert running.work.finished(1).converted_at >= before
            assert running.state(1) == "rejected"

    of(scene())


def test_a_dropped_message_is_not_delivered_any_longer(tmp_path):
    async def scene():
        memory = Memory(answer=lambda parcel: Again("no connection"))
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1), oru(2), patient="p")
            await running.recorded(2)
            await running.ask("drop", 1, reason="test")
            memory.answer = lambda parcel: Delivered()
            await until(lambda: running.state(2) == "delivered")
            assert running.state(1) == "dropped"
        assert memory.numbers == [2]

    of(scene())


def test_a_message_that_is_dropped_before_it_is_converted_is_not_delivered(tmp_path):
    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            running.put(oru(1))
            await running.recorded(1)
            async with running.engine._feeding:
                running.put(oru(2), oru(3))
                await running.ask("drop", 2, reason="test")
            await running.recorded(3)
            assert running.state(2) == "dropped"
        assert memory.numbers == [1, 3]

    of(scene())


def test_a_request_without_effect_is_fulfilled_all_the_same(tmp_path):
    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            running.put(oru())
            await running.recorded(1)
            await running.ask("retry", 1)
            await running.ask("retry", 99)
            assert running.state(1) == "delivered"

    of(scene())


def test_what_is_recorded_of_a_result_never_goes_back_while_its_versions_are_recorded(tmp_path, monkeypatch):
    """A later version is recorded before it is delivered; an earlier one that is recorded then must not take its place."""
    stands: list[list[str]] = []

    def watched(method):
        def call(work, *arguments, **named):
            method(work, *arguments, **named)
            stands.append([row[0] for row in work.rows("SELECT message_time FROM result ORDER BY identity", ())])

        return call

    monkeypatch.setattr(WorkStore, "record", watched(WorkStore.record))
    monkeypatch.setattr(WorkStore, "progress_all", watched(WorkStore.progress_all))
    monkeypatch.setattr("adapter.service.engine.flights.GROUP", 1)

    async def scene():
        async with engine_of(tmp_path, destinations=[Memory()]) as running:
            days = [f"202601{day:02d}120000+0000" for day in range(1, 8)]
            numbers = running.put(*(oru(status="F" if day == days[0] else "C", at=day) for day in days))
            await running.recorded(numbers[-1])

    of(scene())
    assert len(stands) > 1
    assert stands == sorted(stands)
    assert {moment[:8] for moment in stands[-1]} == {"20260107"}


# -- bursts ------------------------------------------------------------------------------------------------------------


def test_an_engine_that_makes_way_delivers_everything_in_order(tmp_path, monkeypatch):
    asked = []

    def pause(self, given, newest):
        asked.append((given, newest))
        return 0.01

    monkeypatch.setattr(engine_module, "READ", 4)
    monkeypatch.setattr(engine_module.Pace, "pause", pause)

    async def scene():
        memory = Memory()
        async with engine_of(tmp_path, destinations=[memory]) as running:
            numbers = running.put(*(oru(number) for number in range(10)))
            await running.recorded(numbers[-1])
        assert memory.numbers == numbers

    of(scene())
    assert asked == [(4, 10), (8, 10)], "asked while there is a backlog, and only then"
