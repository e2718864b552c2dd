"""From closed days to an approved invoice: the payee bills a month, two officers of the payer approve.

An invoice is one batch: its header, the days of each person at each place apart, and a line for each fee spell. Its
number is given inside the commit, so a series has no gap. It bills the days as they were closed; what is recorded
afterwards changes no issued document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field

from domain.billing.custody_days import Knowledge, PersonDays, billed_dates, earned_days
from domain.billing.invoice_lines import (
    Bill,
    bill,
    days_digest,
    due_date,
    preview_digest,
    unpriced,
)
from domain.billing.schedules import SignedSchedule, schedule_of
from domain.commands import AmountIn, Command, Digest, Id, Text
from domain.custody.local_days import local_date
from domain.events.agreement import CustodyDaysClosed, Period
from domain.events.event import Draft, Event, fresh
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued
from domain.files.agreement import AgreementFile
from domain.money import Money
from domain.names import CaseRef, InvoiceNumber, PersonId, Zone
from domain.names import Digest as DigestName
from domain.refusals import Refusal
from domain.register import Register
from domain.rules.money.closing import PeriodIsOpen, closing_of
from domain.rules.money.treasury import (
    InvoiceNumberIn,
    MonthIn,
    agreement_asked,
    invoice_asked,
    invoice_schedule,
    invoice_scope,
    not_the_payee,
    state_of,
)
from domain.rules.ruling import AnyRule, Call, Named, Rule, agreement_named

_DAY = timedelta(days=1)


class IssueInvoice(Command):
    """The payee bills a closed month; `preview_digest` is that of the preview it was shown, if it was."""

    name = "issue-invoice"
    agreement: Id
    period: MonthIn
    preview_digest: Digest | None = None


class ApproveInvoice(Command):
    """One officer of the payer approves the amount named; no match of days can be made yet, so none is cited."""

    name = "approve-invoice"
    number: InvoiceNumberIn
    payable: AmountIn
    match_digest: None = None
    accepted_differences: Annotated[tuple[Text, ...], Field(max_length=0)] = ()


@dataclass(eq=False)
class InvoiceIsAlreadyIssued(Refusal):
    """The closed period has its invoice."""

    number: str


@dataclass(eq=False)
class PreviewIsStale(Refusal):
    """The document would not be the one that was shown."""

    preview_digest: str


@dataclass(eq=False)
class DayHasNoRate(Refusal):
    """Days are earned on dates for which no rate is agreed."""

    dates: tuple[date, ...]


@dataclass(eq=False)
class DayIsAlreadyBilled(Refusal):
    """Days of these persons, by date, stand on an invoice."""

    persons: dict[str, tuple[date, ...]]


@dataclass(eq=False)
class ThereIsNothingToBill(Refusal):
    """Nobody earned a day in the period."""

    agreement: str
    period_from: date


@dataclass(eq=False)
class ActorIsNotThePayer(Refusal):
    """Only the payer of the invoice may do this."""

    authority: str
    payer: str


@dataclass(eq=False)
class InvoiceIsSettled(Refusal):
    """Nothing is left to pay."""

    number: str


@dataclass(eq=False)
class AmountHasChanged(Refusal):
    """The amount payable is another than the one named."""

    payable: Money


@dataclass(eq=False)
class SecondApproverIsTheFirst(Refusal):
    """An invoice is approved by two different officers; this one has approved it."""

    officer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closed:
    """A closed period about to be billed."""

    file: AgreementFile
    schedule: SignedSchedule
    period: Period
    closing: Event
    people: Sequence[PersonDays]


def _closed(register: Register, file: AgreementFile, schedule: SignedSchedule, closing: Event) -> _Closed:
    """The days as they were closed, read again from what was known then."""
    body = closing.body
    assert isinstance(body, CustodyDaysClosed), "closings are what the file keeps there"
    knowledge = Knowledge(as_of=closing.recorded_at, known_at=closing.position)
    people = earned_days(register, schedule, body.period, knowledge)
    assert days_digest(people, body.period, register) == body.digest, "closed days are always counted the same"
    return _Closed(file=file, schedule=schedule, period=body.period, closing=closing, people=people)


def _issue_refusals(register: Register, ask: IssueInvoice, call: Call) -> Iterator[Refusal]:
    file, period = agreement_asked(register, ask.agreement), ask.period.period
    schedule = schedule_of(file, period)
    yield from not_the_payee(file, schedule, call)
    assert schedule is not None, "a claim stops at its first refusal"
    closing = closing_of(file, period)
    if closing is None:
        yield PeriodIsOpen(period.from_)
    assert closing is not None, "a claim stops at its first refusal"
    for invoice in map(register.invoice, file.invoices):
        if invoice is not None and invoice.body.period == period:
            yield InvoiceIsAlreadyIssued(invoice.body.number)
    closed = _closed(register, file, schedule, closing)
    without_rate = unpriced(closed.people, schedule)
    if ask.preview_digest is not None:
        shown = preview_digest(_bill(register, closed), period) if not without_rate else None
        if ask.preview_digest != shown:
            yield PreviewIsStale(ask.preview_digest)
    if without_rate:
        yield DayHasNoRate(without_rate)
    twice = _billed_since(register, closed)
    if twice:
        yield DayIsAlreadyBilled(twice)
    if not closed.people:
        yield ThereIsNothingToBill(ask.agreement, period.from_)


def _billed_since(register: Register, closed: _Closed) -> dict[str, tuple[date, ...]]:
    """Days closed here that another agreement has billed meanwhile."""
    found: dict[str, tuple[date, ...]] = {}
    for person in closed.people:
        file = register.person(person.person)
        assert file is not None, "who earns days has a file"
        billed = billed_dates(file, Knowledge(as_of=closed.closing.recorded_at))
        twice = tuple(day.date for day in person.days if day.date in billed)
        if twice:
            found[person.person] = twice
    return found


def _bill(register: Register, closed: _Closed) -> Bill:
    def case_ref(person: PersonId) -> CaseRef:
        return known_case_ref(register, closed.file, person) or CaseRef(fresh(_drawn_name(person)))

    return bill(
        closed.people,
        closed.schedule,
        closed.period,
        register,
        case_refs=case_ref,
        agreement_version=closed.closing.stream_version,
    )


def _drawn_name(person: PersonId) -> str:
    return f"case_ref-{person}"


def known_case_ref(register: Register, file: AgreementFile, person: PersonId) -> CaseRef | None:
    """The pseudonym drawn at the first billing of the person under the agreement, `None` before it."""
    invoices = {
        f"invoice:{invoice.payee}:{number}" for number in file.invoices if (invoice := register.invoice(number))
    }
    of_person = register.person(person)
    billed = of_person.billed if of_person is not None else ()
    return next((item.body.case_ref for item in billed if item.stream in invoices), None)


def _issue_records(register: Register, ask: IssueInvoice, call: Call) -> list[Draft]:
    file, period = agreement_asked(register, ask.agreement), ask.period.period
    schedule, closing = schedule_of(file, period), closing_of(file, period)
    assert schedule is not None, "refused before"
    assert closing is not None, "refused before"
    document = _bill(register, _closed(register, file, schedule, closing))
    issued_on = local_date(ask.when(call.now), _payer_zone(register, schedule))
    number = _next_number(file, schedule.body.series)
    stream = f"invoice:{schedule.body.payee}:{number}"
    header = InvoiceIssued(
        flags=(),
        precision=ask.precision,
        number=number,
        series=schedule.body.series,
        kind="regular",
        agreement=file.agreement,
        period=period,
        issue_date=issued_on,
        due_date=due_date(issued_on, schedule.body.terms_days),
        total=document.total,
        lines=len(document.lines),
        lines_digest=DigestName(document.lines_digest),
        closed_at=closing.position,
        supplements=None,
        cause=None,
        preview_digest=DigestName(ask.preview_digest) if ask.preview_digest is not None else None,
    )
    claims = [
        Draft(stream=stream, body=claim, draws=(_drawn_name(claim.person),) if _is_drawn(claim) else ())
        for claim in document.claims
    ]
    return [Draft(stream=stream, body=header), *claims, *(Draft(stream=stream, body=line) for line in document.lines)]


def _is_drawn(claim: CustodyDaysBilled) -> bool:
    return claim.case_ref == fresh(_drawn_name(claim.person))


def _next_number(file: AgreementFile, series: str) -> InvoiceNumber:
    """The next number of a series; only one schedule has it, so the agreement's invoices are all there are."""
    counter = sum(number.startswith(f"{series}-") for number in file.invoices) + 1
    return InvoiceNumber(f"{series}-{counter:04}")


