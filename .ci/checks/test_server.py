"""Posting what the filter makes to a real FHIR server, twice: nothing is there twice (FHIR_SERVER names the server)."""

import json
import os
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from adapter.config import Settings
from adapter.intake import Intake
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

SERVER = os.environ["FHIR_SERVER"]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
TYPES = (
    "Patient",
    "Encounter",
    "ServiceRequest",
    "DiagnosticReport",
    "Observation",
    "Specimen",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Device",
    "Provenance",
    "Location",
)


def call(path: str, body: bytes | None = None) -> dict:
    request = urllib.request.Request(SERVER + path, data=body, headers={"Content-Type": "application/fhir+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def counts() -> Counter:
    return Counter({name: call(f"/{name}?_summary=count").get("total", 0) for name in TYPES})


def transactions() -> list[tuple[str, bytes]]:
    pipeline = Pipeline(load_tables(), Settings())
    found = []
    for path in sorted(FIXTURES.rglob("*.hl7")):
        intake = Intake()
        for raw in intake.feed(path.read_bytes()) + intake.finish():
            found += [(path.name, line) for line in pipeline(raw).lines]
    return found


@pytest.fixture(scope="module")
def posted() -> tuple[Counter, Counter]:
    bundles = transactions()
    assert len(bundles) >= 50
    for name, bundle in bundles:
        answer = call("", bundle)
        assert answer["type"] == "transaction-response", name
    once = counts()
    for _name, bundle in bundles:
        call("", bundle)
    return once, counts()


def test_everything_arrives(posted):
    once, _ = posted
    assert once["Observation"] > 0
    assert once["Patient"] > 0


def test_posting_twice_creates_nothing_twice(posted):
    once, twice = posted
    assert twice == once
