"""Events told one by one, for people who read the record: the sentence, who said it, when, its flags, what corrects it.

`show` reads the log alone, so what it tells needs no view. Its JSON form holds the whole leaf beside the sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from domain.events.event import Event
from domain.events.invoice import CustodyDaysBilled
from domain.events.person import FactCorrected, HandoverAccepted, HandoverOffered, HandoverRefused
from domain.events.transfer import TransferRequested
from ledger.audit.laws.lives import text
from ledger.audit.laws.reading import Reading
from ledger.store.leaf import read_event
from ledger.store.log import EventLog, Row
from projections.sentences import sentence

PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One event as it is told. `corrected_by` is the position of the correction that takes it away, if one counts."""

    event: Event
    sentence: str
    corrected_by: int | None
    leaf: bytes

    @property
    def line(self) -> str:
        """The event in one line: position, time of the fact, sentence, and in brackets what a reader must know."""
        by = f"{self.event.actor.authority}/{self.event.actor.officer}"
        marks = [*self.event.flags, *([f"corrected by {self.corrected_by}"] if self.corrected_by is not None else [])]
        brackets = f" [{', '.join(marks)}]" if marks else ""
        times = f"{text(self.event.occurred_at)}, recorded {text(self.event.recorded_at)}"
        return f"{self.event.position}  {times}  {self.sentence} ({by}){brackets}"

    def document(self) -> Mapping[str, object]:
        """The event as JSON shows it, with its whole leaf."""
        return {
            "position": self.event.position,
            "sentence": self.sentence,
            "flags": list(self.event.flags),
            "corrected_by": self.corrected_by,
            "leaf_hash": self.event.leaf_hash,
            "leaf": msgspec.json.decode(self.leaf),
        }


def show(
    log: EventLog, *, position: int | None = None, person: str | None = None, transfer: str | None = None
) -> list[Shown]:
    """The event at a position, or everything about a person or a transfer, in recorded order.

    Exactly one is given; empty where the log holds nothing of it.
    """
    assert [position, person, transfer].count(None) == 2, "one subject at a time"
    if position is not None:
        return _at(log, position)
    if person is not None:
        return _told(_of_person(log, person))
    assert transfer is not None
    rows = log.read_stream(f"transfer:{transfer}")
    requests = (event.body for event in map(read_event, rows))
    request = next((body for body in requests if isinstance(body, TransferRequested)), None)
    if request is None:
        return _told(rows)
    everything = _of_person(log, request.person)
    return _told(everything, _of_transfer(map(read_event, everything), transfer))


def _at(log: EventLog, position: int) -> list[Shown]:
    rows = [row for row in log.read(position - 1, 1) if row.position == position] if position > 0 else []
    if not rows:
        return []
    # What corrects an event, and what its sentence looks into, stands on the same stream.
    return _told(log.read_stream(rows[0].stream), lambda event: event.position == position)


def _of_person(log: EventLog, person: str) -> list[Row]:
    """The rows of the person's stream, of the person's transfers, and of the days billed for the person."""
    named, home = person.encode(), f"person:{person}"
    rows: list[Row] = []
    transfers: set[str] = set()
    after = 0
    while page := log.read(after, PAGE):
        for row in page:
            if row.stream == home or row.stream in transfers:
                rows.append(row)
            elif row.type in _NAMING and named in row.leaf and _names(read_event(row), person):
                rows.append(row)
                if row.type == TransferRequested.wire:
                    transfers.add(row.stream)
        after = page[-1].position
    return rows


_NAMING: Final = frozenset({TransferRequested.wire, CustodyDaysBilled.wire})


def _names(event: Event, person: str) -> bool:
    return isinstance(event.body, (TransferRequested, CustodyDaysBilled)) and event.body.person == person


def _of_transfer(events: Iterable[Event], transfer: str) -> Callable[[Event], bool]:
    """Whether an event is about the transfer: on its stream, a half of its handover, or a correction of either."""
    known = list(events)
    offers = [event.body for event in known if isinstance(event.body, HandoverOffered)]
    handovers = {body.handover for body in offers if body.transfer == transfer}
    halves = (HandoverOffered, HandoverAccepted, HandoverRefused)
    about = {
        event.event_id
        for event in known
        if event.stream == f"transfer:{transfer}"
        or (isinstance(event.body, halves) and event.body.handover in handovers)
    }
    return lambda event: (
        event.event_id in about or (isinstance(event.body, FactCorrected) and event.body.corrects in about)
    )


def _every(_event: Event) -> bool:
    return True


def _told(rows: Iterable[Row], is_wanted: Callable[[Event], bool] = _every) -> list[Shown]:
    return list(_tell(list(rows), is_wanted))


def _tell(rows: list[Row], is_wanted: Callable[[Event], bool]) -> Iterator[Shown]:
    events = [read_event(row) for row in rows]
    reading = Reading(events)
    for index, (row, event) in enumerate(zip(rows, events, strict=True)):
        if is_wanted(event):
            corrections = reading.corrections_of(event)
            yield Shown(
                event=event,
                # As it was told when it was recorded, whatever came after.
                sentence=sentence(event, events[: index + 1]),
                corrected_by=corrections[-1].position if corrections else None,
                leaf=row.leaf,
            )
