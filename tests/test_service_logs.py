"""Logs: one JSON object a line, and nothing in it that a message said."""

import json
import logging

import pytest

from adapter.service.logs import log, log_fault, start_logs


@pytest.fixture(autouse=True)
def _root_logger():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_with_its_facts(capsys):
    start_logs("engine")
    log("delivered", number=17, destination="archive")
    (row,) = lines(capsys)
    assert (row["level"], row["process"], row["event"], row["number"], row["destination"]) == (
        "info",
        "engine",
        "delivered",
        17,
        "archive",
    )
    assert row["time"].endswith("+00:00")


def test_the_level_holds(capsys):
    start_logs("engine", "warning")
    log("quiet")
    log("loud", "error")
    assert [row["event"] for row in lines(capsys)] == ["loud"]


def test_the_text_of_an_exception_is_not_written(capsys):
    start_logs("engine")
    try:
        raise ValueError("TEST^PATIENT 4.2 mg/L")
    except ValueError:
        log_fault("conversion-failed", number=3)
    (row,) = lines(capsys)
    assert row["fault"].startswith("ValueError in test_the_text_of_an_exception_is_not_written:")
    assert "PATIENT" not in json.dumps(row)


def test_the_words_of_libraries_are_not_written(capsys):
    start_logs("http")
    logging.getLogger("some.library").warning("Invalid request: PID|1||TEST")
    (row,) = lines(capsys)
    assert row["event"] == "some.library"
    assert "PID" not in json.dumps(row)
