"""Results of earlier messages in a local SQLite file (`--history FILE`), for the change against the earlier result.

The file holds laboratory values under a digest of the patient's identifier: patient data, readable by its owner only.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from adapter.enrich.context.change import Known

_SCHEMA = """
CREATE TABLE IF NOT EXISTS result (
    patient TEXT NOT NULL, loinc TEXT NOT NULL, system TEXT NOT NULL, identifier TEXT NOT NULL, collected TEXT NOT NULL,
    number TEXT NOT NULL, unit TEXT NOT NULL, laboratory TEXT NOT NULL, method TEXT NOT NULL,
    PRIMARY KEY (system, identifier)
);
CREATE INDEX IF NOT EXISTS result_of_patient ON result (patient, loinc);
"""
_COLUMNS = ", ".join(Known._fields)


class SqliteHistory:
    """The history in a file; satisfies `adapter.enrich.context.change.History`.

    Parameters
    ----------
    path : Path
        The file; it is created with mode 0600 if it is not there.

    Raises
    ------
    sqlite3.Error
        The file is no SQLite database, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._database = sqlite3.connect(path)
        self._database.executescript(_SCHEMA)

    def earlier(self, patient: str, loinc: str) -> list[Known]:
        """Give what is known of a patient under a LOINC code."""
        found = self._database.execute(f"SELECT {_COLUMNS} FROM result WHERE patient = ? AND loinc = ?", (patient, loinc))
        return [Known(*row) for row in found]

    def keep(self, results: Sequence[Known]) -> None:
        """Keep results; one of the same identifier is replaced."""
        marks = ", ".join("?" * len(Known._fields))
        with self._database:
            self._database.executemany(f"INSERT OR REPLACE INTO result ({_COLUMNS}) VALUES ({marks})", results)

    def forget(self, identities: Sequence[tuple[str, str]]) -> None:
        """Forget results that were taken back, by system and identifier."""
        with self._database:
            self._database.executemany("DELETE FROM result WHERE system = ? AND identifier = ?", identities)

    def close(self) -> None:
        """Close the file."""
        self._database.close()
