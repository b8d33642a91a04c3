"""The way through with tables and settings that are tried, giving outputs in their accepted form."""

from __future__ import annotations

from dataclasses import replace

from adapter import __version__
from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.replay.accepted import AcceptedForm, Record
from adapter.tables.index import Tables

#: Stands for the version of all tables that are tried, so that outputs differ in what the rows say only.
_VERSION = "0" * 64


class Variant:
    """A pipeline of its own for one set of tables and settings.

    Parameters
    ----------
    tables : Tables
        The tables.
    settings : Settings
        The settings.
    """

    def __init__(self, tables: Tables, settings: Settings) -> None:
        self.tables = replace(tables, version=_VERSION)
        self.settings = settings
        self._pipeline = Pipeline(self.tables, settings)
        self._form = AcceptedForm(_VERSION, __version__)

    def run(self, raw: RawMessage) -> Record:
        """Give what the message becomes."""
        return self._form.record(self._pipeline(raw))
