"""OBX-2, OBX-5, OBX-6, OBX-7 and OBX-32 -> value[x], components, referenceRange, dataAbsentReason.

`READERS` has a datatype function for each value type of table 0125 that FHIR has a place for. Every other type, a blank one and
an unknown one give `valueString` and an issue (A07), so no result is silent. A reader gets value and units in one text
(`quantities`), since the memo must know both.

Repetitions of OBX-5 become components with the code of OBX-3 (A43); those of TX and FT are lines of one text (A10; HL7 v2.5.1
chapter 2, 2.A.78), those of NA points of one array. The reference range is kept verbatim; its bounds are set only when they
are read with certainty and inclusive (`<2.4` is not `high = 2.4`), and only in a unit that agrees with OBX-6 (A47).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.attachments import encapsulated_data, reference_pointer
from adapter.convert.datatypes.codes import codeable_concept, coded_id
from adapter.convert.datatypes.quantities import (
    Value,
    composite_quantity,
    number_in_text,
    numeric,
    plain_number,
    text_value,
    unit,
    with_unit,
)
from adapter.convert.datatypes.structured_numbers import (
    numeric_array,
    numeric_range,
    structured_numeric,
    whole_number,
)
from adapter.convert.datatypes.text import components, leaf, markdown_text, put, string
from adapter.convert.datatypes.times import date_time, period, time_of_day
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.rules import Primitive, Targets
from adapter.fhir.range_text import parse_range
from adapter.hl7v2.message import Segment, valued

Reader = Callable[[str, Environment], Value | None]

#: Observation.value[x] of FHIR R5, for R4: the only place of an Attachment (A09).
ATTACHMENT_VALUE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
ATTACHMENT_COMPONENT_VALUE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.component.value"

_VALUES = frozenset(
    f"value{name}"
    for name in (
        "Quantity",
        "CodeableConcept",
        "String",
        "Integer",
        "Range",
        "Ratio",
        "SampledData",
        "Time",
        "DateTime",
        "Period",
    )
) | {"component"}
_WITH_UNIT = frozenset({"valueQuantity", "valueRange", "valueRatio", "valueSampledData"})


def _by(name: str, function: DatatypeFunction) -> Reader:
    """Make a reader of a datatype function that knows no units; what it cannot read stays text."""

    def read(text: str, environment: Environment) -> Value | None:
        sent = text.partition("|")[0]
        content = function(sent, environment)
        if content is None:
            return None
        if content.__class__ is Primitive and content.value is None:
            return text_value(sent)
        return Value(name, content)

    return read


def _by_text(function: DatatypeFunction) -> Reader:
    """Make a reader of a text type: a number with a unit is a number, everything else is text."""

    def read(text: str, environment: Environment) -> Value | None:
        measured = number_in_text(text, environment)
        if measured is not None:
            return measured
        content = function(text.partition("|")[0], environment)
        return None if content is None else Value("String", content)

    return read


def as_sent(text: str, environment: Environment) -> Value | None:
    """Read any value -> string, escapes decoded, separators as they stand."""
    return text_value(text.partition("|")[0])


def bounds_as_text(text: str, environment: Environment) -> Value | None:
    """VR -> string: both bounds with a hyphen (v2-to-FHIR OBX[Observation]:17)."""
    bounds = [part for part in components(text.partition("|")[0]) if part]
    return Value("String", "-".join(bounds)) if bounds else None


_concept = _by("CodeableConcept", codeable_concept)
_code = _by("CodeableConcept", coded_id)
_moment = _by("DateTime", date_time)
_lines = _by_text(markdown_text)

READERS: dict[str, Reader] = {
    "NM": numeric,
    "SN": structured_numeric,
    "ST": _by_text(string),
    "TX": _lines,
    "FT": _lines,
    "CE": _concept,
    "CWE": _concept,
    "CNE": _concept,
    "CF": _concept,
    "IS": _code,
    "ID": _code,
    "DT": _moment,
    "DTM": _moment,
    "TS": _moment,
    "TM": _by("Time", time_of_day),
    "DR": _by("Period", period),
    "NR": numeric_range,
    "NA": numeric_array,
    "VR": bounds_as_text,
    "SI": whole_number,
    "CQ": composite_quantity,
    "ED": encapsulated_data,
    "RP": reference_pointer,
}

#: Value types whose repetitions are one value.
_WHOLE = frozenset({"TX", "FT", "NA"})


def value_type(segment: Segment) -> str:
    """Give OBX-2 as table 0125 writes it; senders also send `CWE^^HL70125` and lower case."""
    sent = segment[2]
    return sent if sent in READERS else leaf(sent.partition("^")[0]).upper()


def _reader(assembly: Assembly, segment: Segment, kind: str, observation: dict[str, Any]) -> Reader:
    """Give the reader of a type; a type that the value does not show is kept as sent."""
    found = READERS.get(kind)
    if found is not None:
        return found
    if kind in assembly.environment.tables.vocabulary["0125"] and kind != "*":
        assembly.report("value-type-as-text", segment, 5, detail=kind)
    else:
        assembly.report("value-type-unknown", segment, 2, value=segment[2])
    if kind:
        observation.setdefault("extension", []).append(source_extension("OBX-2", segment[2]))
    return as_sent


def build_value(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-5 -> value[x], or components when it repeats."""
    observation = targets["Observation"]
    fields = segment.fields
    kind = fields[2]
    read = READERS.get(kind)
    if read is None:
        kind = value_type(segment)
        read = _reader(assembly, segment, kind, observation)
    units = fields[6] if len(fields) > 6 else ""
    if kind == "NM" and (number := plain_number(text)) is not None:
        observation["valueQuantity"] = with_unit({"value": number}, units, assembly.environment)
        return
    if "~" in text and kind not in _WHOLE:
        texts = [part for part in text.split("~") if valued(part)]
        if len(texts) > 1:
            _build_components(assembly, segment, read, texts, targets)
            return
        text = texts[0] if texts else ""
    value: Value | None = assembly.value(read, segment, 5, f"{text}|{units}")
    if value is None:
        return
    if value.name == "Attachment":
        _attach(observation, ATTACHMENT_VALUE, value.content, targets)
    else:
        put(observation, "value" + value.name, value.content)


