"""The tables as dictionaries: `Tables`, made once by `load.load_tables`, never changes afterwards."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeVar

from adapter.tables.check_rows import fold, window_for
from adapter.tables.columns import CODE_MAP, COMMON_FILES, PACK_FILES
from adapter.tables.layers import Layers, Override, Sheet, content_hash
from adapter.tables.rows import (
    AnalyteRow,
    CodeRow,
    ContextCodeRow,
    ContextNoteRow,
    ConversionRow,
    CriticalRow,
    ExampleRow,
    ExclusionRow,
    FlagAgreementRow,
    InterpretationCategoryRow,
    IssContextRow,
    IssStageRow,
    LaboratoryRow,
    LocalCodeRow,
    LoincRow,
    RangeRow,
    RefusedUnitRow,
    SenderRow,
    SpecimenRow,
    UnitRow,
    VariationRow,
    WindowRow,
    typed,
)
from adapter.tables.telling_names import TellingNames
from adapter.tables.ucum import Dimension, Ucum
from adapter.tables.unit_tables import units_of

LOINC_SYSTEM = "http://loinc.org"
UCUM_SYSTEM = "http://unitsofmeasure.org"
BLANK = "-"

_HL7_TABLE = re.compile(r"HL7[0-9]{4}")
_SHORTEST_TELLING_NAME = 8
_Row = TypeVar("_Row", bound=NamedTuple)


@dataclass(frozen=True, slots=True)
class Pack:
    """One family of analytes.

    Parameters
    ----------
    name : str
        Name of the folder.
    analytes : mapping of str to AnalyteRow
        By analyte key.
    loinc : mapping of str to LoincRow
        By LOINC code.
    codes : tuple of LocalCodeRow
        Local codes and names.
    conversions : mapping of (str, str, str) to ConversionRow
        By analyte, from_unit, to_unit.
    ranges : mapping of (str, str) to tuple of RangeRow
        By laboratory and LOINC code, in the order of their ids.
    windows : tuple of WindowRow
        Plausible magnitudes.
    exclusions : tuple of ExclusionRow
        What looks like the pack and is not.
    critical : mapping of str to tuple of CriticalRow
        Critical limits of the site by LOINC code.
    variation : mapping of str to tuple of VariationRow
        Variation of the site's tests by LOINC code.
    context_codes : mapping of str to tuple of ContextCodeRow
        Codes that context judgements look for, by role.
    context_notes : tuple of ContextNoteRow
        Notes that other results give reason for.
    iss_stages : tuple of IssStageRow
        Stages of the International Staging System.
    iss_context : tuple of IssContextRow
        Results that the site declares to be from before treatment.
    examples : tuple of ExampleRow
        Examples with the expected outcome.
    """

    name: str
    analytes: Mapping[str, AnalyteRow]
    loinc: Mapping[str, LoincRow]
    codes: tuple[LocalCodeRow, ...]
    conversions: Mapping[tuple[str, str, str], ConversionRow]
    ranges: Mapping[tuple[str, str], tuple[RangeRow, ...]]
    windows: tuple[WindowRow, ...]
    exclusions: tuple[ExclusionRow, ...]
    critical: Mapping[str, tuple[CriticalRow, ...]]
    variation: Mapping[str, tuple[VariationRow, ...]]
    context_codes: Mapping[str, tuple[ContextCodeRow, ...]]
    context_notes: tuple[ContextNoteRow, ...]
    iss_stages: tuple[IssStageRow, ...]
    iss_context: tuple[IssContextRow, ...]
    examples: tuple[ExampleRow, ...]

    def window(self, loinc: LoincRow, specimen: str = "") -> WindowRow | None:
        """Most specific window of a LOINC code of the pack, for a specimen axis if one is known."""
        return window_for(self.windows, loinc, specimen)


class RowText(NamedTuple):
    """One row as it stands in its file."""

    sheet: str
    file: str
    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables in force, indexed. Made by `load.load_tables`; treat every mapping as read-only.

    Parameters
    ----------
    version : str
        Hash of the content; the order of rows does not matter.
    vocabulary : mapping of str to (mapping of str to CodeRow)
        HL7 code maps by file name (`0085`, `0190-use`) and code; code `*` is the row for every other code.
    coding_systems : mapping of str to str
        URI by upper-case name of a coding system (table 0396).
    ucum : Ucum
        Unit arithmetic.
    units, units_refused : mapping of str to UnitRow, RefusedUnitRow
        By exact spelling.
    specimens : mapping of (str, str) to SpecimenRow
        By system key (see `system_key`; empty: any system) and code.
    specimen_axes : frozenset of str
        Every axis that some row defines.
    specimen_texts : mapping of str to SpecimenRow
        By folded text.
    specimen_members : mapping of (str, str) to str
        Relation (`is`, `drawn-as`) by wider axis and member.
    laboratories : mapping of (str, str) to LaboratoryRow
        By system key and identifier.
    laboratory_names : mapping of str to LaboratoryRow
        By exact name.
    properties : mapping of (Dimension, Dimension) to frozenset of str
        LOINC properties by numerator and denominator of a unit.
    senders : tuple of SenderRow
        Every sender; `sender` finds the one of a message.
    senders_by_name : mapping of (str, str) to SenderRow
        By application and facility as they stand in the row (empty: any).
    interpretation_categories : mapping of str to InterpretationCategoryRow
        By interpretation code.
    flag_agreement : mapping of (str, str) to FlagAgreementRow
        By sent and computed interpretation code.
    packs : mapping of str to Pack
        By name.
    pack_of_loinc : mapping of str to Pack
        By LOINC code.
    codes, names : mapping of str to tuple of (Pack, LocalCodeRow)
        Local rows by exact code, and those without a code by folded name; the most specific first.
    excluded_codes : mapping of str to tuple of (Pack, ExclusionRow)
        By exact code.
    excluded_names : mapping of str to (Pack, ExclusionRow)
        By folded name.
    telling_names : TellingNames
        Finds a known name within a folded longer one.
    overrides : tuple of Override
        What sites replace or remove.
    sheets : mapping of str to Sheet
        The rows as text.
    """

    version: str
    vocabulary: Mapping[str, Mapping[str, CodeRow]]
    coding_systems: Mapping[str, str]
    ucum: Ucum
    units: Mapping[str, UnitRow]
    units_refused: Mapping[str, RefusedUnitRow]
    specimens: Mapping[tuple[str, str], SpecimenRow]
    specimen_axes: frozenset[str]
    specimen_texts: Mapping[str, SpecimenRow]
    specimen_members: Mapping[tuple[str, str], str]
    laboratories: Mapping[tuple[str, str], LaboratoryRow]
    laboratory_names: Mapping[str, LaboratoryRow]
    properties: Mapping[tuple[Dimension, Dimension], frozenset[str]]
    senders: tuple[SenderRow, ...]
    senders_by_name: Mapping[tuple[str, str], SenderRow]
    interpretation_categories: Mapping[str, InterpretationCategoryRow]
    flag_agreement: Mapping[tuple[str, str], FlagAgreementRow]
    packs: Mapping[str, Pack]
    pack_of_loinc: Mapping[str, Pack]
    codes: Mapping[str, tuple[tuple[Pack, LocalCodeRow], ...]]
    names: Mapping[str, tuple[tuple[Pack, LocalCodeRow], ...]]
    excluded_codes: Mapping[str, tuple[tuple[Pack, ExclusionRow], ...]]
    excluded_names: Mapping[str, tuple[Pack, ExclusionRow]]
    telling_names: TellingNames
    overrides: tuple[Override, ...]
    sheets: Mapping[str, Sheet]

    def system_key(self, system: str) -> str:
        """One spelling for each coding system: the URI where one is known, else the name in upper case.

        Parameters
        ----------
        system : str
            URI or HL7 v2 name.
        """
        return system_key(self.coding_systems, system)

    def sender(self, applications: Sequence[str], facilities: Sequence[str]) -> SenderRow | None:
        """Most specific `senders.csv` row of a sender.

        Parameters
        ----------
        applications, facilities : sequence of str
            Components of MSH-3 and MSH-4 (name, universal id), empty ones allowed.

        Returns
        -------
        SenderRow or None
            None where no row fits.
        """
        if not self.senders:
            return None
        mine, theirs = valued(applications), valued(facilities)
        for pair in (*product(mine, theirs), *product(mine, ("",)), *product(("",), theirs), ("", "")):
            if (row := self.senders_by_name.get(pair)) is not None:
                return row
        return None

    def row(self, row_id: str) -> RowText:
        """One row as text, with file and line, by its id. For explanations; searches the sheets.

        Raises
        ------
        KeyError
            No row in force has the id.
        """
        for sheet in self.sheets.values():
            for cells, origin in zip(sheet.rows, sheet.origins, strict=True):
                if cells[0] == row_id:
                    return RowText(sheet.name, origin.file, origin.line, dict(zip(sheet.kind.header, cells, strict=True)))
        raise KeyError(row_id)


