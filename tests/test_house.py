"""The house rules that a machine can check: imports go down, no float, the issue catalogue is complete, files are short."""

import ast
from functools import cache
from pathlib import Path

import pytest

from adapter.issues import CATALOGUE

ADAPTER = Path(__file__).resolve().parents[1] / "adapter"
#: The rooms from the cellar to the roof; each may import what stands before it.
ROOMS = (
    "issues",
    "collector",
    "config",
    "hl7v2",
    "fhir",
    "tables",
    "convert",
    "enrich",
    "intake",
    "pipeline",
    "clients",
    "explain",
    "replay",
    "service",
    "cli",
)
FILES = sorted(ADAPTER.rglob("*.py"))
LONGEST = 400
#: Catalogues: one row after the other, nothing to follow.
CATALOGUES = {"issues.py", "tables/columns.py"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def trees_go_with_this_file():
    """A million nodes would keep the collector of garbage busy in all tests to come."""
    yield
    tree_of.cache_clear()


def name_of(path: Path) -> str:
    return path.relative_to(ADAPTER).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ADAPTER).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Rooms that a file imports, inside functions too."""
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = (module.split(".") for module in modules if module.startswith("adapter."))
    return {part[1] for part in parts} & set(ROOMS)


def modules_imported_at_start(path: Path) -> set[str]:
    """Modules of the adapter that a file imports when it is imported."""
    found: set[str] = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("adapter"):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_every_file_stands_in_a_known_room():
    assert {room_of(path) for path in FILES} - set(ROOMS) <= {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_the_house(path):
    room = room_of(path)
    if room == "__init__":
        return
    above = {other for other in imported(tree_of(path)) if ROOMS.index(other) > ROOMS.index(room)}
    assert not above


def test_imports_do_not_go_in_a_circle():
    modules = {
        ".".join(("adapter", *path.relative_to(ADAPTER).with_suffix("").parts)).removesuffix(".__init__"): path for path in FILES
    }
    below = {name: (modules_imported_at_start(path) & modules.keys()) - {name} for name, path in modules.items()}
    while below:
        leaves = {name for name, others in below.items() if not others & below.keys()}
        assert leaves, f"a circle among {sorted(below)}"
        below = {name: others for name, others in below.items() if name not in leaves}


#: Rooms where floats are seconds; nothing that was measured passes through them as a number.
WITH_SECONDS = {"clients", "service"}


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) not in WITH_SECONDS], ids=name_of)
def test_no_binary_floats(path):
    """Neither `float(...)` nor a literal such as `0.1`."""
    tree = tree_of(path)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"]
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_is_short_enough_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST or name_of(path) in CATALOGUES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_first_lines_say_what_the_file_is(path):
    assert ast.get_docstring(tree_of(path))


#: Functions that take a slug, and the number of the argument.
SLUG_AT = {"Issue": 0, "reject": 0, "report": 0, "fault": 0, "fails": 0}


def slugs_used(path: Path) -> dict[str, int]:
    """Slugs that a file hands to the functions of `SLUG_AT`, with their lines."""
    found = {}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SLUG_AT and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                found[node.args[0].value] = node.lineno
    return found


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "issues.py"], ids=name_of)
def test_every_slug_that_is_used_stands_in_the_catalogue(path):
    assert {slug: line for slug, line in slugs_used(path).items() if slug and slug not in CATALOGUE} == {}


def test_every_slug_of_the_catalogue_is_used():
    constants = {
        node.value
        for path in FILES
        if path.name != "issues.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(set(CATALOGUE) - constants) == []


def test_engine_names_no_analyte():
    """Codes, names and cut-offs are data in `mappings/`; the name of the program is not an analyte."""
    for path in FILES:
        tree = tree_of(path)
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings:
                text = node.value.lower().replace("_", "-").replace("b2m-adapter", "").replace("b2m-fhir-adapter", "")
                assert "microglobulin" not in text or room_of(path) == "cli", f"{name_of(path)}:{node.lineno}"
                assert "b2m" not in text or room_of(path) == "cli", f"{name_of(path)}:{node.lineno}"
