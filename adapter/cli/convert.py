r"""`b2m-adapter convert`: the filter.

Streams: input is read in blocks, split into messages, each message goes through the pipeline, its output is written in
input order. One bad message never stops the rest. With `--jobs` the messages go through worker processes in chunks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONVERT_EPILOG = """
Example:  b2m-adapter convert --pretty fixtures/urine/microgram-per-litre.hl7

Exit status: 0 all converted; 1 a message was rejected or an issue of --fail-on came up; 2 usage, configuration or table
fault, nothing was read; 3 input or output failed part-way.
"""


def convert(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files to convert (.gz is unpacked); none or - means standard input.", metavar="[FILE]..."),
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="Force the input format: er7 or fhir. Default: found out for each message.")
    ] = "",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Output: transaction, message, collection or ndjson. Default: transaction for v2, the same shape for FHIR.",
        ),
    ] = "",
    units: Annotated[str, typer.Option("--units", help="Which quantity stands in value: canonical or as-sent.")] = "canonical",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Convert only messages with a result of this pack (repeatable).", metavar="PACK"),
    ] = None,
    unselected: Annotated[
        Path | None,
        typer.Option("--unselected", help="Write messages that are not converted to this file, byte for byte.", metavar="FILE"),
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone of times without offset, such as Europe/Berlin.", metavar="ZONE")
    ] = "",
    validate: Annotated[str, typer.Option("--validate", help="Check of the output: structure, full or off.")] = "structure",
    check_v2: Annotated[
        bool, typer.Option("--check-v2", help="Report what hl7apy finds wrong with the structure of v2 messages (slow).")
    ] = False,
    attach_source: Annotated[
        bool, typer.Option("--attach-source", help="Add the v2 message itself to its output. This is patient data.")
    ] = False,
    issues: Annotated[
        Path | None, typer.Option("--issues", help="Write every issue to this file as NDJSON.", metavar="FILE")
    ] = None,
    fail_on: Annotated[
        list[str] | None, typer.Option("--fail-on", help="Exit with 1 when this issue comes up (repeatable).", metavar="SLUG")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Keep rejected messages in this folder, the reason beside.", metavar="DIR")
    ] = None,
    mappings: Annotated[
        list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            help="Judge beyond the one result: change, iss or notes (repeatable, or separated by commas).",
            metavar="JUDGEMENT",
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", help="Keep results in this file for --context change. It holds patient data.", metavar="FILE"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Number of worker processes.")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1024, help="Largest message in bytes.")] = 64 * 2**20,
    show_phi: Annotated[
        bool, typer.Option("--show-phi", help="Show what the sender wrote in issues. This is patient data.")
    ] = False,
    pretty: Annotated[bool, typer.Option("--pretty", help="Write each resource over several lines, for people to read.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No issues on standard error, only the summary.")] = False,
) -> None:
    """Convert HL7 v2 result messages and FHIR Observations to enriched FHIR R4, standard input to standard output."""
    from adapter.collector import paused

    with paused():
        from adapter.cli.filter import FilterOptions, run_filter, settings_from

        settings = settings_from(
            to=to,
            units=units,
            only=only or (),
            timezone=timezone,
            validate=validate,
            check_v2=check_v2,
            attach_source=attach_source,
            limit=limit,
            mappings=mappings or (),
            context=context or (),
        )
        options = FilterOptions(
            files=tuple(files or ()),
            source=source,
            unselected=unselected,
            issues=issues,
            fail_on=frozenset(fail_on or ()),
            rejects=rejects,
            history=history,
            jobs=jobs,
            show_phi=show_phi,
            pretty=pretty,
            quiet=quiet,
        )
        raise typer.Exit(run_filter(settings, options))


convert.__doc__ = f"{convert.__doc__}\n{CONVERT_EPILOG}"
