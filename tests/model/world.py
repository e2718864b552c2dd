"""The world as the model knows it at one position: who may act, where people are, and how much room there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.model.accounts import Money
from tests.model.answers import Answered
from tests.model.people import Entry, Hold, Person
from tests.model.standing import Standing

LAPSING = ("escaped", "dead", "released-unverified", "released", "outside")
OPEN = ("requested", "approved", "in-transit", "refused")
ONE_DAY = timedelta(days=1)


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of that name."""
    return ZoneInfo(name)


@dataclass(slots=True)
class Authority:
    """A public body and the roles it holds: (role, agreement or none, from, to or none)."""

    state: str
    roles: list[tuple[str, str | None, date, date | None]] = field(default_factory=list)

    def holds(self, role: str, day: date, agreement: str | None) -> bool:
        """Whether it holds the role, for everything or for that agreement."""
        return any(
            role == held and scope in (None, agreement) and first <= day and (last is None or day <= last)
            for held, scope, first, last in self.roles
        )


@dataclass(slots=True)
class Facility:
    """A place. `held` are those in it by everything known, `ever` all who ever were."""

    authority: str
    state: str
    zone: str
    supervisor: str
    certificates: list[tuple[date, int]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    """The approved transfers that keep a place here."""

    def day(self, instant: datetime) -> date:
        """The civil date there."""
        return instant.astimezone(zone(self.zone)).date()

    def start(self, day: date) -> datetime:
        """The instant at which a date begins there."""
        return datetime(day.year, day.month, day.day, tzinfo=zone(self.zone)).astimezone(UTC)

    def capacity(self, day: date) -> int | None:
        """How many it may hold on that date; `None` for any number."""
        in_force = [capacity for first, capacity in self.certificates if first <= day]
        return in_force[-1] if in_force else None


@dataclass(slots=True)
class Revision:
    """One revision of an agreement."""

    sending: str
    receiving: str
    terms: dict[str, Any]
    legal_bases: tuple[str, ...]
    digest: str
    first: date
    last: date
    signed: set[str] = field(default_factory=set)

    def is_in_force(self, day: date) -> bool:
        """Whether it binds on that date."""
        return self.signed >= {self.sending, self.receiving} and self.first <= day <= self.last


@dataclass(slots=True)
class Transfer:
    """The dossier of moving one person."""

    person: str
    agreement: str
    revision: int
    basis: str
    requested_by: str
    requested_at: datetime
    window: tuple[date, date]
    responsibility_after: str
    state: str = "requested"
    approved_as: set[str] = field(default_factory=set)
    reserved: tuple[str, date, date] | None = None
    evidence: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By rule set and condition, the latest outcome of each authority."""


@dataclass(slots=True)
class Offer:
    """The first half of a handover."""

    person: str
    transfer: str
    by: str
    officers: set[str]
    releasing: str
    receiving: str
    leaf_hash: str
    offered_at: datetime
    answer: str | None = None


class Made(NamedTuple):
    """What one event came of: the command, the fact's own name, its stream, and the person on whose record it stands.

    A correction has `corrects`; what stands in place of a wrong fact has the correction it came with.
    """

    answered: Answered
    name: str
    stream: str
    person: str | None = None
    entry: Entry | None = None
    corrects: str | None = None
    came_with: str | None = None


@dataclass(slots=True, kw_only=True)
class World:
    """Everything up to `position`."""

    position: int = 0
    authorities: dict[str, Authority] = field(default_factory=dict)
    facilities: dict[str, Facility] = field(default_factory=dict)
    agreements: dict[str, dict[int, Revision]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    under: dict[str, set[str]] = field(default_factory=dict)
    """By agreement, those with a transfer under it."""
    money: Money = field(default_factory=Money)
    made: dict[str, Made] = field(default_factory=dict)
    """By event id."""
    records: dict[str, list[str]] = field(default_factory=dict)
    """By person, the events on their record."""
    corrections: dict[str, list[str]] = field(default_factory=dict)
    """By event, the corrections that name it."""
    versions: Counter[str] = field(default_factory=Counter)
    event_ids: set[str] = field(default_factory=set)
    keys: dict[tuple[str, str], Answered] = field(default_factory=dict)
    brought: dict[tuple[str, ...], Answered] = field(default_factory=dict)
    """The commands that first named an id."""

    def note(self, event_id: str, made: Made) -> None:
        """One more event is on record."""
        self.made[event_id] = made
        if made.person is not None:
            self.records.setdefault(made.person, []).append(event_id)
        if made.corrects is not None:
            self.corrections.setdefault(made.corrects, []).append(event_id)

    def is_open(self, offer: Offer) -> bool:
        """Whether an offer waits for its answer; while its transfer or the person does not stand for it, it lapses."""
        stands = self.transfers[offer.transfer].state in ("approved", "in-transit", "refused")
        return offer.answer is None and stands and self.people[offer.person].now.status not in LAPSING

    def open_offers(self, person: Person) -> Iterator[str]:
        """The offers of a person that wait for their answer."""
        yield from (id_ for id_ in person.handovers if self.is_open(self.offers[id_]))

    def open_transfers(self, person: Person) -> Iterator[str]:
        """The transfers of a person that are not closed."""
        yield from (id_ for id_ in person.transfers if self.transfers[id_].state in OPEN)

    def revision_of(self, transfer: Transfer) -> Revision:
        """What the transfer was asked for under."""
        return self.agreements[transfer.agreement][transfer.revision]

    def is_in_force(self, agreement: str, day: date) -> bool:
        """Whether any revision binds on that date."""
        return any(revision.is_in_force(day) for revision in self.agreements[agreement].values())

    def moved(self, person: Person, before: Standing) -> None:
        """Keep the places' lists in step with where a person now is."""
        if before.place is not None:
            self.facilities[before.place].held.discard(person.id_)
        if (place := person.now.place) is not None:
            self.facilities[place].held.add(person.id_)
            self.facilities[place].ever.add(person.id_)

    def free(self, transfer_id: str) -> None:
        """A transfer keeps no place any more."""
        if (reserved := self.transfers[transfer_id].reserved) is not None:
            self.facilities[reserved[0]].bound.discard(transfer_id)

    def change(self, transfer_id: str, state: str) -> None:
        """A transfer comes to stand otherwise."""
        transfer = self.transfers[transfer_id]
        transfer.state = state
        if transfer.reserved is not None:
            bound = self.facilities[transfer.reserved[0]].bound
            (bound.add if state == "approved" else bound.discard)(transfer_id)

    def takes_up(self, place: Facility, id_: str, day: date, now: datetime) -> set[str]:
        """Who takes up a place there on a date: held at the end of it, or with a place kept for it."""
        today = place.day(now)
        if day >= today:
            held = set(place.held)
        else:
            ends = place.start(day + ONE_DAY)
            held = {person for person in place.ever if self.people[person].before(ends).place == id_}
        kept = (self.transfers[transfer] for transfer in place.bound)
        return held | {
            transfer.person
            for transfer in kept
            if transfer.reserved is not None and transfer.reserved[1] <= day <= transfer.reserved[2]
        }

    def is_full(self, id_: str, newcomer: str, days: Iterator[date], now: datetime) -> bool:
        """Whether on one of these dates the newcomer finds no room."""
        place = self.facilities[id_]
        for day in days:
            capacity = place.capacity(day)
            if capacity is not None and len(self.takes_up(place, id_, day, now) | {newcomer}) > capacity:
                return True
        return False
