"""Closing a month: the payee fixes its days, so that a bill and its days can be read again for ever.

A month is closed once it is over in every place, in order, none with days left behind. What is recorded about it
afterwards is a matter for a later document, never for this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.billing.custody_days import Knowledge, earned_days
from domain.billing.invoice_lines import days_by_facility, days_digest
from domain.billing.schedules import SignedSchedule, schedule_of, signed_schedules
from domain.commands import Command, Id
from domain.custody.local_days import TZDATA_RELEASE, day_end
from domain.events.agreement import CustodyDaysClosed, Period
from domain.events.event import Draft, Event
from domain.files.agreement import AgreementFile
from domain.names import Digest
from domain.refusals import Refusal
from domain.register import Register
from domain.rules.money.treasury import MonthIn, agreement_asked, not_the_payee
from domain.rules.ruling import AnyRule, Call, Named, Rule, agreement_named

_DAY = timedelta(days=1)


class ClosePeriod(Command):
    """The payee fixes the days of a month that is over."""

    name = "close-period"
    agreement: Id
    period: MonthIn


@dataclass(eq=False)
class PeriodIsAlreadyClosed(Refusal):
    """The days of this period are fixed."""

    agreement: str
    period_from: date


@dataclass(eq=False)
class AnEarlierPeriodIsOpen(Refusal):
    """Periods are closed in order: an earlier one has custody days and is not closed."""

    period_from: date


@dataclass(eq=False)
class PeriodIsOpen(Refusal):
    """Not over in every place with the days to wait, or, for an invoice, not closed; `until` is when it can be."""

    period_from: date
    until: datetime | None = None


def _close_refusals(register: Register, ask: ClosePeriod, call: Call) -> Iterator[Refusal]:
    file, period = agreement_asked(register, ask.agreement), ask.period.period
    schedule = schedule_of(file, period)
    yield from not_the_payee(file, schedule, call)
    assert schedule is not None, "a claim stops at its first refusal"
    if closing_of(file, period) is not None:
        yield PeriodIsAlreadyClosed(ask.agreement, period.from_)
    earlier = _first_open_before(register, file, period, call)
    if earlier is not None:
        yield AnEarlierPeriodIsOpen(earlier)
    until = max(_end_of(period, schedule, zone) for zone in _zones(register, schedule))
    if call.now < until:
        yield PeriodIsOpen(period.from_, until)


def closing_of(file: AgreementFile, period: Period) -> Event | None:
    """The event that closed exactly that period."""
    return next(
        (item for item in file.closed if isinstance(item.body, CustodyDaysClosed) and item.body.period == period), None
    )


def _first_open_before(register: Register, file: AgreementFile, period: Period, call: Call) -> date | None:
    """The first day of the earliest month before the period that has custody days and is not closed."""
    closed = {item.body.period.from_ for item in file.closed if isinstance(item.body, CustodyDaysClosed)}
    months: set[date] = set()
    for schedule in signed_schedules(file):
        before = Period(from_=schedule.body.valid.from_, to=period.from_ - _DAY)
        people = earned_days(register, schedule, before, Knowledge(as_of=call.now))
        months.update(day.date.replace(day=1) for person in people for day in person.days)
    return min(months - closed, default=None)


def _zones(register: Register, schedule: SignedSchedule) -> set[str]:
    return {register.zone_of(facility) or "UTC" for facility in schedule.body.facilities}


def _end_of(period: Period, schedule: SignedSchedule, zone: str) -> datetime:
    """When the period is over in a zone and the days to wait have passed there too."""
    day = period.to + schedule.body.billing.close_after_days * _DAY
    while (end := day_end(day, zone)) is None:
        day += _DAY
    return end


def _close_records(register: Register, ask: ClosePeriod, call: Call) -> list[Draft]:
    period = ask.period.period
    schedule = schedule_of(agreement_asked(register, ask.agreement), period)
    assert schedule is not None, "refused before"
    people = earned_days(register, schedule, period, Knowledge(as_of=call.now))
    facilities = days_by_facility(people, schedule)
    body = CustodyDaysClosed(
        flags=(),
        precision=ask.precision,
        period=period,
        facilities=facilities,
        person_days=sum(item.person_days for item in facilities),
        digest=Digest(days_digest(people, period, register)),
        tzdata=TZDATA_RELEASE,
    )
    return [Draft(stream=f"agreement:{ask.agreement}", body=body)]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=ClosePeriod,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=("treasury-payee",),
        scope=agreement_named,
        names=lambda ask: [Named("agreement", ask.agreement)],
        refusals=_close_refusals,
        records=_close_records,
    ),
)
