"""The program itself as parts that can be compared: a fingerprint of every function, class and constant, and which of them ran.

A fingerprint is a digest of the source of a part without comments, docstrings and layout. Parts are named by file and qualified
name (`adapter/fhir/range_text.py parse_range`, `adapter/pipeline.py Pipeline._v2`); a class stands for its body without its
methods, and `(module)` for the statements of a file that are neither. A function took part in the conversion of a message when it
was called, a constant or class when a function that was called names it, by itself or through other constants.
"""

from __future__ import annotations

import ast
import hashlib
import io
import platform
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
#: Whose versions may change an output, too.
_RUNS_ON = ("orjson", "jsonschema-rs", "tzdata")
#: Rooms above the pipeline, which no output passes; and the version, which is masked in accepted outputs.
_WITHOUT_EFFECT = frozenset({"cli", "service", "replay", "clients", "explain", "__init__.py"})
_MODULE = "(module)"
IMPORTS = "(imports)"
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Program:
    """A version of the program.

    Parameters
    ----------
    parts : dict of str to (dict of str to str)
        Fingerprints by file and name.
    texts : dict of str to (dict of str to str)
        Source of functions, constants and imports of a file, without comments and docstrings, so that each can be put back.
    runs_on : dict of str to str
        Versions of Python and of packages.
    """

    parts: dict[str, dict[str, str]]
    texts: dict[str, dict[str, str]]
    runs_on: dict[str, str]


class Part(NamedTuple):
    """One part of the program: its file, its name, and the line where it stands now (0: it is gone)."""

    file: str
    name: str
    line: int = 0


