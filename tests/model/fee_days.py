"""Which days a person's custody earns under a fee schedule: spells, claims, and what is not billed (MONEY §4).

Written from the history of handovers, moves and releases alone. Custody earns from the receiving side's acceptance on,
at the schedule's places; a report goes on with a spell and never begins one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tests.model.accounts import Day, Schedule
from tests.model.people import Person
from tests.model.standing import AWAKE, NOBODYS, Fact, Standing
from tests.model.world import ONE_DAY, World

GRACE = timedelta(hours=24)
"""How long a contradiction may last before nobody can say where the person is."""


class Stop(NamedTuple):
    """Time in one place after an acceptance; without `until` it goes on. The last three are positions of facts."""

    agreement: str
    facility: str
    custodian: str
    since: datetime
    is_reported: bool
    accepted: int
    opened: int
    until: datetime | None = None
    ended: int | None = None


class Claim(NamedTuple):
    """A stop claims a date, by the midnight at `instant` or by a departure then."""

    day: date
    schedule: Schedule
    spell: tuple[Stop, ...]
    stop: Stop
    is_midnight: bool
    instant: datetime

    @property
    def rank(self) -> tuple[bool, float]:
        """The least wins: midnights first, of two the earlier; of two others the later departure."""
        seconds = self.instant.timestamp()
        return (not self.is_midnight, seconds if self.is_midnight else -seconds)


def earned(world: World, schedule: Schedule, first: date, last: date, as_of: datetime) -> list[Day]:
    """The days that a schedule's people earn from `first` to `last`, by person and date, as known now."""
    days = []
    for id_ in sorted(world.under.get(schedule.agreement, ())):
        person = world.people[id_]
        claims = _claims_of(world, person, first, last, as_of)
        for day in sorted(claims):
            won = _Billing(world, person, as_of).won(schedule, claims[day])
            if won is not None:
                days.append(Day(id_, day, won.stop.facility, won.spell[0].since, _positions(world, won.stop, last)))
    return days


def _positions(world: World, stop: Stop, last: date) -> tuple[int, ...]:
    """The facts that earn a day: the acceptance, the arrival, and the departure if the period still saw it."""
    is_over = stop.until is not None and stop.until <= world.facilities[stop.facility].start(last + ONE_DAY)
    ended = stop.ended if is_over else None
    return tuple(sorted({position for position in (stop.accepted, stop.opened, ended) if position is not None}))


def stops(world: World, person: Person, as_of: datetime) -> list[Stop]:
    """Where a person was after each acceptance, until something else ended it."""
    found: list[Stop] = []
    here: Stop | None = None
    for fact, now in zip(person.facts, person.standings, strict=True):
        if fact.instant > as_of:
            break
        then = _after(world, fact, now, here)
        if then is here:
            continue
        if here is not None:
            found.append(here._replace(until=fact.instant, ended=fact.position))
        here = then
    return [*found, here] if here is not None else found


def _after(world: World, fact: Fact, now: Standing, here: Stop | None) -> Stop | None:
    if now.place is None or now.custodian is None:
        return None
    if fact.type == "handover-accepted":
        assert fact.handover is not None, "an acceptance answers an offer"
        agreement = world.transfers[world.offers[fact.handover].transfer].agreement
        return Stop(agreement, now.place, now.custodian, fact.instant, False, fact.position, fact.position)
    if here is None or now.custodian != here.custodian:
        return None
    if now.place == here.facility:
        return here
    return here._replace(facility=now.place, since=fact.instant, opened=fact.position, is_reported=fact.is_report)


def spells(found: list[Stop], schedule: Schedule) -> Iterator[tuple[Stop, ...]]:
    """The unbroken runs of stops at the schedule's places."""
    run: list[Stop] = []
    for stop in found:
        is_covered = stop.agreement == schedule.agreement and stop.facility in schedule.data["facilities"]
        goes_on = bool(run) and run[-1].accepted == stop.accepted and run[-1].until == stop.since
        if run and not (is_covered and goes_on):
            yield tuple(run)
            run = []
        if is_covered and (run or not stop.is_reported):
            run.append(stop)
    if run:
        yield tuple(run)


def _claims_of(world: World, person: Person, first: date, last: date, as_of: datetime) -> dict[date, list[Claim]]:
    """What every schedule under which the person may earn claims, by date."""
    found, claims = stops(world, person, as_of), defaultdict(list)
    for agreement in dict.fromkeys(stop.agreement for stop in found):
        for schedule in world.money.signed(agreement):
            for spell in spells(found, schedule):
                for claim in _claims(world, spell, schedule, first, last, as_of):
                    claims[claim.day].append(claim)
    return claims


