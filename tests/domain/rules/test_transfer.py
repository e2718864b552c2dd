"""Specification rows: requesting a transfer, the evidence for it, calling it off.

Each row is a sentence, what had happened, who asks what, and the refusal that follows (`None`: granted).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from domain.custody.state import Step
from domain.events.transfer import ConditionEvidenced, TransferRequested
from domain.refusals import (
    AgreementIsNotInForce,
    AgreementIsUnknown,
    BasisDoesNotCoverTheWindow,
    BasisIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    ConditionsAreNotMet,
    FacilityIsUnknown,
    FacilityUseIsProhibited,
    OriginAndDestinationAreTheSame,
    PersonIsDead,
    PersonIsHeldByAnotherAuthority,
    PersonIsNotInCustody,
    PersonIsUnknown,
    Refusal,
    RoleIsNotHeld,
    TransferIsClosed,
    TransferIsUnknown,
    WhereaboutsDiffer,
)
from domain.rules.people import person_checks
from domain.rules.transfers.transfer import (
    ActorMayNotCancelIt,
    ActorMayNotEvidenceThisCondition,
    AnotherTransferIsOpen,
    AuthoritiesAreNotParties,
    ConditionCannotBeWaived,
    ConditionIsNotInTheRuleSet,
    RuleSetIsNotAllowedByTheAgreement,
    TransferIsAlreadyRequested,
)
from domain.rules.transfers.transfer_case import DestinationIsNotUnderTheReceivingAuthority
from tests.domain.rules.rows import told
from tests.domain.rules.steps import (
    LAW,
    TORTURE,
    WINDOW,
    Ask,
    Before,
    cancel,
    cancelled,
    check,
    drafted,
    evidence,
    open_,
    prohibited,
    ready,
    rejected,
    released,
    short_basis,
    who,
)
from tests.scene import (
    ANN,
    COURT,
    DIGEST,
    E1,
    EAST,
    KEEPER,
    N1,
    N2,
    NORTH,
    T1,
    TERMS,
    THIRD,
    WATCH,
    Scene,
    agreement,
    approved,
    held,
    opening,
    registered,
    registry,
    requested,
    story,
)

# What had happened.


def held_by_third() -> Scene:
    scene = registered(story())
    scene.do(THIRD, "open-custody", person=ANN, **opening(T1), occurred_at="2025-02-01T10:00:00+01:00")
    return scene


def two_revisions() -> Scene:
    """Revision 2 supersedes revision 1 from 15 March."""
    return drafted(ready(), "a1", sending=NORTH, receiving=EAST, revision=2, from_="2025-03-15")


def run_by_east() -> Scene:
    """A place of a service that east runs."""
    scene = ready()
    scene.do(
        KEEPER,
        "register-authority",
        authority="service",
        state="SE",
        legal_name="service",
        outside_register=False,
        parent=EAST,
    )
    scene.do(
        KEEPER,
        "register-facility",
        facility="s-1",
        authority="service",
        state="SE",
        kind="prison",
        zone="Europe/Stockholm",
        recognised_by=DIGEST,
        supervising_authority=WATCH,
    )
    return scene


# Requesting.


def request(by: str = NORTH, **changes: Any) -> Ask:
    return (
        by,
        "request-transfer",
        {
            "transfer": "tr-1",
            "person": ANN,
            "agreement": "a1",
            "revision": 1,
            "rule_sets": ["custody-contract"],
            "basis": f"b-{ANN}",
            "from_facility": N1,
            "to_facility": E1,
            "purpose": "custody-contract",
            "window_from": "2025-03-01",
            "window_to": "2025-03-31",
            "responsibility_after": "sending",
            **changes,
        },
    )


def without(ask: Ask, *names: str) -> Ask:
    by, name, data = ask
    return (by, name, {field: value for field, value in data.items() if field not in names})


def _treaty() -> dict[str, object]:
    """Terms under a treaty."""
    treaty = {"rule_set": "ets-112", "name": "the convention", "in_force_since": "2000-01-01"}
    return {
        **TERMS,
        "responsibility_after": "receiving",
        "consent_final_at": "offer",
        "treaty": [treaty],
        "fees": "none",
    }


SINCE = datetime.fromisoformat("2025-02-01T09:00:00Z")

REQUESTS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "onward comes later": (ready, request(purpose="onward"), CodeIsNotListed(("/purpose",))),
    "retaking comes later": (ready, request(purpose="retaking"), CodeIsNotListed(("/purpose",))),
    "a place outside the register comes later": (
        ready,
        request(to_outside="east"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "a window does not end before it begins": (
        ready,
        request(window_to="2025-02-28"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "a transfer cites a rule set": (ready, request(rule_sets=[]), BodyIsMalformed("schema", ("/rule_sets",))),
    "only a sending authority requests": (ready, request(by=COURT), RoleIsNotHeld(COURT, ("sending",))),
    "whatever the unknown agreement, the unknown person comes first": (
        ready,
        request(person="p-x", agreement="a9"),
        PersonIsUnknown("p-x"),
    ),
    "the agreement is known": (ready, request(agreement="a9"), AgreementIsUnknown("a9")),
    "its revision is known": (ready, request(revision=2), AgreementIsUnknown("a1", 2)),
    "the basis is known": (ready, request(basis="b-x"), BasisIsUnknown("b-x")),
    "the place left is known": (ready, request(from_facility="n-9"), FacilityIsUnknown("n-9")),
    "the place gone to is known": (ready, request(to_facility="e-9"), FacilityIsUnknown("e-9")),
    "an id stands for one request": (
        lambda: requested(ready()),
        request(window_to="2025-03-30"),
        TransferIsAlreadyRequested("tr-1"),
    ),
    "only the custodian requests": (
        held_by_third,
        request(from_facility=T1),
        PersonIsHeldByAnotherAuthority(ANN, THIRD, SINCE),
    ),
    "whoever was never held is not moved": (
        lambda: registered(story()),
        request(),
        PersonIsNotInCustody(ANN, "none"),
    ),
    "whoever was released is not moved": (
        lambda: released(ready()),
        request(),
        PersonIsNotInCustody(ANN, "released-unverified"),
    ),
    "the person is at the place named": (ready, request(from_facility=N2), WhereaboutsDiffer(ANN, f"facility:{N1}")),
    "a transfer leads somewhere else": (ready, request(to_facility=N1), OriginAndDestinationAreTheSame(N1)),
    "only the sending party requests": (
        lambda: drafted(ready(), "a2", sending=EAST, receiving=NORTH),
        request(agreement="a2", to_facility=None, responsibility_after="sending"),
        AuthoritiesAreNotParties("a2", NORTH),
    ),
    "the destination is the receiving party's": (
        ready,
        request(to_facility=T1),
        DestinationIsNotUnderTheReceivingAuthority(T1, EAST),
    ),
    "or that of a body it runs": (run_by_east, request(to_facility="s-1"), None),
    "a prohibited place takes nobody in": (
        lambda: prohibited(ready()),
        request(),
        FacilityUseIsProhibited(E1),
    ),
    "one prohibited from later on still does": (
        lambda: prohibited(ready(), from_="2025-03-01T12:00:01Z"),
        request(),
        None,
    ),
    "what is drafted binds nobody": (
        lambda: drafted(ready(), "a2", sending=NORTH, receiving=EAST, sign=False),
        request(agreement="a2"),
        AgreementIsNotInForce("a2", date(2025, 3, 1)),
    ),
    "the agreement outlasts the window": (
        ready,
        request(window_to="2026-01-01"),
        AgreementIsNotInForce("a1", date(2026, 1, 1)),
    ),
    "the agreement begins before the window": (
        ready,
        request(window_from="2024-12-31"),
        AgreementIsNotInForce("a1", date(2024, 12, 31)),
    ),
    "a superseded revision is not cited": (
        two_revisions,
        request(window_from="2025-03-15"),
        AgreementIsNotInForce("a1", date(2025, 3, 15)),
    ),
    "its successor is not cited before its time": (
        two_revisions,
        request(revision=2),
        AgreementIsNotInForce("a1", date(2025, 3, 1)),
    ),
    "the revision in force when the window begins is": (two_revisions, request(), None),
    "only listed sets are cited": (
        ready,
        request(rule_sets=["ets-112", "custody-contract"]),
        RuleSetIsNotAllowedByTheAgreement(("ets-112",)),
    ),
    "what is always on is not cited": (
        ready,
        request(rule_sets=["non-refoulement"]),
        RuleSetIsNotAllowedByTheAgreement(("non-refoulement",)),
    ),
    "a set whose conditions are not known yet is not cited": (
        lambda: drafted(ready(), "a2", sending=NORTH, receiving=EAST, legal_bases=["ets-112"], terms=_treaty()),
        request(agreement="a2", rule_sets=["ets-112"], responsibility_after="receiving"),
        RuleSetIsNotAllowedByTheAgreement(("ets-112",)),
    ),
    "the basis outlasts the window": (
        lambda: short_basis(must_end_by="2025-03-30"),
        request(basis="b-2"),
        BasisDoesNotCoverTheWindow("b-2", *WINDOW),
    ),
    "the basis begins before the window": (
        lambda: short_basis(valid_from="2025-03-02"),
        request(basis="b-2"),
        BasisDoesNotCoverTheWindow("b-2", *WINDOW),
    ),
    "a basis valid to the window's last day is enough": (
        lambda: short_basis(valid_from="2025-03-01", must_end_by="2025-03-31"),
        request(basis="b-2"),
        None,
    ),
    "one person has one open transfer": (
        lambda: requested(ready(), transfer="tr-0"),
        request(),
        AnotherTransferIsOpen("tr-0"),
    ),
    "every condition that fails is named, in order": (
        lambda: held(
            agreement(
                registry(Scene()),
                who=who(nationalities=["NO"], sexes=["female"], age_min=18, basis_kinds=["remand"]),
            )
        ),
        request(responsibility_after="receiving"),
        ConditionsAreNotMet(
            {
                ANN: {
                    "agreement-terms/nationality-is-agreed": "unknown",
                    "agreement-terms/sex-is-agreed": "unknown",
                    "agreement-terms/age-is-agreed": "unknown",
                    "agreement-terms/basis-kind-is-agreed": "not-met",
                    "agreement-terms/responsibility-follows-the-agreement": "not-met",
                }
            }
        ),
    ),
    "the sending State ordered the custody": (
        lambda: short_basis(ordering_authority=EAST),
        request(basis="b-2"),
        ConditionsAreNotMet({ANN: {"custody-contract/custody-is-ordered-by-the-sending-state": "not-met"}}),
    ),
    "a window may be one day": (ready, request(window_to="2025-03-01"), None),
    "the destination may be left to the approval": (ready, without(request(), "to_facility"), None),
    "an ordinary request is granted": (ready, request(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), REQUESTS.values(), ids=REQUESTS.keys())
def test_request(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, _less_none(ask), expected)


def _less_none(ask: Ask) -> Ask:
    by, name, data = ask
    return (by, name, {field: value for field, value in data.items() if value is not None})


def test_the_request_records_the_outcomes_judged_by_then() -> None:
    body = requested(ready()).events()[-1].body
    assert isinstance(body, TransferRequested)
    assert body.outcomes == dict.fromkeys(
        (
            "agreement-terms/nationality-is-agreed",
            "agreement-terms/sex-is-agreed",
            "agreement-terms/age-is-agreed",
            "agreement-terms/basis-kind-is-agreed",
            "agreement-terms/responsibility-follows-the-agreement",
            "custody-contract/custody-is-ordered-by-the-sending-state",
        ),
        "met",
    )


def test_a_repeat_of_the_request_changes_nothing() -> None:
    scene = requested(ready())
    position = scene.register.position
    requested(scene)
    assert scene.register.position == position


def test_an_id_left_out_is_drawn() -> None:
    scene = ready()
    by, name, data = without(request(), "transfer")
    scene.do(by, name, **data)
    event = scene.events()[-1]
    assert isinstance(event.body, TransferRequested)
    assert event.stream == f"transfer:{event.body.transfer}"
    assert "?" not in event.stream


def test_the_dead_are_not_moved() -> None:
    # No fact of the slice says that somebody died, so the state is made by hand.
    head = ready().head()
    dead = type(head)(
        status=Step("dead", SINCE, 1),
        responsible=head.responsible,
        custodian=head.custodian,
        at=head.at,
        file_open=True,
    )
    assert [told(item) for item in person_checks.dead(ANN, dead)] == [told(PersonIsDead(ANN))]
    assert list(person_checks.dead(ANN, head)) == []


# Evidence.

EVIDENCE_ROWS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "opened attributes come later": (open_, evidence(opened_fields=["sex"]), BodyIsMalformed("schema", ("/",))),
    "a monitor gives no evidence": (
        open_,
        evidence(by=WATCH),
        RoleIsNotHeld(WATCH, ("sending", "receiving", "court")),
    ),
    "the transfer is known": (ready, evidence(), TransferIsUnknown("tr-1")),
    "nothing is added to a closed transfer, whatever is said": (
        lambda: cancelled(open_()),
        evidence(by=EAST, named=("custody-contract", "nonsense"), outcome="waived"),
        TransferIsClosed("tr-1", "cancelled"),
    ),
    "a condition is one of the sets that judge": (
        open_,
        evidence(named=("custody-contract", "no-danger-of-torture")),
        ConditionIsNotInTheRuleSet("custody-contract", "no-danger-of-torture"),
    ),
    "a set that is not cited has no conditions here": (
        open_,
        evidence(named=("ets-112", "judgment-is-final")),
        ConditionIsNotInTheRuleSet("ets-112", "judgment-is-final"),
    ),
    "what is computed takes no evidence": (
        open_,
        evidence(named=("agreement-terms", "place-is-agreed")),
        ActorMayNotEvidenceThisCondition("agreement-terms", "place-is-agreed", ()),
    ),
    "the other side is not heard": (
        open_,
        evidence(by=EAST),
        ActorMayNotEvidenceThisCondition(*LAW, ("sending",)),
    ),
    "an authority with both roles speaks for its own State alone": (
        open_,
        evidence(by=NORTH, named=("custody-contract", "receiving-law-permits-the-custody")),
        ActorMayNotEvidenceThisCondition("custody-contract", "receiving-law-permits-the-custody", ("receiving",)),
    ),
    "another authority of the receiving State speaks for it": (
        open_,
        evidence(by=THIRD, named=("custody-contract", "receiving-law-permits-the-custody")),
        None,
    ),
    "the court of the sending State is not the sending side": (
        open_,
        evidence(by=COURT),
        ActorMayNotEvidenceThisCondition(*LAW, ("sending",)),
    ),
    "a court is heard on danger": (open_, evidence(by=COURT, named=TORTURE, outcome="not-met"), None),
    "who may not speak may not waive": (
        open_,
        evidence(by=EAST, named=TORTURE, outcome="waived"),
        ActorMayNotEvidenceThisCondition(*TORTURE, ("sending", "court")),
    ),
    "danger cannot be waived": (
        open_,
        evidence(by=COURT, named=TORTURE, outcome="waived"),
        ConditionCannotBeWaived(*TORTURE),
    ),
    "evidence is taken after the approval": (
        lambda: approved(ready()),
        evidence(by=NORTH, named=TORTURE, outcome="not-met"),
        None,
    ),
    "the sending side shows its law": (open_, evidence(), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), EVIDENCE_ROWS.values(), ids=EVIDENCE_ROWS.keys())
def test_evidence(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, ask, expected)


def test_evidence_is_recorded_without_a_value() -> None:
    scene = open_()
    by, name, data = evidence()
    scene.do(by, name, **data)
    assert scene.events()[-1].body == ConditionEvidenced(
        flags=(), rule_set=LAW[0], condition=LAW[1], outcome="met", evidence=data["evidence"], opened_fields=()
    )


# Calling it off.

CANCELLATIONS: dict[str, tuple[Before, Ask, Refusal | None]] = {
    "a fault is a listed one": (open_, cancel(fault="weather"), CodeIsNotListed(("/fault",))),
    "a cancellation for another reason is explained": (
        open_,
        cancel(reason="other"),
        BodyIsMalformed("schema", ("/",)),
    ),
    "the transfer to cancel is known": (ready, cancel(), TransferIsUnknown("tr-1")),
    "what is rejected is not cancelled": (
        lambda: rejected(open_()),
        cancel(),
        TransferIsClosed("tr-1", "rejected"),
    ),
    "a third authority does not cancel": (open_, cancel(by=THIRD), ActorMayNotCancelIt("tr-1")),
    "the sending party cancels": (open_, cancel(), None),
    "the receiving party cancels": (open_, cancel(by=EAST), None),
    "a court cancels": (open_, cancel(by=COURT), None),
}


@pytest.mark.parametrize(("before", "ask", "expected"), CANCELLATIONS.values(), ids=CANCELLATIONS.keys())
def test_cancel(before: Before, ask: Ask, expected: Refusal | None) -> None:
    check(before, ask, expected)
