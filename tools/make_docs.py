"""Make the generated pages of docs/ from the declarations that run, and renew real output in the hand-written ones.

`make docs` writes them; a test and the gate fail when a page is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.main import get_command

from adapter.cli import app
from adapter.convert.message import all_rules
from adapter.convert.rules import Rule
from adapter.issues import CATALOGUE
from adapter.tables.reference import reference
from tools.console_blocks import refreshed

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE = "<!-- made by tools/make_docs.py; change the source, not this page -->\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def issues_page() -> str:
    """Every issue of the catalogue."""
    lines = [
        "# Issues",
        "",
        MADE,
        "What can go wrong, from the catalogue in `adapter/issues.py`. An issue names a row by its slug and says where it",
        "happened. *error*: the message or a value of it did not go the normal way. *warning*: a person should look.",
        "*information*: said for completeness; it stands in the issue file and in the summary, not on standard error.",
        "",
    ]
    for severity in ("error", "warning", "information"):
        lines += [f"## {severity}", "", "| slug | what it means | what to do |", "|---|---|---|"]
        kinds = sorted((kind for kind in CATALOGUE.values() if kind.severity == severity), key=lambda kind: kind.slug)
        lines += [f"| `{kind.slug}` | {_cell(kind.meaning)} | {_cell(kind.action)} |" for kind in kinds]
        lines.append("")
    return "\n".join(lines)


def _how(rule: Rule) -> str:
    if rule.drop:
        return f"*dropped*: {rule.drop}"
    function = rule.value or rule.build
    name = getattr(function, "__name__", "").strip("_").replace("_", " ")
    return f"{name}, table {rule.table}" if rule.table else name


def _row(rule: Rule) -> str:
    target = f"`{rule.target}`" if rule.target else ""
    cells = (rule.source, target, _how(rule), "" if rule.drop else rule.repeats, rule.note)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def mapping_page() -> str:
    """Every rule of the conversion."""
    lines = [
        "# Mapping",
        "",
        MADE,
        "Each field of each segment and where it goes, from the rules that run (`adapter/convert/`). *Repeats*: `each`, every",
        "repetition makes an element; `first`, FHIR allows one and the others are reported; `whole`, the rule sees all of them.",
        "Notes such as A12 name open points of the HL7 v2-to-FHIR guide and how they were decided.",
        "",
    ]
    for name, rules in sorted(all_rules().items()):
        lines += [f"## {name}", "", "| field | target | how | repeats | note |", "|---|---|---|---|---|"]
        lines += [_row(rule) for rule in rules]
        lines.append("")
    return "\n".join(lines)


def command_page() -> str:
    """The help of every command, as it prints."""
    import click

    lines = ["# Command line", "", MADE]

    def add(command: click.Command, path: str, parent: click.Context | None) -> None:
        context = click.Context(command, info_name=path.split()[-1], parent=parent, max_content_width=100, terminal_width=100)
        lines.extend([f"## {path}", "", "```", command.get_help(context), "```", ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                add(found, f"{path} {name}", context)

    add(get_command(app), "b2m-adapter", None)
    return "\n".join(lines)


PAGES = {
    "issues.md": issues_page,
    "mapping.md": mapping_page,
    "cli.md": command_page,
    "tables.md": reference,
}


def pages() -> list[Path]:
    """Every page: generated ones, and hand-written ones."""
    return sorted({*(DOCS / name for name in PAGES), ROOT / "README.md", *DOCS.glob("*.md")})


def content_of(page: Path) -> str:
    """Give what a page should hold; the commands of a hand-written one are run again."""
    if page.parent == DOCS and page.name in PAGES:
        return PAGES[page.name]().rstrip() + "\n"
    return refreshed(page.read_text(encoding="utf-8"))


def main() -> int:
    """Write the pages; with --check say which are stale and fail."""
    check = "--check" in sys.argv
    stale = []
    for path in pages():
        text = content_of(path)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("stale, run 'make docs': " if check else "written: ") + ", ".join(stale))
    return int(bool(stale) and check)


if __name__ == "__main__":
    sys.exit(main())
