"""Specification rows: both halves of a handover, and the refusal of one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from domain.events.person import HandoverAccepted, HandoverOffered, HandoverRefused
from domain.refusals import (
    AgreementIsNotInForce,
    AuthorityIsUnknown,
    BasisIsNotLive,
    BodyIsMalformed,
    CodeIsNotListed,
    ConditionsAreNotMet,
    FacilityIsFull,
    FacilityIsOfAnotherAuthority,
    FacilityIsUnknown,
    FacilityUseIsProhibited,
    HandoverIsUnknown,
    HoldForbidsHandover,
    MovementIsUnknown,
    NobodyConfirmsTheirOwnAct,
    NoHandoverIsOpen,
    OccurredAtIsBeforeTheLastFact,
    PersonIsHeldByAnotherAuthority,
    PersonIsNotInCustody,
    Refusal,
    RoleIsNotHeld,
    SecondApprovalIsMissing,
    TransferIsUnknown,
    VersionHasMoved,
    WhereaboutsDiffer,
)
from domain.rules.transfers.handover import (
    ActorIsNotTheReceiver,
    AnswerIsToAnotherOffer,
    HandoverIsAlreadyOpen,
    IdentityDoesNotMatch,
    IdentityIsUnresolved,
    ReceiverIsNotTheTransfersReceiver,
    TransferIsNotApproved,
)
from ledger.writer.submission import Group, Refused
from tests.domain.rules.rows import told
from tests.domain.rules.steps import (
    Ask,
    Before,
    certified,
    check,
    drafted,
    hold,
    override,
    prohibited,
    ready,
    released,
    undone,
)
from tests.scene import (
    ANN,
    COURT,
    DIGEST,
    E1,
    E2,
    EAST,
    KEEPER,
    N1,
    N2,
    NORTH,
    SEALED,
    T1,
    TERMS,
    THIRD,
    WATCH,
    Scene,
    acceptance,
    agreement,
    approved,
    basis,
    evidenced,
    held,
    offer,
    offered,
    opening,
    registry,
    requested,
    story,
)

NOON = "2025-03-01T12:00:00Z"
OTHER_LEAF = "A" * 43 + "="
OPENED = datetime.fromisoformat("2025-02-01T09:00:00Z")


# What had happened.


def agreed(**changes: Any) -> Scene:
    """Ann's transfer to e-1 is approved; `changes` are terms."""
    return approved(held(agreement(registry(Scene()), **changes)))


def open_(scene: Scene | None = None) -> Scene:
    """North has offered Ann."""
    scene = scene if scene is not None else agreed()
    offered(scene)
    return scene


def leaf(scene: Scene) -> str:
    """The leaf hash of the offer that stands first."""
    (event, *_) = (event for event in scene.events() if isinstance(event.body, HandoverOffered))
    return event.leaf_hash


def refused(scene: Scene | None = None) -> Scene:
    scene = open_(scene)
    scene.do(EAST, "refuse-handover", handover="h-1", answers=leaf(scene), reasons=["unfit"])
    return scene


def accepted(scene: Scene | None = None) -> Scene:
    scene = scene if scene is not None else agreed()
    scene.do(EAST, "accept-handover", **acceptance(offered(scene)), occurred_at=NOON)
    return scene


def cancelled(scene: Scene) -> Scene:
    scene.do(NORTH, "cancel-transfer", transfer="tr-1", reason="medical", fault="none")
    return scene


def moved_to_third() -> Scene:
    """Ann's approved transfer stands, but a third authority holds her: north's opening is undone, third's recorded."""
    scene = agreed()
    undone(scene, "custody-opened.v1")
    scene.do(THIRD, "open-custody", person=ANN, **opening(T1), occurred_at="2025-02-01T10:00:00+01:00")
    return scene


def unresolved() -> Scene:
    """Nobody knows for certain who Ann is."""
    scene = story()
    scene.do(
        NORTH,
        "register-person",
        person=ANN,
        identity_status="unresolved",
        attributes={},
        occurred_at="2025-02-01T09:00:00+01:00",
    )
    scene.do(NORTH, "record-basis", person=ANN, **basis(f"b-{ANN}"), occurred_at="2025-02-01T09:00:00+01:00")
    scene.do(NORTH, "open-custody", person=ANN, **opening(N1), occurred_at="2025-02-01T10:00:00+01:00")
    return approved(scene)


