"""People: who is in the register, one person's file, custody, and time without a hole."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from domain.commands import Code, Id, Time
from domain.custody.state import Status
from domain.files.person import PersonFile
from domain.names import AuthorityId, PersonId
from domain.refusals import BodyIsMalformed, PersonIsUnknown
from domain.rules.part import has_a_part_in
from ledger.http.answers import entities, rows
from ledger.http.asking import Reader, WhenQuery, at_head, document, entity, page, service_of, when_of, when_of_page
from ledger.http.document.operations import answers
from ledger.http.paging import ListQuery, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.reads.entities import has_moved, require_known, was_known
from ledger.http.reads.forms import Read
from ledger.http.reads.links import links_of
from projections import current_custody, custody_timeline
from projections import people as people_view

router = APIRouter(tags=["people"], route_class=Read)


class PeopleQuery(ListQuery):
    """Filters of the list of people, by its columns."""

    status: Status | None = None
    file: Literal["open", "closed"] | None = None
    custodian: Id | None = None
    responsible: Id | None = None
    at: Annotated[str, Field(pattern=r"^[a-z][a-z-]*(:[A-Za-z0-9-]{1,64})?$")] | None = None
    agreement: Id | None = None
    flags: Code | None = None


class TimelineQuery(WhenQuery):
    """Filters of a timeline: rows that touch `from` to `to`."""

    status: Status | None = None
    from_: Time | None = Field(None, alias="from")
    to: Time | None = None


@router.get(
    "/people",
    operation_id="list-people",
    responses=answers(rows.People, "authority-is-unknown", "agreement-is-unknown", "facility-is-unknown"),
)
def people(_reader: Reader, request: Request, query: Annotated[PeopleQuery, Query()]) -> Response:
    """Who is in the register, in the order of their ids, as of now.

    A further page shows everybody as they then stand, and nobody who was registered after the first was asked for.
    """
    asking = asked(request, query)
    wanted = asking.query
    kind, _, place = (wanted.at or "").partition(":")
    with at_head(request, query) as register:
        require_known(
            register,
            authority_custodian=wanted.custodian,
            authority_responsible=wanted.responsible,
            agreement=wanted.agreement,
            facility=place if kind == "facility" else None,
        )
    found = people_view.people(
        service_of(request).views,
        when_of_page(request, asking, head_only=True),
        limit=wanted.limit,
        after=asking.text_after(),
        status=wanted.status,
        file=wanted.file,
        custodian=wanted.custodian,
        responsible=wanted.responsible,
        at=wanted.at,
        agreement=wanted.agreement,
        flags=wanted.flags,
    )
    items = found.value.items
    if asking.cursor is not None:
        with at_head(request, query, asking.position) as register:
            items = [item for item in items if was_known(register, "person", str(item["person"]), asking.position)]
    return page(asking, items, found.value.next, found.position, as_of=found.as_of)


@router.get(
    "/people/{person}",
    operation_id="show-person",
    responses=answers(entities.PersonInFull, "person-is-unknown", versioned=True),
)
def person(reader: Reader, request: Request, person: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """A person's file at the head: custody, grounds, holds, and what is under way. Nothing in it names anybody."""
    now = service_of(request).sources.now()
    with at_head(request, query) as register:
        position, file = register.position, register.person(person)
        if file is None or not has_a_part_in(register, reader.authority, file.person):
            raise PersonIsUnknown(person)
        flags = file.flags(now, register)
        moved = has_moved(register, file.person, f"person:{file.person}") or _has_aged(file, now)
    release = file.head.release.body.release if file.head.release is not None else None
    links = partial(links_of, request, reader, "person", person, release=release)
    return entity(request, entities.person(file, flags, now), position, file.version, links, has_moved=moved)


def _has_aged(file: PersonFile, now: datetime) -> bool:
    """Whether an instant at which something begins or ends has passed since the last event was recorded."""
    holds = file.head.holds.values()
    bounds = [bound for hold in holds for bound in (hold.body.effective_at, hold.body.until, hold.lifted_at)]
    instants = [*bounds, *(event.occurred_at for event in file.events)]
    return any(instant is not None and file.events[-1].recorded_at < instant <= now for instant in instants)


@router.get(
    "/people/{person}/custody",
    operation_id="show-custody",
    responses=answers(rows.Custody, "person-is-unknown", dated=True),
)
def custody(reader: Reader, request: Request, person: Id, query: Annotated[WhenQuery, Query()]) -> Response:
    """Who holds the person, where, since when, on what ground, and how sure that is.

    Legal responsibility stands apart from physical custody. A person who was not in the register at that time, or by
    that knowledge, is unknown.
    """
    _require_a_part(request, query, reader.authority, person)
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = current_custody.custody(service_of(request).views, when, person)
    if found.value is None:
        raise PersonIsUnknown(person)
    return document({**found.value, "as_of": found.as_of, "position": found.position}, found.position)


@router.get(
    "/people/{person}/timeline",
    operation_id="show-timeline",
    responses=answers(rows.Timeline, "person-is-unknown", dated=True),
)
def timeline(reader: Reader, request: Request, person: Id, query: Annotated[TimelineQuery, Query()]) -> Response:
    """Where the person has been: spells, and the gaps between them by name."""
    _require_a_part(request, query, reader.authority, person)
    if query.from_ is not None and query.to is not None and query.to < query.from_:
        raise BodyIsMalformed("schema", ("/to",))
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = custody_timeline.timeline(
        service_of(request).views, when, person, status=query.status, from_=query.from_, to=query.to
    )
    if found.value is None:
        raise PersonIsUnknown(person)
    answer = {"items": found.value, "as_of": found.as_of, "position": found.position}
    return document(answer, found.position)


def _require_a_part(request: Request, query: PlainQuery, authority: AuthorityId, person: str) -> None:
    """A person whom the reader has no part in is unknown; so is one the register does not know yet."""
    with at_head(request, query) as register:
        if not has_a_part_in(register, authority, PersonId(person)):
            raise PersonIsUnknown(person)