def _payer_zone(register: Register, schedule: SignedSchedule) -> Zone:
    """The zone of the payer's side in the latest signed terms."""
    signed = [revision for revision in schedule.file.revisions if revision.is_signed]
    revision = (signed or schedule.file.revisions)[-1]
    assert revision.terms is not None, "a draft without the terms is never recorded"
    sending = state_of(register, revision.party("sending"))
    zones = revision.terms.zones
    return zones.sending if state_of(register, schedule.body.payer) == sending else zones.receiving


def _told(events: Sequence[Event]) -> dict[str, str]:
    header = events[0].body
    assert isinstance(header, InvoiceIssued)
    return {"number": header.number}


def _approve_refusals(register: Register, ask: ApproveInvoice, call: Call) -> Iterator[Refusal]:
    invoice = invoice_asked(register, ask.number)
    payer = invoice_schedule(register, invoice).body.payer
    if call.by.authority != payer:
        yield ActorIsNotThePayer(call.by.authority, payer)
    if invoice.open.minor == 0:
        yield InvoiceIsSettled(ask.number)
    if ask.payable.money != invoice.open:
        yield AmountHasChanged(invoice.open)
    if any(approval.actor.officer == call.by.officer for approval in invoice.approvals):
        yield SecondApproverIsTheFirst(call.by.officer)


def _approve_records(register: Register, ask: ApproveInvoice, _call: Call) -> list[Draft]:
    payee = invoice_asked(register, ask.number).payee
    body = InvoiceApproved(
        flags=(),
        precision=ask.precision,
        payable=ask.payable.money,
        match_digest=ask.match_digest,
        accepted_differences=ask.accepted_differences,
    )
    return [Draft(stream=f"invoice:{payee}:{ask.number}", body=body)]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=IssueInvoice,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=("treasury-payee",),
        scope=agreement_named,
        names=lambda ask: [Named("agreement", ask.agreement)],
        refusals=_issue_refusals,
        records=_issue_records,
        tells=_told,
    ),
    Rule(
        command=ApproveInvoice,
        subject=lambda register, ask: f"invoice:{invoice_asked(register, ask.number).payee}:{ask.number}",
        roles=("treasury-payer",),
        scope=lambda register, ask: invoice_scope(register, ask.number),
        names=lambda ask: [Named("invoice", ask.number)],
        refusals=_approve_refusals,
        records=_approve_records,
    ),
)
