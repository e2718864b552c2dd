"""Local days: one end for each date, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.custody.local_days import (
    TZDATA_RELEASE,
    add_months,
    count_midnights,
    day_end,
    day_start,
    is_zone,
    local_date,
    midnights,
)
from tests.domain.custody.facts import utc

APIA, OSLO, NEW_YORK = "Pacific/Apia", "Europe/Oslo", "America/New_York"


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        pytest.param("2025-03-30", OSLO, "2025-03-30 22:00", id="a day of 23 hours"),
        pytest.param("2025-10-26", OSLO, "2025-10-26 23:00", id="a day of 25 hours"),
        pytest.param("2018-11-03", "America/Sao_Paulo", "2018-11-04 03:00", id="a midnight that does not exist"),
        pytest.param("1919-03-30", "America/Toronto", "1919-03-31 04:30", id="an hour skipped from before midnight"),
        pytest.param("2018-02-17", "America/Sao_Paulo", "2018-02-18 03:00", id="its last hour comes twice"),
        pytest.param("2024-11-02", "America/Havana", "2024-11-03 04:00", id="a midnight that comes twice, after it"),
        pytest.param("2006-10-28", "America/St_Johns", "2006-10-29 03:30", id="it ends, comes back and ends again"),
        pytest.param("1969-09-30", "Pacific/Kwajalein", "1969-10-01 12:00", id="a date that is lived twice"),
        pytest.param("2011-12-29", APIA, "2011-12-30 10:00", id="the last before a skipped one"),
        pytest.param("2011-12-31", APIA, "2011-12-31 10:00", id="the first after a skipped one"),
        pytest.param("2025-06-01", "UTC", "2025-06-02 00:00", id="no clock is ever turned"),
    ],
)
def test_a_date_ends_once(day: str, zone: str, end: str) -> None:
    assert day_end(date.fromisoformat(day), zone) == utc(end)


def test_a_skipped_date_has_no_end_and_the_next_begins_where_the_one_before_ended() -> None:
    assert day_end(date(2011, 12, 30), APIA) is None
    assert day_start(date(2011, 12, 31), APIA) == day_end(date(2011, 12, 29), APIA)
    assert midnights(utc("2011-12-29 22:00"), utc("2011-12-31 22:00"), APIA) == [date(2011, 12, 29), date(2011, 12, 31)]


def test_a_midnight_belongs_to_who_leaves_at_it_and_not_to_who_comes() -> None:
    midnight = utc("2025-03-10 04:00")
    assert midnights(midnight - timedelta(hours=1), midnight, NEW_YORK) == [date(2025, 3, 9)]
    assert midnights(midnight, midnight + timedelta(hours=1), NEW_YORK) == []
    assert midnights(midnight, midnight, NEW_YORK) == []


instants = st.integers(0, 67 * 365 * 86400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
zones = st.sampled_from([APIA, OSLO, NEW_YORK, "America/Sao_Paulo", "America/St_Johns", "Asia/Kathmandu", "UTC"])


@settings(deadline=None)
@given(instants, zones)
def test_every_instant_lies_in_its_own_local_day(instant: datetime, zone: str) -> None:
    day = local_date(instant, zone)
    end = day_end(day, zone)
    assert end is not None
    # Where a date comes back after the first minute of the next, that minute lies before its last end.
    assert instant < end
    assert local_date(end, zone) > day == local_date(end - timedelta(microseconds=1), zone)


@settings(deadline=None)
@given(
    instants, st.timedeltas(timedelta(0), timedelta(days=40)), st.timedeltas(timedelta(0), timedelta(days=40)), zones
)
def test_the_midnights_of_an_interval_are_those_of_its_parts(
    start: datetime, first: timedelta, second: timedelta, zone: str
) -> None:
    middle, end = start + first, start + first + second
    assert midnights(start, end, zone) == midnights(start, middle, zone) + midnights(middle, end, zone)


ODD_DAYS = [
    ("2011-12-30", APIA),
    ("1892-07-04", APIA),
    ("1844-12-31", "Asia/Manila"),
    ("1969-09-30", "Pacific/Kwajalein"),
    ("1993-08-21", "Pacific/Kwajalein"),
    ("2006-10-29", "America/St_Johns"),
    ("2024-11-03", "America/Havana"),
    ("2018-11-04", "America/Sao_Paulo"),
]
"""A date that is skipped or lived twice, a midnight that is not there or comes again."""


@pytest.mark.parametrize(("day", "zone"), ODD_DAYS)
def test_midnights_are_counted_as_they_are_listed(day: str, zone: str) -> None:
    noon = utc(f"{day} 12:00")
    instants = [noon + timedelta(minutes=90 * step) for step in range(-64, 64)]
    for start in instants[::3]:
        for end in instants:
            assert count_midnights(start, end, zone) == len(midnights(start, end, zone)), (start, end)


def test_a_day_that_comes_back_after_the_first_minute_of_the_next_is_counted_at_its_last_end() -> None:
    minute_of_the_next = utc("2006-10-29 02:30") + timedelta(seconds=30)
    for end, count in ((utc("2006-10-29 03:29"), 0), (utc("2006-10-29 03:30"), 1), (utc("2006-11-02 12:00"), 5)):
        assert count_midnights(minute_of_the_next, end, "America/St_Johns") == count
        assert len(midnights(minute_of_the_next, end, "America/St_Johns")) == count


@settings(deadline=None)
@given(instants, st.timedeltas(timedelta(0), timedelta(days=80)), zones)
def test_midnights_of_any_interval_are_counted_as_they_are_listed(start: datetime, time: timedelta, zone: str) -> None:
    assert count_midnights(start, start + time, zone) == len(midnights(start, start + time, zone))


def test_months_are_clipped_to_the_last_day() -> None:
    assert add_months(date(2025, 3, 1), 6) == date(2025, 9, 1)
    assert add_months(date(2025, 8, 31), 6) == date(2026, 2, 28)
    assert add_months(date(2024, 3, 31), -1) == date(2024, 2, 29)
    assert add_months(date(2025, 12, 31), 12) == date(2026, 12, 31)


def test_a_zone_is_a_name_of_the_release_and_nothing_else() -> None:
    assert is_zone(NEW_YORK)
    assert not is_zone("America")
    assert not is_zone("../zones")
    with pytest.raises(ValueError, match="time zone is unknown"):
        day_end(date(2025, 1, 1), "Atlantis/Capital")
    assert TZDATA_RELEASE[:4].isdigit()
