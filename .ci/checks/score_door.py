"""Door for the conformance scorer: ER7 text in, Bundle out, message form."""

from adapter.config import Settings
from adapter.hl7v2.framing import RawMessage
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

_pipeline = Pipeline(load_tables(), Settings(to="message"))


def convert(text: str) -> str:
    """Convert one message; what is rejected counts as a failure of its rows."""
    outcome = _pipeline(RawMessage("er7", text.encode(), 0))
    if outcome.fate != "converted":
        raise ValueError(f"{outcome.fate}: {[(issue.slug, issue.place, issue.detail) for issue in outcome.issues]}")
    return outcome.lines[0].decode()
