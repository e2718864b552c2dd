"""A life: one person's events at one knowledge, and the timeline they are read as; what the laws of custody look at.

`lives` gives one life for each knowledge at which a person's past could read otherwise. Where facts were recorded in
the order in which they happened, every earlier belief is a beginning of the last one, and the last alone is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.grounds import reaches_back
from domain.custody.places import Places
from domain.custody.timeline import Timeline, timeline
from domain.events.event import Event
from domain.events.person import FactCorrected
from domain.names import PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.reading import Reading
from projections.engine.instants import kept, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What the record says of a person at the position `known_at`. `events` are those recorded by then, in order.

    `reading` is the audit's own verdict on which of them count, `counting` that of the fold.
    """

    person: PersonId
    known_at: int
    events: tuple[Event, ...]
    counting: Counting
    reading: Reading
    timeline: Timeline
    places: Places

    @property
    def facts(self) -> tuple[CountedFact, ...]:
        """The facts that count, in the order in which they stand."""
        return self.counting.facts

    def event(self, position: int) -> Event | None:
        """The event at that position, if it is the person's."""
        return next((event for event in self.events if event.position == position), None)

    def wrong(
        self,
        law: str,
        expected: object,
        found: object,
        *,
        instant: datetime | None = None,
        at: Sequence[int | None] = (),
    ) -> Finding:
        """A violation in this life; `at` are the positions beside it."""
        beside = tuple(position for position in at if position is not None)
        return Finding(
            law=law,
            subject=f"person:{self.person}",
            positions=beside or (self.known_at,),
            instant=None if instant is None else text(instant),
            expected=f"{expected} (as known at {self.known_at})",
            found=str(found),
        )


def life(person: PersonId, events: Sequence[Event], places: Places, known_at: int | None = None) -> Life:
    """The life that a person's events amount to, by default all of them."""
    known = tuple(events) if known_at is None else tuple(event for event in events if event.position <= known_at)
    return Life(
        person=person,
        known_at=known_at if known_at is not None else known[-1].position,
        events=known,
        counting=count(known, places),
        reading=Reading(known),
        timeline=timeline(known, places),
        places=places,
    )


def lives(person: PersonId, events: Sequence[Event], places: Places) -> Iterator[Life]:
    """The lives that have to be looked at, the present one last."""
    last = life(person, events, places)
    if not is_in_order(last):
        yield from (life(person, events, places, event.position) for event in events[:-1])
    yield last


def is_in_order(one: Life) -> bool:
    """Whether each fact stood last when it was recorded and changed nothing before it."""
    if any(type(event.body) is FactCorrected for event in one.events):
        return False
    if any(later.event.position < earlier.event.position for earlier, later in pairwise(one.facts)):
        return False
    return not any(reaches_back(event, one.events[:index]) for index, event in enumerate(one.events) if index)


def text(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC, a fraction only where there is one, as the views show it."""
    return shown(kept(instant))
