"""One person as the model sees them: custody facts in the order in which they took place, and the papers about them.

Where custody stands is the fold of the facts up to an instant; a fact known later that took place earlier goes where it
belongs, and what follows it is folded again.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

EVER = datetime.min.replace(tzinfo=UTC)


class Fact(NamedTuple):
    """A fact of somebody's custody. Facts stand by instant, those of one instant as they were recorded."""

    instant: datetime
    position: int
    type: str
    by: str
    place: str | None = None
    release: str | None = None


class Standing(NamedTuple):
    """Where custody stands: who holds the person, and in which place, if anybody does.

    `keeper` is the last custodian, to whom a fact on a closed file gives the person back.
    """

    status: str = "none"
    custodian: str | None = None
    place: str | None = None
    is_closed: bool = False
    keeper: str | None = None
    order: str | None = None
    release: str | None = None
    released_by: str | None = None
    is_erroneous: bool = False
    is_verified: bool = False


NOBODYS = Standing()


def after(standing: Standing, fact: Fact) -> Standing:
    """Where it stands after one more fact."""
    match fact.type:
        case "custody-opened":
            return standing._replace(
                status="held", custodian=fact.by, keeper=fact.by, place=fact.place, is_closed=False
            )
        case "handover-accepted":
            return standing._replace(status="held", custodian=fact.by, keeper=fact.by, place=fact.place)
        case "moved-within":
            return standing._replace(status="held", place=fact.place)
        case "release-ordered":
            return standing._replace(order=fact.release)
        case "person-released":
            return standing._replace(
                status="released-unverified",
                place=None,
                order=None,
                release=fact.release,
                released_by=fact.by,
                is_erroneous=False,
                is_verified=False,
            )
        case "release-verified" if not standing.is_erroneous:
            return standing._replace(status="released", custodian=None, is_closed=True, is_verified=True)
        case "release-declared-erroneous":
            return standing._replace(
                status="released-unverified", custodian=standing.keeper, is_closed=False, is_erroneous=True
            )
        case "presence-reported" if standing.is_closed:
            return standing._replace(custodian=standing.keeper, is_closed=False)
        case _:
            return standing


MOVING = {
    "custody-opened",
    "handover-accepted",
    "moved-within",
    "person-released",
    "release-verified",
    "release-declared-erroneous",
}
"""Facts before which no claim may be dated."""


@dataclass(slots=True)
class Hold:
    """A court's order about some persons. Of several liftings the one recorded last counts."""

    by: str
    persons: tuple[str, ...]
    forbids: tuple[str, ...]
    effective_at: datetime
    until: datetime | None
    lifted_at: datetime | None = None

    def begins_after(self, instant: datetime) -> bool:
        """Whether it does not bind at that instant yet, and will."""
        return instant < self.effective_at and (self.lifted_at is None or self.lifted_at > self.effective_at)

    def is_in_force(self, instant: datetime) -> bool:
        """Whether it binds at that instant."""
        ends = [end for end in (self.until, self.lifted_at) if end is not None]
        return self.effective_at <= instant and all(instant < end for end in ends)


@dataclass(slots=True)
class Basis:
    """An order on which custody rests, from one date to another or with none to end it."""

    kind: str
    ordered_by: str
    valid_from: date
    must_end_by: date | None

    def is_valid_on(self, day: date) -> bool:
        """Whether it justifies custody on that date."""
        return self.valid_from <= day and (self.must_end_by is None or day <= self.must_end_by)


@dataclass(slots=True)
class Person:
    """A person's file."""

    id_: str
    identity_status: str
    facts: list[Fact] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    bases: dict[str, Basis] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    transfers: list[str] = field(default_factory=list)
    handovers: list[str] = field(default_factory=list)
    releases: set[str] = field(default_factory=set)
    """Every release there was, by the order of it or by the release itself."""
    released: set[str] = field(default_factory=set)
    stated: set[tuple[str, datetime]] = field(default_factory=set)
    last_change: datetime | None = None
    last_place: str | None = None

    @property
    def now(self) -> Standing:
        """Where custody stands by everything known."""
        return self.standings[-1] if self.standings else NOBODYS

    def at(self, instant: datetime) -> Standing:
        """Where it stood at an instant."""
        index = bisect_right(self.facts, instant, key=_instant)
        return self.standings[index - 1] if index else NOBODYS

    def before(self, instant: datetime) -> Standing:
        """Where it stood right before an instant."""
        earlier = [n for n, fact in enumerate(self.facts) if fact.instant < instant]
        return self.standings[earlier[-1]] if earlier else NOBODYS

    def add(self, fact: Fact) -> None:
        """Take a fact in where it belongs."""
        insort(self.facts, fact)
        index = self.facts.index(fact) if self.facts[-1] is not fact else len(self.facts) - 1
        del self.standings[index:]
        for later in self.facts[index:]:
            self.standings.append(after(self.now, later))
        if fact.type in MOVING:
            self.last_change = max(fact.instant, self.last_change or EVER)
            self.last_place = fact.place or self.last_place

    def live_bases(self, day: date) -> list[str]:
        """The bases valid on a date."""
        return [id_ for id_, basis in self.bases.items() if basis.is_valid_on(day)]

    def forbidden(self, act: str, *instants: datetime) -> bool:
        """Whether a hold forbids the act at one of these instants."""
        return any(act in hold.forbids and any(map(hold.is_in_force, instants)) for hold in self.holds)


def _instant(fact: Fact) -> datetime:
    return fact.instant


def dates(data: Any, *names: str) -> Iterator[date | None]:
    """The civil dates that these fields hold."""
    for name in names:
        yield date.fromisoformat(data[name]) if data.get(name) is not None else None
