"""The circuit breaker of a destination."""

from random import Random

import pytest

from adapter.service.delivery.breaker import CLOSED, HALF_OPEN, OPEN, Breaker, pause_after


def breaker(states=None, faults=3):
    return Breaker(faults, 10, 100, (states if states is not None else []).append, Random(1))


def opened(states=None):
    made = breaker(states)
    for _ in range(3):
        made.fault(0)
    return made


def test_it_opens_after_so_many_faults_in_a_row():
    states = []
    made = breaker(states)
    made.fault(0)
    made.fault(0)
    made.success()
    made.fault(0)
    made.fault(0)
    assert made.opens_in(0) == 0
    made.fault(0)
    assert (made.state, states) == (OPEN, [OPEN])
    assert 5 <= made.opens_in(0) <= 10


def test_after_the_pause_one_attempt_is_made():
    made = opened()
    assert made.opens_in(10) == 0
    made.begin()
    assert made.state == HALF_OPEN
    assert made.opens_in(10) > 0, "one only"


def test_the_first_success_closes_it():
    states = []
    made = opened(states)
    made.begin()
    assert made.success()
    assert states == [OPEN, HALF_OPEN, CLOSED]
    assert not made.success(), "it was closed before"


def test_a_fault_of_the_attempt_opens_it_for_longer():
    made = opened()
    made.begin()
    made.fault(10)
    assert 10 <= made.opens_in(10) <= 20


def test_it_waits_as_long_as_the_destination_asks():
    made = breaker()
    for _ in range(3):
        made.fault(0, after=77)
    assert made.opens_in(0) == 77


@pytest.mark.parametrize("attempts", [0, 1, 5, 40, 10_000])
def test_a_pause_is_doubled_up_to_the_limit_with_jitter(attempts):
    whole = min(2**attempts, 100)
    assert whole / 2 <= pause_after(attempts, 1, 100, Random(attempts)) <= whole