def ends_on(day: str, at: str) -> Scene:
    """Ann's only basis ends on that local date; the clock stands at `at`."""
    scene = story()
    scene.do(
        NORTH,
        "register-person",
        person=ANN,
        identity_status="established",
        attributes={},
        occurred_at="2025-02-01T09:00:00+01:00",
    )
    scene.do(
        NORTH,
        "record-basis",
        person=ANN,
        **basis(f"b-{ANN}", must_end_by=day),
        occurred_at="2025-02-01T09:00:00+01:00",
    )
    scene.do(NORTH, "open-custody", person=ANN, **opening(N1), occurred_at="2025-02-01T10:00:00+01:00")
    return approved(scene).at(at)


def danger(scene: Scene) -> Scene:
    scene.do(
        COURT,
        "evidence-condition",
        transfer="tr-1",
        rule_set="non-refoulement",
        condition="no-danger-of-torture",
        outcome="not-met",
        evidence=DIGEST,
    )
    return scene


# Offering.


def ask_offer(by: str = NORTH, handover: str = "h-1", occurred_at: str | None = NOON, **changes: Any) -> Ask:
    data = offer(handover, **changes)
    return (by, "offer-handover", data if occurred_at is None else {**data, "occurred_at": occurred_at})


def side(authority: str = NORTH, facility: str = N1, officer: str | None = "north-1") -> dict[str, str]:
    found = {"authority": authority, "facility": facility}
    return found if officer is None else {**found, "officer": officer}


