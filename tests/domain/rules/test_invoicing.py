"""Specification rows: issuing and approving an invoice (MONEY §5, §10), and the laws its days keep (§1)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest

from domain.billing.custody_days import dates
from domain.canonical import digest
from domain.custody.local_days import TZDATA_RELEASE
from domain.events.agreement import Period
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued, InvoiceLineIssued, LineRules
from domain.money import Money
from domain.names import Digest
from domain.refusals import AgreementIsUnknown, AmountIsTooPrecise, BodyIsMalformed, InvoiceIsUnknown, RoleIsNotHeld
from domain.rules.money.closing import PeriodIsOpen
from domain.rules.money.invoicing import (
    ActorIsNotThePayer,
    AmountHasChanged,
    DayHasNoRate,
    DayIsAlreadyBilled,
    InvoiceIsAlreadyIssued,
    InvoiceIsSettled,
    PreviewIsStale,
    SecondApproverIsTheFirst,
    ThereIsNothingToBill,
)
from domain.rules.money.treasury import ActorIsNotThePayee, ScheduleIsNotSigned
from ledger.writer.submission import Answer
from tests.domain.billing.fees import (
    APRIL,
    FEBRUARY,
    MARCH,
    accepted,
    agreed,
    approved,
    closed,
    component,
    issued,
    moved,
    period,
    priced,
    proposal,
    released,
    spell,
    usd,
)
from tests.domain.rules.rows import Row, holds
from tests.scene import COURT, DIGEST, E1, E2, EAST, KEEPER, NORTH, THIRD, Scene, opening, registry

PAYEE, PAYER = ("treasury-payee",), ("treasury-payer",)
ASK = {"agreement": "a1", "period": MARCH}
CAME, LEFT = "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00"


def stage(now: str = "2025-04-02T10:00:00Z") -> Scene:
    return agreed(registry(Scene(now=now)))


def proposed(scene: Scene) -> Scene:
    scene.do(EAST, "propose-fee-schedule", **proposal())
    return scene


def collects(authority: str, role: str = "treasury-payee") -> Any:
    roles = [{"role": role, "from": "2024-01-01"}]
    return (KEEPER, "set-authority-roles", {"authority": authority, "roles": roles})


def ann(scene: Scene) -> Scene:
    """One person, thirty days of March."""
    return spell(scene, "p-1", CAME, LEFT)


def unpriced_until_the_20th(scene: Scene) -> Scene:
    return priced(scene, components=[component(from_="2025-03-20")])


def moved_to_another_deal(scene: Scene) -> Scene:
    """March is closed under a1; then it turns out that p-1 was at e-2, which a2 pays for, and a2 has billed that."""
    priced(agreed(scene, "a2"), agreement="a2", schedule="a2-fees", series="OTH", facilities=[E2])
    priced(scene, facilities=[E1])
    spell(scene, "p-1", CAME, "2025-03-11T10:00:00+01:00")
    closed(scene)
    acceptance = [event for event in scene.events() if event.wire == "handover-accepted.v1"][-1]
    scene.do(
        EAST,
        "correct-fact",
        corrects=acceptance.event_id,
        reason="did-not-occur",
        countersigned_by={"authority": NORTH, "officer": "north-9"},
    )
    release = [event for event in scene.events() if event.wire == "person-released.v1"][-1]
    scene.do(
        EAST,
        "correct-fact",
        corrects=release.event_id,
        reason="did-not-occur",
        countersigned_by={"authority": "audit", "officer": "audit-9"},
    )
    transfer = [event for event in scene.events() if event.wire == "transfer-requested.v1"][-1]
    transfer_id = transfer.stream.removeprefix("transfer:")
    scene.do(NORTH, "cancel-transfer", transfer=transfer_id, reason="made-in-error", fault="none")
    accepted(scene, "p-1", "2025-03-02T10:00:00+01:00", place=E2, agreement="a2")
    released(scene, "p-1", "2025-03-04T10:00:00+01:00", place=E2)
    issued(scene, agreement="a2")
    return scene


ROWS = {
    "the payer does not bill": Row(
        given=(priced,), by=NORTH, asks="issue-invoice", data=ASK, follows=RoleIsNotHeld(NORTH, PAYEE)
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="issue-invoice", data={**ASK, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "the agreement is known": Row(
        by=EAST, asks="issue-invoice", data={**ASK, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "a period is a month": Row(
        by=EAST,
        asks="issue-invoice",
        data={**ASK, "period": {"from": "2025-03-01", "to": "2025-04-30"}},
        follows=BodyIsMalformed("schema", ("/period",)),
    ),
    "another payee does not bill": Row(
        given=(proposed, collects(THIRD)),
        by=THIRD,
        asks="issue-invoice",
        data=ASK,
        follows=ActorIsNotThePayee(THIRD, EAST),
    ),
    "a proposal is not enough": Row(
        given=(proposed,), by=EAST, asks="issue-invoice", data=ASK, follows=ScheduleIsNotSigned("a1")
    ),
    "a period is billed once closed": Row(
        given=(priced, ann), by=EAST, asks="issue-invoice", data=ASK, follows=PeriodIsOpen(date(2025, 3, 1))
    ),
    "a closed month is billed": Row(given=(priced, ann, closed), by=EAST, asks="issue-invoice", data=ASK),
    "a period is billed once": Row(
        given=(priced, ann, issued),
        by=EAST,
        asks="issue-invoice",
        data={**ASK, "preview_digest": DIGEST},
        follows=InvoiceIsAlreadyIssued("CTL-0001"),
    ),
    "a preview of another document is stale": Row(
        given=(unpriced_until_the_20th, ann, closed),
        by=EAST,
        asks="issue-invoice",
        data={**ASK, "preview_digest": DIGEST},
        follows=PreviewIsStale(DIGEST),
    ),
    "a day without a rate is not billed": Row(
        given=(unpriced_until_the_20th, ann, closed),
        by=EAST,
        asks="issue-invoice",
        data=ASK,
        follows=DayHasNoRate(tuple(date(2025, 3, day) for day in range(1, 20))),
    ),
    "a day that another agreement has billed since is not billed again": Row(
        given=(moved_to_another_deal,),
        by=EAST,
        asks="issue-invoice",
        data=ASK,
        follows=DayIsAlreadyBilled({"p-1": (date(2025, 3, 2), date(2025, 3, 3))}),
    ),
    "a month without custody days is not billed": Row(
        given=(priced, closed),
        by=EAST,
        asks="issue-invoice",
        data=ASK,
        follows=ThereIsNothingToBill("a1", date(2025, 3, 1)),
    ),
}


@pytest.mark.parametrize("sentence", ROWS)
def test_issue(sentence: str) -> None:
    holds(ROWS[sentence], stage())


def bodies(answer: Answer) -> tuple[InvoiceIssued, list[CustodyDaysBilled], list[InvoiceLineIssued]]:
    header, *rest = [event.body for event in answer.events]
    assert isinstance(header, InvoiceIssued)
    claims = [body for body in rest if isinstance(body, CustodyDaysBilled)]
    lines = [body for body in rest if isinstance(body, InvoiceLineIssued)]
    assert len(claims) + len(lines) == len(rest)
    return header, claims, lines


def positions(scene: Scene, wire: str) -> list[int]:
    return [event.position for event in scene.events() if event.wire == wire]


def test_an_invoice_is_one_batch_that_cites_what_earns_it() -> None:
    scene = priced(stage())
    spell(scene, "p-1", CAME)
    moved(scene, "p-1", "2025-03-12T10:00:00+01:00")
    answer = issued(scene)
    header, claims, lines = bodies(answer)
    (closing,) = [event for event in scene.events() if event.wire == "custody-days-closed.v1"]
    (signed,), (came,) = positions(scene, "fee-schedule-signed.v1"), positions(scene, "handover-accepted.v1")
    (move,) = positions(scene, "moved-within.v1")
    assert {event.stream for event in answer.events} == {"invoice:east:CTL-0001"}
    assert header == InvoiceIssued(
        flags=(),
        number=header.number,
        series="CTL",
        kind="regular",
        agreement=header.agreement,
        period=period(MARCH["from"], MARCH["to"]),
        issue_date=date(2025, 4, 2),
        due_date=date(2025, 5, 2),
        total=Money(169849, "USD"),
        lines=2,
        lines_digest=Digest(digest([plain(line) for line in lines])),
        closed_at=closing.position,
        supplements=None,
        cause=None,
        preview_digest=None,
    )
    assert [(claim.claim, claim.facility, claim.ranges, claim.days, claim.basis) for claim in claims] == [
        (1, E1, (period("2025-03-01", "2025-03-11"),), 11, (came, move)),
        (2, E2, (period("2025-03-12", "2025-03-31"),), 20, (came, move)),
    ]
    assert claims[0].case_ref == claims[1].case_ref != "p-1"
    rules = LineRules(
        agreement_version=closing.stream_version,
        day_rule="arrival-not-departure",
        same_day=1,
        rounding="half-up/line-amount",
        rules_version=1,
        tzdata=TZDATA_RELEASE,
        zone="Europe/Stockholm",
    )
    assert lines == [
        line(1, 11, 60269, (signed, came, move), rules),
        line(2, 20, 109580, (signed, came, move), rules),
    ]


def line(number: int, days: int, minor: int, basis: tuple[int, ...], rules: LineRules) -> InvoiceLineIssued:
    return InvoiceLineIssued(
        flags=(),
        line=number,
        kind="custody-days",
        component=1,
        claims=(number,),
        quantity=days,
        unit="DAY",
        rate="54.79",
        per=1,
        amount=Money(minor, "USD"),
        basis=tuple(sorted(basis)),
        rules=rules,
    )


def plain(body: InvoiceLineIssued) -> dict[str, object]:
    fields = {name: getattr(body, name) for name in body.__struct_fields__ if name not in ("flags", "precision")}
    return {**fields, "claims": list(body.claims), "basis": list(body.basis)}


def test_two_spells_at_one_place_are_two_lines_and_one_claim() -> None:
    scene = priced(stage())
    spell(scene, "p-1", "2025-03-03T10:00:00+01:00", "2025-03-05T10:00:00+01:00")
    scene.do(
        NORTH,
        "open-custody",
        person="p-1",
        **opening("n-1", "p-1"),
        occurred_at="2025-03-09T10:00:00+01:00",
    )
    accepted(scene, "p-1", "2025-03-10T10:00:00+01:00")
    released(scene, "p-1", "2025-03-13T10:00:00+01:00")
    _, claims, lines = bodies(issued(scene))
    assert [claim.ranges for claim in claims] == [
        (period("2025-03-03", "2025-03-04"), period("2025-03-10", "2025-03-12"))
    ]
    assert [(one.quantity, one.claims) for one in lines] == [(2, (1,)), (3, (1,))]


def test_a_pseudonym_is_drawn_once_for_an_agreement_and_a_person() -> None:
    scene = priced(stage(now="2025-05-02T10:00:00Z"))
    spell(scene, "p-1", "2025-02-20T10:00:00+01:00")
    spell(scene, "p-2", "2025-03-20T10:00:00+01:00")
    drawn = [
        {claim.person: claim.case_ref for claim in bodies(issued(scene, month))[1]}
        for month in (FEBRUARY, MARCH, APRIL)
    ]
    assert drawn[0].items() <= drawn[1].items()
    assert [sorted(found) for found in drawn] == [["p-1"], ["p-1", "p-2"], ["p-1", "p-2"]]
    assert drawn[1] == drawn[2]
    assert len({"p-1", "p-2", *drawn[2].values()}) == 4


def test_numbers_have_no_gap_and_refusals_use_none() -> None:
    scene = priced(stage(now="2025-05-02T10:00:00Z"))
    spell(scene, "p-1", "2025-02-20T10:00:00+01:00")
    assert issued(scene, FEBRUARY).told == {"number": "CTL-0001"}
    assert scene.refusal(EAST, "issue-invoice", agreement="a1", period=FEBRUARY) is not None
    assert scene.refusal(EAST, "issue-invoice", agreement="a1", period=MARCH) is not None
    assert issued(scene, MARCH).told == {"number": "CTL-0002"}
    assert issued(scene, APRIL).told == {"number": "CTL-0003"}


DATED = {
    "the date is the payer's": ("2025-04-02T22:30:00Z", "2025-04-03", "2025-05-05"),
    "a due date on a Saturday is moved to Monday": ("2025-04-03T10:00:00Z", "2025-04-03", "2025-05-05"),
    "one on a Sunday too": ("2025-04-04T10:00:00Z", "2025-04-04", "2025-05-05"),
    "one on a Monday stands": ("2025-04-05T10:00:00Z", "2025-04-05", "2025-05-05"),
}


@pytest.mark.parametrize("sentence", DATED)
def test_dates(sentence: str) -> None:
    occurred_at, issue_date, due_date = DATED[sentence]
    scene = closed(ann(priced(stage(now="2025-04-10T10:00:00Z"))))
    header, _, _ = bodies(scene.do(EAST, "issue-invoice", **ASK, occurred_at=occurred_at))
    assert (header.issue_date.isoformat(), header.due_date.isoformat()) == (issue_date, due_date)


@pytest.mark.parametrize(("side", "issue_date"), [("sending", "2025-04-03"), ("receiving", "2025-04-02")])
def test_the_zone_is_that_of_the_payers_side(side: str, issue_date: str) -> None:
    zones = {"sending": "Europe/Oslo", "receiving": "Europe/Stockholm", side: "Pacific/Auckland"}
    scene = agreed(registry(Scene(now="2025-04-02T13:00:00Z")), zones=zones)
    header, _, _ = bodies(issued(ann(priced(scene))))
    assert header.issue_date.isoformat() == issue_date


def test_it_bills_the_days_as_closed_whatever_is_recorded_since() -> None:
    scene = closed(spell(priced(stage()), "p-1", CAME))
    released(scene, "p-1", "2025-03-11T10:00:00+01:00")
    header, claims, _ = bodies(scene.do(EAST, "issue-invoice", **ASK))
    assert (claims[0].days, header.total.text) == (31, "1698.49")


def test_a_later_fact_changes_no_issued_document() -> None:
    scene = spell(priced(stage()), "p-1", CAME)
    issued(scene)
    before = scene.register.invoice("CTL-0001")
    released(scene, "p-1", "2025-03-11T10:00:00+01:00")
    assert scene.register.invoice("CTL-0001") == before


def test_rounding_places() -> None:
    found = {}
    for place in ("line-amount", "rate-first", "on-total"):
        scene = priced(stage(), components=[component("20000", per=365)], rounding={"mode": "half-up", "place": place})
        spell(scene, "p-1", "2025-03-05T10:00:00+01:00", "2025-03-12T10:00:00+01:00")
        spell(scene, "p-2", "2025-03-01T10:00:00+01:00")
        header, _, lines = bodies(issued(scene))
        found[place] = [one.amount.minor for one in lines]
        assert header.total.minor == sum(found[place])
    # 7 and 31 days of 20000/365: 383.5616… and 1698.6301…, in sum 2082.1917…
    assert found == {"line-amount": [38356, 169863], "rate-first": [38353, 169849], "on-total": [38356, 169863]}


# Approving.

APPROVE = {"number": "CTL-0001", "payable": usd("1643.70")}


def billed(scene: Scene) -> Scene:
    issued(ann(priced(scene)))
    return scene


def approved_by(officer: str) -> Any:
    return (f"{NORTH}/{officer}", "approve-invoice", APPROVE)


def paid(scene: Scene, amount: str = "1643.70") -> Scene:
    approved(scene)
    scene.do(
        EAST,
        "record-payment",
        payment="pay-1",
        agreement="a1",
        amount=usd(amount),
        external_ref="x",
        value_date="2025-04-20",
        allocations=[{"invoice": "CTL-0001", "amount": usd(amount)}],
    )
    return scene


APPROVALS = {
    "an amount has the currency's decimals": Row(
        given=(billed,),
        by=NORTH,
        asks="approve-invoice",
        data={**APPROVE, "payable": usd("1643.700")},
        follows=AmountIsTooPrecise(("/payable",)),
    ),
    "no match is made yet, so none is cited": Row(
        given=(billed,),
        by=NORTH,
        asks="approve-invoice",
        data={**APPROVE, "match_digest": DIGEST},
        follows=BodyIsMalformed("schema", ("/match_digest",)),
    ),
    "the payee does not approve": Row(
        given=(billed,), by=EAST, asks="approve-invoice", data=APPROVE, follows=RoleIsNotHeld(EAST, PAYER)
    ),
    "the invoice is known": Row(
        given=(billed,),
        by=NORTH,
        asks="approve-invoice",
        data={**APPROVE, "number": "CTL-0002"},
        follows=InvoiceIsUnknown("CTL-0002"),
    ),
    "another payer does not approve": Row(
        given=(billed, paid, collects(THIRD, "treasury-payer")),
        by=THIRD,
        asks="approve-invoice",
        data=APPROVE,
        follows=ActorIsNotThePayer(THIRD, NORTH),
    ),
    "a settled invoice is not approved": Row(
        given=(billed, paid),
        by=f"{NORTH}/n-3",
        asks="approve-invoice",
        data={**APPROVE, "payable": usd("1.00")},
        follows=InvoiceIsSettled("CTL-0001"),
    ),
    "the amount named is the payable one": Row(
        given=(billed, approved_by("n-1")),
        by=f"{NORTH}/n-1",
        asks="approve-invoice",
        data={**APPROVE, "payable": usd("1643.71")},
        follows=AmountHasChanged(Money(164370, "USD")),
    ),
    "in its currency": Row(
        given=(billed,),
        by=NORTH,
        asks="approve-invoice",
        data={**APPROVE, "payable": {"amount": "1643.70", "currency": "EUR"}},
        follows=AmountHasChanged(Money(164370, "USD")),
    ),
    "what is left after a payment is payable": Row(
        given=(billed, lambda scene: paid(scene, "643.70")),
        by=f"{NORTH}/n-3",
        asks="approve-invoice",
        data={**APPROVE, "payable": usd("1000.00")},
    ),
    "nobody approves twice": Row(
        given=(billed, approved_by("n-1")),
        by=f"{NORTH}/n-1",
        asks="approve-invoice",
        data=APPROVE,
        follows=SecondApproverIsTheFirst("n-1"),
    ),
    "one officer approves": Row(given=(billed,), by=f"{NORTH}/n-1", asks="approve-invoice", data=APPROVE),
    "another one does": Row(
        given=(billed, approved_by("n-1")), by=f"{NORTH}/n-2", asks="approve-invoice", data=APPROVE
    ),
}


@pytest.mark.parametrize("sentence", APPROVALS)
def test_approve(sentence: str) -> None:
    holds(APPROVALS[sentence], stage())


def test_an_approval_names_the_amount() -> None:
    answer = billed(stage()).do(f"{NORTH}/n-1", "approve-invoice", **APPROVE)
    (event,) = answer.events
    assert event.stream == "invoice:east:CTL-0001"
    assert event.body == InvoiceApproved(
        flags=(), payable=Money(164370, "USD"), match_digest=None, accepted_differences=()
    )


def test_a_refusal_shows_an_amount_as_it_is_sent() -> None:
    assert AmountHasChanged(Money(164370, "USD")).data() == {"payable": usd("1643.70")}


# Laws.


def test_no_person_day_is_billed_twice_over_agreements() -> None:
    """A person passes from one deal to another within a day; the place at midnight earns it, and only that one."""
    scene = stage()
    priced(agreed(scene, "a2"), agreement="a2", schedule="a2-fees", series="OTH", facilities=[E2])
    priced(scene, facilities=[E1])
    spell(scene, "p-1", CAME, "2025-03-10T08:00:00+01:00")
    scene.do(NORTH, "open-custody", person="p-1", **opening("n-1", "p-1"), occurred_at="2025-03-10T09:00:00+01:00")
    accepted(scene, "p-1", "2025-03-10T10:00:00+01:00", place=E2, agreement="a2")
    claims = [claim for id_ in ("a1", "a2") for claim in bodies(issued(scene, agreement=id_))[1]]
    days = Counter((claim.person, day) for claim in claims for range_ in claim.ranges for day in dates(range_))
    assert set(days.values()) == {1}
    assert len(days) == 31
    assert [claim.ranges for claim in claims] == [
        (period("2025-03-01", "2025-03-09"),),
        (Period(from_=date(2025, 3, 10), to=date(2025, 3, 31)),),
    ]
