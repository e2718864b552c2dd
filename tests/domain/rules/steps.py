"""What rows about transfers, handovers and their neighbours have in common: how one is checked, and steps before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from domain.custody.state import TransferState
from domain.refusals import Refusal
from tests.domain.rules.rows import told
from tests.scene import (
    ANN,
    COURT,
    DIGEST,
    E1,
    EAST,
    N1,
    NORTH,
    TERMS,
    WATCH,
    Scene,
    agreement,
    basis,
    evidenced,
    held,
    registry,
    requested,
    story,
)

Before = Callable[[], Scene]
Ask = tuple[str, str, dict[str, Any]]


def check(before: Before, ask: Ask, expected: Refusal | None) -> None:
    by, name, data = ask
    scene = before()
    position = scene.register.position
    assert told(scene.refusal(by, name, **data)) == told(expected)
    assert (scene.register.position == position) is (expected is not None)


def ready() -> Scene:
    """North holds Ann at n-1; an agreement with east is in force."""
    return held(story())


def prohibited(scene: Scene, from_: str = "2025-02-15T00:00:00Z") -> Scene:
    scene.do(
        WATCH,
        "set-facility-regime",
        facility=E1,
        supervising_authority=WATCH,
        use="prohibited",
        from_=from_,
        ground=DIGEST,
    )
    return scene


def drafted(scene: Scene, id_: str, *, sending: str, receiving: str, sign: bool = True, **changes: Any) -> Scene:
    """An agreement between two others, or a further revision; signed by both unless said otherwise."""
    answer = scene.do(
        sending,
        "draft-agreement",
        **{
            "agreement": id_,
            "revision": 1,
            "parties": [{"authority": sending, "role": "sending"}, {"authority": receiving, "role": "receiving"}],
            "legal_bases": ["custody-contract"],
            "terms": TERMS,
            "from_": "2025-01-01",
            "to": "2025-12-31",
            **changes,
        },
    )
    for party in (sending, receiving) if sign else ():
        revision = changes.get("revision", 1)
        scene.do(party, "sign-agreement", agreement=id_, revision=revision, terms_digest=answer.told["terms_digest"])
    return scene


def hold(scene: Scene, forbids: str = "depart", **changes: Any) -> Scene:
    scene.do(
        COURT,
        "place-hold",
        **{
            "hold": "h-1",
            "persons": [ANN],
            "forbids": [forbids],
            "effective_at": "2025-02-20T00:00:00Z",
            "instrument": DIGEST,
            **changes,
        },
    )
    return scene


def released(scene: Scene, person: str = ANN, by: str = NORTH, facility: str = N1) -> Scene:
    """The custodian lets the person go on a court's order."""
    scene.do(
        COURT,
        "order-release",
        person=person,
        release="r-1",
        ground="court-order",
        bases=[f"b-{person}"],
        due_at="2025-03-01T11:30:00Z",
        instrument=DIGEST,
    )
    checks = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)
    scene.do(
        by,
        "record-release",
        person=person,
        release="r-1",
        facility=facility,
        kind="at-liberty",
        checks=checks,
        occurred_at="2025-03-01T12:00:00Z",
    )
    return scene


def certified(scene: Scene, capacity: int) -> Scene:
    scene.do(
        f"{EAST}/east-1",
        "certify-capacity",
        facility=E1,
        operational_capacity=capacity,
        from_="2025-01-01",
        certificate=DIGEST,
        approved_by=["east-1", "east-2"],
    )
    return scene


def override(*officers: str, reason: str = "emergency") -> dict[str, Any]:
    return {"approved_by": list(officers), "reason": reason}


def undone(scene: Scene, wire: str) -> Scene:
    """The latest fact of that type is corrected away, countersigned by the other State's party."""
    event = [event for event in scene.events() if event.wire == wire][-1]
    scene.do(
        event.actor.authority,
        "correct-fact",
        corrects=event.event_id,
        reason="did-not-occur",
        countersigned_by=(
            {"authority": EAST, "officer": "east-2"}
            if wire.startswith(("handover-", "transfer-"))
            else {"authority": "audit", "officer": "audit-1"}
        ),
    )
    return scene


# Transfers.

WINDOW = (date(2025, 3, 1), date(2025, 3, 31))
MARCH = {"facility": E1, "from": "2025-03-01", "to": "2025-03-31"}


def asked(**changes: Any) -> Scene:
    """A transfer is requested and fully evidenced."""
    return evidenced(requested(ready(), **changes))


def terms_agreed(**changes: Any) -> Scene:
    """As `asked`, under terms of its own."""
    return evidenced(requested(held(agreement(registry(Scene()), **changes))))


def by_both() -> Scene:
    """The agreement asks for the approval of a court too."""
    return terms_agreed(approvals=["receiving", "court"])


def short_basis(**changes: Any) -> Scene:
    """Ann has a second basis, b-2, with changes."""
    scene = ready()
    scene.do(NORTH, "record-basis", person=ANN, **basis("b-2", **changes), occurred_at="2025-02-02T09:00:00+01:00")
    return scene


def short_basis_asked() -> Scene:
    """A transfer is requested on Ann's second basis."""
    return evidenced(requested(short_basis(), basis="b-2"))


LAW = ("custody-contract", "sending-law-permits-custody-abroad")
TORTURE = ("non-refoulement", "no-danger-of-torture")


def evidence(by: str = NORTH, named: tuple[str, str] = LAW, outcome: str = "met", **changes: Any) -> Ask:
    rule_set, condition = named
    return (
        by,
        "evidence-condition",
        {
            "transfer": "tr-1",
            "rule_set": rule_set,
            "condition": condition,
            "outcome": outcome,
            "evidence": DIGEST,
            **changes,
        },
    )


def open_() -> Scene:
    return requested(ready())


def cancelled(scene: Scene) -> Scene:
    scene.do(NORTH, "cancel-transfer", transfer="tr-1", reason="no-longer-needed", fault="none")
    return scene


def danger(scene: Scene) -> Scene:
    by, name, data = evidence(by=COURT, named=TORTURE, outcome="not-met")
    scene.do(by, name, **data)
    return scene


def approve(by: str = EAST, as_: str = "receiving", **changes: Any) -> Ask:
    return (by, "approve-transfer", {"transfer": "tr-1", "as_": as_, "reserved": MARCH, **changes})


def reject(by: str = EAST, **changes: Any) -> Ask:
    return (by, "reject-transfer", {"transfer": "tr-1", "reason": "no-space", **changes})


def cancel(by: str = NORTH, **changes: Any) -> Ask:
    return (by, "cancel-transfer", {"transfer": "tr-1", "reason": "duplicate", "fault": "none", **changes})


def rejected(scene: Scene) -> Scene:
    by, name, data = reject()
    scene.do(by, name, **data)
    return scene


def transfer_of(scene: Scene, id_: str = "tr-1") -> TransferState:
    transfer = scene.register.transfer(id_)
    assert transfer is not None
    return transfer


def who(**changes: object) -> dict[str, object]:
    """The term that says whom the agreement covers, with changes."""
    term = TERMS["who"]
    assert isinstance(term, dict)
    return {**term, **changes}