OFFERS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "an offer says when": (agreed, ask_offer(occurred_at=None), BodyIsMalformed("schema", ("/occurred_at",))),
    "a manifest is a movement's": (agreed, ask_offer(manifest_revision=1), BodyIsMalformed("schema", ("/",))),
    "the transfer is asked for before the movement": (ready, ask_offer(movement="m-1"), TransferIsUnknown("tr-1")),
    "no movement is on record yet": (agreed, ask_offer(movement="m-1"), MovementIsUnknown("m-1")),
    "how a person was identified is listed": (
        agreed,
        ask_offer(identity_check={"method": "guess", "result": "match"}),
        CodeIsNotListed(("/identity_check/method",)),
    ),
    "only a sending authority offers": (agreed, ask_offer(by=COURT), RoleIsNotHeld(COURT, ("sending",))),
    "the transfer is known": (ready, ask_offer(), TransferIsUnknown("tr-1")),
    "the place is known": (agreed, ask_offer(place="e-9"), FacilityIsUnknown("e-9")),
    "both sides are known": (
        agreed,
        ask_offer(receiving=side("nobody", E1, None)),
        AuthorityIsUnknown("nobody"),
    ),
    "and so are their places": (
        agreed,
        ask_offer(receiving=side(EAST, "e-9", None)),
        FacilityIsUnknown("e-9"),
    ),
    "an offer is not dated before the last fact": (
        agreed,
        ask_offer(occurred_at="2025-02-01T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, OPENED),
    ),
    "only the custodian offers": (
        agreed,
        ask_offer(by=THIRD, releasing=side(THIRD, T1)),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, OPENED),
    ),
    "nobody else offers in the custodian's name": (
        agreed,
        ask_offer(by=THIRD),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, OPENED),
    ),
    "nobody offers in a third one's name": (
        agreed,
        ask_offer(releasing=side(THIRD)),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, OPENED),
    ),
    "whoever holds the person now does": (
        moved_to_third,
        ask_offer(),
        PersonIsHeldByAnotherAuthority(ANN, THIRD, OPENED),
    ),
    "whoever is released is not offered": (
        lambda: released(agreed()),
        ask_offer(),
        PersonIsNotInCustody(ANN, "released-unverified"),
    ),
    "the person is where the releasing side says": (
        agreed,
        ask_offer(releasing=side(facility=N2)),
        WhereaboutsDiffer(ANN, f"facility:{N1}"),
    ),
    "the transfer is approved": (
        lambda: evidenced(requested(ready())),
        ask_offer(),
        TransferIsNotApproved("tr-1", "requested"),
    ),
    "a cancelled one is not": (lambda: cancelled(agreed()), ask_offer(), TransferIsNotApproved("tr-1", "cancelled")),
    "the offer is made to the transfer's receiver": (
        agreed,
        ask_offer(receiving=side(THIRD, E1, None)),
        ReceiverIsNotTheTransfersReceiver(EAST, E1),
    ),
    "for the place reserved": (
        agreed,
        ask_offer(receiving=side(EAST, E2, None)),
        ReceiverIsNotTheTransfersReceiver(EAST, E1),
    ),
    "or to a body that runs places for it": (
        lambda: run_by(agreed(), "service"),
        ask_offer(receiving=side("service", E1, None)),
        None,
    ),
    "one offer waits at a time": (open_, ask_offer(handover="h-2"), HandoverIsAlreadyOpen("h-1")),
    "an id stands for one offer": (refused, ask_offer(documents=[DIGEST]), HandoverIsAlreadyOpen("h-1")),
    "a hold on handing over stops the offer": (
        lambda: hold(agreed(), "hand-over"),
        ask_offer(),
        HoldForbidsHandover(("h-1",)),
    ),
    "a hold on departure does not": (lambda: hold(agreed(), "depart"), ask_offer(), None),
    "a hold in force now stops a backdated offer": (
        lambda: hold(agreed(), "hand-over", effective_at=NOON),
        ask_offer(occurred_at="2025-03-01T11:00:00Z"),
        HoldForbidsHandover(("h-1",)),
    ),
    "the basis is live on the place's own date": (
        lambda: ends_on("2025-03-31", "2025-03-31T22:00:00Z"),
        ask_offer(occurred_at="2025-03-31T22:00:00Z"),
        BasisIsNotLive(ANN, date(2025, 4, 1)),
    ),
    "until that date ends": (
        lambda: ends_on("2025-03-31", "2025-03-31T21:59:59Z"),
        ask_offer(occurred_at="2025-03-31T21:59:59Z"),
        None,
    ),
    "conditions are judged again": (
        lambda: danger(agreed()),
        ask_offer(),
        ConditionsAreNotMet({ANN: {"non-refoulement/no-danger-of-torture": "not-met"}}),
    ),
    "the person was told in time": (
        lambda: agreed(person_notice_hours=72),
        ask_offer(),
        ConditionsAreNotMet({ANN: {"agreement-terms/person-was-told-in-time": "not-met"}}),
    ),
    "an unresolved identity is declared": (unresolved, ask_offer(), IdentityIsUnresolved(ANN)),
    "and may then be offered": (
        unresolved,
        ask_offer(identity_check={"method": "other", "result": "not-done"}),
        None,
    ),
    "an ordinary offer is granted": (agreed, ask_offer(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), OFFERS.values(), ids=OFFERS.keys())
def test_offer(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, ask, expected)


def test_an_offer_moves_nobody() -> None:
    scene = agreed()
    before = scene.head()
    offered(scene)
    after = scene.head()
    assert (after.status, after.custodian, after.responsible, after.at) == (
        before.status,
        before.custodian,
        before.responsible,
        before.at,
    )
    assert after.open_offer is not None


def test_a_repeat_of_the_offer_changes_nothing() -> None:
    scene = open_()
    position = scene.register.position
    assert offered(scene).events[0].leaf_hash == leaf(scene)
    assert scene.register.position == position


def test_an_id_left_out_is_drawn() -> None:
    scene = agreed()
    data = {name: value for name, value in offer().items() if name != "handover"}
    scene.do(NORTH, "offer-handover", **data, occurred_at=NOON)
    body = scene.events()[-1].body
    assert isinstance(body, HandoverOffered)
    assert "?" not in body.handover


def test_an_unresolved_identity_is_flagged() -> None:
    scene = unresolved()
    _, name, data = ask_offer(identity_check={"method": "other", "result": "not-done"})
    scene.do(NORTH, name, **data)
    assert scene.events()[-1].flags == ("identity-unresolved",)


# Accepting.


