"""A person's file: every event that touches the person, and the custody state they fold into.

One fold serves rules, views and audit alike. A fact at the end steps the head on; an earlier one or a correction
folds the whole list again.
"""

from __future__ import annotations

from datetime import datetime
from itertools import accumulate, takewhile
from operator import itemgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.custody.counting import FOLDED, CountedFact, Counting, count
from domain.custody.fold import fold, fold_counting, settled, step, steps_from
from domain.custody.grounds import Grounds, reaches_back
from domain.custody.places import Places
from domain.custody.standing import standing_flags
from domain.custody.state import CustodyState
from domain.custody.targets import unopened
from domain.events.event import Body, Event, Fact, stream_id
from domain.events.invoice import CustodyDaysBilled
from domain.events.person import FactCorrected, PersonRegistered
from domain.names import AuthorityId, EventId, PersonId

MILESTONE_EVERY: Final = 32
"""Of so many events one gives a milestone; the last two are kept."""


class Billed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Days that an invoice bills for the person."""

    stream: str
    position: int
    body: CustodyDaysBilled


class Milestone(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The head at a time when the file had so many events, and where the last counting fact stood then."""

    events: int
    head: CustodyState
    end: tuple[datetime, int]


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
    has_corrections: bool = False
    milestones: tuple[Milestone, ...] = ()
    """In a long file: heads from which a fact that comes late is folded, so that it costs no more than in a short."""

    def at(self, instant: datetime, places: Places) -> CustodyState | None:
        """The state at an instant, with everything recorded so far known; `None` before the file opens."""
        if self.end is not None and instant >= self.end[0]:
            return self.head
        passed = next((one for one in reversed(self.milestones) if one.end[0] <= instant), None)
        found = _folded_from(self, passed, places, instant) if passed is not None else None
        return found[0] if found is not None else fold(self.events, places, instant)

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
    known = replace(file, version=version, events=events)
    if isinstance(event.body, FactCorrected):
        return _refolded(replace(known, has_corrections=True), places)
    if type(event.body) not in FOLDED:
        return known
    if not _is_plain(file, event):
        return _refolded(known, places)
    fact = CountedFact(event.occurred_at, event.position, event)
    if file.end is not None and fact[:2] < file.end:
        return _folded_late(known, fact, places)
    before = file.head if file.end is not None else None
    head = step(before, fact, Grounds(events, places), places)
    known = _with_milestone(replace(known, head=head, end=fact[:2]))
    return _registered(known, event) if isinstance(event.body, PersonRegistered) else known


def _is_plain(file: PersonFile, event: Event) -> bool:
    """Whether the event is a fact that stands where it says, and changes nothing that stands before it."""
    if not isinstance(event.body, Fact) or not _says_its_instant(event):
        return False
    if file.has_corrections and any(_brings(one.body, event.event_id) for one in file.events):
        return False
    return not file.events or not reaches_back(event, file.events)


def _brings(body: Body, event_id: EventId) -> bool:
    return isinstance(body, FactCorrected) and body.replacement == event_id


def _says_its_instant(event: Event) -> bool:
    return type(event.body) not in FOLDED or getattr(event.body, "precision", None) != "day"


def _with_milestone(file: PersonFile) -> PersonFile:
    latest = file.milestones[-1].events if file.milestones else 0
    if len(file.events) - latest < MILESTONE_EVERY or file.end is None:
        return file
    reached = Milestone(events=len(file.events), head=file.head, end=file.end)
    return replace(file, milestones=(*file.milestones[-1:], reached))


def _folded_late(file: PersonFile, fact: CountedFact, places: Places) -> PersonFile:
    """The file whose last event is a plain fact that stands before others.

    What a milestone came to stays as it was if the fact stands behind it: all that was recorded since stands behind
    it as well, in time and in slot, and only that is folded again.
    """
    passed = tuple(one for one in file.milestones if one.end < fact[:2])
    found = _folded_from(file, passed[-1], places) if passed else None
    if found is None:
        return _refolded(file, places)
    head, facts = found
    return replace(file, head=head, end=facts[-1][:2], milestones=passed)


def _folded_from(
    file: PersonFile, milestone: Milestone, places: Places, as_of: datetime | None = None
) -> tuple[CustodyState, list[CountedFact]] | None:
    """The state by `as_of`, not before the milestone, with the facts since it; `None` where one stands by its date."""
    since = file.events[milestone.events :]
    if not all(map(_says_its_instant, since)):
        return None
    counted = (CountedFact(one.occurred_at, one.position, one) for one in since if type(one.body) in FOLDED)
    facts = sorted((one for one in counted if as_of is None or one.instant <= as_of), key=itemgetter(0, 1))
    grounds = Grounds(file.events, places)
    state = settled(steps_from(milestone.head, facts, grounds, places), grounds, places, milestone.head)
    assert state is not None, "it has a start"
    return state, facts


def _refolded(file: PersonFile, places: Places) -> PersonFile:
    counting = count(file.events, places)
    grounds = Grounds(file.events, places, counting)
    registration = grounds.registration()
    known = _registered(file, registration) if registration is not None else file
    head = fold_counting(counting, places)
    if head is None:
        first = file.events[0]
        blank = unopened(CountedFact(first.occurred_at, first.position, first), grounds)
        return replace(known, head=blank, end=None, milestones=())
    last = counting.facts[-1]
    return replace(known, head=head, end=last[:2], milestones=_earlier_milestone(file, counting, grounds, places))


def _earlier_milestone(file: PersonFile, counting: Counting, grounds: Grounds, places: Places) -> tuple[Milestone, ...]:
    """The head as it was some while before the end, at a point that nothing recorded later lies before.

    It is what those facts come to with all that is known by now: a ground may have been recorded after them.
    """
    behind = len(file.events) - MILESTONE_EVERY
    if behind < MILESTONE_EVERY or file.has_corrections or not all(map(_says_its_instant, file.events)):
        return ()
    keys = [(one.occurred_at, one.position) for one in file.events]
    highest, lowest = list(accumulate(keys, max)), list(accumulate(reversed(keys), min))[::-1]
    cut = next((at for at in range(behind, 0, -1) if highest[at - 1] < lowest[at]), None)
    if cut is None:
        return ()
    facts = takewhile(lambda fact: fact[:2] <= highest[cut - 1], counting.facts)
    head = settled(steps_from(None, facts, grounds, places), grounds, places)
    return (Milestone(events=cut, head=head, end=highest[cut - 1]),) if head is not None else ()


def _registered(file: PersonFile, registration: Event) -> PersonFile:
    assert isinstance(registration.body, PersonRegistered)
    return replace(file, registered_by=registration.actor.authority, identity_status=registration.body.identity_status)
