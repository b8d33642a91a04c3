"""OBX -> Observation: what the order adds to the rules of the segment (subject, specimen, time), and its identity.

This is the hot path. The rules (`observation_rules`) give what depends on one field, mostly from a template
(`observation_template`); `build_observation` adds the rest. `observation_identity` says what a result is found again by.

Mapping: v2-to-FHIR ORU_R01 rows 55 to 69 and 78.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.convert.assembly import Assembly, Policy, new_context
from adapter.convert.datatypes.identifiers import identifiers_eip
from adapter.convert.datatypes.quantities import DATA_ABSENT_REASON
from adapter.convert.datatypes.text import components, leaf, put
from adapter.convert.datatypes.times import date_time, period
from adapter.convert.environment import Memo
from adapter.convert.notes import build_notes
from adapter.convert.observation_identity import INSTANCE, ambiguous_places, code_key, odd_identity
from adapter.convert.observation_rules import RULES
from adapter.convert.observation_template import apply_result_rules
from adapter.convert.observation_value import complete_absent_reason, has_value
from adapter.convert.order_context import OrderContext
from adapter.convert.order_identity import pair_key
from adapter.convert.performers import add_participant, organizations_of
from adapter.convert.rules import Plan
from adapter.fhir.identity import uuid_stem
from adapter.hl7v2.grouping import Order, Result
from adapter.hl7v2.message import Segment, valued

__all__ = ["RULES", "build_observations", "build_patient_observations"]

FURTHER_SPECIMEN = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.specimen"

_NOT_FINAL = frozenset({"registered", "preliminary", "partial"})
_QUESTIONS = frozenset({"QST", "SCI"})
#: OBX-33 and what follows may name specimens: a segment with more fields than this.
_NAMED_SPECIMEN = 33

Specimen = tuple[dict[str, str], dict[str, Any]]


#: Code of a result without OBX-3: R4 requires one.
_NO_CODE = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}


@dataclass(slots=True, eq=False)
class Surroundings:
    """What all results of one order have in common.

    Parameters
    ----------
    plan : Plan
        Compiled rules of OBX.
    targets : dict
        What these rules write to: the report, and the Observation at hand.
    category : list of dict
        Categories by the section of OBR-24 (A21).
    common : dict
        Subject and encounter.
    effective : tuple of (str, Any) or None
        Element and value for results without OBX-14: OBR-7, or OBR-7 to OBR-8 (A48).
    specimen : tuple of (reference, Specimen) or None
        The one specimen of the order.
    ambiguous : frozenset of (str, str)
        Code and sub-id of several results of which one is a correction.
    key : tuple of str
        Patient and report: the key of a result begins with it.
    uuid : function
        Gives the UUID of a result by the rest of its key.
    occurrences : dict
        How often a result of this patient and report has been met, by code and sub-id.
    codes : Memo
        Of `code_key`.
    """

    plan: Plan
    targets: dict[str, dict[str, Any]]
    category: list[dict[str, Any]]
    common: dict[str, Any]
    effective: tuple[str, Any] | None
    specimen: Specimen | None
    ambiguous: frozenset[tuple[str, str]]
    key: tuple[str, ...]
    uuid: Callable[..., str]
    occurrences: dict[tuple[str, str], int]
    codes: Memo


def build_observations(assembly: Assembly, plans: dict[str, Plan], context: OrderContext) -> None:
    """Build the results of an order, those of its specimens too, and append the order's results to its report.

    Parameters
    ----------
    assembly : Assembly
        The message being converted; takes the Observations and their contexts for enrichment.
    plans : dict of str to Plan
        Compiled rules.
    context : OrderContext
        The order with its report, ServiceRequest and specimens.
    """
    order = context.order
    groups = [group for group in order.specimens if group.observations]
    everything = [*order.observations, *(result for group in groups for result in group.observations)]
    request = order.request
    key = (assembly.patient_key, *context.report_key)
    surroundings = Surroundings(
        plans["OBX"],
        {"Observation": {}, "DiagnosticReport": context.report},
        _category(assembly, request) if request is not None else [],
        _common(assembly),
        _effective(assembly, request) if request is not None else None,
        context.specimens[0][:2] if len(context.specimens) == 1 else None,
        ambiguous_places(assembly, everything),
        key,
        uuid_stem("Observation", *key),
        assembly.occurrences.setdefault(key, {}),
        assembly.environment.memo(code_key),
    )
    results = context.report.setdefault("result", []) if order.observations else []
    for result in order.observations:
        reference = build_observation(assembly, plans, result, context, surroundings)
        fields = result.segment.fields
        if len(fields) <= 29 or fields[29].partition("^")[0] not in _QUESTIONS:
            results.append(reference)
        elif context.service_request is not None:
            context.service_request.setdefault("supportingInfo", []).append(reference)
    if order.observations and not results:
        del context.report["result"]
    for group in groups:
        focus = next(
            ((reference, resource) for reference, resource, segment in context.specimens if segment is group.segment), None
        )
        for result in group.observations:
            build_observation(assembly, plans, result, context, surroundings, focus)


def build_patient_observations(assembly: Assembly, plans: dict[str, Plan], results: Sequence[Result]) -> None:
    """Build the results about the patient that belong to no order (PATIENT_OBSERVATION, HL7 v2.7 and later); no report has them.

    Parameters
    ----------
    assembly : Assembly
        The message being converted; takes the Observations and their contexts for enrichment.
    plans : dict of str to Plan
        Compiled rules.
    results : sequence of Result
        OBX with their NTE and PRT.
    """
    header = assembly.message.header
    ambiguous = ambiguous_places(assembly, results)
    common = _common(assembly)
    codes = assembly.environment.memo(code_key)
    for result in results:
        # without its time, the weight of today would be written over that of yesterday
        moment = result.segment[14]
        when = (moment,) if valued(moment) else ("message", header[10], header[7])
        place = ("patient", assembly.sender_key, *when)
        key = (assembly.patient_key, *place)
        context = OrderContext(Order(), {}, place)
        surroundings = Surroundings(
            plans["OBX"],
            {"Observation": {}, "DiagnosticReport": context.report},
            [],
            common,
            None,
            None,
            ambiguous,
            key,
            uuid_stem("Observation", *key),
            assembly.occurrences.setdefault(key, {}),
            codes,
        )
        build_observation(assembly, plans, result, context, surroundings)


def build_observation(
    assembly: Assembly,
    plans: dict[str, Plan],
    result: Result,
    context: OrderContext,
    surroundings: Surroundings,
    focus: Specimen | None = None,
) -> dict[str, str]:
    """Build one Observation.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict of str to Plan
        Compiled rules.
    result : Result
        OBX with its NTE and PRT.
    context : OrderContext
        The order.
    surroundings : Surroundings
        What the results of the order have in common.
    focus : tuple of (reference, Specimen), optional
        The specimen that a result behind SPM describes.

    Returns
    -------
    dict
        Reference to it.
    """
    segment = result.segment
    fields = segment.fields
    observation: dict[str, Any] = {"resourceType": "Observation", "code": _NO_CODE}
    if surroundings.category:
        observation["category"] = surroundings.category.copy()
    targets = surroundings.targets
    targets["Observation"] = observation
    apply_result_rules(surroundings.plan, assembly, segment, targets)
    if result.notes or result.participants or result.others:
        _add_attached(assembly, plans, result, observation)
    status = observation.get("status", "unknown")
    if (
        status == "unknown"
        or ("valueQuantity" not in observation and not has_value(observation))
        or observation["code"] is _NO_CODE
    ):
        _complete_required(assembly, segment, observation, status)
    observation.update(surroundings.common)
    if "effectiveDateTime" not in observation and surroundings.effective is not None and "_effectiveDateTime" not in observation:
        put(observation, *surroundings.effective)
    if focus is None and len(fields) <= _NAMED_SPECIMEN:
        specimen = surroundings.specimen
        if specimen is not None:
            observation["specimen"] = specimen[0]
    else:
        specimen = _specimen(assembly, segment, observation, context, surroundings, focus)
    where = (surroundings.codes[fields[3]][0], fields[4]) if len(fields) > 4 else ("", "")
    policy: Policy = "absent" if status in _NOT_FINAL else "update"
    if where in surroundings.ambiguous or (len(fields) > INSTANCE and valued(fields[INSTANCE])):
        uuid, policy = odd_identity(assembly, segment, policy, surroundings.key, where)
    else:
        occurrences = surroundings.occurrences
        occurrences[where] = ordinal = occurrences.get(where, 0) + 1
        uuid = surroundings.uuid(*where, str(ordinal))
    reference = assembly.enter(observation, uuid, policy)
    context.observations.append((reference, observation, segment))
    organizations = organizations_of(assembly, observation["performer"]) if "performer" in observation else None
    assembly.observations.append(
        new_context(
            (
                observation,
                assembly.patient,
                specimen[1] if specimen is not None else None,
                organizations or context.organizations,
                assembly.sender_application,
                assembly.sender_facility,
                f"OBX[{segment.number}]",
                context.report,
            )
        )
    )
    return reference


def _add_attached(assembly: Assembly, plans: dict[str, Plan], result: Result, observation: dict[str, Any]) -> None:
    """Add what the segments behind an OBX say: NTE, PRT, and local ones."""
    if result.notes:
        written = build_notes(assembly, plans, result.notes)
        if written:
            observation["note"] = written
    for participant in result.participants:
        add_participant(assembly, plans, participant, observation)
    for local in result.others:
        assembly.keep_segment(local, observation)


def _complete_required(assembly: Assembly, segment: Segment, observation: dict[str, Any], status: str) -> None:
    """Add what R4 requires and the OBX does not say."""
    if status == "unknown":
        observation["status"] = status
        assembly.report("status-unknown", segment, 11, value=segment[11])
    if observation["code"] is _NO_CODE:
        assembly.report("required-field-missing", segment, 3)
    if not has_value(observation):
        complete_absent_reason(assembly, segment, observation)


def _specimen(
    assembly: Assembly,
    segment: Segment,
    observation: dict[str, Any],
    context: OrderContext,
    surroundings: Surroundings,
    focus: Specimen | None,
) -> Specimen | None:
    """Refer to the specimens that OBX-33 names, else to the one that the result describes, else to that of the order."""
    if focus is not None:
        observation["focus"] = [focus[0]]
    specimens = _specimens_of(assembly, segment, context) if len(segment.fields) > _NAMED_SPECIMEN else []
    if not specimens:
        only = focus if focus is not None else surroundings.specimen
        if only is not None:
            observation["specimen"] = only[0]
        return only
    observation["specimen"] = specimens[0][0]
    for further, _ in specimens[1:]:
        observation.setdefault("extension", []).append({"url": FURTHER_SPECIMEN, "valueReference": further})
    return specimens[0]


def _common(assembly: Assembly) -> dict[str, Any]:
    """Give the elements that every result of the patient has."""
    references = {"subject": assembly.patient_reference, "encounter": assembly.encounter_reference}
    return {name: reference for name, reference in references.items() if reference is not None}


def _category(assembly: Assembly, request: Segment) -> list[dict[str, Any]]:
    """OBR-24 -> category laboratory, when the section is one of a laboratory (A21)."""
    row = assembly.environment.tables.vocabulary["0074-category"].get(leaf(request[24].partition("^")[0]))
    return [{"coding": [{"system": row.system, "code": row.target, "display": row.display}]}] if row is not None else []


def _effective(assembly: Assembly, request: Segment) -> tuple[str, Any] | None:
    """OBR-7, OBR-8 -> when the specimen was taken, for results that say no time themselves (A48).

    Faults of the two fields are reported where the report is built.
    """
    fields = request.fields
    start = fields[7] if len(fields) > 7 else ""
    end = fields[8] if len(fields) > 8 else ""
    if end and end != start and valued(end):
        text = f"{start.partition('^')[0]}^{end.partition('^')[0]}"
        found = assembly.environment.memo(period)[text][0]
        return ("effectivePeriod", found) if found is not None else None
    found = assembly.environment.memo(date_time)[start][0] if valued(start) else None
    return ("effectiveDateTime", found) if found is not None else None


def _entities(text: str) -> list[tuple[str, str]]:
    """EIP -> number and namespace of the placer's and of the filler's specimen number."""
    entities = []
    for half in (text.split("^") + [""])[:2]:
        parts = components(half, 2, "&")
        entities.append((parts[0], parts[1]))
    return entities


def _same_specimen(one: str, other: str) -> bool:
    """Tell whether two EIP name one specimen: a number in common and none that differs."""
    common = False
    for (number, namespace), (other_number, other_namespace) in zip(_entities(one), _entities(other), strict=True):
        if number and other_number:
            if number != other_number or (namespace and other_namespace and namespace != other_namespace):
                return False
            common = True
    return common


def _specimens_of(assembly: Assembly, segment: Segment, context: OrderContext) -> list[Specimen]:
    """OBX-33 -> the specimens of the order that it names; one that no SPM describes is created with its numbers (A22)."""
    found: list[Specimen] = []
    for text in segment[33].split("~"):
        if not valued(text):
            continue
        known = [one[:2] for one in context.specimens if one[2] is not None and _same_specimen(one[2][2], text)]
        if known:
            found += known
            continue
        identifiers = assembly.value(identifiers_eip, segment, 33, text)
        if identifiers:
            resource: dict[str, Any] = {"resourceType": "Specimen", "identifier": list(identifiers)}
            if assembly.patient_reference is not None:
                resource["subject"] = assembly.patient_reference
            key = pair_key(assembly, text) or (assembly.sender_key, text)
            reference = assembly.share(resource, (assembly.patient_key, *key))
            found.append((reference, assembly.resources[reference["reference"]]))
    return found
