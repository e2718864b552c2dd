"""Room in a place: who is counted on which date, and what two officers may decide beside the limit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from domain.refusals import FacilityIsFull, SecondApprovalIsMissing
from tests.domain.rules.rows import Row, Step, holds
from tests.scene import (
    ANN,
    DIGEST,
    E1,
    EAST,
    N1,
    N2,
    NORTH,
    Scene,
    accepted,
    approved,
    evidenced,
    held,
    opening,
    registered,
    requested,
    story,
)

BO = "p-bo"
OVERRIDE = {"approved_by": ["east-1", "east-2"], "reason": "emergency"}


def certified(facility: str, by: str, capacity: int, begins: str = "2025-01-01") -> Step:
    data = {
        "facility": facility,
        "operational_capacity": capacity,
        "from": begins,
        "certificate": DIGEST,
        "approved_by": [f"{by}-1", f"{by}-2"],
    }
    return (by, "certify-capacity", data)


def at_north(occurred_at: str) -> Mapping[str, object]:
    return {"person": BO, **opening(N1, BO), "occurred_at": occurred_at}


def at_east(occurred_at: str = "2025-03-01T12:00:00Z", **changes: object) -> Mapping[str, object]:
    return {"person": BO, **opening(E1, BO), "occurred_at": occurred_at, **changes}


def moved_away(occurred_at: str) -> Step:
    data = {
        "person": ANN,
        "from_facility": N1,
        "to_facility": N2,
        "reason": "placement",
        "occurred_at": occurred_at,
    }
    return (NORTH, "record-move-within", data)


def reserving(first: str, last: str, **changes: object) -> Mapping[str, object]:
    return {
        "transfer": "tr-1",
        "as": "receiving",
        "reserved": {"facility": E1, "from": first, "to": last},
        **changes,
    }


def ready_for_approval(scene: Scene) -> None:
    """The evidence for ANN's transfer to e-1 is in, nobody has approved it."""
    evidenced(requested(scene))


def approved_from_the_other_place(scene: Scene) -> None:
    """ANN, now in n-2, has a place kept at e-1 in March."""
    evidenced(requested(scene, from_facility=N2))
    scene.do(EAST, "approve-transfer", **reserving("2025-03-01", "2025-03-31"))


def in_april(scene: Scene) -> None:
    scene.at("2025-04-01T12:00:00Z")


def bo_at_east(scene: Scene) -> None:
    scene.do(EAST, "open-custody", **at_east("2025-02-10T12:00:00Z"))


def full(facility: str, day: str, capacity: int, expected: int) -> FacilityIsFull:
    return FacilityIsFull(facility, date.fromisoformat(day), capacity, expected)


