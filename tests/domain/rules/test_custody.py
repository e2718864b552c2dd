"""Specification rows: opening custody, moving within, and saying where a person is; as claims and as reports."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.events.person import CustodyOpened
from domain.refusals import (
    AuthorityIsUnknown,
    BasisIsNotLive,
    BasisIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    FacilityIsFull,
    FacilityIsOfAnotherAuthority,
    FacilityIsUnknown,
    FacilityUseIsProhibited,
    HoldForbidsMove,
    OccurredAtIsBeforeTheLastFact,
    OccurredAtIsInTheFuture,
    OriginAndDestinationAreTheSame,
    PersonIsHeldByAnotherAuthority,
    PersonIsNotHeldHere,
    PersonIsUnknown,
    Refusal,
    RoleIsNotHeld,
    SecondApprovalIsMissing,
    TimeHasNoOffset,
    VersionHasMoved,
    WhereaboutsDiffer,
)
from domain.rules.people.custody import (
    ANYBODY,
    AgreementRequiresConsentToMove,
    PersonIsAlreadyInCustody,
    SupervisionIsMissing,
)
from tests.domain.rules.lives import (
    CLOSED,
    LET_GO,
    NORTH_RUNS,
    NOW,
    TAKEN,
    Before,
    Life,
    certified,
    closed,
    custody_of_region,
    handed_over,
    hold,
    in_custody,
    in_error,
    let_go,
    life,
    move,
    nobodys,
    of_north,
    only,
    opening,
    presence,
    prohibited,
    release,
    without,
)
from tests.domain.rules.rows import told
from tests.scene import (
    ANN,
    AUDIT,
    COURT,
    DIGEST,
    E1,
    E2,
    EAST,
    KEEPER,
    N1,
    N2,
    NO_PARTICULARS,
    NORTH,
    SEALED,
    T1,
    TERMS,
    WATCH,
    Scene,
    agreement,
    at,
    registered,
    registry,
)

CONTRADICTS = "contradicts-known-custody"
BY_ANOTHER = "by-another-authority"
HELD_SINCE = at(TAKEN)

Dual = tuple[Before, str, str, dict[str, Any], Refusal | None, tuple[str, ...]]
"""What had happened, who asks what; what becomes of the claim, and the flags of the same as a report."""


def ground_less() -> Scene:
    """Registered and without any basis."""
    scene = registry(Scene())
    scene.do(NORTH, "register-person", person=ANN, identity_status="established", attributes={}, occurred_at=TAKEN)
    return scene


def with_basis_until(last: str) -> Before:
    def scene() -> Scene:
        started = ground_less()
        started.do(
            NORTH,
            "record-basis",
            person=ANN,
            basis=f"b-{ANN}",
            kind="remand",
            ordering_authority=COURT,
            instrument=DIGEST,
            valid_from="2025-01-01",
            must_end_by=last,
            indeterminate=False,
        )
        return started

    return scene


def seen_elsewhere() -> Scene:
    """Held by north at n-1; east says the person is at e-1."""
    scene = in_custody()
    scene.do(EAST, "report-presence", **presence(facility=E1, occurred_at="2025-02-28T12:00:00Z"))
    return scene


def held_by_east(**terms: str) -> Before:
    return lambda: handed_over(agreement(registry(Scene()), **terms))


def revised(scene: Scene, **terms: object) -> Scene:
    """Both parties have signed a second revision, in force from March on."""
    answer = scene.do(
        NORTH,
        "draft-agreement",
        agreement="a1",
        revision=2,
        parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
        legal_bases=["custody-contract"],
        terms={**TERMS, **terms},
        from_="2025-03-01",
        to="2025-12-31",
    )
    for party in (NORTH, EAST):
        scene.do(party, "sign-agreement", agreement="a1", revision=2, terms_digest=answer.told["terms_digest"])
    return scene


def taken_back_by_east() -> Scene:
    """Handed over under an agreement that asks for consent, released, and taken again by east itself."""
    scene = held_by_east(moves="consent")()
    gone = {**release(facility=E1, mode="report"), "occurred_at": "2025-03-01T12:01:00Z"}
    scene.do(EAST, "record-release", **gone)
    scene.do(EAST, "open-custody", **opening(E1, occurred_at="2025-03-01T12:02:00Z"))
    return scene


OPENINGS: dict[str, Dual] = {
    "nobody holds the person, so an authority may": (nobodys, NORTH, "open-custody", opening(), None, ()),
    "one released is taken again": (let_go, NORTH, "open-custody", opening(), None, ()),
    "one released in error is taken again": (in_error, NORTH, "open-custody", opening(), None, ()),
    "one whose file is closed is taken again": (closed, NORTH, "open-custody", opening(), None, ()),
    "one released by another authority is taken: a claim moves custody, a report does not": (
        let_go,
        EAST,
        "open-custody",
        opening(E1),
        None,
        (BY_ANOTHER, CONTRADICTS),
    ),
    "one whose file is closed has no custodian to differ from": (closed, EAST, "open-custody", opening(E1), None, ()),
    "one in custody is not taken twice": (
        in_custody,
        NORTH,
        "open-custody",
        opening(N2),
        PersonIsAlreadyInCustody(ANN, "held", NORTH, HELD_SINCE),
        (CONTRADICTS, "person-is-already-in-custody"),
    ),
    "nor by another authority": (
        in_custody,
        EAST,
        "open-custody",
        opening(E1),
        PersonIsAlreadyInCustody(ANN, "held", NORTH, HELD_SINCE),
        (BY_ANOTHER, CONTRADICTS, "person-is-already-in-custody"),
    ),
    "nor by one that runs the custodian, which contradicts nothing but the status": (
        custody_of_region,
        NORTH,
        "open-custody",
        opening(N1),
        PersonIsAlreadyInCustody(ANN, "held", NORTH_RUNS, HELD_SINCE),
        (CONTRADICTS, "person-is-already-in-custody"),
    ),
    "only in a place of its own": (
        nobodys,
        NORTH,
        "open-custody",
        opening(E1, authority=NORTH),
        FacilityIsOfAnotherAuthority(E1, NORTH),
        ("facility-is-of-another-authority",),
    ),
    "only in its own name": (
        nobodys,
        NORTH,
        "open-custody",
        opening(N1, authority=EAST),
        FacilityIsOfAnotherAuthority(N1, NORTH),
        ("facility-is-of-another-authority",),
    ),
    "a place of a body it runs is its own": (
        lambda: of_north(nobodys()),
        NORTH,
        "open-custody",
        opening(N1, facility="nr-1"),
        None,
        (),
    ),
    "a place of the body that runs it is not": (
        lambda: of_north(nobodys()),
        NORTH_RUNS,
        "open-custody",
        opening(N1, authority=NORTH_RUNS),
        FacilityIsOfAnotherAuthority(N1, NORTH_RUNS),
        ("facility-is-of-another-authority",),
    ),
    "without any ground nobody is taken": (
        ground_less,
        NORTH,
        "open-custody",
        without(opening(), "basis"),
        BasisIsNotLive(ANN, date(2025, 3, 1)),
        ("basis-is-not-live",),
    ),
    "nor after the ground has ended": (
        with_basis_until("2025-02-28"),
        NORTH,
        "open-custody",
        opening(),
        BasisIsNotLive(ANN, date(2025, 3, 1)),
        ("basis-is-not-live",),
    ),
    "its last day is that of the place": (
        with_basis_until("2025-02-28"),
        NORTH,
        "open-custody",
        opening(occurred_at="2025-02-28T22:59:00Z"),
        None,
        (),
    ),
    "and not a minute longer": (
        with_basis_until("2025-02-28"),
        NORTH,
        "open-custody",
        opening(occurred_at="2025-02-28T23:00:00Z"),
        BasisIsNotLive(ANN, date(2025, 3, 1)),
        ("basis-is-not-live",),
    ),
    "a prohibited place takes nobody in": (
        lambda: prohibited(nobodys(), N1),
        NORTH,
        "open-custody",
        opening(),
        FacilityUseIsProhibited(N1),
        ("facility-use-is-prohibited",),
    ),
    "another place may": (lambda: prohibited(nobodys(), N2), NORTH, "open-custody", opening(), None, ()),
    "the supervisor named is the one in force": (
        nobodys,
        NORTH,
        "open-custody",
        opening(supervising_authority=AUDIT),
        SupervisionIsMissing(N1, AUDIT),
        ("supervision-is-missing",),
    ),
    "a full place takes nobody in": (
        lambda: certified(nobodys(), N1, 0, NORTH),
        NORTH,
        "open-custody",
        opening(),
        FacilityIsFull(N1, date(2025, 3, 1), 0, 1),
        ("facility-is-full",),
    ),
    "unless two officers say so": (
        lambda: certified(nobodys(), N1, 0, NORTH),
        NORTH,
        "open-custody",
        opening(override={"approved_by": ["north-1", "north-2"], "reason": "emergency"}),
        None,
        ("over-capacity",),
    ),
    "an override of one officer lifts nothing": (
        lambda: certified(nobodys(), N1, 0, NORTH),
        NORTH,
        "open-custody",
        opening(override={"approved_by": ["north-1"], "reason": "emergency"}),
        SecondApprovalIsMissing(NORTH),
        ("facility-is-full", "second-approval-is-missing"),
    ),
    "and is refused where there is room too": (
        nobodys,
        NORTH,
        "open-custody",
        opening(override={"approved_by": ["north-1", "north-1"], "reason": "emergency"}),
        SecondApprovalIsMissing(NORTH),
        ("second-approval-is-missing",),
    ),
}

MOVES: dict[str, Dual] = {
    "the custodian moves the person": (in_custody, NORTH, "record-move-within", move(), None, ()),
    "and so does the body that runs it": (
        custody_of_region,
        NORTH,
        "record-move-within",
        move(from_facility="nr-1", to_facility="nr-1"),
        OriginAndDestinationAreTheSame("nr-1"),
        ("origin-and-destination-are-the-same",),
    ),
    "nobody else does": (
        in_custody,
        EAST,
        "record-move-within",
        move(),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, HELD_SINCE),
        (BY_ANOTHER, CONTRADICTS, "person-is-held-by-another-authority"),
    ),
    "after a release the custodian is still another": (
        let_go,
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, HELD_SINCE),
        (
            BY_ANOTHER,
            CONTRADICTS,
            "facility-is-of-another-authority",
            "person-is-held-by-another-authority",
        ),
    ),
    "one never taken is not held": (
        nobodys,
        NORTH,
        "record-move-within",
        move(),
        PersonIsNotHeldHere(ANN, "none"),
        (CONTRADICTS, "person-is-not-held-here"),
    ),
    "one released is not held": (
        let_go,
        NORTH,
        "record-move-within",
        move(),
        PersonIsNotHeldHere(ANN, "released-unverified"),
        (CONTRADICTS, "person-is-not-held-here"),
    ),
    "one whose file is closed is not held": (
        closed,
        NORTH,
        "record-move-within",
        move(),
        PersonIsNotHeldHere(ANN, "released"),
        (CONTRADICTS, "person-is-not-held-here"),
    ),
    "from where the person is": (
        in_custody,
        NORTH,
        "record-move-within",
        move(from_facility=N2, to_facility=N1),
        WhereaboutsDiffer(ANN, f"facility:{N1}"),
        ("whereabouts-differ",),
    ),
    "what another says of the place changes no placement": (
        seen_elsewhere,
        NORTH,
        "record-move-within",
        move(),
        None,
        (),
    ),
    "a move leads somewhere else": (
        in_custody,
        NORTH,
        "record-move-within",
        move(to_facility=N1),
        OriginAndDestinationAreTheSame(N1),
        ("origin-and-destination-are-the-same",),
    ),
    "to another authority's place only a handover leads": (
        in_custody,
        NORTH,
        "record-move-within",
        move(to_facility=E1),
        FacilityIsOfAnotherAuthority(E1, NORTH),
        ("facility-is-of-another-authority",),
    ),
    "not even to that of the body that runs the custodian": (
        custody_of_region,
        NORTH,
        "record-move-within",
        move(from_facility="nr-1", to_facility=N1),
        FacilityIsOfAnotherAuthority(N1, NORTH_RUNS),
        ("facility-is-of-another-authority",),
    ),
    "a hold forbids the move": (
        lambda: hold(in_custody(), "move"),
        NORTH,
        "record-move-within",
        move(),
        HoldForbidsMove(("hold-1",)),
        ("hold-forbids-move",),
    ),
    "a hold that forbids something else does not": (
        lambda: hold(in_custody(), "release", "depart", "hand-over"),
        NORTH,
        "record-move-within",
        move(),
        None,
        (),
    ),
    "a hold that has come since forbids a backdated move too": (
        lambda: hold(in_custody(), "move"),
        NORTH,
        "record-move-within",
        move(occurred_at="2025-02-10T12:00:00Z"),
        HoldForbidsMove(("hold-1",)),
        ("hold-forbids-move", "late"),
    ),
    "under an agreement that asks for consent the receiving side moves nobody": (
        held_by_east(moves="consent"),
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        AgreementRequiresConsentToMove("a1"),
        ("agreement-requires-consent-to-move",),
    ),
    "under another it does": (
        held_by_east(),
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        None,
        (),
    ),
    "consent asked for in an earlier stay binds nobody later": (
        taken_back_by_east,
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2, occurred_at="2025-03-01T12:03:00Z"),
        None,
        (),
    ),
    "a revision that has come since counts": (
        lambda: revised(held_by_east(moves="consent")(), moves="free"),
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        None,
        (),
    ),
    "and so does one that asks for consent": (
        lambda: revised(held_by_east()(), moves="consent"),
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        AgreementRequiresConsentToMove("a1"),
        ("agreement-requires-consent-to-move",),
    ),
    "after the agreement its last terms go on": (
        lambda: held_by_east(moves="consent")().at("2026-01-02T12:00:00Z"),
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2, occurred_at="2026-01-02T12:00:00Z"),
        AgreementRequiresConsentToMove("a1"),
        ("agreement-requires-consent-to-move",),
    ),
    "a prohibited place takes nobody in": (
        lambda: prohibited(in_custody(), N2),
        NORTH,
        "record-move-within",
        move(),
        FacilityUseIsProhibited(N2),
        ("facility-use-is-prohibited",),
    ),
    "and may be left": (lambda: prohibited(in_custody(), N1), NORTH, "record-move-within", move(), None, ()),
    "a full place takes nobody in": (
        lambda: certified(in_custody(), N2, 0, NORTH),
        NORTH,
        "record-move-within",
        move(),
        FacilityIsFull(N2, date(2025, 3, 1), 0, 1),
        ("facility-is-full",),
    ),
    "unless two officers say so": (
        lambda: certified(in_custody(), N2, 0, NORTH),
        NORTH,
        "record-move-within",
        move(override={"approved_by": ["north-1", "north-2"], "reason": "court-order"}),
        None,
        ("over-capacity",),
    ),
    "an override of one officer lifts nothing": (
        lambda: certified(in_custody(), N2, 0, NORTH),
        NORTH,
        "record-move-within",
        move(override={"approved_by": ["north-2", "north-3"], "reason": "court-order"}),
        SecondApprovalIsMissing(NORTH),
        ("facility-is-full", "second-approval-is-missing"),
    ),
}


DUAL = [
    pytest.param(row, id=f"{subject}: {sentence}")
    for subject, rows in (("opening", OPENINGS), ("moving", MOVES))
    for sentence, row in rows.items()
]


@pytest.mark.parametrize("row", DUAL)
def test_as_a_claim(row: Dual) -> None:
    before, by, name, data, refusal, _ = row
    scene = before()
    position = scene.register.position
    assert told(scene.refusal(by, name, **data)) == told(refusal)
    assert (scene.register.position == position) is (refusal is not None)


@pytest.mark.parametrize("row", DUAL)
def test_as_a_report(row: Dual) -> None:
    before, by, name, data, _, flags = row
    assert only(before().do(by, name, mode="report", **data)).flags == flags


def test_every_rule_of_an_opening_in_its_order() -> None:
    """All of it wrong at first, and put right one by one from the front."""
    scene = certified(prohibited(in_custody(), E1), E1, 0, EAST)
    wrong = opening(E1, authority=NORTH, supervising_authority=AUDIT)
    assert only(scene.do(NORTH, "open-custody", mode="report", **wrong)).flags == (
        CONTRADICTS,
        "facility-is-full",
        "facility-is-of-another-authority",
        "facility-use-is-prohibited",
        "person-is-already-in-custody",
        "supervision-is-missing",
    )
    scene.do(NORTH, "register-person", person="p-bo", identity_status="claimed", attributes={})
    bo = without({**wrong, "person": "p-bo"}, "basis")
    assert _codes(scene, NORTH, "open-custody", wrong) == "person-is-already-in-custody"
    assert _codes(scene, NORTH, "open-custody", bo) == "facility-is-of-another-authority"
    bo["authority"] = EAST
    assert _codes(scene, EAST, "open-custody", bo) == "basis-is-not-live"
    registered(scene, "p-cy", occurred_at=TAKEN)
    cy = {**bo, "person": "p-cy"}
    assert _codes(scene, EAST, "open-custody", cy) == "facility-use-is-prohibited"
    cy["occurred_at"] = "2025-02-24T12:00:00Z"
    assert _codes(scene, EAST, "open-custody", cy) == "supervision-is-missing"
    cy["supervising_authority"] = WATCH
    assert _codes(scene, EAST, "open-custody", cy) == "facility-is-full"
    cy["override"] = {"approved_by": ["east-2"], "reason": "emergency"}
    assert _codes(scene, EAST, "open-custody", cy) == "second-approval-is-missing"
    cy["override"] = {"approved_by": ["east-2", "east-1"], "reason": "emergency"}
    assert only(scene.do(EAST, "open-custody", **cy)).flags == ("late", "over-capacity")


def test_every_rule_of_a_move_in_its_order() -> None:
    scene = hold(handed_over(agreement(registry(Scene()), moves="consent")), "move")
    certified(prohibited(scene, T1), T1, 0, "third")
    wrong = move(from_facility=T1, to_facility=T1)
    assert only(scene.do(NORTH, "record-move-within", mode="report", **wrong)).flags == (
        "agreement-requires-consent-to-move",
        BY_ANOTHER,
        CONTRADICTS,
        "facility-is-full",
        "facility-is-of-another-authority",
        "facility-use-is-prohibited",
        "hold-forbids-move",
        "origin-and-destination-are-the-same",
        "person-is-held-by-another-authority",
        "whereabouts-differ",
    )
    assert _codes(scene, NORTH, "record-move-within", wrong) == "person-is-held-by-another-authority"
    assert _codes(scene, EAST, "record-move-within", wrong) == "whereabouts-differ"
    wrong = move(from_facility=E1, to_facility=E1)
    assert _codes(scene, EAST, "record-move-within", wrong) == "origin-and-destination-are-the-same"
    wrong = move(from_facility=E1, to_facility=T1)
    assert _codes(scene, EAST, "record-move-within", wrong) == "facility-is-of-another-authority"
    certified(prohibited(scene, E2), E2, 0, EAST)
    right = move(from_facility=E1, to_facility=E2)
    assert _codes(scene, EAST, "record-move-within", right) == "hold-forbids-move"
    scene.do(COURT, "lift-hold", hold="hold-1", effective_at=NOW, instrument=DIGEST)
    assert _codes(scene, EAST, "record-move-within", right) == "agreement-requires-consent-to-move"


def test_use_is_judged_before_room_for_a_move() -> None:
    scene = certified(prohibited(in_custody(), N2), N2, 0, NORTH)
    assert _codes(scene, NORTH, "record-move-within", move()) == "facility-use-is-prohibited"


def _codes(scene: Scene, by: str, name: str, data: dict[str, Any]) -> str | None:
    refusal = scene.refusal(by, name, **data)
    return refusal.code if refusal is not None else None


# Before every rule.

EDGE: dict[str, tuple[str, str, dict[str, Any], Refusal]] = {
    "a particular is a commitment or none": (
        NORTH,
        "open-custody",
        opening(particulars={**NO_PARTICULARS, "reasons": "theft"}),
        BodyIsMalformed("schema", ("/particulars/reasons",)),
    ),
    "all particulars are answered": (
        NORTH,
        "open-custody",
        opening(particulars=without(dict(NO_PARTICULARS), "family")),
        BodyIsMalformed("schema", ("/particulars/family",)),
    ),
    "an opening says when": (
        NORTH,
        "open-custody",
        without(opening(), "occurred_at"),
        BodyIsMalformed("schema", ("/occurred_at",)),
    ),
    "an entry is listed": (NORTH, "open-custody", opening(entry="again"), CodeIsNotListed(("/entry",))),
    "a move reason is listed": (NORTH, "record-move-within", move(reason="whim"), CodeIsNotListed(("/reason",))),
    "a mode is listed": (NORTH, "record-move-within", move(mode="rumour"), CodeIsNotListed(("/mode",))),
    "a claim is not inferred": (
        NORTH,
        "record-move-within",
        move(inferred=True),
        BodyIsMalformed("schema", ("/",)),
    ),
    "a time has its offset": (
        NORTH,
        "record-move-within",
        move(occurred_at="2025-03-01T12:00:00"),
        TimeHasNoOffset(("/occurred_at",)),
    ),
    "a presence is a presence somewhere": (
        NORTH,
        "report-presence",
        without(presence(), "facility"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "a presence has no mode": (
        NORTH,
        "report-presence",
        presence(mode="report"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "an opening asks for a custody role": (
        WATCH,
        "open-custody",
        opening(),
        RoleIsNotHeld(WATCH, ("sending", "receiving")),
    ),
    "a move asks for a custody role": (
        COURT,
        "record-move-within",
        move(),
        RoleIsNotHeld(COURT, ("sending", "receiving")),
    ),
    "the registrar says nothing about a person": (
        KEEPER,
        "report-presence",
        presence(),
        RoleIsNotHeld(KEEPER, ANYBODY),
    ),
    "the person comes first": (
        NORTH,
        "open-custody",
        opening(person="p-x", facility="f-x"),
        PersonIsUnknown("p-x"),
    ),
    "then the facility": (NORTH, "open-custody", opening(facility="f-x", authority="a-x"), FacilityIsUnknown("f-x")),
    "then the authority": (NORTH, "open-custody", opening(authority="a-x", basis="b-x"), AuthorityIsUnknown("a-x")),
    "then the basis": (NORTH, "open-custody", opening(basis="b-x", deprived_by="a-x"), BasisIsUnknown("b-x")),
    "then who deprived": (
        NORTH,
        "open-custody",
        opening(deprived_by="a-x", supervising_authority="a-y"),
        AuthorityIsUnknown("a-x"),
    ),
    "then who supervises": (NORTH, "open-custody", opening(supervising_authority="a-y"), AuthorityIsUnknown("a-y")),
    "a move names its origin first": (
        NORTH,
        "record-move-within",
        move(from_facility="f-x", to_facility="f-y"),
        FacilityIsUnknown("f-x"),
    ),
    "then its destination": (NORTH, "record-move-within", move(to_facility="f-y"), FacilityIsUnknown("f-y")),
    "a presence names a person": (NORTH, "report-presence", presence(person="p-x"), PersonIsUnknown("p-x")),
    "and a place on record": (NORTH, "report-presence", presence(facility="f-x"), FacilityIsUnknown("f-x")),
    "the future is not yet": (
        NORTH,
        "record-move-within",
        move(occurred_at="2025-03-01T12:05:01Z"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "nor for a report": (
        NORTH,
        "record-move-within",
        move(occurred_at="2025-03-01T12:05:01Z", mode="report"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "nor for a presence": (
        NORTH,
        "report-presence",
        presence(occurred_at="2025-03-01T12:05:01Z"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "the file has moved on": (
        NORTH,
        "record-move-within",
        move(expected_version=2),
        VersionHasMoved(3, 2),
    ),
    "a claim does not precede the last change": (
        NORTH,
        "record-move-within",
        move(occurred_at="2025-02-01T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, HELD_SINCE),
    ),
    "before any rule of its own": (
        EAST,
        "open-custody",
        opening(E1, occurred_at="2025-02-01T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, HELD_SINCE),
    ),
}


@pytest.mark.parametrize("row", EDGE.values(), ids=EDGE.keys())
def test_before_every_rule(row: tuple[str, str, dict[str, Any], Refusal]) -> None:
    by, name, data, refusal = row
    assert told(in_custody().refusal(by, name, **data)) == told(refusal)


def test_a_basis_of_somebody_else_is_unknown() -> None:
    scene = registered(nobodys(), "p-bo")
    assert told(scene.refusal(NORTH, "open-custody", **opening(basis="b-p-bo"))) == told(BasisIsUnknown("b-p-bo"))


# What a report moves.

TARGETS: dict[
    str, tuple[Before, str, str, dict[str, Any], tuple[str, str | None, str | None, str, str, str | None]]
] = {
    "an opening of one nobody held": (
        nobodys,
        EAST,
        "open-custody",
        opening(E1),
        ("held", EAST, EAST, f"facility:{E1}", "open", E1),
    ),
    "an opening of one it holds already": (
        in_custody,
        NORTH,
        "open-custody",
        opening(N2),
        ("held", NORTH, NORTH, f"facility:{N2}", "open", N2),
    ),
    "an opening of one another holds": (
        in_custody,
        EAST,
        "open-custody",
        opening(E1),
        ("held", NORTH, NORTH, f"reported:{E1}", "open", N1),
    ),
    "an opening of one it released": (
        let_go,
        NORTH,
        "open-custody",
        opening(N2),
        ("held", NORTH, NORTH, f"facility:{N2}", "open", N2),
    ),
    "an opening of one another released": (
        let_go,
        EAST,
        "open-custody",
        opening(E1),
        ("released-unverified", NORTH, NORTH, f"reported:{E1}", "open", None),
    ),
    "an opening of one whose file is closed": (
        closed,
        EAST,
        "open-custody",
        opening(E1),
        ("held", EAST, EAST, f"facility:{E1}", "open", E1),
    ),
    "a move of one nobody ever held": (
        nobodys,
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        ("held", EAST, EAST, f"facility:{E2}", "open", E2),
    ),
    "a move by the custodian": (
        in_custody,
        NORTH,
        "record-move-within",
        move(),
        ("held", NORTH, NORTH, f"facility:{N2}", "open", N2),
    ),
    "a move by another authority": (
        in_custody,
        EAST,
        "record-move-within",
        move(from_facility=E1, to_facility=E2),
        ("held", NORTH, NORTH, f"reported:{E2}", "open", N1),
    ),
    "a move after the release": (
        let_go,
        NORTH,
        "record-move-within",
        move(),
        ("held", NORTH, NORTH, f"facility:{N2}", "open", N2),
    ),
    "a move after the file was closed": (
        closed,
        NORTH,
        "record-move-within",
        move(),
        ("held", NORTH, NORTH, f"facility:{N2}", "open", N2),
    ),
}


@pytest.mark.parametrize("row", TARGETS.values(), ids=TARGETS.keys())
def test_what_a_report_moves(row: tuple[Before, str, str, dict[str, Any], Life]) -> None:
    before, by, name, data, after = row
    scene = before()
    scene.do(by, name, mode="report", **data)
    assert life(scene) == after


def test_a_claim_takes_one_whom_another_released() -> None:
    scene = let_go()
    event = only(scene.do(EAST, "open-custody", **opening(E1)))
    assert event.flags == ()
    assert life(scene) == ("held", EAST, EAST, f"facility:{E1}", "open", E1)


# Presence.

PRESENCES: dict[str, tuple[Before, str, dict[str, Any], tuple[str, ...], str]] = {
    "at the place on record": (in_custody, NORTH, presence(), (), f"facility:{N1}"),
    "at the place on record, whoever says so": (in_custody, WATCH, presence(), (), f"facility:{N1}"),
    "at the place on record, ending a contradiction": (seen_elsewhere, EAST, presence(), (), f"facility:{N1}"),
    "elsewhere, by the custodian": (in_custody, NORTH, presence(facility=N2), (CONTRADICTS,), f"reported:{N2}"),
    "elsewhere, by the body that runs the custodian": (
        custody_of_region,
        NORTH,
        presence(facility=N2),
        (CONTRADICTS,),
        f"reported:{N2}",
    ),
    "elsewhere, by another": (
        in_custody,
        EAST,
        presence(facility=E1),
        (BY_ANOTHER, CONTRADICTS),
        f"reported:{E1}",
    ),
    "elsewhere, by another, at no registered place": (
        in_custody,
        WATCH,
        without(presence(place="harbour"), "facility"),
        (BY_ANOTHER, CONTRADICTS),
        "reported:harbour",
    ),
    "elsewhere, by another, while a hold forbids a handover": (
        lambda: hold(in_custody(), "hand-over"),
        EAST,
        presence(facility=E1),
        (BY_ANOTHER, CONTRADICTS, "hold-forbids-handover"),
        f"reported:{E1}",
    ),
    "elsewhere, by the custodian, while a hold forbids a handover": (
        lambda: hold(in_custody(), "hand-over"),
        NORTH,
        presence(facility=N2),
        (CONTRADICTS,),
        f"reported:{N2}",
    ),
    "of one never taken": (nobodys, NORTH, presence(), (CONTRADICTS,), f"reported:{N1}"),
    "of one released": (let_go, NORTH, presence(), (CONTRADICTS,), f"reported:{N1}"),
    "of one released, by another": (
        let_go,
        WATCH,
        presence(),
        (BY_ANOTHER, CONTRADICTS),
        f"reported:{N1}",
    ),
    "of one whose file is closed, which reopens it": (
        closed,
        EAST,
        presence(facility=E1),
        (CONTRADICTS,),
        f"reported:{E1}",
    ),
}


@pytest.mark.parametrize("row", PRESENCES.values(), ids=PRESENCES.keys())
def test_a_presence(row: tuple[Before, str, dict[str, Any], tuple[str, ...], str]) -> None:
    before, by, data, flags, whereabouts = row
    scene = before()
    status, custodian = scene.head().status.value, scene.head().last_custodian
    assert only(scene.do(by, "report-presence", **data)).flags == flags
    head = scene.head()
    assert (head.status.value, head.custodian.value, head.at.value, head.file) == (
        status,
        custodian,
        whereabouts,
        "open",
    )


def test_a_presence_by_another_asks_for_the_ground_too() -> None:
    scene = ground_less()
    scene.do(NORTH, "open-custody", mode="report", **without(opening(occurred_at=TAKEN), "basis"))
    elsewhere = only(scene.do(EAST, "report-presence", **presence(facility=E1)))
    assert elsewhere.flags == ("basis-is-not-live", BY_ANOTHER, CONTRADICTS)


DAYS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "at a place abroad the new day has begun": (
        presence(facility="far-1", occurred_at="2025-02-28T16:00:00Z"),
        ("basis-is-not-live", BY_ANOTHER, CONTRADICTS),
    ),
    "elsewhere the place last named counts": (
        without(presence(place="harbour", occurred_at="2025-02-28T23:30:00Z"), "facility"),
        ("basis-is-not-live", BY_ANOTHER, CONTRADICTS),
    ),
    "where the day has an hour left": (
        without(presence(place="harbour", occurred_at="2025-02-28T22:00:00Z"), "facility"),
        (BY_ANOTHER, CONTRADICTS),
    ),
}


@pytest.mark.parametrize("row", DAYS.values(), ids=DAYS.keys())
def test_the_last_day_of_the_ground_is_that_of_the_place(row: tuple[dict[str, Any], tuple[str, ...]]) -> None:
    data, flags = row
    scene = with_basis_until("2025-02-28")()
    scene.do(NORTH, "open-custody", **opening(occurred_at=TAKEN))
    scene.do(
        KEEPER,
        "register-facility",
        facility="far-1",
        authority=EAST,
        state="SE",
        kind="transit",
        zone="Asia/Tokyo",
        recognised_by=DIGEST,
        supervising_authority=WATCH,
    )
    assert only(scene.do(EAST, "report-presence", **data)).flags == flags


def test_a_presence_reopens_a_closed_file_under_the_last_custodian() -> None:
    scene = closed()
    scene.do(EAST, "report-presence", **presence(facility=E1))
    assert life(scene) == ("released", NORTH, NORTH, f"reported:{E1}", "open", None)


# When it is judged.


def test_a_report_is_judged_at_its_own_time() -> None:
    """Held then and released now: what the move of then says fits, and only comes late."""
    scene = closed()
    flags = only(scene.do(NORTH, "record-move-within", mode="report", **move(occurred_at="2025-02-10T12:00:00Z"))).flags
    assert flags == ("late", "out-of-order")


def test_a_report_before_the_first_fact_finds_nobody_in_custody() -> None:
    scene = in_custody()
    flags = only(scene.do(NORTH, "record-move-within", mode="report", **move(occurred_at="2025-01-31T12:00:00Z"))).flags
    assert flags == (CONTRADICTS, "late", "out-of-order", "person-is-not-held-here")


def test_a_presence_is_judged_at_its_own_time() -> None:
    scene = let_go()
    flags = only(scene.do(EAST, "report-presence", **presence(occurred_at="2025-02-10T12:00:00Z"))).flags
    assert flags == ("late", "out-of-order")


def test_a_fact_known_by_date_alone_stands_after_what_stands_on_that_date() -> None:
    scene = in_custody()
    day = {"occurred_at": "2025-02-01T00:00:00+01:00", "precision": "day"}
    flags = only(scene.do(NORTH, "record-move-within", mode="report", **move(**day))).flags
    assert flags == ("day-precision", "late")
    assert life(scene) == ("held", NORTH, NORTH, f"facility:{N2}", "open", N2)


def test_a_claim_known_by_date_alone_does_not_precede_what_stands_on_that_date() -> None:
    scene = in_custody()
    granted = move(occurred_at="2025-02-01T00:00:00+01:00", precision="day")
    assert only(scene.do(NORTH, "record-move-within", **granted)).flags == ("day-precision", "late")
    earlier = move(occurred_at="2025-01-31T23:59:00+01:00", precision="day")
    assert told(scene.refusal(NORTH, "record-move-within", **earlier)) == told(
        OccurredAtIsBeforeTheLastFact(ANN, at("2025-02-01T10:00:00+01:00"))
    )


def test_the_custodian_of_then_counts() -> None:
    """North had the person on 10 February, whoever has since."""
    scene = handed_over(agreement(registry(Scene())))
    flags = only(scene.do(EAST, "record-move-within", mode="report", **move(occurred_at="2025-02-10T12:00:00Z"))).flags
    assert flags == (BY_ANOTHER, CONTRADICTS, "late", "out-of-order", "person-is-held-by-another-authority")


# Flags beside the rules.

ALIKE: dict[str, tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "the same instant": ("report-presence", presence(), presence(how="roll"), ("looks-like-duplicate",)),
    "the same instant in another zone": (
        "report-presence",
        presence(),
        presence(occurred_at="2025-03-01T13:00:00+01:00"),
        ("looks-like-duplicate",),
    ),
    "another instant": ("report-presence", presence(), presence(occurred_at="2025-03-01T11:59:59Z"), ()),
    "a claim too": (
        "record-move-within",
        move(),
        move(from_facility=N2, to_facility=N1),
        ("looks-like-duplicate",),
    ),
}


@pytest.mark.parametrize("row", ALIKE.values(), ids=ALIKE.keys())
def test_two_alike_look_like_duplicates(row: tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]) -> None:
    name, first, second, flags = row
    scene = in_custody()
    assert only(scene.do(NORTH, name, **first)).flags == ()
    assert only(scene.do(NORTH, name, **second)).flags == flags


def test_another_type_or_person_at_that_instant_is_no_duplicate() -> None:
    scene = registered(in_custody(), "p-bo")
    scene.do(NORTH, "open-custody", **opening(person="p-bo", basis="b-p-bo", occurred_at=NOW))
    assert only(scene.do(NORTH, "record-move-within", **move())).flags == ()


def test_what_counts_no_more_makes_no_duplicate() -> None:
    scene = in_custody()
    first = only(scene.do(NORTH, "report-presence", **presence()))
    scene.do(
        NORTH,
        "correct-fact",
        corrects=first.event_id,
        reason="did-not-occur",
        countersigned_by={"authority": AUDIT, "officer": "audit-1"},
    )
    assert only(scene.do(NORTH, "report-presence", **presence())).flags == ()


def test_the_day_of_a_late_fact() -> None:
    day_before = "2025-02-28T12:00:00Z"
    assert only(in_custody().do(NORTH, "record-move-within", **move(occurred_at=day_before))).flags == ()
    second_more = "2025-02-28T11:59:59Z"
    assert only(in_custody().do(NORTH, "record-move-within", **move(occurred_at=second_more))).flags == ("late",)


def test_the_body_is_kept_whole() -> None:
    scene = nobodys()
    particulars = {**NO_PARTICULARS, "injuries": SEALED}
    event = only(scene.do(NORTH, "open-custody", **opening(particulars=particulars, occurred_at=LET_GO)))
    body = event.body
    assert isinstance(body, CustodyOpened)
    assert (event.stream, event.occurred_at, body.mode, body.basis, body.entry) == (
        f"person:{ANN}",
        at(LET_GO),
        "claim",
        f"b-{ANN}",
        "new",
    )
    assert (body.deprived_at, body.particulars.injuries, body.override) == (
        at("2025-02-01T08:00:00+01:00"),
        SEALED,
        None,
    )


# An importer's facts.

IMPORTED = opening(N1, entry="import", mode="report")


def imported() -> Scene:
    scene = ground_less()
    event = only(scene.do(NORTH, "open-custody", **without({**IMPORTED, "occurred_at": TAKEN}, "basis")))
    assert event.flags == ("basis-is-not-live",)
    return scene


def not_stated(**changes: Any) -> dict[str, Any]:
    checks = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), False)
    data = {"person": ANN, "facility": N1, "kind": "not-stated", "checks": checks, "mode": "report", "inferred": True}
    return {**data, "occurred_at": LET_GO, **changes}


def test_an_imported_stay_carries_the_flags_of_its_source_and_no_others() -> None:
    scene = imported()
    gone = only(scene.do(NORTH, "record-release", **not_stated()))
    assert gone.flags == ("inferred", "release-checks-are-incomplete", "release-is-not-due")
    again = {**IMPORTED, "occurred_at": CLOSED, "inferred": True}
    back = only(scene.do(NORTH, "open-custody", **without(again, "basis")))
    assert back.flags == ("basis-is-not-live", "inferred")
    gone_again = only(scene.do(NORTH, "record-release", **not_stated(occurred_at=NOW)))
    assert gone_again.flags == ("inferred", "release-checks-are-incomplete", "release-is-not-due")


def test_an_imported_move_known_by_date_alone() -> None:
    scene = ground_less()
    day = {"occurred_at": "2025-02-20T00:00:00+01:00", "precision": "day"}
    opened = only(scene.do(NORTH, "open-custody", **without({**IMPORTED, "inferred": True, **day}, "basis")))
    assert opened.flags == ("basis-is-not-live", "day-precision", "inferred")
    moved = only(scene.do(NORTH, "record-move-within", **move(**day)))
    assert moved.flags == ("day-precision", "late")
    assert life(scene) == ("held", NORTH, NORTH, f"facility:{N2}", "open", N2)
