"""Rolls and occupancy: one identity, one set of persons, and what is free by whose certificate."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.custody.local_days import day_end
from projections import Views, occupancy, roll
from tests.projections.lives import certified, dan_to_east
from tests.projections.stage import NOW, at, now, open_story, views_over
from tests.scene import ANN, E1, EAST, N1, N2, NORTH, acceptance, accepted, approved, held, offer
from tests.scene import story as stage

FIRST, LAST = date(2025, 1, 30), date(2025, 3, 31)
ZONES = {"n-1": "Europe/Oslo", "n-2": "Europe/Oslo", "e-1": "Europe/Stockholm", "e-2": "Europe/Stockholm"}


@pytest.fixture(scope="module")
def views() -> Views:
    return open_story()[1]


def days(views: Views, facility: str, first: date = FIRST, last: date = LAST, **when: Any) -> list[dict[str, Any]]:
    rows = occupancy.occupancy(views, now(**when), facility, first, last).value
    assert rows is not None
    return rows


def on_roll(views: Views, facility: str, instant: datetime, **when: Any) -> list[str]:
    page = roll.roll(views, at(instant.isoformat(), **when), facility).value
    assert page is not None
    return [str(item["person"]) for item in page.items]


@pytest.mark.parametrize("facility", ZONES)
def test_start_plus_in_minus_out_is_end_and_end_is_the_next_start(views: Views, facility: str) -> None:
    rows = days(views, facility)
    assert [row["date"] for row in rows] == [(FIRST + timedelta(days=n)).isoformat() for n in range(len(rows))]
    assert all(row["start"] + row["in"] - row["out"] == row["end"] for row in rows)
    assert all(row["present"] + row["absent"] + row["unaccounted"] == row["end"] for row in rows)
    assert [row["start"] for row in rows[1:]] == [row["end"] for row in rows[:-1]]
    assert sum(row["in"] for row in rows) > 0, "an empty place would prove nothing"


@pytest.mark.parametrize("facility", ZONES)
def test_the_end_of_a_day_is_the_roll_just_before_it(views: Views, facility: str) -> None:
    for row in days(views, facility):
        end = day_end(date.fromisoformat(row["date"]), ZONES[facility])
        assert end is not None
        # Nobody arrives or leaves in the last microsecond of a day here.
        assert row["end"] == len(on_roll(views, facility, end - timedelta(microseconds=1)))


def test_the_persons_behind_each_number(views: Views) -> None:
    for row in days(views, N1, date(2025, 2, 25), date(2025, 3, 7)):
        behind = occupancy.persons(views, now(), N1, date.fromisoformat(row["date"])).value
        assert behind is not None
        assert {column: len(persons) for column, persons in behind.items()} == {
            column: row[column] for column in behind
        }
    [day] = days(views, N1, date(2025, 2, 27), date(2025, 2, 27))
    behind = occupancy.persons(views, now(), N1, date(2025, 2, 27)).value
    assert behind is not None
    assert (behind["start"], behind["in"], behind["end"]) == (
        ["p-ben", "p-dan"],
        ["p-ann"],
        ["p-ann", "p-ben", "p-dan"],
    )
    assert day["end"] == 3


def test_an_unaccounted_person_is_counted_apart(views: Views) -> None:
    """Ann was reported on a road on 3 March and is unaccounted from the 4th on, on the roll of e-2 all the same."""
    rows = {row["date"]: row for row in days(views, "e-2", date(2025, 3, 2), date(2025, 3, 5))}
    found = [(rows[day]["end"], rows[day]["present"], rows[day]["unaccounted"]) for day in sorted(rows)]
    assert found == [(1, 1, 0), (1, 1, 0), (1, 0, 1), (1, 0, 1)]
    page = roll.roll(views, at("2025-03-05T12:00:00Z"), "e-2").value
    assert page is not None
    assert [(item["person"], item["confidence"]) for item in page.items] == [(ANN, "unaccounted")]


def test_a_roll_as_the_interface_shows_it(views: Views) -> None:
    page = roll.roll(views, now(), E1).value
    assert page is not None
    assert page.items == [
        {
            "person": "p-dan",
            "since": "2025-03-06T08:00:00Z",
            "place_kept": False,
            "custodian": "east",
            "basis": "b-p-dan",
            "due": "2026-12-31",
            "confidence": "confirmed",
            "agreement": "a1",
            "ref": 63,
        }
    ]
    assert page.next is None


def test_a_roll_by_pages_and_columns(views: Views) -> None:
    then = at("2025-02-28T12:00:00Z")
    whole = roll.roll(views, then, N1).value
    assert whole is not None
    assert [item["person"] for item in whole.items] == ["p-ben", "p-dan", "p-ann"], "by since, then by id"
    first = roll.roll(views, then, N1, limit=2).value
    assert first is not None
    assert first.items == whole.items[:2]
    assert first.next == (whole.items[1]["since"], "p-dan")
    rest = roll.roll(views, then, N1, after=(str(whole.items[1]["since"]), "p-dan")).value
    assert rest is not None
    assert rest.items == whole.items[2:]
    asked: list[tuple[dict[str, Any], int]] = [
        ({"custodian": "north"}, 3),
        ({"custodian": "east"}, 0),
        ({"agreement": "a1"}, 1),
    ]
    for filters, expected in asked:
        page = roll.roll(views, then, N1, **filters).value
        assert page is not None
        assert len(page.items) == expected


def expected_places(views: Views, day: date, **when: Any) -> tuple[Any, ...]:
    [row] = days(views, E1, day, day, **when)
    return row["end"], row["reserved"], row["capacity"], row["free"], row["over_by"]


def test_a_place_is_reserved_from_the_approval_until_the_acceptance() -> None:
    scene = approved(held(certified(stage(), 5)))
    before = scene.log.head()
    accepted(scene.at("2025-03-01T18:00:00Z"), "2025-03-01T18:00:00Z")
    views = views_over(scene.events())
    then = at("2025-03-01T17:59:59Z").instant
    assert expected_places(views, date(2025, 3, 10), as_of=then) == (0, 1, 5, 4, 0)
    assert expected_places(views, date(2025, 4, 1), as_of=then) == (0, 0, 5, 5, 0), "the reservation ends with March"
    assert expected_places(views, date(2025, 3, 10), known_at=before) == (0, 1, 5, 4, 0)
    assert expected_places(views, date(2025, 3, 10)) == (1, 0, 5, 4, 0), "one person counts once"
    behind = occupancy.persons(views, now(known_at=before), E1, date(2025, 3, 10)).value
    assert behind is not None
    assert behind["reserved"] == [ANN]


def test_without_a_certificate_what_is_free_is_unknown() -> None:
    views = views_over(held(stage()).events())
    [row] = days(views, N1, date(2025, 2, 1), date(2025, 2, 1))
    assert (row["end"], row["capacity"], row["free"], row["over_by"]) == (1, None, None, 0)


def test_the_certificate_in_force_on_the_date_counts_as_it_was_known() -> None:
    scene = certified(certified(stage(), 5), 7, "2025-03-10")
    head = scene.log.head()
    views = views_over(scene.events())
    assert [row["capacity"] for row in days(views, E1, date(2025, 3, 9), date(2025, 3, 10))] == [5, 7]
    assert [row["capacity"] for row in days(views, E1, date(2025, 3, 9), date(2025, 3, 10), known_at=head - 1)] == [
        5,
        5,
    ]
    assert days(views, E1, date(2025, 3, 9), date(2025, 3, 9), known_at=head - 2)[0]["capacity"] is None


def test_who_let_somebody_in_over_the_limit_is_named_until_it_is_over() -> None:
    scene = dan_to_east(stage().at("2025-03-06T12:00:00Z"))
    scene = certified(approved(held(scene)), 1)
    offered = scene.do(NORTH, "offer-handover", **offer(), occurred_at="2025-03-06T10:00:00Z")
    halves = acceptance(offered, override={"approved_by": ["east-1", "east-2"], "reason": "emergency"})
    scene.do(EAST, "accept-handover", **halves, occurred_at="2025-03-06T10:00:00Z")
    position = scene.log.head()
    views = views_over(scene.events())
    rows = {row["date"]: row for row in days(views, E1, date(2025, 3, 5), date(2025, 3, 7))}
    assert rows["2025-03-05"]["overrides"] == []
    over = {"position": position, "approved_by": ["east-1", "east-2"]}
    assert [(rows[day]["over_by"], rows[day]["overrides"]) for day in ("2025-03-06", "2025-03-07")] == [(1, [over])] * 2


def test_today_is_the_local_date_of_the_place(views: Views) -> None:
    late = datetime(2025, 3, 1, 23, 30, tzinfo=UTC)
    assert occupancy.today(views, at(late.isoformat()), N2).value == date(2025, 3, 2)
    assert occupancy.today(views, now(), N2).value == NOW.date()
