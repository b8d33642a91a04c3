"""LOINC codes: the check digit, and what spreadsheets make of them."""

from __future__ import annotations

import re

_CODE = re.compile(r"([0-9]{1,7})-([0-9])")
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# Compiled when it is asked: checks of tables ask, conversions do not.
_DATE = (
    rf"(?:{_MONTH})[a-z]*[-/. ][0-9]{{1,4}}|[0-9]{{1,4}}[-/. ](?:{_MONTH})[a-z]*(?:[-/. ][0-9]{{1,4}})?"
    r"|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}(?: 0?0:00(?::00)?)?"
)


def is_loinc(code: str) -> bool:
    """Whether a text has the form of a LOINC code and the right check digit (mod 10, LOINC Users' Guide, appendix C).

    Examples
    --------
    >>> is_loinc("1952-1"), is_loinc("1952-2"), is_loinc("Jan-52")
    (True, False, False)
    """
    found = _CODE.fullmatch(code)
    return found is not None and code.isascii() and check_digit(found[1]) == int(found[2])


def check_digit(number: str) -> int:
    """Check digit of the digits before the hyphen of a LOINC code.

    Parameters
    ----------
    number : str
        ASCII digits.

    Returns
    -------
    int
        0 to 9: odd places from the right doubled, digits summed, complement to ten.
    """
    odd = str(int(number[::-1][::2][::-1]) * 2)
    even = number[::-1][1::2]
    return -sum(map(int, odd + even)) % 10


def is_spreadsheet_date(code: str) -> bool:
    """Whether a text looks like a code that a spreadsheet turned into a date (1952-1 becomes `Jan-52`)."""
    return re.fullmatch(_DATE, code, re.IGNORECASE) is not None
