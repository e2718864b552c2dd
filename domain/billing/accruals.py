"""What is earned and not billed yet: an accrual prices the days up to an instant and posts nothing (MONEY §4, §7).

Days are priced a calendar month at a time, so that a month which is over accrues what its invoice will say.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from domain.billing.custody_days import Knowledge, PersonDays, earned_days
from domain.billing.invoice_lines import bill
from domain.billing.schedules import Registry, SignedSchedule
from domain.events.agreement import Period
from domain.money import Money
from domain.names import CaseRef

_AHEAD: Final = timedelta(days=1)
"""The date of a place is at most one ahead of UTC's."""
_UNNAMED: Final = CaseRef("-")


def accrued(registry: Registry, schedule: SignedSchedule, knowledge: Knowledge) -> Money:
    """The price of the days earned under a schedule that no invoice bills; days without a rate are not among them."""
    valid = schedule.body.valid
    today = knowledge.as_of.date() + _AHEAD
    period = Period(from_=valid.from_, to=today if valid.to is None else min(valid.to, today))
    total = Money(0, schedule.body.currency)
    for month, people in _by_month(earned_days(registry, schedule, period, knowledge), schedule):
        found = bill(people, schedule, month, registry, case_refs=lambda _person: _UNNAMED, agreement_version=0)
        total += found.total
    return total


def _by_month(people: tuple[PersonDays, ...], schedule: SignedSchedule) -> Iterator[tuple[Period, list[PersonDays]]]:
    """The priced days, by the calendar month they lie in."""
    days = {person.person: [day for day in person.days if schedule.rate_on(day.date)] for person in people}
    for first in sorted({day.date.replace(day=1) for found in days.values() for day in found}):
        month = Period(from_=first, to=_last_of(first))
        within = {
            person: tuple(day for day in found if first <= day.date <= month.to) for person, found in days.items()
        }
        yield month, [PersonDays(person=person, days=found) for person, found in within.items() if found]


def _last_of(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