def valued(components: Iterable[str]) -> tuple[str, ...]:
    """Components that are not empty; `-` alone when all are (what a key cell `-` fits)."""
    return tuple(component for component in components if component) or (BLANK,)


def system_key(coding_systems: Mapping[str, str], system: str) -> str:
    """See `Tables.system_key`."""
    name = system.removeprefix("urn:oid:")
    known = coding_systems.get(name.upper())
    if known:
        return known
    if _HL7_TABLE.fullmatch(name):
        return f"http://terminology.hl7.org/CodeSystem/v2-{name[-4:]}"
    return system if ":" in system else system.upper()


def compile_tables(layers: Layers) -> Tables:
    """Index layers in which `check` found no fault."""
    sheets = layers.sheets
    vocabulary = {
        sheet.name.rpartition("/")[2]: {row.code: row for row in typed(CodeRow, CODE_MAP, sheet.rows)}
        for sheet in sheets.values()
        if sheet.kind is CODE_MAP
    }
    systems = {code.upper(): row.system for code, row in vocabulary.get("0396", {}).items() if row.system}
    ucum = units_of(sheets)
    specimens = _common(sheets, "specimens", SpecimenRow)
    laboratories = _common(sheets, "laboratories", LaboratoryRow)
    senders = _common(sheets, "senders", SenderRow)
    packs = {sheet.folder: _pack(sheets, sheet.folder) for sheet in sheets.values() if sheet.kind.name == "analyte"}
    local = [(pack, row) for pack in packs.values() for row in pack.codes]
    excluded = [(pack, row) for pack in packs.values() for row in pack.exclusions]
    names = _most_specific_first((fold(row.name), pack, row) for pack, row in local if not row.code)
    return Tables(
        version=layers.version or content_hash(sheets),
        vocabulary=vocabulary,
        coding_systems=systems,
        ucum=ucum,
        units={row.spelling: row for row in _common(sheets, "units", UnitRow)},
        units_refused={row.spelling: row for row in _common(sheets, "units_refused", RefusedUnitRow)},
        specimens={(system_key(systems, row.code_system), row.code): row for row in specimens if row.code},
        specimen_axes=frozenset(row.specimen for row in specimens)
        | {cell for row in _cells(sheets, "common/specimen_members") for cell in row[1:3]},
        specimen_texts={fold(row.text): row for row in specimens if row.text},
        specimen_members={(row[1], row[2]): row[3] for row in _cells(sheets, "common/specimen_members")},
        laboratories={
            (system_key(systems, row.identifier_system), row.identifier): row for row in laboratories if row.identifier
        },
        laboratory_names={row.name: row for row in laboratories if row.name},
        properties=_properties(_cells(sheets, "common/properties"), ucum),
        senders=tuple(senders),
        senders_by_name={(row.sender_application, row.sender_facility): row for row in senders},
        interpretation_categories={
            row.code: row for row in _common(sheets, "interpretation_categories", InterpretationCategoryRow)
        },
        flag_agreement={(row.sent, row.computed): row for row in _common(sheets, "flag_agreement", FlagAgreementRow)},
        packs=packs,
        pack_of_loinc={code: pack for pack in packs.values() for code in pack.loinc},
        codes=_most_specific_first((row.code, pack, row) for pack, row in local if row.code),
        names=names,
        excluded_codes=_grouped((row.code, (pack, row)) for pack, row in excluded if row.code),
        excluded_names={fold(row.name): (pack, row) for pack, row in excluded if row.name},
        telling_names=TellingNames(tuple(name for name in names if len(name) >= _SHORTEST_TELLING_NAME)),
        overrides=tuple(layers.overrides),
        sheets=sheets,
    )


