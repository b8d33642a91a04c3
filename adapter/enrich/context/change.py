"""The change against the earlier result (switch `change`): an Observation of its own, derived from both.

A change says something only when it is larger than what analysis and biology do by themselves, the reference change value:
RCV = sqrt(2) z sqrt(CVA^2 + CVI^2). The variations are a site's own (`variation.csv`); none are shipped, and without a row
nothing is compared. A row names its specimen, so that urine, whose variation within a person is large, is compared only where a
row says so.

Compared are final results of one patient, LOINC code, laboratory and method; a code for a sample taken after dialysis is another
code. The earlier result is the last one before this one, of the same message or of the history. The decision compares squares
of fractions and rounds nothing; the percentages that are shown are rounded to two decimals, half to even.

References
----------
Fraser CG, Biological Variation: From Principles to Practice, 2001 (reference change value).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from adapter.enrich.context.facts import Fact, collected, is_earlier
from adapter.enrich.context.judgement import JUDGEMENT_SYSTEM, Judgement, begun
from adapter.enrich.interpretation import flag
from adapter.enrich.laboratory import laboratory_of
from adapter.enrich.mark import mark
from adapter.fhir.canonical import UCUM
from adapter.fhir.identity import resource_uuid
from adapter.issues import Issue
from adapter.tables.axes import includes
from adapter.tables.check_rows import fold
from adapter.tables.index import Tables
from adapter.tables.rows import VariationRow

_SHOWN = Decimal("0.01")
_PRECISE = Context(prec=60, rounding=ROUND_HALF_EVEN)
URI_SYSTEM = "urn:ietf:rfc:3986"


class Known(NamedTuple):
    """A result as the history keeps it.

    Parameters
    ----------
    patient : str
        Digest of the patient's identifier.
    loinc : str
        LOINC code.
    system, identifier : str
        What the Observation is known by; the system is empty where it has no identifier and no address.
    collected : str
        Time of collection as FHIR writes it.
    number, unit : str
        Value and UCUM unit.
    laboratory, method : str
        What must be the same for a comparison.
    """

    patient: str
    loinc: str
    system: str
    identifier: str
    collected: str
    number: str
    unit: str
    laboratory: str
    method: str


class History(Protocol):
    """Earlier results; the command line keeps them in a file."""

    def earlier(self, patient: str, loinc: str) -> list[Known]:
        """Give what is known of a patient under a LOINC code."""

    def keep(self, results: Sequence[Known]) -> None:
        """Keep results; one of the same identifier is replaced."""

    def forget(self, identities: Sequence[tuple[str, str]]) -> None:
        """Forget results that were taken back, by system and identifier."""


class Candidate(NamedTuple):
    """An earlier result: what refers to it, and what it says."""

    reference: dict[str, Any]
    known: Known


def compare(tables: Tables, facts: Sequence[Fact], history: History | None) -> Iterator[Judgement | Issue]:
    """Compare the results of a message with earlier ones.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    facts : sequence of Fact
        The numbers of the message.
    history : History or None
        Earlier messages; None: only the results of this one.

    Yields
    ------
    Judgement or Issue
        One for each result that has an earlier one.
    """
    for fact in facts:
        row = variation_of(fact)
        time = collected(fact.observation)
        if row is None or not time:
            continue
        known = known_of(fact)
        candidates = [
            Candidate({"reference": other.url} if other.url else _logical(known_of(other)), known_of(other))
            for other in facts
            if other is not fact and other.patient == fact.patient and variation_of(other) is row
        ]
        if history is not None and known.patient:
            stored = history.earlier(known.patient, known.loinc)
            candidates += [
                Candidate(_logical(one), one)
                for one in stored
                if one[2:4] not in {known[2:4], *(other.known[2:4] for other in candidates)}
            ]
        same = [
            one
            for one in candidates
            if (one.known.laboratory, one.known.method) == (known.laboratory, known.method)
            and is_earlier(one.known.collected, time)
        ]
        last = [one for one in same if not any(is_earlier(one.known.collected, other.known.collected) for other in same)]
        if len(last) == 1:
            made = _judged(tables, fact, last[0], row)
            if made is not None:
                yield made
        elif last:
            yield Issue("change-not-computed", fact.result.context.place, "two earlier results are equally late")


def variation_of(fact: Fact) -> VariationRow | None:
    """Give the row of the site for a result that may be compared; None where there is none, or two are equally specific."""
    if fact.row is None or fact.pack is None or fact.comparator or not fact.final or not fact.unit:
        return None
    rows = fact.pack.variation.get(fact.loinc, ())
    if not rows:
        return None
    laboratory = laboratory_of(fact.result)[0]
    axis = fact.result.specimen.axis or fact.row.specimen
    fitting = [row for row in rows if row.laboratory in ("", laboratory) and includes(fact.result.tables, row.specimen, axis)]
    best = max((bool(row.laboratory) for row in fitting), default=False)
    fitting = [row for row in fitting if bool(row.laboratory) == best]
    return fitting[0] if len(fitting) == 1 else None


def known_of(fact: Fact) -> Known:
    """Give a result as the history keeps it."""
    observation, context = fact.observation, fact.result.context
    patients = [one for one in (context.patient or {}).get("identifier", ()) if one.get("system") and one.get("value")]
    patient = resource_uuid("history", patients[0]["system"], patients[0]["value"]) if patients else ""
    time, number = collected(observation), format(fact.value, "f")
    system, identifier = identity_of(observation, fact.url)
    if not identifier:
        identifier = resource_uuid("history", patient, fact.loinc, time, number, fact.unit)
    return Known(patient, fact.loinc, system, identifier, time, number, fact.unit, _laboratory(fact), _method(observation))


def identity_of(observation: Mapping[str, Any], url: str) -> tuple[str, str]:
    """Give what an Observation is known by: system and value of an identifier, else its URL; both empty where it has neither."""
    identifiers = [one for one in observation.get("identifier", ()) if one.get("system") and one.get("value")]
    own = next((one for one in identifiers if one["system"] == URI_SYSTEM), identifiers[0] if identifiers else None)
    if own is not None:
        return own["system"], own["value"]
    return (URI_SYSTEM, url) if url else ("", "")


def _judged(tables: Tables, fact: Fact, earlier: Candidate, row: VariationRow) -> Judgement | None:
    factor = tables.ucum.factor(earlier.known.unit, fact.unit)
    before = Fraction(earlier.known.number)
    if factor is None or before <= 0:
        return None
    change = Fraction(fact.value) / (before * factor) - 1
    significant, limit = larger_than_reference_change(change, row.cv_analytical, row.cv_individual, row.z)
    code = ("U" if change > 0 else "D") if significant else ""
    # round() of a fraction is exact and half to even
    shown = Decimal(round(change * 10000)).scaleb(-2)
    text = (
        f"Earlier {earlier.known.number} {earlier.known.unit} ({earlier.known.collected}), now "
        f"{format(fact.value, 'f')} {fact.unit} ({collected(fact.observation)}): change {shown} %; reference change value "
        f"{limit} % (z {row.z}, CVA {row.cv_analytical} %, CVI {row.cv_individual} %). "
        f"The change is {'larger' if significant else 'not larger'} than the reference change value."
    )
    made = begun("change-computed", row.id, fact, "final")
    made["code"] = {
        "coding": [{"system": JUDGEMENT_SYSTEM, "code": "change", "display": "Change against the earlier result"}],
        "text": f"Change against the earlier result (LOINC {fact.loinc})",
    }
    made["valueQuantity"] = {"value": shown, "unit": "%", "system": UCUM, "code": "%"}
    if code:
        origin = "change larger than the reference change value"
        computed = {"extension": [mark("change-computed", row.id, tables.version)], **flag(tables, code, origin)}
        made["interpretation"] = [computed]
    made["derivedFrom"] = [{"reference": fact.url}, earlier.reference]
    made["note"] = [{"text": text}]
    return Judgement("change", fact, made, text)


def larger_than_reference_change(
    change: Fraction, cv_analytical: Decimal, cv_individual: Decimal, z: Decimal
) -> tuple[bool, Decimal]:
    """Tell whether a change is larger than the reference change value.

    Parameters
    ----------
    change : fractions.Fraction
        The change as a part of the earlier value.
    cv_analytical, cv_individual : decimal.Decimal
        Coefficients of variation in percent.
    z : decimal.Decimal
        Standard normal deviate.

    Returns
    -------
    tuple of bool and decimal.Decimal
        The answer, exact; and the reference change value in percent, rounded to two decimals, half to even.
    """
    # (change in percent)^2 > 2 z^2 (CVA^2 + CVI^2): no root, no rounding
    square = 2 * Fraction(z) ** 2 * (Fraction(cv_analytical) ** 2 + Fraction(cv_individual) ** 2)
    root = _PRECISE.sqrt(_PRECISE.divide(Decimal(square.numerator), Decimal(square.denominator)))
    return (change * 100) ** 2 > square, _PRECISE.quantize(root, _SHOWN)


def _logical(known: Known) -> dict[str, Any]:
    """Refer to an Observation of another message: by its identifier, else in words."""
    if not known.system:
        return {"type": "Observation", "display": f"result of {known.collected}"}
    return {"type": "Observation", "identifier": {"system": known.system, "value": known.identifier}}


def _laboratory(fact: Fact) -> str:
    found = laboratory_of(fact.result)[0]
    names = sorted(fold(organization.get("name", "")) for organization in fact.result.context.organizations)
    return found or "|".join(names)


def _method(observation: dict[str, Any]) -> str:
    method = observation.get("method", {})
    codings = sorted(f"{coding.get('system', '')}|{coding.get('code', '')}" for coding in method.get("coding", ()))
    return " ".join(codings) or fold(method.get("text", ""))