def _build_components(assembly: Assembly, segment: Segment, read: Reader, texts: list[str], targets: Targets) -> None:
    observation = targets["Observation"]
    built: list[dict[str, Any]] = []
    for text in texts:
        value: Value | None = assembly.value(read, segment, 5, f"{text}|{segment[6]}")
        if value is None:
            continue
        component: dict[str, Any] = {"code": observation["code"]}
        if value.name == "Attachment":
            _attach(component, ATTACHMENT_COMPONENT_VALUE, value.content, targets)
        else:
            put(component, "value" + value.name, value.content)
        built.append(component)
    if built:
        observation["component"] = built


def _attach(element: dict[str, Any], url: str, attachment: dict[str, Any], targets: Targets) -> None:
    """Put a document where R4 has a place: an extension of the value, and the report (A09)."""
    element.setdefault("extension", []).append({"url": url, "valueAttachment": attachment})
    report = targets.get("DiagnosticReport")
    if report is not None:
        report.setdefault("presentedForm", []).append(attachment)


def build_unit(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-6: it stands in the value already; where the value has no place for it, it is kept as sent."""
    observation = targets["Observation"]
    faults = assembly.environment.memo(unit)[text][1]
    if faults:
        assembly.report_faults(segment, 6, faults)
    if "valueQuantity" in observation and segment.fields[2] != "CQ":
        return
    kind = value_type(segment)
    if kind == "CQ":
        taken = "^" not in segment[5]
    else:
        components_with_unit = (not _WITH_UNIT.isdisjoint(one) for one in observation.get("component", ()))
        # an SN that stays text ends with the name of the unit, and with no more of it
        named = kind == "SN" and not ("valueString" in observation and "^" in text)
        taken = named or not _WITH_UNIT.isdisjoint(observation) or any(components_with_unit)
    if not taken or not has_value(observation):
        observation.setdefault("extension", []).append(source_extension("OBX-6", text))


def has_value(observation: dict[str, Any]) -> bool:
    """Tell whether an Observation has a value, in whatever place."""
    if "valueQuantity" in observation or not _VALUES.isdisjoint(observation):
        return True
    return any(extension["url"] == ATTACHMENT_VALUE for extension in observation.get("extension", ()))


def reference_range(text: str, environment: Environment) -> dict[str, Any] | None:
    """OBX-7 with OBX-6 -> referenceRange.

    Parameters
    ----------
    text : str
        `range|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    dict or None
        `text`, and `low` and `high` when every bound is certain and inclusive and the unit agrees.
    """
    sent, _, units = text.partition("|")
    shown = leaf(sent)
    if not shown:
        return None
    found: dict[str, Any] = {"text": shown}
    known = environment.memo(unit)[units][0] if valued(units) else {}
    measure = {name: part for name, part in known.items() if name != "_unit"}
    parsed = parse_range(shown, measure.get("unit", ""))
    if parsed is None or not (parsed.low_inclusive and parsed.high_inclusive):
        return found
    if parsed.unit:
        if measure and parsed.unit not in (measure["unit"], measure.get("code")):
            return found
        measure = measure or {"unit": parsed.unit}
    if parsed.low is not None:
        found["low"] = {"value": parsed.low, **measure}
    if parsed.high is not None:
        found["high"] = {"value": parsed.high, **measure}
    return found


def build_range(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-7 -> referenceRange of the Observation, or of each component."""
    found = assembly.value(reference_range, segment, 7, f"{text}|{segment.fields[6]}")
    if found is None:
        return
    observation = targets["Observation"]
    built = observation.get("component")
    if built is None:
        observation["referenceRange"] = [found]
    else:
        for component in built:
            component["referenceRange"] = [found]


def build_absent_reason(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """OBX-32 -> dataAbsentReason; beside a value R4 allows none (obs-6), and the field is kept as sent."""
    observation = targets["Observation"]
    first, _, rest = text.partition("~")
    if has_value(observation):
        observation.setdefault("extension", []).append(source_extension("OBX-32", text))
        return
    concept = assembly.value(codeable_concept, segment, 32, first)
    if concept is not None:
        observation["dataAbsentReason"] = concept
    if rest:
        observation.setdefault("extension", []).append(source_extension("OBX-32", rest))


def complete_absent_reason(assembly: Assembly, segment: Segment, observation: dict[str, Any]) -> None:
    """Say why an Observation has no value: by OBX-11 (code map `0085-absent`), beside what OBX-32 says (A02, A32)."""
    assembly.report("value-missing", segment, 5)
    rows = assembly.environment.tables.vocabulary["0085-absent"]
    status = leaf(segment[11].partition("^")[0])
    sent = observation.get("dataAbsentReason")
    row = rows.get(status) or rows["*"]
    if sent is not None and row.code == "*":
        return
    reason = {"system": row.system, "code": row.target, "display": row.display}
    observation["dataAbsentReason"] = {**(sent or {}), "coding": [reason, *(sent or {}).get("coding", ())]}
