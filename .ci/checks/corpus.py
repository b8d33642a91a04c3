"""Convert every message of the corpus in every output form; each one converts or is rejected with a reviewed reason.

Each is converted twice, the second time with the rows of all tables in another order, and once more by the command line with one
process and with two: the bytes must be the same.

Usage: corpus.py CORPUS OUTPUT. `corpus_rejected.csv` beside this file lists the reviewed rejections (file, slug, reason).
A file that is rejected and not listed, or listed and not rejected, is a failure, and so is output that our own validation
had to stop.
"""

import csv
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from adapter.config import OUTPUT_FORMS, Settings
from adapter.intake import Intake
from adapter.pipeline import Pipeline
from adapter.tables.index import Tables
from adapter.tables.load import load_tables

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
REVIEWED = Path(__file__).with_name("corpus_rejected.csv")


def outcomes(pipeline: Pipeline, data: bytes):
    """Give the outcome of each message in a file."""
    intake = Intake()
    raws = intake.feed(data) + intake.finish()
    return [pipeline(raw) for raw in raws]


def permuted_tables(folder: Path) -> Tables:
    """Load a copy of the shipped tables with their rows shuffled."""
    random = Random(1)
    for path in sorted(MAPPINGS.rglob("*.csv")):
        header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        random.shuffle(rows)
        copy = folder / path.relative_to(MAPPINGS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(header + "".join(rows), encoding="utf-8")
    return load_tables(root=folder)


def converted_by(jobs: int, files: list[Path]) -> bytes:
    """Convert by the command line."""
    command = [sys.executable, "-m", "adapter.cli", "convert", "--quiet", "--jobs", str(jobs), *map(str, files)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"convert --jobs {jobs} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout


def main(corpus: str, output: str) -> int:
    with REVIEWED.open(newline="", encoding="utf-8") as file:
        reviewed = {row["file"]: row for row in csv.DictReader(file)}
    files = sorted(path for path in Path(corpus).iterdir() if path.is_file())
    tables = load_tables()
    with tempfile.TemporaryDirectory() as folder:
        shuffled = permuted_tables(Path(folder))
    faults: list[str] = []
    if shuffled.version != tables.version:
        faults.append("the order of rows changes the version of the tables")
    one_process, two_processes = (converted_by(jobs, files) for jobs in (1, 2))
    if one_process != two_processes or not one_process:
        faults.append("--jobs 2 gives other bytes than --jobs 1")
    fates: Counter[str] = Counter()
    slugs: Counter[str] = Counter()
    for form in OUTPUT_FORMS:
        first, second = Pipeline(tables, Settings(to=form)), Pipeline(shuffled, Settings(to=form))
        folder = Path(output) / form
        folder.mkdir(parents=True, exist_ok=True)
        for path in files:
            data = path.read_bytes()
            found = outcomes(first, data)
            if [one.lines for one in found] != [one.lines for one in outcomes(second, data)]:
                faults.append(f"{path.name}: two runs differ, with the rows of the tables in another order ({form})")
            not_converted = [one for one in found if one.fate != "converted"]
            if not found:
                faults.append(f"{path.name}: nothing was found in it")
            for number, one in enumerate(found):
                for part, line in enumerate(one.lines):
                    (folder / f"{path.stem}-{number}-{part}.json").write_bytes(line)
                if form == "transaction":
                    slugs.update(issue.slug for issue in one.issues)
                for issue in one.issues:
                    if issue.slug in ("output-invalid", "internal-error"):
                        faults.append(f"{path.name}: {issue.slug} {issue.place} {issue.detail} ({form})")
            if form != "transaction":
                continue
            fates["converted" if not not_converted and found else "rejected or not a result"] += 1
            if not_converted and path.name not in reviewed:
                reason = [(one.fate, issue.slug, issue.place, issue.detail) for one in not_converted for issue in one.issues[-1:]]
                faults.append(f"{path.name}: not converted and not in the reviewed list: {reason}")
            if path.name in reviewed and not not_converted:
                faults.append(f"{path.name}: in the reviewed list, but converted")
    print(f"{len(files)} files: {dict(fates)}")
    for row in reviewed.values():
        print(f"   reviewed: {row['file']} {row['slug']}: {row['reason']}")
    print("issues: " + ", ".join(f"{slug} {count}" for slug, count in slugs.most_common()))
    for fault in faults[:60]:
        print("FAULT " + fault)
    print(f"{len(files) * len(OUTPUT_FORMS)} conversions, {len(faults)} faults")
    return int(bool(faults) or not files)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
