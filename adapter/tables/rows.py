"""The rows as the rest of the program sees them: one tuple a file kind, fields named as the columns.

Text cells stay text. Numbers are `Decimal`, `yes`/`no` cells are `bool` (an empty one is what `columns.py` says it means).
`source` and `note` are not carried; they are reached by the row id (`Tables.explain_row`).
"""

# No annotations from __future__: NamedTuple compiles each annotation that is text, which is a third of this import.

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from adapter.tables.columns import Column, FileKind


class CodeRow(NamedTuple):
    """One code of an HL7 table and its FHIR target (`common/tables/NNNN.csv`)."""

    id: str
    code: str
    system: str
    target: str
    display: str
    equivalence: str
    status: str


class UnitRow(NamedTuple):
    """One unit spelling (`common/units.csv`)."""

    id: str
    spelling: str
    ucum: str
    display: str
    status: str


class RefusedUnitRow(NamedTuple):
    """One unit spelling that is not translated (`common/units_refused.csv`)."""

    id: str
    spelling: str
    reason: str


class LaboratoryRow(NamedTuple):
    """One identifier or name of a laboratory (`common/laboratories.csv`)."""

    id: str
    identifier_system: str
    identifier: str
    name: str
    laboratory: str
    status: str


class SpecimenRow(NamedTuple):
    """One specimen code or text (`common/specimens.csv`)."""

    id: str
    code_system: str
    code: str
    text: str
    specimen: str
    timing: str
    status: str


class SenderRow(NamedTuple):
    """What is known about one sender (`common/senders.csv`)."""

    id: str
    sender_application: str
    sender_facility: str
    time_zone: str
    charset: str
    identifier_base: str
    local_code_base: str
    laboratory: str
    blank_unit: str
    processing_ids: frozenset[str]
    trust_loinc: bool
    range_laboratory: str
    status: str


class InterpretationCategoryRow(NamedTuple):
    """The group of one interpretation code (`common/interpretation_categories.csv`)."""

    id: str
    code: str
    category: str


class FlagAgreementRow(NamedTuple):
    """What a sent and a computed interpretation code mean together (`common/flag_agreement.csv`)."""

    id: str
    sent: str
    computed: str
    verdict: str


class AnalyteRow(NamedTuple):
    """One analyte of a pack (`<pack>/analyte.csv`)."""

    id: str
    analyte: str
    name: str


class LoincRow(NamedTuple):
    """One LOINC code with its axes (`<pack>/loinc.csv`)."""

    id: str
    loinc: str
    long_name: str
    analyte: str
    property: str
    timing: str
    specimen: str
    scale: str
    method: str
    challenge: str
    canonical_unit: str
    default: bool
    status: str


class LocalCodeRow(NamedTuple):
    """One local code or name (`<pack>/codes.csv`)."""

    id: str
    sender_application: str
    sender_facility: str
    code_system: str
    code: str
    name: str
    specimen: str
    unit: str
    loinc: str
    analyte: str
    property: str
    timing: str
    challenge: str
    method: str
    declared_duplicate: bool
    status: str


class ConversionRow(NamedTuple):
    """One conversion beyond UCUM arithmetic (`<pack>/conversions.csv`)."""

    id: str
    analyte: str
    from_unit: str
    to_unit: str
    factor: Decimal
    kind: str
    precision: str


class RangeRow(NamedTuple):
    """One reference range of one laboratory (`<pack>/ranges.csv`)."""

    id: str
    laboratory: str
    loinc: str
    specimen: str
    method: str
    sex: str
    age_low: Decimal | None
    age_high: Decimal | None
    age_unit: str
    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    unit: str
    text: str
    valid_from: str
    valid_to: str
    certainty: str
    default: bool
    status: str


class WindowRow(NamedTuple):
    """One plausible order of magnitude (`<pack>/windows.csv`)."""

    id: str
    loinc: str
    specimen: str
    property: str
    unit: str
    low: Decimal | None
    high: Decimal | None


class ExclusionRow(NamedTuple):
    """One code or name that is something else (`<pack>/exclusions.csv`)."""

    id: str
    code_system: str
    code: str
    name: str
    reason: str


class CriticalRow(NamedTuple):
    """One pair of critical limits (`<pack>/critical.csv`, sites only)."""

    id: str
    laboratory: str
    loinc: str
    specimen: str
    low: Decimal | None
    high: Decimal | None
    unit: str
    status: str


class VariationRow(NamedTuple):
    """Variation of one test at one laboratory (`<pack>/variation.csv`, sites only)."""

    id: str
    laboratory: str
    loinc: str
    specimen: str
    cv_analytical: Decimal
    cv_individual: Decimal
    z: Decimal
    status: str


class ContextCodeRow(NamedTuple):
    """One code that a context judgement looks for (`<pack>/context_codes.csv`)."""

    id: str
    role: str
    code_system: str
    code: str
    display: str
    status: str


class ContextNoteRow(NamedTuple):
    """One note and what gives reason for it (`<pack>/context_notes.csv`)."""

    id: str
    note: str
    specimen: str
    below: Decimal | None
    unit: str
    flags: frozenset[str]
    other_specimen: str
    other_flags: frozenset[str]
    text: str
    status: str


class IssStageRow(NamedTuple):
    """One stage and its cut-offs (`<pack>/iss_stages.csv`)."""

    id: str
    stage: str
    code_system: str
    code: str
    display: str
    marker_from: Decimal | None
    marker_below: Decimal | None
    marker_unit: str
    albumin_from: Decimal | None
    albumin_unit: str
    status: str


class IssContextRow(NamedTuple):
    """Results from before treatment (`<pack>/iss_context.csv`, sites only)."""

    id: str
    sender_application: str
    sender_facility: str
    order_code: str
    treatment: str
    status: str


class ExampleRow(NamedTuple):
    """One example of a result and what must come of it (`<pack>/tests.csv`)."""

    id: str
    sender_application: str
    sender_facility: str
    code_system: str
    code: str
    name: str
    specimen: str
    unit: str
    value: str
    range: str
    laboratory: str
    range_laboratory: str
    method: str
    sex: str
    age: str
    expected_loinc: str
    expected_value: str
    expected_unit: str
    expected_interpretation: str
    expected_range: str
    expected_issue: str


Row = TypeVar("Row", bound=NamedTuple)


def typed(row_class: type[Row], kind: FileKind, rows: Iterable[Sequence[str]]) -> list[Row]:
    """Make rows of one class from the checked cells of a sheet.

    Parameters
    ----------
    row_class : type of NamedTuple
        Its fields are the first columns of the kind, in order.
    kind : FileKind
        Columns of the sheet.
    rows : iterable of sequences of str
        Cells.

    Returns
    -------
    list of the row class
        In the order of the cells.
    """
    width = len(row_class._fields)
    converters = [
        (place, convert) for place, column in enumerate(kind.columns[:width]) if (convert := _converter(column)) is not None
    ]
    made = []
    for cells in rows:
        values: list[Any] = list(cells[:width])
        for place, convert in converters:
            values[place] = convert(values[place])
        made.append(row_class._make(values))
    return made


def _converter(column: Column) -> Callable[[str], Any] | None:
    if column.kind == "decimal":
        return _number
    if column.kind == "yes-no":
        return (lambda cell: cell != "no") if column.empty_means == "yes" else (lambda cell: cell == "yes")
    if column.kind == "words":
        return lambda cell: frozenset(cell.split())
    return None


def _number(cell: str) -> Decimal | None:
    return Decimal(cell) if cell else None
