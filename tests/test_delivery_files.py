"""Delivery to a folder and to standard output: whole files under the number of the message, whole lines."""

import asyncio
import os
import stat

import pytest

from adapter.service.delivery.folder import Folder, file_name
from adapter.service.delivery.parcel import Again, Delivered, Parcel
from adapter.service.delivery.stdout import Stdout


def parcel(number: int, line: bytes = b'{"a":4.20}') -> Parcel:
    return Parcel(number, bytes.fromhex("00112233445566778899") + bytes(22), "p", line, True, ())


def deliver(destination, *parcels):
    return asyncio.run(destination.deliver(parcels))


# -- folder --------------------------------------------------------------------------------------------------------------


def test_a_file_is_named_by_the_number_and_the_digest_and_holds_the_line(tmp_path):
    assert deliver(Folder("out", tmp_path), parcel(17)) == [Delivered()]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"00000017-0011223344556677.json": b'{"a":4.20}\n'}


def test_several_lines_are_ndjson():
    assert file_name(parcel(1, b"{}\n{}")) == "00000001-0011223344556677.ndjson"


@pytest.mark.parametrize("count", [1, 50], ids=["each file synced", "the file system synced"])
def test_a_repetition_overwrites_itself(tmp_path, count):
    folder = Folder("out", tmp_path)
    for _ in range(2):
        assert deliver(folder, *(parcel(number) for number in range(count))) == [Delivered()] * count
    assert len(list(tmp_path.iterdir())) == count


def test_the_folder_is_made_and_nobody_else_can_read_it(tmp_path):
    folder = tmp_path / "deep" / "out"
    deliver(Folder("out", folder), parcel(1))
    (path,) = folder.iterdir()
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, path)] == [0o700, 0o600]


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "out").write_text("a file")
    (result,) = deliver(Folder("out", tmp_path / "out"), parcel(1))
    assert isinstance(result, Again)


def test_when_one_file_cannot_be_written_nothing_half_is_left(tmp_path):
    (tmp_path / "00000002-0011223344556677.json").mkdir()
    results = deliver(Folder("out", tmp_path), parcel(1), parcel(2), parcel(3))
    assert all(isinstance(result, Again) for result in results)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".00000001-0011223344556677.json.part").symlink_to(victim)
    deliver(Folder("out", out), parcel(1))
    assert victim.read_text() == "mine"


# -- standard output -----------------------------------------------------------------------------------------------------


def test_each_message_is_a_line():
    reading, writing = os.pipe()
    assert deliver(Stdout("lines", writing), parcel(1), parcel(2, b"{}")) == [Delivered()] * 2
    assert os.read(reading, 100) == b'{"a":4.20}\n{}\n'
    os.close(reading)
    os.close(writing)


def test_a_pipe_whose_reader_is_gone_is_tried_again():
    reading, writing = os.pipe()
    os.close(reading)
    (result,) = deliver(Stdout("lines", writing), parcel(1))
    assert isinstance(result, Again)
    os.close(writing)


def test_a_line_that_was_cut_is_completed_and_those_before_it_are_delivered():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stdout = Stdout("lines", writing)
    parcels = [parcel(number, b"%d" % number * 20_000) for number in (1, 2, 3, 4, 5)]
    results = deliver(stdout, *parcels)
    assert isinstance(results[0], Delivered)
    assert isinstance(results[-1], Again)
    text = bytearray()
    left = [one for one, result in zip(parcels, results, strict=True) if isinstance(result, Again)]
    while left:
        text += os.read(reading, 2**16)
        results = deliver(stdout, *left)
        left = [one for one, result in zip(left, results, strict=True) if isinstance(result, Again)]
    os.close(writing)
    while more := os.read(reading, 2**16):
        text += more
    os.close(reading)
    assert bytes(text).splitlines() == [one.line for one in parcels]
