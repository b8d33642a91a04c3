"""Answers to what went wrong: FHIR OperationOutcome and HTTP status, from the catalogue of issues.

Nothing that was sent is repeated but what an issue tells of itself: place and detail, which hold no patient data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapter.fhir.canonical import CANONICAL_BASE
from adapter.fhir.json import dumps
from adapter.issues import Issue

FHIR_JSON = "application/fhir+json"
#: System of the slugs of issues.
ISSUES = CANONICAL_BASE + "/CodeSystem/issues"

#: HTTP status (RFC 9110, RFC 6585) by slug; what is not listed is a fault of a message that was understood as such: 422.
_STATUS = {
    "no-message": 400,
    "request-malformed": 400,
    "parameter-invalid": 400,
    "content-encoding": 400,
    "message-header-missing": 400,
    "not-authorized": 401,
    "web-page-refused": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "not-acceptable": 406,
    "request-too-slow": 408,
    "oversize": 413,
    "media-type": 415,
    "headers-too-large": 431,
    "internal-error": 500,
    "output-invalid": 500,
    "too-busy": 503,
    "not-stored": 503,
    "not-ready": 503,
}
#: FHIR R4 IssueType by slug; for the others see `_code`.
_CODES = {
    "no-message": "required",
    "no-msh": "structure",
    "truncated": "incomplete",
    "binary-noise": "structure",
    "json-invalid": "structure",
    "json-unsafe": "structure",
    "request-malformed": "structure",
    "content-encoding": "structure",
    "parameter-invalid": "invalid",
    "fhir-invalid": "invalid",
    "message-header-missing": "required",
    "missing-patient": "required",
    "result-missing": "required",
    "message-type-missing": "required",
    "control-id-missing": "required",
    "required-field-missing": "required",
    "not-authorized": "login",
    "web-page-refused": "forbidden",
    "not-found": "not-found",
    "method-not-allowed": "not-supported",
    "not-acceptable": "not-supported",
    "media-type": "not-supported",
    "not-a-result": "not-supported",
    "type-unsupported": "not-supported",
    "version-unsupported": "not-supported",
    "processing-id-refused": "business-rule",
    "request-too-slow": "timeout",
    "oversize": "too-long",
    "headers-too-large": "too-long",
    "too-many-segments": "too-costly",
    "too-busy": "throttled",
    "not-stored": "no-store",
    "not-ready": "transient",
    "internal-error": "exception",
    "output-invalid": "exception",
}
#: Answers that may be different a little later.
_TRANSIENT = frozenset({"too-busy", "not-stored", "not-ready"})
RETRY_SECONDS = 5


class Refusal(Exception):  # noqa: N818  (the request was refused; the program has no error)
    """A request is answered with an error.

    Parameters
    ----------
    slug : str
        Row of the catalogue of issues.
    detail : str
        What is particular to this case, without patient data.
    place : str
        Name of the parameter or header, where it is one.
    status : int
        HTTP status; 0 takes that of the slug.
    headers : mapping of str to str
        Further headers.
    """

    def __init__(
        self, slug: str, detail: str = "", *, place: str = "", status: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(slug)
        self.issue = Issue(slug, place, detail)
        self.status = status or status_of(slug)
        self.headers = dict(headers or {})
        if slug in _TRANSIENT:
            self.headers.setdefault("retry-after", str(RETRY_SECONDS))


def status_of(slug: str) -> int:
    """Give the HTTP status for the reason of a refusal."""
    return _STATUS.get(slug, 422)


def operation_outcome(issues: Iterable[Issue], *, nothing: str = "Nothing was noticed.") -> dict[str, Any]:
    """Write issues as a FHIR OperationOutcome.

    Parameters
    ----------
    issues : iterable of Issue
        In order.
    nothing : str
        What the one issue that FHIR requires says when there are none.

    Returns
    -------
    dict
        The resource.
    """
    told = [_told(issue) for issue in issues]
    if not told:
        told = [{"severity": "information", "code": "informational", "details": {"text": nothing}}]
    return {"resourceType": "OperationOutcome", "issue": told}


def outcome_text(issues: Iterable[Issue]) -> bytes:
    """Write issues as the JSON of an OperationOutcome, one line."""
    return dumps(operation_outcome(issues))


def _told(issue: Issue) -> dict[str, Any]:
    kind = issue.kind
    told: dict[str, Any] = {
        "severity": kind.severity,
        "code": _CODES.get(issue.slug) or _code(issue),
        "details": {"coding": [{"system": ISSUES, "code": issue.slug}], "text": kind.meaning},
    }
    said = f"{issue.place}: {issue.detail}" if issue.place and issue.detail else issue.place or issue.detail
    # FHIR strings hold no control characters; a detail may quote a code of a table
    said = "".join(char if char.isprintable() else " " for char in said)
    told["diagnostics"] = f"{said.rstrip('.')}. {kind.action}" if said else kind.action
    return told


def _code(issue: Issue) -> str:
    if issue.severity == "information":
        return "informational"
    return "invalid" if issue.severity == "error" else "business-rule"