def accept(by: str = EAST, occurred_at: str | None = NOON, **changes: Any) -> Ask:
    """East's acceptance; `answers` is filled in from the scene unless a row gives it."""
    data = {
        "handover": "h-1",
        "receiving": {"authority": EAST, "facility": E1, "officer": "east-1"},
        "place": E1,
        "identity_check": {"method": "document", "result": "match"},
        "property_seals": [],
        "documents": [],
        **changes,
    }
    return (by, "accept-handover", data if occurred_at is None else {**data, "occurred_at": occurred_at})


def refuse(by: str = EAST, **changes: Any) -> Ask:
    return (by, "refuse-handover", {"handover": "h-1", "reasons": ["unfit"], **changes})


def answer(before: Before, ask: Ask, expected: Refusal | None) -> None:
    """Check a row whose answer names the offer that stands, unless it names another."""
    scene = before()
    by, name, data = ask
    named = {} if name == "offer-handover" else {"answers": _leaf(scene)}
    check(lambda: scene, (by, name, {**named, **data}), expected)


def _leaf(scene: Scene) -> str:
    offers = [event.leaf_hash for event in scene.events() if isinstance(event.body, HandoverOffered)]
    return offers[-1] if offers else OTHER_LEAF


def full() -> Scene:
    """North has offered Ann for e-1, which holds one person at most and has been filled since."""
    scene = open_(certified(agreed(), 1))
    scene.do(NORTH, "register-person", person="p-bob", identity_status="established", attributes={})
    scene.do(NORTH, "record-basis", person="p-bob", **basis("b-p-bob"))
    two = {"approved_by": ["east-1", "east-2"], "reason": "emergency"}
    scene.do(EAST, "open-custody", person="p-bob", **opening(E1, "p-bob", override=two), occurred_at=NOON)
    return scene


def run_by(scene: Scene, child: str) -> Scene:
    """A service that east runs, with its own place."""
    scene.do(
        KEEPER, "register-authority", authority=child, state="SE", legal_name=child, outside_register=False, parent=EAST
    )
    scene.do(
        KEEPER,
        "register-facility",
        facility="s-1",
        authority=child,
        state="SE",
        kind="prison",
        zone="Europe/Stockholm",
        recognised_by=DIGEST,
        supervising_authority=WATCH,
    )
    return scene


def reoffered() -> Scene:
    """The first offer was refused; a second one stands."""
    scene = refused()
    offered(scene, handover="h-2")
    return scene


S1 = NobodyConfirmsTheirOwnAct("S1")
EAST_AT = {"authority": EAST, "facility": E1}

