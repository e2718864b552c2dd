"""Specification rows: approving a transfer or rejecting it, and each state of one against each decision.

Each row is a sentence, what had happened, who asks what, and the refusal that follows (`None`: granted).
"""

from __future__ import annotations

from datetime import date

import pytest

from domain.events.transfer import Reserved, TransferApproved, TransferCancelled
from domain.names import FacilityId, Sealed
from domain.refusals import (
    AgreementIsNotInForce,
    BasisDoesNotCoverTheWindow,
    BodyIsMalformed,
    CodeIsNotListed,
    ConditionsAreNotMet,
    FacilityIsFull,
    FacilityIsUnknown,
    FacilityUseIsProhibited,
    HoldForbidsDeparture,
    NobodyConfirmsTheirOwnAct,
    PersonIsNotInCustody,
    Refusal,
    RoleIsNotHeld,
    SecondApprovalIsMissing,
    TransferIsClosed,
    TransferIsUnknown,
)
from domain.rules.transfers.approval import ActorIsNotAnApprover, ApprovalIsAlreadyGiven, TransferIsNotAwaitingDecision
from domain.rules.transfers.transfer_case import DestinationIsNotUnderTheReceivingAuthority
from tests.domain.rules.rows import told
from tests.domain.rules.steps import (
    MARCH,
    TORTURE,
    WINDOW,
    Ask,
    Before,
    approve,
    asked,
    by_both,
    cancel,
    cancelled,
    certified,
    check,
    danger,
    evidence,
    hold,
    open_,
    override,
    prohibited,
    ready,
    reject,
    rejected,
    released,
    short_basis_asked,
    terms_agreed,
    transfer_of,
    undone,
    who,
)
from tests.scene import (
    ANN,
    COURT,
    E1,
    E2,
    EAST,
    KEEPER,
    NORTH,
    SEALED,
    T1,
    THIRD,
    WATCH,
    Scene,
    acceptance,
    agreement,
    approved,
    evidenced,
    held,
    offered,
    registry,
    requested,
    story,
)

# Approving.


def twice_approved(scene: Scene) -> Scene:
    by, name, data = approve()
    scene.do(by, name, **data)
    return scene


def full() -> Scene:
    """East's place e-1 holds one person at most, and Bob has the place."""
    scene = certified(approved(held(story(), person="p-bob"), transfer="tr-0", person="p-bob"), 1)
    return evidenced(requested(held(scene)))


def numbered(most: int) -> Scene:
    """The agreement takes `most` persons; Bob's transfer is approved."""
    scene = agreement(registry(Scene()), who=who(persons_max=most))
    return evidenced(requested(held(approved(held(scene, person="p-bob"), transfer="tr-0", person="p-bob"))))


def bob_under(most: int) -> Scene:
    """The agreement takes `most` persons; Bob's transfer is requested and evidenced."""
    scene = held(agreement(registry(Scene()), who=who(persons_max=most)), person="p-bob")
    return evidenced(requested(scene, transfer="tr-0", person="p-bob"), transfer="tr-0")


def delivered(most: int) -> Scene:
    """Bob was handed over under the agreement; Ann's transfer is requested."""
    scene = bob_under(most)
    scene.do(EAST, "approve-transfer", transfer="tr-0", as_="receiving", reserved=MARCH)
    answer = offered(scene, transfer="tr-0")
    scene.do(EAST, "accept-handover", **acceptance(answer), occurred_at="2025-03-01T12:00:00Z")
    return evidenced(requested(held(scene)))


def let_go(scene: Scene) -> Scene:
    """East releases Bob."""
    return released(scene, person="p-bob", by=EAST, facility=E1)


def turned_down(most: int) -> Scene:
    """Bob's transfer was rejected; Ann's is requested."""
    scene = bob_under(most)
    scene.do(EAST, "reject-transfer", transfer="tr-0", reason="no-space")
    return evidenced(requested(held(scene)))


def judged_elsewhere(state: str) -> Scene:
    """A court of that State finds danger."""
    scene = asked()
    scene.do(KEEPER, "register-authority", authority="bench", state=state, legal_name="bench", outside_register=False)
    scene.do(KEEPER, "set-authority-roles", authority="bench", roles=[{"role": "court", "from": "2024-01-01"}])
    by, name, data = evidence(by="bench", named=TORTURE, outcome="not-met")
    scene.do(by, name, **data)
    return scene


