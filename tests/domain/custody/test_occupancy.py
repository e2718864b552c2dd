"""Occupancy and roll: what each column counts, at the edges of a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.custody.local_days import day_end, day_start
from domain.custody.occupancy import Interval, Presence, facilities, held_at_end, occupancy, presence, roll
from domain.custody.timeline import timeline
from domain.names import FacilityId, PersonId
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import log, utc

ZONE = "UTC"
FIRST, LAST = date(2025, 3, 1), date(2025, 3, 10)


def during(*parts: tuple[str, str | None]) -> tuple[Interval, ...]:
    return tuple(Interval(utc(f"2025-03-{a}"), None if b is None else utc(f"2025-03-{b}")) for a, b in parts)


def test_unaccounted_counts_before_absent_and_reported_never_in_the_end() -> None:
    one = Presence(
        person=PersonId("p1"),
        placed=during(("02 10:00", None)),
        absent=during(("03 10:00", "05 10:00")),
        unaccounted=during(("04 10:00", "06 10:00"), ("04 12:00", "06 12:00")),
        reported=during(("08 10:00", "09 10:00")),
    )
    rows = occupancy([one, Presence(person=PersonId("p2"), reported=one.reported)], ZONE, FIRST, LAST)
    columns = [(row.end, row.present, row.absent, row.unaccounted, row.reported) for row in rows]
    assert columns == [
        (0, 0, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (1, 0, 1, 0, 0),
        (1, 0, 0, 1, 0),
        (1, 0, 0, 1, 0),
        (1, 1, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (1, 1, 0, 0, 2),
        (1, 1, 0, 0, 0),
        (1, 1, 0, 0, 0),
    ]


def test_two_placements_in_a_day_are_one_person() -> None:
    one = Presence(person=PersonId("p1"), placed=during(("02 08:00", "02 09:00"), ("02 10:00", "02 11:00")))
    (row,) = occupancy([one], ZONE, date(2025, 3, 2), date(2025, 3, 2))
    assert (row.start, row.in_, row.out, row.end, row.any_part) == (0, 2, 2, 0, 1)


def test_the_roll_is_half_open_and_a_day_end_is_not() -> None:
    one = Presence(person=PersonId("p1"), placed=during(("02 00:00", "03 00:00")))
    assert roll([one], utc("2025-03-02 00:00")) == ("p1",)
    assert roll([one], utc("2025-03-03 00:00")) == ()
    assert held_at_end([one], date(2025, 3, 1), ZONE) == ()
    assert held_at_end([one], date(2025, 3, 2), ZONE) == ("p1",)


def test_a_person_reported_elsewhere_shows_there_and_counts_here() -> None:
    drawn = timeline(
        log(
            ("person-registered", "2025-03-01T09:00:00Z"),
            ("custody-opened", "2025-03-01T10:00:00Z", "north", {"facility": "n-1"}),
            ("presence-reported", "2025-03-02T10:00:00Z", "south", {"facility": "s-1"}),
        ),
        PLACES,
    )
    assert facilities(drawn) == {"n-1", "s-1"}
    here, there = (presence(PersonId("p1"), FacilityId(place), drawn) for place in ("n-1", "s-1"))
    assert [(row.end, row.reported) for row in occupancy([here], ZONE, FIRST, date(2025, 3, 2))] == [(1, 0), (1, 0)]
    assert [(row.end, row.reported) for row in occupancy([there], ZONE, FIRST, date(2025, 3, 2))] == [(0, 0), (0, 1)]


hours = st.integers(-30, 270).map(lambda hour: utc("2025-10-20 00:00") + timedelta(hours=hour))
intervals = st.tuples(hours, st.one_of(st.none(), hours)).filter(lambda pair: pair[1] is None or pair[0] <= pair[1])


@st.composite
def persons(draw: st.DrawFn) -> Presence:
    cuts = sorted(draw(st.lists(hours, max_size=6)))
    placed = [Interval(cuts[at], cuts[at + 1]) for at in range(0, len(cuts) - 1, 2)]
    if len(cuts) % 2:
        placed.append(Interval(cuts[-1], None))
    return Presence(
        person=PersonId(f"p{draw(st.integers(1, 10**9))}"),
        placed=tuple(placed),
        absent=tuple(Interval(a, b) for a, b in draw(st.lists(intervals, max_size=2))),
        unaccounted=tuple(Interval(a, b) for a, b in draw(st.lists(intervals, max_size=2))),
    )


@settings(deadline=None)
@given(st.lists(persons(), max_size=5), st.sampled_from(["Europe/Oslo", "America/New_York", "Pacific/Auckland"]))
def test_every_row_is_what_counting_person_by_person_gives(present: list[Presence], zone: str) -> None:
    for row in occupancy(present, zone, date(2025, 10, 20), date(2025, 10, 30)):
        start, end = day_start(row.date, zone), day_end(row.date, zone)
        assert end is not None
        held = [one for one in present if _holds(one.placed, end)]
        lost = [one for one in held if _holds(one.unaccounted, end)]
        away = [one for one in held if one not in lost and _holds(one.absent, end)]
        assert row.start == len([one for one in present if _holds(one.placed, start)])
        assert (row.end, row.unaccounted, row.absent) == (len(held), len(lost), len(away))
        assert row.present == row.end - row.absent - row.unaccounted
        assert row.start + row.in_ - row.out == row.end
        assert row.any_part == len([one for one in present if any(_touches(at, start, end) for at in one.placed)])


def _holds(intervals: tuple[Interval, ...], end: datetime) -> bool:
    return any(at.from_ < end and (at.to is None or end <= at.to) for at in intervals)


def _touches(at: Interval, start: datetime, end: datetime) -> bool:
    return at.from_ < end and (at.to is None or start < at.to or start <= at.from_ == at.to)
