"""How the engine makes way for the doors in a burst, and that it never makes way for more than its share."""

import pytest

from adapter.service.engine.pace import LONGEST_SECONDS, SPELL_SECONDS, Pace
from adapter.service.engine.process import burst_share_of
from adapter.service.settings import ConvertSettings, MllpSettings, ServiceSettings


class Feed:
    """An engine that gives and a door that takes, so many a second, on a clock of its own."""

    def __init__(self, share, *, incoming, outgoing):
        self.now = self.paused = 0.0
        self.given, self.newest = 0, 1000
        self.incoming, self.outgoing = incoming, outgoing
        self.pace = Pace(share, lambda: self.now)

    def run(self, seconds, step=0.02):
        until = self.now + seconds
        while self.now < until:
            self.now += step
            self.given += int(self.outgoing * step)
            self.newest += int(self.incoming * step)
            pause = self.pace.pause(self.given, self.newest)
            self.now += pause
            self.paused += pause
            self.newest += int(self.incoming * pause)
        return self.paused / self.now


def test_a_burst_leaves_the_engine_its_share():
    assert Feed(0.5, incoming=10_000, outgoing=2_000).run(60) == pytest.approx(0.5, abs=0.05)


def test_a_burst_without_end_never_leaves_it_less_than_its_share():
    assert Feed(0.25, incoming=10_000, outgoing=500).run(600) <= 0.75


def test_a_load_that_can_nearly_be_converted_knows_no_pause():
    assert Feed(0.5, incoming=3_900, outgoing=2_000).run(60) == 0


def test_the_backlog_after_a_burst_knows_no_pause():
    feed = Feed(0.5, incoming=10_000, outgoing=2_000)
    feed.run(5)
    feed.incoming = 0
    # the spell in which it ended may be one of the burst still
    feed.run(SPELL_SECONDS)
    before = feed.paused
    feed.run(60)
    assert feed.paused == before


def test_a_share_of_one_knows_no_pause():
    assert Feed(1, incoming=10_000, outgoing=2_000).run(60) == 0


def test_no_pause_is_longer_than_the_longest():
    feed = Feed(0.1, incoming=10_000, outgoing=2_000)
    feed.pace.pause(0, 0)
    feed.now += 100
    assert feed.pace.pause(1, 1_000_000) == LONGEST_SECONDS


@pytest.mark.parametrize(("acknowledge", "share"), [("commit", 0.25), ("converted", 1)])
def test_an_engine_that_senders_wait_for_makes_no_way(acknowledge, share):
    settings = ServiceSettings(mllp=MllpSettings(acknowledge=acknowledge), convert=ConvertSettings(burst_share=0.25))
    assert burst_share_of(settings) == share
