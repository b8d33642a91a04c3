"""TS, DTM, DT, TM, DR -> dateTime, date, instant, time, Period."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapter.convert.datatypes.text import verbatim
from adapter.convert.datatypes.times import date, date_time, instant, period, time_of_day
from adapter.convert.environment import Environment
from adapter.convert.rules import Primitive
from adapter.tables.load import load_tables

ZONED = Environment(load_tables(), zone=ZoneInfo("Europe/Berlin"))


def kept(value, text):
    return Primitive(value, (verbatim(text),))


def slugs(environment, function, text):
    return [fault.slug for fault in environment.run(function, text)[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", "2026"),
        ("202601", "2026-01"),
        ("20260113", "2026-01-13"),
        ("202601130800-0500", "2026-01-13T08:00:00-05:00"),
        ("20260113080059-0500", "2026-01-13T08:00:59-05:00"),
        ("20260113080000.1-0500", "2026-01-13T08:00:00.1-05:00"),
        ("20260113080000.1230-0500", "2026-01-13T08:00:00.1230-05:00"),
        ("20260113080000+0000", "2026-01-13T08:00:00+00:00"),
        ("20260113080000+1400", "2026-01-13T08:00:00+14:00"),
        ("20240229", "2024-02-29"),
        (" 20260113 ", "2026-01-13"),
    ],
)
def test_precision_and_offset_are_as_sent(environment, text, expected):
    assert date_time(text, environment) == expected
    assert slugs(environment, date_time, text) == []


def test_hour_alone_is_filled_and_keeps_its_text(environment):
    assert date_time("2026011308-0500", environment) == kept("2026-01-13T08:00:00-05:00", "2026011308-0500")


def test_offset_of_a_date_is_kept_as_text(environment):
    assert date_time("20260113-0500", environment) == kept("2026-01-13", "20260113-0500")


def test_time_without_any_zone_is_the_date_with_the_text(environment):
    assert date_time("20260113080000", environment) == kept("2026-01-13", "20260113080000")
    assert slugs(environment, date_time, "20260113080000") == ["time-without-zone"]


def test_configured_zone_gives_the_offset_of_the_day(new_york):
    assert date_time("20260113080000", new_york) == "2026-01-13T08:00:00-05:00"
    assert date_time("20260713080000", new_york) == "2026-07-13T08:00:00-04:00"


def test_offset_in_the_text_is_stronger_than_the_zone(new_york):
    assert date_time("20260113080000+0100", new_york) == "2026-01-13T08:00:00+01:00"


def test_default_offset_is_stronger_than_the_zone(new_york):
    new_york.default_offset = "+01:00"
    assert date_time("20260113080000", new_york) == "2026-01-13T08:00:00+01:00"


@pytest.mark.parametrize("text", ["20260308023000", "20261101013000"])
def test_local_time_that_does_not_exist_or_exists_twice(new_york, text):
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    assert date_time(text, new_york) == kept(day, text)
    assert slugs(new_york, date_time, text) == ["local-time-ambiguous"]


def test_zone_offset_with_minutes(environment):
    environment.zone = ZoneInfo("Asia/Kolkata")
    assert date_time("20260113080000", environment) == "2026-01-13T08:00:00+05:30"


def test_local_mean_time_has_no_fhir_offset(environment):
    environment.zone = ZoneInfo("Europe/Amsterdam")
    assert date_time("189001010800", environment) == kept("1890-01-01", "189001010800")


@pytest.mark.parametrize(
    "text",
    [
        "20260230", "20261301", "00000000", "19650400", "202601132400-0500", "20260113080060-0500", "20260113080000+0060",
        "20260113080000-9900", "2026-01-13", "13.01.2026", "unknown", "202", "20260113T08", "20260113080000Z", "２０２６０１１３",
    ],
)  # fmt: skip
def test_what_is_no_date_is_kept_and_never_repaired(environment, text):
    assert date_time(text, environment) == kept(None, text)
    assert slugs(environment, date_time, text) == ["bad-date"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20260113000000-0500^D", "2026-01-13"),
        ("20260101^L", "2026-01"),
        ("20260101^Y", "2026"),
        ("202601130800-0500^M", "2026-01-13T08:00:00-05:00"),
    ],
)
def test_degree_of_precision_limits_what_is_given(environment, text, value):
    assert date_time(text, environment) == kept(value, text)


@pytest.mark.parametrize("function", [date_time, date, instant, time_of_day, period])
@pytest.mark.parametrize("text", ["", '""', " ", "^"])
def test_nothing_valued_gives_nothing(environment, function, text):
    assert function(text, environment) is None
    assert slugs(environment, function, text) == []


def test_date_is_the_day_as_sent(environment):
    assert date("19650412", environment) == "1965-04-12"
    assert date("1965", environment) == "1965"


def test_date_keeps_a_time_of_day_as_text(environment):
    assert date("196504120915", environment) == kept("1965-04-12", "196504120915")
    assert slugs(environment, date, "196504120915") == []


def test_date_does_not_move_to_another_zone(new_york):
    assert date("19650412233000+1400", new_york).value == "1965-04-12"


def test_bad_date_stays_text(environment):
    assert date("19650431", environment) == kept(None, "19650431")


def test_instant_needs_a_zone(environment):
    assert instant("20260115103000-0500", environment) == "2026-01-15T10:30:00-05:00"
    assert instant("20260115103000", environment) == kept(None, "20260115103000")


def test_instant_of_a_date_stays_text(environment):
    assert instant("20260115", environment) == kept(None, "20260115")


def test_instant_without_seconds_keeps_the_text(environment):
    assert instant("202601151030-0500", environment) == kept("2026-01-15T10:30:00-05:00", "202601151030-0500")


@pytest.mark.parametrize(
    ("text", "expected"), [("0915", "09:15:00"), ("091501", "09:15:01"), ("091501.25", "09:15:01.25"), ("2359", "23:59:00")]
)
def test_time_of_day(environment, text, expected):
    assert time_of_day(text, environment) == expected


def test_time_of_day_keeps_an_offset_as_text(environment):
    assert time_of_day("0915-0500", environment) == kept("09:15:00", "0915-0500")


@pytest.mark.parametrize("text", ["2500", "9:15", "0960", "noon"])
def test_what_is_no_time_of_day_stays_text(environment, text):
    assert time_of_day(text, environment) == kept(None, text)
    assert slugs(environment, time_of_day, text) == ["bad-date"]


def test_period(environment):
    assert period("20260101^20260131", environment) == {"start": "2026-01-01", "end": "2026-01-31"}
    assert period("20260101", environment) == {"start": "2026-01-01"}
    assert period("^20260131", environment) == {"end": "2026-01-31"}


def test_period_inside_a_component(environment):
    assert period("20260101&20260131", environment) == {"start": "2026-01-01", "end": "2026-01-31"}


def test_period_keeps_the_text_of_a_time_without_zone(environment):
    assert period("202601010800^", environment) == {
        "start": "2026-01-01",
        "_start": {"extension": [verbatim("202601010800")]},
    }


def test_period_upside_down_is_text_only(environment):
    assert period("20260131^20260101", environment) == {
        "_start": {"extension": [verbatim("20260131")]},
        "_end": {"extension": [verbatim("20260101")]},
    }


def test_period_compares_moments_not_texts(environment):
    assert period("20260101230000-0500^20260102020000+0000", environment)["_end"]
    assert period("20260102000000+0100^20260101233000+0000", environment)["end"] == "2026-01-01T23:30:00+00:00"


@given(some.datetimes(), some.integers(-13 * 60, 13 * 60))
def test_sent_offset_gives_the_very_digits_that_were_sent(moment, minutes):
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    offset = f"{sign}{size // 60:02}{size % 60:02}"
    text = f"{moment.year:04}{moment:%m%d%H%M%S}{offset}"
    value = date_time(text, ZONED)
    assert value.replace("-", "").replace("T", "").replace(":", "").replace("+", "") == text.replace("-", "").replace("+", "")


@given(some.text(alphabet="0123456789.+-Z^& ", max_size=24))
def test_any_text_is_read_kept_or_empty(text):
    value, faults = ZONED.run(date_time, text)
    if value is None:
        assert not text.strip(" ^&")
    elif isinstance(value, Primitive):
        assert value.extension[0]["valueString"].strip(" ^&") == text.strip(" ^&")
        assert value.value is not None or faults
