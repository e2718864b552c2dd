"""Specification rows: proposing and signing what custody costs (MONEY §10)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from domain.events.agreement import FeeScheduleProposed
from domain.refusals import (
    ActorIsNotAParty,
    AgreementIsUnknown,
    AmountIsNotText,
    AmountIsTooPrecise,
    AuthorityIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    CurrencyIsUnknown,
    FacilityIsUnknown,
    LegalBasisForbidsFees,
    RoleIsNotHeld,
    ScheduleIsUnknown,
)
from domain.rules.money.fee_schedule import (
    ActorIsNotTheOtherParty,
    ComponentIsMissing,
    FacilityIsNotThePayees,
    FacilityIsUnderAnotherSchedule,
    PartiesAreTheSame,
    PeriodIsClosed,
    ProposalHasChanged,
    RateIsNegative,
    ScheduleEndsBeforeItStarts,
    ScheduleIsAlreadyProposed,
    ScheduleIsAlreadySigned,
    SeriesIsTaken,
)
from tests.domain.billing.fees import MARCH, agreed, closed, component, priced, proposal, spell
from tests.domain.rules.rows import Row, holds
from tests.scene import COURT, DIGEST, E1, E2, EAST, KEEPER, N1, NORTH, T1, THIRD, Scene, registry

BOTH = ("treasury-payee", "treasury-payer")


def stage() -> Scene:
    """An agreement from 2024 on and no schedule."""
    return agreed(registry(Scene(now="2025-04-02T10:00:00Z")))


def proposed(scene: Scene) -> Scene:
    scene.do(EAST, "propose-fee-schedule", **proposal())
    return scene


def with_roles(authority: str, *roles: str, agreement: str | None = None) -> Any:
    scope = {} if agreement is None else {"agreement": agreement}
    held = [{"role": role, "from": "2024-01-01", **scope} for role in roles]
    return (KEEPER, "set-authority-roles", {"authority": authority, "roles": held})


def second_agreement(scene: Scene) -> Scene:
    return agreed(scene, "a2")


def second_payer(scene: Scene) -> None:
    """Another treasury of the payer's State."""
    fields = {"authority": "north-2", "state": "NO", "legal_name": "north-2", "outside_register": False}
    scene.do(KEEPER, "register-authority", **fields)
    by, name, data = with_roles("north-2", "treasury-payer")
    scene.do(by, name, **data)


def march_closed(scene: Scene) -> Scene:
    """A schedule for the first quarter, with March closed under it."""
    priced(scene, valid={"from": "2025-03-01", "to": "2025-03-31"})
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00")
    return closed(scene, MARCH)


def free(scene: Scene) -> Scene:
    """An agreement whose terms say that nothing is paid."""
    return agreed(scene, "a2", fees="none")


def propose(**changes: Any) -> Mapping[str, object]:
    return proposal(**changes)