ACCEPTANCES: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "an acceptance says when": (
        open_,
        accept(occurred_at=None),
        BodyIsMalformed("schema", ("/occurred_at",)),
    ),
    "an answer is a leaf hash": (open_, accept(answers="x"), BodyIsMalformed("schema", ("/answers",))),
    "only a receiving authority accepts": (open_, accept(by=COURT), RoleIsNotHeld(COURT, ("receiving",))),
    "the handover is known": (agreed, accept(), HandoverIsUnknown("h-1")),
    "the receiving authority is known": (
        open_,
        accept(receiving=side("nobody", E1, "east-1")),
        AuthorityIsUnknown("nobody"),
    ),
    "the place of the handover is known": (open_, accept(place="e-9"), FacilityIsUnknown("e-9")),
    "the receiving place is known": (
        open_,
        accept(receiving=side(EAST, "e-9", "east-1")),
        FacilityIsUnknown("e-9"),
    ),
    "an acceptance is not dated before its offer": (
        open_,
        accept(occurred_at="2025-03-01T11:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, datetime.fromisoformat(NOON)),
    ),
    "nobody accepts what was refused": (refused, accept(), NoHandoverIsOpen("h-1")),
    "an offer lapses with its transfer": (lambda: cancelled(open_()), accept(), NoHandoverIsOpen("h-1")),
    "an offer lapses with a release": (lambda: released(open_()), accept(), NoHandoverIsOpen("h-1")),
    "only the receiver accepts": (
        open_,
        accept(by=THIRD, receiving=side(THIRD, T1, "third-1")),
        ActorIsNotTheReceiver("h-1", EAST),
    ),
    "nobody accepts in the receiver's name": (open_, accept(by=THIRD), ActorIsNotTheReceiver("h-1", EAST)),
    "nor the receiver in another's": (
        open_,
        accept(receiving=side(THIRD, E1, "third-1")),
        ActorIsNotTheReceiver("h-1", EAST),
    ),
    "the person comes to the receiver's own place": (
        open_,
        accept(receiving=side(EAST, T1, "east-1")),
        FacilityIsOfAnotherAuthority(T1, EAST),
    ),
    "to any of its places": (open_, accept(receiving=side(EAST, E2, "east-1")), None),
    "also one of a body it runs": (
        lambda: open_(run_by(agreed(), "service")),
        accept(receiving=side(EAST, "s-1", "east-1")),
        None,
    ),
    "the officer who offered does not accept": (
        open_,
        accept(by=f"{EAST}/north-1", receiving=side(EAST, E1, "east-1")),
        S1,
    ),
    "nor is named as receiving": (open_, accept(receiving=side(EAST, E1, "north-1")), S1),
    "nor does the officer who is named as releasing": (
        lambda: _offered_naming("n-2"),
        accept(by=f"{EAST}/n-2"),
        S1,
    ),
    "the answer names the offer": (open_, accept(answers=OTHER_LEAF), AnswerIsToAnotherOffer("h-1", "?")),
    "no offer is signed yet": (open_, accept(offer_sha256=DIGEST), AnswerIsToAnotherOffer("h-1", "?")),
    "a hold placed since stops the acceptance": (
        lambda: hold(open_(), "hand-over"),
        accept(),
        HoldForbidsHandover(("h-1",)),
    ),
    "the agreement still holds": (
        lambda: open_().at("2026-01-01T00:00:00Z"),
        accept(occurred_at="2026-01-01T00:00:00Z"),
        AgreementIsNotInForce("a1", date(2026, 1, 1)),
    ),
    "the basis is live on the receiving place's date": (
        lambda: open_(ends_on("2025-03-31", NOON)).at("2025-03-31T22:00:00Z"),
        accept(occurred_at="2025-03-31T22:00:00Z"),
        BasisIsNotLive(ANN, date(2025, 4, 1)),
    ),
    "a mismatch is not accepted": (
        open_,
        accept(identity_check={"method": "document", "result": "mismatch"}),
        IdentityDoesNotMatch("mismatch"),
    ),
    "a check not done is none": (
        open_,
        accept(identity_check={"method": "other", "result": "not-done"}),
        IdentityDoesNotMatch("not-done"),
    ),
    "a prohibited place takes nobody in": (lambda: prohibited(open_()), accept(), FacilityUseIsProhibited(E1)),
    "a full place takes nobody in": (full, accept(), FacilityIsFull(E1, date(2025, 3, 1), 1, 2)),
    "an override takes two officers": (
        full,
        accept(override=override("east-1", "east-1")),
        SecondApprovalIsMissing(EAST),
    ),
    "two officers take the person in": (full, accept(override=override("east-1", "east-2")), None),
    "the place kept for the person is not taken twice": (lambda: open_(certified(agreed(), 1)), accept(), None),
    "conditions are not judged again": (lambda: danger(open_()), accept(), None),
    "the receiver accepts": (open_, accept(), None),
    "the file of the person has not moved since it was read": (
        open_,
        accept(expected_version=3),
        VersionHasMoved(4, 3),
    ),
    "or only as far as the caller knows": (open_, accept(expected_version=4), None),
    "a second offer is accepted after the first was refused": (reoffered, accept(handover="h-2"), None),
}


def _offered_naming(officer: str) -> Scene:
    """North's offer names another of its officers than the one who makes it."""
    scene = agreed()
    scene.do(NORTH, "offer-handover", **offer(releasing=side(officer=officer)), occurred_at=NOON)
    return scene


def filled(scene: Scene, expected: Refusal | None) -> Refusal | None:
    """The refusal with the leaf hash of the offer that stands."""
    if isinstance(expected, AnswerIsToAnotherOffer):
        return AnswerIsToAnotherOffer(expected.handover, _leaf(scene))
    return expected


