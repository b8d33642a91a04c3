"""Fields that FHIR R4 has no place for: kept as they were sent, in an extension that names the field.

The extension `source-field` has two parts: `field` (`OBX-9`, or `ZPI` for a whole segment) and `text` (in ER7, all repetitions).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from adapter.convert.environment import DatatypeFunction, Environment
from adapter.fhir.canonical import SOURCE_FIELD


def source_extension(name: str, text: str) -> dict[str, Any]:
    """Make the extension.

    Parameters
    ----------
    name : str
        Field or component: `OBX-9`, `OBX-5.1`.
    text : str
        The text in ER7, as sent.

    Returns
    -------
    dict
        An Extension.
    """
    return {"extension": [{"url": "field", "valueString": name}, {"url": "text", "valueString": text}], "url": SOURCE_FIELD}


def keep_source(resource: dict[str, Any], name: str, text: str) -> None:
    """Keep a field or a segment on a resource, as sent.

    Parameters
    ----------
    resource : dict
        The resource, its list of extensions its own; changed.
    name : str
        Field or segment: `OBX-9`, `ZPI`.
    text : str
        The text in ER7.
    """
    resource.setdefault("extension", []).append(source_extension(name, text))


@cache
def source_field(name: str) -> DatatypeFunction:
    """Give the datatype function that keeps a field; a rule with it has the target `X.extension[]` and repeats `whole`.

    Parameters
    ----------
    name : str
        Field: `OBX-9`.

    Returns
    -------
    function
        Datatype function.
    """

    def keep(text: str, environment: Environment) -> dict[str, Any]:
        return source_extension(name, text)

    return keep


@cache
def further_repetitions(name: str) -> DatatypeFunction:
    """Give the datatype function that keeps the second and later repetitions of a field whose first one has a place.

    Parameters
    ----------
    name : str
        Field: `OBX-17`.

    Returns
    -------
    function
        Datatype function for the whole field.
    """

    def keep(text: str, environment: Environment) -> dict[str, Any] | None:
        if "~" not in text:
            return None
        rest = [part for part in text.split("~") if part and part != '""'][1:]
        return source_extension(name, "~".join(rest)) if rest else None

    return keep


@cache
def unread(name: str, function: DatatypeFunction) -> DatatypeFunction:
    """Give the datatype function that keeps a field that another function makes nothing of.

    Parameters
    ----------
    name : str
        Field: `PID-25`.
    function : function
        Datatype function of the field; what it reports is reported by the rule that it has.

    Returns
    -------
    function
        Datatype function for the whole field.
    """

    def keep(text: str, environment: Environment) -> dict[str, Any] | None:
        return source_extension(name, text) if environment.memo(function)[text][0] is None else None

    return keep


@cache
def first_repetition(function: DatatypeFunction) -> DatatypeFunction:
    """Give the datatype function that reads the first valued repetition of a whole field.

    Parameters
    ----------
    function : function
        Datatype function for one repetition.

    Returns
    -------
    function
        Datatype function for the whole field.
    """

    def first(text: str, environment: Environment) -> Any:
        if "~" in text:
            text = next((part for part in text.split("~") if part and part != '""'), "")
        return function(text, environment) if text else None

    return first
