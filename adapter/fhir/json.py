"""Exact JSON in and out: every number leaves as it was written.

`loads` reads decimals as `Decimal` (never `float`) and refuses what FHIR does not have: duplicate keys, NaN and Infinity, lone
surrogates, nesting deeper than 64, numbers beyond the range of `Decimal`. `dumps` writes compact UTF-8. Where `str()` of a plain
`Decimal` would write a number differently (`1e2`, `0.0000001`), an `ExactDecimal` carries the text.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Self

import orjson

from adapter.issues import reject

DEPTH_LIMIT = 64
# The exponents that the default decimal context can compute with.
EXPONENT_LIMIT = 999_999
# JSON has more digits than a machine integer holds; from here on integers are kept as decimals.
_INTEGER_DIGITS = 18
# A negative exponent up to this size is written out in zeros, a larger one stays an exponent.
_POSITIONAL_LIMIT = 64

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class ExactDecimal(Decimal):
    """A `Decimal` that remembers how it was written.

    Parameters
    ----------
    text : str
        A JSON number.

    Attributes
    ----------
    text : str
        The number as written; `str()` gives it too.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Read the text of a JSON number."""
        value = super().__new__(cls, text)
        value.text = text
        return value

    def __str__(self) -> str:
        return self.text


def number(text: str) -> Decimal:
    """Read a number, keeping its text exactly.

    Parameters
    ----------
    text : str
        A number in the grammar of JSON, which is the grammar of FHIR `decimal`: no `+`, no leading zeros, digits on both sides of
        the point.

    Returns
    -------
    Decimal
        `str()` of it is `text`.

    Raises
    ------
    ValueError
        When the text is no such number, or its exponent is beyond one million.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("not a decimal number in the grammar of FHIR")
    value = _decimal(text)
    # `1E-7` is also what str() makes of a computed number, which is written out in zeros
    return value if str(value) == text and "E" not in text else ExactDecimal(text)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("the exponent of the number is out of range") from None
    if abs(value.adjusted()) > EXPONENT_LIMIT:
        raise ValueError("the exponent of the number is out of range")
    return value


def _read_decimal(text: str) -> Decimal:
    """Read a JSON number with point or exponent; a whole one (`1.0`) is marked by its class, for it is no FHIR integer."""
    try:
        value = _decimal(text)
    except ValueError as error:
        raise reject("json-unsafe", detail=str(error)) from None
    if str(value) == text and "E" not in text and not text.rstrip("0").endswith("."):
        return value
    return ExactDecimal(text)


def _read_integer(text: str) -> int | Decimal:
    if len(text) <= _INTEGER_DIGITS and text != "-0":
        return int(text)
    return _read_decimal(text)


def _read_constant(_: str) -> Any:
    raise reject("json-unsafe", detail="NaN and Infinity are no JSON numbers")


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise reject("json-unsafe", detail="a key stands twice in one object", value=twice)
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=_read_decimal,
    parse_int=_read_integer,
    parse_constant=_read_constant,
)


def _too_deep(tree: Any) -> bool:
    level = [tree]
    for _ in range(DEPTH_LIMIT + 1):
        level = [value for value in level if type(value) is dict or type(value) is list]
        if not level:
            return False
        level = [inner for value in level for inner in (value.values() if type(value) is dict else value)]
    return True


def _text(data: bytes | str) -> str:
    try:
        if isinstance(data, str):
            data.encode()
            return data.removeprefix("\ufeff")
        return data.decode("utf-8-sig")
    except UnicodeEncodeError:
        raise reject("json-invalid", detail="the text holds a lone surrogate") from None
    except UnicodeDecodeError as error:
        raise reject("json-invalid", place=f"byte {error.start + 1}", detail="the text is not UTF-8") from None


def loads(data: bytes | str) -> Any:
    """Read JSON exactly.

    Parameters
    ----------
    data : bytes or str
        UTF-8, with or without byte order mark.

    Returns
    -------
    Any
        `dict`, `list`, `str`, `bool`, `None`; `int` for numbers written as whole numbers of up to 18 digits; `Decimal` for
        all others.

    Raises
    ------
    issues.Rejected
        `json-invalid` (with line and column) or `json-unsafe`.
    """
    text = _text(data)
    try:
        tree = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise reject("json-invalid", place=f"line {error.lineno}, column {error.colno}", detail=error.msg) from None
    except RecursionError:
        raise reject("json-unsafe", detail=f"nested deeper than {DEPTH_LIMIT}") from None
    if text.count("{") + text.count("[") > DEPTH_LIMIT and _too_deep(tree):
        raise reject("json-unsafe", detail=f"nested deeper than {DEPTH_LIMIT}")
    if _SURROGATE.search(text):
        try:
            json.dumps(tree, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise reject("json-unsafe", detail="a string holds a lone surrogate") from None
    return tree


def _write(value: Any) -> orjson.Fragment:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    text = str(value)
    if type(value) is Decimal:
        if not value.is_finite():
            raise ValueError("NaN and Infinity are no JSON numbers")
        # str() of a small result of arithmetic has an exponent (1E-7); written out it is the same number with the same digits.
        if "E-" in text and value.adjusted() > -_POSITIONAL_LIMIT:
            text = format(value, "f")
    return orjson.Fragment(text)


def dumps(value: Any, *, indent: bool = False) -> bytes:
    """Write JSON, decimals digit by digit.

    Parameters
    ----------
    value : Any
        A tree of `dict`, `list`, `str`, `int`, `bool`, `None` and `Decimal`.
    indent : bool
        Over several lines, for people to read; compact otherwise.

    Returns
    -------
    bytes
        UTF-8 without line end.

    Raises
    ------
    TypeError
        When the tree holds something else (`orjson.JSONEncodeError`).
    """
    return orjson.dumps(value, default=_write, option=orjson.OPT_INDENT_2 if indent else None)
