"""The program with some of its parts put back as they were, run on messages: which of several changed parts makes the difference.

The package is copied to a folder of its own, the source of a part from the manifest takes the place of the present one, and the
messages go through the copy in a process of its own, under the tables and settings of the manifest. So decorators, constants made
of constants and everything else that happens at import is as it would have been. A part that cannot stand among the others (the
copy does not start, or stops at a message) gives no answer. `python -m adapter.replay.program_trial MANIFEST` is that process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adapter.hl7v2.framing import RawMessage
from adapter.replay.accepted import Record
from adapter.replay.manifest import FILE, Manifest, old_tables, read_manifest
from adapter.replay.program import IMPORTS, PACKAGE, Part, modules_of_program
from adapter.replay.variant import Variant

_SECONDS = 600


class ProgramTrial:
    """A copy of the program in which parts can be put back.

    Parameters
    ----------
    folder : Path
        Where the copy stands; empty at first.
    manifest : Manifest
        Has the source of the parts as they were.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest
        shutil.copytree(PACKAGE, folder / "adapter", ignore=shutil.ignore_patterns("__pycache__", "mappings"))

    def run(self, parts: Sequence[Part], messages: Sequence[RawMessage]) -> list[Record] | None:
        """Convert messages with some parts as they were.

        Parameters
        ----------
        parts : sequence of Part
            What is put back.
        messages : sequence of RawMessage
            The messages.

        Returns
        -------
        list of Record or None
            One for each message; None where these parts cannot be put back alone.
        """
        files = {part.file for part in parts}
        try:
            for file in files:
                text = self._with(file, [part.name for part in parts if part.file == file])
                if text is None:
                    return None
                (self._folder / file).write_text(text, encoding="utf-8")
            return self._records(messages)
        finally:
            for file in files:
                shutil.copy(PACKAGE.parent / file, self._folder / file)

    def _with(self, file: str, names: Sequence[str]) -> str | None:
        """Give a file with parts as they were; None where one has no source, or no place."""
        module, old = modules_of_program().get(file), self._manifest.program.texts.get(file, {})
        if module is None or any(name not in old for name in names):
            return None
        # what is gone from the file may be what the part used then
        names = [*names, *(name for name in old if name not in module.parts and name != IMPORTS and "." not in name)]
        lines = (PACKAGE.parent / file).read_text(encoding="utf-8").splitlines()
        for name in sorted(names, key=lambda name: module.spans.get(name, (0, 0)), reverse=True):
            if name in module.spans:
                start, end = module.spans[name]
                lines[start:end] = old[name].splitlines()
            elif "." in name:
                return None
            else:
                lines += old[name].splitlines()
        first = next(index for index, line in enumerate(lines) if line.startswith("from __future__")) + 1
        # what the part used then may not be imported any more
        needed = [line for text in old.get(IMPORTS, "").splitlines() for line in _tried(text)]
        return "\n".join([*lines[:first], *needed, *lines[first:], ""])

    def _records(self, messages: Sequence[RawMessage]) -> list[Record] | None:
        command = [sys.executable, "-m", "adapter.replay.program_trial", str(self._manifest.folder.absolute() / FILE)]
        environment = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"}
        given = "".join(json.dumps([raw.format, raw.data.decode("latin-1")]) + "\n" for raw in messages)
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=environment,
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            return None
        records = []
        for line in done.stdout.splitlines():
            digest, fate, lines, issues = json.loads(line)
            if any(issue.startswith("internal-error") for issue in issues):
                return None
            records.append(Record(digest, fate, tuple(text.encode() for text in lines), tuple(issues)))
        return records if len(records) == len(messages) else None


@contextmanager
def program_trial(manifest: Manifest) -> Iterator[ProgramTrial]:
    """Make a copy of the program, and remove it in the end."""
    with TemporaryDirectory(prefix="b2m-adapter-") as folder:
        yield ProgramTrial(Path(folder), manifest)


def _tried(text: str) -> list[str]:
    return ["try:", f"    {text}", "except ImportError:", "    pass"]


def main() -> int:
    """Convert the messages of standard input under the tables and settings of a manifest."""
    manifest = read_manifest(Path(sys.argv[1]))
    tables = old_tables(manifest)
    if tables is None:
        return 1
    variant = Variant(tables, manifest.settings)
    for line in sys.stdin.buffer:
        form, text = json.loads(line)
        record = variant.run(RawMessage(form, text.encode("latin-1"), 0))
        lines = [one.decode() for one in record.lines]
        sys.stdout.write(json.dumps([record.digest, record.fate, lines, record.issues]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
