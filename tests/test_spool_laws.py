"""Whatever happens in whatever order, crashes included: nothing is lost, numbers count on, resends get the first number."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapter.service.spool.files import SpoolFull, instant
from adapter.service.spool.intake import Arrival, IntakeStore
from adapter.service.spool.work import Delivery, Finished, WorkStore

TIME = "2026-05-04T03:02:01.000Z"
MESSAGES = st.tuples(st.sampled_from("AB"), st.sampled_from("123"), st.sampled_from([b"x", b"y"]))


class Spool(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = {}
        self.recorded = {}
        self.open()

    def open(self):
        self.intake, self.work = IntakeStore(self.folder), WorkStore(self.folder)

    def teardown(self):
        self.intake.close()
        self.work.close()
        shutil.rmtree(self.folder)

    @rule(group=st.lists(MESSAGES, max_size=5))
    def put(self, group):
        placed = self.intake.put([Arrival(data, "er7", "d", sender=sender, control_id=key) for sender, key, data in group], TIME)
        for message, place in zip(group, placed, strict=True):
            known = {key for key in self.numbers if key[:2] == message[:2]}
            assert place.kind == ("resend" if message in known else "reused-id" if known else "new")
            assert place.number == self.numbers.setdefault(message, len(self.numbers) + 1)

    @rule(group=st.lists(MESSAGES, min_size=1, max_size=3))
    def put_on_a_full_disk(self, group):
        pages = self.intake._database.execute("PRAGMA page_count").fetchone()[0]
        self.intake._database.execute(f"PRAGMA max_page_count = {pages}")
        arrivals = [Arrival(data, "er7", "d", sender=sender, control_id=key) for sender, key, data in group]
        with pytest.raises(SpoolFull):
            self.intake.put([*arrivals, Arrival(b"z" * 20_000, "er7", "d", control_id="large")], TIME)
        self.intake._database.execute("PRAGMA max_page_count = 1000000")

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), state=st.sampled_from(["waiting", "delivered", "dead"]))
    def record(self, data, state):
        number = data.draw(st.integers(1, len(self.numbers)))
        self.work.record([Finished(number, "converted", output=b"{}", converted_at=TIME, deliveries=(Delivery("a", state),))])
        self.recorded[number] = state

    @precondition(lambda self: self.recorded)
    @rule(data=st.data(), state=st.sampled_from(["waiting", "delivered", "dead"]))
    def deliver_or_retry(self, data, state):
        number = data.draw(st.sampled_from(sorted(self.recorded)))
        if self.work.finished(number).output is None:
            return
        self.work.progress(number, [Delivery("a", state)])
        self.recorded[number] = state

    @rule()
    def crash(self):
        # the files as they are, with their logs, as if the machine stopped here
        copy = Path(tempfile.mkdtemp())
        for file in self.folder.iterdir():
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
        self.teardown()
        self.folder = copy
        self.open()

    @invariant()
    def every_number_is_recorded_or_work_to_do(self):
        numbers = [stored.number for stored in self.intake.after(0, 1000)]
        assert numbers == list(range(1, len(self.numbers) + 1))
        assert set(self.work.unrecorded(numbers)) == set(numbers) - set(self.recorded)
        cursor = self.work.cursor()
        assert set(range(1, cursor + 1)) <= set(self.recorded)
        assert cursor + 1 not in self.recorded

    @invariant()
    def what_is_wanted_has_its_output(self):
        waiting = self.work.waiting("a", instant(), 1000)
        assert [each.number for each in waiting] == sorted(n for n, state in self.recorded.items() if state == "waiting")
        assert all(each.output == b"{}" for each in waiting)


Spool.TestCase.settings = settings(max_examples=12, stateful_step_count=12)
TestSpool = Spool.TestCase
