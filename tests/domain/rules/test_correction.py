"""Specification rows: declaring a fact wrong, putting the right one in its place, and undoing that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from domain.events import BODIES
from domain.events.epoch import EpochOpened
from domain.events.event import Event
from domain.events.person import CustodyOpened, FactCorrected, PersonReleased
from domain.refusals import (
    AuthorityIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    CountersignatureIsMissing,
    EventIsUnknown,
    FacilityIsUnknown,
    NobodyConfirmsTheirOwnAct,
    OccurredAtIsInTheFuture,
    Refusal,
    RoleIsNotHeld,
    TimeHasNoOffset,
    VersionHasMoved,
)
from domain.register import PERSONAL
from domain.rules.acts import ACTS
from domain.rules.correction import (
    ActorDidNotIssueIt,
    CorrectionCanOnlyBeUndone,
    EventHasItsOwnRemedy,
    EventIsAlreadyCorrected,
    ReplacementIsMissing,
    ReplacementIsOfAnotherKind,
)
from ledger.writer.submission import Answer
from tests.domain.billing import fees
from tests.domain.rules.lives import (
    CHECKS,
    NOW,
    TAKEN,
    certified,
    closed,
    handed_over,
    hold,
    in_custody,
    in_error,
    let_go,
    life,
    move,
    opening,
    presence,
    release,
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
    NORTH,
    THIRD,
    WATCH,
    Scene,
    acceptance,
    agreement,
    approved,
    at,
    held,
    offered,
    registry,
    requested,
    story,
)

NOBODY = "00000000-0000-7000-8000-ffffffffffff"
BY_AUDITOR = {"authority": AUDIT, "officer": "audit-1"}
BY_EAST = {"authority": EAST, "officer": "east-9"}
BY_NORTH = {"authority": NORTH, "officer": "north-9"}


def recorded(scene: Scene, wire: str, nth: int = -1) -> Event:
    """The last event of that type, or another one."""
    return [event for event in scene.events() if event.wire == f"{wire}.v1"][nth]


def content(event: Event) -> dict[str, Any]:
    """The body of an event as DOMAIN lists it: what a replacement is made of."""
    whole = msgspec.json.decode(msgspec.json.encode(event.body), type=dict[str, Any])
    return {name: value for name, value in whole.items() if name not in ("flags", "mode", "precision")}


def right(event: Event, occurred_at: str | None = None, **changes: Any) -> dict[str, Any]:
    """The same content, with changes."""
    when = occurred_at if occurred_at is not None else event.occurred_at.isoformat()
    return {"occurred_at": when, "body": {**content(event), **changes}}


def correct(
    scene: Scene, event: Event, reason: str = "did-not-occur", signed: dict[str, str] = BY_AUDITOR, **data: Any
) -> Answer:
    """The one who recorded the event corrects it."""
    return scene.do(
        event.actor.authority,
        "correct-fact",
        corrects=event.event_id,
        reason=reason,
        countersigned_by=signed,
        **data,
    )


def refused(scene: Scene, by: str, event: Event | str, reason: str = "did-not-occur", **data: Any) -> Refusal | None:
    corrects = event if isinstance(event, str) else event.event_id
    return scene.refusal(by, "correct-fact", corrects=corrects, reason=reason, **data)


def moved() -> Scene:
    """Held by north, moved from n-1 to n-2 on 10 February."""
    scene = in_custody()
    scene.do(NORTH, "record-move-within", **move(occurred_at="2025-02-10T12:00:00Z"))
    return scene


def accepted_by_east() -> Scene:
    return handed_over(story())


# The rules, in their order. Each row: what had happened, who corrects which event how, and what follows.

Row = tuple[Callable[[], Scene], str, Callable[[Scene], dict[str, Any]], Callable[[Scene], Refusal | None]]


def of(wire: str, nth: int = -1, **data: Any) -> Callable[[Scene], dict[str, Any]]:
    """Declare the event of that type not to have occurred, unless `data` says otherwise."""
    return lambda scene: {
        "corrects": recorded(scene, wire, nth).event_id,
        "reason": "did-not-occur",
        "countersigned_by": BY_AUDITOR,
        **data,
    }


def corrected_once() -> Scene:
    scene = moved()
    correct(scene, recorded(scene, "moved-within"))
    return scene


def replaced_once() -> Scene:
    scene = moved()
    wrong = recorded(scene, "moved-within")
    correct(scene, wrong, "incorrect-data", replacement=right(wrong, reason="medical"))
    return scene


def replacement_fallen() -> Scene:
    """A move replaced, and the correction undone."""
    scene = replaced_once()
    correct(scene, recorded(scene, "fact-corrected"))
    return scene


def corrected_anew() -> Scene:
    """A move corrected, that undone, and the move corrected again."""
    scene = corrected_once()
    correct(scene, recorded(scene, "fact-corrected"))
    correct(scene, recorded(scene, "moved-within"))
    return scene


def undone() -> Scene:
    scene = corrected_once()
    correct(scene, recorded(scene, "fact-corrected"))
    return scene


def already(wire: str, nth: int, by: int | None) -> Callable[[Scene], Refusal]:
    return lambda scene: EventIsAlreadyCorrected(
        recorded(scene, wire, nth).event_id,
        recorded(scene, "fact-corrected", by).event_id if by is not None else None,
    )


def about(refusal: Callable[..., Refusal], wire: str, *rest: str) -> Callable[[Scene], Refusal]:
    return lambda scene: refusal(recorded(scene, wire).event_id, *rest)


def just(refusal: Refusal | None) -> Callable[[Scene], Refusal | None]:
    return lambda _scene: refusal


def court_cancelled() -> Scene:
    """A transfer that a court called off."""
    scene = requested(held(story()))
    scene.do(COURT, "cancel-transfer", transfer="tr-1", reason="made-in-error", fault="none")
    return scene


def refused_by_east() -> Scene:
    scene = approved(held(story()))
    answer = offered(scene)
    scene.do(
        EAST,
        "refuse-handover",
        handover="h-1",
        answers=answer.events[0].leaf_hash,
        reasons=["papers-missing"],
        occurred_at=NOW,
    )
    return scene


def request_taken_back() -> Scene:
    """The request of a transfer did not occur."""
    scene = requested(held(story()))
    correct(scene, recorded(scene, "transfer-requested"), signed=BY_EAST)
    return scene


def invoiced() -> Scene:
    """March is billed."""
    scene = fees.priced(fees.agreed(registry(Scene(now="2025-04-02T10:00:00Z"))))
    fees.issued(fees.spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00"))
    return scene


def regimes() -> Scene:
    """A place with another supervisor from April on, and then prohibited by a court."""
    scene = in_custody()
    regime = {"facility": N1, "supervising_authority": AUDIT, "from_": "2025-04-01T00:00:00Z"}
    scene.do(KEEPER, "set-facility-regime", **regime, use="permitted")
    scene.do(COURT, "set-facility-regime", **regime, use="prohibited")
    return scene


def presence_twice() -> Scene:
    """One presence reported twice, and a different one."""
    scene = in_custody()
    for _ in range(2):
        scene.do(NORTH, "report-presence", **presence())
    return scene


def acceptance_undone() -> Scene:
    """The acceptance was corrected away."""
    scene = accepted_by_east()
    correct(scene, recorded(scene, "handover-accepted"), signed=BY_NORTH)
    return scene


def first_taken_back() -> Scene:
    scene = presence_twice()
    correct(scene, recorded(scene, "presence-reported", 0))
    return scene


def presence_of_bo() -> Scene:
    scene = in_custody()
    scene.do(NORTH, "register-person", person="p-bo", identity_status="claimed", attributes={})
    scene.do(NORTH, "report-presence", **presence(person="p-bo"))
    scene.do(NORTH, "report-presence", **presence())
    return scene


def replacing(wire: str, **changes: Any) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: of(wire, reason="incorrect-data", replacement=right(recorded(scene, wire), **changes))(scene)


def keeping(wire: str, kept: str, nth: int) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: of(wire, reason="duplicate", kept=recorded(scene, kept, nth).event_id)(scene)


MOVED = "moved-within"
CORRECTED = "fact-corrected"
ROWS: dict[str, Row] = {
    "what did not occur is taken back": (moved, NORTH, of(MOVED), just(None)),
    "one correction counts": (corrected_once, NORTH, of(MOVED), already(MOVED, -1, -1)),
    "whatever it says besides": (
        corrected_once,
        EAST,
        of(MOVED, reason="incorrect-data", countersigned_by=BY_EAST),
        already(MOVED, -1, -1),
    ),
    "what was replaced is corrected in its replacement": (replaced_once, NORTH, of(MOVED), just(None)),
    "and not again itself": (replaced_once, NORTH, of(MOVED, 0), already(MOVED, 0, -1)),
    "a replacement that has fallen away is corrected no more": (
        replacement_fallen,
        NORTH,
        of(MOVED),
        already(MOVED, -1, None),
    ),
    "a correction is undone": (corrected_once, NORTH, of(CORRECTED), just(None)),
    "once": (undone, NORTH, of(CORRECTED, 0), already(CORRECTED, 0, -1)),
    "an undoing is undone": (undone, NORTH, of(CORRECTED), just(None)),
    "unless the event it is about has been corrected otherwise since": (
        corrected_anew,
        NORTH,
        of(CORRECTED, 1),
        already(MOVED, -1, -1),
    ),
    "a correction is not replaced": (
        corrected_once,
        NORTH,
        of(CORRECTED, reason="incorrect-data", replacement={"occurred_at": NOW, "body": {"anything": 1}}),
        about(CorrectionCanOnlyBeUndone, CORRECTED),
    ),
    "nor a duplicate": (
        corrected_once,
        EAST,
        of(CORRECTED, reason="duplicate", countersigned_by=BY_EAST),
        about(CorrectionCanOnlyBeUndone, CORRECTED),
    ),
    "a hold is lifted": (
        lambda: hold(in_custody(), "move"),
        COURT,
        of("hold-placed", countersigned_by=None),
        about(EventHasItsOwnRemedy, "hold-placed", "lift"),
    ),
    "an agreement is denounced": (
        story,
        EAST,
        of("agreement-signed", countersigned_by=None),
        about(EventHasItsOwnRemedy, "agreement-signed", "denounce"),
    ),
    "an invoice is credited": (
        invoiced,
        EAST,
        of("invoice-issued", countersigned_by=None),
        about(EventHasItsOwnRemedy, "invoice-issued", "credit-note"),
    ),
    "what stands of an authority is overtaken by what is recorded later": (
        in_custody,
        KEEPER,
        of("authority-roles-set"),
        about(EventHasItsOwnRemedy, "authority-roles-set", "later-record"),
    ),
    "what stands of a place is overtaken by what is recorded later": (
        in_custody,
        KEEPER,
        of("facility-registered"),
        about(EventHasItsOwnRemedy, "facility-registered", "later-record"),
    ),
    "by whoever recorded that": (
        regimes,
        KEEPER,
        of("facility-regime-set", 0),
        lambda scene: EventHasItsOwnRemedy(recorded(scene, "facility-regime-set", 0).event_id, "later-record"),
    ),
    "whatever it is about": (
        regimes,
        COURT,
        of("facility-regime-set"),
        about(EventHasItsOwnRemedy, "facility-regime-set", "later-record"),
    ),
    "nothing puts right what is closed, paid or told by the ledger itself": (
        invoiced,
        EAST,
        of("epoch-opened"),
        about(EventHasItsOwnRemedy, "epoch-opened", "none"),
    ),
    "only who recorded it corrects it": (
        moved,
        EAST,
        of(MOVED, countersigned_by=None),
        about(ActorDidNotIssueIt, MOVED, NORTH),
    ),
    "any officer of that authority": (moved, f"{NORTH}/north-2", of(MOVED), just(None)),
    "nobody corrects alone": (
        moved,
        NORTH,
        of(MOVED, countersigned_by=None),
        just(CountersignatureIsMissing("auditor")),
    ),
    "a fact with one side is the auditor's to confirm": (
        moved,
        NORTH,
        of(MOVED, countersigned_by=BY_EAST),
        just(CountersignatureIsMissing("auditor")),
    ),
    "nobody confirms their own": (
        moved,
        NORTH,
        of(MOVED, countersigned_by=BY_NORTH, reason="incorrect-data"),
        just(NobodyConfirmsTheirOwnAct("S6")),
    ),
    "an acceptance is the sending State's to confirm": (
        accepted_by_east,
        EAST,
        of("handover-accepted", countersigned_by=BY_NORTH),
        just(None),
    ),
    "not the auditor's": (
        accepted_by_east,
        EAST,
        of("handover-accepted"),
        just(CountersignatureIsMissing("sending")),
    ),
    "nor its own": (
        accepted_by_east,
        EAST,
        of("handover-accepted", countersigned_by=BY_EAST),
        just(NobodyConfirmsTheirOwnAct("S6")),
    ),
    "nor that of another authority of its State": (
        accepted_by_east,
        EAST,
        of("handover-accepted", countersigned_by={"authority": THIRD, "officer": "third-1"}),
        just(CountersignatureIsMissing("sending")),
    ),
    "an offer is the receiving State's to confirm": (
        accepted_by_east,
        NORTH,
        of("handover-offered", countersigned_by=BY_EAST),
        just(None),
    ),
    "not the auditor's either": (
        accepted_by_east,
        NORTH,
        of("handover-offered"),
        just(CountersignatureIsMissing("receiving")),
    ),
    "a refusal is the sending State's to confirm": (
        refused_by_east,
        EAST,
        of("handover-refused"),
        just(CountersignatureIsMissing("sending")),
    ),
    "a request is the receiving State's to confirm": (
        accepted_by_east,
        NORTH,
        of("transfer-requested"),
        just(CountersignatureIsMissing("receiving")),
    ),
    "and confirmed by it": (
        accepted_by_east,
        NORTH,
        of("transfer-requested", countersigned_by=BY_EAST),
        just(None),
    ),
    "an approval is the sending State's to confirm": (
        accepted_by_east,
        EAST,
        of("transfer-approved", countersigned_by=BY_NORTH),
        just(None),
    ),
    "evidence too has two sides": (
        accepted_by_east,
        EAST,
        of("condition-evidenced", 1, countersigned_by=BY_AUDITOR),
        just(CountersignatureIsMissing("sending")),
    ),
    "an event of a transfer is corrected once too": (
        request_taken_back,
        NORTH,
        of("transfer-requested", countersigned_by=BY_EAST),
        already("transfer-requested", -1, -1),
    ),
    "and that is undone by its sides": (request_taken_back, NORTH, of(CORRECTED, countersigned_by=BY_EAST), just(None)),
    "not by an auditor": (request_taken_back, NORTH, of(CORRECTED), just(CountersignatureIsMissing("receiving"))),
    "a court's act on a transfer is either party's to confirm": (
        court_cancelled,
        COURT,
        of("transfer-cancelled", countersigned_by=BY_NORTH),
        just(None),
    ),
    "either's": (court_cancelled, COURT, of("transfer-cancelled", countersigned_by=BY_EAST), just(None)),
    "but not the auditor's": (
        court_cancelled,
        COURT,
        of("transfer-cancelled"),
        just(CountersignatureIsMissing("either-party")),
    ),
    "a court's order about a person is the auditor's to confirm": (
        let_go,
        COURT,
        of("release-ordered", countersigned_by=BY_NORTH),
        just(CountersignatureIsMissing("auditor")),
    ),
    "an undoing has the sides of the fact": (
        acceptance_undone,
        EAST,
        of(CORRECTED),
        just(CountersignatureIsMissing("sending")),
    ),
    "and is confirmed by them": (
        acceptance_undone,
        EAST,
        of(CORRECTED, countersigned_by=BY_NORTH),
        just(None),
    ),
    "incorrect data come with the right ones": (
        moved,
        NORTH,
        of(MOVED, reason="incorrect-data"),
        about(ReplacementIsMissing, MOVED),
    ),
    "of duplicates one is kept": (
        presence_twice,
        NORTH,
        of("presence-reported", reason="duplicate"),
        about(ReplacementIsMissing, "presence-reported"),
    ),
    "another one": (
        presence_twice,
        NORTH,
        keeping("presence-reported", "presence-reported", -1),
        about(ReplacementIsMissing, "presence-reported"),
    ),
    "one that counts": (
        first_taken_back,
        NORTH,
        keeping("presence-reported", "presence-reported", 0),
        about(ReplacementIsMissing, "presence-reported"),
    ),
    "one of its kind": (
        presence_twice,
        NORTH,
        keeping("presence-reported", "custody-opened", 0),
        about(ReplacementIsOfAnotherKind, "presence-reported"),
    ),
    "one of the same person": (
        presence_of_bo,
        NORTH,
        keeping("presence-reported", "presence-reported", 0),
        about(ReplacementIsOfAnotherKind, "presence-reported"),
    ),
    "a duplicate is taken away": (
        presence_twice,
        NORTH,
        keeping("presence-reported", "presence-reported", 0),
        just(None),
    ),
    "another release is another fact": (
        let_go,
        NORTH,
        replacing("person-released", release="r-9"),
        about(ReplacementIsOfAnotherKind, "person-released"),
    ),
    "another person's registration is another fact": (
        in_custody,
        NORTH,
        replacing("person-registered", person="p-bo"),
        about(ReplacementIsOfAnotherKind, "person-registered"),
    ),
    "the same thing said rightly is a replacement": (
        let_go,
        NORTH,
        replacing("person-released", kind="deported", to_state="SE"),
        just(None),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_correction(row: Row) -> None:
    before, by, asks, follows = row
    scene = before()
    data, expected = asks(scene), follows(scene)
    position = scene.register.position
    data = {name: value for name, value in data.items() if value is not None}
    assert told(scene.refusal(by, "correct-fact", **data)) == told(expected)
    assert (scene.register.position == position) is (expected is not None)


# Before every rule.


def lacking(wire: str, *names: str) -> Callable[[Scene], dict[str, Any]]:
    def asks(scene: Scene) -> dict[str, Any]:
        data = replacing(wire)(scene)
        for name in names:
            del data["replacement"]["body"][name]
        return data

    return asks


def later(occurred_at: str) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: of(MOVED, reason="incorrect-data", replacement=right(recorded(scene, MOVED), occurred_at))(
        scene
    )


EDGE: dict[str, tuple[str, Callable[[Scene], dict[str, Any]], Refusal]] = {
    "a reason is listed": (NORTH, of(MOVED, reason="regret"), CodeIsNotListed(("/reason",))),
    "nothing replaces what did not occur": (
        NORTH,
        lambda scene: {**replacing(MOVED)(scene), "reason": "did-not-occur"},
        BodyIsMalformed("schema", ("/",)),
    ),
    "nothing is kept of incorrect data": (
        NORTH,
        lambda scene: {**replacing(MOVED)(scene), "kept": NOBODY},
        BodyIsMalformed("schema", ("/",)),
    ),
    "the role is that of the act": (WATCH, of(MOVED), RoleIsNotHeld(WATCH, ("sending", "receiving"))),
    "which any role is until the event is known": (WATCH, of(MOVED, corrects=NOBODY), EventIsUnknown(NOBODY)),
    "an event is on record": (NORTH, of(MOVED, corrects=NOBODY), EventIsUnknown(NOBODY)),
    "the event comes before the schema of its replacement": (
        NORTH,
        lambda scene: {**replacing(MOVED, reason="whim")(scene), "corrects": NOBODY},
        EventIsUnknown(NOBODY),
    ),
    "a replacement has no field that its event has not": (
        NORTH,
        replacing(MOVED, person=ANN, facility=N1),
        BodyIsMalformed("schema", ("/replacement/body/person", "/replacement/body/facility")),
    ),
    "nor those that are taken over": (
        NORTH,
        replacing(MOVED, flags=[], mode="claim", precision="minute"),
        BodyIsMalformed("schema", ("/replacement/body/flags", "/replacement/body/mode", "/replacement/body/precision")),
    ),
    "it is whole": (
        NORTH,
        lacking(MOVED, "to_facility", "reason"),
        BodyIsMalformed("schema", ("/replacement/body/to_facility", "/replacement/body/reason")),
    ),
    "it keeps the form of each field": (
        NORTH,
        replacing(MOVED, to_facility="N 2"),
        BodyIsMalformed("schema", ("/replacement/body/to_facility",)),
    ),
    "and of what is nested in it": (
        NORTH,
        replacing("custody-opened", particulars={"reasons": "theft"}),
        BodyIsMalformed(
            "schema",
            (
                "/replacement/body/particulars/reasons",
                "/replacement/body/particulars/injuries",
                "/replacement/body/particulars/complaints",
                "/replacement/body/particulars/property",
                "/replacement/body/particulars/family",
                "/replacement/body/particulars/emergency_contact",
            ),
        ),
    ),
    "its codes are listed": (NORTH, replacing(MOVED, reason="whim"), CodeIsNotListed(("/replacement/body/reason",))),
    "its times have their offset": (
        NORTH,
        replacing("custody-opened", deprived_at="2025-02-01T08:00:00"),
        TimeHasNoOffset(("/replacement/body/deprived_at",)),
    ),
    "its schema comes before any id": (
        NORTH,
        lambda scene: {
            **replacing(MOVED, reason="whim", to_facility="f-x")(scene),
            "countersigned_by": {"authority": "a-x", "officer": "o"},
        },
        CodeIsNotListed(("/replacement/body/reason",)),
    ),
    "its ids are on record": (
        NORTH,
        lambda scene: {
            **replacing(MOVED, to_facility="f-x")(scene),
            "countersigned_by": {"authority": "a-x", "officer": "o"},
        },
        FacilityIsUnknown("f-x"),
    ),
    "one kept is on record": (NORTH, of(MOVED, reason="duplicate", kept=NOBODY), EventIsUnknown(NOBODY)),
    "who countersigns is on record": (
        NORTH,
        of(MOVED, countersigned_by={"authority": "a-x", "officer": "o"}),
        AuthorityIsUnknown("a-x"),
    ),
    "the right fact does not lie ahead": (
        NORTH,
        later("2025-03-01T12:05:01Z"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "nor does the correction": (
        NORTH,
        of(MOVED, occurred_at="2025-03-01T12:05:01Z"),
        OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(NOW)),
    ),
    "the file has moved on": (NORTH, of(MOVED, expected_version=3), VersionHasMoved(4, 3)),
}


@pytest.mark.parametrize("row", EDGE.values(), ids=EDGE.keys())
def test_before_every_rule(row: tuple[str, Callable[[Scene], dict[str, Any]], Refusal]) -> None:
    by, asks, refusal = row
    scene = moved()
    assert told(scene.refusal(by, "correct-fact", **asks(scene))) == told(refusal)


PARTIES, TREASURIES = ("sending", "receiving"), ("treasury-payee", "treasury-payer")
ROLES: dict[str, tuple[Callable[[], Scene], str, Callable[[Scene], dict[str, Any]], tuple[str, ...]]] = {
    "a hold is a court's": (lambda: hold(in_custody(), "move"), NORTH, of("hold-placed"), ("court",)),
    "an undoing is asked for as its fact is": (corrected_once, WATCH, of(CORRECTED), PARTIES),
    "an authority is the registrar's": (in_custody, NORTH, of("authority-registered"), ("registrar",)),
    "and its roles": (in_custody, EAST, of("authority-roles-set"), ("registrar",)),
    "a place is the registrar's": (in_custody, NORTH, of("facility-registered"), ("registrar",)),
    "who supervises it too": (regimes, COURT, of("facility-regime-set", 0), ("registrar",)),
    "not what it may be used for": (regimes, KEEPER, of("facility-regime-set"), ("court", "monitor", *PARTIES)),
    "its capacity is its own": (
        lambda: certified(story(), N1, 40, NORTH),
        KEEPER,
        of("facility-capacity-certified"),
        PARTIES,
    ),
    "a draft is the parties'": (story, COURT, of("agreement-drafted"), PARTIES),
    "so is a signature": (story, WATCH, of("agreement-signed"), PARTIES),
    "a schedule is the treasuries'": (invoiced, THIRD, of("fee-schedule-proposed"), TREASURIES),
    "whoever signs it": (invoiced, COURT, of("fee-schedule-signed"), TREASURIES),
    "a month is the payee's": (invoiced, NORTH, of("custody-days-closed"), ("treasury-payee",)),
    "so is an invoice": (invoiced, NORTH, of("invoice-issued"), ("treasury-payee",)),
    "with its days": (invoiced, NORTH, of("custody-days-billed"), ("treasury-payee",)),
    "and its lines": (invoiced, NORTH, of("invoice-line-issued"), ("treasury-payee",)),
}


@pytest.mark.parametrize("row", ROLES.values(), ids=ROLES.keys())
def test_the_role_is_that_of_the_command_that_recorded_the_fact(
    row: tuple[Callable[[], Scene], str, Callable[[Scene], dict[str, Any]], tuple[str, ...]],
) -> None:
    before, by, asks, roles = row
    scene = before()
    assert told(scene.refusal(by, "correct-fact", **asks(scene))) == told(RoleIsNotHeld(by, roles))


def test_a_command_has_recorded_every_kind_of_fact() -> None:
    assert {*ACTS, FactCorrected, EpochOpened} == set(BODIES.values())


def test_a_role_scoped_to_the_agreement_is_enough() -> None:
    scene = accepted_by_east()
    roles = [{"role": "receiving", "from": "2024-01-01", "agreement": "a1"}]
    scene.do(KEEPER, "set-authority-roles", authority=EAST, roles=roles)
    correct(scene, recorded(scene, "handover-accepted"), signed=BY_NORTH)
    correct(scene, recorded(scene, "fact-corrected"), signed=BY_NORTH)


def test_a_role_of_another_agreement_is_not() -> None:
    scene = agreement(accepted_by_east(), "a2")
    roles = [{"role": "receiving", "from": "2024-01-01", "agreement": "a2"}]
    scene.do(KEEPER, "set-authority-roles", authority=EAST, roles=roles)
    answer = refused(scene, EAST, recorded(scene, "handover-accepted"), countersigned_by=BY_NORTH)
    assert told(answer) == told(RoleIsNotHeld(EAST, ("receiving",)))


@pytest.mark.parametrize("wire", ["agreement-signed", "custody-days-closed", "invoice-issued"])
def test_nor_for_what_is_agreed_or_billed(wire: str) -> None:
    scene = agreement(invoiced(), "a2")
    event = recorded(scene, wire, 0) if wire != "agreement-signed" else recorded(scene, wire, 1)
    for scope, code in (("a1", "event-has-its-own-remedy"), ("a2", "role-is-not-held")):
        roles = [{"role": role, "from": "2024-01-01", "agreement": scope} for role in ("receiving", "treasury-payee")]
        scene.do(KEEPER, "set-authority-roles", authority=EAST, roles=roles)
        assert _code(scene, EAST, event, "did-not-occur") == code


def test_every_rule_in_its_order() -> None:
    """An undoing with everything wrong, and put right one by one from the front."""
    scene = corrected_anew()
    assert _code(scene, EAST, recorded(scene, MOVED), "incorrect-data") == "event-is-already-corrected"
    correction = recorded(scene, CORRECTED)
    assert _code(scene, EAST, correction, "incorrect-data") == "correction-can-only-be-undone"
    hold(scene, "move")
    placed = recorded(scene, "hold-placed")
    assert _code(scene, COURT, placed, "incorrect-data") == "event-has-its-own-remedy"
    scene = moved()
    wrong = recorded(scene, MOVED)
    assert _code(scene, EAST, wrong, "incorrect-data") == "actor-did-not-issue-it"
    assert _code(scene, NORTH, wrong, "incorrect-data") == "countersignature-is-missing"
    assert _code(scene, NORTH, wrong, "incorrect-data", BY_NORTH) == "nobody-confirms-their-own-act"
    assert _code(scene, NORTH, wrong, "incorrect-data", BY_AUDITOR) == "replacement-is-missing"


def _code(scene: Scene, by: str, event: Event, reason: str, signed: dict[str, str] | None = None) -> str | None:
    data = {"countersigned_by": signed} if signed is not None else {}
    refusal = refused(scene, by, event, reason, **data)
    return refusal.code if refusal is not None else None


# What it records.


def test_the_correction_names_its_replacement_which_follows_on_the_same_stream() -> None:
    scene = moved()
    wrong = recorded(scene, MOVED)
    replacement = right(wrong, "2025-02-11T09:00:00+01:00", reason="medical")
    correction, replaced = correct(scene, wrong, "incorrect-data", replacement=replacement).events
    assert isinstance(correction.body, FactCorrected)
    assert (correction.body.corrects, correction.body.replacement) == (wrong.event_id, replaced.event_id)
    assert (correction.stream, correction.occurred_at) == (wrong.stream, at(NOW))
    assert correction.body.countersigned_by is not None
    assert correction.body.countersigned_by.authority == AUDIT
    assert (replaced.stream, replaced.occurred_at) == (wrong.stream, at("2025-02-11T09:00:00+01:00"))
    assert content(replaced) == {**content(wrong), "reason": "medical"}


def test_a_replacement_keeps_the_mode_and_what_was_inferred_and_no_other_flag() -> None:
    scene = in_custody()
    report = release(kind="not-stated", checks=dict.fromkeys(CHECKS, False), occurred_at="2025-02-20T10:00:00+01:00")
    scene.do(NORTH, "record-release", mode="report", inferred=True, **report)
    wrong = recorded(scene, "person-released")
    assert "release-is-not-due" in wrong.flags
    answer = correct(scene, wrong, "incorrect-data", replacement=right(wrong, kind="at-liberty"))
    replaced = answer.events[1].body
    assert isinstance(replaced, PersonReleased)
    assert (replaced.mode, replaced.flags, replaced.kind) == ("report", ("inferred",), "at-liberty")


def test_a_replacement_of_a_claim_is_one_and_may_be_late_and_known_by_date_alone() -> None:
    scene = in_custody()
    wrong = recorded(scene, "custody-opened")
    day = {**right(wrong, "2025-02-02T00:00:00+01:00"), "precision": "day"}
    replaced = correct(scene, wrong, "incorrect-data", replacement=day).events[1].body
    assert isinstance(replaced, CustodyOpened)
    assert (replaced.mode, replaced.precision, replaced.flags) == ("claim", "day", ("day-precision", "late"))


def test_no_rule_of_its_command_judges_a_replacement() -> None:
    """It says what was: a place of another authority, unsupervised and full, and before the last change."""
    scene = moved()
    wrong = recorded(scene, "custody-opened")
    changes = {"facility": E1, "supervising_authority": AUDIT}
    replacement = right(wrong, "2025-02-20T10:00:00+01:00", **changes)
    correct(scene, wrong, "incorrect-data", replacement=replacement)
    assert life(scene) == ("held", NORTH, NORTH, f"facility:{E1}", "open", E1)


def whole_story() -> Scene:
    """A record in which every kind of fact stands that can be replaced."""
    scene = accepted_by_east()
    scene.do(
        NORTH,
        "set-release-date",
        person=ANN,
        release_due_on="2025-03-01",
        bases=[f"b-{ANN}"],
        method="sentence",
        inputs=DIGEST,
    )
    scene.do(EAST, "record-move-within", **move(from_facility=E1, to_facility=E2))
    scene.do(WATCH, "report-presence", **presence(facility=E2))
    scene.do(COURT, "order-release", person=ANN, **_order_fields())
    scene.do(EAST, "record-release", **release(facility=E2, occurred_at=NOW))
    scene.do(WATCH, "verify-release", person=ANN, release="r-1", how="seen", evidence=DIGEST, occurred_at=NOW)
    scene.do(COURT, "declare-release-erroneous", person=ANN, release="r-1", reason="hold-missed", instrument=DIGEST)
    return scene


def _order_fields() -> dict[str, Any]:
    return {
        "release": "r-1",
        "ground": "court-order",
        "bases": [f"b-{ANN}"],
        "due_at": "2025-03-01T11:00:00Z",
        "instrument": DIGEST,
    }


def rejected_by_east() -> Scene:
    scene = requested(held(story()))
    scene.do(EAST, "reject-transfer", transfer="tr-1", reason="other", explanation="sha256:" + "b" * 64)
    return scene


STORIES = (whole_story, refused_by_east, rejected_by_east, court_cancelled)
REPLACEABLE = [kind for kind in ACTS if kind.stream_kind in PERSONAL and not kind.wire.startswith("hold-")]
TWO_SIDED = ("transfer", "condition", "handover")


@pytest.mark.parametrize("kind", REPLACEABLE, ids=lambda kind: kind.wire)
def test_every_kind_of_fact_can_be_replaced_by_the_same_content(kind: Any) -> None:
    """Read back through its command, a body comes out as it went in, and moves nothing."""
    for started in STORIES:
        scene = started()
        found = [event for event in scene.events() if isinstance(event.body, kind)]
        if not found:
            continue
        wrong, before = found[0], life(scene)
        signed = BY_AUDITOR
        if wrong.wire.startswith(TWO_SIDED):
            signed = BY_NORTH if wrong.actor.authority != NORTH else BY_EAST
        replaced = correct(scene, wrong, "incorrect-data", signed, replacement=right(wrong)).events[1]
        assert type(replaced.body) is kind
        assert content(replaced) == content(wrong)
        assert life(scene) == before
        return
    pytest.fail(f"no story has a {kind.wire}")


# What it changes.


def test_an_acceptance_that_did_not_occur_leaves_custody_where_it_was() -> None:
    scene = acceptance_undone()
    assert life(scene) == ("held", NORTH, NORTH, f"facility:{N1}", "open", N1)
    offer = scene.register.offer("h-1")
    assert offer is not None
    assert offer.status == "open"
    answers = recorded(scene, "handover-offered").leaf_hash
    data = {**acceptance(offered_answer(scene)), "answers": answers}
    scene.do(EAST, "accept-handover", **data, occurred_at=NOW)
    assert life(scene)[:3] == ("held", NORTH, EAST)


def offered_answer(scene: Scene) -> Answer:
    event = recorded(scene, "handover-offered")
    return Answer(position=event.position, events=(event,), told={})


def test_undoing_the_correction_brings_the_acceptance_back() -> None:
    scene = accepted_by_east()
    before = life(scene)
    correct(scene, recorded(scene, "handover-accepted"), signed=BY_NORTH)
    assert life(scene) != before
    correct(scene, recorded(scene, CORRECTED), signed=BY_NORTH)
    assert life(scene) == before


def test_an_undoing_can_itself_be_undone() -> None:
    scene = undone()
    assert life(scene)[-1] == N2
    correct(scene, recorded(scene, CORRECTED))
    assert life(scene)[-1] == N1


def test_a_replaced_replacement_counts_in_the_first_ones_place() -> None:
    scene = replaced_once()
    wrong = recorded(scene, MOVED)
    correct(scene, wrong, "incorrect-data", replacement=right(wrong, to_facility=N1, from_facility=N2))
    assert life(scene)[-1] == N1
    placement = scene.head().placement
    assert placement is not None
    assert placement.since == at(TAKEN)


def test_a_duplicate_leaves_the_kept_one() -> None:
    scene = presence_twice()
    correct(
        scene,
        recorded(scene, "presence-reported"),
        "duplicate",
        kept=recorded(scene, "presence-reported", 0).event_id,
    )
    assert life(scene)[3] == f"facility:{N1}"


def test_a_release_that_did_not_occur_opens_the_file_again() -> None:
    scene = closed()
    correct(scene, recorded(scene, "person-released"))
    assert life(scene) == ("held", NORTH, NORTH, f"facility:{N1}", "open", N1)
    assert scene.head().order is not None


def test_an_error_that_was_none_closes_nothing_and_lets_the_release_stand() -> None:
    scene = in_error()
    correct(scene, recorded(scene, "release-declared-erroneous"))
    assert life(scene) == ("released-unverified", NORTH, NORTH, "at-liberty", "open", None)


def test_a_request_that_did_not_occur_frees_the_person_for_another() -> None:
    scene = request_taken_back()
    assert scene.register.transfer("tr-1") is None
    requested(scene, "tr-2")


def test_a_registration_that_did_not_occur_leaves_an_empty_file() -> None:
    scene = registry(Scene())
    scene.do(NORTH, "register-person", person=ANN, identity_status="claimed", attributes={}, occurred_at=TAKEN)
    correct(scene, recorded(scene, "person-registered"))
    scene.do(NORTH, "open-custody", mode="report", **{**opening(), "basis": None})
    assert life(scene)[0] == "held"


def test_the_old_belief_is_still_on_record() -> None:
    scene = moved()
    wrong = recorded(scene, MOVED)
    before = scene.events()
    correct(scene, wrong)
    assert scene.events()[: len(before)] == before
