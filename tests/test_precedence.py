"""Doors go first: what is asked of the system, and what it leaves alone."""

import struct
import subprocess
import sys

from adapter.service import precedence


def nice_after(statements):
    code = f"import os; from adapter.service.precedence import go_first, stand_back; {statements}; print(os.nice(0))"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def asked(monkeypatch, call):
    """What a call asks of sched_setattr(2)."""
    found = []

    class System:
        def syscall(self, number, process, attributes, flags):
            found.append((number, process, struct.unpack("=IIQiIQQQ", attributes), flags))

    monkeypatch.setattr(precedence.ctypes, "CDLL", lambda *_args, **_named: System())
    monkeypatch.setattr(precedence.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(precedence.os, "nice", lambda change: change)
    monkeypatch.setattr(precedence.os, "getpriority", lambda kind, process: 3)
    call()
    return found


def test_a_door_keeps_its_niceness():
    assert nice_after("go_first()") == nice_after("pass")


def test_what_stands_back_is_nicer():
    assert nice_after("go_first(); stand_back(5)") == nice_after("pass") + 5


def test_a_door_asks_for_a_short_slice_and_nothing_else(monkeypatch):
    assert asked(monkeypatch, precedence.go_first) == [(314, 0, (48, 0, 0, 3, 0, 400_000, 0, 0), 0)]


def test_what_stands_back_gives_the_slice_of_a_door_back(monkeypatch):
    assert asked(monkeypatch, lambda: precedence.stand_back(5)) == [(314, 0, (48, 0, 0, 3, 0, 0, 0, 0), 0)]


def test_a_machine_whose_calls_are_not_known_is_left_alone(monkeypatch):
    monkeypatch.setitem(precedence._CALLS, "x86_64", None)
    assert asked(monkeypatch, precedence.go_first) == []
