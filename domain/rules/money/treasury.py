"""Who stands on which side of the money of an agreement, and what the acts of both treasuries share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic_core import PydanticCustomError

from domain.billing.schedules import SignedSchedule, schedule_of, signed_schedules
from domain.commands import CivilDate, Value
from domain.custody.local_days import add_months
from domain.events.agreement import Period
from domain.files.agreement import AgreementFile
from domain.files.invoice import InvoiceFile
from domain.names import AgreementId, AuthorityId, StateCode
from domain.refusals import Refusal
from domain.register import Register
from domain.rules.ruling import UNKNOWN_SCOPE, Call

InvoiceNumberIn = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$", strict=True)]
YEARS = range(1900, 9001)
"""Beyond them there is no room for the days to wait and to pay that are counted from a period."""
_DAY = timedelta(days=1)


class MonthIn(Value):
    """A calendar month, by its first and last date: the only billing period there is."""

    from_: CivilDate = Field(alias="from")
    to: CivilDate

    def model_post_init(self, _context: object) -> None:
        """Hold it to one whole month."""
        if self.from_.year not in YEARS or self.from_.day != 1 or self.to != add_months(self.from_, 1) - _DAY:
            raise PydanticCustomError("month", "not a calendar month")

    @property
    def period(self) -> Period:
        """The same as events state it."""
        return Period(from_=self.from_, to=self.to)


@dataclass(eq=False)
class ActorIsNotThePayee(Refusal):
    """Only the payee of the agreement's fee schedule may do this."""

    authority: str
    payee: str


@dataclass(eq=False)
class ScheduleIsNotSigned(Refusal):
    """No fee schedule that both treasuries have signed is there for it."""

    agreement: str


def agreement_asked(register: Register, agreement: str) -> AgreementFile:
    """The file of an agreement that the prelude has found known."""
    file = register.agreement(agreement)
    assert file is not None, "the prelude refuses unknown ids"
    return file


def invoice_asked(register: Register, number: str) -> InvoiceFile:
    """The file of an invoice that the prelude has found known."""
    file = register.invoice(number)
    assert file is not None, "the prelude refuses unknown ids"
    return file


def state_of(register: Register, authority: str) -> StateCode:
    """The State of an authority that the prelude has found known."""
    file = register.authority(authority)
    assert file is not None, "the prelude refuses unknown ids"
    return file.state


def latest_schedule(file: AgreementFile) -> SignedSchedule | None:
    """The schedule signed last, for what concerns no period."""
    return max(signed_schedules(file), key=lambda item: item.agreed_by, default=None)


def payee_of(file: AgreementFile, schedule: SignedSchedule | None) -> AuthorityId | None:
    """The payee of the schedule concerned, else of the latest one signed, else of the latest proposal."""
    if schedule is not None:
        return schedule.body.payee
    signed = latest_schedule(file)
    if signed is not None:
        return signed.body.payee
    return file.schedules[-1].body.payee if file.schedules else None


def not_the_payee(file: AgreementFile, schedule: SignedSchedule | None, call: Call) -> Iterator[Refusal]:
    """`actor-is-not-the-payee`, then `schedule-is-not-signed`."""
    payee = payee_of(file, schedule)
    if payee is not None and call.by.authority != payee:
        yield ActorIsNotThePayee(call.by.authority, payee)
    if schedule is None:
        yield ScheduleIsNotSigned(file.agreement)


def invoice_schedule(register: Register, invoice: InvoiceFile) -> SignedSchedule:
    """The schedule an issued invoice bills by."""
    schedule = schedule_of(agreement_asked(register, invoice.body.agreement), invoice.body.period)
    assert schedule is not None, "an invoice is issued under a signed schedule"
    return schedule


def is_approved(invoice: InvoiceFile) -> bool:
    """Whether two different officers of the payer have approved it."""
    return len({approval.actor.officer for approval in invoice.approvals}) > 1


def invoice_scope(register: Register, number: str) -> AgreementId:
    """The agreement an invoice stands under, for the scope of a role."""
    file = register.invoice(number)
    return file.body.agreement if file is not None else UNKNOWN_SCOPE