ROWS = {
    "without a certificate there is no limit": Row(
        by=NORTH, asks="open-custody", data=at_north("2025-03-01T12:00:00Z")
    ),
    "the last place can be taken": Row(
        given=(certified(N1, NORTH, 2),), by=NORTH, asks="open-custody", data=at_north("2025-03-01T12:00:00Z")
    ),
    "no more than that": Row(
        given=(certified(N1, NORTH, 1),),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-03-01T12:00:00Z"),
        follows=full(N1, "2025-03-01", 1, 2),
    ),
    "a limit that begins tomorrow does not bind today": Row(
        given=(certified(N1, NORTH, 1, "2025-03-02"),),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-03-01T12:00:00Z"),
    ),
    "another place may be full": Row(
        given=(certified(N2, NORTH, 0),), by=NORTH, asks="open-custody", data=at_north("2025-03-01T12:00:00Z")
    ),
    "a past date is judged by who was there at its end": Row(
        given=(certified(N1, NORTH, 1), moved_away("2025-02-20T00:00:00+01:00")),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-02-19T12:00:00+01:00"),
        follows=full(N1, "2025-02-19", 1, 2),
    ),
    "who leaves at midnight is there no more on the new date": Row(
        given=(certified(N1, NORTH, 1), moved_away("2025-02-20T00:00:00+01:00")),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-02-20T12:00:00+01:00"),
    ),
    "a claim about the past needs room today as well": Row(
        given=(certified(N1, NORTH, 1),),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-01-15T12:00:00+01:00"),
        follows=full(N1, "2025-03-01", 1, 2),
    ),
    "a place that is kept is taken": Row(
        given=(approved, certified(E1, EAST, 1)),
        by=EAST,
        asks="open-custody",
        data=at_east(),
        follows=full(E1, "2025-03-01", 1, 2),
    ),
    "as long as it is kept": Row(
        given=(approved, certified(E1, EAST, 1), in_april),
        by=EAST,
        asks="open-custody",
        data=at_east("2025-04-01T12:00:00Z"),
    ),
    "a place kept elsewhere is not taken where the person once was": Row(
        given=(certified(N1, NORTH, 1), moved_away("2025-02-20T12:00:00+01:00"), approved_from_the_other_place),
        by=NORTH,
        asks="open-custody",
        data=at_north("2025-02-25T12:00:00+01:00"),
    ),
    "a person once accepted is counted once": Row(
        given=(certified(E1, EAST, 2), approved, accepted), by=EAST, asks="open-custody", data=at_east()
    ),
    "whose place is kept finds it": Row(
        given=(certified(E1, EAST, 1), approved),
        by=NORTH,
        asks="offer-handover",
        data={
            "handover": "h-1",
            "transfer": "tr-1",
            "place": E1,
            "releasing": {"authority": NORTH, "facility": N1, "officer": "north-1"},
            "receiving": {"authority": EAST, "facility": E1},
            "identity_check": {"method": "document", "result": "match"},
            "property_seals": [],
            "documents": [],
            "occurred_at": "2025-03-01T12:00:00Z",
        },
    ),
    "an approval asks about every day of its reservation": Row(
        given=(ready_for_approval, bo_at_east, certified(E1, EAST, 5), certified(E1, EAST, 1, "2025-03-20")),
        by=EAST,
        asks="approve-transfer",
        data=reserving("2025-03-01", "2025-03-31"),
        follows=full(E1, "2025-03-20", 1, 2),
    ),
    "and about no other": Row(
        given=(ready_for_approval, bo_at_east, certified(E1, EAST, 5), certified(E1, EAST, 1, "2025-03-20")),
        by=EAST,
        asks="approve-transfer",
        data=reserving("2025-03-01", "2025-03-19"),
    ),
    "a reservation for ever is answered too": Row(
        given=(ready_for_approval, bo_at_east, certified(E1, EAST, 1)),
        by=EAST,
        asks="approve-transfer",
        data=reserving("1900-01-01", "9998-12-31"),
        follows=full(E1, "2025-02-10", 1, 2),
    ),
    "two officers lift the limit": Row(
        given=(approved, certified(E1, EAST, 1)), by=EAST, asks="open-custody", data=at_east(override=OVERRIDE)
    ),
    "one does not, and is told so even where there is room": Row(
        by=EAST,
        asks="open-custody",
        data=at_east(override={**OVERRIDE, "approved_by": ["east-1"]}),
        follows=SecondApprovalIsMissing(EAST),
    ),
    "nor do two others": Row(
        given=(approved, certified(E1, EAST, 1)),
        by=EAST,
        asks="open-custody",
        data=at_east(override={**OVERRIDE, "approved_by": ["east-2", "east-3"]}),
        follows=SecondApprovalIsMissing(EAST),
    ),
}


def two_people() -> Scene:
    """ANN is held in n-1 since 1 February; BO is registered and free."""
    return registered(held(story()), BO)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_capacity(row: Row) -> None:
    holds(row, two_people())


@pytest.mark.parametrize(("capacity", "flags"), [(1, ("over-capacity",)), (2, ())])
def test_an_override_leaves_a_flag_where_it_was_needed(capacity: int, flags: tuple[str, ...]) -> None:
    scene = approved(two_people())
    by, name, data = certified(E1, EAST, capacity)  # type: ignore[misc]  # a step that is an act
    scene.do(by, name, **data)
    scene.do(EAST, "open-custody", **at_east(override=OVERRIDE))
    assert scene.events()[-1].flags == flags


def test_a_report_carries_what_a_claim_would_be_refused_for() -> None:
    scene = approved(two_people())
    by, name, data = certified(E1, EAST, 1)  # type: ignore[misc]  # as above
    scene.do(by, name, **data)
    scene.do(EAST, "open-custody", **at_east(mode="report", override={**OVERRIDE, "approved_by": ["east-1"]}))
    assert scene.events()[-1].flags == ("facility-is-full", "second-approval-is-missing")
