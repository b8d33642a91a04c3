"""Write the output of every fixture in every output form, for the independent checkers. Usage: fixture_outputs.py OUTPUT.

What came in with an element that FHIR R4 does not know leaves with it (and with an issue that says so): no checker can accept
that, so these outputs are counted and not written.
"""

import sys
from pathlib import Path

from adapter.config import OUTPUT_FORMS, Settings
from adapter.intake import Intake
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def main(output: str) -> int:
    tables = load_tables()
    written = unknown_elements = 0
    for form in OUTPUT_FORMS:
        pipeline = Pipeline(tables, Settings(to=form, validate="full"))
        folder = Path(output) / form
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(FIXTURES.rglob("*")):
            if path.suffix not in (".hl7", ".json", ".ndjson") or ".expected" in path.name:
                continue
            intake = Intake()
            for number, raw in enumerate(intake.feed(path.read_bytes()) + intake.finish()):
                outcome = pipeline(raw)
                for issue in outcome.issues:
                    if issue.slug in ("output-invalid", "internal-error"):
                        print(f"FAULT {path}: {issue.slug} {issue.place} {issue.detail}")
                        return 1
                if any(issue.slug == "fhir-unknown-element" for issue in outcome.issues):
                    unknown_elements += 1
                    continue
                for part, line in enumerate(outcome.lines):
                    (folder / f"{path.parent.name}-{path.stem}-{number}-{part}.json").write_bytes(line)
                    written += 1
    print(f"{written} outputs written, {unknown_elements} left out for an unknown element that came in")
    return int(not written)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
