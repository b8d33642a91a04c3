"""`b2m-adapter tables`: check the mapping tables, look one result up step by step, show what is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adapter.tables.index import Tables
    from adapter.tables.layers import Fault
    from adapter.tables.lookups import Step
    from adapter.tables.rows import LoincRow

TABLE_FAULT = 2

app = typer.Typer(
    help="Check, query and show the mapping tables.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

Mappings = Annotated[
    list[Path] | None, typer.Option("--mappings", help="Lay this folder over the shipped tables (repeatable).", metavar="DIR")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command(epilog="Example:  b2m-adapter tables check --mappings mappings/sites/example")
def check(mappings: Mappings = None, as_json: Json = False) -> None:
    """Find every fault of the tables: file, line, column, what to do. Exit status 0: none, 2: at least one."""
    from adapter.tables.check import check as find_faults
    from adapter.tables.layers import content_hash, read_layers

    layers = read_layers(mappings or ())
    faults = [_near(fault) for fault in find_faults(layers)]
    rows = sum(len(sheet.rows) for sheet in layers.sheets.values())
    if as_json:
        version = "" if faults else content_hash(layers.sheets)
        print_json({"version": version, "rows": rows, "faults": [fault._asdict() for fault in faults]})
    else:
        for fault in faults:
            typer.echo(str(fault))
        typer.echo(f"{len(faults)} faults in {rows} rows of {len(layers.read)} files.")
    if faults:
        raise typer.Exit(TABLE_FAULT)


@app.command(
    epilog="Example:  b2m-adapter tables resolve --name 'Beta-2 Microglobulin' --unit mg/L --specimen SER "
    "--laboratory 'Quest Diagnostics' --range '<2.51'"
)
def resolve(
    code: Annotated[str, typer.Option("--code", help="Code of the test (OBX-3.1).")] = "",
    system: Annotated[str, typer.Option("--system", help="Coding system of the code (OBX-3.3): LN, L, a URI.")] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the test (OBX-3.2).")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Unit as sent (OBX-6.1).")] = "",
    unit_system: Annotated[str, typer.Option("--unit-system", help="System of the unit (OBX-6.3), e.g. UCUM.")] = "",
    specimen: Annotated[str, typer.Option("--specimen", help="Specimen code, text or axis (SPM-4).")] = "",
    specimen_system: Annotated[str, typer.Option("--specimen-system", help="Coding system of the specimen code.")] = "HL70487",
    timing: Annotated[str, typer.Option("--timing", help="Timing of the specimen: spot, 24h or timed.")] = "",
    application: Annotated[str, typer.Option("--application", help="Sending application (MSH-3).")] = "",
    facility: Annotated[str, typer.Option("--facility", help="Sending facility (MSH-4).")] = "",
    laboratory: Annotated[str, typer.Option("--laboratory", help="Name or identifier of the performing laboratory.")] = "",
    range_text: Annotated[str, typer.Option("--range", help="Reference range as sent (OBX-7).")] = "",
    mappings: Mappings = None,
    as_json: Json = False,
) -> None:
    """Look one result up and say step by step which rows decide. Exit status 0: a LOINC code was found, 1: none."""
    from adapter.tables.lookups import resolve_laboratory, resolve_specimen, resolve_unit
    from adapter.tables.resolve import CodeQuery, Coding, resolve_code

    tables = loaded(mappings)
    sender = ((application,), (facility,))
    steps: list[Step] = []
    unit_found = resolve_unit(tables, unit, unit_system, *sender)
    steps += unit_found.steps
    axis, axis_timing = specimen, ""
    if specimen and specimen not in tables.specimen_axes:
        found = resolve_specimen(tables, [(specimen_system, specimen)], [specimen])
        steps += found.steps
        axis, axis_timing = found.specimen, found.timing
    codings = [Coding(system, code, name)] if code else []
    query = CodeQuery(codings, name, axis, timing or axis_timing, unit_found.ucum, *sender)
    result = resolve_code(tables, query)
    steps += result.steps
    where = resolve_laboratory(tables, [("", laboratory)] if laboratory else (), [laboratory] if laboratory else (), *sender)
    steps += where.steps
    answer: dict[str, object] = {
        "loinc": result.loinc.loinc if result.loinc else "",
        "name": result.loinc.long_name if result.loinc else "",
        "row": result.row,
        "issue": result.slug,
        "detail": result.detail,
        "conflicts": [f"{slug}: {detail}" for slug, detail in result.conflicts],
        "unit": unit_found.ucum,
        "unit_issue": unit_found.slug,
        "specimen": axis,
        "canonical_unit": result.loinc.canonical_unit if result.loinc else "",
        "laboratory": where.laboratory,
    }
    if result.loinc is not None:
        laboratories = [where.laboratory]
        row = tables.sender(*sender)
        if row is not None and row.range_laboratory:
            laboratories.append(row.range_laboratory)
        answer["table_ranges"] = _table_ranges(tables, result.loinc, laboratories)
    if range_text:
        answer["range"] = _range(range_text, unit)
    answer["table_version"] = tables.version
    if as_json:
        print_json({"answer": answer, "steps": [step._asdict() for step in steps]})
    else:
        _print_steps(tables, steps)
        for key, value in answer.items():
            for line in value if isinstance(value, list) else [value]:
                if line:
                    typer.echo(f"{key.replace('_', ' ')}: {line}")
    if result.loinc is None:
        raise typer.Exit(1)


@app.command(epilog="Example:  b2m-adapter tables show --mappings mappings/sites/example")
def show(mappings: Mappings = None, as_json: Json = False) -> None:
    """Show the version of the tables, the number of rows of each file, the packs, and what sites override."""
    tables = loaded(mappings)
    counts = {name: len(sheet.rows) for name, sheet in sorted(tables.sheets.items())}
    if as_json:
        overrides = [row._asdict() for row in tables.overrides]
        print_json({"version": tables.version, "rows": counts, "packs": sorted(tables.packs), "overrides": overrides})
        return
    typer.echo(f"version {tables.version}")
    for name, count in counts.items():
        typer.echo(f"{count:6}  {name}")
    typer.echo(f"packs: {', '.join(sorted(tables.packs))}")
    for override in tables.overrides:
        verb = "removes" if override.removed else "replaces"
        where = f"{near_path(override.new_origin.file)}:{override.new_origin.line}"
        typer.echo(f"{override.sheet}: row {override.new_id} ({where}) {verb} row {override.old_id}")
    if not tables.overrides:
        typer.echo("no row is overridden")


def loaded(mappings: list[Path] | None) -> Tables:
    """Load the tables; faults go to standard error and end the program with status 2."""
    from adapter.tables.load import TableFaults, load_tables

    try:
        return load_tables(mappings or ())
    except TableFaults as error:
        for fault in error.faults:
            typer.echo(str(_near(fault)), err=True)
        raise typer.Exit(TABLE_FAULT) from None


def near_path(file: str) -> str:
    """Path seen from the working folder, where it lies below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file


