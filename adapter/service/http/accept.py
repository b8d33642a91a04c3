"""Media types: what a request is, and what its sender accepts as an answer (RFC 9110, sections 8.3 and 12.5.1)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

FHIR_NDJSON = "application/fhir+ndjson"
_NDJSON = frozenset({FHIR_NDJSON, "application/x-ndjson", "application/ndjson"})
_JSON = frozenset({"application/fhir+json", "application/json"})
_ANY = frozenset({"*/*", "application/*"})
_ZERO, _ONE = Decimal(0), Decimal(1)


class Accepted(NamedTuple):
    """What an `Accept` header says of the two types of answers.

    Parameters
    ----------
    json : bool
        Whether one resource as JSON is accepted.
    ndjson : bool
        Whether lines are accepted.
    prefers_ndjson : bool
        Whether lines are asked for, even for one resource.
    """

    json: bool
    ndjson: bool
    prefers_ndjson: bool


def media_type(header: bytes) -> str:
    """Give the type of a `Content-Type` header without its parameters, in lower case; empty where there is none."""
    return header.partition(b";")[0].strip().lower().decode("latin-1")


@lru_cache(256)
def accepted(header: bytes) -> Accepted:
    """Read an `Accept` header; without one everything is accepted."""
    if not header.strip():
        return Accepted(True, True, False)
    weights: dict[str, Decimal] = {}
    for part in header.decode("latin-1").lower().split(","):
        kind, *parameters = (text.strip() for text in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        name = "json" if kind in _JSON else "ndjson" if kind in _NDJSON else "any" if kind in _ANY else ""
        if name:
            weights[name] = max(weights.get(name, _ZERO), _weight(weight))
    others = weights.get("any", _ZERO)
    json, ndjson = weights.get("json", others), weights.get("ndjson", others)
    return Accepted(json > 0, ndjson > 0, "ndjson" in weights and ndjson > 0 and ndjson >= json)


def _weight(text: str) -> Decimal:
    try:
        return min(max(Decimal(text), _ZERO), _ONE)
    except InvalidOperation:
        return _ONE
