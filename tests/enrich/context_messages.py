"""Messages and sites for the tests of context judgements."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapter.config import ContextSwitch, OutputForm, Settings
from adapter.fhir.json import loads
from adapter.hl7v2.framing import RawMessage
from adapter.issues import Issue
from adapter.pipeline import Outcome, Pipeline

Site = Callable[..., Pipeline]
"""Fixture `site("iss", history=None, iss_context=[{...}])`."""

SERUM, URINE = "SER^Serum^HL70487", "UR^Urine^HL70487"
MARKER, ALBUMIN = "1952-1^Beta-2-Microglobulin^LN", "1751-7^Albumin^LN"
MYELOMA = "C90.00^Multiple myeloma^I10C"
MORNING = "20260113080000+0100"


def order(*results: str, specimen: str = SERUM, reason: str = "", time: str = MORNING, number: int = 1) -> str:
    """One OBR with its results, each `code|value|unit` or `code|value|unit|range|flag`, and its specimen."""
    lines = [f"OBR|{number}||F{number}|PANEL^Panel^L|||{time}" + "|" * 18 + "F" + "|" * 6 + reason]
    for index, result in enumerate(results, 1):
        code, value, unit, *rest = result.split("|")
        reference, flag = (*rest, "", "")[:2]
        lines.append(f"OBX|{index}|{'SN' if '^' in value else 'NM'}|{code}||{value}|{unit}|{reference}|{flag}|||F|||{time}")
    lines.append(f"SPM|1|S{number}||{specimen}")
    return "\r".join(lines)


def message(*orders: str, patient: str = "T1", control: str = "M1") -> bytes:
    """A message of a test laboratory."""
    head = f"MSH|^~\\&|TESTLIS|TEST LABORATORY|TESTEHR|TEST HOSPITAL|{MORNING}||ORU^R01^ORU_R01|{control}|P|2.5.1"
    person = f"PID|1||{patient}^^^TEST HOSPITAL&2.16.840.1.113883.19.5&ISO^MR||PATIENT^TEST||19600101|F"
    return "\r".join([head, person, *orders, ""]).encode()


def run(pipeline: Pipeline, data: bytes | str) -> Outcome:
    """Convert one message, which must be converted."""
    data = data.encode() if isinstance(data, str) else data
    outcome = pipeline(RawMessage("json" if data.startswith(b"{") else "er7", data, 0))
    assert outcome.fate == "converted", outcome.issues
    return outcome


def observations(outcome: Outcome) -> list[dict[str, Any]]:
    """The Observations of the output, in order."""
    found = []
    for line in outcome.lines:
        resource = loads(line)
        inner = [entry["resource"] for entry in resource.get("entry", ())] or [resource]
        found += [one for one in inner if one["resourceType"] == "Observation"]
    return found


def judgements(outcome: Outcome) -> list[dict[str, Any]]:
    """The Observations that the adapter made itself."""
    return [one for one in observations(outcome) if "derivedFrom" in one]


def notes(observation: dict[str, Any]) -> list[str]:
    return [note["text"] for note in observation.get("note", ())]


def slugs(issues: Sequence[Issue]) -> set[str]:
    return {issue.slug for issue in issues}


def settings(*switches: ContextSwitch, to: OutputForm | None = None, mappings: tuple[Path, ...] = ()) -> Settings:
    return Settings(context=switches, to=to, mappings=mappings, validate="full")
