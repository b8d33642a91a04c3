"""The tables as FHIR R4 resources, for terminology servers and other programs: one function a format.

Nothing depends on the clock: the same tables give the same bytes. `version` (where R4 has it) and a tag name the content hash.
Concept maps are made in `export_concept_maps.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adapter.fhir.canonical import CANONICAL_BASE, LOINC, TABLES_VERSION, UCUM
from adapter.tables.index import Tables
from adapter.tables.rows import LoincRow, RangeRow

Resource = dict[str, Any]

LOINC_COPYRIGHT = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc. and the "
    "Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the license at "
    "http://loinc.org/license."
)

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9.-]+")
_LONGEST_ID = 64


def resource_id(*parts: str) -> str:
    """Make a resource id: letters, digits, hyphens and dots only, at most 64."""
    text = _NOT_IN_IDS.sub("-", "-".join(part for part in parts if part)).strip("-")
    return text[:_LONGEST_ID].strip("-")


def canonical(kind: str, name: str, title: str, tables: Tables, **more: Any) -> Resource:
    """Make what every canonical resource begins with.

    Parameters
    ----------
    kind : str
        Resource type.
    name : str
        Its id.
    title : str
        Name for people.
    tables : Tables
        Gives the version.
    **more
        Further elements.

    Returns
    -------
    dict
        The resource.
    """
    return {
        "resourceType": kind,
        "id": name,
        "meta": {"tag": [{"system": TABLES_VERSION, "code": tables.version}]},
        "url": f"{CANONICAL_BASE}/{kind}/{name}",
        "version": tables.version,
        "name": "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", f"tables-{name}")),
        "title": title,
        "status": "active",
        **more,
    }


def value_sets(tables: Tables) -> list[Resource]:
    """One ValueSet a pack: its LOINC codes."""
    made = []
    for name, pack in sorted(tables.packs.items()):
        concepts = [{"code": code, "display": row.long_name} for code, row in sorted(pack.loinc.items())]
        if concepts:
            compose = {"include": [{"system": LOINC, "concept": concepts}]}
            title = f"LOINC codes of the pack {name}"
            made.append(canonical("ValueSet", resource_id(name), title, tables, copyright=LOINC_COPYRIGHT, compose=compose))
    return made


def code_systems(tables: Tables, rules: Mapping[str, str]) -> list[Resource]:
    """CodeSystems of the laboratories and of the rules that a mark names.

    Parameters
    ----------
    tables : Tables
        Tables in force.
    rules : mapping of str to str
        Rule and what it says.
    """
    names: dict[str, str] = {}
    for row in sorted((*tables.laboratories.values(), *tables.laboratory_names.values())):
        if row.name or row.laboratory not in names:
            names.setdefault(row.laboratory, row.name or row.laboratory)
    laboratories = [{"code": code, "display": display} for code, display in sorted(names.items())]
    said = [{"code": code, "definition": definition} for code, definition in sorted(rules.items())]
    return [
        _code_system("laboratories", "Laboratories and publications", laboratories, tables),
        _code_system("mark-rules", "Rules of what the adapter adds", said, tables),
    ]


def observation_definitions(tables: Tables) -> list[Resource]:
    """One ObservationDefinition a laboratory and LOINC code, with the laboratory's intervals."""
    made = []
    for pack in tables.packs.values():
        for (laboratory, code), rows in pack.ranges.items():
            loinc = pack.loinc[code]
            name = resource_id(laboratory, code)
            made.append(
                {
                    "resourceType": "ObservationDefinition",
                    "id": name,
                    "meta": {"tag": [{"system": TABLES_VERSION, "code": tables.version}]},
                    "code": {"coding": [{"system": LOINC, "code": code, "display": loinc.long_name}]},
                    "identifier": [
                        {
                            "system": f"{CANONICAL_BASE}/ObservationDefinition",
                            "value": name,
                            "assigner": {"display": laboratory},
                        }
                    ],
                    "permittedDataType": ["Quantity"],
                    **_details(loinc),
                    "qualifiedInterval": [_interval(row) for row in rows],
                }
            )
    return sorted(made, key=lambda resource: str(resource["id"]))


FORMATS: dict[str, Callable[[Tables], list[Resource]]] = {
    "observationdefinition": observation_definitions,
    "valueset": value_sets,
}
"""Formats that need the tables alone."""


def _code_system(name: str, title: str, concepts: list[dict[str, str]], tables: Tables) -> Resource:
    more = {"caseSensitive": True, "content": "complete", "count": len(concepts), "concept": concepts}
    return canonical("CodeSystem", name, title, tables, **more)


def _details(loinc: LoincRow) -> Resource:
    if not loinc.canonical_unit:
        return {}
    unit = {"coding": [{"system": UCUM, "code": loinc.canonical_unit}], "text": loinc.canonical_unit}
    return {"quantitativeDetails": {"unit": unit}}


def _interval(row: RangeRow) -> Resource:
    """One qualifiedInterval; bounds that do not belong to the range stand in words only, for those of FHIR always do."""
    interval: Resource = {"category": "reference"}
    bounds = {
        name: _quantity(value, row.unit)
        for name, value, inclusive in (("low", row.low, row.low_inclusive), ("high", row.high, row.high_inclusive))
        if value is not None and inclusive
    }
    if len(bounds) == (row.low is not None) + (row.high is not None):
        interval["range"] = bounds
    if row.sex in ("male", "female", "other"):
        interval["gender"] = row.sex
    ages = {
        name: _quantity(value, row.age_unit)
        for name, value in (("low", row.age_low), ("high", row.age_high))
        if value is not None
    }
    if ages:
        interval["age"] = ages
    interval["condition"] = "; ".join(_conditions(row))
    return interval


def _conditions(row: RangeRow) -> list[str]:
    low = "" if row.low is None else f"{'>=' if row.low_inclusive else '>'} {row.low} {row.unit}"
    high = "" if row.high is None else f"{'<=' if row.high_inclusive else '<'} {row.high} {row.unit}"
    said = [" and ".join(part for part in (low, high) if part)]
    said += [f"{label} {cell}" for label, cell in (("specimen", row.specimen), ("method", row.method)) if cell]
    if row.age_high is not None:
        said.append(f"younger than {row.age_high} {row.age_unit}")
    said += [f"{label} {cell}" for label, cell in (("from", row.valid_from), ("until", row.valid_to)) if cell]
    if row.status:
        said.append(row.status)
    if not row.default:
        said.append("only where it is chosen by name")
    return [*said, f"row {row.id}"]


def _quantity(value: Decimal, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}
