"""The fixtures: `fixtures/<theme>/<name>.hl7|.json|.ndjson`, beside each its accepted output `<name>.expected.ndjson`."""

from functools import cache
from pathlib import Path

from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake
from adapter.issues import Issue
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

FOLDER = Path(__file__).resolve().parents[2] / "fixtures"
SUFFIXES = (".hl7", ".json", ".ndjson")
EXPECTED = ".expected.ndjson"


def fixture_files(*suffixes: str) -> list[Path]:
    """Every fixture with one of the suffixes (any suffix, if none is given), in order."""
    wanted = suffixes or SUFFIXES
    return sorted(path for path in FOLDER.glob("*/*") if path.suffix in wanted and not path.name.endswith(EXPECTED))


def fixture_id(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def expected_file(path: Path) -> Path:
    """The accepted output of a fixture: `serum/a.hl7` -> `serum/a.expected.ndjson`."""
    return path.with_name(path.stem + EXPECTED)


@cache
def tables() -> Tables:
    return load_tables()


@cache
def pipeline(settings: Settings = Settings()) -> Pipeline:
    return Pipeline(tables(), settings)


def split(data: bytes) -> tuple[list[RawMessage], list[Issue]]:
    """The messages in a byte stream, and the issues of the stream itself."""
    intake = Intake()
    messages = intake.feed(data) + intake.finish()
    return messages, list(intake.issues)


def convert(data: bytes, settings: Settings = Settings()) -> list[Outcome]:
    """Convert every message in a byte stream."""
    return [pipeline(settings)(raw) for raw in split(data)[0]]


def convert_fixture(name: str, settings: Settings = Settings()) -> list[Outcome]:
    return convert((FOLDER / name).read_bytes(), settings)
