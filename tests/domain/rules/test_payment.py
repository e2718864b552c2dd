"""Specification rows: recording a payment (MONEY §5.8, §10)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.events.agreement import PaymentReceived
from domain.money import Money
from domain.names import PaymentId
from domain.refusals import (
    AgreementIsUnknown,
    AmountIsMalformed,
    AmountIsNotText,
    BodyIsMalformed,
    CurrencyIsUnknown,
    InvoiceIsUnknown,
    RoleIsNotHeld,
)
from domain.rules.money.payment import (
    AllocationsExceedTheAmount,
    AmountIsAboveThePayable,
    AmountIsNotPositive,
    CurrencyDoesNotMatch,
    InvoiceIsNotApproved,
    PaymentIsAlreadyRecorded,
)
from domain.rules.money.treasury import ActorIsNotThePayee, ScheduleIsNotSigned
from ledger.writer.submission import Answer
from tests.domain.billing.fees import MARCH, agreed, approved, issued, priced, proposal, spell, usd
from tests.domain.rules.rows import Row, holds
from tests.scene import COURT, E1, E2, EAST, KEEPER, NORTH, THIRD, Scene, registry

PAYEE = ("treasury-payee",)


def stage() -> Scene:
    return agreed(registry(Scene(now="2025-04-20T10:00:00Z")))


def billed(scene: Scene) -> Scene:
    """CTL-0001 over 1,643.70."""
    priced(scene)
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00")
    issued(scene, MARCH)
    return scene


def half_approved(scene: Scene) -> Scene:
    billed(scene).do(f"{NORTH}/n-1", "approve-invoice", number="CTL-0001", payable=usd("1643.70"))
    return scene


def payable(scene: Scene) -> Scene:
    return approved(billed(scene))


def other_invoice(scene: Scene) -> Scene:
    """OTH-0001 under another agreement, approved by two."""
    priced(agreed(scene, "a2"), agreement="a2", schedule="a2-fees", series="OTH", facilities=[E2])
    spell(scene, "p-2", "2025-03-30T10:00:00+02:00", place=E2, agreement="a2")
    issued(scene, MARCH, "a2")
    return approved(scene, "OTH-0001", "109.58")


def payable_beside_another(scene: Scene) -> Scene:
    priced(scene, facilities=[E1])
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00")
    issued(scene, MARCH)
    approved(scene)
    return other_invoice(scene)


def priced_anew(scene: Scene, payee: str = EAST) -> Scene:
    """CTL-0001 is payable, and from April on another schedule prices in kronor."""
    priced(scene, valid={"from": "2024-01-01", "to": "2025-03-31"})
    spell(scene, "p-1", "2025-03-01T10:00:00+01:00", "2025-03-31T10:00:00+02:00")
    issued(scene, MARCH)
    approved(scene)
    anew = proposal(schedule="a1-anew", series="NEW", currency="SEK", valid={"from": "2025-04-01"}, payee=payee)
    told = scene.do(payee, "propose-fee-schedule", **anew).told
    scene.do(NORTH, "sign-fee-schedule", agreement="a1", schedule="a1-anew", **told)
    return scene


def proposed(scene: Scene) -> Scene:
    scene.do(EAST, "propose-fee-schedule", **proposal())
    return scene


def third_collects(scene: Scene) -> Scene:
    roles = [{"role": "treasury-payee", "from": "2024-01-01"}]
    scene.do(KEEPER, "set-authority-roles", authority=THIRD, roles=roles)
    return scene


def part(amount: str = "1643.70", invoice: str = "CTL-0001", currency: str = "USD") -> dict[str, object]:
    return {"invoice": invoice, "amount": {"amount": amount, "currency": currency}}


def payment(**changes: Any) -> dict[str, Any]:
    """The whole invoice, paid."""
    return {
        "payment": "pay-1",
        "agreement": "a1",
        "amount": usd("1643.70"),
        "external_ref": "wire 77",
        "value_date": "2025-04-20",
        "allocations": [part()],
        **changes,
    }


def paid(scene: Scene) -> Scene:
    scene.do(EAST, "record-payment", **payment())
    return scene


def on_account(**changes: Any) -> dict[str, Any]:
    return payment(allocations=[], amount=usd("10.00"), **changes)


ROWS = {
    "an amount is a text": Row(
        by=EAST, asks="record-payment", data=payment(amount=1643), follows=AmountIsNotText(("/amount",))
    ),
    "a part is well-formed": Row(
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part("-0")]),
        follows=AmountIsMalformed(("/allocations/0/amount",)),
    ),
    "a currency circulates": Row(
        by=EAST,
        asks="record-payment",
        data=payment(amount={"amount": "1", "currency": "XAU"}),
        follows=CurrencyIsUnknown(("/amount/currency",)),
    ),
    "an invoice is named once": Row(
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part("1.00"), part("2.00")]),
        follows=BodyIsMalformed("schema", ("/",)),
    ),
    "the payer does not record it": Row(
        given=(payable,), by=NORTH, asks="record-payment", data=payment(), follows=RoleIsNotHeld(NORTH, PAYEE)
    ),
    "the agreement is known, before the invoice": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(agreement="a9", allocations=[part(invoice="CTL-0009")]),
        follows=AgreementIsUnknown("a9"),
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="record-payment", data=on_account(agreement="a9"), follows=AgreementIsUnknown("a9")
    ),
    "the invoice is known": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part(invoice="CTL-0009")]),
        follows=InvoiceIsUnknown("CTL-0009"),
    ),
    "an invoice of another agreement is not known here": Row(
        given=(payable_beside_another,),
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part("109.58", "OTH-0001")]),
        follows=InvoiceIsUnknown("OTH-0001"),
    ),
    "another payee does not record it": Row(
        given=(proposed, third_collects),
        by=THIRD,
        asks="record-payment",
        data=on_account(),
        follows=ActorIsNotThePayee(THIRD, EAST),
    ),
    "a proposal earns nothing": Row(
        given=(proposed,),
        by=EAST,
        asks="record-payment",
        data=on_account(),
        follows=ScheduleIsNotSigned("a1"),
    ),
    "the currency is the schedule's": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(amount={"amount": "-5.00", "currency": "EUR"}),
        follows=CurrencyDoesNotMatch("USD"),
    ),
    "that of each part too": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part(currency="EUR")]),
        follows=CurrencyDoesNotMatch("USD"),
    ),
    "an invoice is paid in its own currency, whatever is agreed for later months": Row(
        given=(priced_anew,), by=EAST, asks="record-payment", data=payment()
    ),
    "never in that of a later schedule": Row(
        given=(priced_anew,),
        by=EAST,
        asks="record-payment",
        data=payment(amount={"amount": "1643.70", "currency": "SEK"}, allocations=[part(currency="SEK")]),
        follows=CurrencyDoesNotMatch("USD"),
    ),
    "on account stands what is in the currency of the latest schedule": Row(
        given=(priced_anew,), by=EAST, asks="record-payment", data=on_account(), follows=CurrencyDoesNotMatch("SEK")
    ),
    "its payee records it, whoever is the payee of later months": Row(
        given=(third_collects, lambda scene: priced_anew(scene, payee=THIRD)),
        by=EAST,
        asks="record-payment",
        data=payment(),
    ),
    "the payee of later months does not": Row(
        given=(third_collects, lambda scene: priced_anew(scene, payee=THIRD)),
        by=THIRD,
        asks="record-payment",
        data=payment(),
        follows=ActorIsNotThePayee(THIRD, EAST),
    ),
    "a payment is more than nothing": Row(
        given=(payable, paid),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("0.00")),
        follows=AmountIsNotPositive(),
    ),
    "each part is": Row(
        given=(payable, paid),
        by=EAST,
        asks="record-payment",
        data=payment(allocations=[part("-1.00")]),
        follows=AmountIsNotPositive(),
    ),
    "an id names one payment": Row(
        given=(payable, paid),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("1643.71"), allocations=[part("1643.72")]),
        follows=PaymentIsAlreadyRecorded("pay-1"),
    ),
    "the parts are within the amount": Row(
        given=(half_approved,),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("1643.69")),
        follows=AllocationsExceedTheAmount(Money(164369, "USD"), Money(164370, "USD")),
    ),
    "one officer's approval is not enough": Row(
        given=(half_approved,),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("9999.00"), allocations=[part("9000.00")]),
        follows=InvoiceIsNotApproved(("CTL-0001",)),
    ),
    "no more than is open is allocated": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("1643.71"), allocations=[part("1643.71")]),
        follows=AmountIsAboveThePayable("CTL-0001", Money(164370, "USD")),
    ),
    "nor on what is paid": Row(
        given=(payable, paid),
        by=EAST,
        asks="record-payment",
        data=payment(payment="pay-2", amount=usd("0.01"), allocations=[part("0.01")]),
        follows=AmountIsAboveThePayable("CTL-0001", Money(0, "USD")),
    ),
    "an approved invoice is paid": Row(given=(payable,), by=EAST, asks="record-payment", data=payment()),
    "a part of it is": Row(
        given=(payable,),
        by=EAST,
        asks="record-payment",
        data=payment(amount=usd("600.00"), allocations=[part("600.00")]),
    ),
    "money arrives also where nothing is billed": Row(
        given=(priced,), by=EAST, asks="record-payment", data=on_account()
    ),
}


@pytest.mark.parametrize("sentence", ROWS)
def test_record(sentence: str) -> None:
    holds(ROWS[sentence], stage())


def told(answer: Answer) -> list[tuple[str, str, tuple[str, ...]]]:
    """Stream, amount and flags of each part."""
    return [
        (event.stream, event.body.amount.text, event.body.flags)
        for event in answer.events
        if isinstance(event.body, PaymentReceived)
    ]


INVOICE, ACCOUNT = "invoice:east:CTL-0001", "agreement:a1"
SPLIT: dict[str, tuple[Any, dict[str, Any], list[tuple[str, str, tuple[str, ...]]]]] = {
    "all of it settles the invoice": (payable, payment(), [(INVOICE, "1643.70", ())]),
    "what is not allocated stands on account": (
        payable,
        payment(amount=usd("2000.00")),
        [(INVOICE, "1643.70", ()), (ACCOUNT, "356.30", ())],
    ),
    "all of it stands there while something approved is open": (payable, on_account(), [(ACCOUNT, "10.00", ())]),
    "it is flagged where nothing is billed": (priced, on_account(), [(ACCOUNT, "10.00", ("unapproved-payment",))]),
    "and where one officer alone approved": (
        half_approved,
        on_account(),
        [(ACCOUNT, "10.00", ("unapproved-payment",))],
    ),
    "and where all that is approved is paid": (
        lambda scene: paid(payable(scene)),
        on_account(payment="pay-2"),
        [(ACCOUNT, "10.00", ("unapproved-payment",))],
    ),
}


@pytest.mark.parametrize("sentence", SPLIT)
def test_a_payment_is_split_over_what_it_settles(sentence: str) -> None:
    given, data, expected = SPLIT[sentence]
    scene = given(stage())
    assert told(scene.do(EAST, "record-payment", **data)) == expected


def test_its_events_say_the_same_payment() -> None:
    answer = payable(stage()).do(EAST, "record-payment", **payment(amount=usd("2000.00"), payment=None))
    first, second = (event.body for event in answer.events)
    assert isinstance(first, PaymentReceived)
    assert isinstance(second, PaymentReceived)
    assert first.payment == second.payment != PaymentId("pay-1")
    assert (first.external_ref, first.value_date) == ("wire 77", date(2025, 4, 20))


OTHERS = {
    "another amount on account": payment(amount=usd("2000.01")),
    "another part": payment(amount=usd("2000.00"), allocations=[part("1643.69")]),
    "another reference": payment(amount=usd("2000.00"), external_ref="wire 78"),
    "another value date": payment(amount=usd("2000.00"), value_date="2025-04-21"),
    "another time": payment(amount=usd("2000.00"), occurred_at="2025-04-20T09:00:00Z"),
}


def test_a_repeat_changes_nothing() -> None:
    scene = payable(stage())
    first = scene.do(EAST, "record-payment", **payment(amount=usd("2000.00")))
    again = scene.do(EAST, "record-payment", **payment(amount={"amount": "2000", "currency": "USD"}))
    assert again.replayed
    assert again.events == first.events


@pytest.mark.parametrize("sentence", OTHERS)
def test_what_differs_is_no_repeat(sentence: str) -> None:
    scene = payable(stage())
    scene.do(EAST, "record-payment", **payment(amount=usd("2000.00")))
    found = scene.refusal(EAST, "record-payment", **OTHERS[sentence])
    assert found is not None
    assert found.data() == PaymentIsAlreadyRecorded("pay-1").data()
