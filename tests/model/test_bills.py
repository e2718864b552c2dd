"""The model's own arithmetic, against the examples that MONEY gives: days of a spell, and amounts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.model import bills, fee_days
from tests.model.accounts import Day, Schedule
from tests.model.people import Person
from tests.model.standing import Fact
from tests.model.world import Authority, Facility, Offer, Revision, Transfer, World

MARCH = (date(2025, 3, 1), date(2025, 3, 31))
LATER = datetime(2025, 6, 1, tzinfo=UTC)


def schedule(day_rule: str = "arrival-not-departure", rate: str = "54.79", per: int = 1, **rounding: str) -> Schedule:
    """A signed schedule over two places."""
    data: dict[str, Any] = {"payee": "east", "payer": "north", "currency": "USD", "valid": {"from": "2024-01-01"}}
    data |= {"facilities": ["one", "two"], "day_rule": day_rule, "same_day": 1, "schedule": "s", "rounding": rounding}
    data |= {"components": [{"model": "per-diem", "rates": [{"rate": rate, "per": per, "from": "2024-01-01"}]}]}
    return Schedule("a1", data, "east", "", 1, 2)


def world(zone: str, priced: Schedule, *facts: tuple[str, str, str]) -> World:
    """A person to whom these facts happened: type, instant, place."""
    found = World(authorities={"north": Authority("NO"), "east": Authority("SE")})
    for place in ("one", "two", "three"):
        found.facilities[place] = Facility("east", "SE", zone, "watch")
    terms = Revision("north", "east", {}, (), "", date(2024, 1, 1), date(2026, 12, 31), {"north", "east"})
    found.agreements["a1"] = {1: terms}
    found.money.schedules["a1", "s"] = priced
    window = (date(2024, 1, 1), date(2026, 1, 1))
    found.transfers["t"] = Transfer("p", "a1", 1, "b", "north", LATER, window, "sending", "completed")
    found.offers["h"] = Offer("p", "t", "north", set(), "north", "east", "", LATER, "accepted")
    found.under["a1"] = {"p"}
    person = found.people["p"] = Person("p", "established")
    for slot, (type_, instant, place) in enumerate(facts, start=10):
        release = "r" if type_ == RELEASED else None
        person.add(Fact(datetime.fromisoformat(instant), slot, slot, type_, "east", place or None, release, "h"))
    return found


ACCEPTED, MOVED, RELEASED = "handover-accepted", "moved-within", "person-released"
SPELLS: dict[str, tuple[str, list[tuple[str, str, str]], tuple[int, int, int]]] = {
    "E1 goes on": ("UTC", [(ACCEPTED, "2025-03-01T09:00Z", "one")], (31, 31, 31)),
    "E2 left on the first": (
        "UTC",
        [(ACCEPTED, "2025-02-20T09:00Z", "one"), (RELEASED, "2025-03-01T09:00Z", "")],
        (0, 0, 1),
    ),
    "E3 came on the last": ("UTC", [(ACCEPTED, "2025-03-31T09:00Z", "one")], (1, 1, 1)),
    "E4 within a day": (
        "UTC",
        [(ACCEPTED, "2025-03-10T09:00Z", "one"), (RELEASED, "2025-03-10T17:00Z", "")],
        (1, 0, 1),
    ),
    "E5 over a night": (
        "UTC",
        [(ACCEPTED, "2025-03-09T21:00Z", "one"), (RELEASED, "2025-03-10T06:00Z", "")],
        (1, 1, 2),
    ),
    "E6 clipped": (
        "UTC",
        [(ACCEPTED, "2025-02-27T09:00Z", "one"), (RELEASED, "2025-04-02T09:00Z", "")],
        (31, 31, 31),
    ),
    "E7 fifteen nights": (
        "UTC",
        [(ACCEPTED, "2025-03-05T09:00Z", "one"), (RELEASED, "2025-03-20T09:00Z", "")],
        (15, 15, 16),
    ),
    "E8 a move adds no day": (
        "UTC",
        [
            (ACCEPTED, "2025-03-05T09:00Z", "one"),
            (MOVED, "2025-03-12T09:00Z", "two"),
            (RELEASED, "2025-03-20T09:00Z", ""),
        ],
        (15, 15, 16),
    ),
    "a move out ends it": (
        "UTC",
        [(ACCEPTED, "2025-03-05T09:00Z", "one"), (MOVED, "2025-03-12T09:00Z", "three")],
        (7, 7, 8),
    ),
    "Z1 one local date": (
        "America/El_Salvador",
        [(ACCEPTED, "2025-03-10T03:00Z", "one"), (RELEASED, "2025-03-10T05:59Z", "")],
        (1, 0, 1),
    ),
    "Z2 two local dates": (
        "America/El_Salvador",
        [(ACCEPTED, "2025-03-10T03:00Z", "one"), (RELEASED, "2025-03-10T06:01Z", "")],
        (1, 1, 2),
    ),
}
"""Days by `arrival-not-departure`, by `midnight`, by `both-ends`."""


@pytest.mark.parametrize(("zone", "facts", "days"), SPELLS.values(), ids=SPELLS)
def test_days_of_a_spell(zone: str, facts: list[tuple[str, str, str]], days: tuple[int, int, int]) -> None:
    found = []
    for rule in ("arrival-not-departure", "midnight", "both-ends"):
        priced = schedule(rule)
        found.append(len(fee_days.earned(world(zone, priced, *facts), priced, *MARCH, LATER)))
    assert tuple(found) == days


def test_a_contradiction_that_lasts_is_not_billed() -> None:
    priced = schedule()
    seen = ("presence-reported", "2025-03-10T12:00Z", "three")
    back = ("presence-reported", "2025-03-14T12:00Z", "one")
    facts = [(ACCEPTED, "2025-03-05T09:00Z", "one"), seen, back]
    days = fee_days.earned(world("UTC", priced, *facts), priced, *MARCH, LATER)
    # From a day after it began until it was resolved nobody could say where the person was.
    assert [day.date.day for day in days] == [day for day in range(5, 32) if day not in (11, 12, 13)]


ROUNDED: dict[str, tuple[Schedule, list[int], list[int]]] = {
    "line-amount": (schedule(rate="20000.00", per=365), [31], [169_863]),
    "rate-first": (schedule(rate="20000.00", per=365, place="rate-first"), [31], [169_849]),
    "half-up": (schedule(rate="0.005"), [1], [1]),
    "half-even": (schedule(rate="0.005", mode="half-even"), [1], [0]),
    "down": (schedule(rate="0.009", mode="down"), [1], [0]),
    "on-total": (schedule(rate="0.333", place="on-total"), [1, 1, 1], [34, 33, 33]),
    "DHS-OIG-07-08": (schedule(rate="46.25"), [24, 8, 24, 28], [111_000, 37_000, 111_000, 129_500]),
}
"""Days of each line, and what the lines come to."""


@pytest.mark.parametrize(("priced", "counts", "amounts"), ROUNDED.values(), ids=ROUNDED)
def test_amounts(priced: Schedule, counts: list[int], amounts: list[int]) -> None:
    lines = [
        bills.Line(f"p{number}", "one", tuple(Day("p", date(2025, 3, 1), "one", LATER, ()) for _ in range(count)))
        for number, count in enumerate(counts)
    ]
    assert bills.amounts(priced, lines) == amounts


def test_an_invoice_is_due_on_a_weekday() -> None:
    assert bills.due_date(date(2025, 4, 2), 30) == date(2025, 5, 2)
    assert bills.due_date(date(2025, 4, 3), 30) == date(2025, 5, 5)
