"""What `senders.csv` says to a door: the processing ids (MSH-11) that are accepted from a sender."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from adapter.convert.senders import hd_names
from adapter.tables.index import Tables

#: Senders that are remembered.
_SENDERS = 4096


def processing_ids_of(tables: Tables) -> Callable[[str, str], frozenset[str]]:
    """Make the look-up that `hl7v2.admission.admit` takes as `sender_ids`.

    Parameters
    ----------
    tables : Tables
        The tables in force; after a reload the door gets a new look-up.

    Returns
    -------
    callable
        From MSH-3 and MSH-4 to the processing ids of the sender's row; empty when there is no row or it names none.
    """

    @lru_cache(_SENDERS)
    def processing_ids(application: str, facility: str) -> frozenset[str]:
        row = tables.sender(hd_names(application), hd_names(facility))
        return row.processing_ids if row is not None else frozenset()

    return processing_ids
