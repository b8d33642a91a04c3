"""Building a wheel, or an editable install, writes the compiled form of the shipped tables (`adapter/tables/shipped.py`)."""

from __future__ import annotations

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedTables(BuildHookInterface):  # type: ignore[type-arg]
    """Checks the tables and writes `adapter/tables/shipped.json`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """No wheel is made of tables with faults; in an editable install they can still be corrected."""
        sys.path.insert(0, self.root)
        from adapter.tables.shipped import write_shipped

        if not write_shipped():
            if version != "editable":
                raise ValueError("the shipped tables have faults; see: b2m-adapter tables check")
            self.app.display_warning("the shipped tables have faults; see: b2m-adapter tables check")
