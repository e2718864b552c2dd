"""What a granted claim stands on and still reads when its ground counts no more (DOMAIN §6.4).

An acceptance reads its offer, and through it the transfer, also after the offer was taken away; a verification closes
nothing once its release counts no more or stands declared erroneous. So these are looked up among all that is known,
not among what has been folded so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.places import Places
from domain.custody.state import Release
from domain.events.event import Body, Event
from domain.events.person import (
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    PersonRegistered,
    PersonReleased,
    ReleaseDeclaredErroneous,
    ReleaseVerified,
)
from domain.events.transfer import TransferRequested
from domain.names import HandoverId, ReleaseId, TransferId

_READ_BY_OTHERS: frozenset[type[Body]] = frozenset(
    {PersonRegistered, HandoverOffered, TransferRequested, PersonReleased, ReleaseDeclaredErroneous}
)


class Grounds:
    """Look-ups among a person's known events; they are counted only when one of them is asked for."""

    def __init__(self, events: Sequence[Event], places: Places, counting: Counting | None = None) -> None:
        self._events = events
        self._places = places
        self._given = counting

    @property
    def _counting(self) -> Counting:
        if self._given is None:
            self._given = count(self._events, self._places)
        return self._given

    def request(self, handover: HandoverId) -> TransferRequested | None:
        """The transfer that a handover carries out, as its request says."""
        transfer = self.transfer(handover)
        requests = [event for event in self._events if _requests(event, transfer)]
        request = self._preferred(requests)
        return request.body if request is not None and isinstance(request.body, TransferRequested) else None

    def transfer(self, handover: HandoverId) -> TransferId | None:
        """The id of the transfer that a handover carries out, as its offer says."""
        offer = self._preferred([event for event in self._events if _offers(event, handover)])
        return offer.body.transfer if offer is not None and isinstance(offer.body, HandoverOffered) else None

    def release_after(self, release: ReleaseId, fact: CountedFact) -> Release | None:
        """The release under that id that counts and stands after `fact`: a correction may have put it there.

        What stands before has been folded: a report by another authority, which moved nothing, is not a release then.
        """
        for later in self._counting.facts:
            body = later.event.body
            if later[:2] > fact[:2] and isinstance(body, PersonReleased) and body.release == release:
                return Release(body=body, recorded=later.event)
        return None

    def declared_erroneous(self, release: ReleaseId, instant: datetime) -> bool:
        """Whether a declaration at or before that instant says that the release was in error."""
        return any(fact.instant <= instant and _declares(fact.event, release) for fact in self._counting.facts)

    def registration(self) -> Event | None:
        """The registration of the person: who answers until somebody holds."""
        return self._preferred([event for event in self._events if isinstance(event.body, PersonRegistered)])

    def _preferred(self, events: Sequence[Event]) -> Event | None:
        """The event that counts, else the last that did; a replaced one gives way to its replacement."""
        if not events:
            return None
        counting = self._counting
        if counting.is_whole:
            return events[0]
        by_slot = sorted(events, key=lambda event: counting.slots[event.event_id])
        counted = next((event for event in by_slot if counting.counts(event)), None)
        return counted or next((event for event in reversed(by_slot) if counting.stood(event)), None)


def reaches_back(event: Event, earlier: Sequence[Event]) -> bool:
    """Whether an event changes what facts before it amount to, though it stands last: it is their ground."""
    if type(event.body) not in _READ_BY_OTHERS:
        return False
    match event.body:
        case PersonRegistered():
            return True
        case HandoverOffered(handover=handover):
            return any(
                isinstance(other.body, (HandoverAccepted, HandoverRefused)) and other.body.handover == handover
                for other in earlier
            )
        case TransferRequested(transfer=transfer):
            return any(isinstance(other.body, HandoverOffered) and other.body.transfer == transfer for other in earlier)
        case PersonReleased(release=release) | ReleaseDeclaredErroneous(release=release):
            return any(
                isinstance(other.body, (ReleaseVerified, ReleaseDeclaredErroneous)) and other.body.release == release
                for other in earlier
            )
        case _:
            return False


def _offers(event: Event, handover: HandoverId) -> bool:
    return isinstance(event.body, HandoverOffered) and event.body.handover == handover


def _requests(event: Event, transfer: TransferId | None) -> bool:
    return isinstance(event.body, TransferRequested) and event.body.transfer == transfer


def _declares(event: Event, release: ReleaseId) -> bool:
    return isinstance(event.body, ReleaseDeclaredErroneous) and event.body.release == release
