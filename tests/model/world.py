"""The world as the model knows it at one position: who may act, where people are, and how much room there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.answers import Answered
from tests.model.people import Person, Standing

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
    state: str = "open"


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
    holds: dict[str, Any] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    event_ids: set[str] = field(default_factory=set)
    keys: dict[tuple[str, str], Answered] = field(default_factory=dict)
    brought: dict[tuple[str, ...], Answered] = field(default_factory=dict)
    """The commands that first named an id."""

    def is_open(self, offer: Offer) -> bool:
        """Whether an offer waits for its answer."""
        return offer.state == "open" and self.transfers[offer.transfer].state in ("approved", "in-transit", "refused")

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
