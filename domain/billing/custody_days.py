"""Custody days: which local dates a person's fee spells earn, at which place, and why the others earn nothing.

A person-day is earned once in the world (M2): the spells of every agreement claim dates, and one claim wins each
date. What wins may still not be billed; every date of a period has a `Day`, and one unbilled says its reason
(MONEY §4). Nothing here reads the head: facts are those known at a position and true at an instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from domain.billing.dues import Dues, dues
from domain.billing.fee_spells import AcceptedPlace, FeeSpell, accepted_places, fee_spells
from domain.billing.schedules import Registry, SignedSchedule, signed_schedules
from domain.custody.counting import count
from domain.custody.local_days import day_end, local_date
from domain.custody.places import Places
from domain.custody.timeline import Timeline, Unaccounted, timeline
from domain.events.agreement import Period
from domain.events.transfer import TransferRequested
from domain.files.person import PersonFile
from domain.names import FacilityId, PersonId

Reason = Literal[
    "not-in-custody",
    "unaccounted",
    "departure-day",
    "overdue-release",
    "no-agreement",
    "billed-elsewhere",
    "already-billed",
]
"""Why a date earns nothing; of several the first in this order."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A place claims a date for a spell: by the midnight that ends it, or by an arrival or departure within it.

    `instant` is that midnight, or the departure.
    """

    date: date
    schedule: SignedSchedule
    spell: FeeSpell
    place: AcceptedPlace
    by_midnight: bool
    instant: datetime

    @property
    def order(self) -> tuple[bool, timedelta]:
        """Whose day: midnights first, of two the earlier; of two others the later departure. The least wins."""
        since = self.instant - _EPOCH
        return (not self.by_midnight, since if self.by_midnight else -since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One date of one person under one schedule: billed where `reason` is `None`, and then with its claim."""

    date: date
    reason: Reason | None
    claim: Claim | None = None

    @property
    def facility(self) -> FacilityId:
        """The place that earns the day."""
        assert self.claim is not None, "a day that is not claimed has no place"
        return self.claim.place.facility


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDays:
    """The days that one person earns in a period."""

    person: PersonId
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is looked at: facts true at `as_of` and recorded up to the position `known_at` (`None`: all)."""

    as_of: datetime
    known_at: int | None = None

    def knows(self, position: int) -> bool:
        """Whether something at that position is known."""
        return self.known_at is None or position <= self.known_at


def earned_days(
    registry: Registry, schedule: SignedSchedule, period: Period, knowledge: Knowledge
) -> tuple[PersonDays, ...]:
    """The days earned by those with a transfer under the schedule's agreement, by person id, where there are any."""
    earned: list[PersonDays] = []
    for person in sorted(registry.under(schedule.agreement)):
        file = registry.person(person)
        if file is None:
            continue
        claims, judge = _claimed(file, registry, schedule, period, knowledge)
        days = (judge.day(day, claims[day]) for day in sorted(claims))
        billed = tuple(day for day in days if day.reason is None)
        if billed:
            earned.append(PersonDays(person=file.person, days=billed))
    return tuple(earned)


def custody_days(
    file: PersonFile, registry: Registry, schedule: SignedSchedule, period: Period, knowledge: Knowledge
) -> tuple[Day, ...]:
    """The verdict on each date of the period for one person under one schedule.

    An open spell is counted as if it had no end: by `midnight` up to `as_of`, by the other rules up to its date.
    """
    claims, judge = _claimed(file, registry, schedule, period, knowledge)
    return tuple(judge.day(day, claims.get(day, ())) for day in dates(period))


def _claimed(
    file: PersonFile, registry: Registry, schedule: SignedSchedule, period: Period, knowledge: Knowledge
) -> tuple[dict[date, list[Claim]], _Judge]:
    counting = count(file.events, registry, knowledge.known_at)
    accepted = accepted_places(counting, registry, knowledge.as_of)
    claims: dict[date, list[Claim]] = {}
    ends: set[date] = set()
    for other in _schedules(file, registry, knowledge):
        for spell in fee_spells(accepted, other.agreement, other.body.facilities):
            if _is(other, schedule) and spell.to is not None:
                ends.add(local_date(spell.to, _zone(spell.places[-1], registry)))
            for claim in claims_of(spell, other, registry, period, knowledge.as_of):
                claims.setdefault(claim.date, []).append(claim)
    drawn = timeline(file.events, registry, knowledge.as_of, knowledge.known_at) if claims else Timeline()
    judge = _Judge(
        schedule=schedule,
        dues=dues(counting, drawn.stays, knowledge.as_of),
        unaccounted=drawn.unaccounted,
        billed=billed_dates(file, knowledge),
        ends=ends,
        places=registry,
    )
    return claims, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """What the verdict on a date depends on beside its claims."""

    schedule: SignedSchedule
    dues: Dues
    unaccounted: Sequence[Unaccounted]
    billed: frozenset[date]
    ends: set[date]
    places: Places

    def day(self, day: date, claims: Sequence[Claim]) -> Day:
        """The verdict: the first reason that applies, in the order of `Reason`."""
        ours = min((claim for claim in claims if _is(claim.schedule, self.schedule)), key=_order, default=None)
        if ours is None:
            return Day(date=day, reason="departure-day" if day in self.ends else "not-in-custody")
        return Day(date=day, reason=self._reason(ours, claims), claim=ours)

    def _reason(self, ours: Claim, claims: Sequence[Claim]) -> Reason | None:
        if any(_holds(interval, ours.instant) for interval in self.unaccounted):
            return "unaccounted"
        # Both ends earn the day of departure, so there a release on the due date would have earned that date too.
        due_by = ours.date - _DAY if self.schedule.day_rule == "both-ends" else ours.date
        if self.dues.release_was_due(due_by, ours.spell, ours.instant, _zone(ours.place, self.places)):
            return "overdue-release"
        if not self.schedule.in_force(ours.date):
            return "no-agreement"
        if min((claim for claim in claims if claim.schedule.in_force(claim.date)), key=_order) is not ours:
            return "billed-elsewhere"
        return "already-billed" if ours.date in self.billed else None


