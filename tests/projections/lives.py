"""Lives of a few people, told through the real writer, for tests of the views."""

from __future__ import annotations

import msgspec

from domain.events.event import Event
from ledger.store import open_log
from ledger.store.log import EventLog
from tests.domain.billing import fees
from tests.scene import (
    ANN,
    AUDIT,
    COURT,
    DIGEST,
    E1,
    E2,
    EAST,
    N1,
    N2,
    NORTH,
    WATCH,
    Scene,
    acceptance,
    accepted,
    agreement,
    approved,
    held,
    offer,
    registered,
    registry,
)

MEMORY = "sqlite:///:memory:"
BEN, CAT, DAN = "p-ben", "p-cat", "p-dan"
CHECKS = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)


def story(url: str = MEMORY) -> Scene:
    """Handovers, corrections of which one is undone, a verified release, a hold, an invoice: about four people."""
    scene = moved_on(handed_over(open_log(url, create=True)))
    scene.at("2025-03-04T09:00:00Z")
    correct(scene, last(scene, "moved-within.v1"), EAST, "2025-03-02T19:00:00Z")
    did_not_occur(scene, last(scene, "presence-reported.v1"))
    did_not_occur(scene, last(scene, "fact-corrected.v1"))
    released(scene)
    registered(scene, CAT)
    scene.at("2025-03-06T09:00:00Z")
    hold = {"hold": "o-1", "forbids": ["release"], "instrument": DIGEST}
    span = {"effective_at": "2025-03-06T08:00:00Z", "until": "2025-03-20T08:00:00Z"}
    scene.do(COURT, "place-hold", persons=[CAT], **hold, **span)
    fees.priced(scene, valid={"from": "2025-01-01"}, components=[fees.component(from_="2025-01-01")])
    dan_to_east(scene)
    certified(scene, 1)
    scene.at("2025-04-02T09:00:00Z")
    fees.issued(scene)
    return scene


def handed_over(log: EventLog | None = None, moved_at: str = "2025-02-27T10:00:00Z") -> Scene:
    """Ann held by north at n-2, moved to n-1, handed over to east on 1 March; Ben held all the while."""
    scene = agreement(registry(Scene(log, now="2025-02-01T10:00:00Z")))
    held(scene, ANN, N2)
    held(scene, BEN)
    scene.at("2025-02-27T12:00:00Z")
    scene.do(NORTH, "record-move-within", **move(N2, N1), occurred_at=moved_at)
    scene.at("2025-02-28T12:00:00Z")
    approved(scene)
    return accepted(scene.at("2025-03-01T12:00:00Z"))


def moved_on(scene: Scene) -> Scene:
    """What follows: a move within east on 2 March, a presence reported by another authority on the 3rd."""
    scene.at("2025-03-02T09:00:00Z")
    scene.do(EAST, "record-move-within", **move(E1, E2), occurred_at="2025-03-02T09:00:00Z")
    scene.at("2025-03-03T09:00:00Z")
    seen = {"person": ANN, "place": "a road", "since": "2025-03-03T08:00:00Z", "how": "seen"}
    scene.do(NORTH, "report-presence", **seen, occurred_at="2025-03-03T08:00:00Z")
    return scene


def move(origin: str, to: str) -> dict[str, object]:
    """A move of Ann that the custodian asks for."""
    return {"person": ANN, "mode": "claim", "from_facility": origin, "to_facility": to, "reason": "placement"}


def released(scene: Scene, person: str = BEN, facility: str = N1) -> Scene:
    """Ordered and recorded by north on 4 March, verified by the monitor on the 5th."""
    order = {"release": "r-1", "ground": "court-order", "bases": [f"b-{person}"], "instrument": DIGEST}
    scene.do(NORTH, "order-release", person=person, **order, due_at="2025-03-04T08:00:00Z")
    fields = {"release": "r-1", "mode": "claim", "facility": facility, "kind": "at-liberty", "checks": CHECKS}
    scene.do(NORTH, "record-release", person=person, **fields, occurred_at="2025-03-04T09:00:00Z")
    scene.at("2025-03-05T09:00:00Z")
    seen = {"release": "r-1", "how": "spoken-to", "evidence": DIGEST}
    scene.do(WATCH, "verify-release", person=person, **seen, occurred_at="2025-03-05T08:00:00Z")
    return scene


def dan_to_east(scene: Scene, accepted_at: str = "2025-03-06T08:00:00Z") -> Scene:
    """Dan handed over by north to east at e-1, who earns days from then on."""
    held(scene, DAN, occurred_at="2025-02-10T10:00:00Z")
    approved(scene, "tr-dan", DAN)
    answer = scene.do(NORTH, "offer-handover", **offer("h-dan", "tr-dan"), occurred_at=accepted_at)
    scene.do(EAST, "accept-handover", **acceptance(answer, "h-dan"), occurred_at=accepted_at)
    return scene


def certified(scene: Scene, capacity: int, from_: str = "2025-01-01") -> Scene:
    """East certifies how many e-1 may hold."""
    scene.do(
        EAST,
        "certify-capacity",
        facility=E1,
        operational_capacity=capacity,
        from_=from_,
        certificate=DIGEST,
        approved_by=["east-1", "east-2"],
    )
    return scene


def last(scene: Scene, wire: str) -> Event:
    """The latest event of a type."""
    return [event for event in scene.events() if event.wire == wire][-1]


def correct(scene: Scene, wrong: Event, by: str, occurred_at: str) -> None:
    """Replace a fact of one side by the same at another time."""
    said = msgspec.json.decode(msgspec.json.encode(wrong.body))
    body = {name: value for name, value in said.items() if name not in ("flags", "mode", "precision")}
    scene.do(
        by,
        "correct-fact",
        corrects=wrong.event_id,
        reason="incorrect-data",
        replacement={"occurred_at": occurred_at, "body": body},
        countersigned_by={"authority": AUDIT, "officer": "audit-1"},
    )


def did_not_occur(scene: Scene, wrong: Event) -> None:
    """North declares that a fact of its own never happened."""
    auditor = {"authority": AUDIT, "officer": "audit-1"}
    scene.do(NORTH, "correct-fact", corrects=wrong.event_id, reason="did-not-occur", countersigned_by=auditor)
