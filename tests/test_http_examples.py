"""The examples of the description are taken as they stand there."""

import json

import pytest
from helpers.http_door import running, settings_for

from adapter.service.http.openapi import openapi

EXAMPLES = [
    (path, kind, body["example"])
    for path, methods in openapi()["paths"].items()
    for operation in methods.values()
    for kind, body in operation.get("requestBody", {"content": {}})["content"].items()
]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with running(settings_for(tmp_path_factory.mktemp("door"))) as door:
        yield door


@pytest.mark.parametrize(("path", "kind", "example"), EXAMPLES, ids=lambda part: part if isinstance(part, str) else "")
def test_an_example_is_taken(door, path, kind, example):
    body = example if isinstance(example, str) else json.dumps(example)
    assert door.ask("POST", path, body.encode(), {"content-type": kind}).status == 200


def test_there_are_examples():
    assert len(EXAMPLES) > 8
