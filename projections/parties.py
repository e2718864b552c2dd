"""Who owes whom under an agreement: payee and payer as the signed schedules say at a position."""

from __future__ import annotations

from typing import NamedTuple

from domain.billing.schedules import schedule_of, signed_schedules
from domain.events.agreement import Period
from domain.files.agreement import AgreementFile
from domain.money import Money
from domain.names import AuthorityId
from domain.register import Register
from projections.engine.asking import Item


class Parties(NamedTuple):
    """The two sides of an agreement's money; `agreed_by` is the position of the signature behind it."""

    payee: AuthorityId
    payer: AuthorityId
    agreed_by: int


def parties_of_period(register: Register, agreement: str, period: Period, known_at: int) -> Parties:
    """The sides of an invoice: those of the schedule that bills its period."""
    schedule = schedule_of(_file(register, agreement), period, known_at)
    assert schedule is not None, "an invoice is issued under a signed schedule"
    return Parties(schedule.body.payee, schedule.body.payer, schedule.agreed_by)


def parties_on_account(register: Register, agreement: str, known_at: int) -> Parties:
    """The sides of money that concerns no period: those of the schedule signed last."""
    signed = signed_schedules(_file(register, agreement), known_at)
    assert signed, "money is taken under a signed schedule"
    latest = max(signed, key=lambda schedule: schedule.agreed_by)
    return Parties(latest.body.payee, latest.body.payer, latest.agreed_by)


def money(minor: int, currency: str) -> Item:
    """An amount as it is shown."""
    return {"amount": Money(minor, currency).text, "currency": currency}


def _file(register: Register, agreement: str) -> AgreementFile:
    file = register.agreement(agreement)
    assert file is not None, "money comes under an agreement that was drafted before"
    return file