def _claims(
    world: World, spell: tuple[Stop, ...], schedule: Schedule, first: date, last: date, as_of: datetime
) -> Iterator[Claim]:
    taken = set()
    for stop in spell:
        place = world.facilities[stop.facility]
        until = stop.until
        if until is None:
            # While it goes on, the rules that count the arrival have today as well.
            until = as_of if schedule.data["day_rule"] == "midnight" else place.start(place.day(as_of) + ONE_DAY)
        day = max(place.day(stop.since), first)
        while day <= min(place.day(until), last):
            midnight = place.start(day + ONE_DAY)
            if stop.since < midnight <= until and day not in taken:
                taken.add(day)
                yield Claim(day, schedule, spell, stop, True, midnight)
            day += ONE_DAY
    end = spell[-1].until
    if end is None:
        return
    came = world.facilities[spell[0].facility].day(spell[0].since)
    left = world.facilities[spell[-1].facility].day(end)
    rule, same_day = schedule.data["day_rule"], schedule.data.get("same_day", 1)
    is_claimed = rule == "both-ends" or (rule == "arrival-not-departure" and same_day == 1 and came == left)
    if is_claimed and left not in taken and first <= left <= last:
        yield Claim(left, schedule, spell, spell[-1], False, end)


@dataclass(frozen=True, slots=True)
class _Billing:
    """Whether a claimed date is billed to one person."""

    world: World
    person: Person
    as_of: datetime

    def won(self, schedule: Schedule, claims: list[Claim]) -> Claim | None:
        """The schedule's claim on a date if it earns the day; no reason against it, and no better claim."""
        ours = min((claim for claim in claims if claim.schedule is schedule), key=_rank, default=None)
        if ours is None or self._is_lost(ours.instant) or self._is_overdue(ours) or not self._is_agreed(ours):
            return None
        best = min((claim for claim in claims if self._is_agreed(claim)), key=_rank)
        return ours if best is ours and ours.day not in self.person.billed else None

    def _is_agreed(self, claim: Claim) -> bool:
        schedule = claim.schedule
        is_priced = schedule.first <= claim.day <= schedule.last
        return is_priced and self.world.is_in_force(schedule.agreement, claim.day)

    def _is_lost(self, instant: datetime) -> bool:
        """Whether the register cannot say where the person is then, a contradiction having lasted too long."""
        doubt: datetime | None = None
        for fact, now in zip(self.person.facts, self.person.standings, strict=True):
            if fact.instant > self.as_of:
                break
            if doubt is not None and now.doubt != doubt and doubt + GRACE < instant <= fact.instant:
                return True
            doubt = now.doubt
        return doubt is not None and doubt + GRACE <= self.as_of and doubt + GRACE < instant

    def _is_overdue(self, claim: Claim) -> bool:
        """Whether the person had to be let go by then: a release on the due date would not have earned the day."""
        due_by = claim.day - ONE_DAY if claim.schedule.data["day_rule"] == "both-ends" else claim.day
        place = self.world.facilities[claim.stop.facility]
        ordered = any(place.day(due) <= due_by for due in self._due(claim.spell))
        return ordered or self._has_no_basis(due_by)

    def _has_no_basis(self, day: date) -> bool:
        ends = [basis.must_end_by for basis in self.person.bases.values() if basis.must_end_by is not None]
        return not self.person.live_bases(day) and any(end < day for end in ends)

    def _due(self, spell: tuple[Stop, ...]) -> Iterator[datetime]:
        """When the orders that concern the spell want the person let go: given in time, and not served before it."""
        ends = list(self._ends_of_stays())
        for fact in self.person.facts:
            if fact.type != "release-ordered" or fact.due is None or fact.instant > self.as_of:
                continue
            end = spell[-1].until
            is_served = any(fact.instant <= served <= spell[0].since for served in ends)
            if (end is None or fact.instant <= end) and not is_served:
                yield fact.due

    def _ends_of_stays(self) -> Iterator[datetime]:
        before = NOBODYS
        for fact, now in zip(self.person.facts, self.person.standings, strict=True):
            if fact.instant > self.as_of:
                return
            if before.status in AWAKE and now.status not in AWAKE:
                yield fact.instant
            before = now


def _rank(claim: Claim) -> tuple[bool, float]:
    return claim.rank