@pytest.mark.parametrize(("before", "ask", "expected"), ACCEPTANCES.values(), ids=ACCEPTANCES.keys())
def test_accept(before: Before, ask: Ask, expected: Refusal | None) -> None:
    scene = before()
    answer(lambda: scene, ask, filled(scene, expected))


def test_custody_passes_with_the_acceptance_and_responsibility_as_agreed() -> None:
    stays = accepted()
    assert (stays.head().custodian.value, stays.head().responsible.value, stays.head().at.value) == (
        EAST,
        NORTH,
        f"facility:{E1}",
    )
    scene = held(agreement(registry(Scene()), responsibility_after="receiving"))
    evidenced(requested(scene, responsibility_after="receiving"))
    march = {"facility": E1, "from": "2025-03-01", "to": "2025-03-31"}
    scene.do(EAST, "approve-transfer", transfer="tr-1", as_="receiving", reserved=march)
    passes = accepted(scene)
    assert (passes.head().custodian.value, passes.head().responsible.value) == (EAST, EAST)


def test_the_acceptance_records_what_it_answers_and_an_override_used() -> None:
    scene = full()
    by, name, data = accept(override=override("east-1", "east-2"), condition=SEALED)
    scene.do(by, name, answers=_leaf(scene), **data)
    body = scene.events()[-1].body
    assert isinstance(body, HandoverAccepted)
    assert (body.answers, body.condition, body.flags) == (_leaf(scene), SEALED, ("over-capacity",))


def test_one_credential_does_not_sign_both_halves() -> None:
    scene = open_()
    by, name, data = accept()
    ask = scene.ask(by, name, answers=_leaf(scene), **data)
    borrowed = replace(ask, by=structs.replace(ask.by, credential="none:north/north-1"))
    ((outcome,),) = scene.writer.commit([Group(submissions=(borrowed,))])
    assert isinstance(outcome, Refused)
    assert told(outcome.refusal) == told(S1)


# Refusing.

