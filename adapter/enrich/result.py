"""One result on its way through enrichment: the FHIR element, what is known about it, and what was noticed and changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from adapter.config import Settings
from adapter.fhir.context import ObservationContext
from adapter.issues import Issue
from adapter.tables.index import Pack, Tables
from adapter.tables.lookups import Step
from adapter.tables.rows import CriticalRow, LoincRow, WindowRow

if TYPE_CHECKING:
    from adapter.enrich.bounds import Bounds

#: Answers that are remembered of each kind.
MEMO_SIZE = 2048
_OBX_FIELDS = {"code": "3", "value": "5", "unit": "6", "referenceRange": "7", "interpretation": "8"}


class Change(NamedTuple):
    """One thing that enrichment added or changed.

    Parameters
    ----------
    element : str
        FHIR path within the Observation, e.g. `referenceRange`.
    rule : str
        One of `mark.RULES`.
    row : str
        Id of the table row; empty where none takes part.
    steps : tuple of Step
        The look-ups that led there. They hold sent text: for explanations only.
    """

    element: str
    rule: str
    row: str = ""
    steps: tuple[Step, ...] = ()


class Specimen(NamedTuple):
    """What the tables know about the specimen; empty where they do not. `slug`: issue, where its codes contradict each other."""

    axis: str = ""
    timing: str = ""
    slug: str = ""


class Measure(NamedTuple):
    """What a number is judged by.

    Parameters
    ----------
    unit : str
        UCUM unit of the number as sent.
    window : WindowRow or None
        Its plausible order of magnitude.
    limit : CriticalRow or None
        Critical limits of the site.
    bounds : Bounds or None
        Of its reference range.
    """

    unit: str
    window: WindowRow | None
    limit: CriticalRow | None
    bounds: Bounds | None


class Move(NamedTuple):
    """How a quantity leaves.

    Parameters
    ----------
    unit, target : str
        UCUM unit as sent, and the canonical one.
    moves : bool
        Whether the canonical quantity stands in `value`.
    convertible : bool
        Whether the units convert; the quantity that does not stand in `value` is its translation then.
    """

    unit: str
    target: str
    moves: bool
    convertible: bool


class Memo(dict[Any, Any]):
    """Answers that depend on the tables and their key alone; it starts anew when it is full."""

    def __setitem__(self, key: Any, answer: Any) -> None:
        if len(self) >= MEMO_SIZE:
            self.clear()
        super().__setitem__(key, answer)


class Memos:
    """What one enricher has looked up: a feed has few different units, specimens and ranges.

    Parameters
    ----------
    units : Memo
        `UnitResolution` by code, text and system of a Quantity and the sender.
    specimens : Memo
        `SpecimenResolution` by codes and words.
    windows : Memo
        `WindowRow` or None by pack, LOINC code and specimen axis.
    codings : Memo
        A CodeableConcept and its codings, by its identity: the conversion gives equal codes as one object. It is held, so that
        no other takes its identity.
    last_specimen : tuple or None
        Specimen, reference to it, and what was found.
    ranges : Memo
        `Bounds` of a usable referenceRange element by its JSON, unit of the value, window and sender; the element in another unit
        by that unit too. These elements are shared by results: never change one.
    """

    __slots__ = ("codings", "last_specimen", "ranges", "specimens", "units", "windows")

    def __init__(self) -> None:
        self.units, self.specimens, self.windows, self.codings, self.ranges = Memo(), Memo(), Memo(), Memo(), Memo()
        self.last_specimen: tuple[Any, Any, Specimen] | None = None


@dataclass(slots=True, eq=False)
class Result:
    """A result that is being enriched.

    Parameters
    ----------
    element : dict
        The Observation, or a copy of one of its components: both have `code`, `value[x]`, `referenceRange`, `interpretation`.
    context : ObservationContext
        What is known around it.
    tables : Tables
        Tables in force.
    settings : Settings
        Settings of the run.
    specimen : Specimen
        Axis and timing of the specimen.
    path : str
        Path of the element within the Observation: empty, or `component[1].`.
    loinc : LoincRow or None
        What the code is; None until it is known.
    pack : Pack or None
        Its pack.
    window : WindowRow or None
        Its plausible order of magnitude.
    issues, changes : list
        What was noticed and changed.
    memos : Memos
        What was looked up for earlier results.
    measure : Measure or None
        What its number is judged by; None where it is not judged.
    move : Move or None
        How its quantity leaves; None where it leaves as it came.
    recurs : bool
        Nothing of the patient, the laboratory or the time was asked for: the next result may be like this one.
    """

    element: dict[str, Any]
    context: ObservationContext
    tables: Tables
    settings: Settings
    specimen: Specimen
    path: str = ""
    loinc: LoincRow | None = None
    pack: Pack | None = None
    window: WindowRow | None = None
    issues: list[Issue] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    memos: Memos = field(default_factory=Memos)
    measure: Measure | None = None
    move: Move | None = None
    recurs: bool = True

    def of_whole(self, name: str) -> bool:
        """Whether a component leaves this to the Observation: what is said there for all components is not judged for one."""
        return bool(self.path) and name not in self.element and name in self.context.observation

    def report(self, slug: str, part: str, detail: str = "", value: str = "") -> None:
        """Report an issue at a part of the result: `code`, `value`, `unit`, `referenceRange` or `interpretation`."""
        place = self.context.place
        if place.startswith("OBX"):
            place = f"{place}-{_OBX_FIELDS[part]}"
        else:
            value = next((key for key in self.element if key.startswith("value")), "valueQuantity")
            name = f"{value}.unit" if part == "unit" else value if part == "value" else part
            place = f"{place}.{self.path}{name}" if place else f"{self.path}{name}"
        self.issues.append(Issue(slug, place, detail, value))

    def changed(self, part: str, rule: str, row: str = "", steps: tuple[Step, ...] = ()) -> None:
        """Note what was added or changed and why."""
        self.changes.append(Change(self.path + part, rule, row, steps))