def no_court_any_more() -> Scene:
    """A court of a third State found danger, and holds no role since."""
    scene = judged_elsewhere("FI")
    scene.do(KEEPER, "set-authority-roles", authority="bench", roles=[])
    return scene


ABROAD = "custody-contract/sending-law-permits-custody-abroad"
LIMIT = "agreement-terms/number-is-within-the-limit"
PLACE = "agreement-terms/place-is-agreed"


def now_a_court(scene: Scene) -> Scene:
    """North, which requested, has become a court since."""
    scene.do(KEEPER, "set-authority-roles", authority=NORTH, roles=[{"role": "court", "from": "2024-01-01"}])
    return scene


APPROVALS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "a monitor approves no transfer": (
        asked,
        approve(by=WATCH),
        RoleIsNotHeld(WATCH, ("receiving", "court")),
    ),
    "the transfer is known": (ready, approve(), TransferIsUnknown("tr-1")),
    "the reserved place is known": (
        asked,
        approve(reserved={**MARCH, "facility": "e-9"}),
        FacilityIsUnknown("e-9"),
    ),
    "a reservation does not end before it begins": (
        asked,
        approve(reserved={**MARCH, "to": "2025-02-28"}),
        BodyIsMalformed("schema", ("/reserved",)),
    ),
    "what is cancelled awaits no decision": (
        lambda: cancelled(asked()),
        approve(),
        TransferIsNotAwaitingDecision("tr-1", "cancelled"),
    ),
    "what is approved awaits no decision": (
        lambda: twice_approved(asked()),
        approve(),
        TransferIsNotAwaitingDecision("tr-1", "approved"),
    ),
    "another authority of the receiving State does not approve": (
        asked,
        approve(by=THIRD),
        ActorIsNotAnApprover("tr-1", ("receiving",)),
    ),
    "the receiving party is no court": (
        by_both,
        approve(as_="court"),
        ActorIsNotAnApprover("tr-1", ("receiving", "court")),
    ),
    "a court approves only where the terms ask it to": (
        asked,
        approve(by=COURT, as_="court"),
        ActorIsNotAnApprover("tr-1", ("receiving",)),
    ),
    "one side approves once": (
        lambda: twice_approved(by_both()),
        approve(),
        ApprovalIsAlreadyGiven("tr-1", "receiving"),
    ),
    "nobody approves what they requested": (
        lambda: now_a_court(by_both()),
        approve(by=NORTH, as_="court"),
        NobodyConfirmsTheirOwnAct("S2"),
    ),
    "nobody released is approved": (
        lambda: released(asked()),
        approve(),
        TransferIsNotAwaitingDecision("tr-1", "ended"),
    ),
    "nobody who was never held is approved": (
        lambda: undone(asked(), "custody-opened.v1"),
        approve(),
        PersonIsNotInCustody(ANN, "none"),
    ),
    "a hold on departure stops the approval": (
        lambda: hold(asked()),
        approve(),
        HoldForbidsDeparture(("h-1",)),
    ),
    "a hold on release does not": (lambda: hold(asked(), forbids="release"), approve(), None),
    "a hold that is over does not": (lambda: hold(asked(), until="2025-03-01T12:00:00Z"), approve(), None),
    "a hold in force now stops a backdated approval": (
        lambda: hold(asked(), effective_at="2025-03-01T12:00:00Z"),
        approve(occurred_at="2025-03-01T11:00:00Z"),
        HoldForbidsDeparture(("h-1",)),
    ),
    "the agreement holds on the day": (
        lambda: asked().at("2026-01-01T00:00:00Z"),
        approve(),
        AgreementIsNotInForce("a1", date(2026, 1, 1)),
    ),
    "the basis still covers the window": (
        lambda: undone(short_basis_asked(), "custody-basis-recorded.v1"),
        approve(),
        BasisDoesNotCoverTheWindow("b-2", *WINDOW),
    ),
    "every condition due by now is judged": (
        lambda: requested(ready()),
        approve(reserved={**MARCH, "facility": E2}),
        ConditionsAreNotMet(
            {
                ANN: {
                    ABROAD: "unknown",
                    "custody-contract/receiving-law-permits-the-custody": "unknown",
                    "non-refoulement/no-danger-of-torture": "unknown",
                    "non-refoulement/no-danger-of-enforced-disappearance": "unknown",
                }
            }
        ),
    ),
    "one `not-met` outweighs another authority's `met`": (
        lambda: danger(asked()),
        approve(),
        ConditionsAreNotMet({ANN: {"non-refoulement/no-danger-of-torture": "not-met"}}),
    ),
    "a court of the receiving State is heard": (
        lambda: judged_elsewhere("SE"),
        approve(),
        ConditionsAreNotMet({ANN: {"non-refoulement/no-danger-of-torture": "not-met"}}),
    ),
    "what a court found stands when it is one no more": (
        no_court_any_more,
        approve(),
        ConditionsAreNotMet({ANN: {"non-refoulement/no-danger-of-torture": "not-met"}}),
    ),
    "evidence grows old": (
        lambda: asked().at("2025-05-30T22:00:00Z"),
        approve(),
        ConditionsAreNotMet(
            {
                ANN: {
                    "non-refoulement/no-danger-of-torture": "unknown",
                    "non-refoulement/no-danger-of-enforced-disappearance": "unknown",
                }
            }
        ),
    ),
    "ninety days are not too old": (lambda: asked().at("2025-05-30T21:59:59Z"), approve(), None),
    "the place is agreed": (
        lambda: terms_agreed(places={"facilities": [E2], "classes": []}),
        approve(),
        ConditionsAreNotMet({ANN: {PLACE: "not-met"}}),
    ),
    "a place agreed by its id is enough": (
        lambda: terms_agreed(places={"facilities": [E1], "classes": []}),
        approve(),
        None,
    ),
    "the agreement's number is reached": (
        lambda: numbered(1),
        approve(),
        ConditionsAreNotMet({ANN: {LIMIT: "not-met"}}),
    ),
    "whoever was brought under the agreement counts": (
        lambda: delivered(1),
        approve(),
        ConditionsAreNotMet({ANN: {LIMIT: "not-met"}}),
    ),
    "whoever was let go since does not": (lambda: let_go(delivered(1)), approve(), None),
    "whoever was turned down does not": (lambda: turned_down(1), approve(), None),
    "one place under the agreement is left": (lambda: numbered(2), approve(), None),
    "the reserved place is the receiving party's": (
        asked,
        approve(reserved={**MARCH, "facility": T1}),
        DestinationIsNotUnderTheReceivingAuthority(T1, EAST),
    ),
    "a prohibited place takes nobody in": (lambda: prohibited(asked()), approve(), FacilityUseIsProhibited(E1)),
    "the place has room on each day reserved": (
        full,
        approve(),
        FacilityIsFull(E1, date(2025, 3, 1), 1, 2),
    ),
    "a reservation after theirs finds room": (
        full,
        approve(reserved={"facility": E1, "from": "2025-04-01", "to": "2025-04-30"}),
        None,
    ),
    "an override takes two officers": (
        full,
        approve(override=override("east-1")),
        SecondApprovalIsMissing(EAST),
    ),
    "an override is judged although there is room": (
        asked,
        approve(override=override("east-2", "east-3")),
        SecondApprovalIsMissing(EAST),
    ),
    "two officers lift the limit": (full, approve(override=override("east-1", "east-2")), None),
    "a reservation may be one day": (asked, approve(reserved={**MARCH, "to": "2025-03-01"}), None),
    "the receiving party approves": (asked, approve(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), APPROVALS.values(), ids=APPROVALS.keys())
