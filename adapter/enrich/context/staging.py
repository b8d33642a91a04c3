"""The stage of the International Staging System (switch `iss`), as a separate Observation shaped as mCODE has it.

A stage is given only where everything is there: the message or Bundle names multiple myeloma that is neither in remission nor
in relapse (`context_codes.csv`; OBR-31, or a Condition); the site declares that the results are from before treatment
(`iss_context.csv`); marker and albumin are final, of one patient and one collection, one of each; none of them is taken after
dialysis. The cut-offs (`iss_stages.csv`) are compared exactly. A marker in moles is compared through `conversions.csv`, and not
at all within one percent of a cut-off, because its factor is known to a few digits only. The status is preliminary: a stage is
the decision of a physician.

References
----------
Greipp et al., J Clin Oncol 2005;23:3412 (stages); HL7 mCODE STU4, profile mcode-myeloma-iss-stage (codes and shape).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from adapter.enrich.bounds import EXACT
from adapter.enrich.context.facts import Fact, is_below, of_role, row_of_role, same_collection
from adapter.enrich.context.judgement import Judgement, begun
from adapter.issues import Issue
from adapter.tables.index import Pack, Tables
from adapter.tables.rows import ConversionRow, IssStageRow

#: A marker in moles is not compared with a cut-off that is nearer than this part of it.
_MOLAR_DOUBT = Decimal("0.01")
_ACTIVE = frozenset({"active"})
_CONFIRMED = frozenset({"confirmed"})
_NO_REQUEST = frozenset({"revoked", "entered-in-error", "draft"})


class Stated(NamedTuple):
    """A resource of the message: what refers to it, the resource, and which patient it is about (`facts.patient_key`)."""

    url: str
    resource: dict[str, Any]
    patient: str


class Diagnosis(NamedTuple):
    """A diagnosis that may be staged: the Condition that says so, empty where an order does."""

    condition: str


def stage(tables: Tables, facts: Sequence[Fact], resources: Sequence[Stated]) -> Iterator[Judgement | Issue]:
    """Give the stages of a message.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    facts : sequence of Fact
        The numbers of the message.
    resources : sequence of Stated
        All resources of the message.

    Yields
    ------
    Judgement or Issue
        A stage; or the reason why there is none for a patient whose diagnosis may be staged.
    """
    for pack in tables.packs.values():
        if not pack.iss_stages or not pack.iss_context:
            continue
        for patient in dict.fromkeys(fact.patient for fact in facts):
            mine = [fact for fact in facts if fact.patient == patient]
            markers = of_role(pack, "iss-marker", mine)
            diagnosis = _diagnosis(tables, pack, patient, resources) if markers else None
            if diagnosis is not None and any(_is_before_treatment(pack, fact) for fact in markers):
                yield _stage_of(tables, pack, mine, diagnosis)


def _stage_of(tables: Tables, pack: Pack, facts: Sequence[Fact], diagnosis: Diagnosis) -> Judgement | Issue:
    markers = [fact for fact in of_role(pack, "iss-marker", facts) if _is_before_treatment(pack, fact)]
    albumins = of_role(pack, "iss-albumin", facts)
    place = markers[0].result.context.place
    if any(fact.row is not None and fact.row.challenge for fact in facts):
        return Issue("iss-not-staged", place, "a result of the message is from after a challenge such as dialysis")
    if len(markers) != 1 or len(albumins) != 1:
        return Issue("iss-not-staged", place, f"{len(markers)} marker and {len(albumins)} albumin results; one of each is needed")
    marker, albumin = markers[0], albumins[0]
    if not (marker.final and albumin.final):
        return Issue("iss-not-staged", place, "marker and albumin must be final")
    if same_collection(marker, albumin) is not True:
        return Issue("iss-not-staged", place, "marker and albumin are not known to be of one collection")
    if not marker.url or not albumin.url:
        return Issue("iss-not-staged", place, "a stage is an Observation of its own, and nothing can be added here")
    compared, conversion = _in_mass(tables, pack, marker)
    if compared is None:
        return Issue("iss-not-staged", place, "the unit of the marker does not convert, or its value is too near a cut-off")
    row = _row(tables, pack.iss_stages, compared, albumin)
    if row is None:
        return Issue("iss-not-staged", place, "a < or > result, or a unit, leaves the stage open")
    return _judgement(pack, row, marker, albumin, diagnosis, conversion)


def _row(tables: Tables, rows: Iterable[IssStageRow], marker: Fact, albumin: Fact) -> IssStageRow | None:
    """Find the stage; None where a value does not decide."""
    rest: IssStageRow | None = None
    open_question = False
    for row in rows:
        conditions: list[bool | None] = []
        if row.marker_below is not None:
            conditions.append(is_below(tables, marker, row.marker_below, row.marker_unit))
        if row.marker_from is not None:
            conditions.append(_not(is_below(tables, marker, row.marker_from, row.marker_unit)))
        if row.albumin_from is not None:
            conditions.append(_not(is_below(tables, albumin, row.albumin_from, row.albumin_unit)))
        if not conditions:
            rest = row
        elif False not in conditions:
            if None not in conditions:
                return row
            open_question = True
    return None if open_question else rest


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _in_mass(tables: Tables, pack: Pack, marker: Fact) -> tuple[Fact | None, ConversionRow | None]:
    """Give the marker in the unit of the cut-offs; None where it does not convert, or is in moles and too near a cut-off."""
    assert marker.row is not None
    rows = [row for row in pack.iss_stages if row.marker_unit]
    unit = rows[0].marker_unit if rows else ""
    if tables.ucum.factor(marker.unit, unit) is not None:
        return marker, None
    for (analyte, from_unit, to_unit), conversion in pack.conversions.items():
        factor = tables.ucum.factor(marker.unit, to_unit)
        if analyte != marker.row.analyte or from_unit != unit or factor is None:
            continue
        # value / conversion < border is value < border * conversion: the cut-offs go into moles, so that nothing is divided
        amount = EXACT.multiply(marker.value, Decimal(factor.numerator))
        for border in (one for row in rows for one in (row.marker_from, row.marker_below) if one is not None):
            molar = EXACT.multiply(EXACT.multiply(border, conversion.factor), Decimal(factor.denominator))
            if abs(EXACT.subtract(amount, molar)) <= EXACT.multiply(molar, _MOLAR_DOUBT):
                return None, None
        mass = EXACT.divide(amount, EXACT.multiply(conversion.factor, Decimal(factor.denominator)))
        return marker._replace(value=mass, unit=unit), conversion
    return None, None


def _judgement(
    pack: Pack, row: IssStageRow, marker: Fact, albumin: Fact, diagnosis: Diagnosis, conversion: ConversionRow | None
) -> Judgement:
    made = begun("stage-computed", row.id, marker, "preliminary")
    made["code"] = _concept(pack, "iss-question")
    if diagnosis.condition:
        made["focus"] = [{"reference": diagnosis.condition}]
    made["valueCodeableConcept"] = {"coding": [{"system": row.code_system, "code": row.code, "display": row.display}]}
    made["method"] = _concept(pack, "iss-method")
    made["derivedFrom"] = [{"reference": marker.url}, {"reference": albumin.url}]
    text = (
        f"{row.display}, computed from {marker.comparator}{marker.value} {marker.unit} and albumin "
        f"{albumin.comparator}{albumin.value} {albumin.unit} of one collection, which the site declares to be from before "
        "treatment. Preliminary: the stage is for a physician to confirm."
    )
    if conversion is not None:
        text += f" Moles were compared as mass with the factor {conversion.factor} ({conversion.id})."
    made["note"] = [{"text": text}]
    return Judgement("iss", marker, made, text)


def _concept(pack: Pack, role: str) -> dict[str, Any]:
    rows = pack.context_codes.get(role, ())
    coding = [{"system": row.code_system, "code": row.code, "display": row.display} for row in rows]
    return {"coding": coding, "text": rows[0].display}


def _is_before_treatment(pack: Pack, fact: Fact) -> bool:
    """Whether a row of the site says that results of this sender and order are from before treatment."""
    context = fact.result.context
    report = context.report or {}
    orders = {coding.get("code", "") for coding in report.get("code", {}).get("coding", ())}
    return any(
        row.sender_application in ("", *context.sender_application)
        and row.sender_facility in ("", *context.sender_facility)
        and (not row.order_code or row.order_code in orders)
        for row in pack.iss_context
    )


def _diagnosis(tables: Tables, pack: Pack, patient: str, resources: Iterable[Stated]) -> Diagnosis | None:
    """Find the diagnosis of a patient; None where there is none, or where one says remission or relapse."""
    found: Diagnosis | None = None
    for url, resource, subject in resources:
        if subject != patient:
            continue
        if resource["resourceType"] == "ServiceRequest":
            concepts, holds, named = resource.get("reasonCode", ()), resource.get("status") not in _NO_REQUEST, ""
        elif resource["resourceType"] == "Condition":
            concepts, holds, named = (resource.get("code", {}),), _holds(resource), url
        else:
            continue
        codings = [coding for concept in concepts for coding in concept.get("coding", ())]
        if any(_has_role(tables, pack, "iss-diagnosis-excluded", coding) for coding in codings):
            return None
        if any(_has_role(tables, pack, "iss-diagnosis", coding) for coding in codings):
            if not holds:
                return None
            found = Diagnosis(named or (found.condition if found is not None else ""))
    return found


def _holds(condition: dict[str, Any]) -> bool:
    """Whether a Condition is active and confirmed, as far as it says."""
    statuses = (("clinicalStatus", _ACTIVE), ("verificationStatus", _CONFIRMED))
    return all(
        coding.get("code") in allowed for name, allowed in statuses for coding in condition.get(name, {}).get("coding", ())
    )


def _has_role(tables: Tables, pack: Pack, role: str, coding: dict[str, Any]) -> bool:
    return row_of_role(pack, role, coding.get("system", ""), coding.get("code", ""), tables) is not None
