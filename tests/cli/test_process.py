"""The filter as a process of its own: streaming, closed pipes, several workers."""

import json
import os
import select

import pytest
from helpers.commands import convert_command, start
from helpers.fixtures import FOLDER, fixture_files

SERUM = (FOLDER / "serum/above-range.hl7").read_bytes()
FRAMED = b"\x0b" + SERUM + b"\x1c\r"


def test_output_leaves_before_the_input_ends():
    """An engine feeds one message and waits for its answer."""
    process = start("convert")
    process.stdin.write(FRAMED)
    process.stdin.flush()
    readable, _, _ = select.select([process.stdout], [], [], 20)
    if not readable:
        process.kill()
        pytest.fail("no output while the input is open: " + process.communicate()[1].decode())
    line = process.stdout.readline()
    assert json.loads(line)["type"] == "transaction"
    process.stdin.write(FRAMED)
    process.stdin.close()
    assert process.stdout.read() == line
    assert process.wait(20) == 0
    process.stdout.close()
    process.stderr.close()


def test_closed_pipe_ends_it_quietly():
    process = start("convert", "--quiet")
    process.stdout.close()
    try:
        for _ in range(200):
            process.stdin.write(FRAMED)
        process.stdin.close()
    except BrokenPipeError:
        pass
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(20) == 0
    assert "Traceback" not in errors
    assert "Exception" not in errors


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_output_that_cannot_be_written_is_status_3():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = start("convert", stdout=full)
        _, errors = process.communicate(FRAMED, 20)
    assert process.returncode == 3
    assert b"part-way" in errors
    assert b"Traceback" not in errors


def test_several_jobs_give_the_same_bytes_in_the_same_order(tmp_path):
    files = fixture_files()
    process = start("convert", "--jobs", "2", "--quiet", "--rejects", tmp_path / "rejects", *files)
    output, errors = process.communicate(b"", 60)
    alone = convert_command("--rejects", tmp_path / "alone", *files)
    assert output.splitlines() == alone.lines
    assert process.returncode == alone.status == 1
    assert sorted(path.name for path in (tmp_path / "rejects").iterdir()) == sorted(
        path.name for path in (tmp_path / "alone").iterdir()
    )
    assert errors.decode().splitlines()[-1] == alone.stderr.splitlines()[-1]
