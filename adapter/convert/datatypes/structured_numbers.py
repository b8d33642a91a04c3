"""SN, NR, NA and SI -> Quantity, Ratio, Range, SampledData, integer.

Each function takes the value and OBX-6 in one text, `value|units` (see `quantities`). What does not follow its type stays text.

References
----------
HL7 v2.5.1 chapter 2, 2.A.73 (SN), 2.A.46 (NR), 2.A.44 (NA), 2.A.70 (SI); v2-to-FHIR maps SN[Quantity|Ratio|Range],
NR[Range], NA[SampledData]; ambiguities A07, A08, A30, A31, A62.
"""

from __future__ import annotations

from typing import Any

from adapter.convert.datatypes.quantities import (
    COMPARATORS,
    DATA_ABSENT_REASON,
    Value,
    amount,
    decimal_of,
    text_value,
    units_as_text,
    with_unit,
)
from adapter.convert.datatypes.text import ORIGINAL_TEXT, components
from adapter.convert.environment import Environment
from adapter.convert.rules import Primitive
from adapter.fhir.json import number

#: FHIR R4 integers have 32 bits.
_INTEGER_LIMIT = 2**31


def structured_numeric(text: str, environment: Environment) -> Value | None:
    """SN with OBX-6 -> Quantity, Ratio or Range, by its separator; else text (A08).

    `<>` and `+` have no FHIR type: the parts and the unit are joined by blanks. `:` and `/` give a Ratio, `-` a Range. What does
    not follow the type (`100^1^:^1`, a range upside down, a bound missing) stays text (`value-not-converted`).

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        The value.
    """
    sent, _, units = text.partition("|")
    parts = components(sent, 4)
    comparator, first, separator, second = parts[:4]
    if not any(parts):
        return None
    value: Value | None = None
    if not any(parts[4:]) and comparator in ("", *COMPARATORS):
        if separator in (":", "/"):
            value = _ratio(comparator, first, second, units, environment)
        elif separator == "-":
            value = _range(comparator, first, second, units, sent, environment)
        elif not separator and not second and first:
            value = _quantity(comparator, first, units, environment)
    elif not any(parts[1:]):
        value = _all_in_first(comparator, units, environment)
    if value is not None:
        return value
    if comparator != "<>" and separator != "+":
        environment.fault("value-not-converted", "", "SN", sent)
    return Value("String", " ".join(filter(None, (*parts, units_as_text(units)))))


def _compared(comparator: str, text: str) -> dict[str, Any] | None:
    quantity = amount(text)
    if quantity is not None and COMPARATORS.get(comparator):
        quantity["comparator"] = COMPARATORS[comparator]
    return quantity


def _quantity(comparator: str, text: str, units: str, environment: Environment) -> Value | None:
    quantity = _compared(comparator, text)
    return None if quantity is None else Value("Quantity", with_unit(quantity, units, environment))


def _all_in_first(text: str, units: str, environment: Environment) -> Value | None:
    """Read an SN whose whole value stands in its first component (`<10`, `0.83`)."""
    quantity = amount(text, comparator=True)
    if quantity is None:
        return None
    environment.fault("value-type-misused", "1", "the whole SN in its first component", text)
    return Value("Quantity", with_unit(quantity, units, environment))


def _ratio(comparator: str, first: str, second: str, units: str, environment: Environment) -> Value | None:
    numerator, denominator = _compared(comparator, first), amount(second)
    if numerator is None or denominator is None:
        return None
    parts = {"numerator": with_unit(numerator, units, environment), "denominator": with_unit(denominator, units, environment)}
    return Value("Ratio", parts)


def _range(comparator: str, first: str, second: str, units: str, sent: str, environment: Environment) -> Value | None:
    low, high = amount(first), amount(second)
    if low is None or high is None or low["value"] > high["value"]:
        return None
    found: dict[str, Any] = {"low": with_unit(low, units, environment), "high": with_unit(high, units, environment)}
    if COMPARATORS.get(comparator):
        found = {"extension": [{"url": ORIGINAL_TEXT, "valueString": sent}], **found}
    return Value("Range", found)


def numeric_range(text: str, environment: Environment) -> Value | None:
    """NR with OBX-6 -> Range.

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Range with one bound or two, or text.
    """
    sent, _, units = text.partition("|")
    parts = components(sent, 2)
    if not any(parts):
        return None
    bounds = {name: amount(part) for name, part in zip(("low", "high"), parts, strict=False) if part}
    complete = all(bound is not None for bound in bounds.values()) and not any(parts[2:])
    if complete and (len(bounds) < 2 or bounds["low"]["value"] <= bounds["high"]["value"]):  # type: ignore[index]
        return Value("Range", {name: with_unit(bound, units, environment) for name, bound in bounds.items() if bound is not None})
    environment.fault("value-not-converted", "", "NR", sent)
    return text_value(sent)


def whole_number(text: str, environment: Environment) -> Value | None:
    """SI -> integer (A07); what is no 31-bit number stays text.

    Parameters
    ----------
    text : str
        `value|units`; units are not read.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        Integer, or text.
    """
    sent = text.partition("|")[0]
    read = decimal_of(sent.strip())
    if read is not None and read[0] == int(read[0]) and abs(read[0]) < _INTEGER_LIMIT and "." not in sent:
        kept = ({"url": ORIGINAL_TEXT, "valueString": read[1]},) if read[1] else ()
        return Value("Integer", Primitive(int(read[0]), kept) if kept else int(read[0]))
    value = text_value(sent)
    if value is not None:
        environment.fault("value-not-a-number", "", "SI", sent)
    return value


def numeric_array(text: str, environment: Environment) -> Value | None:
    """NA (whole field) with OBX-6 -> SampledData; a repetition is a sample point, its components are the dimensions (A31).

    The origin is 0 (the numbers are the values themselves). HL7 does not say the sampling period: it is absent, with the reason.

    Parameters
    ----------
    text : str
        `value|units`.
    environment : Environment
        Surroundings.

    Returns
    -------
    Value or None
        SampledData; text when a number is missing or the repetitions differ in length.
    """
    sent, _, units = text.partition("|")
    rows = [components(row) for row in sent.split("~")]
    if not any(any(row) for row in rows):
        return None
    read = [[decimal_of(part) for part in row] for row in rows]
    if len({len(row) for row in rows}) > 1 or any(one is None or one[1] for row in read for one in row):
        environment.fault("value-not-converted", "", "NA", sent)
        return text_value(sent)
    return Value(
        "SampledData",
        {
            "origin": with_unit({"value": number("0")}, units, environment),
            "_period": {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]},
            "dimensions": len(rows[0]),
            "data": " ".join(part for row in rows for part in row),
        },
    )
