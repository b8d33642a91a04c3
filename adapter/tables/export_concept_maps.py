"""The tables as FHIR R4 ConceptMaps: local codes to LOINC, codes of HL7 tables to FHIR, unit spellings to UCUM.

A row of `codes.csv` has more cells than source and target. What must hold for the row stands in `dependsOn`, what it says beside
a LOINC code in `product`; each names the column by `column_uri`, so that `import_codes.py` makes the same row of it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from adapter.fhir.canonical import CANONICAL_BASE, LOINC, UCUM
from adapter.tables.columns import CODES
from adapter.tables.export import LOINC_COPYRIGHT, Resource, canonical, resource_id
from adapter.tables.index import Tables
from adapter.tables.rows import CodeRow

_COLUMNS = CANONICAL_BASE + "/tables/codes#"
_URIS = "urn:ietf:rfc:3986"
_OTHER = "*"
_PRODUCTS = ("analyte", "property", "timing", "challenge", "method", "declared_duplicate", "status")
_DEPENDS_ON = ("sender_application", "sender_facility", "code_system", "name", "specimen", "unit")


def column_uri(column: str) -> str:
    """URI of a column of `codes.csv`."""
    return _COLUMNS + column


def column_of(uri: str) -> str:
    """Column of `codes.csv` that a URI names; empty for any other URI."""
    column = uri.removeprefix(_COLUMNS) if uri.startswith(_COLUMNS) else ""
    return column if column in CODES.header else ""


def concept_maps(tables: Tables) -> list[Resource]:
    """Make every ConceptMap.

    Parameters
    ----------
    tables : Tables
        Tables in force.

    Returns
    -------
    list of dict
        One for each sender that has codes (and one for what is any sender's), one for each HL7 table, one for units.
    """
    return [*_local_codes(tables), *_hl7_tables(tables), _units(tables)]


def _local_codes(tables: Tables) -> Iterable[Resource]:
    senders: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for name in sorted(tables.packs):
        sheet = tables.sheets.get(f"{name}/codes")
        for row in sorted(sheet.rows) if sheet is not None else ():
            cells = dict(zip(CODES.header, row, strict=True))
            senders[cells["sender_application"], cells["sender_facility"]].append(cells)
    for (application, facility), rows in sorted(senders.items()):
        whose = " ".join(part for part in (application, facility) if part) or "any sender"
        groups: dict[str, list[Resource]] = defaultdict(list)
        for cells in rows:
            key = tables.system_key(cells["code_system"])
            groups[key if ":" in key else ""].append(_element(cells, tables, ":" in key))
        made = [
            {**({"source": source} if source else {}), "target": LOINC, "element": groups[source]} for source in sorted(groups)
        ]
        name = resource_id("local-codes", application, facility)
        more = {"copyright": LOINC_COPYRIGHT, "group": made}
        yield canonical("ConceptMap", name, f"Local codes and names of {whose} to LOINC", tables, **more)


def _element(cells: Mapping[str, str], tables: Tables, system_is_source: bool) -> Resource:
    # a name is a condition where a code stands beside it; alone it is what is mapped
    conditions = [column for column in _DEPENDS_ON if cells[column] and not (column == "code_system" and system_is_source)]
    if not cells["code"]:
        conditions.remove("name")
    target: Resource = {}
    if cells["loinc"]:
        pack = tables.pack_of_loinc[cells["loinc"]]
        target |= {"code": cells["loinc"], "display": pack.loinc[cells["loinc"]].long_name, "equivalence": "equivalent"}
        target["comment"] = f"row {cells['id']}: {cells['source']}"
    else:
        target |= {"equivalence": "wider", "comment": f"row {cells['id']}: the LOINC code follows from specimen, unit and timing"}
    if conditions:
        target["dependsOn"] = [{"property": column_uri(column), "value": cells[column]} for column in conditions]
    products = [{"property": column_uri(column), "value": cells[column]} for column in _PRODUCTS if cells[column]]
    if products:
        target["product"] = products
    element: Resource = {"code": cells["code"]} if cells["code"] else {}
    if cells["name"]:
        element["display"] = cells["name"]
    return {**element, "target": [target]}


def _hl7_tables(tables: Tables) -> Iterable[Resource]:
    for name, rows in sorted(tables.vocabulary.items()):
        groups: dict[str, Resource] = {}
        for code in sorted(rows):
            _add_code(groups, rows[code])
        filled = [groups[system] for system in sorted(groups) if groups[system]["element"]]
        if filled:
            source = f"http://terminology.hl7.org/CodeSystem/v2-{name[:4]}"
            made = [{"source": source, **group} for group in filled]
            yield canonical(
                "ConceptMap", resource_id("hl7-table", name), f"Codes of HL7 table {name} to FHIR", tables, group=made
            )


def _add_code(groups: dict[str, Resource], row: CodeRow) -> None:
    # a row without a code whose system is filled maps the name of a coding system to its URI
    system, target = (row.system, row.target) if row.target or not row.system else (_URIS, row.system)
    group = groups.setdefault(system, {**_named("target", system), "element": []})
    if row.code == _OTHER:
        if target:
            group["unmapped"] = {"mode": "fixed", "code": target, **_named("display", row.display)}
        return
    mapped: dict[str, Any] = {"code": target} if target else {}
    if row.display and target:
        mapped["display"] = row.display
    mapped["equivalence"] = (row.equivalence or "equivalent") if target else "unmatched"
    mapped["comment"] = f"row {row.id}"
    group["element"].append({"code": row.code, "target": [mapped]})


def _units(tables: Tables) -> Resource:
    elements: list[Resource] = []
    for spelling, row in tables.units.items():
        comment = f"row {row.id}{', doubtful' if row.status else ''}"
        target = {"code": row.ucum, "equivalence": "relatedto" if row.status else "equivalent", "comment": comment}
        elements.append({"code": spelling, "target": [target]})
    for spelling, refused in tables.units_refused.items():
        comment = f"row {refused.id}: {refused.reason}"
        elements.append({"code": spelling, "target": [{"equivalence": "unmatched", "comment": comment}]})
    elements.sort(key=lambda element: str(element["code"]))
    group = {"source": f"{CANONICAL_BASE}/CodeSystem/unit-spellings", "target": UCUM, "element": elements}
    return canonical("ConceptMap", "units", "Unit spellings to UCUM", tables, group=[group])


def _named(name: str, value: str) -> Resource:
    """An element where there is something to say."""
    return {name: value} if value else {}
