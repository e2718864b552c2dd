"""Which facts count at one knowledge, in which slot, and in which order they stand (DOMAIN §6.4.1–3).

A correction takes an event away and, with a replacement, puts another in its slot; the two act as one, from the
replacement's position on. Nothing is rewritten: asked for an earlier position, `count` gives the earlier belief.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from domain.custody.local_days import day_start, local_date
from domain.custody.places import Places
from domain.events import person, transfer
from domain.events.event import Body, Event, Fact
from domain.events.person import (
    CustodyOpened,
    FactCorrected,
    HandoverAccepted,
    HandoverOffered,
    MovedWithin,
    PersonReleased,
    PresenceReported,
)
from domain.events.transfer import TransferApproved, TransferRequested
from domain.names import EventId, FacilityId

FOLDED: frozenset[type[Body]] = frozenset({*person.EVENTS, *transfer.EVENTS} - {FactCorrected})
"""The bodies that the fold of a person reads; a correction is no fact, it says which facts count."""


class CountedFact(NamedTuple):
    """A fact that counts: the instant at which it stands, the slot that breaks ties, the event that states it."""

    instant: datetime
    slot: int
    event: Event


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts at one knowledge.

    `known` are the person's events up to it in recorded order, `facts` those that count in the order in which they
    stand, `corrected_by` maps an event id to the counting correction that names it, `slots` every event to its slot.
    """

    known: tuple[Event, ...]
    facts: tuple[CountedFact, ...]
    corrected_by: Mapping[EventId, Event]
    slots: Mapping[EventId, int]
    _fallen: frozenset[EventId]

    def counts(self, event: Event) -> bool:
        """Whether the event, a fact or a correction, counts at this knowledge."""
        return event.event_id not in self.corrected_by and event.event_id not in self._fallen

    @property
    def is_whole(self) -> bool:
        """Whether nothing was taken away: every event counts, in the slot of its own position."""
        return not self.corrected_by and not self._fallen

    def stood(self, event: Event) -> bool:
        """Whether the event counts, or did until a correction took it away and put nothing in its place.

        What was replaced never stood: its replacement did, from the first (law (a) of DOMAIN §6.4).
        """
        by = self.corrected_by.get(event.event_id)
        replaced = by is not None and isinstance(by.body, FactCorrected) and by.body.replacement is not None
        return event.event_id not in self._fallen and not replaced


def count(events: Sequence[Event], places: Places, known_at: int | None = None) -> Counting:
    """Judge a person's events, given in recorded order, at the position `known_at` (`None`: all of them)."""
    known = tuple(events) if known_at is None else tuple(event for event in events if event.position <= known_at)
    if not any(type(event.body) is FactCorrected for event in known):
        slots = {event.event_id: event.position for event in known}
        return Counting(known, _in_order(known, slots, places), MappingProxyType({}), slots, frozenset())
    corrected_by, fallen, slots = _corrections(known)
    standing = [event for event in known if event.event_id not in corrected_by and event.event_id not in fallen]
    return Counting(known, _in_order(standing, slots, places), MappingProxyType(corrected_by), slots, frozenset(fallen))


def _corrections(known: Sequence[Event]) -> tuple[dict[EventId, Event], set[EventId], dict[EventId, int]]:
    """The corrections that count by the event they name, what has fallen away with the others, and every slot."""
    slots = {event.event_id: event.position for event in known}
    made: dict[EventId, tuple[Event, FactCorrected]] = {}
    fallen: set[EventId] = set()
    for event in known:
        if not isinstance(body := event.body, FactCorrected):
            continue
        # One whose replacement is not known yet, or that names what was not there before it, is as if never made.
        if slots.get(body.corrects, event.position) < event.position and (
            body.replacement is None or body.replacement in slots
        ):
            made[event.event_id] = event, body
        else:
            fallen.update(gone for gone in (event.event_id, body.replacement) if gone is not None)
    corrected_by: dict[EventId, Event] = {}
    # An undoing is named by later undoings alone, so the latest is judged first.
    for event, body in reversed(made.values()):
        if body.corrects in made and event.event_id not in corrected_by:
            corrected_by[body.corrects] = event
    # A correction of a replacement stands or falls with the one before it in the chain, so the earliest is judged
    # first; its own replacement goes where it goes.
    for event, body in made.values():
        if body.corrects in made:
            continue
        if body.replacement is not None:
            slots[body.replacement] = slots[body.corrects]
        if body.corrects in fallen:
            fallen.add(event.event_id)
        if event.event_id not in corrected_by and event.event_id not in fallen:
            corrected_by[body.corrects] = event
        elif body.replacement is not None:
            fallen.add(body.replacement)
    return corrected_by, fallen, slots


def _in_order(events: Sequence[Event], slots: Mapping[EventId, int], places: Places) -> tuple[CountedFact, ...]:
    facts = [
        CountedFact(event.occurred_at, slots[event.event_id], event) for event in events if type(event.body) in FOLDED
    ]
    if any(_by_day(fact.event) for fact in facts):
        facts = _day_facts_placed(sorted(facts, key=itemgetter(1)), places)
    return tuple(sorted(facts, key=itemgetter(0, 1)))


def _by_day(event: Event) -> bool:
    return isinstance(event.body, Fact) and event.body.precision == "day"


def _day_facts_placed(by_slot: Sequence[CountedFact], places: Places) -> list[CountedFact]:
    """Give each fact known by date alone its instant: the start of its date, or right after what stands there."""
    placed: list[CountedFact] = []
    zone = "UTC"
    for fact in by_slot:
        facility = facility_named(fact.event.body)
        zone = (places.zone_of(facility) if facility is not None else None) or zone
        placed.append(fact._replace(instant=_day_instant(fact, by_slot, zone)) if _by_day(fact.event) else fact)
    return placed


def _day_instant(fact: CountedFact, by_slot: Sequence[CountedFact], zone: str) -> datetime:
    try:
        day = local_date(fact.instant, zone)
        there = (
            other.instant
            for other in by_slot
            if other.slot < fact.slot and not _by_day(other.event) and local_date(other.instant, zone) == day
        )
        return max((day_start(day, zone), *there))
    except OverflowError:
        # At either end of the calendar there is no day before or after; the instant stands as it was given.
        return fact.instant


def facility_named(body: Body) -> FacilityId | None:
    """The facility by whose zone the date of a fact is read: where the person is after it."""
    match body:
        case MovedWithin():
            return body.to_facility
        case CustodyOpened() | PersonReleased() | PresenceReported():
            return body.facility
        case HandoverOffered() | HandoverAccepted():
            return body.place
        case TransferRequested():
            return body.from_facility
        case TransferApproved():
            return body.reserved.facility
        case _:
            return None
