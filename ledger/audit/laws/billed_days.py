"""The law of billed days: L10, billed days are custody days, and each person-day is billed once (DOMAIN §6.7, M1, M2).

A day is held against the record as it was known when its period was closed: there it must have been earned. Where the
record says otherwise since, by a correction or a late fact, the document stays as it is and the day is listed as open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.billing.custody_days import Knowledge, custody_days, dates, ranges
from domain.billing.schedules import schedule_of
from domain.custody.local_days import day_end, local_date
from domain.custody.timeline import Placement
from domain.events.event import Event
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued
from domain.events.person import FactCorrected, HandoverAccepted
from domain.names import PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.lives import Life, life
from ledger.audit.record import Record

EARNED = (None, "already-billed")
"""The verdicts on a day that is earned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """One person's days on one invoice."""

    event: Event
    body: CustodyDaysBilled
    header: InvoiceIssued

    @property
    def days(self) -> list[date]:
        return [day for period in self.body.ranges for day in dates(period)]

    def wrong(self, expected: str, found: str, *, at: Sequence[int] = (), is_open: bool = False) -> Finding:
        return Finding(
            law="L10",
            subject=f"invoice {self.header.number}, claim {self.body.claim}, person:{self.body.person}",
            positions=(self.event.position, *at),
            expected=expected,
            found=found,
            open=is_open,
        )


def billed_days_are_held(record: Record, person: PersonId) -> Iterator[Finding]:
    """L10 for one person, over all agreements and places."""
    taken: dict[date, Event] = {}
    for event in record.billed.get(person, ()):
        claim = _claim(record, event)
        if claim is None:
            yield Finding(
                law="L10", subject=event.stream, positions=(event.position,), expected="a header", found="none"
            )
            continue
        yield from _is_whole(claim)
        twice = {day: taken[day] for day in claim.days if day in taken}
        if twice:
            at = sorted({other.position for other in twice.values()})
            yield claim.wrong(f"{_days(list(twice))} billed once", "billed before", at=at)
        taken |= dict.fromkeys(claim.days, event)
        yield from _is_earned(record, claim)


def _claim(record: Record, event: Event) -> _Claim | None:
    file = record.register.invoice(event.stream.rpartition(":")[2])
    if file is None or not isinstance(event.body, CustodyDaysBilled):
        return None
    return _Claim(event=event, body=event.body, header=file.body)


def _is_whole(claim: _Claim) -> Iterator[Finding]:
    """The claim agrees with itself: its count, its period, and the positions it cites."""
    days, period = claim.days, claim.header.period
    if len(days) != claim.body.days or len(set(days)) != len(days):
        yield claim.wrong(f"{claim.body.days} days", f"{len(set(days))} dates in its ranges")
    outside = [day for day in days if not period.from_ <= day <= period.to]
    if outside:
        yield claim.wrong(f"days from {period.from_} to {period.to}", _days(outside))
    if not claim.body.basis or max(claim.body.basis) >= claim.event.position:
        yield claim.wrong("the positions that earn the days", ", ".join(map(str, claim.body.basis)) or "none")


def _is_earned(record: Record, claim: _Claim) -> Iterator[Finding]:
    person, closed_at = claim.body.person, claim.header.closed_at
    events = record.people.get(person, [])
    if not events or events[0].position > closed_at:
        yield claim.wrong("a person in the register", "nobody under that id when the period was closed")
        return
    then = life(person, events, record.register, closed_at)
    not_held = [day for day in claim.days if not _is_held(then, claim, day)]
    if not_held:
        yield claim.wrong(
            f"held at {claim.body.facility} on {_days(not_held)}", f"not held there, as known at {closed_at}"
        )
    closing = record.registry.get(closed_at, claim.event)
    verdicts = _verdicts(record, claim, Knowledge(as_of=closing.recorded_at, known_at=closed_at))
    unearned = [day for day in claim.days if verdicts.get(day, "not-in-custody") not in EARNED and day not in not_held]
    for reason, days in _by_reason(unearned, verdicts).items():
        yield claim.wrong(f"{_days(days)} earned, as known at {closed_at}", reason)
    assert record.recorded_at is not None, "a record with a claim has an end"
    now = _verdicts(record, claim, Knowledge(as_of=record.recorded_at))
    fine = [day for day in claim.days if day not in not_held and day not in unearned]
    lost = [day for day in fine if now.get(day, "not-in-custody") not in EARNED]
    since = _since(events, closed_at)
    for reason, days in _by_reason(lost, now).items():
        yield claim.wrong(f"{_days(days)} billed as closed at {closed_at}", f"{reason} since", at=since, is_open=True)


def _is_held(then: Life, claim: _Claim, day: date) -> bool:
    """Whether the person was in that place on that date, after an acceptance by those who hold the place."""
    zone = then.places.zone_of(claim.body.facility) or "UTC"
    end = day_end(day, zone)

    def touches(one: Placement) -> bool:
        if end is not None and one.from_ < end and (one.to is None or end <= one.to):
            return True
        if one.to is None:
            return local_date(one.from_, zone) <= day
        return local_date(one.to, zone) == day

    accepted = [
        (fact.instant, fact.event.body.receiving.authority)
        for fact in then.facts
        if isinstance(fact.event.body, HandoverAccepted)
    ]
    return any(
        one.facility == claim.body.facility
        and touches(one)
        and any(instant <= one.from_ and receiver == one.custodian for instant, receiver in accepted)
        for one in then.timeline.placements
    )


def _verdicts(record: Record, claim: _Claim, knowledge: Knowledge) -> Mapping[date, str | None]:
    """What MONEY §4 says of each date of the invoice's period, at one knowledge."""
    register, header = record.register, claim.header
    agreement, file = register.agreement(header.agreement), register.person(claim.body.person)
    schedule = schedule_of(agreement, header.period, header.closed_at) if agreement is not None else None
    if schedule is None or file is None:
        return dict.fromkeys(claim.days, "no-agreement")
    days = custody_days(file, register, schedule, header.period, knowledge)
    return {day.date: day.reason for day in days}


def _by_reason(days: Sequence[date], verdicts: Mapping[date, str | None]) -> dict[str, list[date]]:
    found: dict[str, list[date]] = {}
    for day in days:
        found.setdefault(verdicts.get(day) or "not-in-custody", []).append(day)
    return found


def _since(events: Sequence[Event], closed_at: int) -> list[int]:
    """The positions that may have taken a day away: the corrections since the closing, else all that came since."""
    since = [event for event in events if event.position > closed_at]
    corrections = [event.position for event in since if isinstance(event.body, FactCorrected)]
    return corrections or [event.position for event in since]


def _days(days: Sequence[date]) -> str:
    spans = ranges(sorted(days))
    return ", ".join(f"{one.from_}" if one.from_ == one.to else f"{one.from_} to {one.to}" for one in spans)
