"""The score must not fall below its bounds. Prints the peers' scores beside ours."""

import csv
import sys
from pathlib import Path

BOUNDS = {"must": 1.0, "should": 0.95}
PEERS = {"hl7v2-fhir-bridge 0.1.0": "68 / 239", "brightohir 2.1.2": "68 / 239"}


def main(path: str) -> int:
    with Path(path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    failed = False
    passed = sum(row[3] == "pass" for row in rows)
    for strength, bound in BOUNDS.items():
        of_strength = [row for row in rows if row[2] == strength]
        good = sum(row[3] == "pass" for row in of_strength)
        share = good / len(of_strength)
        failed |= share < bound
        print(f"{strength}: {good} / {len(of_strength)} = {share:.1%} (bound {bound:.0%})")
    print(f"b2m-adapter: {passed} / {sum(row[3] in ('pass', 'FAIL') for row in rows)}")
    for peer, score in PEERS.items():
        print(f"{peer}: {score} (measured on the same rows)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
