"""The record itself: the events as stored, and the audit trail, which tells them in sentences."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from domain.commands import MAX_INTEGER, Id, Time
from domain.events import BODIES
from domain.refusals import BodyIsMalformed, CodeIsNotListed
from ledger.http.answers import rows
from ledger.http.asking import Reader, at_head, document, page, service_of, when_of_page
from ledger.http.document.operations import answers
from ledger.http.paging import ListQuery, Position, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.problems import NotFound
from ledger.http.reads.entities import require_known
from ledger.store.leaf import decode_leaf, text64
from ledger.store.log import Row
from projections import audit_trail

router = APIRouter(tags=["record"])


class EventsQuery(ListQuery):
    """Where a page of the log begins."""

    after: Position = Field(0, description="The last position that is known already.")


class TrailQuery(ListQuery):
    """Filters of the audit trail; positions and times are inclusive."""

    person: Id | None = None
    transfer: Id | None = None
    authority: Id | None = None
    type: Annotated[str, Field(max_length=64)] | None = Field(None, description="A wire name: `custody-opened.v1`.")
    first: Position | None = None
    last: Position | None = None
    recorded_from: Time | None = None
    recorded_to: Time | None = None
    newest_first: bool = False


@router.get("/events", operation_id="list-events", responses=answers(rows.Events))
def events(_reader: Reader, request: Request, query: Annotated[EventsQuery, Query()]) -> Response:
    """The log, by position: each event with every field of its leaf.

    Whoever follows asks again with `after` the last position read; there is never a hole.
    """
    asking = asked(request, query)
    wanted, number = asking.query, asking.number_after()
    after = number if number is not None else wanted.after
    with at_head(request, query) as register:
        head = register.position
    found = service_of(request).log.read(after, min(wanted.limit, max(head - after, 0)))
    last = found[-1].position if found else head
    return page(asking, [_event(row) for row in found], last if last < head else None, head)


@router.get("/events/{position}", operation_id="show-event", responses=answers(rows.LogEvent, "not-found"))
def event(
    _reader: Reader,
    request: Request,
    position: Annotated[int, Path(ge=1, le=MAX_INTEGER)],
    query: Annotated[PlainQuery, Query()],
) -> Response:
    """One event, with every field of its leaf."""
    with at_head(request, query) as register:
        head = register.position
    found = service_of(request).log.read(position - 1, 1) if position <= head else []
    if not found:
        raise NotFound
    return document(_event(found[0]), head)


def _event(row: Row) -> dict[str, object]:
    fields: dict[str, object] = msgspec.structs.asdict(decode_leaf(row.leaf))
    return {**fields, "position": row.position, "leaf_hash": text64(row.leaf_hash)}


@router.get(
    "/audit-trail",
    operation_id="list-audit-trail",
    responses=answers(
        rows.AuditTrail,
        "person-is-unknown",
        "transfer-is-unknown",
        "authority-is-unknown",
        "code-is-not-listed",
        dated=True,
    ),
)
def trail(_reader: Reader, request: Request, query: Annotated[TrailQuery, Query()]) -> Response:
    """What happened, who said so, and when it was written: each event as a sentence."""
    asking = asked(request, query)
    wanted = asking.query
    if wanted.type is not None and wanted.type not in BODIES:
        raise CodeIsNotListed(("/type",))
    if wanted.first is not None and wanted.last is not None and wanted.last < wanted.first:
        raise BodyIsMalformed("schema", ("/last",))
    if wanted.recorded_from and wanted.recorded_to and wanted.recorded_to < wanted.recorded_from:
        raise BodyIsMalformed("schema", ("/recorded_to",))
    with at_head(request, query) as register:
        require_known(register, person=wanted.person, transfer=wanted.transfer, authority=wanted.authority)
    found = audit_trail.trail(
        service_of(request).views,
        when_of_page(request, asking),
        limit=wanted.limit,
        after=asking.number_after() or 0,
        person=wanted.person,
        transfer=wanted.transfer,
        authority=wanted.authority,
        type=wanted.type,
        first=wanted.first,
        last=wanted.last,
        recorded_from=wanted.recorded_from,
        recorded_to=wanted.recorded_to,
        newest_first=wanted.newest_first,
    )
    return page(asking, found.value.items, found.value.next, found.position)
