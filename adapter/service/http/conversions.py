"""Pipelines of the door: one for each way to convert that requests ask for, all with the tables in force.

Small messages are converted in the loop, which is faster than handing them to a thread. A large one goes to the one thread of
this worker, which has pipelines of its own, so that others are still answered; large ones wait for each other.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from adapter.collector import settle
from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Outcome, Pipeline
from adapter.service.sender_rows import processing_ids_of
from adapter.service.settings import ConvertSettings
from adapter.tables.index import Tables
from adapter.tables.layers import Fault
from adapter.tables.reload import Reloader

#: Pipelines that are kept; each remembers what recurs in messages.
_KEPT = 4


class Conversions:
    """The pipelines.

    Parameters
    ----------
    settings : ConvertSettings
        How to convert what a request does not say.

    Raises
    ------
    TableFaults
        The tables have faults.
    """

    def __init__(self, settings: ConvertSettings) -> None:
        self._settings = settings
        self._reloader = Reloader(settings.mappings)
        self._processing_ids = processing_ids_of(self.tables)
        self._inline: dict[Settings, Pipeline] = {}
        self._aside: dict[Settings, Pipeline] = {}
        self._thread = ThreadPoolExecutor(1, "large-messages")
        settle()

    @property
    def tables(self) -> Tables:
        """The tables in force."""
        return self._reloader.tables

    def processing_ids(self, application: str, facility: str) -> frozenset[str]:
        """Give the processing ids that the tables accept from a sender (MSH-3, MSH-4); empty when they do not say."""
        return self._processing_ids(application, facility)

    def settings(self, **asked: str) -> Settings:
        """Make the settings of a conversion.

        Parameters
        ----------
        **asked : str
            What a request says: `to`, `units`, `timezone`, `validate`. `to` and `only` of the service are about delivery: a
            request gets the default form unless it asks, and every message is converted.
        """
        own = self._settings
        said = {"units": own.units, "timezone": own.timezone, "validate": own.validate_output, **asked}
        return Settings(attach_source=own.attach_source, mappings=own.mappings, context=own.context, **said)  # type: ignore[arg-type]

    def convert(self, raw: RawMessage, settings: Settings) -> Outcome:
        """Convert a message here and now."""
        return _pipeline(self._inline, self.tables, settings)(raw)

    async def convert_aside(self, raw: RawMessage, settings: Settings) -> Outcome:
        """Convert a large message in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._convert_in_thread, raw, settings)

    def reload(self) -> tuple[bool, tuple[Fault, ...]]:
        """Read the tables again; those with faults are refused, and the old ones stay.

        Returns
        -------
        bool
            Whether the tables are new.
        tuple of Fault
            Why they were refused.
        """
        reload = self._reloader.reload()
        if reload.changed:
            self._inline, self._aside = {}, {}
            self._processing_ids = processing_ids_of(self.tables)
            settle(again=True)
        return reload.changed, reload.faults

    def close(self) -> None:
        """End the thread when its message is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _convert_in_thread(self, raw: RawMessage, settings: Settings) -> Outcome:
        return _pipeline(self._aside, self.tables, settings)(raw)


def _pipeline(pipelines: dict[Settings, Pipeline], tables: Tables, settings: Settings) -> Pipeline:
    """Find or make a pipeline; the one that was made first goes when there are too many."""
    pipeline = pipelines.get(settings)
    if pipeline is None:
        while len(pipelines) >= _KEPT:
            pipelines.pop(next(iter(pipelines)))
        pipeline = pipelines[settings] = Pipeline(tables, settings)
    return pipeline