def test_approve(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, ask, expected)


def test_the_last_approval_asked_for_approves() -> None:
    scene = by_both()
    by, name, data = approve()
    scene.do(by, name, **data)
    assert transfer_of(scene).status == "requested"
    by, name, data = approve(by=COURT, as_="court")
    scene.do(by, name, **data)
    assert transfer_of(scene).status == "approved"


def test_an_approval_records_outcomes_and_place() -> None:
    scene = full()
    by, name, data = approve(override=override("east-1", "east-2"))
    scene.do(by, name, **data)
    body = scene.events()[-1].body
    assert isinstance(body, TransferApproved)
    assert len(body.outcomes) == 13
    assert set(body.outcomes.values()) == {"met"}
    assert body.reserved == Reserved(facility=FacilityId(E1), from_=date(2025, 3, 1), to=date(2025, 3, 31))
    assert body.flags == ("over-capacity",)


def test_an_override_that_is_not_needed_leaves_no_flag() -> None:
    scene = asked()
    by, name, data = approve(override=override("east-1", "east-2"))
    scene.do(by, name, **data)
    assert scene.events()[-1].flags == ()


# Rejecting.


REJECTIONS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "a reason is a listed one": (open_, reject(reason="whim"), CodeIsNotListed(("/reason",))),
    "`other` is explained": (open_, reject(reason="other"), BodyIsMalformed("schema", ("/",))),
    "and may then be given": (open_, reject(reason="other", explanation=SEALED), None),
    "the transfer to reject is known": (ready, reject(), TransferIsUnknown("tr-1")),
    "what is approved is not rejected": (
        lambda: approved(ready()),
        reject(),
        TransferIsNotAwaitingDecision("tr-1", "approved"),
    ),
    "another authority of the receiving State does not reject": (
        open_,
        reject(by=THIRD),
        ActorIsNotAnApprover("tr-1", ("receiving",)),
    ),
    "the requester does not reject": (open_, reject(by=NORTH), ActorIsNotAnApprover("tr-1", ("receiving",))),
    "a court rejects where it is asked": (by_both, reject(by=COURT), None),
    "a court that is not asked does not": (
        open_,
        reject(by=COURT),
        ActorIsNotAnApprover("tr-1", ("receiving",)),
    ),
    "nobody rejects what they requested": (
        lambda: now_a_court(by_both()),
        reject(by=NORTH),
        NobodyConfirmsTheirOwnAct("S2"),
    ),
    "the receiving party rejects": (open_, reject(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), REJECTIONS.values(), ids=REJECTIONS.keys())
