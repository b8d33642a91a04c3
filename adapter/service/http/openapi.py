"""The door described: OpenAPI 3.1 for programs, one page of HTML for people, both made of `operations.py`."""

from __future__ import annotations

from html import escape
from typing import Any

import adapter
from adapter.service.http.convert import ISSUES_HEADER
from adapter.service.http.examples import example
from adapter.service.http.operations import OPERATIONS, Operation
from adapter.service.http.outcomes import FHIR_JSON

#: Errors that any operation may give.
_ALWAYS: dict[int, str] = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request was made by a web page: it has an Origin header.",
    405: "The address does not know this method; Allow names the right ones.",
    431: "The headers are larger than the limit.",
    500: "The adapter failed on this request.",
    503: "Too many requests are under way; Retry-After says when to try again.",
}
_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}code{background:#eee;padding:0 .2em}"
    "table{border-collapse:collapse}td{border-top:1px solid #ccc;padding:.2em .8em .2em 0;vertical-align:top}"
)


def openapi(*, token: bool = True) -> dict[str, Any]:
    """Make the OpenAPI document.

    Parameters
    ----------
    token : bool
        Whether requests need a bearer token.

    Returns
    -------
    dict
        OpenAPI 3.1.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, token=token and not operation.open)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "b2m-fhir-adapter",
            "version": adapter.__version__,
            "description": "Laboratory results as HL7 v2 or FHIR to enriched FHIR R4.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Resource": _RESOURCE},
        },
    }


def _operation(operation: Operation, *, token: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "responses": {},
    }
    if operation.parameters:
        described["parameters"] = [
            {"name": name, "in": "query", "required": name == operation.required, "schema": _values(values)}
            for name, values in operation.parameters.items()
        ]
    if operation.body:
        content = {
            kind: {
                "schema": {} if "json" in kind and "nd" not in kind else {"type": "string"},
                "example": example(operation.name, kind),
            }
            for kind in operation.body
        }
        described["requestBody"] = {"required": True, "content": content}
    if token:
        described["security"] = [{"bearer": []}]
    always = {status: (text, (FHIR_JSON,)) for status, text in _ALWAYS.items() if status != 401 or token}
    for status, (text, kinds) in sorted((always | operation.answers).items()):
        described["responses"][str(status)] = _answer(status, text, kinds, operation)
    return described


def _values(values: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)} if values else {"type": "string", "minLength": 1}


def _answer(status: int, text: str, kinds: tuple[str, ...], operation: Operation) -> dict[str, Any]:
    content = {kind: {"schema": _schema(status, kind)} for kind in kinds}
    described: dict[str, Any] = {"description": text, "content": content}
    if operation.name == "convert" and status in (200, 422):
        counts = {"description": "Issues by severity: `error=0, warning=1, information=2`.", "schema": {"type": "string"}}
        described["headers"] = {ISSUES_HEADER: counts}
    if status == 503:
        described["headers"] = {"retry-after": {"description": "Seconds.", "schema": {"type": "string"}}}
    return described


def _schema(status: int, kind: str) -> dict[str, Any]:
    if kind == FHIR_JSON:
        # an error of messaging is told in a message
        return {"$ref": "#/components/schemas/Resource"}
    return {"type": "object"} if kind == "application/json" else {"type": "string"}


def page() -> str:
    """Make the page for people: static, without scripts, nothing from elsewhere."""
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>b2m-fhir-adapter</title>',
        f"<style>{_STYLE}</style></head>",
        f"<body><h1>b2m-fhir-adapter {escape(adapter.__version__)}</h1>",
        '<p>For programs: <a href="openapi.json">openapi.json</a>, <a href="fhir/metadata">fhir/metadata</a>.</p>',
    ]
    for operation in OPERATIONS:
        parts.append(f"<h2><code>{operation.method} {escape(operation.path)}</code></h2><p>{_marked(operation.summary)}.</p>")
        parts.append(f"<p>{_marked(operation.description)}</p>")
        if operation.body:
            parts.append(f"<p>Body: {', '.join(f'<code>{escape(kind)}</code>' for kind in operation.body)}</p>")
        if operation.parameters:
            said = [f"{name} = {' | '.join(values)}" if values else name for name, values in operation.parameters.items()]
            parts.append(f"<p>Parameters: {', '.join(f'<code>{escape(text)}</code>' for text in said)}</p>")
        rows = [f"<tr><td>{status}</td><td>{_marked(text)}</td></tr>" for status, (text, _) in sorted(operation.answers.items())]
        parts.append(f"<table>{''.join(rows)}</table>")
    return "".join(parts) + "</body></html>"


def _marked(text: str) -> str:
    """Escape a text and set what stands between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))
