"""The shipped tables without reading and checking a hundred CSV files again: `shipped.json` beside this module.

Building the wheel, an editable install and `make` write it (`hatch_build.py`, or `python -m adapter.tables.shipped`), and only of
tables in which `check` finds no fault. It holds the rows as text and where they stand, nothing that is derived except the hash
of their content. Its first line is a digest of every table file (place and bytes) and of the modules that read and check them;
its second one a digest of the rest. Where the file is missing, broken, or made of anything else than what is there now, it is
as if it did not exist. Sites are never in it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from itertools import repeat
from pathlib import Path

from adapter.tables import layers as reading
from adapter.tables.layers import Layers, Origin, Sheet, content_hash, kind_of, read_layers

FILE = Path(__file__).parent / "shipped.json"
_FORM = b"1"
MODULES = (
    "check",
    "check_cells",
    "check_rows",
    "columns",
    "decimals",
    "layers",
    "loinc",
    "rows",
    "shipped",
    "ucum",
    "unit_tables",
)
"""What reads and checks tables: where one of these changes, the tables are read and checked again."""


def digest_of(root: Path) -> bytes:
    """Digest of the table files of a folder, of their places in it, and of the modules that read and check them.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    files = [(f"{name}.py", Path(__file__).with_name(f"{name}.py")) for name in MODULES]
    files += [(path[len(str(root)) + 1 :], Path(path)) for path in _table_files(root)]
    digest = hashlib.sha256(_FORM)
    for name, path in files:
        data = path.read_bytes()
        digest.update(b"%s\0%d\0" % (name.encode(), len(data)))
        digest.update(data)
    return digest.hexdigest().encode()


def write_shipped(file: Path = FILE, root: Path | None = None) -> bool:
    """Write the tables of the lowest layer, if they have no fault.

    Parameters
    ----------
    file : Path
        Written as a whole or not at all.
    root : Path, optional
        Folder of the tables; the shipped ones by default.

    Returns
    -------
    bool
        Whether it was written: not where the tables have faults, or are being changed.
    """
    import json

    from adapter.tables.check import check

    root = root or reading.shipped_root()
    made_of = digest_of(root)
    layers = read_layers(root=root)
    if check(layers) or digest_of(root) != made_of:
        return False
    sheets = {name: [sheet.rows, [origin.line for origin in sheet.origins]] for name, sheet in layers.sheets.items()}
    held = {"version": content_hash(layers.sheets), "sheets": sheets}
    body = json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.write_bytes(b"\n".join((made_of, hashlib.sha256(body).hexdigest().encode(), body)))
    beside.replace(file)
    return True


def read_shipped(file: Path = FILE, root: Path | None = None) -> Layers | None:
    """Read what `write_shipped` wrote.

    Parameters
    ----------
    file : Path
        The compiled form.
    root : Path, optional
        Folder of the tables; the shipped ones by default.

    Returns
    -------
    Layers or None
        The same as `read_layers(root=root)` gives, with the version known and `read` empty; None where the file is not the
        compiled form of exactly these tables.
    """
    import orjson

    root = root or reading.shipped_root()
    try:
        made_of, digest, body = file.read_bytes().split(b"\n", 2)
        if made_of != digest_of(root) or digest != hashlib.sha256(body).hexdigest().encode():
            return None
    except (OSError, ValueError):
        return None
    held = orjson.loads(body)
    layers = Layers(version=held["version"])
    for name, (rows, lines) in held["sheets"].items():
        kind = kind_of(tuple(name.split("/")))
        assert kind is not None
        path = str(root / f"{name}.csv")
        layers.sheets[name] = Sheet(name, kind, rows, list(map(Origin, repeat(path), lines)))
    return layers


def _table_files(root: Path) -> list[str]:
    """Every file that `read_layers` reads or finds fault with; faster than `rglob`."""
    found: list[str] = []
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "sites" or folder != str(root):
                        folders.append(entry.path)
                elif entry.name.endswith(".csv"):
                    found.append(entry.path)
    return sorted(found)


if __name__ == "__main__":
    sys.exit(0 if write_shipped() else "the shipped tables have faults (b2m-adapter tables check); shipped.json was not written")
