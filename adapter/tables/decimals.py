"""Exact arithmetic with measured numbers: move the decimal point, or multiply and round to the digits of the value."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def is_decimal(cell: str) -> bool:
    """Whether a cell is a number as tables write them."""
    return len(cell) <= 80 and _DECIMAL.fullmatch(cell) is not None


def power_of_ten(factor: Fraction) -> int | None:
    """Exponent of a factor that is a power of ten, else None."""
    number = factor.numerator if factor.denominator == 1 else factor.denominator
    if 1 not in (factor.numerator, factor.denominator):
        return None
    digits = str(number)
    if digits.rstrip("0") != "1":
        return None
    return len(digits) - 1 if factor.denominator == 1 else 1 - len(digits)


def scale(value: Decimal, power: int) -> Decimal:
    """Move the decimal point and keep the digits; zeros are written out rather than an exponent."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")
    return _positional(Decimal((sign, digits, exponent + power)))


def multiply(value: Decimal, factor: Fraction) -> Decimal:
    """Multiply and round once, half to even, to the significant digits of the value."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")
    if not value:
        return _positional(value)
    context = Context(prec=len(digits), rounding=ROUND_HALF_EVEN)
    whole = int("".join(map(str, digits))) * (-1 if sign else 1)
    product = context.divide(Decimal(whole * factor.numerator), Decimal(factor.denominator))
    missing = len(digits) - len(product.as_tuple().digits)
    if missing > 0:
        _, kept, own = product.as_tuple()
        assert isinstance(own, int)
        product = Decimal((sign, (*kept, *([0] * missing)), own - missing))
    return scale(product, exponent)


def _positional(value: Decimal) -> Decimal:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if exponent > 0 and len(digits) + exponent < 40:
        return Decimal((sign, (*digits, *([0] * exponent)), 0))
    return value
