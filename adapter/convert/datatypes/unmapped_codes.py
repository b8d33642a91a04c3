"""Code elements with a required binding whose v2 code has no FHIR code: the field is kept as sent beside an absent element.

FHIR allows an element with extensions and no value, but widely used validators ask for the code of a required binding all the
same and reject the resource. So the rule of the element gives nothing then, and a second rule keeps the field.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.datatypes.codes import mapped_code
from adapter.convert.datatypes.verbatim import source_extension
from adapter.convert.environment import DatatypeFunction, Environment
from adapter.convert.rules import Primitive, Rule


@cache
def mapped_or_nothing(function: DatatypeFunction) -> DatatypeFunction:
    """Give a code map without its codes that have no FHIR code; the field of these is kept by `source_if_unmapped`."""

    def code_or_nothing(text: str, environment: Environment) -> Any:
        found = function(text, environment)
        return None if found.__class__ is Primitive and found.value is None else found

    code_or_nothing.__qualname__ = f"mapped_or_nothing({function.__qualname__})"
    return code_or_nothing


@cache
def source_if_unmapped(name: str, function: DatatypeFunction) -> DatatypeFunction:
    """Keep a field as sent whose code has no FHIR code."""

    def source_of_unmapped(text: str, environment: Environment) -> dict[str, Any] | None:
        # its faults are reported by the rule beside this one
        found, _ = environment.run(function, text)
        return source_extension(name, text) if found.__class__ is Primitive and found.value is None else None

    source_of_unmapped.__qualname__ = f"source_if_unmapped({name!r})"
    return source_of_unmapped


def required_code(source: str, target: str, table: str) -> tuple[Rule, Rule]:
    """Give the rules of a field that becomes a code with a required binding.

    Parameters
    ----------
    source : str
        Field: `PID-8`.
    target : str
        Element: `Patient.gender`.
    table : str
        Code map.

    Returns
    -------
    tuple of Rule
        For the element, and for what it cannot hold.
    """
    function = mapped_code(table)
    return (
        Rule(source, target, mapped_or_nothing(function), table=table),
        Rule(source, f"{target.partition('.')[0]}.extension[]", source_if_unmapped(source, function), repeats="whole"),
    )
