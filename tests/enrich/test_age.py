"""Ages are compared day by day, and only where the dates are certain."""

from decimal import Decimal

import pytest

from adapter.enrich.age import Span, in_band, span


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-02-10", "2024-02-10", "2024-02-10"),
        ("2024-02-10T23:59:00-05:00", "2024-02-10", "2024-02-10"),
    ],
)
def test_a_coarse_date_stands_for_all_its_days(text: str, first: str, last: str) -> None:
    found = span(text)
    assert found is not None
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize("text", ["", "2024-13", "2024-02-30", "unknown", "2024-1-1-1", "0000", "10000"])
def test_what_is_no_date_is_no_date(text: str) -> None:
    assert span(text) is None


def day(text: str) -> Span:
    found = span(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("birth", "collected", "low", "high", "unit", "expected"),
    [
        ("2000-03-01", "2018-02-28", "18", None, "a", False),
        ("2000-03-01", "2018-03-01", "18", None, "a", True),
        ("2000-02-29", "2018-02-28", "18", None, "a", True),
        ("2000-03-01", "2018-02-28", None, "18", "a", True),
        ("2000-03-01", "2018-03-01", None, "18", "a", False),
        ("2024-01-31", "2024-02-29", "1", None, "mo", True),
        ("2024-01-31", "2024-02-28", "1", None, "mo", False),
        ("2024-01-01", "2024-06-30", None, "0.5", "a", True),
        ("2024-01-01", "2024-07-01", None, "0.5", "a", False),
        ("2024-01-01", "2024-02-15", None, "1.5", "mo", True),
        ("2024-01-01", "2024-02-17", None, "1.5", "mo", False),
        ("2024-01-01", "2024-01-15", "2", None, "wk", True),
        ("2024-01-01", "2024-01-28", None, "28", "d", True),
        ("2024-01-01", "2024-01-29", None, "28", "d", False),
        ("2024-01-02", "2024-01-01", None, "28", "d", False),
        ("2000", "2018-12-31", "18", None, "a", True),
        ("2000", "2018-12-30", "18", None, "a", False),
        ("1900-01-01", "2024-01-01", None, "9999", "a", True),
    ],
)
def test_the_band_includes_its_first_age_and_ends_before_its_last(
    birth: str, collected: str, low: str | None, high: str | None, unit: str, expected: bool
) -> None:
    limits = [Decimal(limit) if limit else None for limit in (low, high)]
    assert in_band(day(birth), day(collected), limits[0], limits[1], unit) is expected


def test_without_limits_no_date_is_needed() -> None:
    assert in_band(None, None, None, None, "")


def test_with_limits_both_dates_are_needed() -> None:
    assert not in_band(None, day("2024"), Decimal(0), None, "a")
    assert not in_band(day("2024"), None, Decimal(0), None, "a")
