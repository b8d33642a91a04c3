"""Count the tests of the gate from the JUnit reports of its pytest runs; the last line is `N passed, 0 failed`.

    count_tests.py FOLDER NAME...    each NAME is a run whose report is FOLDER/NAME.xml

It fails where a report is missing or has no test that passed, where a test failed, where a test was skipped that
`accepted_skips.csv` does not list with the reason that was given, and where that list names a test that no longer is.
"""

from __future__ import annotations

import csv
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ACCEPTED = Path(__file__).with_name("accepted_skips.csv")


class Case(NamedTuple):
    """A test, what became of it, and the reason why it was skipped."""

    name: str
    fate: str
    reason: str = ""


def cases_of(report: Path) -> list[Case]:
    """Every test of a report; a fault outside of any test is one that failed."""
    found = []
    for suite in ET.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                found.append(Case(name, "failed"))
            elif skipped is not None:
                found.append(Case(name, "skipped", skipped.get("message") or ""))
            else:
                found.append(Case(name, "passed"))
    return found


def wrong(run: str, cases: list[Case], accepted: dict[str, list[str]]) -> list[str]:
    """What is wrong with a run."""
    fates = Counter(case.fate for case in cases)
    told = [] if fates["passed"] else [f"{run}: no test passed"]
    for case in cases:
        if case.fate == "failed":
            told.append(f"{run}: {case.name} failed")
        if case.fate == "skipped" and not any(re.fullmatch(reason, case.reason) for reason in accepted.get(case.name, ())):
            told.append(f"{run}: {case.name} was skipped, which no list allows: {case.reason}")
    return told


def main(folder: str, *runs: str) -> int:
    with ACCEPTED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    accepted: dict[str, list[str]] = {}
    for row in rows:
        accepted.setdefault(row["test"], []).append(row["reason"])
    faults = [] if runs else ["no run is named"]
    names: set[str] = set()
    total: Counter[str] = Counter()
    for run in runs:
        report = Path(folder) / f"{run}.xml"
        if not report.exists():
            faults.append(f"{run}: there is no report {report.name}")
            continue
        cases = cases_of(report)
        fates = Counter(case.fate for case in cases)
        print(f"{run}: {len(cases)} tests: {', '.join(f'{count} {fate}' for fate, count in sorted(fates.items()))}")
        for case in cases:
            if case.fate == "skipped":
                print(f"   skipped: {case.name}: {case.reason}")
        faults += wrong(run, cases, accepted)
        names |= {case.name for case in cases}
        total += fates
    faults += [f"the list of accepted skips names {name}, which is no test" for name in sorted(accepted.keys() - names)]
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{total['passed']} passed, {total['failed']} failed")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
