"""What a replay found, as plain data: everything that a text, a JSON file, a JUnit file or a page needs to tell it.

Messages that came out as accepted are counted and listed without their texts. Those that did not carry their source, both outputs
and each element that differs. A report holds patient data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["same", "equivalent", "different", "missing", "gone"]
"""What became of a message against its accepted output.

`same`: byte for byte. `equivalent`: other bytes, same meaning. `different`: another meaning. `missing`: nothing was accepted.
`gone`: there is accepted output, but no message.
"""

CauseKind = Literal["row", "setting", "program", "message", "together", "service", "unknown"]
"""What can change an output.

`row`: a row of a table. `setting`: how messages are converted. `program`: parts of this program that changed and ran. `message`:
the message itself is another one. `together`: rows that act only together. `service`: the running service gives another output
than this program. `unknown`: none of these, as far as it can be told.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why outputs changed.

    Parameters
    ----------
    kind : CauseKind
        What it is.
    title : str
        Where it stands, in one line: `mappings/b2m/units.csv line 18 (row unit-ug-l)`.
    detail : str
        What changed there: `ucum 'mg/L' -> 'ug/L'`.
    """

    kind: CauseKind
    title: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.detail}" if self.detail else self.title


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a value.

    Parameters
    ----------
    place : str
        Component of the message, `OBX[2]-7`; empty for an enrichment rule.
    rules : tuple of str
        Rules of the mapping or of enrichment.
    rows : tuple of str
        Table rows, with file and line.
    """

    place: str
    rules: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(slots=True)
class ElementChange:
    """One element that differs.

    Parameters
    ----------
    path : str
        `Observation[1952-1].referenceRange[0].low.value`; `fate`; `issue flag-conflict OBX[1]-8`.
    old, new : str or None
        What stands there, as JSON; None where there is no such element.
    old_from, new_from : tuple of Origin
        What made each; empty where nobody looked (`Report.explained`) or nothing of the message did.
    old_at, new_at : tuple of str and tuple, or None
        Where it stands in each output: type and number of the resource, as `Observation[2]`, and the path within it.
    causes : list of int
        Indices in `Report.causes`.
    """

    path: str
    old: str | None
    new: str | None
    old_at: tuple[str, tuple[str | int, ...]] | None = None
    new_at: tuple[str, tuple[str | int, ...]] | None = None
    old_from: tuple[Origin, ...] = ()
    new_from: tuple[Origin, ...] = ()
    causes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class MessageResult:
    """What became of one message.

    Parameters
    ----------
    file : str
        The file, as seen from the working folder.
    number : int
        Number of the message in its file, from 1; 0 for accepted output without message.
    sender : str
        `MSH-3|MSH-4`, their first components; empty where the message does not say.
    status : Status
        Against the accepted output.
    fate : str
        `converted`, `rejected`, `unselected`; empty for a message that is gone.
    issues : tuple of str
        `slug place` of what was noticed.
    results : int
        Number of Observations in the output.
    source : str
        The message, read in the character set that it names; empty unless it differs.
    old_lines, new_lines : tuple of str
        Accepted and present output; empty unless they differ.
    changes : list of ElementChange
        What differs.
    explained : bool
        Whether the origins of the changes were looked up.
    """

    file: str
    number: int
    sender: str
    status: Status
    fate: str = ""
    issues: tuple[str, ...] = ()
    results: int = 0
    source: str = ""
    old_lines: tuple[str, ...] = ()
    new_lines: tuple[str, ...] = ()
    changes: list[ElementChange] = field(default_factory=list)
    explained: bool = False

    @property
    def name(self) -> str:
        """The file; with the number where a file holds several."""
        return f"{self.file} message {self.number}" if self.number else self.file

    @property
    def failed(self) -> bool:
        """Whether the message does not come out as accepted."""
        return self.status not in ("same", "equivalent")


@dataclass(slots=True)
class Group:
    """Messages that changed for one cause.

    Parameters
    ----------
    cause : int
        Index in `Report.causes`.
    messages : list of int
        Indices in `Report.messages`.
    elements : int
        Number of elements that changed.
    """

    cause: int
    messages: list[int] = field(default_factory=list)
    elements: int = 0


@dataclass(slots=True)
class CoursePoint:
    """One result of a patient.

    Parameters
    ----------
    message : int
        Index in `Report.messages`.
    time : str
        `effectiveDateTime` as it leaves; empty where there is none.
    value : str
        Comparator and digits as they leave.
    unit : str
        UCUM code, else the unit as text.
    low, high : str
        Bounds of the reference range, digits as they leave; empty where there are none.
    flag : str
        Interpretation code.
    """

    message: int
    time: str
    value: str
    unit: str
    low: str = ""
    high: str = ""
    flag: str = ""


@dataclass(slots=True)
class Course:
    """The results of one patient under one LOINC code, in the order of time.

    Parameters
    ----------
    patient : str
        Digest that stands for the patient's first identifier.
    loinc : str
        The code.
    name : str
        Its name.
    points : list of CoursePoint
        The results.
    """

    patient: str
    loinc: str
    name: str
    points: list[CoursePoint] = field(default_factory=list)


@dataclass(slots=True)
class Versions:
    """What one folder's accepted outputs were made with, and what is in use now; empty texts where there is no manifest.

    Parameters
    ----------
    folder : str
        Folder of the manifest.
    old_program, new_program, old_tables, new_tables : str
        Versions.
    rows, parts : int
        Number of table rows and of parts of the program that are other than they were.
    settings : tuple of str
        Settings that are: `units canonical -> as-sent`.
    in_use : tuple of str
        Settings in use that are not the default: `timezone Europe/Berlin`.
    """

    folder: str
    old_program: str
    new_program: str
    old_tables: str
    new_tables: str
    rows: int = 0
    parts: int = 0
    settings: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()


@dataclass(slots=True)
class Against:
    """The running service that the messages went through.

    Parameters
    ----------
    endpoint : str
        Its address.
    door : {"HTTP", "MLLP"}
        What was spoken.
    program, tables : str
        Its versions, as its outputs tell them; empty where they tell none.
    answers : dict of str to int
        Number of answers by code or fault.
    results : int
        Number of outputs that were read back.
    nanoseconds : int
        From the first message to the last answer.
    latencies : dict of str to int
        Nanoseconds from sending to the answer: `p50`, `p90`, `p99`, `max`.
    notes : list of str
        What was not compared, and what is not known.
    """

    endpoint: str
    door: Literal["HTTP", "MLLP"]
    program: str = ""
    tables: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    results: int = 0
    nanoseconds: int = 0
    latencies: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What a replay found.

    Parameters
    ----------
    messages : list of MessageResult
        Every message, in the order of the files.
    causes : list of Cause
        Why outputs changed.
    groups : list of Group
        Messages by cause, the cause of most messages first.
    versions : list of Versions
        One for each manifest.
    courses : list of Course
        Results of the packs over time; empty unless asked for.
    faults : list of str
        What makes the run a failure besides messages: no message, nothing accepted.
    accepted : int
        Number of files whose outputs were accepted in this run.
    nanoseconds : int
        How long the run took.
    against : Against or None
        The running service that gave the outputs; None: this program did.
    """

    messages: list[MessageResult] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    versions: list[Versions] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    accepted: int = 0
    nanoseconds: int = 0
    against: Against | None = None

    @property
    def passed(self) -> bool:
        """Whether every message comes out as accepted, and there is at least one."""
        return bool(self.messages) and not self.faults and not any(message.failed for message in self.messages)
