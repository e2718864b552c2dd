"""The fold: a person's counting facts, in their order, amount to one state of custody (DOMAIN §6.4).

One function serves rules, views, audit and occupancy; nothing else computes a status. The status, who answers and
whereabouts follow the order of instants; the papers follow their slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from operator import itemgetter

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.grounds import Grounds
from domain.custody.papers import PAPERS, Papers
from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.custody.targets import target, unopened
from domain.events.event import Event
from domain.events.person import PersonReleased

Taken = tuple[CountedFact, CustodyState | None, CustodyState]
"""One step of a walk: a fact, with the state before it and after it, papers apart."""


def fold(
    events: Sequence[Event], places: Places, as_of: datetime | None = None, known_at: int | None = None
) -> CustodyState | None:
    """Fold a person's events, given in recorded order, as they were true at `as_of` and known at position `known_at`.

    Both bounds are inclusive; without them, everything. `None`: no fact stands by then, so there is no file.
    """
    return fold_counting(count(events, places, known_at), places, as_of)


def fold_counting(counting: Counting, places: Places, as_of: datetime | None = None) -> CustodyState | None:
    """Fold what has been counted already."""
    grounds = Grounds(counting.known, places, counting)
    return settled(walk(counting, grounds, places, as_of), grounds, places)


def settled(
    steps: Iterable[Taken], grounds: Grounds, places: Places, start: CustodyState | None = None
) -> CustodyState | None:
    """The state that the steps of a walk come to, with its papers; `start` where there is no step."""
    state = start
    ends: set[int] = set()
    bearing: list[CountedFact] = []
    for fact, before, after in steps:
        if after is not before and _ends_custody(fact, before, after):
            ends.add(fact.event.position)
            bearing.append(fact)
        elif type(fact.event.body) in PAPERS:
            bearing.append(fact)
        state = after
    if state is None:
        return None
    papers = Papers(start, grounds, places)
    for fact in sorted(bearing, key=itemgetter(1)):
        papers.take(fact, fact.event.position in ends)
    return papers.settled(state)


def walk(counting: Counting, grounds: Grounds, places: Places, as_of: datetime | None = None) -> Iterator[Taken]:
    """Each fact that stands by `as_of`, with the state before it and after it, papers apart."""
    facts = counting.facts if as_of is None else takewhile(lambda fact: fact.instant <= as_of, counting.facts)
    return steps_from(None, facts, grounds, places)


def steps_from(
    state: CustodyState | None, facts: Iterable[CountedFact], grounds: Grounds, places: Places
) -> Iterator[Taken]:
    """Each of these facts, in their order, with the state before it and after it; the first is met in `state`."""
    for fact in facts:
        after = target(state if state is not None else unopened(fact, grounds), fact, grounds, places)
        yield fact, state, after
        state = after


def step(state: CustodyState | None, fact: CountedFact, grounds: Grounds, places: Places) -> CustodyState:
    """Fold one more fact onto a head; right where it stands last, in time and in slot, and is no ground of another.

    Takes any fact in any state and raises nothing.
    """
    after = target(state if state is not None else unopened(fact, grounds), fact, grounds, places)
    ends = _ends_custody(fact, state, after)
    if not ends and not after.offers and type(fact.event.body) not in PAPERS:
        return after
    papers = Papers(after, grounds, places)
    papers.take(fact, ends)
    return papers.settled(after)


def _ends_custody(fact: CountedFact, before: CustodyState | None, after: CustodyState) -> bool:
    """Whether a fact released the person or closed the file: what ends every open transfer (DOMAIN §4.1)."""
    if before is None:
        return after.release is not None
    is_release = isinstance(fact.event.body, PersonReleased) and after.release is not before.release
    released = is_release and after.status.value == "released-unverified"
    return released or (before.file_open and not after.file_open)
