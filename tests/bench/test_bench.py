"""What the measurements rest on: the same messages for everybody, and a yardstick that does an honest minimum."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import contenders
import stream
import throughput
import yardstick

BENCH = Path(stream.__file__).parent


def test_the_same_seed_gives_the_same_messages() -> None:
    assert list(islice(stream.messages(), 20)) == list(islice(stream.messages(), 20))


def test_another_seed_gives_other_messages() -> None:
    assert next(stream.messages(1)) != next(stream.messages(2))


def test_a_message_of_the_stream_has_about_15_results_and_4500_bytes() -> None:
    messages = list(islice(stream.messages(), 1000))
    assert 15 <= sum(message.count("\rOBX|") for message in messages) / 1000 <= 16
    assert 4300 <= sum(len(message.encode()) for message in messages) / 1000 <= 4800


def test_the_stream_has_every_kind_of_value_notes_escapes_and_letters_beyond_ascii() -> None:
    text = "".join(islice(stream.messages(), 100))
    for part in ("|NM|", "|SN|", "|ST|", "|CWE|", "|TX|", "\rNTE|", "\\T\\", "\\.br\\", "Ü"):
        assert part in text


def test_the_short_message_has_one_order_and_two_results() -> None:
    for message in islice(stream.two_result_messages(), 20):
        assert (message.count("\rOBR|"), message.count("\rOBX|")) == (1, 2)


def test_the_adapter_converts_every_message_of_the_stream() -> None:
    convert = contenders.adapter()
    for message in islice(stream.messages(), 20):
        assert convert(message)


def test_the_yardstick_makes_an_observation_of_each_result_and_keeps_the_digits() -> None:
    message = next(stream.two_result_messages())
    values = [line.split("|")[5] for line in message.split("\r") if line.startswith("OBX|") and "|NM|" in line]
    written = yardstick.convert(message)
    kinds = [entry["resource"]["resourceType"] for entry in orjson.loads(written)["entry"]]
    assert kinds.count("Observation") == 2
    for value in values:
        assert f'"value":{value},'.encode() in written


def test_a_contender_that_does_the_work_twice_has_the_ratio_2() -> None:
    def twice(message: str) -> None:
        yardstick.convert(message)
        yardstick.convert(message)

    rows = throughput.measure(
        [contenders.Contender("twice", twice, 20, 10)], yardstick.convert, list(islice(stream.messages(), 220))
    )
    assert 1.5 < rows[1].ratio < 2.5


def test_the_memory_of_the_measuring_process_is_no_part_of_the_peak() -> None:
    # in a process of its own: the ballast must not raise the peak of the tests, by which other tests judge
    measure = "ballast = b'x' * 300_000_000; import memory; found = memory.measure(10_000); print(found.status, found.peak)"
    status, peak = subprocess.run(
        [sys.executable, "-c", measure], cwd=BENCH, check=True, capture_output=True, text=True
    ).stdout.split()
    assert status == "0"
    assert 20 < float(peak) < 200
