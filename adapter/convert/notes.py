"""NTE -> Annotation: one for each NTE; the repetitions of NTE-3 are its lines (A11).

Where the Annotations go is the caller's matter: notes of a result to `Observation.note`, notes of an order to
`ServiceRequest.note`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.convert.assembly import Assembly
from adapter.convert.datatypes.codes import codeable_concept
from adapter.convert.datatypes.quantities import DATA_ABSENT_REASON
from adapter.convert.datatypes.text import markdown_text
from adapter.convert.datatypes.times import date_time
from adapter.convert.datatypes.verbatim import further_repetitions, source_field
from adapter.convert.parties import practitioner
from adapter.convert.rules import Plan, Rule, Targets, apply_rules
from adapter.hl7v2.message import Segment, valued


def _build_author(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """NTE-5 -> author; FHIR allows one."""
    first = next((part for part in text.split("~") if valued(part)), "")
    author = practitioner(assembly, segment, 5, first) if first else None
    if author is not None:
        targets["Annotation"]["authorReference"] = author


def _build_coded_text(assembly: Assembly, segment: Segment, text: str, targets: Targets) -> None:
    """NTE-9 -> the text of a note that has no other; the codes are kept by the rule beside this one."""
    if "text" in targets["Annotation"]:
        return
    concepts = [assembly.value(codeable_concept, segment, 9, part) for part in text.split("~") if valued(part)]
    lines = [concept["text"] for concept in concepts if concept is not None and "text" in concept]
    if lines:
        targets["Annotation"]["text"] = "\n".join(lines)


RULES: dict[str, tuple[Rule, ...]] = {
    "NTE": (
        Rule("NTE-1", drop="the order of the notes says it"),
        Rule("NTE-2", "Annotation.extension[]", source_field("NTE-2"), repeats="whole"),
        Rule("NTE-3", "Annotation.text", markdown_text, repeats="whole", note="NTE[Observation]:5; A10, A11"),
        Rule("NTE-4", "Annotation.extension[]", source_field("NTE-4"), repeats="whole", note="NTE[Observation]:6"),
        Rule("NTE-5", "Annotation.authorReference", build=_build_author, note="NTE[Observation]:7"),
        Rule("NTE-5", "Annotation.extension[]", further_repetitions("NTE-5"), repeats="further"),
        Rule("NTE-6", "Annotation.time", date_time, note="NTE[Observation]:8"),
        Rule("NTE-7", "Annotation.extension[]", source_field("NTE-7"), repeats="whole"),
        Rule("NTE-8", "Annotation.extension[]", source_field("NTE-8"), repeats="whole"),
        Rule("NTE-9", "Annotation.text", build=_build_coded_text, note="NTE[DocumentReference]:12"),
        Rule("NTE-9", "Annotation.extension[]", source_field("NTE-9"), repeats="whole"),
    )
}


def build_notes(assembly: Assembly, plans: dict[str, Plan], notes: Sequence[Segment]) -> list[dict[str, Any]]:
    """Build the Annotations of NTE segments.

    A note without any comment (a blank line between comments) gives none; one that has an author or a time only has the text
    absent, as R4 requires a text.

    Parameters
    ----------
    assembly : Assembly
        The message being converted.
    plans : dict of str to Plan
        Compiled rules.
    notes : sequence of Segment
        NTE segments.

    Returns
    -------
    list of dict
        Annotations, in the order sent.
    """
    plan = plans["NTE"]
    built = []
    for segment in notes:
        annotation: dict[str, Any] = {}
        apply_rules(plan, assembly, segment, {"Annotation": annotation})
        if "text" not in annotation:
            if not any(valued(text) for text in segment.fields[4:]):
                continue
            annotation["_text"] = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
        built.append(annotation)
    return built
