"""kill -9 of any process at random points under load: nothing acknowledged is lost, nothing is there twice, order is kept.

The short form, against a small server; `bench/durability.py` has the harness and the long form.
"""

import pytest
from conditional_server import ConditionalServer

from bench.durability import Load, judge, run


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_the_service_loses_and_doubles_nothing(seed):
    with ConditionalServer() as server:
        assert run(server.url, 4, seed=seed, rate=100, longest_wait=2.0) == []
        assert len(server.current("Provenance")) > 20


def test_the_judge_sees_what_was_lost():
    load = Load(port=0, seed=1, connections=1, pause=0, acknowledged=[(1, 1, 0)], sent={(1, 1, 0)})
    with ConditionalServer() as server:
        wrong = judge(load, server.url, history=True)
    assert any("acknowledged and not delivered" in line for line in wrong)
    assert "(1, 1) is not there" in wrong
