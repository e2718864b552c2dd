"""A life: one person's events at one knowledge, and the timeline they are read as; what the laws of custody look at.

`lives` gives one life for each knowledge at which a person's past could read otherwise. Where facts were recorded in
the order in which they happened, every earlier belief is a beginning of the last one, and the last alone is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from operator import itemgetter

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.fold import Taken, walk
from domain.custody.grounds import Grounds, reaches_back
from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.custody.timeline import Timeline, drawn
from domain.events.event import Event
from domain.names import FacilityId, PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.reading import Reading
from projections.engine.instants import kept, shown

Held = tuple[FacilityId, datetime, datetime | None]
"""A place, from when and until when, `None` while it goes on."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """What the record says of a person at the position `known_at`. `events` are those recorded by then, in order.

    `reading` is the audit's own verdict on which of them count, `counting` that of the fold, and `steps` what the fold
    makes of each fact that counts, one after the other. What several laws ask for
    is worked out once, when the first of them does.
    """

    person: PersonId
    known_at: int
    events: tuple[Event, ...]
    counting: Counting
    reading: Reading
    steps: tuple[Taken, ...]
    timeline: Timeline
    places: Places

    @property
    def facts(self) -> tuple[CountedFact, ...]:
        """The facts that count, in the order in which they stand."""
        return self.counting.facts

    @cached_property
    def held(self) -> list[Held]:
        """Where the person was counted, from the spells alone: a place is kept over absences and reports."""
        found: list[Held] = []
        place: FacilityId | None = None
        custodian: str | None = None
        for spell in self.timeline.spells:
            if spell.status not in ("held", "absent"):
                place = None
                continue
            kind, _, name = spell.at.partition(":")
            here = FacilityId(name) if kind == "facility" else place
            if here is None:
                continue
            if (here, spell.custodian) == (place, custodian):
                found[-1] = (here, found[-1][1], spell.to)
            else:
                found.append((here, spell.from_, spell.to))
            place, custodian = here, spell.custodian
        return found

    def at(self, instant: datetime) -> CustodyState | None:
        """The state at an instant, papers apart; `None` before the first fact."""
        stands = bisect_right(self.facts, instant, key=itemgetter(0))
        return self.steps[stands - 1][2] if stands else None

    @cached_property
    def is_in_order(self) -> bool:
        """Whether each fact stood last when it was recorded and changed nothing before it."""
        if self.reading.is_corrected:
            return False
        if any(later.event.position < earlier.event.position for earlier, later in pairwise(self.facts)):
            return False
        return not any(reaches_back(event, self.events[:index]) for index, event in enumerate(self.events) if index)

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
    counting = count(known, places)
    steps = tuple(walk(counting, Grounds(known, places, counting), places))
    return Life(
        person=person,
        known_at=known_at if known_at is not None else known[-1].position,
        events=known,
        counting=counting,
        reading=Reading(known),
        steps=steps,
        timeline=drawn(steps, places),
        places=places,
    )


def lives(person: PersonId, events: Sequence[Event], places: Places) -> Iterator[Life]:
    """The lives that have to be looked at, the present one last."""
    last = life(person, events, places)
    if not last.is_in_order:
        yield from (life(person, events, places, event.position) for event in events[:-1])
    yield last


def text(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC, a fraction only where there is one, as the views show it."""
    return shown(kept(instant))
