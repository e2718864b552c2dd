"""Where a person's custody can stand in rows about custody, release and correction, and the asks common to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.events.event import Event
from ledger.writer.submission import Answer
from tests.scene import (
    ANN,
    COURT,
    DIGEST,
    KEEPER,
    N1,
    N2,
    NORTH,
    WATCH,
    Scene,
    accepted,
    approved,
    held,
    registered,
    registry,
)
from tests.scene import opening as fields_of_opening

NOW = "2025-03-01T12:00:00Z"
TAKEN = "2025-02-01T10:00:00+01:00"
LET_GO = "2025-02-20T10:00:00+01:00"
CLOSED = "2025-02-21T10:00:00+01:00"
CHECKS = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)
NORTH_RUNS = "north-region"
"""A body that north runs, with a place of its own, `nr-1`."""

Before = Callable[[], Scene]
Life = tuple[str, str | None, str | None, str, str, str | None]
"""Status, responsible, custodian, whereabouts, file, placement."""


def nobodys() -> Scene:
    """Registered with a basis, never in custody."""
    return registered(registry(Scene()))


def in_custody() -> Scene:
    """Held by north at n-1."""
    return held(registry(Scene()))


def custody_of_region() -> Scene:
    """Held by the body that north runs."""
    scene = of_north(nobodys())
    taken = opening(N1, facility="nr-1", authority=NORTH_RUNS, occurred_at=TAKEN)
    scene.do(NORTH_RUNS, "open-custody", **taken)
    return scene


def let_go(scene: Scene | None = None) -> Scene:
    """Released by north on a court's order, not yet verified."""
    scene = scene or in_custody()
    scene.do(COURT, "order-release", **order(), occurred_at="2025-02-19T10:00:00+01:00")
    scene.do(NORTH, "record-release", **release(), occurred_at=LET_GO)
    return scene


def closed(scene: Scene | None = None) -> Scene:
    """Released and verified by the monitor: the file is closed."""
    scene = let_go(scene)
    scene.do(WATCH, "verify-release", **verification(), occurred_at=CLOSED)
    return scene


def in_error() -> Scene:
    """Released, and declared to have been released in error."""
    scene = let_go()
    scene.do(COURT, "declare-release-erroneous", **error(), occurred_at=CLOSED)
    return scene


def handed_over(scene: Scene) -> Scene:
    """Accepted by east at e-1, on the agreement the scene has."""
    return accepted(approved(held(scene)), occurred_at=NOW)


def opening(place: str = N1, **changes: Any) -> dict[str, Any]:
    """By the authority that runs the place."""
    return {"person": ANN, **fields_of_opening(place), "occurred_at": NOW, **changes}


def move(**changes: Any) -> dict[str, Any]:
    return {
        "person": ANN,
        "from_facility": N1,
        "to_facility": N2,
        "reason": "placement",
        "occurred_at": NOW,
        **changes,
    }


def presence(**changes: Any) -> dict[str, Any]:
    return {"person": ANN, "facility": N1, "since": NOW, "how": "seen", "occurred_at": NOW, **changes}


def order(**changes: Any) -> dict[str, Any]:
    return {
        "person": ANN,
        "release": "r-1",
        "ground": "court-order",
        "bases": [f"b-{ANN}"],
        "due_at": "2025-02-20T08:00:00+01:00",
        "instrument": DIGEST,
        **changes,
    }


def release(**changes: Any) -> dict[str, Any]:
    return {"person": ANN, "facility": N1, "kind": "at-liberty", "checks": CHECKS, **changes}


def verification(**changes: Any) -> dict[str, Any]:
    return {"person": ANN, "release": "r-1", "how": "seen", "evidence": DIGEST, **changes}


def error(**changes: Any) -> dict[str, Any]:
    return {"person": ANN, "release": "r-1", "reason": "wrong-date", **changes}


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def of_north(scene: Scene) -> Scene:
    """A body that north runs, with one place."""
    scene.do(
        KEEPER,
        "register-authority",
        authority=NORTH_RUNS,
        state="NO",
        legal_name="North, region",
        outside_register=False,
        parent=NORTH,
    )
    scene.do(
        KEEPER,
        "set-authority-roles",
        authority=NORTH_RUNS,
        roles=[{"role": role, "from": "2024-01-01"} for role in ("sending", "receiving")],
    )
    scene.do(
        KEEPER,
        "register-facility",
        facility="nr-1",
        authority=NORTH_RUNS,
        state="NO",
        kind="prison",
        zone="Europe/Oslo",
        recognised_by=DIGEST,
        supervising_authority=WATCH,
    )
    return scene


def certified(scene: Scene, facility: str, capacity: int, by: str) -> Scene:
    """A capacity certificate for the place, approved by two officers."""
    scene.do(
        f"{by}/{by}-1",
        "certify-capacity",
        facility=facility,
        operational_capacity=capacity,
        from_="2025-01-01",
        certificate=DIGEST,
        approved_by=[f"{by}-1", f"{by}-2"],
    )
    return scene


def prohibited(scene: Scene, facility: str, from_: str = "2025-02-25T00:00:00Z") -> Scene:
    """The place takes nobody in from then on."""
    scene.do(
        WATCH,
        "set-facility-regime",
        facility=facility,
        supervising_authority=WATCH,
        use="prohibited",
        from_=from_,
        ground=DIGEST,
    )
    return scene


def hold(scene: Scene, *forbids: str) -> Scene:
    """A court forbids those acts from 20 February on."""
    scene.do(
        COURT,
        "place-hold",
        hold="hold-1",
        persons=[ANN],
        forbids=list(forbids),
        effective_at="2025-02-20T00:00:00Z",
        instrument=DIGEST,
    )
    return scene


def only(answer: Answer) -> Event:
    """The one event of an answer."""
    (event,) = answer.events
    return event


def life(scene: Scene) -> Life:
    """How the person stands at the head."""
    head = scene.head()
    placement = head.placement.value if head.placement is not None else None
    return (head.status.value, head.responsible.value, head.custodian.value, head.at.value, head.file, placement)
