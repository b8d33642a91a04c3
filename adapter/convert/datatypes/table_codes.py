"""ID, IS and CWE in fields for which HL7 names the table -> Coding of that table, where no code map is needed.

The table is claimed as system only for a code that R4's copy of it has (`adapter/fhir/v2_codes.py`); others stay without system.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.datatypes.codes import coding, set_code
from adapter.convert.datatypes.text import leaf
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.fhir.v2_codes import V2_TABLE, may_claim


def table_coding(table: str, code: str, environment: Environment, component: str = "") -> dict[str, Any]:
    """Make the Coding of a code in a field for which HL7 names the table, and no code map is needed.

    Parameters
    ----------
    table : str
        Number of the HL7 table: `0136`.
    code : str
        The code, clean.
    environment : Environment
        For the fault of a code that the table does not have; it stays without system.
    component : str
        Where the code stands, for the fault.

    Returns
    -------
    dict
        A new Coding.
    """
    found: dict[str, Any] = {}
    if may_claim(V2_TABLE + table, code):
        found["system"] = V2_TABLE + table
    else:
        environment.fault("code-not-mapped", component, f"table {table}", code)
    set_code(found, code)
    return found


@cache
def coded_in(table: str) -> DatatypeFunction:
    """Make the function that gives the Coding of a code of a HL7 table; components beside the code are read as CWE.

    Parameters
    ----------
    table : str
        Number of the HL7 table: `0136`.

    Returns
    -------
    function
        Datatype function: ID, IS, CWE -> Coding or None. The same one for the same table.
    """

    def coding_of_table(text: str, environment: Environment) -> dict[str, Any] | None:
        if "^" in text:
            return coding(text, environment)
        code = leaf(text)
        return table_coding(table, code, environment) if code else None

    coding_of_table.__qualname__ = f"coded_in({table!r})"
    return coding_of_table
