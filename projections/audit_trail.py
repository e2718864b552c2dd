"""What happened, who said so, and when it was written: one row an event, in recorded order.

`corrected_by` is the correction that counts now; it moves when a correction is itself corrected, nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from domain.events.agreement import AgreementDrafted
from domain.events.event import Body, Event, stream_id
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued
from domain.events.person import FactCorrected, HandoverAccepted, HandoverOffered, HandoverRefused
from domain.events.transfer import TransferRequested
from domain.names import PersonId
from projections.engine.asking import Answer, Item, Page, Reader, When
from projections.engine.instants import kept, shown
from projections.engine.person_facts import Subject
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.sentences import sentence
from projections.standing import text

ENTRIES: Final = Table(
    name="audit_trail_entries",
    columns=(
        "position",
        "event_id",
        "type",
        "stream",
        "stream_version",
        "occurred_at",
        "recorded_at",
        "authority",
        "officer",
        "credential",
        "sentence",
        "flags",
        "corrected_by",
        "person",
        "transfer",
        "agreement",
        "leaf_hash",
    ),
    key=("position",),
    integers=("position", "stream_version", "corrected_by"),
    indexes=(("person", "position"), ("transfer", "position"), ("authority", "position"), ("type", "position")),
    refs=("position", "corrected_by"),
)

_HANDOVERS: Final = frozenset[type[Body]]({HandoverOffered, HandoverAccepted, HandoverRefused})
_LOOKS_BACK: Final = frozenset[type[Body]]({HandoverAccepted, HandoverRefused, FactCorrected})
"""The events whose entries say something of events before them."""

_FLAGS: Final = msgspec.json.Decoder(list[str])


def apply(batch: Batch, rows: Rows) -> None:
    """Write a row an event, and what a correction among them changes in earlier rows."""
    subjects = batch.touched
    entries: list[Row] = []
    for event, person in zip(batch.events, batch.persons, strict=True):
        before: Sequence[Event] = ()
        if person is not None and type(event.body) in _LOOKS_BACK:
            # A sentence is told as it was when the event was recorded, whatever came after it in the same batch.
            before = [other for other in subjects[person].events if other.position <= event.position]
        entries.append(_row(event, person, before))
    rows.insert(ENTRIES, entries)
    rows.execute_many(
        "UPDATE {audit_trail_entries} SET corrected_by = ? WHERE position = ?",
        [change for subject in subjects.values() for change in _corrections(subject)],
    )


@lru_cache(maxsize=1024)
def _flags(flags: tuple[str, ...]) -> str:
    return text(flags)


def _corrections(subject: Subject) -> list[Row]:
    # A correction counts from its replacement on, which may come in a later batch than the correction.
    if not any(type(event.body) is FactCorrected for event in subject.events):
        return []
    by = subject.counting.corrected_by
    return [(by[event.event_id].position if event.event_id in by else None, event.position) for event in subject.events]


def _row(event: Event, person: PersonId | None, before: Sequence[Event]) -> Row:
    billed = event.body.person if isinstance(event.body, CustodyDaysBilled) else None
    return (
        event.position,
        event.event_id,
        event.wire,
        event.stream,
        event.stream_version,
        kept(event.occurred_at),
        kept(event.recorded_at),
        event.actor.authority,
        event.actor.officer,
        event.actor.credential,
        sentence(event, before),
        _flags(event.flags),
        None,
        person if person is not None else billed,
        _transfer(event, before),
        _agreement(event),
        event.leaf_hash,
    )


def _transfer(event: Event, about: Sequence[Event]) -> str | None:
    """The transfer that an event is about: its stream's, or the one that its handover carries out."""
    if event.stream.startswith("transfer:"):
        return stream_id(event.stream)
    if type(event.body) not in _HANDOVERS:
        return None
    match event.body:
        case HandoverOffered(transfer=transfer):
            return transfer
        case HandoverAccepted(handover=handover) | HandoverRefused(handover=handover):
            offers = (other.body for other in about if isinstance(other.body, HandoverOffered))
            return next((offer.transfer for offer in offers if offer.handover == handover), None)
        case _:
            return None


def _agreement(event: Event) -> str | None:
    if event.stream.startswith("person:"):
        return None
    match event.body:
        case TransferRequested(agreement=agreement) | InvoiceIssued(agreement=agreement):
            return agreement
        case AgreementDrafted(agreement=agreement):
            return agreement
        case _:
            return stream_id(event.stream) if event.stream.startswith("agreement:") else None


VIEW: Final = View(name="audit_trail", version=1, tables=(ENTRIES,), apply=apply)

FILTERS: Final = ("person", "transfer", "authority", "type", "agreement")
_SELECT: Final = f"SELECT {', '.join(ENTRIES.columns)} FROM {{audit_trail_entries}}"


def trail(
    views: Views,
    when: When,
    *,
    limit: int = 100,
    after: int = 0,
    first: int | None = None,
    last: int | None = None,
    recorded_from: datetime | None = None,
    recorded_to: datetime | None = None,
    newest_first: bool = False,
    **filters: str | None,
) -> Answer[Page]:
    """The record by position; `filters` are columns of `FILTERS`, all bounds are inclusive.

    `after` and `Page.next` are positions; with `newest_first` what follows has lower ones.
    """
    assert filters.keys() <= set(FILTERS), "a filter is a column"
    conditions = {f"{column} = ?": value for column, value in filters.items() if value is not None}
    bounds: dict[str, Value] = {
        "position >= ?": first,
        "position <= ?": last,
        "recorded_at >= ?": None if recorded_from is None else kept(recorded_from),
        "recorded_at <= ?": None if recorded_to is None else kept(recorded_to),
        ("position < ?" if newest_first else "position > ?"): after or None,
    }
    wanted = {**conditions, **{bound: value for bound, value in bounds.items() if value is not None}}

    def question(reader: Reader) -> Page:
        # What was recorded beyond the knowledge asked for is not there yet.
        where = " AND ".join([*wanted, "position <= ?"])
        order = "DESC" if newest_first else "ASC"
        sql = f"{_SELECT} WHERE {where} ORDER BY position {order} LIMIT ?"
        found = [_item(row) for row in reader.select(sql, *wanted.values(), reader.known_at, limit + 1)]
        items = found[:limit]
        return Page(items=items, next=items[-1]["position"] if len(found) > limit else None)

    return views.ask(VIEW.name, when, question)


def entry(views: Views, when: When, position: int) -> Answer[Item | None]:
    """One event as the trail tells it; `None` for a position that is not recorded."""

    def question(reader: Reader) -> Item | None:
        rows = reader.select(f"{_SELECT} WHERE position = ?", position)
        return _item(rows[0]) if rows else None

    return views.ask(VIEW.name, when, question)


def _item(row: Row) -> Item:
    item: Item = dict(zip(ENTRIES.columns, row, strict=True))
    return {
        **item,
        "occurred_at": shown(str(item["occurred_at"])),
        "recorded_at": shown(str(item["recorded_at"])),
        "flags": _FLAGS.decode(str(item["flags"])),
    }
