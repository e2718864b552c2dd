"""One person as the model sees them: custody facts in the order in which they took place, and the papers about them.

Where custody stands is the fold of the facts up to an instant; a fact known later that took place earlier goes where it
belongs, and what follows it is folded again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from tests.model.standing import NOBODYS, Fact, Standing, after, ends_custody


class Entry(NamedTuple):
    """One command on a person's record: what it says, when that was, and where it stands.

    `slot` is its position, or that of the wrong fact in whose place it stands.
    """

    slot: int
    position: int
    event_id: str
    leaf_hash: str
    name: str
    by: str
    officer: str
    data: Mapping[str, Any]
    at: datetime


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
    """A person's file. `ended` are the slots of the facts that let the person go or closed the file."""

    id_: str
    identity_status: str
    entries: list[Entry] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    ended: dict[int, datetime] = field(default_factory=dict)
    bases: dict[str, Basis] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    transfers: list[str] = field(default_factory=list)
    handovers: list[str] = field(default_factory=list)
    releases: set[str] = field(default_factory=set)
    """Every release there was, by the order of it or by the release itself."""
    released: set[str] = field(default_factory=set)
    billed: set[date] = field(default_factory=set)
    """The dates that stand on an invoice."""

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
        index = bisect_left(self.facts, instant, key=_instant)
        return self.standings[index - 1] if index else NOBODYS

    def has_stated(self, type_: str, instant: datetime) -> bool:
        """Whether a fact of that type already says so of that instant."""
        first, last = (find(self.facts, instant, key=_instant) for find in (bisect_left, bisect_right))
        return any(fact.type == type_ for fact in self.facts[first:last])

    def add(self, fact: Fact) -> bool:
        """Take a fact in where it belongs; whether that is behind all others."""
        index = bisect_left(self.facts, fact)
        self.facts.insert(index, fact)
        first = index
        if fact.type in ("person-released", "release-declared-erroneous"):
            # What a verification closes depends on what is said of its release, whenever that is said.
            first = next(at for at, other in enumerate(self.facts) if other.release == fact.release)
        self.fold(min(first, index))
        return index == len(self.facts) - 1

    def fold(self, first: int = 0) -> None:
        """Fold the facts again, from one on."""
        del self.standings[first:]
        for fact in self.facts[first:]:
            before = self.now
            now = after(before, fact, self.facts)
            self.standings.append(now)
            self.ended.pop(fact.slot, None)
            if ends_custody(before, fact, now):
                self.ended[fact.slot] = fact.instant

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


def instant(text: str) -> datetime:
    """The instant a text says."""
    return datetime.fromisoformat(text)