REFUSALS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "a reason is given": (open_, refuse(reasons=[]), BodyIsMalformed("schema", ("/reasons",))),
    "a reason is a listed one": (open_, refuse(reasons=["whim"]), CodeIsNotListed(("/reasons/0",))),
    "`other` is explained": (open_, refuse(reasons=["unfit", "other"]), BodyIsMalformed("schema", ("/",))),
    "and may then be given": (open_, refuse(reasons=["other"], explanation=SEALED), None),
    "only a receiving authority refuses": (open_, refuse(by=COURT), RoleIsNotHeld(COURT, ("receiving",))),
    "the handover is known": (agreed, refuse(), HandoverIsUnknown("h-1")),
    "what was accepted is not refused": (accepted, refuse(), NoHandoverIsOpen("h-1")),
    "only the receiver refuses": (open_, refuse(by=THIRD), ActorIsNotTheReceiver("h-1", EAST)),
    "the refusal names the offer": (open_, refuse(answers=OTHER_LEAF), AnswerIsToAnotherOffer("h-1", "?")),
    "the receiver refuses": (open_, refuse(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuse(before: Before, ask: Ask, expected: Refusal | None) -> None:
    scene = before()
    answer(lambda: scene, ask, filled(scene, expected))


def test_a_refusal_leaves_the_person_where_they_are() -> None:
    scene = refused()
    assert (scene.head().custodian.value, scene.head().status.value) == (NORTH, "held")
    assert isinstance(scene.events()[-1].body, HandoverRefused)
    assert scene.head().transfers[next(iter(scene.head().transfers))].status == "refused"


# Every state against every act (DOMAIN §4.3).


def lapsed() -> Scene:
    """The offer lapsed with its transfer; a next transfer, tr-2, is approved."""
    return approved(cancelled(open_()), transfer="tr-2")


def handed_over() -> Scene:
    """East holds Ann and has an approved transfer, tr-2, back to north under an agreement of its own."""
    scene = drafted(accepted(), "a2", sending=EAST, receiving=NORTH, terms={**TERMS, "zones": _ZONES})
    scene.do(EAST, "record-basis", person=ANN, **basis("b-2", ordering_authority=EAST))
    data = {"agreement": "a2", "basis": "b-2", "from_facility": E1, "to_facility": N2}
    scene.do(EAST, "request-transfer", **{**_request(), **data})
    for by, rule_set, condition in (
        (EAST, "custody-contract", "sending-law-permits-custody-abroad"),
        (NORTH, "custody-contract", "receiving-law-permits-the-custody"),
        (EAST, "non-refoulement", "no-danger-of-torture"),
        (EAST, "non-refoulement", "no-danger-of-enforced-disappearance"),
    ):
        evidence = {"rule_set": rule_set, "condition": condition, "outcome": "met", "evidence": DIGEST}
        scene.do(by, "evidence-condition", transfer="tr-2", **evidence)
    march = {"facility": N2, "from": "2025-03-01", "to": "2025-03-31"}
    scene.do(NORTH, "approve-transfer", transfer="tr-2", as_="receiving", reserved=march)
    return scene


_ZONES = {"sending": "Europe/Stockholm", "receiving": "Europe/Oslo"}


def _request() -> dict[str, Any]:
    return {
        "transfer": "tr-2",
        "person": ANN,
        "revision": 1,
        "rule_sets": ["custody-contract"],
        "purpose": "custody-contract",
        "window_from": "2025-03-01",
        "window_to": "2025-03-31",
        "responsibility_after": "sending",
    }


OFFER_2 = ask_offer(handover="h-2")
OFFER_NEXT = ask_offer(handover="h-2", transfer="tr-2")
OFFER_BACK = ask_offer(
    by=EAST,
    handover="h-2",
    transfer="tr-2",
    place=N2,
    releasing=side(EAST, E1, "east-1"),
    receiving=side(NORTH, N2, None),
)
GONE = NoHandoverIsOpen("h-1")

CELLS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "none: offer": (agreed, ask_offer(), None),
    "none: accept": (lambda: undone(open_(), "handover-offered.v1"), accept(), GONE),
    "none: refuse": (lambda: undone(open_(), "handover-offered.v1"), refuse(), GONE),
    "refused: offer": (refused, OFFER_2, None),
    "refused: accept": (refused, accept(), GONE),
    "refused: refuse": (refused, refuse(), GONE),
    "lapsed: offer": (lapsed, OFFER_NEXT, None),
    "lapsed: accept": (lapsed, accept(), GONE),
    "lapsed: refuse": (lapsed, refuse(), GONE),
    "open: offer": (open_, OFFER_2, HandoverIsAlreadyOpen("h-1")),
    "open: accept": (open_, accept(), None),
    "open: refuse": (open_, refuse(), None),
    "accepted: offer": (handed_over, OFFER_BACK, None),
    "accepted: accept": (accepted, accept(), GONE),
    "accepted: refuse": (accepted, refuse(), GONE),
}


@pytest.mark.parametrize(("before", "ask", "expected"), CELLS.values(), ids=CELLS.keys())
def test_cell(before: Before, ask: Ask, expected: Refusal | None) -> None:
    answer(before, ask, expected)


def test_an_offer_is_open_again_when_its_transfer_is() -> None:
    scene = undone(cancelled(open_()), "transfer-cancelled.v1")
    assert scene.head().open_offer is not None
    scene.do(EAST, "accept-handover", answers=_leaf(scene), **accept()[2])
    assert scene.head().custodian.value == EAST


# The column of the acceptance in DOMAIN §4.4: only who is held (or on the way) is accepted.

STATUSES: dict[str, tuple[Before, Refusal | None]] = {
    "none": (lambda: undone(open_(), "custody-opened.v1"), GONE),
    "held": (open_, None),
    "released-unverified": (lambda: released(open_()), GONE),
    "released": (lambda: _verified(released(open_())), GONE),
}


def _verified(scene: Scene) -> Scene:
    scene.do(WATCH, "verify-release", person=ANN, release="r-1", how="seen", evidence=DIGEST, occurred_at=NOON)
    return scene


@pytest.mark.parametrize(("before", "expected"), STATUSES.values(), ids=STATUSES.keys())
def test_acceptance_by_status(before: Before, expected: Refusal | None) -> None:
    scene = before()
    refusal = scene.refusal(EAST, "accept-handover", answers=_leaf(scene), **accept()[2])
    assert told(refusal) == told(expected)
