"""What datatype functions need beside the text: tables, the sender's row, the zone for times without offset.

One `Environment` serves all messages of one sender with one default offset. It holds the memos, so that a memo never
mixes two senders' habits. Datatype functions report what they met through `Environment.fault`; the memo keeps the
faults beside the value and `rules.py` reports them again each time the text comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from adapter.tables.index import Tables
from adapter.tables.rows import SenderRow

#: Entries a memo holds at most: bounds the memory at some ten megabytes for all memos together.
MEMO_ENTRIES = 2048
#: Entries that all memos of one environment hold at most: some ten megabytes.
ENVIRONMENT_ENTRIES = 8_192
_GENERATION = ENVIRONMENT_ENTRIES // 2
_MEMO_GENERATION = MEMO_ENTRIES // 2
#: Longer texts are not worth remembering: they seldom come twice.
MEMO_TEXT_LENGTH = 200

DatatypeFunction = Callable[[str, "Environment"], Any]
#: What a datatype function gives for a text of the usual form, with its faults and with less work; None for any other text.
Shortcut = Callable[[str, "Environment"], "tuple[Any, tuple[Fault, ...]] | None"]

#: Shortcuts by datatype function.
_shortcuts: dict[DatatypeFunction, Shortcut] = {}


def add_shortcut(function: DatatypeFunction, shortcut: Shortcut) -> None:
    """Let memos of a datatype function try a shortcut first; environments that do not remember never take it.

    Parameters
    ----------
    function : function
        Datatype function.
    shortcut : function
        Gives value and faults as the function does, or None.
    """
    _shortcuts[function] = shortcut


class Fault(NamedTuple):
    """What a datatype function has to say about its text.

    Parameters
    ----------
    slug : str
        Row of the issue catalogue.
    component : str
        Place inside the field: `""`, `"4"`, `"4.2"`.
    detail : str
        Without patient data.
    value : str
        The text as sent.
    """

    slug: str
    component: str = ""
    detail: str = ""
    value: str = ""


class Recent(dict[str, Any]):
    """What was met lately, in two generations: what comes again while its generation is the older one stays.

    A feed brings some hundred texts that recur (codes, units, ranges) and, in every message, some that never come again (numbers
    of orders, times). Emptying all at once would forget the former because of the latter.
    """

    __slots__ = ("environment", "older")

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.environment = environment
        self.older: dict[str, Any] = {}

    def recall(self, text: str) -> Any:
        """Give what the older generation holds, and keep it; None where it holds nothing."""
        found = self.older.get(text)
        if found is not None:
            self.keep(text, found)
        return found

    def keep(self, text: str, value: Any) -> None:
        """Take an entry in; the older generation goes when there are too many."""
        environment = self.environment
        environment.remembered += 1
        if environment.remembered >= _GENERATION or len(self) >= _MEMO_GENERATION:
            self.make_room()
        self[text] = value

    def make_room(self) -> None:
        """Begin a new generation: here, or in all memos where all together are full."""
        if self.environment.remembered >= _GENERATION:
            self.environment.age()
        else:
            self.age()

    def age(self) -> None:
        """Begin a new generation."""
        self.older = self.copy()
        self.clear()


class Memo(Recent):
    """Text of a field -> (value, faults), computed once and kept while there is room."""

    __slots__ = ("function", "shortcut")

    def __init__(self, function: DatatypeFunction, environment: Environment) -> None:
        super().__init__(environment)
        self.function = function
        self.shortcut = _shortcuts.get(function) if environment.remembers else None

    def __missing__(self, text: str) -> tuple[Any, tuple[Fault, ...]]:
        environment = self.environment
        found: tuple[Any, tuple[Fault, ...]] | None = self.older.get(text)
        if found is None and self.shortcut is not None:
            found = self.shortcut(text, environment)
        if found is None:
            outer = environment.faults
            faults: list[Fault] = []
            environment.faults = faults
            try:
                value = self.function(text, environment)
            finally:
                environment.faults = outer
            found = value, tuple(faults)
            if len(text) > MEMO_TEXT_LENGTH or not environment.remembers:
                return found
        environment.remembered += 1
        if environment.remembered >= _GENERATION or len(self) >= _MEMO_GENERATION:
            self.make_room()
        self[text] = found
        return found


@dataclass(slots=True, eq=False)
class Environment:
    """The surroundings of a datatype function.

    Parameters
    ----------
    tables : Tables
        The loaded mapping tables.
    sender : SenderRow or None
        Row of `senders.csv` for the message's sending application and facility.
    zone : ZoneInfo or None
        Zone of times without offset: the sender's row, else `--timezone`.
    default_offset : str
        Offset of MSH-7 as FHIR writes it (`-05:00`), or empty. It serves times without offset when the sender's row
        names no zone (HL7 v2.5.1 chapter 2, 2.A.22: the offset of MSH-7 is the default for the whole message).
    remembers : bool
        Whether memos keep anything; without, every look-up in the tables happens each time, so that it can be counted.
    remembered : int
        Entries that the memos took in since the last generation began.
    """

    tables: Tables
    sender: SenderRow | None = None
    zone: ZoneInfo | None = None
    default_offset: str = ""
    remembers: bool = True
    remembered: int = 0
    faults: list[Fault] = field(default_factory=list)
    #: memo by datatype function; one that is not there yet comes by `memo`
    memos: dict[DatatypeFunction, Memo] = field(default_factory=dict)
    #: templates of results, by the text of OBX-2 to OBX-13: without the value, which is a number, and with it; see
    #: `observation_template`
    number_templates: Recent = field(init=False)
    value_templates: Recent = field(init=False)
    #: templates of message headers, by the text of MSH without MSH-7 and MSH-10; see `header_template`
    header_templates: Recent = field(init=False)
    #: what patients and visits give, by the text of their segments; see `patient_template`
    patient_templates: Recent = field(init=False)

    def __post_init__(self) -> None:
        self.number_templates = Recent(self)
        self.value_templates = Recent(self)
        self.header_templates = Recent(self)
        self.patient_templates = Recent(self)

    def age(self) -> None:
        """Begin a new generation in all memos."""
        self.remembered = 0
        for memo in (self.number_templates, self.value_templates, self.header_templates, self.patient_templates):
            memo.age()
        for memo in self.memos.values():
            memo.age()

    def fault(self, slug: str, component: str = "", detail: str = "", value: str = "") -> None:
        """Report something about the text at hand."""
        self.faults.append(Fault(slug, component, detail, value))

    def run(self, function: DatatypeFunction, text: str) -> tuple[Any, tuple[Fault, ...]]:
        """Call a datatype function and collect its faults, those of functions it calls included."""
        outer, self.faults = self.faults, []
        try:
            value = function(text, self)
            return value, tuple(self.faults)
        finally:
            self.faults = outer

    def memo(self, function: DatatypeFunction) -> Memo:
        """Give the memo of a datatype function."""
        found = self.memos.get(function)
        if found is None:
            found = self.memos[function] = Memo(function, self)
        return found
