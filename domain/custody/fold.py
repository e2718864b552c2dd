"""The fold: a person's counting facts, in their order, amount to one state of custody (DOMAIN §6.4).

One function serves rules, views, audit and occupancy; nothing else computes a status. The status, who answers and
whereabouts follow the order of instants; the papers follow their slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.grounds import Grounds
from domain.custody.papers import PAPERS, Papers
from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.custody.targets import target, unopened
from domain.events.event import Event

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


def settled(steps: Iterable[Taken], grounds: Grounds, places: Places) -> CustodyState | None:
    """The state that the steps of a walk come to, with its papers; `None` where there is no step."""
    state: CustodyState | None = None
    ends: set[int] = set()
    standing: list[CountedFact] = []
    for fact, before, after in steps:
        standing.append(fact)
        if _ends_custody(before, after):
            ends.add(fact.event.position)
        state = after
    if state is None:
        return None
    papers = Papers(None, grounds, places)
    for fact in sorted(standing, key=itemgetter(1)):
        papers.take(fact, fact.event.position in ends)
    return papers.settled(state)


def walk(counting: Counting, grounds: Grounds, places: Places, as_of: datetime | None = None) -> Iterator[Taken]:
    """Each fact that stands by `as_of`, with the state before it and after it, papers apart."""
    state: CustodyState | None = None
    for fact in counting.facts:
        if as_of is not None and fact.instant > as_of:
            return
        after = target(state if state is not None else unopened(fact, grounds), fact, grounds, places)
        yield fact, state, after
        state = after


def step(state: CustodyState | None, fact: CountedFact, grounds: Grounds, places: Places) -> CustodyState:
    """Fold one more fact onto a head; right where it stands last, in time and in slot, and is no ground of another.

    Takes any fact in any state and raises nothing.
    """
    after = target(state if state is not None else unopened(fact, grounds), fact, grounds, places)
    ends = _ends_custody(state, after)
    if not ends and not after.offers and type(fact.event.body) not in PAPERS:
        return after
    papers = Papers(after, grounds, places)
    papers.take(fact, ends)
    return papers.settled(after)


def _ends_custody(before: CustodyState | None, after: CustodyState) -> bool:
    """Whether a fact released the person or closed the file: what ends every open transfer (DOMAIN §4.1)."""
    if before is None:
        return after.release is not None
    released = after.status.value == "released-unverified" and after.release is not before.release
    return released or (before.file_open and not after.file_open)
