"""What an invoice says: the days billed per person and place, and the lines that price them (MONEY §5).

A line is one fee spell of one person at one place. It cites the positions that earn its days and the signature that
agreed its price, so anybody can compute it again. `Bill` is what readers come for: a document before it has a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

import msgspec

from domain.billing.custody_days import Claim, Day, PersonDays, ranges
from domain.billing.schedules import SignedSchedule
from domain.canonical import digest
from domain.custody.local_days import TZDATA_RELEASE, day_end
from domain.custody.places import Places
from domain.events.agreement import FacilityDays, Period, Rate
from domain.events.invoice import CustodyDaysBilled, InvoiceLineIssued, LineRules
from domain.money import Money, minor_units, read_rate, rounded, shares
from domain.names import CaseRef, FacilityId, PersonId

RULES_VERSION = 1
"""Names this calculation; a document cites it, so that it can be run again when there is another one."""
LINE_KIND = "custody-days"
UNIT = "DAY"
COMPONENT = 1
"""A schedule has one component, the first."""

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A document to be: its claims and lines, numbered from 1, and their sum."""

    claims: tuple[CustodyDaysBilled, ...]
    lines: tuple[InvoiceLineIssued, ...]
    total: Money

    @property
    def lines_digest(self) -> str:
        """SHA-256 of the canonical JSON list of the lines, flags apart."""
        return digest([_plain(line) for line in self.lines])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The days of one spell at one place, all at one rate."""

    person: PersonId
    facility: FacilityId
    days: Sequence[Day]
    rate: Rate


def unpriced(people: Iterable[PersonDays], schedule: SignedSchedule) -> tuple[date, ...]:
    """The dates on which somebody earns a day and no rate is in force."""
    dates = {day.date for person in people for day in person.days}
    return tuple(sorted(day for day in dates if schedule.rate_on(day) is None))


def bill(
    people: Sequence[PersonDays],
    schedule: SignedSchedule,
    period: Period,
    places: Places,
    *,
    case_refs: Callable[[PersonId], CaseRef],
    agreement_version: int,
) -> Bill:
    """Price the days of a closed period; every one of them has a rate. `case_refs` are asked once a claim."""
    claims: dict[tuple[PersonId, FacilityId], CustodyDaysBilled] = {}
    for person in people:
        for facility in sorted({day.facility for day in person.days}):
            days = [day for day in person.days if day.facility == facility]
            claims[person.person, facility] = CustodyDaysBilled(
                flags=(),
                claim=len(claims) + 1,
                person=person.person,
                case_ref=case_refs(person.person),
                facility=facility,
                ranges=ranges([day.date for day in days]),
                days=len(days),
                basis=basis_of(days, period, places),
            )
    found = [line for person in people for line in _lines(person, schedule)]
    amounts = _amounts(found, schedule)
    lines = tuple(
        InvoiceLineIssued(
            flags=(),
            line=number,
            kind=LINE_KIND,
            component=COMPONENT,
            claims=(claims[line.person, line.facility].claim,),
            quantity=len(line.days),
            unit=UNIT,
            rate=line.rate.rate,
            per=line.rate.per,
            amount=Money(amount, schedule.body.currency),
            basis=tuple(sorted({*basis_of(line.days, period, places), schedule.agreed_by})),
            rules=_rules(schedule, agreement_version, places.zone_of(line.facility) or "UTC"),
        )
        for number, (line, amount) in enumerate(zip(found, amounts, strict=True), start=1)
    )
    return Bill(claims=tuple(claims.values()), lines=lines, total=Money(sum(amounts), schedule.body.currency))


def _lines(person: PersonDays, schedule: SignedSchedule) -> Iterable[_Line]:
    groups: dict[tuple[datetime, FacilityId], list[Day]] = {}
    for day in person.days:
        assert day.claim is not None, "a billed day is claimed"
        groups.setdefault((day.claim.spell.from_, day.facility), []).append(day)
    for (_, facility), days in groups.items():
        rate = schedule.rate_on(days[0].date)
        assert rate is not None, "days without a rate are refused before"
        yield _Line(person=person.person, facility=facility, days=days, rate=rate)


def _amounts(lines: Sequence[_Line], schedule: SignedSchedule) -> list[int]:
    """Minor units of each line, rounded where the schedule says."""
    mode, place, currency = schedule.rounding_mode, schedule.rounding_place, schedule.body.currency
    prices = [minor_units(read_rate(line.rate.rate), line.rate.per, currency) for line in lines]
    if place == "rate-first":
        return [rounded(price, mode) * len(line.days) for line, price in zip(lines, prices, strict=True)]
    exact = [price * len(line.days) for line, price in zip(lines, prices, strict=True)]
    if place == "line-amount":
        return [rounded(amount, mode) for amount in exact]
    total = rounded(sum(exact, Fraction(0)), mode)
    return shares(total, exact) if any(exact) else [0 for _ in exact]


def _rules(schedule: SignedSchedule, agreement_version: int, zone: str) -> LineRules:
    return LineRules(
        agreement_version=agreement_version,
        day_rule=schedule.day_rule,
        same_day=schedule.same_day,
        rounding=f"{schedule.rounding_mode}/{schedule.rounding_place}",
        rules_version=RULES_VERSION,
        tzdata=TZDATA_RELEASE,
        zone=zone,
    )


def basis_of(days: Iterable[Day], period: Period, places: Places) -> tuple[int, ...]:
    """The positions that earn these days: acceptance, what brought the person there, what ended it in the period."""
    return tuple(sorted({position for day in days for position in _basis(day.claim, period, places)}))


def _basis(claim: Claim | None, period: Period, places: Places) -> Iterable[int]:
    assert claim is not None, "a billed day is claimed"
    place = claim.place
    yield place.accepted_by
    yield place.opened_by
    # What ended it later is no ground of a day of this period, and may be recorded before or after it is closed.
    end = day_end(period.to, places.zone_of(place.facility) or "UTC")
    if place.ended_by is not None and place.to is not None and (end is None or place.to <= end):
        yield place.ended_by


def days_digest(people: Iterable[PersonDays], period: Period, places: Places) -> str:
    """SHA-256 of the canonical JSON list of `[person, date, facility, [positions]]`, sorted (MONEY §5)."""
    rows = [
        [person.person, day.date.isoformat(), day.facility, list(basis_of((day,), period, places))]
        for person in people
        for day in person.days
    ]
    return digest(sorted(rows))


def days_by_facility(people: Iterable[PersonDays], schedule: SignedSchedule) -> tuple[FacilityDays, ...]:
    """How many days each place of the schedule earns, in the schedule's order; none is said too."""
    counts = dict.fromkeys(schedule.body.facilities, 0)
    for person in people:
        for day in person.days:
            counts[day.facility] += 1
    return tuple(FacilityDays(facility=facility, person_days=days) for facility, days in counts.items())


def preview_digest(bill_to_be: Bill, period: Period) -> str:
    """SHA-256 of the canonical JSON of a document before it has a number: period, lines and total."""
    document: Mapping[str, object] = {
        "period": _plain(period),
        "lines": [_plain(line) for line in bill_to_be.lines],
        "total": _plain(bill_to_be.total),
    }
    return digest(document)


def due_date(issue_date: date, terms_days: int) -> date:
    """The day by which an invoice is payable, moved on to a weekday; no calendar of holidays is published."""
    due = issue_date + timedelta(days=terms_days)
    while due.weekday() >= _SATURDAY:
        due += _DAY
    return due


def _plain(value: msgspec.Struct) -> object:
    plain = msgspec.to_builtins(value)
    assert isinstance(plain, dict)
    return {name: item for name, item in plain.items() if name != "flags"}
