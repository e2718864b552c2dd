"""Which facts count: each kind of correction, chains, undoings, and the order that follows."""

from __future__ import annotations

from typing import Any

import pytest

from domain.custody.counting import count
from domain.events.event import Event
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact, log, utc

DAY = "2025-03-{:02}T12:00:00+00:00"


def corrected(position: int, corrects: int, reason: str = "did-not-occur", **more: int) -> Event:
    return fact(position, "fact-corrected", DAY.format(20), body={"corrects": corrects, "reason": reason, **more})


def replaced(position: int, corrects: int) -> list[Event]:
    """A correction with its replacement, which stands at another instant."""
    correction = corrected(position, corrects, "incorrect-data", replacement=position + 1)
    return [correction, moved(position + 1, day=9)]


def moved(position: int, day: int) -> Event:
    return fact(position, "moved-within", DAY.format(day), body={"to_facility": "n-2"})


def opened(position: int = 1) -> Event:
    return fact(position, "custody-opened", DAY.format(1), body={"facility": "n-1"})


BASE = [opened(), moved(2, day=3), moved(3, day=5)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(BASE, [(1, 1), (2, 2), (3, 3)], id="without corrections all count, each in its own slot"),
        pytest.param([*BASE, corrected(4, 2)], [(1, 1), (3, 3)], id="did-not-occur takes the fact away"),
        pytest.param(
            [*BASE, corrected(4, 3, "duplicate", kept=2)], [(1, 1), (2, 2)], id="of duplicates the kept one stays"
        ),
        pytest.param([*BASE, *replaced(4, 2)], [(1, 1), (3, 3), (5, 2)], id="a replacement takes the slot"),
        pytest.param(
            [*BASE, corrected(4, 2, "incorrect-data", replacement=5)],
            [(1, 1), (2, 2), (3, 3)],
            id="a correction waits for its replacement",
        ),
        pytest.param(
            [*BASE, corrected(4, 2), corrected(5, 4)], [(1, 1), (2, 2), (3, 3)], id="undone, the first counts again"
        ),
        pytest.param(
            [*BASE, corrected(4, 2), corrected(5, 4), corrected(6, 5)], [(1, 1), (3, 3)], id="an undoing undone"
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), corrected(6, 4)],
            [(1, 1), (2, 2), (3, 3)],
            id="undone, the replacement falls away",
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), *replaced(6, 5)], [(1, 1), (3, 3), (7, 2)], id="a chain keeps the first slot"
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), *replaced(6, 5), corrected(8, 6)],
            [(1, 1), (3, 3), (5, 2)],
            id="the end of a chain undone, the middle counts",
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), *replaced(6, 5), corrected(8, 4)],
            [(1, 1), (2, 2), (3, 3)],
            id="the start of a chain undone, all of it falls away",
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), corrected(6, 5)], [(1, 1), (3, 3)], id="the replacement did not occur either"
        ),
        pytest.param(
            [*BASE, *replaced(4, 2), corrected(6, 5), corrected(7, 4)],
            [(1, 1), (2, 2), (3, 3)],
            id="its correction undone takes the correction of the replacement along",
        ),
        pytest.param([*BASE, corrected(4, 9)], [(1, 1), (2, 2), (3, 3)], id="one that names nothing known is nothing"),
    ],
)
def test_what_counts_and_in_which_slot(events: list[Event], expected: list[tuple[int, int]]) -> None:
    counting = count(events, PLACES)
    assert sorted((one.event.position, one.slot) for one in counting.facts) == expected
    counted = {event.position for event in events if counting.counts(event)}
    assert {position for position, _ in expected} == {
        event.position for event in events if event.position in counted and event.wire != "fact-corrected.v1"
    }


def test_a_belief_is_that_of_its_position() -> None:
    events = [*BASE, *replaced(4, 2), corrected(6, 4)]
    believed = {
        known: [one.event.position for one in count(events, PLACES, known).facts] for known in range(len(events) + 1)
    }
    assert believed == {0: [], 1: [1], 2: [1, 2], 3: [1, 2, 3], 4: [1, 2, 3], 5: [1, 3, 5], 6: [1, 2, 3]}


def test_equal_instants_stand_in_the_order_of_their_slots() -> None:
    late = moved(4, day=3)
    events = [opened(), moved(2, day=3), moved(3, day=4), late, corrected(5, 3, "incorrect-data", replacement=6)]
    events.append(moved(6, day=3))
    assert [one.event.position for one in count(events, PLACES).facts] == [1, 2, 6, 4]


def by_day(position: int, at: str, wire: str = "person-released", **body: Any) -> Event:
    return fact(position, wire, at, mode="report", precision="day", body={"release": "r1", "facility": "n-1", **body})


@pytest.mark.parametrize(
    ("events", "instant"),
    [
        pytest.param([by_day(2, "2025-03-04T12:00:00-05:00")], "2025-03-04 05:00", id="the start of its date"),
        pytest.param(
            [moved(2, day=4), by_day(3, "2025-03-04T00:00:00-05:00")],
            "2025-03-04 12:00",
            id="after what was recorded before it for that date",
        ),
        pytest.param(
            [by_day(2, "2025-03-04T00:00:00-05:00"), moved(3, day=4)],
            "2025-03-04 05:00",
            id="before what was recorded after it",
        ),
        pytest.param(
            [by_day(2, "2025-03-04T00:00:00-06:00", facility="s-1")],
            "2025-03-04 06:00",
            id="in the zone of the place it names",
        ),
        pytest.param(
            [by_day(2, "2025-03-04T00:00:00-05:00", facility="elsewhere")],
            "2025-03-04 05:00",
            id="a place without zone: in that of the last one named",
        ),
    ],
)
def test_a_fact_known_by_date_alone(events: list[Event], instant: str) -> None:
    placed = count([opened(), *events], PLACES).facts
    assert [one.instant for one in placed if one.event.wire == "person-released.v1"] == [utc(instant)]


def test_a_date_is_read_in_utc_where_no_place_was_ever_named() -> None:
    events = log(
        ("person-registered", "2025-03-01T09:00:00Z"),
        ("presence-reported", "2025-03-02T23:00:00-05:00", "south", {"place": "the bridge"}, {"precision": "day"}),
    )
    assert count(events, PLACES).facts[-1].instant == utc("2025-03-03 00:00")