def _near(fault: Fault) -> Fault:
    return fault._replace(file=near_path(fault.file))


def print_json(value: object) -> None:
    """Write JSON for people and programs."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _print_steps(tables: Tables, steps: list[Step]) -> None:
    for number, step in enumerate(steps, 1):
        typer.echo(f"{number:2}. {step.what}: {_row_place(tables, step.row) if step.row else 'no row'}")


def _row_place(tables: Tables, row_id: str) -> str:
    row = tables.row(row_id)
    return f"row {row_id} ({near_path(row.file)}:{row.line}; {row.cells['source']})"


def _table_ranges(tables: Tables, loinc: LoincRow, laboratories: list[str]) -> list[str]:
    ranges = tables.pack_of_loinc[loinc.loinc].ranges
    lines = []
    for laboratory in laboratories:
        for row in ranges.get((laboratory, loinc.loinc), ()):
            low = "" if row.low is None else f"{'>=' if row.low_inclusive else '>'} {row.low} "
            high = "" if row.high is None else f"{'<=' if row.high_inclusive else '<'} {row.high} "
            marks = [mark for mark in (row.status, "" if row.default else "not a default") if mark]
            lines.append(f"{low}{high}{row.unit} (row {row.id}, {laboratory}{''.join(f', {mark}' for mark in marks)})")
    return lines


def _range(text: str, unit: str) -> str:
    from adapter.fhir.range_text import parse_range

    parsed = parse_range(text, unit)
    if parsed is None:
        return f"{text!r} is not read: its meaning is not certain"
    low = "" if parsed.low is None else f"{'>=' if parsed.low_inclusive else '>'} {parsed.low_text} "
    high = "" if parsed.high is None else f"{'<=' if parsed.high_inclusive else '<'} {parsed.high_text} "
    return f"{low}{high}{parsed.unit}".strip()
