"""What stands in which table file: every file kind and every column, declared once.

The loader, the checker and `docs/tables.md` all read this file; nothing else names the columns of a file. A new column is one
line here and one field in `rows.py`.

Rules that hold for every file: CSV, UTF-8, a header line with exactly these columns in this order, one row a fact. `id` comes
first and is unique over all files; `source` says where the fact comes from. An empty key cell means "any", `-` means "blank in
the message". `status` is empty for a row in use, `retired` for one that is removed (in a site: removes the shipped row of the
same key), `doubtful` for one that is used and reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CellKind = Literal["id", "text", "code", "loinc", "ucum", "decimal", "yes-no", "date", "age", "words", "choice"]
"""How a cell is checked.

`id`: ASCII, no blanks. `text`: anything printable. `code`: text in which a typographic hyphen is a fault. `loinc`: LOINC code
with a right check digit. `ucum`: expression that parses. `decimal`: digits with at most one point. `yes-no`: `yes` or `no`.
`date`: YYYY-MM-DD. `age`: whole number and unit. `words`: words separated by blanks. `choice`: one of the listed words.
"""

Reference = Literal["", "loinc", "analyte", "laboratory", "specimen"]
"""What a cell refers to; a value that no row defines is a fault."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file kind.

    Parameters
    ----------
    name : str
        Header word.
    kind : CellKind
        How the cell is checked.
    meaning : str
        What the cell says, for people.
    required : bool
        Whether an empty cell is a fault.
    key : bool
        Whether the cell belongs to the key of the row: rows of one file differ in their keys, and a site row replaces the row of
        the same key.
    choices : tuple of str
        Allowed words of a `choice` cell.
    refers : Reference
        What the cell refers to.
    empty_means : str
        What an empty `yes-no` cell says; `no` where nothing is declared.
    """

    name: str
    kind: CellKind
    meaning: str
    required: bool = False
    key: bool = False
    choices: tuple[str, ...] = ()
    refers: Reference = ""
    empty_means: str = ""


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of table file.

    Parameters
    ----------
    name : str
        File name without `.csv`; `code_map` stands for every file of `common/tables/`.
    place : {"common", "pack"}
        Folder: `common/`, or each folder with an `analyte.csv`.
    meaning : str
        What a row says, for people.
    columns : tuple of Column
        The columns in the order of the header.
    one_of : tuple of str
        Columns of which at least one must be filled.
    """

    name: str
    place: Literal["common", "pack"]
    meaning: str
    columns: tuple[Column, ...]
    one_of: tuple[str, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns in order."""
        return tuple(column.name for column in self.columns if column.key)


_ID = Column("id", "id", "Stable name of the row, unique over all files; outputs cite it.", required=True)
_SOURCE = Column("source", "text", "Where the fact comes from.", required=True)
_NOTE = Column("note", "text", "Anything a reader should know.")
_STATUS = Column("status", "choice", "Empty: in use; `retired`: removed; `doubtful`.", choices=("retired", "doubtful"))

_EQUIVALENCES = (
    "relatedto",
    "equivalent",
    "equal",
    "wider",
    "subsumes",
    "narrower",
    "specializes",
    "inexact",
    "unmatched",
    "disjoint",
)
_TIMINGS = ("spot", "24h", "timed")
_AGE_UNITS = ("a", "mo", "wk", "d")
CONTEXT_ROLES = (
    "iss-question",
    "iss-method",
    "iss-marker",
    "iss-albumin",
    "iss-diagnosis",
    "iss-diagnosis-excluded",
    "urine-ph",
    "kidney-function",
)
CONTEXT_NOTE_NAMES = ("urine-ph-low", "kidney-function-reduced", "paired-flags", "paired-flags-reversed")
_ATOM_KINDS = ("base", "derived", "arbitrary", "special", "dimensionless")


def _sender(key: bool) -> tuple[Column, Column]:
    return (
        Column("sender_application", "code", "MSH-3 (any component) or the FHIR message source name.", key=key),
        Column("sender_facility", "code", "MSH-4 (any component) or the FHIR sender organization.", key=key),
    )


def _kind(name: str, place: Literal["common", "pack"], meaning: str, *columns: Column, one_of: tuple[str, ...] = ()) -> FileKind:
    return FileKind(name, place, meaning, (_ID, *columns, _SOURCE, _NOTE), one_of)


CODE_MAP = _kind(
    "code_map",
    "common",
    "One code of an HL7 table and what it becomes in FHIR. `0396.csv`: code = name of a coding system, system = its URI.",
    Column("code", "code", "The code as sent; `*` is the row for every other code.", required=True, key=True),
    Column("system", "text", "URI of the target's code system; empty where FHIR wants a bare code."),
    Column("target", "text", "The code in FHIR; empty where there is none."),
    Column("display", "text", "Display of the target."),
    Column("equivalence", "choice", "How the target relates to the code (FHIR ConceptMapEquivalence).", choices=_EQUIVALENCES),
    _STATUS,
)

UNITS = _kind(
    "units",
    "common",
    "One spelling of a unit and the UCUM expression that it means. Exact and case-sensitive.",
    Column("spelling", "text", "The unit exactly as sent.", required=True, key=True),
    Column("ucum", "ucum", "What it means.", required=True),
    Column("display", "text", "Unit for people; empty: as sent."),
    _STATUS,
)

UNITS_REFUSED = _kind(
    "units_refused",
    "common",
    "One spelling that is seen in feeds and deliberately not translated.",
    Column("spelling", "text", "The unit exactly as sent.", required=True, key=True),
    Column("reason", "text", "Why it is not translated.", required=True),
)

UCUM_ATOMS = _kind(
    "ucum_atoms",
    "common",
    "One UCUM unit atom: code = factor x definition.",
    Column("code", "text", "The case-sensitive UCUM code.", required=True, key=True),
    Column("kind", "choice", "What sort of atom it is.", required=True, choices=_ATOM_KINDS),
    Column("metric", "yes-no", "Whether it takes prefixes.", required=True),
    Column("definition", "text", "UCUM expression in other atoms; empty for base, arbitrary and special atoms."),
    Column("factor", "decimal", "Exact number before the definition; empty: 1."),
)

UCUM_PREFIXES = _kind(
    "ucum_prefixes",
    "common",
    "One UCUM prefix.",
    Column("code", "text", "The case-sensitive prefix.", required=True, key=True),
    Column("factor", "decimal", "Its exact value.", required=True),
)

LABORATORIES = _kind(
    "laboratories",
    "common",
    "One identifier or exact name of a performing laboratory, as sent.",
    Column("identifier_system", "text", "URI or name of the system of the identifier.", key=True),
    Column("identifier", "code", "The identifier as sent.", key=True),
    Column("name", "text", "The exact name as sent.", key=True),
    Column("laboratory", "id", "The laboratory key that ranges refer to.", required=True),
    _STATUS,
    one_of=("identifier", "name"),
)

SPECIMENS = _kind(
    "specimens",
    "common",
    "One specimen code or specimen text and the specimen axis it means.",
    Column("code_system", "text", "URI or HL7 v2 name of the code system.", key=True),
    Column("code", "code", "The specimen code.", key=True),
    Column("text", "text", "The specimen in words; case and blanks do not matter.", key=True),
    Column("specimen", "id", "Specimen axis, e.g. `urine`.", required=True),
    Column("timing", "choice", "What the code says about timing.", choices=_TIMINGS),
    _STATUS,
    one_of=("code", "text"),
)

SPECIMEN_MEMBERS = _kind(
    "specimen_members",
    "common",
    "One specimen axis that another one includes.",
    Column("specimen", "id", "The wider axis, e.g. `serum-plasma`.", required=True, key=True),
    Column("member", "id", "The axis that fits it, e.g. `serum`.", required=True, key=True),
    Column(
        "relation",
        "choice",
        "`is`: the member fits the wider axis. `drawn-as`: the wider one is made from it; neither contradiction nor evidence.",
        required=True,
        choices=("is", "drawn-as"),
    ),
)

PROPERTIES = _kind(
    "properties",
    "common",
    "One kind of quantity (LOINC property) and an example unit that shows its dimension.",
    Column("property", "code", "LOINC property, e.g. `MCnc`.", required=True, key=True),
    Column("dimension_unit", "ucum", "Example unit; numerator and denominator decide, not the size.", required=True, key=True),
)

SENDERS = _kind(
    "senders",
    "common",
    "One sending application and facility and what is known about it. As a rule in a site.",
    *_sender(key=True),
    Column("time_zone", "text", "IANA zone of times without offset, e.g. `Europe/Vienna`."),
    Column("charset", "text", "Character set, stronger than MSH-18."),
    Column("identifier_base", "text", "URI to which the name of an assigning authority is appended."),
    Column("local_code_base", "text", "URI to which the name of a local coding system is appended."),
    Column("laboratory", "id", "Performing laboratory where the message names none.", refers="laboratory"),
    Column("blank_unit", "ucum", "Unit of results without OBX-6."),
    Column("processing_ids", "words", "Accepted MSH-11 values, separated by blanks; empty: all."),
    Column("trust_loinc", "yes-no", "Whether sent LOINC codes are believed; empty: yes.", empty_means="yes"),
    Column("range_laboratory", "id", "Laboratory or publication whose table range is the default.", refers="laboratory"),
    _STATUS,
)

INTERPRETATION_CATEGORIES = _kind(
    "interpretation_categories",
    "common",
    "One interpretation code and the group of codes of which a result may carry at most one.",
    Column("code", "code", "Code of v3-ObservationInterpretation.", required=True, key=True),
    Column("category", "id", "Group, e.g. `normality`.", required=True),
)

FLAG_AGREEMENT = _kind(
    "flag_agreement",
    "common",
    "What it means when the laboratory sent one interpretation code and the reference range gives another.",
    Column("sent", "code", "Code that was sent.", required=True, key=True),
    Column("computed", "code", "Code that value and reference range give.", required=True, key=True),
    Column(
        "verdict",
        "choice",
        "`agree`: nothing to say; `refine`: the sent one says more; `conflict`: not both are true; `other`: another subject.",
        required=True,
        choices=("agree", "refine", "conflict", "other"),
    ),
)

ANALYTE = _kind(
    "analyte",
    "pack",
    "One analyte of the pack. The file makes a folder a pack.",
    Column("analyte", "id", "Key of the analyte.", required=True, key=True),
    Column("name", "text", "Name for people.", required=True),
)

_METHOD = Column("method", "code", "Method word; the same words in `loinc.csv`, `codes.csv` and `ranges.csv`.")
_CHALLENGE = Column("challenge", "text", "Challenge, e.g. `post dialysis`.")

LOINC = _kind(
    "loinc",
    "pack",
    "One LOINC code of the pack with its axes.",
    Column("loinc", "loinc", "LOINC code.", required=True, key=True),
    Column("long_name", "text", "Long common name.", required=True),
    Column("analyte", "id", "Analyte.", required=True, refers="analyte"),
    Column("property", "code", "LOINC property.", required=True),
    Column("timing", "choice", "`spot` is LOINC's Pt.", choices=_TIMINGS),
    Column("specimen", "id", "Specimen axis.", required=True, refers="specimen"),
    Column("scale", "choice", "LOINC scale.", required=True, choices=("Qn", "Ord", "Nom", "Nar", "OrdQn")),
    _METHOD,
    _CHALLENGE,
    Column("canonical_unit", "ucum", "Unit into which values are converted; empty: none."),
    Column("default", "yes-no", "Whether a resolution by axes may choose it.", required=True),
    _STATUS,
)

CODES = _kind(
    "codes",
    "pack",
    "One local code or name: a LOINC code, or an analyte with the axes that the code itself gives.",
    *_sender(key=True),
    Column("code_system", "text", "URI or HL7 v2 name of the coding system.", key=True),
    Column("code", "code", "The code as sent, exact.", key=True),
    Column("name", "text", "The name as sent; case and blanks do not matter.", key=True),
    Column(
        "specimen",
        "id",
        "With `loinc`: only where it is sent. With `analyte`: what the code itself says.",
        key=True,
        refers="specimen",
    ),
    Column("unit", "ucum", "Only for results in this unit.", key=True),
    Column("loinc", "loinc", "LOINC code; or", refers="loinc"),
    Column("analyte", "id", "analyte, resolved by its axes.", refers="analyte"),
    Column("property", "code", "LOINC property, where the code says it."),
    Column("timing", "choice", "Timing, where the code says it.", choices=_TIMINGS),
    _CHALLENGE,
    _METHOD,
    Column("declared_duplicate", "yes-no", "`yes`: this sender has several codes for one LOINC code, and that is right."),
    _STATUS,
    one_of=("code", "name"),
)

CONVERSIONS = _kind(
    "conversions",
    "pack",
    "One conversion that UCUM arithmetic cannot do: to_unit = from_unit x factor.",
    Column("analyte", "id", "Analyte.", required=True, key=True, refers="analyte"),
    Column("from_unit", "ucum", "Unit converted from.", required=True, key=True),
    Column("to_unit", "ucum", "Unit converted into.", required=True, key=True),
    Column("factor", "decimal", "Factor.", required=True),
    Column("kind", "code", "What makes it possible, e.g. `molar`, `creatinine`.", required=True),
    Column("precision", "text", "How exact the factor is."),
)

RANGES = _kind(
    "ranges",
    "pack",
    "One reference range of one laboratory.",
    Column("laboratory", "id", "Laboratory or publication.", required=True, key=True, refers="laboratory"),
    Column("loinc", "loinc", "LOINC code.", required=True, key=True, refers="loinc"),
    Column("specimen", "id", "Specimen axis; empty: that of the LOINC code.", key=True, refers="specimen"),
    Column("method", "code", "Method word; empty: any.", key=True),
    Column("sex", "choice", "Administrative gender; empty: any.", key=True, choices=("male", "female", "other")),
    Column("age_low", "decimal", "First age that is included; empty: from birth.", key=True),
    Column("age_high", "decimal", "First age that is no longer included; empty: no end.", key=True),
    Column("age_unit", "choice", "Unit of the ages (UCUM).", key=True, choices=_AGE_UNITS),
    Column("low", "decimal", "Lower bound."),
    Column("low_inclusive", "yes-no", "Whether the lower bound itself is normal; empty: yes.", empty_means="yes"),
    Column("high", "decimal", "Upper bound."),
    Column("high_inclusive", "yes-no", "Whether the upper bound itself is normal; empty: yes.", empty_means="yes"),
    Column("unit", "ucum", "Unit of the bounds.", required=True),
    Column("text", "text", "The range as its source states it."),
    Column("valid_from", "date", "First day of use.", key=True),
    Column("valid_to", "date", "Last day of use.", key=True),
    Column("certainty", "choice", "V read in the source, D derived, U unverified.", required=True, choices=("V", "D", "U")),
    Column(
        "default",
        "yes-no",
        "`yes`: added to results without range. `no`: only for a range_laboratory of `senders.csv`.",
        required=True,
    ),
    _STATUS,
    one_of=("low", "high"),
)

WINDOWS = _kind(
    "windows",
    "pack",
    "One plausible order of magnitude for values and range bounds.",
    Column("loinc", "loinc", "LOINC code; empty: any.", key=True, refers="loinc"),
    Column("specimen", "id", "Specimen axis; empty: any.", key=True, refers="specimen"),
    Column("property", "code", "LOINC property; empty: any.", key=True),
    Column("unit", "ucum", "Unit of the bounds.", required=True),
    Column("low", "decimal", "Smallest plausible number above zero."),
    Column("high", "decimal", "Largest plausible number."),
    one_of=("low", "high"),
)

EXCLUSIONS = _kind(
    "exclusions",
    "pack",
    "One code or name that looks like the pack's analyte and is not.",
    Column("code_system", "text", "URI or HL7 v2 name of the coding system.", key=True),
    Column("code", "code", "The code.", key=True),
    Column("name", "text", "The name; case and blanks do not matter.", key=True),
    Column("reason", "text", "What it is.", required=True),
    one_of=("code", "name"),
)

CRITICAL = _kind(
    "critical",
    "pack",
    "One pair of critical limits of one laboratory. In a site only: no critical limits are shipped.",
    Column("laboratory", "id", "Laboratory; empty: every laboratory of the site.", key=True, refers="laboratory"),
    Column("loinc", "loinc", "LOINC code.", required=True, key=True, refers="loinc"),
    Column("specimen", "id", "Specimen axis; empty: that of the LOINC code.", key=True, refers="specimen"),
    Column("low", "decimal", "At or below it a result is critically low (LL)."),
    Column("high", "decimal", "At or above it a result is critically high (HH)."),
    Column("unit", "ucum", "Unit of the limits.", required=True),
    _STATUS,
    one_of=("low", "high"),
)

VARIATION = _kind(
    "variation",
    "pack",
    "Variation of one test at one laboratory, for the change against an earlier result. In a site only: no numbers are shipped.",
    Column("laboratory", "id", "Laboratory; empty: every laboratory of the site.", key=True, refers="laboratory"),
    Column("loinc", "loinc", "LOINC code.", required=True, key=True, refers="loinc"),
    Column("specimen", "id", "Specimen axis; only its results are compared.", required=True, key=True, refers="specimen"),
    Column("cv_analytical", "decimal", "Analytical coefficient of variation in percent.", required=True),
    Column("cv_individual", "decimal", "Biological variation within a person in percent.", required=True),
    Column("z", "decimal", "Standard normal deviate of the chosen probability, e.g. 1.96.", required=True),
    _STATUS,
)

CONTEXT_CODES = _kind(
    "context_codes",
    "pack",
    "One code that a context judgement looks for in the same message.",
    Column("role", "choice", "What the code is to the judgement.", required=True, key=True, choices=CONTEXT_ROLES),
    Column("code_system", "text", "URI or HL7 v2 name of the code system.", required=True, key=True),
    Column("code", "code", "The code.", required=True, key=True),
    Column("display", "text", "Name of the code."),
    _STATUS,
)

CONTEXT_NOTES = _kind(
    "context_notes",
    "pack",
    "One note that other results of the same message give reason for.",
    Column("note", "choice", "Which circumstance it speaks of.", required=True, key=True, choices=CONTEXT_NOTE_NAMES),
    Column("specimen", "id", "Specimen axis of the results that get the note.", required=True, key=True, refers="specimen"),
    Column("below", "decimal", "The other result is below this number."),
    Column("unit", "ucum", "Unit of the number."),
    Column("flags", "words", "Interpretation codes of the result itself, separated by blanks; empty: any."),
    Column("other_specimen", "id", "Specimen axis of the other result.", refers="specimen"),
    Column("other_flags", "words", "Interpretation codes of the other result, separated by blanks."),
    Column("text", "text", "The note.", required=True),
    _STATUS,
)

ISS_STAGES = _kind(
    "iss_stages",
    "pack",
    "One stage of the International Staging System and its cut-offs. The stage without cut-offs is the one of all other results.",
    Column("stage", "choice", "Stage.", required=True, key=True, choices=("I", "II", "III")),
    Column("code_system", "text", "URI of the code system of the stage.", required=True),
    Column("code", "code", "Code of the stage.", required=True),
    Column("display", "text", "Name of the stage.", required=True),
    Column("marker_from", "decimal", "Smallest value of the marker."),
    Column("marker_below", "decimal", "First value of the marker that is no longer included."),
    Column("marker_unit", "ucum", "Unit of the marker."),
    Column("albumin_from", "decimal", "Smallest albumin."),
    Column("albumin_unit", "ucum", "Unit of albumin."),
    _STATUS,
)

ISS_CONTEXT = _kind(
    "iss_context",
    "pack",
    "Results that a site declares to be from before treatment. In a site only; without a row nothing is staged.",
    *_sender(key=True),
    Column("order_code", "code", "Code of the order (OBR-4, DiagnosticReport.code); empty: every order of the sender.", key=True),
    Column("treatment", "choice", "What is known about treatment.", required=True, choices=("before-treatment",)),
    _STATUS,
)

TESTS = _kind(
    "tests",
    "pack",
    "One example: a result as sent, and what must come out.",
    *_sender(key=True),
    Column("code_system", "text", "OBX-3.3.", key=True),
    Column("code", "code", "OBX-3.1.", key=True),
    Column("name", "text", "OBX-3.2.", key=True),
    Column("specimen", "text", "SPM-4.1 or a specimen axis.", key=True),
    Column("unit", "text", "OBX-6.1.", key=True),
    Column("value", "text", "OBX-5.", key=True),
    Column("range", "text", "OBX-7.", key=True),
    Column("laboratory", "text", "OBX-23.1.", key=True),
    Column("range_laboratory", "id", "As if the sender's row named this `range_laboratory`.", key=True, refers="laboratory"),
    Column("method", "text", "OBX-17.2.", key=True),
    Column("sex", "choice", "Administrative gender.", key=True, choices=("male", "female", "other")),
    Column("age", "age", "Age at collection: a whole number and a, mo, wk or d, e.g. `45 a`.", key=True),
    Column("expected_loinc", "loinc", "LOINC code; empty: none may come out."),
    Column("expected_value", "text", "Value, digit by digit, with its comparator; empty: not compared."),
    Column("expected_unit", "ucum", "UCUM unit of the value; empty: not compared."),
    Column("expected_interpretation", "code", "Interpretation code; empty: none may come out."),
    Column("expected_range", "id", "Id of the row of `ranges.csv` that is added; empty: none may be."),
    Column("expected_issue", "code", "Slug of an issue that must be reported; empty: no error and no warning may be."),
)

FILE_KINDS: tuple[FileKind, ...] = (
    CODE_MAP,
    UNITS,
    UNITS_REFUSED,
    UCUM_ATOMS,
    UCUM_PREFIXES,
    LABORATORIES,
    SPECIMENS,
    SPECIMEN_MEMBERS,
    PROPERTIES,
    SENDERS,
    INTERPRETATION_CATEGORIES,
    FLAG_AGREEMENT,
    ANALYTE,
    LOINC,
    CODES,
    CONVERSIONS,
    RANGES,
    WINDOWS,
    EXCLUSIONS,
    CRITICAL,
    VARIATION,
    CONTEXT_CODES,
    CONTEXT_NOTES,
    ISS_STAGES,
    ISS_CONTEXT,
    TESTS,
)
COMMON_FILES: dict[str, FileKind] = {kind.name: kind for kind in FILE_KINDS if kind.place == "common" and kind is not CODE_MAP}
PACK_FILES: dict[str, FileKind] = {kind.name: kind for kind in FILE_KINDS if kind.place == "pack"}
