"""Money arrives: the payee records a payment, says which approved invoices it settles, and the rest stands on account.

A payment is a fact about a bank account; what may be refused is only how it is allocated. Each part is an event of
its own, on the invoice it settles or on the agreement, all with the payment's id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from domain.billing.schedules import SignedSchedule
from domain.commands import AmountIn, CivilDate, Command, Id, Text, Value
from domain.events.agreement import PaymentReceived
from domain.events.event import Draft, Event, fresh
from domain.files.agreement import AgreementFile
from domain.files.invoice import InvoiceFile
from domain.money import Money
from domain.names import PaymentId
from domain.refusals import InvoiceIsUnknown, Refusal
from domain.register import Register
from domain.rules.money.treasury import (
    InvoiceNumberIn,
    agreement_asked,
    invoice_asked,
    invoice_schedule,
    is_approved,
    latest_schedule,
    not_the_payee,
)
from domain.rules.ruling import AnyRule, Call, Named, Rule, agreement_named

ALLOCATIONS_MAX = 500


class AllocationIn(Value):
    """The part of a payment that settles one invoice."""

    invoice: InvoiceNumberIn
    amount: AmountIn


class RecordPayment(Command):
    """The payee states that money has arrived, under the id of the payment or a fresh one."""

    name = "record-payment"
    payment: Id | None = None
    agreement: Id
    amount: AmountIn
    external_ref: Text
    value_date: CivilDate
    allocations: Annotated[tuple[AllocationIn, ...], Field(max_length=ALLOCATIONS_MAX)] = ()

    def model_post_init(self, _context: object) -> None:
        """One part an invoice."""
        if len({part.invoice for part in self.allocations}) < len(self.allocations):
            raise PydanticCustomError("allocations", "an invoice is named twice")

    @property
    def parts(self) -> dict[str, Money]:
        """What each invoice named is to receive."""
        return {part.invoice: part.amount.money for part in self.allocations}


@dataclass(eq=False)
class CurrencyDoesNotMatch(Refusal):
    """An amount is in another currency than the schedule's."""

    currency: str


@dataclass(eq=False)
class AmountIsNotPositive(Refusal):
    """A payment and each of its parts is more than nothing."""


@dataclass(eq=False)
class PaymentIsAlreadyRecorded(Refusal):
    """A payment of that id is recorded, with other content."""

    payment: str


@dataclass(eq=False)
class AllocationsExceedTheAmount(Refusal):
    """The parts add up to more than the payment."""

    amount: Money
    allocated: Money


@dataclass(eq=False)
class InvoiceIsNotApproved(Refusal):
    """Two officers of the payer have not approved these invoices."""

    numbers: tuple[str, ...]


@dataclass(eq=False)
class AmountIsAboveThePayable(Refusal):
    """More than is open would be allocated to this invoice."""

    number: str
    payable: Money


def _refusals(register: Register, ask: RecordPayment, call: Call) -> Iterator[Refusal]:
    file = agreement_asked(register, ask.agreement)
    invoices = {number: invoice_asked(register, number) for number in ask.parts}
    for number, invoice in invoices.items():
        if invoice.body.agreement != file.agreement:
            yield InvoiceIsUnknown(number)
    schedules = _schedules(register, file, invoices.values())
    for schedule in schedules:
        yield from not_the_payee(file, schedule, call)
    if not schedules:
        yield from not_the_payee(file, None, call)
    currency, total = schedules[0].body.currency, ask.amount.money
    named = {schedule.body.currency for schedule in schedules} | {part.currency for part in ask.parts.values()}
    if named | {total.currency} != {currency}:
        yield CurrencyDoesNotMatch(currency)
    if any(amount.minor <= 0 for amount in (total, *ask.parts.values())):
        yield AmountIsNotPositive()
    if ask.payment is not None and register.knows("payment", ask.payment):
        yield PaymentIsAlreadyRecorded(ask.payment)
    allocated = _sum(ask.parts.values(), currency)
    if allocated.minor > total.minor:
        yield AllocationsExceedTheAmount(total, allocated)
    unapproved = tuple(number for number, invoice in invoices.items() if not is_approved(invoice))
    if unapproved:
        yield InvoiceIsNotApproved(unapproved)
    for number, invoice in invoices.items():
        if ask.parts[number].minor > invoice.open.minor:
            yield AmountIsAboveThePayable(number, invoice.open)


def _schedules(register: Register, file: AgreementFile, invoices: Collection[InvoiceFile]) -> list[SignedSchedule]:
    """Those the invoices bill by, each with its own payee and currency; for money on account alone the latest one."""
    if invoices:
        return [invoice_schedule(register, invoice) for invoice in invoices]
    latest = latest_schedule(file)
    return [latest] if latest is not None else []


def _records(register: Register, ask: RecordPayment, _call: Call) -> list[Draft]:
    file, total = agreement_asked(register, ask.agreement), ask.amount.money
    drafts = [
        _draft(ask, invoice_asked(register, number).issued.stream, amount) for number, amount in ask.parts.items()
    ]
    rest = total - _sum(ask.parts.values(), total.currency)
    if rest.minor > 0:
        flags = (
            () if any(_is_payable(register.invoice(number)) for number in file.invoices) else ("unapproved-payment",)
        )
        drafts.append(_draft(ask, f"agreement:{ask.agreement}", rest, flags))
    return drafts


def _draft(ask: RecordPayment, stream: str, amount: Money, flags: tuple[str, ...] = ()) -> Draft:
    body = PaymentReceived(
        flags=flags,
        precision=ask.precision,
        payment=PaymentId(ask.payment if ask.payment is not None else fresh("payment")),
        amount=amount,
        external_ref=ask.external_ref,
        value_date=ask.value_date,
    )
    return Draft(stream=stream, body=body, draws=("payment",) if ask.payment is None else ())


def _is_payable(invoice: InvoiceFile | None) -> bool:
    """Whether an invoice is approved and something of it is left to pay."""
    return invoice is not None and is_approved(invoice) and invoice.open.minor > 0


def _is_that_payment(ask: RecordPayment, events: Sequence[Event]) -> bool:
    """Whether the events under a payment's id say what the command says; its body is split over them."""
    parts: dict[str, Money] = {}
    amounts: list[Money] = []
    total = ask.amount.money
    for event in events:
        body = event.body
        if not isinstance(body, PaymentReceived) or body.amount.currency != total.currency:
            return False
        if (body.external_ref, body.value_date, body.precision) != (ask.external_ref, ask.value_date, ask.precision):
            return False
        kind, _, rest = event.stream.partition(":")
        if kind == "invoice":
            parts[rest.rpartition(":")[2]] = body.amount
        elif rest != ask.agreement:
            return False
        amounts.append(body.amount)
    return parts == ask.parts and _sum(amounts, total.currency) == total


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, Money(0, currency))


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=RecordPayment,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=("treasury-payee",),
        scope=agreement_named,
        names=lambda ask: [
            Named("agreement", ask.agreement),
            *(Named("invoice", part.invoice) for part in ask.allocations),
        ],
        brings=lambda ask: Named("payment", ask.payment) if ask.payment is not None else None,
        same=_is_that_payment,
        refusals=_refusals,
        records=_records,
    ),
)
