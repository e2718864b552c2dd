"""What every read has in common: who asks, for which position it must speak, and the form of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Request, Response
from pydantic import BeforeValidator, Field

from domain.canonical import encode_trusted
from domain.commands import MAX_INTEGER, Time, read_time
from domain.events.event import Actor
from domain.refusals import BodyIsMalformed
from domain.register import Register
from ledger.http import gate
from ledger.http.answers.entities import Links
from ledger.http.document.operations import UNCHANGED
from ledger.http.paging import Asked, ListQuery, Query
from ledger.service import Service
from projections import ViewIsBehind, When

JSON: Final = "application/json"
WAIT_SECONDS_MAX: Final = 10
_WAIT = re.compile(r"(?:^|[,;]\s*)wait=(\d{1,4})(?=$|[\s,;])")
_TAG = re.compile(r'[ \t,]*(?:W/)?("[!#-~\x80-\xff]*")[ \t]*(?=,|$)')


def service_of(request: Request) -> Service:
    """The ledger that the application serves."""
    service: Service = request.app.state.service
    return service


def reader_of(request: Request) -> Actor:
    """Who asks; raises `ActorIsUnknown` as for a command."""
    return gate.actor_of(gate.headers_of(request.scope), service_of(request).writer.register)


Ledger = Annotated[Service, Depends(service_of)]
Reader = Annotated[Actor, Depends(reader_of)]


def _position_or_time(value: object) -> int | datetime:
    """Digits alone are a position; all else must be a time."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(MAX_INTEGER)):
        return min(int(value), MAX_INTEGER)
    return read_time(value)


KnownAt = Annotated[int | datetime, BeforeValidator(_position_or_time)]


class WhenQuery(Query):
    """The query of a read that can be asked about another time and another state of knowledge."""

    as_of: Time | None = Field(None, description="When it was true; now, if left out. A `+` is written `%2B`.")
    known_at: KnownAt | None = Field(
        None, description="What had been recorded by then: a position or an instant; everything, if left out."
    )


class WhenListQuery(ListQuery):
    """A list that can be asked about another time and another state of knowledge."""

    as_of: Time | None = Field(None, description="When it was true; now, if left out. A `+` is written `%2B`.")
    known_at: KnownAt | None = Field(
        None, description="What had been recorded by then: a position or an instant; everything, if left out."
    )


def wait_of(request: Request) -> float:
    """How many seconds the caller would rather wait than be told that a view is behind (RFC 7240 §4.3)."""
    found = _WAIT.search(request.headers.get("prefer", "").lower())
    return min(int(found[1]), WAIT_SECONDS_MAX) if found is not None else 0


def when_of(
    request: Request, query: Query, *, as_of: datetime | None = None, known_at: int | datetime | None = None
) -> When:
    """The question's place in both times, for a view."""
    now = service_of(request).sources.now()
    return When(now=now, as_of=as_of, known_at=known_at, min_position=query.min_position, wait=wait_of(request))


def when_of_page(request: Request, asked: Asked[Any], *, head_only: bool = False) -> When:
    """The same for a page: a further one speaks for the very belief the first one spoke for.

    A view that knows its head alone (`head_only`) is not asked about the past; its pages never go back behind it.
    """
    cursor, query = asked.cursor, asked.query
    given: datetime | None = getattr(query, "as_of", None)
    known: int | datetime | None = getattr(query, "known_at", None)
    when = when_of(request, query, as_of=given, known_at=known)
    if cursor is None:
        return when
    as_of = given or cursor.as_of
    if head_only:
        return replace(when, as_of=as_of, min_position=max(query.min_position, cursor.position))
    return replace(when, as_of=as_of, known_at=cursor.position)


@contextmanager
def at_head(request: Request, query: Query, at_least: int = 0) -> Iterator[Register]:
    """The register, held still; raises `ViewIsBehind` while it has not read as far as is asked."""
    service = service_of(request)
    needed = max(query.min_position, at_least)
    if not service.reached(needed, wait_of(request)):
        raise ViewIsBehind("register", service.writer.register.position, needed, stopped=False)
    with service.writer.reading:
        yield service.writer.register


def document(value: object, position: int, *, status: int = 200, media: str = JSON) -> Response:
    """An answer that speaks for `position`."""
    return Response(encode_trusted(value), status, {"Ledger-Position": str(position)}, media)


def entity(
    request: Request,
    value: object,
    position: int,
    version: int,
    links: Callable[[], Links],
    *,
    has_moved: bool = False,
) -> Response:
    """An entity and its links, with the version of its file as `ETag`; or 304 to who has it (RFC 9110 §13.1.2).

    `has_moved` says that the entity may be another than when the file came to that version, which no tag tells. Links
    are advice about the moment and play no part in it.
    """
    tag = f'"{version}"'
    given = request.headers.getlist("if-none-match")
    if given and _names(", ".join(given), tag, has_moved=has_moved):
        response = Response(status_code=UNCHANGED, headers={"Ledger-Position": str(position)})
    else:
        response = document(linked(value, links()), position)
    response.headers["ETag"] = tag
    return response


def linked(value: object, links: Links) -> dict[str, object]:
    """An entity with the commands that may follow, by name."""
    return {**msgspec.to_builtins(value), "_links": links}


def _names(given: str, tag: str, *, has_moved: bool) -> bool:
    """Whether `*` or a list of tags, weak or strong, names what there is."""
    text, at, found = given.strip(" \t,"), 0, False
    if text == "*":
        return True
    while at < len(text):
        match = _TAG.match(text, at)
        if match is None:
            raise BodyIsMalformed("schema", ("/If-None-Match",))
        found, at = found or match[1] == tag, match.end()
    return found and not has_moved


def page(
    asked: Asked[Any],
    items: Sequence[object],
    next_: object,
    position: int,
    *,
    as_of: str | None = None,
    tells_as_of: bool = False,
) -> Response:
    """One page of a list; `next_` is the key of its last item, `None` on the last page.

    `as_of` is the instant it speaks for, and the further pages with it, where the list depends on one.
    """
    moment = datetime.fromisoformat(as_of) if as_of is not None else None
    cursor = asked.next(next_, position, moment) if next_ is not None else None
    answer: dict[str, object] = {"items": items, "next": cursor, "position": position}
    if tells_as_of:
        answer["as_of"] = as_of
    response = document(answer, position)
    if cursor is not None:
        response.headers["Link"] = asked.link(cursor)
    return response
