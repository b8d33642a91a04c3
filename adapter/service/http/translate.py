"""`ConceptMap/$translate` (FHIR R4, GET and POST) over the tables in force: reads the parameters, writes the answer.

A map is named by `url`, or found by the system of the concept. What decides beside the code (specimen, unit, sender) comes as
`dependency` whose element is a column of `codes.csv`, as in the exported maps. Value sets (`source`, `target`) are not known here
and are refused rather than passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapter.fhir.json import dumps, loads
from adapter.fhir.validation import structure_faults
from adapter.issues import Rejected
from adapter.service.http.body import Body
from adapter.service.http.concept_maps import CONDITIONS, MAPS, translate
from adapter.service.http.outcomes import FHIR_JSON, Refusal
from adapter.service.http.process_message import need_json, need_json_accepted
from adapter.tables.export_concept_maps import column_of
from adapter.tables.index import Tables
from adapter.tables.resolve import Coding

#: Parameters that a GET may have; all of them are primitive.
QUERY = ("url", "conceptMapVersion", "code", "system", "version", "targetsystem", "reverse")
_CONCEPTS = ("code", "coding", "codeableConcept")
_NOT_HERE = ("conceptMap", "source", "target")
_LARGEST = 2**20
_PART = "Parameters.parameter"

Asked = dict[str, Any]


class Translate:
    """The endpoint.

    Parameters
    ----------
    tables : callable
        Gives the tables in force.
    """

    def __init__(self, tables: Callable[[], Tables]) -> None:
        self._tables = tables

    async def get(self, request: Request) -> Response:
        """Answer a GET."""
        need_json_accepted(request)
        asked: Asked = {}
        for name, value in request.query_params.multi_items():
            if name in asked:
                raise Refusal("parameter-invalid", "it stands there twice", place=name)
            if name not in QUERY:
                raise Refusal("parameter-invalid", f"the parameters of a GET are {', '.join(QUERY)}")
            if not value:
                raise Refusal("parameter-invalid", "it is empty", place=name)
            asked[name] = value
        return self._answer(asked, {})

    async def post(self, request: Request) -> Response:
        """Answer a POST of `Parameters`."""
        need_json(request)
        data = await Body(dict(request.scope["headers"]), request.receive, _LARGEST).whole()
        if not data.strip():
            raise Refusal("no-message")
        try:
            parameters = loads(data)
        except Rejected as rejected:
            raise Refusal(rejected.issue.slug, rejected.issue.detail, place=rejected.issue.place, status=400) from None
        if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
            raise Refusal("fhir-invalid", "the body is a resource of type Parameters", place="Resource.resourceType", status=400)
        faults = structure_faults(parameters)
        if faults:
            path, reason = faults[0]
            raise Refusal("fhir-invalid", reason, place=path, status=400)
        return self._answer(*_read(parameters))

    def _answer(self, asked: Asked, conditions: Mapping[str, str]) -> Response:
        name, codings, text = _concept(asked)
        found = translate(self._tables(), name, codings, text, conditions)
        if found is None:
            raise Refusal("not-found", "there is no such ConceptMap", place="url")
        wanted = asked.get("targetsystem", "")
        matches = [match for match in found.matches if not wanted or not match.system or match.system == wanted]
        result = any(match.equivalence not in ("unmatched", "disjoint") for match in matches)
        message = found.message
        if not result and not message:
            message = "There is no translation into the system that was asked for."
        parts: list[dict[str, Any]] = [{"name": "result", "valueBoolean": result}]
        if message:
            parts.append({"name": "message", "valueString": message})
        parts += [match.part() for match in matches]
        return Response(dumps({"resourceType": "Parameters", "parameter": parts}), media_type=FHIR_JSON)


def _concept(asked: Asked) -> tuple[str, list[Coding], str]:
    """Give the id of the map, the codings and the text that were asked for; refuse what cannot be answered."""
    for refused in _NOT_HERE:
        if refused in asked:
            raise Refusal("parameter-invalid", "name a map by url, a system by targetsystem", place=refused)
    if str(asked.get("reverse", "false")).lower() != "false":
        raise Refusal("parameter-invalid", "maps are followed in their direction only", place="reverse")
    given = [kind for kind in _CONCEPTS if kind in asked]
    if len(given) != 1:
        raise Refusal("parameter-invalid", f"exactly one of {', '.join(_CONCEPTS)} is needed")
    url = asked.get("url", "")
    if url and not url.startswith(MAPS):
        raise Refusal("not-found", "there is no such ConceptMap", place="url")
    if given == ["code"]:
        sent, text = [{"system": asked.get("system", ""), "code": asked["code"]}], ""
    elif given == ["coding"]:
        sent, text = [asked["coding"]], ""
    else:
        sent, text = asked["codeableConcept"].get("coding", []), asked["codeableConcept"].get("text", "")
    codings = [Coding(one.get("system", ""), one.get("code", ""), one.get("display", "")) for one in sent]
    if not text and not any(coding.code.strip() for coding in codings):
        raise Refusal("parameter-invalid", "the concept has no code", place=given[0])
    return url[len(MAPS) :], codings, text


def _read(parameters: Mapping[str, Any]) -> tuple[Asked, dict[str, str]]:
    """Read `Parameters` into values by name, and its dependencies into conditions by column."""
    asked: Asked = {}
    conditions: dict[str, str] = {}
    for number, parameter in enumerate(parameters.get("parameter", ())):
        place = f"{_PART}[{number}]"
        name = parameter["name"]
        if name == "dependency":
            column, value = _dependency(parameter, place)
            conditions[column] = value
            continue
        if name not in (*QUERY, *_CONCEPTS, *_NOT_HERE):
            raise Refusal("parameter-invalid", "there is no such parameter", place=place)
        if name in asked:
            raise Refusal("parameter-invalid", "it stands there twice", place=place)
        value = _value(parameter)
        shape: type = dict if name in ("coding", "codeableConcept") else bool if name == "reverse" else str
        if name not in _NOT_HERE and not isinstance(value, shape):
            raise Refusal("parameter-invalid", "its value has another type", place=place)
        asked[name] = value
    return asked, conditions


def _dependency(parameter: Mapping[str, Any], place: str) -> tuple[str, str]:
    parts = {part["name"]: _value(part) for part in parameter.get("part", ())}
    element = parts.get("element")
    column = column_of(element) if isinstance(element, str) else ""
    if column not in CONDITIONS:
        raise Refusal("parameter-invalid", f"its element is the URI of one of {', '.join(CONDITIONS)}", place=place)
    concept = parts.get("concept")
    if isinstance(concept, dict):
        coding = (concept.get("coding") or [{}])[0]
        concept = concept.get("text") or coding.get("code") or coding.get("display")
    if not isinstance(concept, str) or not concept:
        raise Refusal("parameter-invalid", "a dependency has a concept: its text, or its first code", place=place)
    return column, concept


def _value(parameter: Mapping[str, Any]) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), None)
