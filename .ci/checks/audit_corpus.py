"""The account of every message of the corpus: nothing is lost, in any form of output.

Usage: audit_corpus.py CORPUS [--every N]. The transaction form is audited for every N-th file (default 1), the other forms for
every tenth of these. Each component is taken away once and the message converted again: this takes minutes, in two processes.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

from adapter.config import OUTPUT_FORMS, Settings
from adapter.explain.account import account_of
from adapter.explain.outputs import Workbench
from adapter.intake import Intake
from adapter.issues import Rejected
from adapter.pipeline import Pipeline
from adapter.tables.load import load_tables


@cache
def tools(form: str) -> tuple[Pipeline, Workbench]:
    tables, settings = load_tables(), Settings(to=form)
    return Pipeline(tables, settings), Workbench(tables, settings)


def audit(path: Path, form: str) -> tuple[Counter, list[str]]:
    """Counts of a file, and a line for each loss."""
    pipeline, workbench = tools(form)
    intake = Intake()
    counts: Counter[str] = Counter()
    losses = []
    for raw in intake.feed(path.read_bytes()) + intake.finish():
        if raw.format != "er7":
            continue
        try:
            account = account_of(pipeline.read(raw.data), raw.data, workbench)
        except Rejected:
            continue
        if account is not None:
            counts["messages"] += 1
            counts.update(account.counts)
            losses += [f"{path.name} ({form}): {one.component.place} {one.reason}" for one in account.of_kind("lost")]
    return counts, losses


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("corpus", type=Path)
    arguments.add_argument("--every", type=int, default=1)
    options = arguments.parse_args()
    files = sorted(path for path in options.corpus.iterdir() if path.is_file())[:: options.every]
    losses: list[str] = []
    messages = 0
    with ProcessPoolExecutor(2) as pool:
        for form in OUTPUT_FORMS:
            chosen = files if form == "transaction" else files[::10]
            counts: Counter[str] = Counter()
            for found, lost in pool.map(partial(audit, form=form), chosen, chunksize=4):
                counts.update(found)
                losses += lost
            messages += counts["messages"]
            print(f"{form}: {dict(counts)}")
    for loss in losses[:60]:
        print("LOST " + loss)
    print(f"{messages} messages, {len(losses)} losses")
    return int(bool(losses) or not messages)


if __name__ == "__main__":
    sys.exit(main())
