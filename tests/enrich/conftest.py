"""The shipped tables, with a small site laid over them where a test needs a sender or a laboratory of its own."""

from pathlib import Path
from typing import Any

import context_messages
import pytest
from enrich_examples import Enrich, Site, context_of

from adapter.config import ContextSwitch, OutputForm, Settings
from adapter.enrich.context.change import History
from adapter.enrich.enricher import Enricher
from adapter.issues import Issue
from adapter.pipeline import Pipeline
from adapter.tables.columns import COMMON_FILES, PACK_FILES
from adapter.tables.index import Tables
from adapter.tables.load import load_tables


@pytest.fixture(scope="session")
def tables() -> Tables:
    return load_tables()


@pytest.fixture(scope="session")
def enricher(tables: Tables) -> Enricher:
    return Enricher(tables, Settings())


@pytest.fixture(scope="session")
def enricher_as_sent(tables: Tables) -> Enricher:
    return Enricher(tables, Settings(units="as-sent"))


@pytest.fixture
def enrich(enricher: Enricher) -> Enrich:
    """Enrich an Observation in place; `specimen` is a key of `SPECIMENS`."""

    def run(resource: dict[str, Any], specimen: str | dict[str, Any] = "", **context: Any) -> list[Issue]:
        return enricher.enrich(context_of(resource, specimen, **context))

    return run


def write_site(folder: Path, files: dict[str, list[dict[str, str]]]) -> None:
    """Write rows of a site; cells that a row does not name are empty."""
    for name, rows in files.items():
        place, kind = ("common", COMMON_FILES[name]) if name in COMMON_FILES else ("b2m", PACK_FILES[name])
        lines = [",".join(kind.header)]
        for number, row in enumerate(rows):
            cells = {"id": f"test-{name}-{number}", "source": "test", **row}
            lines.append(",".join(f'"{cells.get(column, "")}"' for column in kind.header))
        path = folder / place / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Make an Enricher over the shipped tables and rows of a site: `site(senders=[{...}], ranges=[{...}])`."""

    def make(settings: Settings | None = None, **files: list[dict[str, str]]) -> Enricher:
        write_site(tmp_path, files)
        return Enricher(load_tables([tmp_path]), settings or Settings())

    return make


@pytest.fixture
def context_site(tmp_path: Path) -> context_messages.Site:
    """Make a Pipeline with context judgements over rows of a site: `context_site("iss", iss_context=[{...}])`."""

    def make(
        *switches: ContextSwitch, to: OutputForm | None = None, history: History | None = None, **files: list[dict[str, str]]
    ) -> Pipeline:
        write_site(tmp_path, files)
        return Pipeline(load_tables([tmp_path]), context_messages.settings(*switches, to=to), history)

    return make
