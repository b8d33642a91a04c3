"""What the engine tells the doors of conversions comes through, whatever becomes of the engine in the middle of a line."""

import asyncio
import socket

import orjson
from helpers.engines import settings_of, until

from adapter.service.engine.answers import Answers
from adapter.service.engine.worker import rejected
from adapter.service.supervisor import Supervisor


class Door:
    def __init__(self):
        self.told = []

    def answer(self, number, fate, issues):
        self.told.append((number, fate, issues[-1].slug if issues else ""))


def told(tmp_path, *writers):
    """What a door hears when engines write to it one after the other."""

    async def scene():
        supervisor = Supervisor(settings_of(tmp_path))
        supervisor._door = door = Door()
        ours, theirs = socket.socketpair()
        following = asyncio.create_task(supervisor._follow_answers(ours))
        with theirs:
            for write in writers:
                await write(theirs)
            await until(lambda: following.done() or (door.told and door.told[-1][0] == 9))
        following.cancel()
        return door.told

    return asyncio.run(scene())


async def says_9(theirs):
    answers = await Answers.connect(theirs.dup())
    answers.send(rejected(9, "tables", ""))


def test_an_outcome_reaches_the_door(tmp_path):
    assert told(tmp_path, says_9) == [(9, "rejected", "internal-error")]


def test_half_a_line_of_an_engine_that_died_spoils_no_line_of_the_next_one(tmp_path):
    async def dies(theirs):
        theirs.send(b'{"number": 8, "fate": "conv')

    assert told(tmp_path, dies, says_9) == [(9, "rejected", "internal-error")]


def test_a_line_beyond_the_limit_is_passed_over(tmp_path):
    async def says_much(theirs):
        issues = [{"slug": "bad-date", "place": "", "detail": "x" * 3_000_000}]
        line = orjson.dumps({"number": 7, "fate": "rejected", "slug": "bad-date", "issues": issues}) + b"\n"
        theirs.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(theirs, line)

    assert told(tmp_path, says_much, says_9) == [(9, "rejected", "internal-error")]
