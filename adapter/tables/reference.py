"""Writes `docs/tables.md` from the column declarations: `python -m adapter.tables.reference > docs/tables.md`."""

from __future__ import annotations

import sys

from adapter.tables.columns import FILE_KINDS, Column, FileKind

_HEAD = """# Table files

Written from `adapter/tables/columns.py` by `python -m adapter.tables.reference`; change it there.

```
mappings/
  common/            facts about every analyte
  common/tables/     HL7 code maps, one file a table: NNNN.csv, or NNNN-word.csv where a table has several targets
  <pack>/            facts about one family of analytes; the folder is a pack because it has analyte.csv
  sites/<name>/      the same folders and files, laid over with --mappings mappings/sites/<name>
```

- CSV, UTF-8 with or without byte order mark, one header line with exactly the columns below in this order, one row a fact.
- `id` is unique over all files. It is printable ASCII without blanks, commas and quotes. Outputs cite it.
- An empty key cell means any; `-` means blank in the message.
- Two rows of one file may not have the same key, and no two equally specific rows with different results may fit the same result.
- A site row replaces the row of the same key; with `status` `retired` it removes it. `tables show` lists what a site overrides.
- `status` is empty, `retired` or `doubtful`. A row that stands on a doubtful source is used and reported (`table-row-doubtful`).
- Numbers are digits with at most one decimal point. A bound is written as its source writes it (`2.40` stays `2.40`).
- An age band includes `age_low` and ends before `age_high`: 29 to 49 years is `29,50,a`.
- The check command is `b2m-adapter tables check`; it shows all faults at once.
"""

_CELLS = {
    "id": "ASCII word",
    "text": "text",
    "code": "code",
    "loinc": "LOINC code",
    "ucum": "UCUM",
    "decimal": "decimal",
    "yes-no": "yes, no",
    "date": "YYYY-MM-DD",
    "age": "number and unit",
    "words": "words",
}


def reference() -> str:
    """Make the text of `docs/tables.md`.

    Returns
    -------
    str
        Markdown, one section for each file kind.
    """
    return _HEAD + "".join(_section(kind) for kind in FILE_KINDS)


def _section(kind: FileKind) -> str:
    folder = {"common": "common/", "pack": "<pack>/"}[kind.place]
    name = "common/tables/NNNN.csv" if kind.name == "code_map" else f"{folder}{kind.name}.csv"
    lines = [f"\n## `{name}`\n", kind.meaning]
    if kind.one_of:
        lines[1] += f" At least one of {', '.join(f'`{column}`' for column in kind.one_of)} is filled."
    lines += ["", "| column | cell | key | required | meaning |", "|---|---|---|---|---|"]
    lines += [_line(column) for column in kind.columns]
    return "\n".join(lines) + "\n"


def _line(column: Column) -> str:
    cell = ", ".join(column.choices) if column.choices else _CELLS[column.kind]
    meaning = column.meaning + (f" Must be a known {column.refers}." if column.refers else "")
    return f"| {column.name} | {cell} | {'key' if column.key else ''} | {'yes' if column.required else ''} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
