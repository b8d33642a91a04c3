"""What the door says of itself is what it does: OpenAPI, CapabilityStatement, the page, probes, errors of addresses."""

import re

import pytest
from helpers.http_door import ER7, MESSAGE, running, settings_for

from adapter.fhir.full_validation import full_faults
from adapter.fhir.validation import structure_faults
from adapter.service.http import app
from adapter.service.http.operations import OPERATIONS


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"))) as door:
        yield door


@pytest.fixture(scope="module")
def described(door):
    return door.ask("GET", "/openapi.json").json


def test_every_operation_is_described_and_nothing_else(described):
    said = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert said == {(operation.method, operation.path) for operation in OPERATIONS}


def test_every_route_is_an_operation(door):
    routes = door.worker._server.config.app._app.routes
    served = {(method, route.path) for route in routes for method in route.methods - {"HEAD"}}
    assert served == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_is_there_and_answers_as_described(door, described, operation):
    body = b"" if operation.method == "POST" else None
    reply = door.ask(operation.method, operation.path, body, {"content-type": "text/plain"})
    answers = described["paths"][operation.path][operation.method.lower()]["responses"]
    assert str(reply.status) in answers
    assert reply.headers["content-type"].partition(";")[0] in answers[str(reply.status)]["content"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_is_405_with_allow(door, method):
    reply = door.ask(method, "/convert")
    assert (reply.status, reply.slug, reply.headers["allow"]) == (405, "method-not-allowed", "POST")


def test_the_methods_of_an_address_with_two_operations_are_both_named(door):
    assert door.ask("PUT", "/fhir/ConceptMap/$translate").headers["allow"] == "GET, POST"


@pytest.mark.parametrize("path", ["/", "/nothing", "/convert/", "/fhir", "/fhir/Patient/1", "/%00", "/convert%0d%0aX:y"])
def test_another_address_is_404(door, path):
    reply = door.ask("GET", path)
    assert (reply.status, reply.slug) == (404, "not-found")
    assert structure_faults(reply.json) == []


def test_the_capability_statement_is_valid_fhir(door):
    statement = door.ask("GET", "/fhir/metadata").json
    assert structure_faults(statement) == []
    assert full_faults(statement) == []
    assert statement["fhirVersion"] == "4.0.1"


def test_the_page_needs_nothing_from_elsewhere(door):
    reply = door.ask("GET", "/docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(rb"<script|src=|https?://[^t]", reply.data)


def test_ready_names_the_version_of_the_tables(door):
    reply = door.ask("GET", "/ready")
    assert (reply.status, reply.json["status"]) == (200, "ready")
    assert re.fullmatch("[0-9a-f]{64}", reply.json["tables"])


def test_metrics_count_answers(door):
    door.ask("POST", "/convert", MESSAGE, ER7)
    text = door.ask("GET", "/metrics").data
    assert re.search(rb'b2m_adapter_answered_total\{code="200",door="http"\} [1-9]', text)


def test_a_fault_of_the_program_is_500_without_its_text(door, monkeypatch):
    def fails(*_: object) -> None:
        raise RuntimeError("SECRET")

    monkeypatch.setattr(app.Convert, "_answer", fails)
    reply = door.ask("POST", "/convert", MESSAGE, ER7)
    assert (reply.status, reply.slug) == (500, "internal-error")
    assert b"SECRET" not in reply.data
    assert b"Traceback" not in reply.data
    assert door.ask("GET", "/health").status == 200