@dataclass(slots=True)
class Module:
    """What is known of a file: its parts with fingerprint and line, what they name, and what the file imports from where."""

    parts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    #: source of what can be put back, and where it stands: indices of the first line and of the one behind the last
    texts: dict[str, str] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: names that a part uses when the file is imported; of functions nothing
    names: dict[str, set[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    #: imported name -> (file, name); the name is empty where a whole module is imported
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def program_of() -> Program:
    """Describe the program that runs."""
    runs_on = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _RUNS_ON:
        try:
            runs_on[name] = version(name)
        except PackageNotFoundError:
            continue
    modules = modules_of_program()
    texts = {file: module.texts for file, module in modules.items()}
    return Program({file: module.parts for file, module in modules.items()}, texts, runs_on)


def changed_parts(old: Program) -> list[Part]:
    """Find the parts that are added, gone or other than they were.

    Parameters
    ----------
    old : Program
        The program then.

    Returns
    -------
    list of Part
        By file and name.
    """
    modules = modules_of_program()
    found = []
    for file in sorted(old.parts.keys() | modules.keys()):
        now = modules.get(file, Module())
        then = old.parts.get(file, {})
        changed = [name for name in sorted(then.keys() | now.parts.keys()) if then.get(name) != now.parts.get(name)]
        found += [Part(file, name, now.lines.get(name, 0)) for name in changed]
    return found


def changed_ground(old: Program) -> list[str]:
    """Say which versions are other than they were: `tzdata 2025.1 -> 2026.1`."""
    now = program_of().runs_on
    return [
        f"{name} {old.runs_on.get(name, 'none')} -> {now.get(name, 'none')}"
        for name in sorted(old.runs_on.keys() | now.keys())
        if old.runs_on.get(name) != now.get(name)
    ]


def parts_that_ran(action: Callable[[], object]) -> set[tuple[str, str]]:
    """Run something and say which parts of the program took part.

    Parameters
    ----------
    action : function
        What to run. Results that the program remembers are forgotten first, so that what made them runs again.

    Returns
    -------
    set of (str, str)
        File and name.
    """
    for memory in _memories():
        memory.cache_clear()
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    ran: set[tuple[str, str]] = set()
    named: dict[str, set[str]] = {}
    root = PACKAGE.parent
    for code in called:
        path = Path(code.co_filename)
        if path.is_relative_to(PACKAGE):
            file = path.relative_to(root).as_posix()
            ran.add((file, code.co_qualname.partition(".<locals>")[0]))
            named.setdefault(file, set()).update(code.co_names)
    for file, names in named.items():
        ran |= _used(file, names, ran)
    return ran


def _used(file: str, names: set[str], known: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Find the constants and classes behind names, and those behind these."""
    modules = modules_of_program()
    found: set[tuple[str, str]] = set()
    waiting = [(file, names)]
    while waiting:
        where, words = waiting.pop()
        for part in _meant(where, words):
            if part not in found and part not in known:
                found.add(part)
                waiting.append((part[0], modules[part[0]].names.get(part[1], set())))
    return found


def _meant(file: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """Give the parts that names mean in a file. A function that is named there has not run for that."""
    modules = modules_of_program()
    module = modules.get(file)
    if module is None:
        return
    for name in names:
        if name in module.parts:
            if name not in module.functions or f"{name}()" in names:
                yield file, name
        elif name in module.imported:
            other, meant = module.imported[name]
            there = modules.get(other)
            if there is None:
                continue
            # a module that is imported whole: each of its names may be meant
            for word in [meant] if meant else names & there.parts.keys():
                if word in there.parts and (word not in there.functions or f"{name}()" in names):
                    yield other, word


def _memories() -> Iterator[Any]:
    for name, module in list(sys.modules.items()):
        if name.startswith("adapter.") and not name.startswith("adapter.replay"):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and hasattr(value, "cache_info"):
                    yield value


@cache
def modules_of_program() -> dict[str, Module]:
    """Read the files of the program that outputs pass through, by their path from the top."""
    files = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in _WITHOUT_EFFECT)
    return {path.relative_to(PACKAGE.parent).as_posix(): _module(path) for path in files}


def _module(path: Path) -> Module:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    lines = _bare_lines(source, tree)
    module = Module()
    rest: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _note(module, node.name, node, lines)
            module.functions.add(node.name)
        elif isinstance(node, ast.ClassDef):
            _note_class(module, node, lines)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and (names := _targets(node)):
            for name in names:
                _note(module, name, node, lines)
        elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_for_types(node):
            rest.append(_text(node, lines))
    if any(rest):
        module.parts[_MODULE] = _digest(" ".join(rest))
        module.lines[_MODULE] = 1
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    module.texts[IMPORTS] = "\n".join(ast.unparse(node) for node in imports if getattr(node, "module", "") != "__future__")
    for one in ast.walk(tree):
        if isinstance(one, ast.ImportFrom) and one.module and one.module.startswith("adapter"):
            for alias in one.names:
                module.imported[alias.asname or alias.name] = _file_of(one.module, alias.name)
    return module


def _file_of(module: str, name: str) -> tuple[str, str]:
    """Where an imported name stands: (file, name), the name empty for a module."""
    for text, rest in ((f"{module}.{name}", ""), (module, name)):
        path = PACKAGE.parent / Path(*text.split("."))
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py").relative_to(PACKAGE.parent).as_posix(), rest
    return (PACKAGE.parent / Path(*module.split(".")) / "__init__.py").relative_to(PACKAGE.parent).as_posix(), name


def _note(module: Module, name: str, node: ast.stmt, lines: list[str]) -> None:
    text = _text(node, lines)
    if name in module.parts:
        # said in several statements: none of them can be put back alone
        module.texts.pop(name, None)
    else:
        _note_text(module, name, node, lines)
    module.parts[name] = _digest(module.parts.get(name, "") + text)
    module.lines.setdefault(name, node.lineno)
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        used = module.names.setdefault(name, set())
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                used.add(one.id)
            elif isinstance(one, ast.Attribute):
                used.add(one.attr)
            elif isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
                used.add(f"{one.func.id}()")


def _note_class(module: Module, node: ast.ClassDef, lines: list[str]) -> None:
    bare = list(lines)
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            name = f"{node.name}.{one.name}"
            if name not in module.parts:
                _note_text(module, name, one, lines)
            else:
                # getter and setter share a name
                module.texts.pop(name, None)
            module.parts[name] = _digest(module.parts.get(name, "") + _text(one, lines))
            module.lines.setdefault(name, one.lineno)
            module.functions.add(name)
            bare[_start(one) : one.end_lineno] = [""] * ((one.end_lineno or 0) - _start(one))
    module.parts[node.name] = _digest(_text(node, bare))
    module.lines[node.name] = node.lineno


def _note_text(module: Module, name: str, node: ast.stmt, lines: list[str]) -> None:
    module.spans[name] = (_start(node), node.end_lineno or node.lineno)
    module.texts[name] = "\n".join(lines[_start(node) : node.end_lineno])


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    targets: Iterable[ast.expr] = node.targets if isinstance(node, ast.Assign) else (node.target,)
    return [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _start(node: ast.stmt) -> int:
    """Index of the first line, decorators included."""
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    return min((one.lineno for one in decorators), default=node.lineno) - 1


def _text(node: ast.stmt, lines: list[str]) -> str:
    return " ".join(" ".join(lines[_start(node) : node.end_lineno]).split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _bare_lines(source: str, tree: ast.Module) -> list[str]:
    """Give the lines of a file without comments, docstrings and the texts that stand below constants."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = ""
    return lines
