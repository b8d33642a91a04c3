"""Rewrites the accepted outputs of the fixtures, after showing what differs: `python tools/accept_fixtures.py [--yes] [NAME...]`.

Beside `fixtures/<theme>/<name>.hl7` stands `<name>.expected.ndjson`: the output of the filter with default settings, one JSON
text a line, as it is. Hand-written expectations in `tests/fixtures/` say what must hold in it; the accepted output catches every
other change.

What changes with every release or table edit is written as a placeholder, so that an edit of the tables touches only the files
whose results change: the version of the tables becomes `TABLES`, the version of the program `VERSION`, and the UUID of the Device
that stands for this program (it is derived from both) `DEVICE`. Nothing else is normalised.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.fixtures import FOLDER, convert, expected_file, fixture_files, fixture_id, tables

from adapter import __version__
from adapter.fhir.json import dumps, loads

SHOWN_LINES = 12


def accepted_form(line: bytes) -> bytes:
    """Put the placeholders into one line of output.

    Parameters
    ----------
    line : bytes
        One JSON text.

    Returns
    -------
    bytes
        The same text with `TABLES`, `VERSION` and `DEVICE`.
    """
    resource = loads(line)
    for full_url in _own_devices(resource):
        line = line.replace(full_url.removeprefix("urn:uuid:").encode(), b"DEVICE")
    line = line.replace(tables().version.encode(), b"TABLES")
    # the version stands alone as a value: a number of the message that looks like it stays
    return line.replace(b'"text":"software"},"value":"' + __version__.encode() + b'"', b'"text":"software"},"value":"VERSION"')


def _own_devices(resource: dict[str, Any]) -> list[str]:
    return [
        entry["fullUrl"]
        for entry in resource.get("entry", ())
        if any(name.get("name") == "b2m-fhir-adapter" for name in entry["resource"].get("deviceName", ()))
    ]


def output(path: Path) -> bytes:
    """Give the output of a fixture in its accepted form."""
    return b"".join(accepted_form(line) + b"\n" for outcome in convert(path.read_bytes()) for line in outcome.lines)


def differences(before: bytes, after: bytes) -> list[str]:
    """Compare two outputs element by element: `-path: value` and `+path: value`."""
    rows = [[row for line in text.splitlines() for row in _rows(loads(line), "")] for text in (before, after)]
    return [line for line in unified_diff(*rows, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]


def _rows(value: Any, path: str) -> list[str]:
    if isinstance(value, dict):
        return [row for name, part in value.items() for row in _rows(part, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [row for number, part in enumerate(value) for row in _rows(part, f"{path}[{number}]")]
    return [f"{path}: {dumps(value).decode() if isinstance(value, Decimal) else value!r}"]


def main(arguments: list[str]) -> int:
    """Show what differs and, when told to, accept it."""
    names = [argument for argument in arguments if argument != "--yes"]
    changed: list[tuple[Path, bytes]] = []
    for path in fixture_files():
        if names and not any(name in fixture_id(path) for name in names):
            continue
        file, after = expected_file(path), output(path)
        before = file.read_bytes() if file.exists() else None
        if before == after:
            continue
        changed.append((file, after))
        if before is None:
            print(f"new      {fixture_id(path)}")
            continue
        found = differences(before, after)
        print(f"changed  {fixture_id(path)}: {len(found)} lines")
        print("".join(f"   {line}\n" for line in found[:SHOWN_LINES]), end="")
    used = {expected_file(path) for path in fixture_files()}
    unused = [file for file in sorted(FOLDER.glob("*/*.expected.ndjson")) if file not in used]
    for file in unused:
        print(f"unused   {file.parent.name}/{file.name}")
    if not changed and not unused:
        print("nothing to accept")
        return 0
    if "--yes" not in arguments:
        print(f"{len(changed)} outputs differ. Read the differences; then run it again with --yes.")
        return 1
    for file, after in changed:
        file.write_bytes(after)
    for file in unused:
        file.unlink()
    print(f"{len(changed)} outputs accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
