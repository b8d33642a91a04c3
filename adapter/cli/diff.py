"""`b2m-adapter diff`: what differs in meaning between two files of messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from adapter.hl7v2.framing import RawMessage

SAME, DIFFERENT, USAGE = 0, 1, 2

DIFF_EPILOG = """
Two FHIR files: order of Bundle entries, ids and UUIDs, and what changes with every run do not count; numbers count digit by
digit. Two v2 files: differences by field name. Segments are matched by content; delimiters, escape sequences, set ids, line
ends, the encoding of characters and separators that nothing follows do not count. Several messages are matched by MSH-10. With
--strict all this counts.

What differs is shown as it stands in the files: this is patient data if they hold any.

Example:  b2m-adapter diff fixtures/serum/above-range.hl7 fixtures/serum/below-range.hl7

Exit status: 0 the same; 1 different; 2 usage, or a file that cannot be compared; 3 a file could not be read.
"""


def diff(
    old: Annotated[Path, typer.Argument(help="A file (.gz is unpacked), or - for standard input.", metavar="A")],
    new: Annotated[Path, typer.Argument(help="The file to compare it with.", metavar="B")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Count order, ids, delimiters, escapes and everything else that has no meaning.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object with all differences.")] = False,
) -> None:
    """Show what differs in meaning between two FHIR files or two files of v2 messages."""
    from adapter.cli.messages import raw_messages
    from adapter.config import MESSAGE_LIMIT
    from adapter.fhir.json import dumps
    from adapter.issues import Rejected

    if str(old) == str(new) == "-":
        _refuse("only one of the files can be standard input.")
    before, after = (list(raw_messages([path], MESSAGE_LIMIT)) for path in (old, new))
    forms = {form for raws in (before, after) for form in _forms(raws)}
    if not before or not after or forms not in ({"er7"}, {"json"}):
        _refuse("both files must hold v2 messages, or both FHIR JSON, and nothing else.")
    try:
        found = _v2(before, after, strict) if forms == {"er7"} else _fhir(before, after, strict)
    except Rejected as rejected:
        _refuse(f"a message cannot be read: {rejected}")
    if as_json:
        typer.echo(dumps({"same": not found, "differences": found}))
    else:
        for row in found:
            typer.echo(_line(row))
    raise typer.Exit(DIFFERENT if found else SAME)


diff.__doc__ = f"{diff.__doc__}\n{DIFF_EPILOG}"


def _refuse(reason: str) -> None:
    typer.echo(f"b2m-adapter: {reason}", err=True)
    raise typer.Exit(USAGE)


def _forms(raws: list[RawMessage]) -> set[str]:
    return {raw.format for raw in raws}


def _fhir(before: list[RawMessage], after: list[RawMessage], strict: bool) -> list[dict[str, Any]]:
    from adapter.fhir.json import loads
    from adapter.replay.comparison import compare

    trees = [[loads(raw.data) for raw in raws] for raws in (before, after)]
    if len(trees[0]) == len(trees[1]) == 1:
        found = compare(trees[0][0], trees[1][0], strict=strict)
    else:
        found = compare(trees[0], trees[1], strict=strict)
    return [{"path": one.path, "old": one.old, "new": one.new} for one in found]


def _v2(before: list[RawMessage], after: list[RawMessage], strict: bool) -> list[dict[str, Any]]:
    from adapter.replay.semantic_diff import message_differences, paired_messages

    mine, theirs = ([raw.data for raw in raws] for raws in (before, after))
    several = len(mine) > 1 or len(theirs) > 1
    rows: list[dict[str, Any]] = []
    for one, other in paired_messages(mine, theirs):
        number = (one if one is not None else other or 0) + 1
        which: dict[str, Any] = {"message": number} if several else {}
        if one is None or other is None:
            here = "first" if other is None else "second"
            rows.append({**which, "path": "message", "name": f"only in the {here} file", "old": None, "new": None})
            continue
        rows += [{**which, **found._asdict()} for found in message_differences(mine[one], theirs[other], strict=strict)]
    return rows


def _line(row: dict[str, Any]) -> str:
    """Write a difference for people: `OBX[2]-5 observation value: "4.20" -> "4.2"`."""
    from adapter.fhir.json import dumps

    where = " ".join(part for part in (row["path"], row.get("name", "")) if part)
    if "message" in row:
        where = f"message {row['message']}: {where}"
    old, new = (None if row[side] is None else dumps(row[side]).decode() for side in ("old", "new"))
    if old is None and new is None:
        return where
    if new is None:
        return f"{where}: only in the first file: {old}"
    return f"{where}: only in the second file: {new}" if old is None else f"{where}: {old} -> {new}"
