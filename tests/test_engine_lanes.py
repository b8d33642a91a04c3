"""The lane of a destination: order per patient under any delays and faults, retries, and bounded memory."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

import pytest
from helpers.engines import Memory, until
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.service.delivery.parcel import Again, Dead, Delivered, Parcel
from adapter.service.engine.lanes import LONE_FAILURES, Attempt, Lane, Retry

QUICK = Retry(0.0005, 0.002, 3)


def parcel(number: int, patient: str = "p") -> Parcel:
    return Parcel(number, bytes(32), patient, b"{}", True, ())


@dataclass
class Spool:
    """What the engine is to a lane: it keeps what is recorded as waiting and hears of attempts."""

    recorded: dict[int, Parcel] = field(default_factory=dict)
    attempts: dict[int, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    not_taken: list[Parcel] = field(default_factory=list)

    def load(self, lane, number):
        return self.recorded.get(number)

    def backlog(self, lane, limit):
        return [(one.number, one.patient, 0) for one in sorted(self.recorded.values())][:limit]

    def skipped(self, lane):
        found, self.not_taken = self.not_taken, []
        return found

    def attempted(self, lane, number, attempt):
        self.attempts[number].append(attempt)
        if attempt.state != "waiting":
            self.recorded.pop(number, None)

    def ends(self):
        return {number: attempts[-1].state for number, attempts in self.attempts.items()}


async def through(lane: Lane, spool: Spool, parcels: list[Parcel], seconds: float = 10) -> None:
    """Run a lane until all parcels came to their end."""
    task = asyncio.create_task(lane.run())
    while lane.behind and not spool.recorded:
        await asyncio.sleep(0)
    for one in parcels:
        if not lane.add(one):
            spool.recorded[one.number] = one
    await until(lambda: sum(end != "waiting" for end in spool.ends().values()) == len(parcels), seconds)
    await lane.stop()
    await task


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_messages_of_a_patient_keep_their_order_under_any_delays_and_faults(seed):
    random = Random(seed)

    @dataclass
    class Shaky(Memory):
        busy: set[str] = field(default_factory=set)

        async def deliver(self, parcels):
            (one,) = parcels
            assert one.patient not in self.busy, "two messages of one patient at once"
            self.busy.add(one.patient)
            await asyncio.sleep(random.choice((0, 0, 0.0005)))
            self.busy.discard(one.patient)
            fate = random.random()
            if fate < 0.15:
                return [Again("no answer")]
            if fate < 0.2:
                return [Dead("422")]
            self.got.append(one)
            return [Delivered()]

    shaky, spool = Shaky(concurrency=random.randint(1, 6)), Spool()
    parcels = [parcel(number, random.choice("abcde")) for number in range(1, 60)]
    asyncio.run(through(Lane(shaky, spool, QUICK), spool, parcels))
    for patient in "abcde":
        numbers = [one.number for one in shaky.got if one.patient == patient]
        assert numbers == sorted(set(numbers))
    assert set(spool.ends().values()) <= {"delivered", "dead"}


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_messages_of_several_patients_keep_the_order_of_each_of_them(seed):
    random = Random(seed)
    parcels = [parcel(number, " ".join(random.sample("abcde", random.randint(1, 3)))) for number in range(1, 40)]
    spool = Spool()

    def answer(one):
        return Again("fault", destination=False) if random.random() < 0.2 else Delivered()

    memory = Memory(answer=answer, concurrency=6)

    async def scene():
        await through(Lane(memory, spool, QUICK, random=random), spool, parcels)

    asyncio.run(scene())
    for key in "abcde":
        assert [one.number for one in memory.got if key in one.patient.split()] == [
            one.number for one in parcels if key in one.patient.split()
        ]
    assert len(memory.got) == len(parcels)


def test_patients_go_in_parallel():
    most = 0

    @dataclass
    class Counting(Memory):
        now: int = 0

        async def deliver(self, parcels):
            nonlocal most
            self.now += 1
            most = max(most, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return await super().deliver(parcels)

    memory, spool = Counting(concurrency=4), Spool()
    asyncio.run(through(Lane(memory, spool, QUICK), spool, [parcel(number, str(number)) for number in range(20)]))
    assert most == 4


def test_a_destination_that_takes_batches_gets_them_in_order_whatever_the_patient():
    sizes = []

    @dataclass
    class Batches(Memory):
        async def deliver(self, parcels):
            sizes.append(len(parcels))
            return await super().deliver(parcels)

    memory, spool = Batches(batch=16, concurrency=1), Spool()
    asyncio.run(through(Lane(memory, spool, QUICK), spool, [parcel(number, str(number)) for number in range(50)]))
    assert memory.numbers == list(range(50))
    assert max(sizes) == 16


def test_a_message_of_one_patient_that_fails_does_not_hold_up_other_patients():
    async def scene():
        memory, spool = Memory(answer=lambda one: Again("500") if one.patient == "sick" else Delivered()), Spool()
        lane = Lane(memory, spool, Retry(60, 60, 1000))
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        for number in range(1, 30):
            lane.add(parcel(number, "sick" if number in (1, 2) else str(number)))
        await until(lambda: len(memory.got) == 27)
        await lane.stop()
        await task
        assert spool.attempts[2] == []

    asyncio.run(scene())


def test_a_message_that_fails_while_others_go_through_is_dead_in_the_end():
    async def scene():
        memory, spool = Memory(answer=lambda one: Again("500") if one.number == 1 else Delivered()), Spool()
        lane = Lane(memory, spool, Retry(0.001, 0.001, 1000))
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        lane.add(parcel(1, "sick"))
        for number in range(2, 1000):
            if spool.ends().get(1) == "dead":
                break
            lane.add(parcel(number, str(number)))
            await asyncio.sleep(0.004)
        await lane.stop()
        await task
        assert spool.attempts[1][-1].state == "dead"
        assert len(spool.attempts[1]) > LONE_FAILURES

    asyncio.run(scene())


@pytest.mark.parametrize("limit", [1, 3])
def test_a_fault_with_a_limit_makes_a_message_dead_after_so_many_attempts(limit):
    memory, spool = Memory(answer=lambda one: Again("409", limit=limit, destination=False)), Spool()
    asyncio.run(through(Lane(memory, spool, QUICK), spool, [parcel(1)]))
    assert [attempt.state for attempt in spool.attempts[1]] == ["waiting"] * (limit - 1) + ["dead"]


def test_a_destination_that_takes_one_in_ten_attempts_kills_no_message():
    """So does a server that limits the rate."""
    random = Random(7)
    memory = Memory(answer=lambda one: Delivered() if random.random() < 0.1 else Again("429", message=False), concurrency=8)
    spool = Spool()
    lane = Lane(memory, spool, Retry(0.0001, 0.001, 3), random=random)
    asyncio.run(through(lane, spool, [parcel(number, str(number)) for number in range(1, 60)]))
    assert set(spool.ends().values()) == {"delivered"}
    assert max(len(attempts) for attempts in spool.attempts.values()) > LONE_FAILURES


def test_a_destination_that_answers_everything_with_garbage_kills_no_message():
    async def scene():
        memory, spool = Memory(answer=lambda one: Again("200, but no transaction-response", limit=2)), Spool()
        lane = Lane(memory, spool, QUICK)
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        for number in (1, 2, 3):
            lane.add(parcel(number, str(number)))
        await until(lambda: min(len(spool.attempts[number]) for number in (1, 2, 3)) > 5)
        assert {attempt.state for attempts in spool.attempts.values() for attempt in attempts} == {"waiting"}
        # the first two that go through show that the fault is the third one's
        memory.answer = lambda one: Delivered() if one.number != 3 else Again("200, but no transaction-response", limit=2)
        await until(lambda: spool.ends() == {1: "delivered", 2: "delivered", 3: "dead"})
        await lane.stop()
        await task

    asyncio.run(scene())


def test_a_lane_that_is_full_fetches_the_rest_from_the_spool():
    memory, spool = Memory(concurrency=2), Spool()
    lane = Lane(memory, spool, QUICK, items=10)
    parcels = [parcel(number, str(number % 3)) for number in range(1, 80)]
    asyncio.run(through(lane, spool, parcels))
    assert sorted(memory.numbers) == list(range(1, 80))
    for patient in "012":
        assert [one.number for one in memory.got if one.patient == patient] == list(range(int(patient) or 3, 80, 3))
    assert not lane.behind


def test_what_a_full_lane_did_not_take_and_is_not_recorded_yet_is_not_forgotten():
    async def scene():
        memory, spool = Memory(), Spool()
        lane = Lane(memory, spool, QUICK, items=2)
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        for number in range(1, 6):
            if not lane.add(parcel(number)):
                spool.not_taken.append(parcel(number))
        await until(lambda: len(memory.got) == 5)
        await lane.stop()
        await task
        assert memory.numbers == [1, 2, 3, 4, 5]

    asyncio.run(scene())


def test_a_recorded_message_does_not_keep_its_output_in_memory():
    async def scene():
        memory, spool = Memory(answer=lambda one: Again("no connection")), Spool()
        lane = Lane(memory, spool, Retry(60, 60, 3))
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        lane.add(parcel(1))
        await until(lambda: spool.attempts[1])
        lane.recorded(1)
        assert [item.parcel for item in lane._items.values()] == [None]
        # an operator drops it
        lane.hurry()
        await until(lambda: not len(lane))
        await lane.stop()
        await task

    asyncio.run(scene())


def test_an_open_breaker_stops_trying_and_closes_with_the_first_success():
    states = []

    async def scene():
        memory, spool = Memory(answer=lambda one: Again("no connection")), Spool()
        lane = Lane(memory, spool, Retry(0.01, 0.02, 2), breaker_changed=states.append)
        task = asyncio.create_task(lane.run())
        await asyncio.sleep(0.01)
        for number in range(1, 50):
            lane.add(parcel(number, str(number)))
        await until(lambda: 2 in states)
        assert not lane.prompt
        assert len(spool.attempts) < 10, "the rest was not even tried"
        memory.answer = lambda one: Delivered()
        await until(lambda: len(memory.got) == 49)
        await lane.stop()
        await task

    asyncio.run(scene())
    assert states[-1] == 0
    assert 1 in states


def test_a_fault_of_the_program_in_a_destination_does_not_end_the_lane():
    async def scene():
        def broken(one):
            if broken.times:
                broken.times -= 1
                raise RuntimeError("a fault")
            return Delivered()

        broken.times = 1
        memory, spool = Memory(answer=broken), Spool()
        await through(Lane(memory, spool, QUICK), spool, [parcel(1), parcel(2)])
        assert memory.numbers == [1, 2]

    asyncio.run(scene())
