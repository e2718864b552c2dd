"""The record as an audit holds it: every readable event, the register they amount to, and each person's own share.

An audit of a long log is shared out among processes, and then each holds the people of its `Share` alone, beside the
whole registry. Who belongs to which share follows from the id, so nobody needs to be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zlib import crc32

import msgspec

from domain.events import decode_body, person, transfer
from domain.events.event import Body, Event
from domain.events.invoice import CustodyDaysBilled
from domain.events.transfer import TransferRequested
from domain.files.person import PersonFile, evolve
from domain.names import EventId, PersonId
from domain.register import Register
from ledger.audit.findings import Progress, quiet
from ledger.store.leaf import Leaf, decode_leaf, text64
from ledger.store.log import EventLog, Row

PAGE: Final = 5_000
PARTS: Final = 64
UNREADABLE: Final = (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError, RecursionError)
"""What the bytes of a leaf raise that are none."""
CUSTODY_FACTS: Final[frozenset[type[Body]]] = frozenset({*person.EVENTS, *transfer.EVENTS})


class Share(msgspec.Struct, frozen=True):
    """The people in the parts `first` up to `end`, which is not included; all of them are in `PARTS` parts."""

    first: int = 0
    end: int = PARTS

    def holds(self, person_id: str) -> bool:
        """Whether that person is in the share."""
        return self == EVERYBODY or self.first <= crc32(person_id.encode()) % PARTS < self.end


EVERYBODY: Final = Share()
OUTSIDE: Final = PersonId("\0outside")
"""In the place of whoever is not in the share; told apart by identity, as a forged id may be any text."""


class Files(Register):
    """A register that keeps the files and leaves out what rules look up beside them: nobody judges a command here."""

    def evolve(self, event: Event) -> None:
        """Fold one more recorded event into every file it touches, as every register does."""
        kind, _, id_ = event.stream.partition(":")
        if kind == "person" and type(event.body) is not TransferRequested:
            self._evolve_person(PersonId(id_), event)
            self.position = event.position
        else:
            super().evolve(event)

    def _evolve_person(self, id_: PersonId, event: Event) -> None:
        key = ("person", id_)
        file = self._files.get(key)
        assert file is None or isinstance(file, PersonFile)
        self._files[key] = evolve(file, event, self)


@dataclass(slots=True)
class Record:
    """A log from its first event to `position`, recorded at `recorded_at`, read again from nothing.

    `people` are the events of each person's own stream and of the person's transfers, in recorded order; `billed` the
    claims of invoices that name the person; `registry` what is about nobody, by position. An event that cannot be read
    is left out: the rows check names it.
    """

    share: Share = EVERYBODY
    register: Files = field(default_factory=Files)
    people: dict[PersonId, list[Event]] = field(default_factory=dict)
    billed: dict[PersonId, list[Event]] = field(default_factory=dict)
    registry: dict[int, Event] = field(default_factory=dict)
    position: int = 0
    recorded_at: datetime | None = None
    _subjects: dict[str, PersonId] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One more event, in the order of positions; of people outside the share only its time is kept."""
        self.position, self.recorded_at = event.position, event.recorded_at
        body, stream = event.body, event.stream
        if isinstance(body, TransferRequested) and stream.partition(":")[0] == "transfer":
            self._subjects.setdefault(stream, self._within(body.person))
        who = self._subject(stream)
        if isinstance(body, CustodyDaysBilled):
            if self.share.holds(body.person):
                self.register.evolve(event)
                self.billed.setdefault(body.person, []).append(event)
        elif who is not OUTSIDE:
            self.register.evolve(event)
            if who is None:
                self.registry[event.position] = event
            elif type(body) in CUSTODY_FACTS:
                self.people.setdefault(who, []).append(event)

    def leaves_out(self, stream: str) -> bool:
        """Whether a stream is about somebody outside the share; one that nobody is known for yet is not."""
        return self._subject(stream) is OUTSIDE

    def _subject(self, stream: str) -> PersonId | None:
        """Whom a stream is about, or `OUTSIDE`; `None` for one about nobody, or about nobody who is known yet."""
        who = self._subjects.get(stream)
        if who is None:
            kind, _, id_ = stream.partition(":")
            if kind == "person":
                who = self._subjects[stream] = self._within(PersonId(id_))
        return who

    def _within(self, who: PersonId) -> PersonId:
        return who if self.share.holds(who) else OUTSIDE


def read_record(
    log: EventLog, *, to: int | None = None, share: Share = EVERYBODY, progress: Progress = quiet
) -> Record:
    """The record of the first `to` positions, by default of all there are now."""
    head = log.head()
    last = head if to is None else min(to, head)
    record = Record(share)
    after = 0
    while after < last and (rows := log.scan(after, min(PAGE, last - after))):
        rows = [row for row in rows if row.position <= last]
        for event in _readable(rows, record):
            record.take(event)
        if rows and rows[-1].position >= record.position:
            _end(record, rows)
        after = rows[-1].position if rows else last
        progress("reading", after, last)
    return record


class _Named(msgspec.Struct):
    """As much of a leaf as it takes to see whom it is about."""

    stream: str


_NAMED: Final = msgspec.json.Decoder(_Named)


def _readable(rows: list[Row], record: Record) -> Iterator[Event]:
    """The events of the share in a page of rows, without those that cannot be read at all."""
    for row in rows:
        if record.share != EVERYBODY:
            try:
                if record.leaves_out(_NAMED.decode(row.leaf).stream):
                    continue
            except UNREADABLE:
                continue
        event = event_in(row)
        if event is not None:
            yield event


def _end(record: Record, rows: list[Row]) -> None:
    """Let the record end with the last event that can be read, whomever it is about."""
    for row in reversed(rows):
        event = event_in(row) if row.position > record.position else None
        if event is not None:
            record.position, record.recorded_at = event.position, event.recorded_at
            return


def event_in(row: Row) -> Event | None:
    """The event a row holds, `None` where it cannot be read: whoever audits it, and however it is shared out."""
    data = bytes_in(row.leaf)
    if data is None:
        return None
    try:
        leaf = decode_leaf(data)
        body = decode_body(leaf.type, leaf.body)
    except UNREADABLE:
        return None
    return event_of(row, leaf, body, instant_in(leaf.recorded_at))


def event_of(row: Row, leaf: Leaf, body: Body, recorded_at: datetime | None) -> Event | None:
    """The event of a leaf that is decoded already; `None` where a time has no offset, or the row no leaf hash."""
    if recorded_at is None or leaf.occurred_at.tzinfo is None or not isinstance(row.leaf_hash, bytes):
        return None
    return Event(
        position=row.position,
        event_id=EventId(leaf.event_id),
        stream=leaf.stream,
        stream_version=leaf.stream_version,
        actor=leaf.actor,
        occurred_at=leaf.occurred_at,
        recorded_at=recorded_at,
        command_id=leaf.command_id,
        leaf_hash=text64(row.leaf_hash),
        body=body,
    )


def bytes_in(value: object) -> bytes | None:
    """What a column holds, if that is bytes; in a row that was scanned it may be anything."""
    return value if isinstance(value, bytes) else None


def instant_in(text: str) -> datetime | None:
    """The instant a text states; `None` where it states none, or one without an offset."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
