"""ST, TX and FT -> string and markdown; and what all datatype functions need for the text of a component.

A component's text is its ER7 with escapes decoded and outer blanks removed; the explicit null `""` counts as empty (A42). What
has no FHIR element is kept in an `originalText` extension, as sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from adapter.convert.environment import Environment
from adapter.convert.rules import Primitive
from adapter.hl7v2.escapes import unescape

ORIGINAL_TEXT = "http://hl7.org/fhir/StructureDefinition/originalText"

#: Characters of numbers and codes; a text of these alone is its own clean text.
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:#*+")

# FHIR R4 2.24.0.1: strings hold no characters below U+0020 but tab, CR and LF.
# U+FEFF counts as a blank there, and a string of blanks alone is none.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufeff]")


def decoded(text: str) -> str:
    r"""Decode the escapes of leaf text; text that would hold characters FHIR forbids (`\X00\`) stays as sent.

    Parameters
    ----------
    text : str
        Text without separators.

    Returns
    -------
    str
        The text; the same object when it holds no escape.
    """
    if "\\" not in text:
        return text
    plain = unescape(text)
    return text if _FORBIDDEN.search(plain) else plain


def leaf(text: str) -> str:
    """Give the clean text of one component: decoded, without outer blanks, empty for the explicit null.

    Parameters
    ----------
    text : str
        ER7 of the component.

    Returns
    -------
    str
        Its text, maybe empty.
    """
    return "" if text == '""' else decoded(text).strip()


def components(text: str, size: int = 0, separator: str = "^") -> list[str]:
    """Split into clean components.

    Parameters
    ----------
    text : str
        ER7 of one repetition.
    size : int
        Smallest length of the list; missing components are empty.
    separator : str
        `^`, or `&` for subcomponents.

    Returns
    -------
    list of str
        Clean text of each component.
    """
    parts = text.split(separator)
    if "&" in text and separator == "^":
        # subcomponent separators at the end carry nothing (HL7 v2.5.1 chapter 2.5.3)
        parts = [part.rstrip("&") for part in parts]
    if "\\" in text or '""' in text:
        parts = [leaf(part) for part in parts]
    else:
        parts = [part.strip() for part in parts]
    if len(parts) < size:
        parts += [""] * (size - len(parts))
    return parts


def promoted(text: str) -> str:
    """Turn subcomponents into components, for a datatype that stands inside a component (HL7 v2.5.1 chapter 2, 2.5.3)."""
    return text.replace("&", "^")


def any_valued(parts: list[str], numbers: Iterable[int]) -> bool:
    """Tell whether one of the components with these numbers (from 1, ascending) is valued."""
    count = len(parts)
    for number in numbers:
        if number > count:
            return False
        if parts[number - 1]:
            return True
    return False


def verbatim(text: str) -> dict[str, Any]:
    """Make the extension that keeps a text as sent."""
    return {"url": ORIGINAL_TEXT, "valueString": text}


def keep(structure: dict[str, Any], text: str) -> None:
    """Keep a text as sent on a structure that is being built, once."""
    kept = structure.get("extension", ())
    extension = verbatim(text)
    if extension not in kept:
        structure["extension"] = [*kept, extension]


def put_code(structure: dict[str, Any], key: str, value: Any, text: str) -> None:
    """Set a code with a required binding; one that has no FHIR code leaves the whole text on the structure instead.

    FHIR allows an element with extensions and no value, but widely used validators ask for the code all the same and reject
    the resource.

    Parameters
    ----------
    structure : dict
        The structure that is being built.
    key : str
        Name of the element.
    value : str, Primitive or None
        From a code map.
    text : str
        The repetition in ER7.
    """
    if value.__class__ is Primitive and value.value is None:
        keep(structure, text)
    else:
        put(structure, key, value)


def put(structure: dict[str, Any], key: str, value: Any) -> None:
    """Set an element of a structure that is being built; nothing for None, value and `_element` for a `Primitive`.

    Parameters
    ----------
    structure : dict
        The structure.
    key : str
        Name of the element.
    value : Any
        From a datatype function.
    """
    if value.__class__ is Primitive:
        if value.value is not None:
            structure[key] = value.value
        if value.extension:
            structure["_" + key] = {"extension": list(value.extension)}
    elif value is not None:
        structure[key] = value


def string(text: str, environment: Environment) -> str | None:
    """ST -> string: escapes decoded, outer blanks removed. Separators that stand in the text stay in it.

    Parameters
    ----------
    text : str
        The field in ER7.
    environment : Environment
        Not used; every datatype function has it.

    Returns
    -------
    str or None
        None when there is nothing but blanks.
    """
    return leaf(text) or None


def markdown_text(text: str, environment: Environment) -> str | None:
    r"""TX, FT -> string or markdown of several lines: `\.br\` and repetitions begin a new line (A10).

    Leading blanks of a line place its text and stay; trailing ones go (HL7 v2.5.1 chapter 2, 2.A.78). Blank lines inside stay.

    Parameters
    ----------
    text : str
        The field in ER7, with its repetitions.
    environment : Environment
        Not used; every datatype function has it.

    Returns
    -------
    str or None
        None when there is nothing but blanks.
    """
    if "~" in text or text == '""':
        text = "\n".join("" if part == '""' else decoded(part) for part in text.split("~"))
    else:
        text = decoded(text)
    lines = [line.rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n") or None