LATER = {"schedule": "next", "series": "NXT"}
ROWS = {
    "the payee proposes": Row(by=EAST, asks="propose-fee-schedule", data=propose()),
    "the payer proposes": Row(by=NORTH, asks="propose-fee-schedule", data=propose()),
    "a role for the agreement is enough": Row(
        given=(with_roles(EAST, "treasury-payee", agreement="a1"),),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(),
    ),
    "what has a default may be left out": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(
            pools=None,
            same_day=None,
            in_transit=None,
            absences=None,
            holds=None,
            rounding=None,
            year_basis=None,
            billing={"period": "calendar-month", "close_after_days": 5},
        ),
    ),
    "absences may be named by kind": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(absences={"hospital": "first-2", "court": "not-billed"})
    ),
    # At the edge.
    "a second component is more than the schema holds": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[component(), component()]),
        follows=BodyIsMalformed("schema", ("/components",)),
    ),
    "a second rate is more than the schema holds": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[{"model": "per-diem", "rates": component()["rates"] * 2}]),
        follows=BodyIsMalformed("schema", ("/components/0/rates",)),
    ),
    "a component has a rate": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[{"model": "per-diem", "rates": []}]),
        follows=BodyIsMalformed("schema", ("/components/0/rates/0",)),
    ),
    "a truth is no number of days": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(same_day=True),
        follows=BodyIsMalformed("schema", ("/same_day",)),
    ),
    "a pool is more than the schema holds": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(pools=[[E1, E2]]),
        follows=BodyIsMalformed("schema", ("/pools",)),
    ),
    "interest is no field yet": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(interest={"minimum": "1.00"}),
        follows=BodyIsMalformed("schema", ("/",)),
    ),
    "a series is two to twelve capitals and digits": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(series="ctl"),
        follows=BodyIsMalformed("schema", ("/series",)),
    ),
    "a schedule prices some place": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(facilities=[]),
        follows=BodyIsMalformed("schema", ("/facilities",)),
    ),
    "other models are not listed yet": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[{**component(), "model": "graduated"}]),
        follows=CodeIsNotListed(("/components/0/model",)),
    ),
    "another day rule is not listed": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(day_rule="noon"), follows=CodeIsNotListed(("/day_rule",))
    ),
    "a same-day spell is one day or none": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(same_day=2), follows=CodeIsNotListed(("/same_day",))
    ),
    "another absence term is not listed": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(absences={"court": "first-0"}),
        follows=CodeIsNotListed(("/absences/court",)),
    ),
    "another rounding is not listed": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(rounding={"mode": "up", "place": "line-amount"}),
        follows=CodeIsNotListed(("/rounding/mode",)),
    ),
    "another period is not listed": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(billing={"period": "week", "close_after_days": 0}),
        follows=CodeIsNotListed(("/billing/period",)),
    ),
    "a rate is a text": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[{"model": "per-diem", "rates": [{"rate": 54, "per": 1, "from": "2025-01-01"}]}]),
        follows=AmountIsNotText(("/components/0/rates/0/rate",)),
    ),
    "a rate has eight decimals": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[component("54.790000000")]),
        follows=AmountIsTooPrecise(("/components/0/rates/0/rate",)),
    ),
    "gold is no currency": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(currency="XAU"), follows=CurrencyIsUnknown(("/currency",))
    ),
    # Before every rule.
    "who is no treasury may not propose": Row(
        by=THIRD, asks="propose-fee-schedule", data=propose(), follows=RoleIsNotHeld(THIRD, BOTH)
    ),
    "a treasury of another agreement may not": Row(
        given=(second_agreement, with_roles(EAST, "treasury-payee", agreement="a2")),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(),
        follows=RoleIsNotHeld(EAST, BOTH),
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="propose-fee-schedule", data=propose(agreement="a9"), follows=AgreementIsUnknown("a9")
    ),
    "the agreement is known": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(agreement="a9"), follows=AgreementIsUnknown("a9")
    ),
    "the payee is known": Row(
        by=NORTH, asks="propose-fee-schedule", data=propose(payee="nobody"), follows=AuthorityIsUnknown("nobody")
    ),
    "the payer is known": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(payer="nobody"), follows=AuthorityIsUnknown("nobody")
    ),
    "the places are known": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(facilities=[E1, "e-9"]), follows=FacilityIsUnknown("e-9")
    ),
    # In order.
    "an id is proposed once": Row(
        given=(proposed,),
        by=THIRD,
        asks="propose-fee-schedule",
        data=propose(series="OTH", payee=THIRD),
        follows=RoleIsNotHeld(THIRD, BOTH),
    ),
    "another content under the same id is refused before all else": Row(
        given=(proposed, with_roles(THIRD, "treasury-payee")),
        by=THIRD,
        asks="propose-fee-schedule",
        data=propose(terms_days=60),
        follows=ScheduleIsAlreadyProposed("a1-fees"),
    ),
    "a repeat changes nothing": Row(given=(proposed,), by=EAST, asks="propose-fee-schedule", data=propose()),
    "a treasury that is neither payee nor payer may not": Row(
        given=(with_roles(THIRD, "treasury-payee"),),
        by=THIRD,
        asks="propose-fee-schedule",
        data=propose(payer=EAST),
        follows=ActorIsNotAParty(THIRD),
    ),
    "a payer that is no treasury is no party": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(payer=THIRD), follows=ActorIsNotAParty(THIRD)
    ),
    "a payee that only pays is no party": Row(
        by=NORTH, asks="propose-fee-schedule", data=propose(payee=NORTH, payer=EAST), follows=ActorIsNotAParty(NORTH)
    ),
    "nobody pays itself": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(payer=EAST, valid={"from": "2025-02-01", "to": "2025-01-01"}),
        follows=PartiesAreTheSame(EAST, EAST),
    ),
    "payee and payer are of two States": Row(
        given=(with_roles(THIRD, "treasury-payer"),),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(payer=THIRD),
        follows=PartiesAreTheSame(EAST, THIRD),
    ),
    "terms that allow no fees come before the dates": Row(
        given=(free,),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", valid={"from": "2025-02-01", "to": "2025-01-01"}),
        follows=LegalBasisForbidsFees(()),
    ),
    "a schedule ends after it starts": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(valid={"from": "2025-02-01", "to": "2025-01-31"}, components=[]),
        follows=ScheduleEndsBeforeItStarts(date(2025, 2, 1), date(2025, 1, 31)),
    ),
    "a schedule of one day stands": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(valid={"from": "2025-02-01", "to": "2025-02-01"})
    ),
    "a schedule has a component": Row(
        given=(priced,),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(schedule="next", components=[]),
        follows=ComponentIsMissing(),
    ),
    "a series is unique in the register": Row(
        given=(priced, second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", schedule="next", components=[component("-1.00")]),
        follows=SeriesIsTaken("CTL"),
    ),
    "a rate is not negative": Row(
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(components=[component("-0.01")], facilities=[N1]),
        follows=RateIsNegative("-0.01"),
    ),
    "a rate may be nothing": Row(by=EAST, asks="propose-fee-schedule", data=propose(components=[component("0.00")])),
    "a place lies in the payee's State": Row(
        given=(priced, second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER, facilities=[E1, N1]),
        follows=FacilityIsNotThePayees((N1,)),
    ),
    "a place of another authority of that State is the payee's too": Row(
        by=EAST, asks="propose-fee-schedule", data=propose(facilities=[T1])
    ),
    "a place is priced once for a payer and a date": Row(
        given=(lambda scene: priced(scene, valid={"from": "2025-01-01", "to": "2025-06-30"}), second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER, valid={"from": "2025-06-30"}, facilities=[T1, E2]),
        follows=FacilityIsUnderAnotherSchedule((E2,), "a1", "a1-fees"),
    ),
    "on other dates it may be priced again": Row(
        given=(lambda scene: priced(scene, valid={"from": "2025-01-01", "to": "2025-06-30"}), second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER, valid={"from": "2025-07-01"}),
    ),
    "other places may be priced for the same dates": Row(
        given=(priced, second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER, facilities=[T1]),
    ),
    "another payer may have its own price": Row(
        given=(priced, second_agreement, second_payer),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER, payer="north-2"),
    ),
    "a proposal nobody signed prices nothing": Row(
        given=(proposed, second_agreement),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(agreement="a2", **LATER),
    ),
    "a month of an agreement has one schedule": Row(
        given=(lambda scene: priced(scene, valid={"from": "2025-01-01", "to": "2025-06-10"}),),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(**LATER, valid={"from": "2025-06-20"}, facilities=[T1]),
        follows=FacilityIsUnderAnotherSchedule((T1,), "a1", "a1-fees"),
    ),
    "the next month may have another": Row(
        given=(lambda scene: priced(scene, valid={"from": "2025-01-01", "to": "2025-06-30"}),),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(**LATER, valid={"from": "2025-07-01"}),
    ),
    "a schedule governs no closed period": Row(
        given=(march_closed,),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(**LATER, valid={"from": "2025-03-31"}, facilities=[T1]),
        follows=PeriodIsClosed(date(2025, 3, 31)),
    ),
    "after a closed period it may begin": Row(
        given=(march_closed,),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(**LATER, valid={"from": "2025-04-01"}),
    ),
    "a place already priced comes before a closed period": Row(
        given=(march_closed,),
        by=EAST,
        asks="propose-fee-schedule",
        data=propose(**LATER, valid={"from": "2025-03-31"}),
        follows=FacilityIsUnderAnotherSchedule((E1, E2), "a1", "a1-fees"),
    ),
}


