"""Stamping: drafts of a granted command get their ids, positions, versions, times and salts, and become rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from domain.events.event import NEXT_EVENT, Body, Draft, Event, fresh
from domain.names import EventId
from domain.refusals import EventIsTooLarge
from domain.register import Register
from ledger.sources import Sources
from ledger.store.leaf import LEAF_BYTES_MAX, encode_leaf, text64
from ledger.store.log import Row
from ledger.store.merkle import leaf_hash
from ledger.writer.submission import Submission


def stamp(
    drafts: Sequence[Draft], submission: Submission, now: datetime, register: Register, sources: Sources
) -> list[tuple[Row, Event]]:
    """Rows and events of one granted command, to stand right after what `register` holds.

    Draws, in this order: the ids the drafts have places for, an event id each, a salt each. Raises `EventIsTooLarge`.
    """
    drawn = {fresh(name): sources.new_id() for name in dict.fromkeys(name for draft in drafts for name in draft.draws)}
    event_ids = [sources.new_id() for _ in drafts]
    ends: dict[str, tuple[int, str]] = {}
    stamped: list[tuple[Row, Event]] = []
    for index, draft in enumerate(drafts):
        body, stream = draft.body, draft.stream
        if drawn or index + 1 < len(drafts):
            places = drawn if index + 1 == len(drafts) else {**drawn, NEXT_EVENT: event_ids[index + 1]}
            body, stream = _filled(body, places), _filled_stream(stream, places)
        version, prev = ends.get(stream) or register.end_of(stream)
        event = Event(
            position=register.position + index + 1,
            event_id=EventId(event_ids[index]),
            stream=stream,
            stream_version=version + 1,
            actor=submission.by,
            occurred_at=draft.occurred_at if draft.occurred_at is not None else submission.ask.when(now),
            recorded_at=now,
            command_id=submission.key,
            leaf_hash="",
            body=body,
        )
        leaf = encode_leaf(event, correlation_id=submission.correlation_id, prev=prev, salt=sources.salt())
        if len(leaf) > LEAF_BYTES_MAX:
            raise EventIsTooLarge(len(leaf), LEAF_BYTES_MAX)
        digest = leaf_hash(leaf)
        event = msgspec.structs.replace(event, leaf_hash=text64(digest))
        ends[stream] = (event.stream_version, event.leaf_hash)
        row = Row(event.position, event.event_id, event.wire, stream, event.stream_version, leaf, digest)
        stamped.append((row, event))
    return stamped


def _filled(body: Body, places: dict[str, str]) -> Body:
    """The body with each place for an id filled; places stand in fields of their own, never within a text."""
    changes = {
        name: places[value]
        for name in body.__struct_fields__
        if isinstance(value := getattr(body, name), str) and value in places
    }
    return msgspec.structs.replace(body, **changes) if changes else body


def _filled_stream(stream: str, places: dict[str, str]) -> str:
    head, _, last = stream.rpartition(":")
    return f"{head}:{places[last]}" if last in places else stream
