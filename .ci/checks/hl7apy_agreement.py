r"""Our reader and hl7apy, an independent one, agree on every field of every message of the corpus that hl7apy can read.

Usage: hl7apy_agreement.py CORPUS [PROCESSES]. What hl7apy refuses is counted by reason, and must be less than a tenth.

Our reading keeps a field as its ER7 text. hl7apy parses the field and writes it again, which changes the text in known ways. They
are undone on both sides before the comparison:

- It leaves out separators that nothing follows (`Element.to_er7`; HL7 v2.5.1 chapter 2.5.3 allows that). We leave them out too,
  but not in OBX-5 and NTE-3, whose text may hold a character that the sender forgot to escape.
- It escapes the escape character of sequences that it does not know (`TextualDataType.to_er7`): `\.br\` comes out as
  `\E\.br\E\`. Any number of escape characters counts as one.
- It writes a subcomponent separator that stands in a component without subcomponents as `\T\`.
- It writes components that its version does not know, or has withdrawn (XTN-1), right behind those that it knows. Where a field
  has such components (they have no name), empty ones do not count.
- It leaves out parts that are nothing but blanks. Outer blanks do not count.
- It writes numbers of NM components (`0464435`) as numbers (`464435`). Numbers are compared by value.

hl7apy reads lines, not segments: it gets each segment as we have read it, since the question is where fields begin and end.
"""

import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_segment

from adapter.hl7v2.message import Message, read_message
from adapter.intake import Intake
from adapter.issues import Rejected

COMPONENT = re.compile(r"[A-Z][A-Z0-9]{1,2}_([0-9]+)")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
ENCODING = {
    "FIELD": "|",
    "COMPONENT": "^",
    "REPETITION": "~",
    "ESCAPE": "\\",
    "SUBCOMPONENT": "&",
    "SEGMENT": "\r",
    "GROUP": "\r",
}


def messages(path: Path) -> list[Message]:
    intake = Intake()
    found = []
    for raw in intake.feed(path.read_bytes()) + intake.finish():
        try:
            found.append(read_message(raw.data))
        except Rejected:
            continue
    return found


def normalised(field: str, *, without_empty: bool) -> list[str]:
    """Undo what hl7apy does to a text when it writes it; give the parts and separators of the field."""
    field = field.replace("\\E\\", "\\").replace("\\T\\", "&")
    field = re.sub(r"\\+", r"\\", field)
    field = re.sub(r"&+(?=[\^~]|$)", "", field)
    field = re.sub(r"\^+(?=~|$)", "", field).rstrip("~")
    if without_empty:
        field = re.sub(r"\^+", "^", re.sub(r"(?:^|(?<=~))\^+", "", field))
    return [_value(part) for part in re.split(r"([\^&~])", field)]


def _value(part: str) -> str:
    part = part.strip()
    return str(Decimal(part).normalize()) if NUMBER.fullmatch(part) else part


def compare(path: Path) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for message in messages(path):
        counts["messages"] += 1
        for segment in message.segments:
            counts["segments"] += 1
            try:
                found = parse_segment(segment.text, message.version, ENCODING, VALIDATION_LEVEL.TOLERANT)
                theirs = {number: written(found, segment.name, number) for number in range(1, len(segment.fields))}
            except Exception as failure:
                counts[f"segments refused by hl7apy ({type(failure).__name__})"] += 1
                counts["refused"] += 1
                continue
            for number in range(3 if segment.name == "MSH" else 1, len(segment.fields)):
                counts["fields"] += 1
                text, beyond = theirs[number]
                if normalised(segment[number], without_empty=beyond) != normalised(text, without_empty=beyond):
                    faults.append(f"{path.name} {segment!r}-{number}: {segment[number]!r} and {text!r}")
    return counts, faults


def written(segment: Any, name: str, number: int) -> tuple[str, bool]:
    """Give a field as hl7apy has read it, and whether it has components that its version does not know."""
    repetitions: list[str] = []
    beyond = False
    for field in getattr(segment, f"{name}_{number}".lower()):
        known: dict[int, str] = {}
        unknown: list[str] = []
        for component in field.children:
            if component.name is None:
                unknown.append(component.to_er7())
            elif (found := COMPONENT.fullmatch(component.name)) is not None:
                known[int(found[1])] = component.to_er7()
        beyond |= bool(unknown)
        if known:
            parts = [known.get(place, "") for place in range(1, max(known) + 1)]
            repetitions.append("^".join(parts + unknown))
        else:
            repetitions.append(field.to_er7())
    return "~".join(repetitions), beyond


def main(corpus: str, processes: str = "2") -> int:
    files = sorted(path for path in Path(corpus).iterdir() if path.is_file())
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with ProcessPoolExecutor(int(processes)) as pool:
        for found, wrong in pool.map(compare, files, chunksize=8):
            counts += found
            faults += wrong
    for fault in faults[:40]:
        print("FAULT " + fault)
    print(f"{len(files)} files: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    print(f"{counts['fields']} fields compared, {len(faults)} differ")
    return int(bool(faults) or not counts["fields"] or counts["refused"] * 10 > counts["segments"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
