"""Send mutated messages through the whole way: nothing may crash, hang or come out invalid; what means the same stays the same.

Usage: mutate.py CORPUS [--count N] [--seed S] [--number K] [--keep FOLDER]

The messages are those of the corpus and of `fixtures/`, v2 and FHIR. First each v2 message goes through every mutation that does
not change its meaning: its resources must be equal (but Provenance, which holds the digest of the bytes). Then N messages are
mutated at random. A fault is an exception, `internal-error`, `output-invalid`, or more than a second of work; every hundredth
output is validated in full. Each random mutation has a seed of its own, made of S and its number: `--number K` repeats one alone.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from mutations import DESTRUCTIVE, DESTRUCTIVE_JSON, SAME_MEANING

from adapter.config import OUTPUT_FORMS, Settings
from adapter.hl7v2.framing import RawMessage
from adapter.intake import Intake
from adapter.pipeline import Outcome, Pipeline
from adapter.tables.load import load_tables

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LIMIT_SECONDS = 1.0
FULL_EVERY = 100
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FAULTS = ("internal-error", "output-invalid")


def read(data: bytes) -> list[RawMessage]:
    intake = Intake()
    return intake.feed(data) + intake.finish()


def base_messages(corpus: Path) -> list[RawMessage]:
    paths = [path for path in corpus.iterdir() if path.is_file()]
    paths += [
        path for path in FIXTURES.rglob("*") if path.suffix in (".hl7", ".json", ".ndjson") and ".expected" not in path.name
    ]
    return [raw for path in sorted(paths) for raw in read(path.read_bytes()) if raw.format != "unreadable"]


#: Extensions that hold text as it was sent.
AS_SENT = ("originalText", "source-field")


def _meaning(value: object, *, as_sent: bool = False) -> object:
    """Give a tree without separators at the end of texts as sent."""
    if isinstance(value, dict):
        as_sent = as_sent or str(value.get("url", "")).endswith(AS_SENT)
        return {name: _meaning(inner, as_sent=as_sent) for name, inner in value.items()}
    if isinstance(value, list):
        return [_meaning(inner, as_sent=as_sent) for inner in value]
    return re.sub(r"[\^&]+(?=\||~|$)", "", value) if as_sent and isinstance(value, str) else value


def resources(outcome: Outcome) -> object:
    """What must stay the same: the entries but Provenance; for a message that is not converted, its fate.

    A patient without identifier has the digest of the message for a key, which goes into all keys: these are blanked out.
    """
    if outcome.fate != "converted":
        return outcome.fate
    found = []
    for line in outcome.lines:
        for entry in json.loads(line, parse_float=str, parse_int=str)["entry"]:
            if entry["resource"]["resourceType"] != "Provenance":
                found.append(json.dumps(_meaning(entry), sort_keys=True))
    if any(issue.slug == "patient-without-identifier" for issue in outcome.issues):
        found = [UUID.sub("", text) for text in found]
    return sorted(found)


def check_same_meaning(messages: list[RawMessage], pipeline: Pipeline, seed: int) -> list[str]:
    faults = []
    compared: Counter[str] = Counter()
    for place, raw in enumerate(messages):
        if raw.format != "er7":
            continue
        outcome = pipeline(raw)
        faults += [f"message {place}: {issue.slug} {issue.detail}" for issue in outcome.issues if issue.slug in FAULTS]
        expected = resources(outcome)
        for mutation in SAME_MEANING:
            mutated = mutation(raw.data, Random(f"{seed}:{place}:{mutation.__name__}"))
            if mutated is None:
                continue
            outcomes = [pipeline(part) for part in read(mutated)]
            compared[mutation.__name__] += 1
            if len(outcomes) != 1 or resources(outcomes[0]) != expected:
                faults.append(f"message {place}: {mutation.__name__} changes the resources")
    print("same meaning: " + ", ".join(f"{name} {count}" for name, count in compared.items()))
    missing = {mutation.__name__ for mutation in SAME_MEANING} - compared.keys()
    return faults + [f"{name} applied to no message" for name in sorted(missing)]


def mutate(messages: list[RawMessage], random: Random) -> tuple[bytes, list[str]]:
    raw = random.choice(messages)
    data, names = raw.data, []
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        mutation = random.choice(DESTRUCTIVE if raw.format == "er7" else DESTRUCTIVE_JSON)
        names.append(mutation.__name__)
        data = mutation(data, random) or b"MSH"
    return data, names


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("corpus", type=Path)
    arguments.add_argument("--count", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--number", type=int)
    arguments.add_argument("--keep", type=Path)
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    messages = base_messages(options.corpus)
    tables = load_tables()
    faults = check_same_meaning(messages, Pipeline(tables, Settings()), options.seed) if options.number is None else []
    forms = [None, *OUTPUT_FORMS]
    plain = [Pipeline(tables, Settings(to=form, timezone=zone)) for form in forms for zone in ("", "Europe/Berlin")]
    full = [Pipeline(tables, Settings(to=form, validate="full")) for form in forms]
    fates: Counter[str] = Counter()
    slugs: Counter[str] = Counter()
    slowest = 0.0
    for number in range(options.count) if options.number is None else [options.number]:
        random = Random(f"{options.seed}:{number}")
        data, names = mutate(messages, random)
        pipeline = full[number // FULL_EVERY % len(full)] if number % FULL_EVERY == 0 else plain[number % len(plain)]
        before = time.process_time()
        found = []
        try:
            outcomes = [pipeline(raw) for raw in read(data)]
        except Exception as failure:
            found.append(f"{type(failure).__name__}: {failure}")
        else:
            for outcome in outcomes:
                fates[outcome.fate] += 1
                slugs.update(issue.slug for issue in outcome.issues)
                found += [f"{issue.slug} {issue.place} {issue.detail}" for issue in outcome.issues if issue.slug in FAULTS]
        taken = time.process_time() - before
        # the first full validation imports its models
        if taken > LIMIT_SECONDS and number >= FULL_EVERY:
            found.append(f"took {taken:.1f} s")
        slowest = max(slowest, taken)
        faults += [f"number {number} ({', '.join(names)}; {pipeline.settings.to}): {fault}" for fault in found]
        if options.keep is not None and (found or options.number is not None):
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{options.seed}-{number}").write_bytes(data)
    print(f"{options.count} mutated messages: {dict(fates)}; slowest {slowest:.2f} s")
    print("issues: " + ", ".join(f"{slug} {count}" for slug, count in slugs.most_common()))
    for fault in faults[:60]:
        print("FAULT " + fault)
    print(f"{len(faults)} faults")
    return int(bool(faults) or not messages)


if __name__ == "__main__":
    sys.exit(main())
