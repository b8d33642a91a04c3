"""Which codes the HL7 v2 tables have in FHIR R4 (`http://terminology.hl7.org/CodeSystem/v2-NNNN`).

R4 publishes most tables as complete code systems: a coding with such a system and a code that is not in it is wrong, whatever
the sender meant. The codes are in `schema/v2_codes.json`, made by `tools/make_v2_codes.py` from the official definitions and
read at the first question (about 1 ms).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import orjson

#: A table's code system is this and the number of the table.
V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
_FILE = Path(__file__).parent / "schema" / "v2_codes.json"


@cache
def _tables() -> dict[str, frozenset[str]]:
    return {table: frozenset(codes) for table, codes in orjson.loads(_FILE.read_bytes()).items()}


def has_code(table: str, code: str) -> bool | None:
    """Tell whether a HL7 table has a code in FHIR R4.

    Parameters
    ----------
    table : str
        Number of the table: `0203`.
    code : str
        The code; upper and lower case differ.

    Returns
    -------
    bool or None
        None when R4 does not publish the table, or not as one list of codes.
    """
    codes = _tables().get(table)
    return None if codes is None else code in codes


def may_claim(system: str, code: str) -> bool:
    """Tell whether a coding may name its system: a HL7 table only for a code that the table has, as far as R4 says.

    Parameters
    ----------
    system : str
        URI of the coding system.
    code : str
        The code; empty where the coding has none.

    Returns
    -------
    bool
        True for every system that is no HL7 table.
    """
    return not code or not system.startswith(V2_TABLE) or has_code(system[len(V2_TABLE) :], code) is not False
