"""A person's file: every event that touches the person, and the custody state they fold into.

One fold serves rules, views and audit alike. A fact at the end steps the head on; an earlier one or a correction
folds the whole list again.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from domain.custody.counting import FOLDED, CountedFact, Counting, count
from domain.custody.fold import fold, fold_counting, step
from domain.custody.grounds import Grounds, reaches_back
from domain.custody.places import Places
from domain.custody.standing import standing_flags
from domain.custody.state import CustodyState
from domain.custody.targets import unopened
from domain.events.event import Event, Fact, stream_id
from domain.events.invoice import CustodyDaysBilled
from domain.events.person import FactCorrected, PersonRegistered
from domain.names import AuthorityId, EventId, PersonId


class Billed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Days that an invoice bills for the person."""

    stream: str
    position: int
    body: CustodyDaysBilled


class PersonFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the ledger knows of one person.

    `events` are those of the person's own stream and of the person's transfers, in recorded order; `billed` stands
    apart, since it moves no custody. `version` is that of the person's stream alone. `head` is the fold of all events;
    where none of them counts it is a file without custody. `registered_by` and `identity_status` are those of the
    registration, `None` before one is known.
    """

    person: PersonId
    version: int
    registered_by: AuthorityId | None
    identity_status: str | None
    events: tuple[Event, ...]
    billed: tuple[Billed, ...]
    head: CustodyState
    end: tuple[datetime, int] | None
    """Where the last counting fact stands, by instant and slot; `None` where none counts."""

    def at(self, instant: datetime, places: Places) -> CustodyState | None:
        """The state at an instant, with everything recorded so far known; `None` before the file opens."""
        if self.end is not None and instant >= self.end[0]:
            return self.head
        return fold(self.events, places, instant)

    def event(self, event_id: EventId) -> Event | None:
        """The event under that id, if it touches the person's custody."""
        return next((event for event in self.events if event.event_id == event_id), None)

    def counting(self, places: Places) -> Counting:
        """Which of the events count, and where they stand."""
        return count(self.events, places)

    def flags(self, instant: datetime, places: Places) -> tuple[str, ...]:
        """The standing flags at an instant, sorted."""
        return standing_flags(self.events, places, instant)


def opening(event: Event, places: Places) -> PersonFile:
    """The file that a person's first event opens."""
    of_person = event.stream.startswith("person:")
    person = PersonId(stream_id(event.stream) if of_person else getattr(event.body, "person", stream_id(event.stream)))
    fact = CountedFact(event.occurred_at, event.position, event)
    blank = PersonFile(
        person=person,
        version=0,
        registered_by=None,
        identity_status=None,
        events=(),
        billed=(),
        head=unopened(fact, Grounds((), places)),
        end=None,
    )
    return evolve(blank, event, places)


def evolve(file: PersonFile | None, event: Event, places: Places) -> PersonFile:
    """The file with one more recorded event; takes any event and raises nothing."""
    if file is None:
        return opening(event, places)
    if isinstance(event.body, CustodyDaysBilled):
        billed = Billed(stream=event.stream, position=event.position, body=event.body)
        return replace(file, billed=(*file.billed, billed))
    version = event.stream_version if event.stream == f"person:{file.person}" else file.version
    events = (*file.events, event)
    if type(event.body) not in FOLDED and not isinstance(event.body, FactCorrected):
        return replace(file, version=version, events=events)
    if not _stands_last(file, event):
        return _refolded(replace(file, version=version, events=events), places)
    before = file.head if file.end is not None else None
    fact = CountedFact(event.occurred_at, event.position, event)
    head = step(before, fact, Grounds(events, places), places)
    known = replace(file, version=version, events=events, head=head, end=(fact.instant, fact.slot))
    return _registered(known, event) if isinstance(event.body, PersonRegistered) else known


def _stands_last(file: PersonFile, event: Event) -> bool:
    """Whether the event is a plain fact at the end of the order, which no earlier fact reads."""
    body = event.body
    if not isinstance(body, Fact) or body.precision == "day" or isinstance(body, FactCorrected):
        return False
    if file.end is not None and (event.occurred_at, event.position) < file.end:
        return False
    for one in file.events:
        if isinstance(one.body, FactCorrected) and one.body.replacement == event.event_id:
            return False
    return not file.events or not reaches_back(event, file.events)


def _refolded(file: PersonFile, places: Places) -> PersonFile:
    counting = count(file.events, places)
    grounds = Grounds(file.events, places, counting)
    registration = grounds.registration()
    known = _registered(file, registration) if registration is not None else file
    head = fold_counting(counting, places)
    if head is None:
        first = file.events[0]
        return replace(known, head=unopened(CountedFact(first.occurred_at, first.position, first), grounds), end=None)
    last = counting.facts[-1]
    return replace(known, head=head, end=(last.instant, last.slot))


def _registered(file: PersonFile, registration: Event) -> PersonFile:
    assert isinstance(registration.body, PersonRegistered)
    return replace(file, registered_by=registration.actor.authority, identity_status=registration.body.identity_status)
