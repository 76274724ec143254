"""Quiet hours by the clock on the customer's wall."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from app.brands.programme import QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, quiet_until

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-10T12:00", "2026-03-10T12:00"),
        ("2026-03-10T18:59", "2026-03-10T18:59"),
        ("2026-03-10T19:00", "2026-03-11T08:00"),
        ("2026-03-11T07:59", "2026-03-11T08:00"),
        ("2026-03-11T08:00", "2026-03-11T08:00"),
        ("2026-03-28T22:00", "2026-03-29T07:00"),  # clocks go forward that night
        ("2026-10-24T22:00", "2026-10-25T08:00"),  # and back
    ],
)
def test_default_quiet_hours_end_at_nine_in_berlin(now: str, until: str) -> None:
    assert quiet_until(utc(now), BERLIN, QuietHours()) == utc(until)


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    siesta = QuietHours(from_=time(13), to=time(15))
    assert quiet_until(utc("2026-03-10T12:30"), BERLIN, siesta) == utc("2026-03-10T14:00")
    assert quiet_until(utc("2026-03-10T14:00"), BERLIN, siesta) == utc("2026-03-10T14:00")
    assert quiet_until(utc("2026-03-10T02:00"), BERLIN, None) == utc("2026-03-10T02:00")


def test_the_end_never_lies_in_the_past_in_the_hour_that_comes_twice() -> None:
    short = QuietHours(from_=time(2), to=time(2, 30))
    second_coming = utc("2026-10-25T01:10")
    assert quiet_until(second_coming, BERLIN, short) == utc("2026-10-25T01:30")


def test_a_country_may_only_narrow_the_day() -> None:
    night = QuietHours()
    late_riser = QuietHours(from_=time(18), to=time(8))
    assert next_daytime(utc("2026-03-10T17:30"), BERLIN, night, late_riser) == utc("2026-03-11T08:00")
    assert next_daytime(utc("2026-03-10T12:00"), BERLIN, night, late_riser) == utc("2026-03-10T12:00")
    all_day = QuietHours(from_=time(8), to=time(21))
    assert next_daytime(utc("2026-03-10T12:00"), BERLIN, night, all_day) == utc("2026-03-10T20:00")


def test_quiet_hours_of_a_country_that_cannot_be_read_are_none() -> None:
    countries = {
        "FR": {"quiet_hours": {"from": "18:00", "to": "10:00"}},
        "DE": {"quiet_hours": "always"},
        "AT": 1,
    }
    assert country_quiet_hours(countries, "FR") == QuietHours(from_=time(18), to=time(10))
    assert [country_quiet_hours(countries, country) for country in ("DE", "AT", "NL", None)] == [None] * 4
