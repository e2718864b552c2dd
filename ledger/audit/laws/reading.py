"""Which events count, read from DOMAIN §6.4.1 word by word: the audit's own reading, apart from the fold's.

The fold resolves corrections in passes over a person's events; here each sentence of the rule is a question asked of
the others. Both must come to the same, or the audit says so. `Reading` is one person's events at one knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.events.event import Event
from domain.events.person import FactCorrected
from domain.names import EventId


class Reading:
    """A person's events up to some position, given in recorded order, and what the corrections among them amount to."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = tuple(events)
        self._named_by: dict[EventId, list[Event]] = {}
        self._brought_by: dict[EventId, Event] = {}
        for event in self.events:
            if isinstance(event.body, FactCorrected):
                self._named_by.setdefault(event.body.corrects, []).append(event)
                if event.body.replacement is not None:
                    self._brought_by[event.body.replacement] = event
        self._by_id = {event.event_id: event for event in self.events} if self._named_by else {}
        self._known: dict[EventId, bool] = {}

    @property
    def is_corrected(self) -> bool:
        """Whether there is a correction among the events, counting or not."""
        return bool(self._named_by)

    def counts(self, event: Event) -> bool:
        """Whether the event counts: no counting correction names it, and what brought it counts."""
        if not self._named_by:
            return True
        if event.event_id not in self._known:
            # Corrections that name each other in a ring are nobody's; asked again on the way, they do not count.
            self._known[event.event_id] = False
            self._known[event.event_id] = (
                not any(self.counts(one) for one in self._named_by.get(event.event_id, ()))
                and self._is_brought(event)
                and self._is_of_effect(event)
            )
        return self._known[event.event_id]

    def corrections_of(self, event: Event) -> list[Event]:
        """The counting corrections that name the event; more than one break law L11."""
        return [one for one in self._named_by.get(event.event_id, ()) if self.counts(one)]

    def slot(self, event: Event) -> int:
        """Its place in recorded order: its own position, or that of what it replaces (in a chain, the first)."""
        by = self._brought_by.get(event.event_id)
        return event.position if by is None or not self._is_of_effect(by) else self.slot(self._named(by))

    def as_if_right(self) -> list[Event]:
        """The log with each replacement put in the place of the wrong fact, and their corrections gone."""
        gone: set[EventId] = set()
        placed: list[Event] = []
        for event in self.events:
            body = event.body
            if isinstance(body, FactCorrected) and body.replacement is not None and self.counts(event):
                gone |= {event.event_id, body.corrects}
                right = self._by_id[body.replacement]
                gone.add(right.event_id)
                # In a chain the middle one is itself replaced: the last stands for all of them.
                if not any(_replaces(one) for one in self.corrections_of(right)):
                    placed.append(msgspec.structs.replace(right, position=self.slot(right)))
        kept = [event for event in self.events if event.event_id not in gone]
        return sorted([*kept, *placed], key=_position)

    def _is_brought(self, event: Event) -> bool:
        """A replacement counts only while its correction does."""
        by = self._brought_by.get(event.event_id)
        return by is None or self.counts(by)

    def _is_of_effect(self, event: Event) -> bool:
        """A correction names what was there before it, brings what is known, and stands on what still counts."""
        body = event.body
        if not isinstance(body, FactCorrected):
            return True
        wrong = self._by_id.get(body.corrects)
        if wrong is None or wrong.position >= event.position:
            return False
        if body.replacement is not None and body.replacement not in self._by_id:
            return False
        return self._is_brought(wrong)

    def _named(self, correction: Event) -> Event:
        assert isinstance(correction.body, FactCorrected)
        return self._by_id[correction.body.corrects]


def _replaces(correction: Event) -> bool:
    return isinstance(correction.body, FactCorrected) and correction.body.replacement is not None


def _position(event: Event) -> int:
    return event.position
