"""Names of coding systems (CWE.3, table 0396) -> URI.

Table 0396 (`mappings/common/tables/0396.csv`) knows names and OIDs. What it does not have is a URI only by its own form: a HL7
table (`HL70487`), an OID, a UUID, a URI. Other names are the sender's own: a URI with the sender's `local_code_base`, else none
(A06).
"""

from __future__ import annotations

import re

from adapter.convert.environment import Environment
from adapter.fhir.v2_codes import V2_TABLE

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# FHIR gives urn:oid: and urn:uuid: a form of their own (types `oid` and `uuid`).
ABSOLUTE_URI = re.compile(
    r"https?://\S+"
    r"|urn:oid:[0-2](\.(0|[1-9][0-9]*))+"
    r"|urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|urn:(?!oid:|uuid:)[a-z0-9][a-z0-9-]*:\S+"
)
_HL7_TABLE = re.compile(r"HL7\d{4}")


def known_system(name: str, environment: Environment) -> str | None:
    """Give the URI that table 0396, or the form of the name itself, has for a coding system."""
    upper = name.upper()
    uri = environment.tables.coding_systems.get(upper)
    if uri is not None:
        return uri
    if upper.startswith("HL7"):
        # A table that 0396 names without a URI has no code system.
        if _HL7_TABLE.fullmatch(upper) and upper not in environment.tables.vocabulary.get("0396", {}):
            return V2_TABLE + upper[3:]
    elif ":" in name:
        return name if ABSOLUTE_URI.fullmatch(name) else None
    elif "." in name:
        return "urn:oid:" + name if OID.fullmatch(name) else None
    elif "-" in name:
        return "urn:uuid:" + name.lower() if UUID.fullmatch(name) else None
    return None


def uri_part(name: str) -> str:
    """Percent-encode a name so that it can end a URI."""
    from urllib.parse import quote

    return quote(name, safe="-._~:@!$'()*+,;=/?")


def code_system(name: str, environment: Environment) -> str | None:
    """Name of a coding system (CWE.3, table 0396) -> URI.

    Parameters
    ----------
    name : str
        The name as sent, decoded.
    environment : Environment
        Gives table 0396 and the sender's `local_code_base`.

    Returns
    -------
    str or None
        The URI of table 0396; a HL7 table, an OID, a UUID or a URI as URI; the sender's base with the name; else None.
    """
    if not name:
        return None
    return known_system(name, environment) or local_system(name, environment)


def local_system(name: str, environment: Environment) -> str | None:
    """Give the URI of a sender's own coding system: its `local_code_base` with the name."""
    sender = environment.sender
    return sender.local_code_base + uri_part(name) if sender is not None and sender.local_code_base else None