@pytest.mark.parametrize("sentence", ROWS)
def test_propose(sentence: str) -> None:
    row = ROWS[sentence]
    scene = stage()
    if sentence == "a repeat changes nothing":
        proposed(scene)
        before = scene.register.position
        assert scene.do(row.by, row.asks, **row.data).replayed
        assert scene.register.position == before
        return
    holds(row, scene)


SIGN = {"agreement": "a1", "schedule": "a1-fees", "proposal_digest": DIGEST}


def signed(scene: Scene, **changes: Any) -> Scene:
    return priced(scene, **changes)


def sent_digest(body: Mapping[str, object]) -> str:
    """What anybody computes from the proposal as sent; its texts are ASCII and its numbers whole."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def counter_proposed(scene: Scene) -> Scene:
    """Two proposals lie on the table, the later one is signed."""
    scene.do(EAST, "propose-fee-schedule", **proposal())
    return priced(scene, **LATER)


SIGN_ROWS = {
    "who is no treasury may not sign": Row(
        given=(proposed,), by=THIRD, asks="sign-fee-schedule", data=SIGN, follows=RoleIsNotHeld(THIRD, BOTH)
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="sign-fee-schedule", data={**SIGN, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "the agreement is known": Row(
        by=NORTH, asks="sign-fee-schedule", data={**SIGN, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "the schedule is known": Row(by=NORTH, asks="sign-fee-schedule", data=SIGN, follows=ScheduleIsUnknown("a1-fees")),
    "a schedule of another agreement is not": Row(
        given=(proposed, second_agreement),
        by=NORTH,
        asks="sign-fee-schedule",
        data={**SIGN, "agreement": "a2"},
        follows=ScheduleIsUnknown("a1-fees"),
    ),
    "who proposed does not sign too": Row(
        given=(signed,), by=EAST, asks="sign-fee-schedule", data=SIGN, follows=ActorIsNotTheOtherParty(EAST, NORTH)
    ),
    "a third treasury does not sign": Row(
        given=(proposed, with_roles(THIRD, "treasury-payer")),
        by=THIRD,
        asks="sign-fee-schedule",
        data=SIGN,
        follows=ActorIsNotTheOtherParty(THIRD, NORTH),
    ),
    "a schedule is signed once": Row(
        given=(signed,), by=NORTH, asks="sign-fee-schedule", data=SIGN, follows=ScheduleIsAlreadySigned("a1-fees")
    ),
    "what is signed is what was proposed": Row(
        given=(proposed,),
        by=NORTH,
        asks="sign-fee-schedule",
        data=SIGN,
        follows=ProposalHasChanged(sent_digest(proposal())),
    ),
    "of two proposals the first one signed holds": Row(
        given=(counter_proposed,),
        by=NORTH,
        asks="sign-fee-schedule",
        data={**SIGN, "proposal_digest": sent_digest(proposal())},
        follows=FacilityIsUnderAnotherSchedule((E1, E2), "a1", "next"),
    ),
    "the other treasury signs": Row(
        given=(proposed,),
        by=NORTH,
        asks="sign-fee-schedule",
        data={**SIGN, "proposal_digest": sent_digest(proposal())},
    ),
}


@pytest.mark.parametrize("sentence", SIGN_ROWS)
def test_sign(sentence: str) -> None:
    holds(SIGN_ROWS[sentence], stage())


@pytest.mark.parametrize("left_out", ["pools", "same_day", "in_transit", "absences", "holds", "rounding", "year_basis"])
def test_the_digest_is_that_of_the_proposal_as_sent(left_out: str) -> None:
    body = proposal(**{left_out: None})
    answer = stage().do(EAST, "propose-fee-schedule", **body)
    assert answer.told == {"proposal_digest": sent_digest(body)}
    recorded = answer.events[0].body
    assert isinstance(recorded, FeeScheduleProposed)
    assert getattr(recorded, left_out) is None
