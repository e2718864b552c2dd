"""Logs for tests of the audit: a life across a handover, with and without corrections, and rows changed by hand."""

from __future__ import annotations

import msgspec

from domain.events.event import Event
from ledger.store import EventLog, open_log
from tests.scene import (
    ANN,
    AUDIT,
    DIGEST,
    E1,
    E2,
    EAST,
    N1,
    N2,
    NORTH,
    WATCH,
    Scene,
    accepted,
    agreement,
    approved,
    held,
    registered,
    registry,
)

BEN = "p-ben"
CHECKS = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)


def handed_over(log: EventLog | None = None, moved_at: str = "2025-02-28T09:00:00Z") -> Scene:
    """Ann held by north at n-2, moved to n-1, handed over to east on 1 March; Ben held all the while."""
    scene = agreement(registry(Scene(log, now="2025-02-01T10:00:00Z")))
    held(scene, ANN, N2)
    held(scene, BEN)
    scene.at("2025-02-28T10:00:00Z")
    scene.do(NORTH, "record-move-within", **move(N2, N1), occurred_at=moved_at)
    scene.at("2025-02-28T12:00:00Z")
    approved(scene)
    return accepted(scene.at("2025-03-01T12:00:00Z"))


def moved_on(scene: Scene) -> Scene:
    """What follows the handover: a move within east on 2 March, a presence reported by another authority on the 3rd."""
    scene.at("2025-03-02T09:00:00Z")
    scene.do(EAST, "record-move-within", **move(E1, E2), occurred_at="2025-03-02T09:00:00Z")
    scene.at("2025-03-03T09:00:00Z")
    scene.do(
        NORTH,
        "report-presence",
        person=ANN,
        place="a road",
        since="2025-03-03T08:00:00Z",
        how="seen",
        occurred_at="2025-03-03T08:00:00Z",
    )
    return scene


def whole(log: EventLog | None = None) -> Scene:
    """A bit of everything: handover, late fact, another's report, corrections and an undone one, a verified release."""
    scene = moved_on(handed_over(log))
    scene.at("2025-03-04T09:00:00Z")
    correct(scene, last(scene, "moved-within.v1"), EAST, occurred_at="2025-03-02T19:00:00Z")
    did_not_occur(scene, last(scene, "presence-reported.v1"), NORTH)
    undone = last(scene, "fact-corrected.v1")
    did_not_occur(scene, undone, NORTH)
    released(scene)
    registered(scene, "p-cat")
    return scene


def released(scene: Scene, person: str = BEN, facility: str = N1) -> Scene:
    """Ordered, recorded by the custodian, verified by the monitor."""
    scene.do(
        NORTH,
        "order-release",
        person=person,
        release="r-1",
        ground="court-order",
        bases=[f"b-{person}"],
        due_at="2025-03-04T08:00:00Z",
        instrument=DIGEST,
    )
    scene.do(
        NORTH,
        "record-release",
        person=person,
        release="r-1",
        mode="claim",
        facility=facility,
        kind="at-liberty",
        checks=CHECKS,
        occurred_at="2025-03-04T09:00:00Z",
    )
    scene.at("2025-03-05T09:00:00Z")
    at = "2025-03-05T08:00:00Z"
    scene.do(WATCH, "verify-release", person=person, release="r-1", how="spoken-to", evidence=DIGEST, occurred_at=at)
    return scene


def move(origin: str, to: str) -> dict[str, object]:
    """The fields of a move of Ann that the custodian asks for."""
    return {"person": ANN, "mode": "claim", "from_facility": origin, "to_facility": to, "reason": "placement"}


def last(scene: Scene, wire: str) -> Event:
    """The latest event of a type."""
    return [event for event in scene.events() if event.wire == wire][-1]


def correct(
    scene: Scene, wrong: Event, by: str, occurred_at: str | None = None, signed: str = AUDIT, **changes: object
) -> None:
    """Declare a fact wrong and put another time, or other fields, in its place."""
    body = {
        name: value
        for name, value in msgspec.json.decode(msgspec.json.encode(wrong.body)).items()
        if name not in ("flags", "mode", "precision")
    }
    at = occurred_at if occurred_at is not None else wrong.occurred_at.isoformat()
    scene.do(
        by,
        "correct-fact",
        corrects=wrong.event_id,
        reason="incorrect-data",
        replacement={"occurred_at": at, "body": {**body, **changes}},
        countersigned_by={"authority": signed, "officer": f"{signed}-1"},
    )


def did_not_occur(scene: Scene, wrong: Event, by: str, signed: str = AUDIT) -> None:
    """Declare that a fact never happened."""
    scene.do(
        by,
        "correct-fact",
        corrects=wrong.event_id,
        reason="did-not-occur",
        countersigned_by={"authority": signed, "officer": f"{signed}-1"},
    )


def reopened(url: str) -> EventLog:
    """The log as an audit opens it, beside its writer."""
    return open_log(url, exclusive=False)