def _order(claim: Claim) -> tuple[bool, timedelta]:
    return claim.order


def _holds(interval: Unaccounted, instant: datetime) -> bool:
    return interval.from_ < instant and (interval.to is None or instant <= interval.to)


def _is(one: SignedSchedule, other: SignedSchedule) -> bool:
    return (one.agreement, one.body.schedule) == (other.agreement, other.body.schedule)


def _zone(place: AcceptedPlace, places: Places) -> str:
    return places.zone_of(place.facility) or "UTC"


def _schedules(file: PersonFile, registry: Registry, knowledge: Knowledge) -> Iterator[SignedSchedule]:
    """Every schedule under which the person may earn anybody a day, signed as far as is known."""
    bodies = (event.body for event in file.events if knowledge.knows(event.position))
    agreements = dict.fromkeys(body.agreement for body in bodies if isinstance(body, TransferRequested))
    for agreement in agreements:
        found = registry.agreement(agreement)
        if found is not None:
            yield from signed_schedules(found, knowledge.known_at)


def claims_of(
    spell: FeeSpell, schedule: SignedSchedule, places: Places, period: Period, as_of: datetime
) -> Iterator[Claim]:
    """The dates that a spell claims within a period, by the schedule's day rule, each once."""
    taken: set[date] = set()
    for place in spell.places:
        zone = _zone(place, places)
        for day in _midnights_of(place, zone, schedule, period, as_of):
            if day not in taken:
                taken.add(day)
                instant = day_end(day, zone)
                assert instant is not None, "a midnight held has an instant"
                yield Claim(date=day, schedule=schedule, spell=spell, place=place, by_midnight=True, instant=instant)
    if spell.to is None:
        return
    first, last = spell.places[0], spell.places[-1]
    arrived, left = local_date(spell.from_, _zone(first, places)), local_date(spell.to, _zone(last, places))
    same_day = schedule.day_rule == "arrival-not-departure" and schedule.same_day == 1 and arrived == left
    if (same_day or schedule.day_rule == "both-ends") and left not in taken and period.from_ <= left <= period.to:
        yield Claim(date=left, schedule=schedule, spell=spell, place=last, by_midnight=False, instant=spell.to)


def _midnights_of(
    place: AcceptedPlace, zone: str, schedule: SignedSchedule, period: Period, as_of: datetime
) -> Iterator[date]:
    out = place.to
    if out is None:
        # While it goes on, the rules that count the arrival earn the date before its midnight has come.
        today = day_end(local_date(as_of, zone), zone)
        out = as_of if schedule.day_rule == "midnight" or today is None else today
    arrived = local_date(place.from_, zone)
    # Where clocks go back over midnight, the date before the arrival's may still be to end.
    day = arrived - _DAY if arrived > period.from_ else period.from_
    last = min(period.to, local_date(out, zone))
    while day <= last:
        end = day_end(day, zone)
        if end is not None and place.from_ < end <= out:
            yield day
        day += _DAY


def billed_dates(file: PersonFile, knowledge: Knowledge) -> frozenset[date]:
    """The dates on which the person stands billed, by whatever agreement."""
    known = (billed for billed in file.billed if knowledge.knows(billed.position))
    return frozenset(day for billed in known for period in billed.body.ranges for day in dates(period))


def dates(period: Period) -> Iterator[date]:
    """Each date of the period, in order."""
    day = period.from_
    while day <= period.to:
        yield day
        day += _DAY


def ranges(days: Sequence[date]) -> tuple[Period, ...]:
    """Dates in order, joined into periods."""
    joined: list[Period] = []
    for day in days:
        if joined and joined[-1].to + _DAY == day:
            joined[-1] = Period(from_=joined[-1].from_, to=day)
        else:
            joined.append(Period(from_=day, to=day))
    return tuple(joined)
