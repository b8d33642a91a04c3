"""Write `adapter/fhir/schema/v2_codes.json`: the codes of the HL7 v2 tables as FHIR R4 publishes them.

Usage: python tools/make_v2_codes.py hl7.fhir.r4.core.tgz (version 4.0.1, CC0).
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parents[1] / "adapter" / "fhir" / "schema" / "v2_codes.json"
# Tables with one code system for each version of HL7 (`v2-0006|2.4`) are left out: a message does not say which one it means.
_TABLE = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})")


def codes_of(concepts: list[dict[str, Any]]) -> list[str]:
    """Give the codes of a code system, those of inner levels included."""
    found: list[str] = []
    for concept in concepts:
        found += [concept["code"], *codes_of(concept.get("concept", []))]
    return found


def tables_of(package: Path) -> dict[str, list[str]]:
    """Read the complete code systems of HL7 tables.

    Parameters
    ----------
    package : Path
        `hl7.fhir.r4.core.tgz`.

    Returns
    -------
    dict of str to list of str
        Sorted codes by table number.
    """
    tables: dict[str, list[str]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.startswith("package/CodeSystem-v2-") else None
            if stream is None:
                continue
            content = json.load(stream)
            named = _TABLE.fullmatch(content["url"])
            if named and content["content"] == "complete":
                tables[named[1]] = sorted(codes_of(content.get("concept", [])))
    return dict(sorted(tables.items()))


def main(package: Path) -> None:
    """Write the file."""
    text = json.dumps(tables_of(package), separators=(",", ":"), ensure_ascii=False)
    OUTPUT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/make_v2_codes.py hl7.fhir.r4.core.tgz")
    main(Path(sys.argv[1]))
