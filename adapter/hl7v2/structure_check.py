"""`--check-v2`: a second opinion on the structure of a message, by hl7apy and the definitions of the message's own version.

hl7apy knows which segments, fields and components a version of HL7 v2 has, which are required and how often they may come. What
it finds is reported; conversion does not depend on it. It takes some 50 ms a message, a hundred times as long as a conversion,
and half a second to import, so it is imported at the first use.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator

from adapter.hl7v2.message import Message
from adapter.issues import Issue

SLUG = "v2-structure"

#: Faults as hl7apy words them. What it says on values (lengths, tables) is no matter of structure and is not reported.
_FAULTS = (
    (re.compile(r"Missing required child (?P<parent>\w+)\.(?P<child>\w+)\Z"), "is required and missing"),
    (re.compile(r"Child limit exceeded (?P<parent>\w+)\.(?P<child>\w+)\Z"), "comes more often than allowed"),
    # None: what hl7apy has no name for, because it stands behind the last field that the version defines
    (re.compile(r"Invalid children detected for <Segment (?P<parent>\w+).*>: \[None"), "has more fields than this version knows"),
    (
        re.compile(r"Invalid children detected for <(?:Field|\w*Component) (?P<parent>\w+)"),
        "has more parts than this version knows",
    ),
    (re.compile(r"Invalid children detected for <\w+ (?P<parent>\w+).*>: \['(?P<child>\w+)'"), "is not allowed here"),
    (re.compile(r"Datatype \w+ is not correct for (?P<parent>\w+)\.(?P<child>\w+) "), "has not the data type of this version"),
    (re.compile(r"(?:Unknown|Invalid) element found: (?:.*\.)?<\w+ (?P<parent>\w+).*>\Z"), "is not known in this version"),
)
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})_(\d+)\Z")
_COMPONENT = re.compile(r"[A-Z][A-Z0-9]{1,2}_(\d+)\Z")


def structure_issues(message: Message) -> list[Issue]:
    """Check the structure of a message against the HL7 definitions of its version.

    Parameters
    ----------
    message : Message
        A message as it was read.

    Returns
    -------
    list of Issue
        `v2-structure`, one for each kind of fault and place. The place has no segment number, because hl7apy tells none;
        `detail` has no text of the message.
    """
    try:
        faults = Counter(_read(line) for line in _faults(message))
    except Exception as failure:  # hl7apy raises whatever it stumbles over, IndexError and RecursionError among others
        reason = f"hl7apy could not read the message as version {message.version} ({type(failure).__name__})"
        return [Issue(SLUG, "MSH", reason)]
    return [
        Issue(SLUG, place, detail if count == 1 else f"{detail} ({count} times)") for (place, detail), count in faults.items()
    ]


def _faults(message: Message) -> Iterator[str]:
    """Give the lines of hl7apy's report that are faults of structure."""
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message
    from hl7apy.validation import Validator

    header = message.header
    # the truncation character is no separator, and hl7apy knows it in some versions only
    segments = ["MSH|^~\\&|" + "|".join(header.fields[3:]), *(segment.text for segment in message.segments[1:])]
    parsed = parse_message("\r".join(segments), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
    # All faults stand in a report only. hl7apy opens it with `open`, which takes the number of an open file; ours has no name.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as report:
        # it raises the first fault, which stands in the report too
        with contextlib.suppress(HL7apyException):
            Validator.validate(parsed, report_file=os.dup(report.fileno()))
        report.seek(0)
        for line in report:
            if line.startswith("Error: "):
                yield line.removeprefix("Error: ").rstrip("\n")


def _read(fault: str) -> tuple[str, str]:
    """Give the place of a fault and what is wrong, in our words."""
    for pattern, meaning in _FAULTS:
        found = pattern.match(fault)
        if found is not None:
            return _place(**found.groupdict()), meaning
    return "MSH", "hl7apy found a fault of structure that it does not name"


def _place(parent: str, child: str = "") -> str:
    """Write `OBX` and `OBX_5` as `OBX-5`, `PID_3` and `CX_4` as `PID-3.4`; a child of a group (`ORU_R01_PATIENT`) by its name."""
    field = _FIELD.match(child or parent)
    component = _COMPONENT.match(child)
    if component is not None and (whole := _FIELD.match(parent)) is not None:
        return f"{whole[1]}-{whole[2]}.{component[1]}"
    return f"{field[1]}-{field[2]}" if field is not None else child or parent
