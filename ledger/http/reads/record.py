"""The record itself: the events as stored, and the audit trail, which tells them in sentences."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from domain.commands import MAX_INTEGER, Id, Time
from domain.events import BODIES
from domain.refusals import BodyIsMalformed, CodeIsNotListed
from ledger.http.answers import rows
from ledger.http.asking import Reader, at_head, document, page, service_of, when_of_page
from ledger.http.document.operations import answers, reference
from ledger.http.feed.envelopes import CLOUD_EVENT, CLOUD_EVENTS, FORMS, cloud_event, event_document
from ledger.http.feed.live import live_of
from ledger.http.paging import ListQuery, Position, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.problems import NotFound
from ledger.http.reads.entities import require_known
from ledger.http.reads.forms import Read, form_of
from projections import Item, audit_trail

router = APIRouter(tags=["record"], route_class=Read)


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


@router.get(
    "/events",
    operation_id="list-events",
    responses=answers(rows.Events, also={CLOUD_EVENTS: {"type": "array", "items": reference(rows.CloudEvent)}}),
)
def events(_reader: Reader, request: Request, query: Annotated[EventsQuery, Query()]) -> Response:
    """The log, by position: each event with every field of its leaf.

    Whoever follows asks again with `after` the last position read; there is never a hole. The pages that `next` leads
    to end where the log ended when the first was asked for. An `after` that nothing was recorded at yet is
    `projection-is-behind`.
    """
    asking = asked(request, query)
    wanted, number = asking.query, asking.number_after()
    after = number if number is not None else wanted.after
    with at_head(request, query, max(after, asking.position)) as register:
        end = asking.position or register.position
    found = service_of(request).log.read(after, min(wanted.limit, end - after))
    last = found[-1].position if found else end
    if FORMS.get(form_of(request)) != "cloudevent":
        return page(asking, [event_document(row) for row in found], last if last < end else None, end)
    source = live_of(request).source
    response = document([cloud_event(row, source) for row in found], end, media=CLOUD_EVENTS)
    if last < end:
        response.headers["Link"] = asking.link(asking.next(last, end))
    return response


@router.get(
    "/events/{position}",
    operation_id="show-event",
    responses=answers(rows.LogEvent, "not-found", also={CLOUD_EVENT: reference(rows.CloudEvent)}),
)
def event(
    _reader: Reader,
    request: Request,
    position: Annotated[int, Path(ge=1, le=MAX_INTEGER)],
    query: Annotated[PlainQuery, Query()],
) -> Response:
    """One event, with every field of its leaf; or the same as a CloudEvent."""
    with at_head(request, query) as register:
        head = register.position
    found = service_of(request).log.read(position - 1, 1) if position <= head else []
    if not found:
        raise NotFound
    if FORMS.get(form_of(request)) != "cloudevent":
        return document(event_document(found[0]), head)
    return document(cloud_event(found[0], live_of(request).source), head, media=CLOUD_EVENT)


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
    """What happened, who said so, and when it was written: each event as a sentence.

    A further page speaks for the knowledge of the first: what was recorded meanwhile is not on it.
    """
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
    items = [_as_known_by(found.position, item) for item in found.value.items]
    return page(asking, items, found.value.next, found.position)


def _as_known_by(position: int, item: Item) -> Item:
    """An entry without a correction that came later; the view keeps the last one beside it."""
    by = item["corrected_by"]
    return {**item, "corrected_by": None} if isinstance(by, int) and by > position else item
