"""What the cases leave open about timelines: names of gaps, and unaccounted intervals at their edges."""

from __future__ import annotations

import pytest

from domain.custody.timeline import timeline
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import log, utc

REGISTERED = ("person-registered", "2025-03-01T09:00:00Z")
OPENED = ("custody-opened", "2025-03-01T10:00:00Z", "north", {"facility": "n-1"})
AGAIN = ("custody-opened", "2025-03-08T10:00:00Z", "north", {"facility": "n-1"})


@pytest.mark.parametrize(
    ("credential", "name"), [("key:test", "released-unverified"), ("import:roster", "unknown-to-source")]
)
def test_the_time_between_two_stays_is_one_gap_named_by_what_ended_the_first(credential: str, name: str) -> None:
    rows = [
        REGISTERED,
        OPENED,
        ("person-released", "2025-03-03T10:00:00Z", "north", {"release": "r1"}, {"credential": credential}),
        ("release-verified", "2025-03-04T10:00:00Z", "watch", {"release": "r1"}),
        ("release-declared-erroneous", "2025-03-05T10:00:00Z", "watch", {"release": "r1"}),
    ]
    assert timeline(log(*rows), PLACES).gaps == ()
    (gap,) = timeline(log(*rows, AGAIN), PLACES).gaps
    assert (gap.name, gap.from_, gap.to) == (name, utc("2025-03-03 10:00"), utc("2025-03-08 10:00"))
    assert (gap.opened_by, gap.ended_by) == (3, 6)


@pytest.mark.parametrize(
    ("found", "intervals"),
    [
        pytest.param("2025-03-03T09:59:00Z", [], id="found within the grace"),
        pytest.param("2025-03-03T10:00:00Z", [], id="found as it ends"),
        pytest.param("2025-03-03T11:00:00Z", [("2025-03-03 10:00", "2025-03-03 11:00", 3)], id="found after it"),
    ],
)
def test_unaccounted_from_the_end_of_the_grace_until_found(found: str, intervals: list[tuple[str, str, int]]) -> None:
    drawn = timeline(
        log(
            REGISTERED,
            OPENED,
            ("presence-reported", "2025-03-02T10:00:00Z", "south", {"facility": "s-1"}),
            ("presence-reported", found, "watch", {"facility": "n-1"}),
        ),
        PLACES,
    )
    shown = [(one.from_, one.to, one.anchor) for one in drawn.unaccounted]
    assert shown == [(utc(from_), utc(to), anchor) for from_, to, anchor in intervals]


def test_what_is_still_to_begin_shows_only_where_no_instant_is_asked_for() -> None:
    lost = log(REGISTERED, OPENED, ("presence-reported", "2025-03-02T10:00:00Z", "south", {"facility": "s-1"}))
    assert [one.from_ for one in timeline(lost, PLACES).unaccounted] == [utc("2025-03-03 10:00")]
    assert timeline(lost, PLACES, utc("2025-03-03 09:59")).unaccounted == ()
    assert len(timeline(lost, PLACES, utc("2025-03-03 10:00")).unaccounted) == 1


def test_an_open_placement_counts_its_midnights_up_to_the_instant_asked_for() -> None:
    facts = log(REGISTERED, OPENED)
    assert [one.midnights for one in timeline(facts, PLACES).placements] == [None]
    assert [one.midnights for one in timeline(facts, PLACES, utc("2025-03-04 05:00")).placements] == [3]


def test_a_new_custodian_in_the_same_place_begins_a_spell() -> None:
    """Handed over where the person is, with the sending side still responsible: nothing else changes."""
    accepted = {"handover": "h1", "receiving": {"authority": "south", "facility": "n-1"}}
    drawn = timeline(log(OPENED, ("handover-accepted", "2025-03-02T10:00:00Z", "south", accepted)), PLACES)
    assert [(one.custodian, one.responsible, one.at, one.facts) for one in drawn.spells] == [
        ("north", "north", "facility:n-1", (1,)),
        ("south", "north", "facility:n-1", (2,)),
    ]
    assert [(one.custodian, one.opened_by, one.ended_by) for one in drawn.placements] == [
        ("north", 1, 2),
        ("south", 2, None),
    ]
