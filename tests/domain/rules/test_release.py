"""Specification rows: ordering a release, carrying it out, confirming it, declaring it an error."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.events.person import PersonReleased, ReleaseOrdered
from domain.refusals import (
    AuthorityIsUnknown,
    BasisIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    FacilityIsUnknown,
    HoldForbidsRelease,
    NobodyConfirmsTheirOwnAct,
    OccurredAtIsBeforeTheLastFact,
    OccurredAtIsInTheFuture,
    PersonIsHeldByAnotherAuthority,
    PersonIsNotHeldHere,
    PersonIsNotInCustody,
    PersonIsUnknown,
    Refusal,
    ReleaseIsUnknown,
    RoleIsNotHeld,
    WhereaboutsDiffer,
)
from domain.rules.people.release import (
    ActorMayNotOrderRelease,
    AnotherBasisStands,
    PersonIsNotReleased,
    ReleaseChecksAreIncomplete,
    ReleaseIsAlreadyOrdered,
    ReleaseIsAlreadyRecorded,
    ReleaseIsAlreadyVerified,
    ReleaseIsDeclaredErroneous,
    ReleaseIsNotDue,
)
from tests.domain.rules.lives import (
    CHECKS,
    CLOSED,
    LET_GO,
    NOW,
    TAKEN,
    Before,
    Life,
    closed,
    custody_of_region,
    error,
    handed_over,
    hold,
    in_custody,
    in_error,
    let_go,
    life,
    nobodys,
    only,
    opening,
    order,
    release,
    verification,
    without,
)
from tests.domain.rules.rows import told
from tests.scene import (
    ANN,
    AUDIT,
    COURT,
    DIGEST,
    E1,
    EAST,
    N1,
    N2,
    NORTH,
    THIRD,
    WATCH,
    Scene,
    agreement,
    at,
    basis,
    registry,
)

CONTRADICTS = "contradicts-known-custody"
BY_ANOTHER = "by-another-authority"
ANNS = f"b-{ANN}"
HELD_SINCE = at(TAKEN)


def grounds(scene: Scene, *ids: str, **changes: object) -> Scene:
    """Further bases of the person."""
    for id_ in ids:
        scene.do(NORTH, "record-basis", person=ANN, **basis(id_, **changes))
    return scene


def ordered(scene: Scene | None = None, **changes: Any) -> Scene:
    """A court has ordered the release."""
    scene = scene or in_custody()
    scene.do(COURT, "order-release", **order(**changes), occurred_at="2025-02-19T10:00:00+01:00")
    return scene


def dated(release_due_on: str, scene: Scene | None = None, *bases: str) -> Scene:
    """A release date is in force."""
    scene = scene or in_custody()
    scene.do(
        NORTH,
        "set-release-date",
        person=ANN,
        release_due_on=release_due_on,
        bases=list(bases or (ANNS,)),
        method="sentence",
        inputs=DIGEST,
        occurred_at="2025-02-10T10:00:00+01:00",
    )
    return scene


def without_any_basis() -> Scene:
    scene = registry(Scene())
    scene.do(NORTH, "register-person", person=ANN, identity_status="established", attributes={}, occurred_at=TAKEN)
    scene.do(NORTH, "open-custody", mode="report", **without(opening(occurred_at=TAKEN), "basis"))
    return scene


def basis_over() -> Scene:
    """The only ground ended on 20 February."""
    scene = registry(Scene())
    scene.do(NORTH, "register-person", person=ANN, identity_status="established", attributes={}, occurred_at=TAKEN)
    scene.do(NORTH, "record-basis", person=ANN, **basis(ANNS, must_end_by="2025-02-20"), occurred_at=TAKEN)
    scene.do(NORTH, "open-custody", **opening(occurred_at=TAKEN))
    return scene


# The order.

Row = tuple[Before, str, str, dict[str, Any], Refusal | None]

ORDERS: dict[str, Row] = {
    "a court orders it": (in_custody, COURT, "order-release", order(), None),
    "the State that ordered custody does": (in_custody, NORTH, "order-release", order(), None),
    "one never taken is not let go": (nobodys, COURT, "order-release", order(), PersonIsNotInCustody(ANN, "none")),
    "nor one let go": (
        let_go,
        COURT,
        "order-release",
        order(release="r-2"),
        PersonIsNotInCustody(ANN, "released-unverified"),
    ),
    "nor one whose file is closed": (
        closed,
        COURT,
        "order-release",
        order(release="r-2"),
        PersonIsNotInCustody(ANN, "released"),
    ),
    "another State does not order it": (in_custody, EAST, "order-release", order(), ActorMayNotOrderRelease(EAST)),
    "one that ordered a basis long over does not either": (
        basis_over,
        NORTH,
        "order-release",
        order(),
        ActorMayNotOrderRelease(NORTH),
    ),
    "a court does then": (basis_over, COURT, "order-release", order(), None),
    "one order waits at a time": (
        ordered,
        COURT,
        "order-release",
        order(release="r-2"),
        ReleaseIsAlreadyOrdered("r-1"),
    ),
    "an id on record is not used again": (
        lambda: taken_again(let_go()),
        COURT,
        "order-release",
        order(ground="parole"),
        ReleaseIsAlreadyOrdered("r-1"),
    ),
    "what it does not end keeps the person": (
        lambda: grounds(in_custody(), "b-2", "b-3"),
        COURT,
        "order-release",
        order(bases=[ANNS, "b-3"]),
        AnotherBasisStands(("b-2",)),
    ),
    "a basis that has not begun keeps nobody": (
        lambda: grounds(in_custody(), "b-2", valid_from="2025-03-02"),
        COURT,
        "order-release",
        order(),
        None,
    ),
    "a hold forbids it": (
        lambda: hold(in_custody(), "release"),
        COURT,
        "order-release",
        order(),
        HoldForbidsRelease(("hold-1",)),
    ),
    "a hold that forbids something else does not": (
        lambda: hold(in_custody(), "move", "depart", "hand-over"),
        COURT,
        "order-release",
        order(),
        None,
    ),
}


def taken_again(scene: Scene) -> Scene:
    """In custody again from 25 February on."""
    scene.do(NORTH, "open-custody", **opening(occurred_at="2025-02-25T10:00:00+01:00"))
    return scene


# What becomes of it.


def let_go_again(id_: str) -> Scene:
    """Released in error, taken back, released once more."""
    scene = taken_again(in_error())
    scene.do(COURT, "order-release", **order(release=id_), occurred_at="2025-02-26T10:00:00+01:00")
    scene.do(NORTH, "record-release", **release(), occurred_at="2025-02-26T12:00:00+01:00")
    return scene


def reported_by_east() -> Scene:
    scene = in_custody()
    scene.do(EAST, "record-release", mode="report", **release(release="r-east", occurred_at=NOW))
    return scene


ENDINGS: dict[str, Row] = {
    "the monitor confirms it": (let_go, WATCH, "verify-release", verification(occurred_at=NOW), None),
    "another State confirms it": (let_go, EAST, "verify-release", verification(occurred_at=NOW), None),
    "of one never taken there is no release": (
        nobodys,
        WATCH,
        "verify-release",
        verification(occurred_at=NOW),
        ReleaseIsUnknown("r-1"),
    ),
    "an order is no release": (
        ordered,
        WATCH,
        "verify-release",
        verification(occurred_at=NOW),
        PersonIsNotReleased(ANN, "held"),
    ),
    "one taken again is not released": (
        lambda: taken_again(let_go()),
        WATCH,
        "verify-release",
        verification(occurred_at=NOW),
        PersonIsNotReleased(ANN, "held"),
    ),
    "one is not released by an earlier release": (
        lambda: let_go_again("r-2"),
        WATCH,
        "verify-release",
        verification(occurred_at=NOW),
        PersonIsNotReleased(ANN, "released-unverified"),
    ),
    "only by the latest": (
        lambda: let_go_again("r-2"),
        WATCH,
        "verify-release",
        verification(release="r-2", occurred_at=NOW),
        None,
    ),
    "a release another authority reported can't be confirmed": (
        reported_by_east,
        WATCH,
        "verify-release",
        verification(release="r-east", occurred_at=NOW),
        PersonIsNotReleased(ANN, "held"),
    ),
    "an error is not confirmed, not by its own either": (
        in_error,
        NORTH,
        "verify-release",
        verification(occurred_at=NOW),
        ReleaseIsDeclaredErroneous("r-1"),
    ),
    "nobody confirms their own release": (
        let_go,
        NORTH,
        "verify-release",
        verification(occurred_at=NOW),
        NobodyConfirmsTheirOwnAct("S3"),
    ),
    "nor once it is confirmed": (
        closed,
        f"{NORTH}/north-9",
        "verify-release",
        verification(occurred_at=NOW),
        NobodyConfirmsTheirOwnAct("S3"),
    ),
    "once is enough": (
        closed,
        COURT,
        "verify-release",
        verification(occurred_at=NOW),
        ReleaseIsAlreadyVerified("r-1"),
    ),
    "not before the release": (
        let_go,
        WATCH,
        "verify-release",
        verification(occurred_at="2025-02-20T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, at(LET_GO)),
    ),
    "the custodian declares its error": (let_go, NORTH, "declare-release-erroneous", error(), None),
    "a confirmed release can be an error": (closed, COURT, "declare-release-erroneous", error(), None),
    "there is no error without a release": (
        ordered,
        COURT,
        "declare-release-erroneous",
        error(),
        PersonIsNotReleased(ANN, "held"),
    ),
    "nor in an earlier one": (
        lambda: let_go_again("r-2"),
        COURT,
        "declare-release-erroneous",
        error(occurred_at="2025-02-20T08:59:59Z"),
        PersonIsNotReleased(ANN, "released-unverified"),
    ),
    "an error is not declared before the release": (
        in_error,
        COURT,
        "declare-release-erroneous",
        error(occurred_at="2025-02-20T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, at(LET_GO)),
    ),
    "an error is declared once": (
        in_error,
        NORTH,
        "declare-release-erroneous",
        error(),
        ReleaseIsDeclaredErroneous("r-1"),
    ),
    "an error is found between the release and its confirmation": (
        closed,
        COURT,
        "declare-release-erroneous",
        error(occurred_at="2025-02-20T12:00:00Z"),
        None,
    ),
}


@pytest.mark.parametrize("row", [*ORDERS.values(), *ENDINGS.values()], ids=[*ORDERS, *ENDINGS])
def test_a_claim(row: Row) -> None:
    before, by, name, data, refusal = row
    scene = before()
    position = scene.register.position
    assert told(scene.refusal(by, name, **data)) == told(refusal)
    assert (scene.register.position == position) is (refusal is not None)


# The release.

Dual = tuple[Before, str, dict[str, Any], Refusal | None, tuple[str, ...]]
"""What had happened, who records which release; what becomes of the claim, and the flags of the same as a report."""


def let(**changes: Any) -> dict[str, Any]:
    return release(**{"occurred_at": NOW, **changes})


RELEASES: dict[str, Dual] = {
    "the custodian carries out the order": (ordered, NORTH, let(), None, ()),
    "and so does the body that runs the custodian": (
        lambda: ordered(custody_of_region()),
        NORTH,
        let(facility="nr-1"),
        None,
        (),
    ),
    "nobody else does": (
        ordered,
        EAST,
        let(),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, HELD_SINCE),
        (BY_ANOTHER, CONTRADICTS, "person-is-held-by-another-authority"),
    ),
    "after a release the custodian is still another": (
        let_go,
        EAST,
        let(facility=E1),
        PersonIsHeldByAnotherAuthority(ANN, NORTH, HELD_SINCE),
        (
            "another-basis-stands",
            BY_ANOTHER,
            CONTRADICTS,
            "person-is-held-by-another-authority",
            "release-is-not-due",
        ),
    ),
    "one never taken is not held": (
        nobodys,
        NORTH,
        let(),
        PersonIsNotHeldHere(ANN, "none"),
        ("another-basis-stands", CONTRADICTS, "person-is-not-held-here", "release-is-not-due"),
    ),
    "one released is not held": (
        let_go,
        NORTH,
        let(),
        PersonIsNotHeldHere(ANN, "released-unverified"),
        ("another-basis-stands", CONTRADICTS, "person-is-not-held-here", "release-is-not-due"),
    ),
    "one whose file is closed is not held": (
        closed,
        NORTH,
        let(),
        PersonIsNotHeldHere(ANN, "released"),
        ("another-basis-stands", CONTRADICTS, "person-is-not-held-here", "release-is-not-due"),
    ),
    "from where the person is": (
        ordered,
        NORTH,
        let(facility=N2),
        WhereaboutsDiffer(ANN, f"facility:{N1}"),
        ("whereabouts-differ",),
    ),
    "not before the order's time": (
        lambda: ordered(due_at="2025-03-01T12:00:01Z"),
        NORTH,
        let(),
        ReleaseIsNotDue(ANN, None),
        ("release-is-not-due",),
    ),
    "at the order's time": (lambda: ordered(due_at=NOW), NORTH, let(), None, ()),
    "an order that came half an hour after must have been due": (
        ordered,
        NORTH,
        release(occurred_at="2025-02-19T08:30:00Z"),
        ReleaseIsNotDue(ANN, None),
        ("late", "release-is-not-due"),
    ),
    "one that was due by then lets the person go": (
        lambda: ordered(due_at="2025-02-19T08:00:00Z"),
        NORTH,
        release(occurred_at="2025-02-19T08:30:00Z"),
        None,
        ("late",),
    ),
    "on the release date": (lambda: dated("2025-02-28"), NORTH, let(occurred_at="2025-02-28T13:00:00Z"), None, ()),
    "not the day before, as the place counts days": (
        lambda: dated("2025-02-28"),
        NORTH,
        release(occurred_at="2025-02-27T22:59:00Z"),
        ReleaseIsNotDue(ANN, date(2025, 2, 28)),
        ("late", "release-is-not-due"),
    ),
    "from its first minute on, as the place counts days": (
        lambda: dated("2025-02-28"),
        NORTH,
        release(occurred_at="2025-02-27T23:00:00Z"),
        None,
        ("late",),
    ),
    "a date on a weekend is reached on the Friday before": (
        lambda: dated("2025-03-02"),
        NORTH,
        release(occurred_at="2025-02-28T13:00:00Z"),
        None,
        (),
    ),
    "but not where a detainer waits for it": (
        lambda: dated("2025-03-02", grounds(in_custody(), "b-2", kind="detainer"), ANNS, "b-2"),
        NORTH,
        release(occurred_at="2025-02-28T13:00:00Z"),
        ReleaseIsNotDue(ANN, date(2025, 3, 2)),
        ("release-is-not-due",),
    ),
    "a closed day of the place counts as a weekend": (
        lambda: dated("2025-03-04", handed_over(on_holiday("2025-03-04"))),
        EAST,
        release(facility=E1, occurred_at=NOW),
        ReleaseIsNotDue(ANN, date(2025, 3, 3)),
        ("release-is-not-due",),
    ),
    "without order or date the ground must be over": (
        in_custody,
        NORTH,
        let(),
        ReleaseIsNotDue(ANN, None),
        ("another-basis-stands", "release-is-not-due"),
    ),
    "and once it is, the release is due": (basis_over, NORTH, let(), None, ()),
    "its last day is a day of custody": (
        basis_over,
        NORTH,
        release(occurred_at="2025-02-20T22:59:00Z"),
        ReleaseIsNotDue(ANN, None),
        ("another-basis-stands", "late", "release-is-not-due"),
    ),
    "where no ground was ever recorded, none is over": (
        without_any_basis,
        NORTH,
        let(),
        ReleaseIsNotDue(ANN, None),
        ("release-is-not-due",),
    ),
    "a ground the order does not end keeps the person": (
        lambda: grounds(ordered(), "b-2"),
        NORTH,
        let(),
        AnotherBasisStands(("b-2",)),
        ("another-basis-stands",),
    ),
    "a ground the date does not end keeps the person": (
        lambda: grounds(dated("2025-02-28"), "b-2"),
        NORTH,
        let(),
        AnotherBasisStands(("b-2",)),
        ("another-basis-stands",),
    ),
    "the order's grounds go before the date's": (
        lambda: grounds(dated("2025-02-28", ordered()), "b-2"),
        NORTH,
        let(),
        AnotherBasisStands(("b-2",)),
        ("another-basis-stands",),
    ),
    "a hold forbids it": (
        lambda: hold(ordered(), "release"),
        NORTH,
        let(),
        HoldForbidsRelease(("hold-1",)),
        ("hold-forbids-release",),
    ),
    "a hold that has come since forbids a backdated release too": (
        lambda: hold(ordered(due_at="2025-02-19T12:00:00Z"), "release"),
        NORTH,
        release(occurred_at="2025-02-19T13:00:00Z"),
        HoldForbidsRelease(("hold-1",)),
        ("hold-forbids-release", "late"),
    ),
    "every check is made": (
        ordered,
        NORTH,
        let(checks={**CHECKS, "money": False, "identity": False}),
        ReleaseChecksAreIncomplete(("identity", "money")),
        ("release-checks-are-incomplete",),
    ),
}


def on_holiday(*days: str) -> Scene:
    return agreement(registry(Scene()), holidays={"sending": [], "receiving": list(days)})


@pytest.mark.parametrize("row", RELEASES.values(), ids=RELEASES.keys())
def test_a_release_as_a_claim(row: Dual) -> None:
    before, by, data, refusal, _ = row
    scene = before()
    position = scene.register.position
    assert told(scene.refusal(by, "record-release", **data)) == told(refusal)
    assert (scene.register.position == position) is (refusal is not None)


@pytest.mark.parametrize("row", RELEASES.values(), ids=RELEASES.keys())
def test_a_release_as_a_report(row: Dual) -> None:
    before, by, data, _, flags = row
    assert only(before().do(by, "record-release", mode="report", **data)).flags == flags


def code(scene: Scene, by: str, name: str, data: dict[str, Any]) -> str | None:
    refusal = scene.refusal(by, name, **data)
    return refusal.code if refusal is not None else None


def test_every_rule_of_an_order_in_its_order() -> None:
    scene = hold(grounds(ordered(), "b-2"), "release")
    wrong = order(release="r-2", bases=[])
    assert code(scene, EAST, "order-release", wrong) == "actor-may-not-order-release"
    assert code(scene, COURT, "order-release", wrong) == "release-is-already-ordered"
    scene = hold(grounds(in_custody(), "b-2"), "release")
    assert code(scene, COURT, "order-release", wrong) == "another-basis-stands"
    assert code(scene, COURT, "order-release", order(bases=[ANNS, "b-2"])) == "hold-forbids-release"
    scene = hold(let_go(), "release")
    assert code(scene, EAST, "order-release", wrong) == "person-is-not-in-custody"


def test_every_rule_of_a_release_in_its_order() -> None:
    scene = hold(in_custody(), "release")
    wrong = let(facility=N2, checks=dict.fromkeys(CHECKS, False))
    assert code(scene, EAST, "record-release", wrong) == "person-is-held-by-another-authority"
    assert code(scene, NORTH, "record-release", wrong) == "whereabouts-differ"
    wrong["facility"] = N1
    assert code(scene, NORTH, "record-release", wrong) == "release-is-not-due"
    dated("2025-02-28", grounds(scene, "b-2"), ANNS)
    assert code(scene, NORTH, "record-release", wrong) == "another-basis-stands"
    ordered(taken := hold(grounds(in_custody(), "b-2"), "move"), bases=[ANNS, "b-2"])
    taken.do(
        COURT,
        "place-hold",
        hold="hold-2",
        persons=[ANN],
        forbids=["release"],
        effective_at=NOW,
        instrument=DIGEST,
    )
    assert code(taken, NORTH, "record-release", wrong) == "hold-forbids-release"
    taken.do(COURT, "lift-hold", hold="hold-2", effective_at=NOW, instrument=DIGEST)
    assert code(taken, NORTH, "record-release", wrong) == "release-checks-are-incomplete"


def test_every_rule_that_fails_is_a_flag() -> None:
    scene = hold(in_custody(), "release")
    wrong = let(facility=N2, checks=dict.fromkeys(CHECKS, False))
    assert only(scene.do(EAST, "record-release", mode="report", **wrong)).flags == (
        "another-basis-stands",
        BY_ANOTHER,
        CONTRADICTS,
        "hold-forbids-release",
        "person-is-held-by-another-authority",
        "release-checks-are-incomplete",
        "release-is-not-due",
        "whereabouts-differ",
    )


# Before every rule.

EDGE: dict[str, tuple[str, str, dict[str, Any], Refusal]] = {
    "a ground is listed": (COURT, "order-release", order(ground="mercy"), CodeIsNotListed(("/ground",))),
    "a kind is listed": (NORTH, "record-release", let(kind="lost"), CodeIsNotListed(("/kind",))),
    "a State is recognised": (NORTH, "record-release", let(to_state="XX"), CodeIsNotListed(("/to_state",))),
    "every check is answered": (
        NORTH,
        "record-release",
        let(checks=without(dict(CHECKS), "file_copy")),
        BodyIsMalformed("schema", ("/checks/file_copy",)),
    ),
    "a release says when": (
        NORTH,
        "record-release",
        release(),
        BodyIsMalformed("schema", ("/occurred_at",)),
    ),
    "a confirmation says when": (WATCH, "verify-release", verification(), BodyIsMalformed("schema", ("/occurred_at",))),
    "a confirmation has no mode": (
        WATCH,
        "verify-release",
        verification(occurred_at=NOW, mode="report"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "how is listed": (
        WATCH,
        "verify-release",
        verification(how="rumour", occurred_at=NOW),
        CodeIsNotListed(("/how",)),
    ),
    "an error reason is listed": (
        COURT,
        "declare-release-erroneous",
        error(reason="regret"),
        CodeIsNotListed(("/reason",)),
    ),
    "the monitor orders nothing": (WATCH, "order-release", order(), RoleIsNotHeld(WATCH, ("sending", "court"))),
    "the monitor releases nobody": (WATCH, "record-release", let(), RoleIsNotHeld(WATCH, ("sending", "receiving"))),
    "the auditor confirms nothing": (
        AUDIT,
        "verify-release",
        verification(occurred_at=NOW),
        RoleIsNotHeld(AUDIT, ("monitor", "sending", "court", "counsel")),
    ),
    "the monitor declares no error": (
        WATCH,
        "declare-release-erroneous",
        error(),
        RoleIsNotHeld(WATCH, ("court", "sending", "receiving")),
    ),
    "an order names a person": (COURT, "order-release", order(person="p-x"), PersonIsUnknown("p-x")),
    "and grounds on record": (COURT, "order-release", order(bases=[ANNS, "b-x"]), BasisIsUnknown("b-x")),
    "a release names a person": (NORTH, "record-release", let(person="p-x", facility="f-x"), PersonIsUnknown("p-x")),
    "then a place": (NORTH, "record-release", let(facility="f-x", to_authority="a-x"), FacilityIsUnknown("f-x")),
    "then an authority": (NORTH, "record-release", let(to_authority="a-x", release="r-9"), AuthorityIsUnknown("a-x")),
    "then the order that waits": (NORTH, "record-release", let(release="r-9"), ReleaseIsUnknown("r-9")),
    "also as a report": (NORTH, "record-release", let(release="r-9", mode="report"), ReleaseIsUnknown("r-9")),
    "a confirmation names a person": (
        WATCH,
        "verify-release",
        verification(person="p-x", occurred_at=NOW),
        PersonIsUnknown("p-x"),
    ),
    "and a release on record": (
        WATCH,
        "verify-release",
        verification(release="r-9", occurred_at=NOW),
        ReleaseIsUnknown("r-9"),
    ),
    "as does an error": (COURT, "declare-release-erroneous", error(release="r-9"), ReleaseIsUnknown("r-9")),
    "the future is not yet": (
        NORTH,
        "record-release",
        release(occurred_at="2025-03-01T12:05:01Z", mode="report"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "a release does not precede the last change": (
        NORTH,
        "record-release",
        release(occurred_at="2025-02-01T08:59:59Z"),
        OccurredAtIsBeforeTheLastFact(ANN, HELD_SINCE),
    ),
}


@pytest.mark.parametrize("row", EDGE.values(), ids=EDGE.keys())
def test_before_every_rule(row: tuple[str, str, dict[str, Any], Refusal]) -> None:
    by, name, data, refusal = row
    assert told(ordered().refusal(by, name, **data)) == told(refusal)


# One id.


def test_the_release_takes_the_id_of_the_order() -> None:
    scene = ordered()
    body = only(scene.do(NORTH, "record-release", **let())).body
    assert isinstance(body, PersonReleased)
    assert (body.release, scene.head().order) == ("r-1", None)


def test_the_order_can_be_named() -> None:
    body = only(ordered().do(NORTH, "record-release", **let(release="r-1"))).body
    assert isinstance(body, PersonReleased)
    assert body.release == "r-1"


def test_without_an_order_the_caller_brings_an_id_or_one_is_drawn() -> None:
    brought = only(basis_over().do(NORTH, "record-release", **let(release="r-own"))).body
    drawn = only(basis_over().do(NORTH, "record-release", **let())).body
    assert isinstance(brought, PersonReleased)
    assert isinstance(drawn, PersonReleased)
    assert brought.release == "r-own"
    assert drawn.release.startswith("00000000-0000-7000-8000-")


def test_a_drawn_id_of_an_order_is_that_of_its_release() -> None:
    scene = in_custody()
    drawn = only(scene.do(COURT, "order-release", **without(order(), "release"))).body
    assert isinstance(drawn, ReleaseOrdered)
    body = only(scene.do(NORTH, "record-release", **let())).body
    assert isinstance(body, PersonReleased)
    assert body.release == drawn.release
    assert drawn.release.startswith("00000000-0000-7000-8000-")


def test_an_id_names_one_release() -> None:
    scene = taken_again(let_go())
    again = release(release="r-1", occurred_at=NOW)
    assert told(scene.refusal(NORTH, "record-release", **again)) == told(ReleaseIsAlreadyRecorded("r-1"))
    assert told(scene.refusal(NORTH, "record-release", mode="report", **again)) == told(ReleaseIsAlreadyRecorded("r-1"))


def test_another_id_names_another_release() -> None:
    body = only(taken_again(let_go()).do(NORTH, "record-release", mode="report", **let(release="r-2"))).body
    assert isinstance(body, PersonReleased)
    assert body.release == "r-2"


def test_an_order_whose_release_did_not_occur_is_carried_out_under_its_id() -> None:
    scene = let_go()
    wrong = next(event for event in scene.events() if isinstance(event.body, PersonReleased))
    audited = {"authority": AUDIT, "officer": "audit-1"}
    scene.do(NORTH, "correct-fact", corrects=wrong.event_id, reason="did-not-occur", countersigned_by=audited)
    body = only(scene.do(NORTH, "record-release", **let(release="r-1"))).body
    assert isinstance(body, PersonReleased)
    assert body.release == "r-1"


def test_a_late_report_of_an_earlier_release_leaves_a_later_order_alone() -> None:
    scene = taken_again(in_error())
    scene.do(COURT, "order-release", **order(release="r-2"), occurred_at="2025-02-26T10:00:00+01:00")
    report = release(mode="report", occurred_at="2025-02-10T12:00:00Z")
    body = only(scene.do(NORTH, "record-release", **report)).body
    head = scene.head()
    assert isinstance(body, PersonReleased)
    assert body.release not in ("r-1", "r-2")
    assert head.order is not None
    assert head.order.body.release == "r-2"


def test_an_order_sent_again_is_a_repeat() -> None:
    scene = ordered()
    again = scene.do(COURT, "order-release", **order())
    assert again.replayed
    assert only(again).wire == "release-ordered.v1"


def test_a_repeat_is_not_mixed_with_what_another_authority_recorded_under_a_key_of_the_same_name() -> None:
    scene = in_custody()
    scene.do(COURT, "order-release", key="same", **order(), occurred_at="2025-02-19T10:00:00+01:00")
    scene.do(NORTH, "record-release", key="same", **let(release="r-1"))
    again = scene.do(COURT, "order-release", key="other", **order())
    assert (again.replayed, only(again).wire) == (True, "release-ordered.v1")


# What it moves.

ENDS: dict[str, tuple[Before, str, str, dict[str, Any], Life]] = {
    "a release": (
        ordered,
        NORTH,
        "record-release",
        let(),
        ("released-unverified", NORTH, NORTH, "at-liberty", "open", None),
    ),
    "a deportation": (
        ordered,
        NORTH,
        "record-release",
        let(kind="deported", to_state="SE"),
        ("released-unverified", NORTH, NORTH, "deported:SE", "open", None),
    ),
    "a release to an authority": (
        ordered,
        NORTH,
        "record-release",
        let(kind="to-authority", to_authority=THIRD),
        ("released-unverified", NORTH, NORTH, f"outside:{THIRD}", "open", None),
    ),
    "a release reported by another": (
        ordered,
        EAST,
        "record-release",
        let(mode="report"),
        ("held", NORTH, NORTH, "reported:at-liberty", "open", N1),
    ),
    "a release reported of one never taken": (
        nobodys,
        EAST,
        "record-release",
        let(mode="report"),
        ("released-unverified", NORTH, None, "at-liberty", "open", None),
    ),
    "a release reported after the file was closed": (
        closed,
        NORTH,
        "record-release",
        let(mode="report"),
        ("released-unverified", NORTH, NORTH, "at-liberty", "open", None),
    ),
    "its confirmation": (
        let_go,
        WATCH,
        "verify-release",
        verification(occurred_at=NOW),
        ("released", None, None, "at-liberty", "closed", None),
    ),
    "its error": (
        let_go,
        COURT,
        "declare-release-erroneous",
        error(),
        ("released-unverified", NORTH, NORTH, "at-liberty-in-error", "open", None),
    ),
    "its error, once confirmed": (
        closed,
        COURT,
        "declare-release-erroneous",
        error(),
        ("released-unverified", NORTH, NORTH, "at-liberty-in-error", "open", None),
    ),
    "its error, found before it was confirmed": (
        closed,
        COURT,
        "declare-release-erroneous",
        error(occurred_at="2025-02-20T12:00:00Z"),
        ("released-unverified", NORTH, NORTH, "at-liberty-in-error", "open", None),
    ),
}


@pytest.mark.parametrize("row", ENDS.values(), ids=ENDS.keys())
def test_what_it_moves(row: tuple[Before, str, str, dict[str, Any], Life]) -> None:
    before, by, name, data, after = row
    scene = before()
    scene.do(by, name, **data)
    assert life(scene) == after


# Flags beside the rules.


def test_a_report_is_judged_at_its_own_time() -> None:
    """Nobody had let the person go on 10 February, so the report of then fits the status."""
    scene = closed()
    event = only(scene.do(NORTH, "record-release", mode="report", **release(occurred_at="2025-02-10T12:00:00Z")))
    assert event.flags == ("another-basis-stands", "late", "out-of-order", "release-is-not-due")


def test_an_error_declared_for_before_the_confirmation_is_out_of_order() -> None:
    event = only(closed().do(COURT, "declare-release-erroneous", **error(occurred_at="2025-02-20T12:00:00Z")))
    assert event.flags == ("late", "out-of-order")


def test_two_releases_at_one_instant_look_like_duplicates() -> None:
    scene = let_go()
    event = only(scene.do(NORTH, "record-release", mode="report", **release(occurred_at=LET_GO)))
    assert "looks-like-duplicate" in event.flags


def test_a_confirmation_may_come_late() -> None:
    event = only(let_go().do(WATCH, "verify-release", **verification(occurred_at=CLOSED)))
    assert event.flags == ("late",)


def test_a_confirmation_and_an_error_known_by_date_alone_do_not_precede_the_release_of_that_date() -> None:
    day = {"occurred_at": f"{at(LET_GO).date()}T00:00:00+01:00", "precision": "day"}
    assert only(let_go().do(WATCH, "verify-release", **verification(**day))).flags == ("day-precision", "late")
    assert only(let_go().do(COURT, "declare-release-erroneous", **error(**day))).flags == ("day-precision", "late")
