"""Where the time goes: microseconds a message in each stage of the way through, and the share of it.

It walks the rooms as `adapter/pipeline.py` does and reads the clock between them.

    python bench/stages.py [--stream FILE.json]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import stream
from contenders import load_stream

from adapter.config import Settings
from adapter.convert.message import Converter
from adapter.enrich.enricher import Enricher
from adapter.fhir.bundle import bundle
from adapter.fhir.json import dumps
from adapter.fhir.validation import structure_faults
from adapter.hl7v2.message import read_message
from adapter.intake import Intake
from adapter.tables.load import load_tables

STAGES = ("framing", "read", "convert", "enrich", "bundle", "validate", "dumps")
#: Messages that warm the memos and are not counted.
WARM_UP = 50
BLOCK = 256 * 1024


def measure(messages: Sequence[str]) -> dict[str, float]:
    """Measure the stages.

    Parameters
    ----------
    messages : sequence of str
        The stream.

    Returns
    -------
    dict of str to float
        Mean microseconds a message, by stage.
    """
    tables, settings = load_tables(), Settings()
    converter, enricher = Converter(tables, settings), Enricher(tables, settings)
    spent = dict.fromkeys(STAGES, 0.0)
    data = b"".join([stream.framed(message) for message in messages])
    intake = Intake()
    start = perf_counter()
    raw_messages = [raw for place in range(0, len(data), BLOCK) for raw in intake.feed(data[place : place + BLOCK])]
    raw_messages += intake.finish()
    spent["framing"] = (perf_counter() - start) * (len(raw_messages) - WARM_UP) / len(raw_messages)
    for number, raw in enumerate(raw_messages):
        clock = [perf_counter()]
        message = read_message(raw.data)
        clock.append(perf_counter())
        conversion = converter.convert(message, raw.data)
        clock.append(perf_counter())
        for context in conversion.observations:
            enricher.enrich(context)
        clock.append(perf_counter())
        whole = bundle(conversion.entries, "transaction", **conversion.envelope)
        clock.append(perf_counter())
        faults = structure_faults(whole)
        clock.append(perf_counter())
        dumps(whole)
        clock.append(perf_counter())
        if faults:
            raise ValueError(f"message {number + 1} became invalid FHIR: {faults[0]}")
        if number >= WARM_UP:
            for stage, before, after in zip(STAGES[1:], clock, clock[1:], strict=False):
                spent[stage] += after - before
    return {stage: seconds * 1e6 / (len(raw_messages) - WARM_UP) for stage, seconds in spent.items()}


def table(stages: dict[str, float]) -> list[str]:
    """Write the result as a Markdown table."""
    whole = sum(stages.values())
    lines = ["| stage | us/message | share |", "|---|---:|---:|"]
    lines += [f"| {stage} | {time:.0f} | {time / whole:.0%} |" for stage, time in stages.items()]
    return [*lines, f"| together | {whole:.0f} | |"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of each stage of a conversion.")
    parser.add_argument("--stream", type=Path, metavar="FILE.json", help="a JSON list of messages instead of the generated ones")
    print("\n".join(table(measure(load_stream(parser.parse_args().stream)))))
