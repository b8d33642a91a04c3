"""A page in a browser on the machine of the service can send requests to loopback; the HTTP door takes none."""

import pytest
from helpers.http_door import MESSAGE, running, settings_for


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"))) as door:
        yield door


@pytest.mark.parametrize("path", ["/hl7", "/convert"])
@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1"])
def test_a_web_page_cannot_send_a_message(door, path, origin):
    # text/plain is what a page may post anywhere without asking first
    reply = door.ask("POST", path, MESSAGE, {"content-type": "text/plain", "origin": origin})
    assert (reply.status, reply.slug) == (403, "web-page-refused")


def test_a_web_page_is_not_told_that_it_may(door):
    asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
    reply = door.ask("OPTIONS", "/convert", headers=asked)
    assert reply.status == 403
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_no_answer_says_that_a_page_may_read_it(door):
    reply = door.ask("GET", "/fhir/metadata")
    assert reply.status == 200
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_the_host_that_a_client_names_is_not_repeated(door):
    reply = door.ask("GET", "/fhir/metadata", headers={"host": "attacker.example.org"})
    assert b"attacker" not in reply.data
