"""Retention does not follow a clock that jumps: nothing is let go because somebody set it wrong."""

from datetime import UTC, datetime

import pytest

from adapter.service.spool.believed_clock import DOUBT_SECONDS, BelievedClock

START = 1_800_000_000
HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400


class Machine:
    def __init__(self):
        self.clock, self.passed = START, 5
        self.believed = BelievedClock(lambda: self.clock, lambda: self.passed)

    def run(self, seconds, jump=0):
        """Let time pass, of which the clock shows more or less, and look every half hour."""
        self.clock += jump
        for _ in range(0, seconds, 1800):
            self.clock += 1800
            self.passed += 1800
            now = self.believed.now()
        return now


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def test_the_clock_of_the_machine_is_believed():
    assert Machine().run(30 * DAY) == moment(START + 30 * DAY)


def test_a_machine_that_is_slow_by_a_little_is_believed():
    assert Machine().run(DAY, jump=HOUR // 2) == moment(START + DAY + HOUR // 2)


@pytest.mark.parametrize("jump", [10 * YEAR, -10 * YEAR, 2 * DAY])
def test_a_jump_makes_nothing_older_for_a_day(jump):
    machine = Machine()
    machine.run(DAY)
    assert machine.run(12 * HOUR, jump) == moment(START + DAY)


def test_a_clock_that_is_set_right_again_is_believed_at_once():
    machine = Machine()
    machine.run(12 * HOUR, 10 * YEAR)
    assert machine.run(HOUR, -10 * YEAR) == moment(START + 13 * HOUR)


def test_a_jump_that_lasts_was_right():
    machine = Machine()
    assert machine.run(DOUBT_SECONDS + HOUR, 10 * YEAR) == moment(START + DOUBT_SECONDS + HOUR + 10 * YEAR)
