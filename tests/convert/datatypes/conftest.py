"""Environments over the shipped tables: without zone, with zones, and with a sender's row."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from adapter.convert.environment import Environment
from adapter.tables.load import load_tables
from adapter.tables.rows import SenderRow

TABLES = load_tables()


@pytest.fixture
def environment() -> Environment:
    return Environment(TABLES)


@pytest.fixture
def new_york() -> Environment:
    return Environment(TABLES, zone=ZoneInfo("America/New_York"))


@pytest.fixture
def of_sender() -> Environment:
    """A sender whose row gives bases for identifiers and local codes."""
    row = SenderRow(
        id="t",
        sender_application="",
        sender_facility="",
        time_zone="",
        charset="",
        identifier_base="https://acme.example/id/",
        local_code_base="https://acme.example/code/",
        laboratory="",
        blank_unit="",
        processing_ids=frozenset(),
        trust_loinc=True,
        range_laboratory="",
        status="",
    )
    return Environment(TABLES, sender=row)