def test_reject(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, ask, expected)


def test_a_cancellation_frees_the_place() -> None:
    scene = full()
    scene.do(NORTH, "cancel-transfer", transfer="tr-0", reason="medical", fault="sending", explanation=SEALED)
    assert scene.events()[-1].body == TransferCancelled(
        flags=(), reason="medical", fault="sending", explanation=Sealed(SEALED)
    )
    by, name, data = approve()
    scene.do(by, name, **data)
    assert transfer_of(scene).status == "approved"


# Every state against every act (DOMAIN §4.1), as far as its facts can be recorded.


def refused() -> Scene:
    scene = approved(ready())
    answer = offered(scene)
    scene.do(EAST, "refuse-handover", handover="h-1", answers=answer.events[0].leaf_hash, reasons=["unfit"])
    return scene


def completed() -> Scene:
    scene = approved(ready())
    answer = offered(scene)
    scene.do(EAST, "accept-handover", **acceptance(answer), occurred_at="2025-03-01T12:00:00Z")
    return scene


STATES: dict[str, Before] = {
    "requested": asked,
    "approved": lambda: approved(ready()),
    "refused": refused,
    "completed": completed,
    "rejected": lambda: rejected(asked()),
    "cancelled": lambda: cancelled(asked()),
    "ended": lambda: released(asked()),
}
ACTS: dict[str, Ask] = {"approve": approve(), "reject": reject(), "cancel": cancel()}


def awaiting(status: str) -> Refusal:
    return TransferIsNotAwaitingDecision("tr-1", status)


CELLS: dict[tuple[str, str], str | Refusal] = {
    ("requested", "approve"): "approved",
    ("requested", "reject"): "rejected",
    ("requested", "cancel"): "cancelled",
    ("approved", "approve"): awaiting("approved"),
    ("approved", "reject"): awaiting("approved"),
    ("approved", "cancel"): "cancelled",
    ("refused", "approve"): awaiting("refused"),
    ("refused", "reject"): awaiting("refused"),
    ("refused", "cancel"): "cancelled",
    **{
        (state, act): TransferIsClosed("tr-1", state) if act == "cancel" else awaiting(state)
        for state in ("completed", "rejected", "cancelled", "ended")
        for act in ACTS
    },
}


@pytest.mark.parametrize(("state", "act"), CELLS, ids=lambda part: part)
def test_cell(state: str, act: str) -> None:
    scene = STATES[state]()
    assert transfer_of(scene).status == state
    by, name, data = ACTS[act]
    refusal = scene.refusal(by, name, **data)
    expected = CELLS[state, act]
    if isinstance(expected, Refusal):
        assert told(refusal) == told(expected)
    else:
        assert (refusal, transfer_of(scene).status) == (None, expected)


def test_the_table_has_every_cell() -> None:
    assert set(CELLS) == {(state, act) for state in STATES for act in ACTS}
