"""What is measured: the adapter, the yardstick and its peers, each as a function of one message.

A contender gets the message as text, as the yardstick does, and encodes it itself where it takes bytes. It raises when it does
not convert the message, so that nobody is fast by refusing.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import stream
import yardstick

Convert = Callable[[str], object]
STREAM_MESSAGES = 2000


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the result.

    Parameters
    ----------
    name : str
        As the table calls it.
    convert : function
        Converts (or parses) one message.
    block : int
        Messages in one timing; fewer for the slow.
    blocks : int
        Timings.
    """

    name: str
    convert: Convert
    block: int = 50
    blocks: int = 40


class PeerMissing(Exception):  # noqa: N818
    """A peer is not installed."""


def adapter(validate: str = "structure") -> Convert:
    """Give the adapter's way of one message, with the shipped tables.

    Parameters
    ----------
    validate : {"structure", "off"}
        Check of the output.

    Returns
    -------
    function
        Message text to output bytes.
    """
    from adapter.collector import settle
    from adapter.config import Settings
    from adapter.hl7v2.framing import RawMessage
    from adapter.pipeline import Pipeline
    from adapter.tables.load import load_tables

    pipeline = Pipeline(load_tables(), Settings(validate="off" if validate == "off" else "structure"))

    # as each door of the program does
    settle()

    def convert(message: str) -> bytes:
        outcome = pipeline(RawMessage("er7", message.encode(), 0))
        if outcome.fate != "converted":
            reason = outcome.issues[-1]
            raise ValueError(f"{outcome.fate}: {reason.slug} at {reason.place}: {reason.detail}")
        return outcome.lines[0]

    return convert


def hl7v2_fhir_bridge() -> Convert:
    """Give the radiology bridge: it parses and converts, but makes no Observation from a laboratory's results."""
    _require("v2fhir", "hl7v2-fhir-bridge")
    from v2fhir.config import load_config
    from v2fhir.convert import convert as bridge_convert
    from v2fhir.hl7.parser import parse_bytes

    config = load_config()
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def convert(message: str) -> object:
        return bridge_convert(parse_bytes(message.encode(), config.default_charset, config.fallback_charsets), config, now)

    return convert


def python_hl7() -> Convert:
    """Give the parser of python-hl7."""
    _require("hl7", "hl7")
    import hl7

    def parse(message: str) -> object:
        return hl7.parse(message)

    return parse


def hl7apy() -> Convert:
    """Give the parser of hl7apy, tolerant, without segment groups."""
    _require("hl7apy", "hl7apy")
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.parser import parse_message

    def parse(message: str) -> object:
        return parse_message(message, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)

    return parse


def adapters() -> list[Contender]:
    """Give the adapter in both modes."""
    return [
        Contender("B2M FHIR adapter", adapter()),
        Contender("B2M FHIR adapter, `--validate off`", adapter("off")),
    ]


def peers() -> tuple[list[Contender], list[str]]:
    """Give the peers that are installed, and say which are not.

    Returns
    -------
    tuple of (list of Contender, list of str)
        The peers, and the names of packages that are missing.
    """
    found: list[Contender] = []
    missing: list[str] = []
    for name, make, block, blocks in (
        ("hl7v2-fhir-bridge 0.1.0: convert, no results", hl7v2_fhir_bridge, 20, 20),
        ("python-hl7: parse only", python_hl7, 10, 20),
        ("hl7apy: parse only", hl7apy, 2, 10),
    ):
        try:
            found.append(Contender(name, make(), block, blocks))
        except PeerMissing as package:
            missing.append(str(package))
    return found, missing


def load_yardstick(where: str) -> Convert:
    """Load a yardstick.

    Parameters
    ----------
    where : str
        `FILE.py:function`; empty for the one beside this file.

    Returns
    -------
    function
        Message text to anything.
    """
    if not where:
        return yardstick.convert
    path, _, function = where.rpartition(":")
    spec = importlib.util.spec_from_file_location("other_yardstick", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        sys.exit(f"--yardstick {where}: write FILE.py:function")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    convert: Convert = getattr(module, function)
    return convert


def load_stream(path: Path | None) -> list[str]:
    """Load a stream: a JSON list of messages; None for the generated one."""
    if path is None:
        return list(islice(stream.messages(), STREAM_MESSAGES))
    messages: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return messages


def _require(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise PeerMissing(package)
