"""Accepted outputs: what a message file became when somebody looked at it and said yes.

Beside `serum/a.hl7` stand `serum/a.expected.ndjson`, the lines of the output, and `serum/a.expected.issues`, which says of each
message its digest, what became of it, how many of the lines are its own and which issues came up:

    message 1 5f70bf18a0860070: converted, 1 line
      code-without-system OBX[1]-3
    input:
      batch-count BTS[1]-1

What changes with every release or table edit is written as a placeholder, so that an edit of the tables touches only the files
whose results change: the version of the tables becomes `TABLES`, the version of the program `VERSION`, and the UUID of the Device
that stands for this program (it is derived from both) `DEVICE`. Nothing else is normalised. Of a packed message file (`a.hl7.gz`)
the accepted output is packed, too.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from adapter.fhir.identity import resource_uuid
from adapter.issues import Issue
from adapter.pipeline import Outcome
from adapter.replay.sources import read_file

_HEAD = re.compile(r"message \d+ ([0-9a-f]+): (\w+), (\d+) lines?")
_DIGEST_DIGITS = 16


class Record(NamedTuple):
    """What became of one message.

    Parameters
    ----------
    digest : str
        Of the message as it came: the first digits of its SHA-256.
    fate : str
        `converted`, `rejected` or `unselected`.
    lines : tuple of bytes
        Its output, in the accepted form.
    issues : tuple of str
        `slug place`, sorted.
    """

    digest: str
    fate: str
    lines: tuple[bytes, ...]
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a file: a record for each message, and the issues of the input itself."""

    records: tuple[Record, ...]
    input_issues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedForm:
    """Puts the placeholders into output; made for one version of the tables and of the program.

    Parameters
    ----------
    tables : str
        Content hash of the tables.
    version : str
        Version of the program.
    """

    tables: str
    version: str

    def line(self, line: bytes) -> bytes:
        """Give one line of output in its accepted form."""
        device = resource_uuid("Device", "b2m-fhir-adapter", self.version, self.tables)
        line = line.replace(self.tables.encode(), b"TABLES").replace(device.encode(), b"DEVICE")
        # the version stands alone as a value: a number of the message that looks like it stays
        said = b'"text":"software"},"value":"'
        return line.replace(said + self.version.encode() + b'"', said + b'VERSION"')

    def record(self, outcome: Outcome) -> Record:
        """Give what became of a message in its accepted form."""
        digest = digest_of(outcome.source)
        return Record(digest, outcome.fate, tuple(map(self.line, outcome.lines)), issue_texts(outcome.issues))


def digest_of(source: bytes) -> str:
    """Give the digest by which a message is known again."""
    return hashlib.sha256(source).hexdigest()[:_DIGEST_DIGITS]


def issue_texts(issues: Iterable[Issue]) -> tuple[str, ...]:
    """Write issues as `slug place`, sorted: their order says nothing."""
    return tuple(sorted(f"{issue.slug} {issue.place}".strip() for issue in issues))


def output_file(path: Path) -> Path:
    """Name the accepted output of a message file: `a.hl7` -> `a.expected.ndjson`."""
    return _beside(path, "ndjson")


def issues_file(path: Path) -> Path:
    """Name the accepted issues of a message file: `a.hl7` -> `a.expected.issues`."""
    return _beside(path, "issues")


def _beside(path: Path, suffix: str) -> Path:
    packed = ".gz" if path.suffix == ".gz" else ""
    return path.with_name(f"{Path(path.name.removesuffix('.gz')).stem}.expected.{suffix}{packed}")


def read_accepted(path: Path) -> Accepted | None:
    """Read what was accepted for a message file.

    Parameters
    ----------
    path : Path
        The message file.

    Returns
    -------
    Accepted or None
        None where nothing was accepted.

    Raises
    ------
    ValueError
        The two files do not belong together; the text says which line is wrong.
    """
    if not output_file(path).is_file() or not issues_file(path).is_file():
        return None
    lines = read_file(output_file(path)).splitlines()
    records: list[Record] = []
    input_issues: tuple[str, ...] = ()
    heads: list[tuple[str, str, int]] = []
    issues: list[list[str]] = []
    for number, text in enumerate(read_file(issues_file(path)).decode().splitlines(), 1):
        head = _HEAD.fullmatch(text)
        if text.startswith("  ") and issues:
            issues[-1].append(text[2:])
        elif head is not None:
            heads.append((head[1], head[2], int(head[3])))
            issues.append([])
        elif text == "input:":
            issues.append([])
        else:
            raise ValueError(f"{issues_file(path)}:{number}: the line names neither a message nor an issue")
    if sum(count for _, _, count in heads) != len(lines):
        raise ValueError(f"{issues_file(path)}: it counts other lines than {output_file(path).name} has")
    start = 0
    for (digest, fate, count), said in zip(heads, issues, strict=False):
        records.append(Record(digest, fate, tuple(lines[start : start + count]), tuple(said)))
        start += count
    if len(issues) > len(heads):
        input_issues = tuple(issues[-1])
    return Accepted(tuple(records), input_issues)


def written(accepted: Accepted) -> tuple[bytes, bytes]:
    """Write what is accepted.

    Returns
    -------
    tuple of bytes
        Content of the output file and of the issue file.
    """
    lines = b"".join(line + b"\n" for record in accepted.records for line in record.lines)
    texts: list[str] = []
    for number, record in enumerate(accepted.records, 1):
        count = len(record.lines)
        texts.append(f"message {number} {record.digest}: {record.fate}, {count} line{'' if count == 1 else 's'}")
        texts += [f"  {issue}" for issue in record.issues]
    if accepted.input_issues:
        texts += ["input:", *(f"  {issue}" for issue in accepted.input_issues)]
    return lines, "".join(text + "\n" for text in texts).encode()


def accept(path: Path, accepted: Accepted) -> None:
    """Write the accepted output and issues of a message file."""
    for file, data in zip((output_file(path), issues_file(path)), written(accepted), strict=True):
        packed = gzip.compress(data, mtime=0) if file.suffix == ".gz" else data
        if not file.is_file() or file.read_bytes() != packed:
            file.write_bytes(packed)


def accepted_files(folder: Path) -> list[Path]:
    """Find the accepted outputs and issues of a folder, whether or not their message file is still there."""
    return sorted(path for path in folder.rglob("*.expected.*") if path.name.removesuffix(".gz").endswith((".ndjson", ".issues")))


def together(old: Sequence[Record], new: Sequence[Record]) -> list[tuple[Record | None, Record | None]]:
    """Find out which record belongs to which message: the same message first, then in order.

    Parameters
    ----------
    old, new : sequence of Record
        What was accepted, what came out now.

    Returns
    -------
    list of pairs
        In the order of the messages; then what was accepted of messages that are gone.
    """
    if [record.digest for record in old] == [record.digest for record in new]:
        return list(zip(old, new, strict=True))
    waiting: dict[str, list[int]] = {}
    for index, record in enumerate(old):
        waiting.setdefault(record.digest, []).append(index)
    found = [waiting[record.digest].pop(0) if waiting.get(record.digest) else None for record in new]
    rest = sorted(index for indices in waiting.values() for index in indices)
    pairs: list[tuple[Record | None, Record | None]] = []
    # as many messages as before: those that were edited stand where they stood
    edited = len(old) == len(new)
    for record, known in zip(new, found, strict=True):
        mine = rest.pop(0) if known is None and edited and rest else known
        pairs.append((old[mine] if mine is not None else None, record))
    return pairs + [(old[index], None) for index in rest]
