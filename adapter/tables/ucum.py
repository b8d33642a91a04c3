"""UCUM units: parse an expression, compare dimensions, convert exactly.

A unit is a factor (`fractions.Fraction`) times a product of base dimensions. Atoms and prefixes come from `ucum_atoms.csv` and
`ucum_prefixes.csv`. Three things differ from a plain reading of the UCUM specification, on purpose:

- `mol` is a base dimension of its own. UCUM makes it the number 6.0221367e23, so that nmol/L and 1/L would be the same kind of
  quantity, and a mole could be read as a mass through any number; here mass and amount of substance never meet.
- An arbitrary unit (`[IU]`, `[arb'U]`) and a special unit (`Cel`, `[pH]`) is a dimension of its own, too: it converts to its own
  multiples and to nothing else.
- Numerator and denominator are remembered before they cancel. For UCUM ug/g and umol/mol are both plain numbers and convert with
  the factor 1; for a laboratory they are a mass ratio and a substance ratio, and 1 is wrong by the ratio of molar masses.

A valid expression is no proof of a right one: `MG/L` is megagauss per litre. Spelling tables decide what a sender means; this
module says only what UCUM says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from adapter.tables.decimals import multiply, power_of_ten, scale

Dimension = tuple[tuple[str, int], ...]
"""Base dimensions and their exponents, sorted by name, without zeros."""

ARBITRARY = "arbitrary"
"""Stands for every arbitrary unit where kinds of quantities are compared."""

_LONGEST = 100
_LARGEST_EXPONENT = 30
_MEMO_SIZE = 4096
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_EXPONENT = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[0-9]+")
_SYMBOL = re.compile(r"10[*^]|(?:\[[!-Z\\^-z|~]*\]|[!#-'*,:-Z\\^-z|~])+")


class UcumError(ValueError):
    """A text is no UCUM expression, or two units cannot be converted."""


class Atom(NamedTuple):
    """One row of `ucum_atoms.csv`."""

    code: str
    kind: str
    metric: bool
    definition: str
    factor: str


@dataclass(frozen=True, slots=True)
class Unit:
    """What a UCUM expression means.

    Parameters
    ----------
    factor : fractions.Fraction
        Size in base units.
    numerator, denominator : Dimension
        Base dimensions above and below the line before they cancel.
    dimension : Dimension
        Base dimensions after they cancel.
    arbitrary : bool
        Whether an arbitrary unit takes part.
    """

    factor: Fraction
    numerator: Dimension
    denominator: Dimension
    dimension: Dimension
    arbitrary: bool


_ONE = Unit(Fraction(1), (), (), (), False)


class Ucum:
    """Parser and arithmetic over one set of atoms and prefixes.

    Parameters
    ----------
    atoms : iterable of Atom
        Rows of `ucum_atoms.csv`.
    prefixes : iterable of (str, str)
        Prefix and its decimal value, from `ucum_prefixes.csv`.
    """

    def __init__(self, atoms: Iterable[Atom], prefixes: Iterable[tuple[str, str]]) -> None:
        self._atoms = {atom.code: atom for atom in atoms}
        self._prefixes = {code: Fraction(factor) for code, factor in prefixes}
        self._symbols: dict[str, Unit | None] = {}
        self._units: dict[str, Unit | str] = {}
        self._factors: dict[tuple[str, str], tuple[Fraction, int | None] | None] = {}

    def parse(self, expression: str) -> Unit:
        """Read a UCUM expression (case-sensitive; UCUM section 2).

        Parameters
        ----------
        expression : str
            For example `mg/(24.h)` or `ug/g{creat}`.

        Returns
        -------
        Unit
            Its factor and dimension.

        Raises
        ------
        UcumError
            The text is no UCUM expression over the known atoms; the message says why.
        """
        found = self._units.get(expression)
        if found is None:
            try:
                found = _Reader(expression, self._symbol).read()
            except UcumError as error:
                found = str(error)
            if len(self._units) >= _MEMO_SIZE:
                self._units.clear()
            self._units[expression] = found
        if isinstance(found, str):
            raise UcumError(found)
        return found

    def valid(self, expression: str) -> bool:
        """Whether the text is a UCUM expression; says nothing about what the sender meant."""
        try:
            self.parse(expression)
        except UcumError:
            return False
        return True

    def factor(self, from_unit: str, to_unit: str) -> Fraction | None:
        """Exact number by which a value in `from_unit` is multiplied to be a value in `to_unit`.

        Returns
        -------
        fractions.Fraction or None
            None where one of the two is no unit, or they are different kinds of quantities. Ratios of masses, ratios of
            amounts and plain numbers are different kinds, though they all have no dimension.
        """
        found = self._conversion(from_unit, to_unit)
        return None if found is None else found[0]

    def convert(self, value: Decimal, from_unit: str, to_unit: str) -> Decimal:
        """Convert a number exactly.

        When the factor is a power of ten the digits stay as sent (300 ug/L is 0.300 mg/L). Otherwise the exact product is rounded
        once, half to even, to as many significant digits as the value has. Trailing zeros of an integer count as significant.

        Parameters
        ----------
        value : decimal.Decimal
            A finite number.
        from_unit, to_unit : str
            UCUM expressions.

        Returns
        -------
        decimal.Decimal
            Written without an exponent by `str` and `format(..., "f")` alike, as long as it has fewer than 40 integer digits.

        Raises
        ------
        UcumError
            The units do not convert into each other.
        ValueError
            The number is not finite.
        """
        found = self._conversion(from_unit, to_unit)
        if found is None:
            raise UcumError(f"{from_unit} does not convert to {to_unit}")
        factor, power = found
        return scale(value, power) if power is not None else multiply(value, factor)

    def kind_of_quantity(self, expression: str) -> tuple[Dimension, Dimension]:
        """Numerator and denominator of a unit, every arbitrary unit taken as one: what LOINC properties are told apart by.

        Raises
        ------
        UcumError
            The text is no UCUM expression.
        """
        unit = self.parse(expression)
        if not unit.arbitrary:
            return unit.numerator, unit.denominator
        return self._arbitrary_as_one(unit.numerator), self._arbitrary_as_one(unit.denominator)

    def _arbitrary_as_one(self, dimension: Dimension) -> Dimension:
        named = [(ARBITRARY if self._is_arbitrary(base) else base, exponent) for base, exponent in dimension]
        return _sum(*(((base, exponent),) for base, exponent in named))

    def _is_arbitrary(self, base: str) -> bool:
        return base in self._atoms and self._atoms[base].kind == "arbitrary"

    def _conversion(self, from_unit: str, to_unit: str) -> tuple[Fraction, int | None] | None:
        pair = from_unit, to_unit
        if pair in self._factors:
            return self._factors[pair]
        found: tuple[Fraction, int | None] | None = None
        if self.valid(from_unit) and self.valid(to_unit):
            source, target = self.parse(from_unit), self.parse(to_unit)
            if source.dimension == target.dimension and _matter(source) == _matter(target):
                factor = source.factor / target.factor
                found = factor, power_of_ten(factor)
        if len(self._factors) >= _MEMO_SIZE:
            self._factors.clear()
        self._factors[pair] = found
        return found

    def _symbol(self, symbol: str) -> Unit:
        """Meaning of an atom with or without prefix."""
        if symbol in self._symbols:
            unit = self._symbols[symbol]
            if unit is None:
                raise UcumError(f"the definition of {symbol} leads back to itself")
            return unit
        self._symbols[symbol] = None
        try:
            unit = self._atom(symbol) if symbol in self._atoms else self._prefixed(symbol)
        except UcumError:
            self._symbols.pop(symbol, None)
            raise
        if len(self._symbols) >= _MEMO_SIZE:
            self._symbols.clear()
        self._symbols[symbol] = unit
        return unit

    def _atom(self, symbol: str) -> Unit:
        atom = self._atoms[symbol]
        if atom.kind == "base" or atom.kind == "special" or (atom.kind == "arbitrary" and atom.definition in ("", "1")):
            own = ((symbol, 1),)
            return Unit(Fraction(1), own, (), own, atom.kind == "arbitrary")
        meaning = _Reader(atom.definition or "1", self._symbol).read()
        factor = meaning.factor * Fraction(atom.factor or 1)
        return Unit(factor, meaning.numerator, meaning.denominator, meaning.dimension, meaning.arbitrary)

    def _prefixed(self, symbol: str) -> Unit:
        for length in (1, 2):
            prefix, rest = symbol[:length], symbol[length:]
            if prefix in self._prefixes and rest in self._atoms and self._atoms[rest].metric:
                unit = self._symbol(rest)
                factor = unit.factor * self._prefixes[prefix]
                return Unit(factor, unit.numerator, unit.denominator, unit.dimension, unit.arbitrary)
        raise UcumError(f"{symbol} is no UCUM unit")


class _Reader:
    """Recursive descent over one expression (UCUM section 2.1, the grammar of terms)."""

    def __init__(self, expression: str, symbol: Callable[[str], Unit]) -> None:
        self.text = expression
        self.at = 0
        self.symbol = symbol

    def read(self) -> Unit:
        if not self.text or len(self.text) > _LONGEST:
            raise UcumError("the expression is empty" if not self.text else f"the expression has more than {_LONGEST} characters")
        unit = self.term()
        if self.at < len(self.text):
            raise UcumError(f"unexpected {self.text[self.at]!r} at position {self.at + 1}")
        return unit

    def term(self) -> Unit:
        if self.take("/"):
            unit = _divided(_ONE, self.component())
        else:
            unit = self.component()
        while True:
            if self.take("."):
                unit = _times(unit, self.component())
            elif self.take("/"):
                unit = _divided(unit, self.component())
            else:
                return unit

    def component(self) -> Unit:
        if self.take("("):
            unit = self.term()
            if not self.take(")"):
                raise UcumError("a parenthesis is not closed")
            return unit
        if self.annotation():
            return _ONE
        if symbol := self.match(_SYMBOL):
            unit = self.symbol(symbol)
            exponent = self.match(_EXPONENT)
            if exponent:
                unit = _raised(unit, int(exponent))
            self.annotation()
            return unit
        if number := self.match(_NUMBER):
            if int(number) == 0:
                raise UcumError("zero is no unit")
            self.annotation()
            return Unit(Fraction(int(number)), (), (), (), False)
        raise UcumError(f"a unit is missing at position {self.at + 1}")

    def annotation(self) -> bool:
        return bool(self.match(_ANNOTATION))

    def take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()


def _matter(unit: Unit) -> tuple[int, ...]:
    """How often mass and amount of substance stand above and below the line."""
    above, below = dict(unit.numerator), dict(unit.denominator)
    return tuple(side.get(base, 0) for base in ("g", "mol") for side in (above, below))


def _times(left: Unit, right: Unit) -> Unit:
    return Unit(
        left.factor * right.factor,
        _sum(left.numerator, right.numerator),
        _sum(left.denominator, right.denominator),
        _sum(left.dimension, right.dimension),
        left.arbitrary or right.arbitrary,
    )


def _divided(left: Unit, right: Unit) -> Unit:
    return _times(left, _raised(right, -1))


def _raised(unit: Unit, exponent: int) -> Unit:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise UcumError(f"an exponent is larger than {_LARGEST_EXPONENT}")
    size = abs(exponent)
    above, below = (unit.numerator, unit.denominator) if exponent >= 0 else (unit.denominator, unit.numerator)
    return Unit(
        unit.factor**exponent,
        tuple((base, power * size) for base, power in above if size),
        tuple((base, power * size) for base, power in below if size),
        tuple((base, power * exponent) for base, power in unit.dimension if size),
        unit.arbitrary,
    )


def _sum(*dimensions: Dimension) -> Dimension:
    powers: dict[str, int] = {}
    for dimension in dimensions:
        for base, power in dimension:
            powers[base] = powers.get(base, 0) + power
    return tuple(sorted((base, power) for base, power in powers.items() if power))
