"""Judge the findings of the official validator: what is not in `accepted.csv` fails; what of it stands is counted by kind.

Usage: judge.py FINDINGS FILE_LIST. FINDINGS are the JSON lines of `official.Validate`, FILE_LIST the paths that it was given.
"""

import csv
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ACCEPTED = Path(__file__).with_name("accepted.csv")


class Kind(NamedTuple):
    severity: str
    identifier: str
    pattern: re.Pattern[str]
    reason: str


def main(findings: str, listing: str) -> int:
    with ACCEPTED.open(newline="", encoding="utf-8") as file:
        kinds = [Kind(row["severity"], row["id"], re.compile(row["pattern"]), row["reason"]) for row in csv.DictReader(file)]
    expected = sum(1 for path in Path(listing).read_text(encoding="utf-8").split("\0") if path)
    checked = 0
    standing: Counter[Kind] = Counter()
    open_findings: Counter[str] = Counter()
    first: dict[str, str] = {}
    for line in Path(findings).read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if "files" in found:
            checked = found["files"]
            continue
        if found["severity"] == "information":
            continue
        text = f"{found['message']} {found['location']}"
        for kind in kinds:
            if (kind.severity, kind.identifier) == (found["severity"], found["id"] or "") and kind.pattern.search(text):
                standing[kind] += 1
                break
        else:
            name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+", "#", f"{found['severity']} {found['id']}: {found['message']}")
            open_findings[name] += 1
            first.setdefault(name, f"{Path(found['file']).name} {found['location']}")
    for kind, count in standing.most_common():
        print(f"{count} accepted {kind.severity} {kind.identifier}: {kind.reason}")
    for name, count in open_findings.most_common(40):
        print(f"FAULT {count} x {name} (first in {first[name]})")
    print(
        f"{checked} files and definitions checked; {sum(standing.values())} accepted, {sum(open_findings.values())} open findings"
    )
    return int(bool(open_findings) or checked < expected or not expected)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
