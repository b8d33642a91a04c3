"""The pool of converter processes outlives their deaths; a message that causes them is rejected, and no other one."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from helpers.engines import TRANSACTIONS, shipped_tables, until

from adapter.pipeline import Pipeline
from adapter.service.engine.converters import Converters
from adapter.service.engine.worker import Task, convert_one, from_wire, to_wire
from adapter.tables.load import load_tables

SENDERS = (
    "id,sender_application,sender_facility,time_zone,charset,identifier_base,local_code_base,laboratory,blank_unit,"
    "processing_ids,trust_loinc,range_laboratory,status,source,note\n"
    "test-sender,LAB,FAC,Europe/Berlin,,,,,,P,yes,,,test,\n"
)
FRAGILE = (sys.executable, str(Path(__file__).parent / "helpers" / "fragile_converter.py"))


def task(number: int, name: str = "PATIENT") -> Task:
    return Task(
        number,
        "er7",
        f"MSH|^~\\&|LAB|FAC|||20260101||ORU^R01|{number}|P|2.5.1\rPID|1||1^^^A&1.2.3&ISO||TEST^{name}\r"
        "OBR|1||F1^LAB|1952-1^B2M^LN\rOBX|1|NM|1952-1^B2M^LN||2.10|mg/L|||||F\r".encode(),
    )


def chunks_of(count: int) -> list[list[Task]]:
    return [[task(number) for number in range(at, at + 20)] for at in range(0, count, 20)]


@asynccontextmanager
async def pool(processes=1, restarted=lambda: None, **options):
    converters = Converters(TRANSACTIONS, shipped_tables(), processes, restarted=restarted, **options)
    await converters.start()
    try:
        yield converters
    finally:
        await converters.stop()


def test_a_process_gives_what_the_pipeline_gives():
    async def scene():
        async with pool() as converters:
            tasks = [task(number) for number in range(1, 4)] + [Task(4, "er7", b"MSH|^~\\&|"), Task(5, "json", b"{")]
            found = await converters.convert(tasks)
            assert found == [convert_one(Pipeline(shipped_tables(), TRANSACTIONS), one) for one in tasks]

    asyncio.run(scene())


def test_the_wire_changes_nothing():
    converted = convert_one(Pipeline(shipped_tables(), TRANSACTIONS), task(1))
    assert from_wire(to_wire(converted)) == converted


def test_a_process_that_is_killed_is_started_again_and_its_messages_are_converted():
    restarts = []

    async def scene():
        async with pool(2, lambda: restarts.append(1)) as converters:
            chunks = [asyncio.create_task(converters.convert(some)) for some in chunks_of(200)]
            await asyncio.sleep(0.01)
            killed = [converter.process.pid for converter in converters._pool]
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            found = [one for chunk in chunks for one in await chunk]
            await until(lambda: len(restarts) == len(killed))
        assert [one.number for one in found] == list(range(200))
        assert {one.fate for one in found} == {"converted"}

    asyncio.run(scene())


def test_a_message_that_kills_its_process_three_times_is_rejected_alone():
    async def scene():
        async with pool(command=FRAGILE) as converters:
            found = await converters.convert([task(1), task(2, "KILL"), task(3)])
            assert [(one.number, one.fate, one.slug) for one in found] == [
                (1, "converted", ""),
                (2, "rejected", "internal-error"),
                (3, "converted", ""),
            ]
            assert "3 times" in orjson.loads(found[1].issues)[0]["detail"]

    asyncio.run(scene())


def test_a_message_that_hangs_is_rejected_alone():
    async def scene():
        # the good message has as long, in a process that has just been started
        async with pool(command=FRAGILE, chunk_seconds=1) as converters:
            found = await converters.convert([task(1), task(2, "HANG")])
            assert [one.fate for one in found] == ["converted", "rejected"]
            assert [one.fate for one in await converters.convert([task(3)])] == ["converted"]

    asyncio.run(scene())


def test_other_tables_are_used_from_the_next_chunk_on_also_by_a_process_that_starts_later(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "senders.csv").write_text(SENDERS, encoding="utf-8")

    async def scene():
        async with pool() as converters:
            (before,) = await converters.convert([task(1)])
            changed = load_tables((tmp_path,))
            await converters.use(changed)
            (after,) = await converters.convert([task(2)])
            os.kill(converters._pool[0].process.pid, signal.SIGKILL)
            (later,) = await converters.convert([task(3)])
            assert before.tables == shipped_tables().version
            assert after.tables == later.tables == changed.version != before.tables

    asyncio.run(scene())


def test_processes_end_with_the_engine():
    async def scene():
        async with pool() as converters:
            return converters._pool[0].process.pid

    pid = asyncio.run(scene())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