def _pack(sheets: Mapping[str, Sheet], name: str) -> Pack:
    def rows(file: str, row_class: type[_Row]) -> list[_Row]:
        return typed(row_class, PACK_FILES[file], sorted(_cells(sheets, f"{name}/{file}")))

    return Pack(
        name=name,
        analytes={row.analyte: row for row in rows("analyte", AnalyteRow)},
        loinc={row.loinc: row for row in rows("loinc", LoincRow)},
        codes=tuple(rows("codes", LocalCodeRow)),
        conversions={(row.analyte, row.from_unit, row.to_unit): row for row in rows("conversions", ConversionRow)},
        ranges=_grouped(((row.laboratory, row.loinc), row) for row in rows("ranges", RangeRow)),
        windows=tuple(rows("windows", WindowRow)),
        exclusions=tuple(rows("exclusions", ExclusionRow)),
        critical=_grouped((row.loinc, row) for row in rows("critical", CriticalRow)),
        variation=_grouped((row.loinc, row) for row in rows("variation", VariationRow)),
        context_codes=_grouped((row.role, row) for row in rows("context_codes", ContextCodeRow)),
        context_notes=tuple(rows("context_notes", ContextNoteRow)),
        iss_stages=tuple(rows("iss_stages", IssStageRow)),
        iss_context=tuple(rows("iss_context", IssContextRow)),
        examples=tuple(rows("tests", ExampleRow)),
    )


def _cells(sheets: Mapping[str, Sheet], name: str) -> list[list[str]]:
    return sheets[name].rows if name in sheets else []


def _common(sheets: Mapping[str, Sheet], name: str, row_class: type[_Row]) -> list[_Row]:
    return typed(row_class, COMMON_FILES[name], _cells(sheets, f"common/{name}"))


def _properties(rows: list[list[str]], ucum: Ucum) -> dict[tuple[Dimension, Dimension], frozenset[str]]:
    found: dict[tuple[Dimension, Dimension], set[str]] = defaultdict(set)
    for _, name, unit, *_ in rows:
        found[ucum.kind_of_quantity(unit)].add(name)
    return {kind: frozenset(names) for kind, names in found.items()}


def _most_specific_first(
    rows: Iterable[tuple[str, Pack, LocalCodeRow]],
) -> dict[str, tuple[tuple[Pack, LocalCodeRow], ...]]:
    grouped = _grouped((key, (pack, row)) for key, pack, row in rows)
    return {key: tuple(sorted(group, key=lambda item: -sum(map(bool, item[1][1:8])))) for key, group in grouped.items()}


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, tuple[_Value, ...]]:
    groups: dict[_Key, list[_Value]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(group) for key, group in groups.items()}
