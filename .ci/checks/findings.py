"""Read what the independent checkers said; every error fails, but those of the reviewed list `accepted_findings.csv`.

Usage: findings.py LINT_OUTPUT FILE_LIST. The number of checked files must be the number of files given.
"""

import csv
import re
import sys
from collections import Counter
from pathlib import Path

ACCEPTED = Path(__file__).with_name("accepted_findings.csv")


def main(lint: str, listing: str) -> int:
    with ACCEPTED.open(newline="", encoding="utf-8") as file:
        accepted = [
            (row["engine"], re.compile(row["pattern"]), re.compile(row["only_if_file_has"])) for row in csv.DictReader(file)
        ]
    paths = {path: Path(path) for path in Path(listing).read_text(encoding="utf-8").split("\0") if path}
    expected = len(paths)
    text = Path(lint).read_text(encoding="utf-8", errors="replace")
    checked = sum(int(good) + int(bad) for good, bad in re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M))
    current, open_findings, accepted_count = "", Counter(), 0
    first: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("FAIL "):
            current = line[5:]
        elif line.startswith("   ") and current:
            engine, message = line[3:11].strip(), line[12:]
            if any(
                engine == name and pattern.search(message) and text_part.search(paths[current].read_text(encoding="utf-8"))
                for name, pattern, text_part in accepted
            ):
                accepted_count += 1
            else:
                kind = f"{engine}: {re.sub(r'[0-9a-f-]{36}|[0-9]+', '#', message)}"
                open_findings[kind] += 1
                first.setdefault(kind, Path(current).name)
    for finding, count in open_findings.most_common(40):
        print(f"FAULT {count} x {finding} (first in {first[finding]})")
    print(
        f"{checked} files checked of {expected}; {accepted_count} accepted findings; {sum(open_findings.values())} open findings"
    )
    return int(bool(open_findings) or checked != expected or not expected)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
