"""The pages say what the program does: generated ones are fresh, shown output is real, each command and issue is described."""

import re

import pytest

from adapter.issues import CATALOGUE
from tools.make_docs import DOCS, ROOT, command_page, content_of, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_is_not_stale(page):
    assert page.read_text(encoding="utf-8") == content_of(page), "run 'make docs'"


def test_each_issue_is_described():
    page = (DOCS / "issues.md").read_text(encoding="utf-8")
    assert [slug for slug in CATALOGUE if f"| `{slug}` |" not in page] == []


def test_each_command_ends_its_help_with_an_example():
    sections = command_page().split("\n## ")[1:]
    commands = [section for section in sections if "\nCommands:\n" not in section]
    assert len(commands) >= 4
    assert [section.splitlines()[0] for section in commands if "Example:" not in section] == []


def test_readme_names_only_files_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
