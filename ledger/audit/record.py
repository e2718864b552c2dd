"""The record as an audit holds it: every readable event, the register they amount to, and each person's own share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from domain.events import person, transfer
from domain.events.event import Body, Event
from domain.events.invoice import CustodyDaysBilled
from domain.events.transfer import TransferRequested
from domain.names import PersonId
from domain.register import Register
from ledger.audit.findings import Progress, quiet
from ledger.store.leaf import read_event
from ledger.store.log import EventLog, Row

PAGE: Final = 5_000
CUSTODY_FACTS: Final[frozenset[type[Body]]] = frozenset({*person.EVENTS, *transfer.EVENTS})


@dataclass(slots=True)
class Record:
    """A log from its first event to `position`, read again from nothing.

    `people` are the events of each person's own stream and of the person's transfers, in recorded order; `billed` the
    claims of invoices that name the person. An event that cannot be read is left out: the rows check names it.
    """

    register: Register = field(default_factory=Register)
    events: dict[int, Event] = field(default_factory=dict)
    people: dict[PersonId, list[Event]] = field(default_factory=dict)
    billed: dict[PersonId, list[Event]] = field(default_factory=dict)
    position: int = 0
    _of_transfer: dict[str, PersonId] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One more event, in the order of positions."""
        self.register.evolve(event)
        self.events[event.position] = event
        self.position = event.position
        if isinstance(event.body, CustodyDaysBilled):
            self.billed.setdefault(event.body.person, []).append(event)
        elif (who := self._person(event)) is not None and type(event.body) in CUSTODY_FACTS:
            self.people.setdefault(who, []).append(event)

    def _person(self, event: Event) -> PersonId | None:
        kind, _, id_ = event.stream.partition(":")
        if kind == "person":
            return PersonId(id_)
        if isinstance(event.body, TransferRequested):
            self._of_transfer.setdefault(event.stream, event.body.person)
        return self._of_transfer.get(event.stream) if kind == "transfer" else None


def read_record(log: EventLog, *, to: int | None = None, progress: Progress = quiet) -> Record:
    """The record of the first `to` positions, by default of all there are now."""
    head = log.head()
    last = head if to is None else min(to, head)
    record = Record()
    for event in readable(log, last, progress):
        record.take(event)
    return record


def readable(log: EventLog, last: int, progress: Progress = quiet) -> Iterator[Event]:
    """The events of the first `last` positions that can be read at all."""
    after = 0
    while after < last and (rows := log.scan(after, PAGE)):
        for row in rows:
            event = _event(row) if row.position <= last else None
            if event is not None:
                yield event
        after = rows[-1].position
        progress("reading", min(after, last), last)


def _event(row: Row) -> Event | None:
    try:
        event = read_event(row)
    except (msgspec.DecodeError, KeyError, ValueError, TypeError):
        return None
    return event if event.occurred_at.tzinfo is not None and event.recorded_at.tzinfo is not None else None
