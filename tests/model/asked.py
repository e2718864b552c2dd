"""A command as it is judged, and what several acts ask about it: each question yields the codes of its refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.model.people import Person, instant
from tests.model.standing import Standing
from tests.model.world import Offer, Transfer, World

FUTURE = timedelta(minutes=5)
NOT_IN_CUSTODY = ("none", "escaped", "released-unverified", "released")

Codes = Iterator[str]


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it is judged: by whom, with what, at which time of the server."""

    world: World
    by: str
    officer: str
    data: Mapping[str, Any]
    now: datetime

    @property
    def at(self) -> datetime:
        """When it happened, as the caller says; now where the caller does not say."""
        return instant(self.data["occurred_at"]) if "occurred_at" in self.data else self.now

    @property
    def soon(self) -> datetime:
        """The latest instant of which anything may be said already."""
        return self.now + FUTURE

    @property
    def today(self) -> date:
        """The UTC date of now."""
        return self.now.astimezone(UTC).date()

    @property
    def person(self) -> Person:
        """The person the command names, or those its transfer or its handover is about."""
        world, data = self.world, self.data
        if "person" in data:
            return world.people[data["person"]]
        if "transfer" in data:
            return world.people[world.transfers[data["transfer"]].person]
        return world.people[world.offers[data["handover"]].person]

    @property
    def then(self) -> Standing:
        """Where the person's custody stood when it happened."""
        return self.person.at(self.at)

    @property
    def is_late(self) -> bool:
        """Whether custody has changed since it happened."""
        last = self.person.now.last_change
        return last is not None and self.at < last

    @property
    def is_report(self) -> bool:
        """Whether it states what has happened and asks for nothing."""
        return self.data.get("mode") == "report"

    @property
    def transfer(self) -> Transfer:
        """The transfer it names."""
        return self.world.transfers[self.data["transfer"]]

    @property
    def offer(self) -> Offer:
        """The offer it names."""
        return self.world.offers[self.data["handover"]]

    def live_bases(self, facility: str | None) -> list[str]:
        """The person's bases valid on the date of the act, read in that place, else where the person last was."""
        place = facility or self.person.now.last_place
        day = self.world.facilities[place].day(self.at) if place else self.at.astimezone(UTC).date()
        return self.person.live_bases(day)


def held_by_another(standing: Standing, actor: str) -> Codes:
    if standing.custodian not in (None, actor):
        yield "person-is-held-by-another-authority"


def not_held_here(standing: Standing, actor: str) -> Codes:
    if standing.custodian in (None, actor) and standing.status != "held":
        yield "person-is-not-held-here"


def not_in_custody(standing: Standing) -> Codes:
    if standing.is_closed or standing.status in NOT_IN_CUSTODY:
        yield "person-is-not-in-custody"


def elsewhere(standing: Standing, facility: str) -> Codes:
    if standing.status == "held" and standing.place != facility:
        yield "whereabouts-differ"


def anothers_place(call: Call, facility: str, authority: str) -> Codes:
    if call.world.facilities[facility].authority != authority:
        yield "facility-is-of-another-authority"


def held_back(call: Call, act: str, code: str) -> Codes:
    if call.person.forbidden(act, call.at, call.now):
        yield f"hold-forbids-{code}"


def no_basis(call: Call, facility: str) -> Codes:
    if not call.live_bases(facility):
        yield "basis-is-not-live"


def not_covered(call: Call, basis: str, first: date, last: date) -> Codes:
    found = call.person.bases[basis]
    if not (found.is_valid_on(first) and found.is_valid_on(last)):
        yield "basis-does-not-cover-the-window"


def full(call: Call, facility: str, days: Iterator[date]) -> Codes:
    if call.world.is_full(facility, call.person.id_, days, call.now):
        yield "facility-is-full"


def days_of(call: Call, facility: str) -> Iterator[date]:
    place = call.world.facilities[facility]
    yield from sorted({place.day(call.at), place.day(call.now)})
