"""The rules of OBX, and the datatype functions that only they need.

Mapping: v2-to-FHIR OBX[Observation], OBX[Observation-Component]. What has no place in R4 is kept by `source_field`.
"""

from __future__ import annotations

from typing import Any

from adapter.convert import notes, participation
from adapter.convert.datatypes.codes import codeable_concept, mapped_code, mapped_concept
from adapter.convert.datatypes.identifiers import identifier_typed
from adapter.convert.datatypes.quantities import decimal_of
from adapter.convert.datatypes.table_codes import coded_in
from adapter.convert.datatypes.text import components, leaf
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.verbatim import first_repetition, further_repetitions, source_field
from adapter.convert.environment import Environment
from adapter.convert.observation_value import build_absent_reason, build_range, build_unit, build_value
from adapter.convert.performers import build_device, build_performers, keep_address, keep_producer
from adapter.convert.rules import Rule

ABNORMAL_NATURE = "http://hl7.org/fhir/StructureDefinition/observation-nature-of-abnormal-test"
ANALYSIS_TIME = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time"
STRUCTURE_TYPE = "http://hl7.org/fhir/StructureDefinition/observation-structure-type"
SUB_IDENTIFIER = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"


def sub_identifier(text: str, environment: Environment) -> dict[str, Any] | None:
    """OBX-4 (ST, or OG from v2.8.2) -> extension observation-v2-subid (A18).

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Not used.

    Returns
    -------
    dict or None
        Extension; group and sequence that are no numbers stay in the text as sent.
    """
    parts = components(text, 4)
    if not any(parts):
        return None
    group, sequence = (decimal_of(part) if part else None for part in parts[1:3])
    if (parts[1] and group is None) or (parts[2] and sequence is None) or any(parts[4:]):
        whole = text.rstrip("^")
        return {"extension": [{"url": "original-sub-identifier", "valueString": whole}], "url": SUB_IDENTIFIER}
    inner: list[dict[str, Any]] = []
    if parts[0]:
        inner.append({"url": "original-sub-identifier", "valueString": parts[0]})
    if group is not None:
        inner.append({"url": "group", "valueDecimal": group[0]})
    if sequence is not None:
        inner.append({"url": "sequence", "valueDecimal": sequence[0]})
    if parts[3]:
        inner.append({"url": "identifier", "valueString": parts[3]})
    return {"extension": inner, "url": SUB_IDENTIFIER}


def interpretation(text: str, environment: Environment) -> dict[str, Any] | None:
    """OBX-8 -> interpretation by table 0078 (A46); a flag that is not in the table stays as sent (`flag-not-mapped`).

    Parameters
    ----------
    text : str
        One repetition in ER7.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        CodeableConcept.
    """
    concept, faults = environment.run(mapped_concept("0078"), text)
    for fault in faults:
        environment.fault("flag-not-mapped" if fault.slug == "code-not-mapped" else fault.slug, *fault[1:])
    found: dict[str, Any] | None = concept
    if found is not None and any(fault.slug == "code-not-mapped" for fault in faults) and "text" not in found:
        shown = leaf(text.partition("^")[0])
        found = {**found, "text": shown} if shown else found
    return found


def structure_type(text: str, environment: Environment) -> dict[str, Any] | None:
    """OBX-30 (ID of table 0937) -> CodeableConcept (A59)."""
    found = coded_in("0937")(text, environment)
    return {"coding": [found]} if found else None


_KEPT = (9, 12, 13, 22, 26, 27, 28, 31)

RULES: dict[str, tuple[Rule, ...]] = {
    "OBX": (
        Rule("OBX-1", drop="the order of the results says it"),
        Rule("OBX-2", drop="it decides how OBX-5 is read; the type of the value says it", note="A07"),
        Rule("OBX-3", "Observation.code", codeable_concept, note="OBX[Observation]:5"),
        Rule("OBX-4", "Observation.extension[]", sub_identifier, repeats="whole", note="OBX[Observation]:6; A18"),
        Rule(
            "OBX-5",
            "Observation.value[x]",
            build=build_value,
            repeats="whole",
            table="0125",
            note="OBX[Observation]:7-30; A07 to A10, A43",
        ),
        Rule("OBX-6", "Observation.value[x]", build=build_unit, note="OBX[Observation]:31-36; A30, A31"),
        Rule("OBX-7", "Observation.referenceRange", build=build_range, note="OBX[Observation]:37; A47"),
        Rule(
            "OBX-8", "Observation.interpretation[]", interpretation, repeats="each", table="0078", note="OBX[Observation]:38; A46"
        ),
        Rule(
            "OBX-10",
            f"Observation.extension({ABNORMAL_NATURE}).valueCodeableConcept",
            mapped_concept("0080"),
            repeats="each",
            table="0080",
            note="OBX[Observation]:40",
        ),
        Rule(
            "OBX-11", "Observation.status", mapped_code("0085", report=False), table="0085", note="OBX[Observation]:42; A01, A02"
        ),
        Rule("OBX-14", "Observation.effectiveDateTime", date_time, note="OBX[Observation]:50; A48"),
        Rule("OBX-15", "Observation.performer", build=build_performers, note="OBX[Observation]:51; A16"),
        Rule("OBX-15", "Observation.extension[]", build=keep_producer, note="A16"),
        Rule("OBX-16", "Observation.performer", build=build_performers, note="OBX[Observation]:53; A17"),
        Rule("OBX-17", "Observation.method", first_repetition(codeable_concept), repeats="whole", note="OBX[Observation]:56"),
        Rule("OBX-17", "Observation.extension[]", further_repetitions("OBX-17"), repeats="further"),
        Rule("OBX-18", "Observation.device", build=build_device, note="OBX[Observation]:57"),
        Rule("OBX-19", f"Observation.extension({ANALYSIS_TIME}).valueDateTime", date_time, note="OBX[Observation]:58"),
        Rule("OBX-20", "Observation.bodySite", first_repetition(codeable_concept), repeats="whole", note="OBX[Observation]:60"),
        Rule("OBX-20", "Observation.extension[]", further_repetitions("OBX-20"), repeats="further"),
        Rule("OBX-21", "Observation.identifier[]", identifier_typed("FILL"), repeats="each", note="OBX[Observation]:61; A44"),
        Rule("OBX-23", "Observation.performer", build=build_performers, note="OBX[Observation]:64; A16"),
        Rule("OBX-24", "Observation.extension[]", build=keep_address, note="OBX[Observation]:66; A16"),
        Rule("OBX-25", "Observation.performer", build=build_performers, note="OBX[Observation]:68; A16"),
        Rule(
            "OBX-29",
            "Observation.category[]",
            mapped_concept("0936"),
            repeats="each",
            table="0936",
            note="OBX[Observation]:74; A20",
        ),
        Rule(
            "OBX-30",
            f"Observation.extension({STRUCTURE_TYPE}).valueCodeableConcept",
            structure_type,
            note="OBX[Observation]:76; A59",
        ),
        Rule("OBX-32", "Observation.dataAbsentReason", build=build_absent_reason, note="A32"),
        Rule("OBX-33", drop="it names the specimen; `_specimen_of` follows it", note="OBX[Observation]:81-86; A22"),
        *(Rule(f"OBX-{field}", "Observation.extension[]", source_field(f"OBX-{field}"), repeats="whole") for field in _KEPT),
    ),
    **notes.RULES,
    **participation.RULES,
}
