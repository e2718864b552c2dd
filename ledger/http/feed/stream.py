"""`GET /v1/events/stream`: the log from a position on, and then each event as it is recorded.

A reader takes at its own pace: the next page is looked for when the last one has been taken. What was sent is resumed
behind the last id that arrived, so nothing is told twice and nothing is left out, whatever happened to the connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from domain.refusals import BodyIsMalformed
from ledger.http.asking import Reader, service_of, wait_of
from ledger.http.document.operations import streamed
from ledger.http.feed.envelopes import Form, asked_form
from ledger.http.feed.live import Follower, LiveLog, live_of
from ledger.http.paging import Position
from ledger.http.paging import Query as PlainQuery
from ledger.store.log import DatabaseUnreachable
from projections import ViewIsBehind

router = APIRouter(tags=["record"])
MEDIA_TYPE: Final = "text/event-stream"
RETRY_MILLISECONDS: Final = 2_000
HEARTBEAT_SECONDS: Final = 15.0
"""A quiet stream says as often that it lives, which also finds a reader that has gone."""
AGAIN_SECONDS: Final = 1.0
UNTAKEN_SECONDS: Final = 60.0
"""A reader that takes nothing for so long loses its place; it may come back behind the last id it has."""
BEGINNING: Final = b"retry: %d\n\n" % RETRY_MILLISECONDS
HEARTBEAT: Final = b":\n\n"
_ID: Final = re.compile(r"^[0-9]{1,15}$", re.ASCII)


class StreamQuery(PlainQuery):
    """Where a stream begins."""

    after: Position = Field(0, description="The last position that is known already; `Last-Event-ID` goes before it.")


class EventStream(StreamingResponse):
    """The blocks of one stream, until its reader goes or the process stops."""

    media_type = MEDIA_TYPE

    def __init__(self, live: LiveLog, form: Form, after: int, position: int) -> None:
        self._live, self._form, self._after = live, form, after
        # A proxy must not gather what is meant to arrive at once. The blocks begin when the stream has its place.
        super().__init__((), headers={"Ledger-Position": str(position), "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell, from the taking of a place to its giving back; raises `LedgerIsBusy` before anything is sent."""

        async def send_unless_untaken(message: Message) -> None:
            async with asyncio.timeout(UNTAKEN_SECONDS):
                await send(message)

        with self._live.follower(self._form) as follower, suppress(TimeoutError):
            self.body_iterator = blocks(self._live, follower, self._after)
            await super().__call__(scope, receive, send_unless_untaken)


async def blocks(live: LiveLog, follower: Follower, after: int) -> AsyncIterator[bytes]:
    """What is sent: a beginning, then pages of events behind `after`, and a sign of life while there are none."""
    yield BEGINNING
    while not live.is_stopped:
        follower.look()
        page = live.recent(after)
        if page is None:
            try:
                page = await run_in_threadpool(live.read, after, follower.form)
            except DatabaseUnreachable:
                # The place in the log is kept, so the stream outlives the outage.
                yield HEARTBEAT
                await follower.news(AGAIN_SECONDS)
                continue
        if page:
            after = page[-1].position
            yield b"".join(told.frame(follower.form) for told in page)
        elif not await follower.news(HEARTBEAT_SECONDS):
            yield HEARTBEAT


@router.get(
    "/events/stream",
    operation_id="stream-events",
    response_class=StreamingResponse,
    responses=streamed(
        MEDIA_TYPE,
        "Blocks of server-sent events: `id` is the position, `event` the wire name, `data` the event as "
        "`/v1/events/{position}` gives it, on one line.",
        "ledger-is-busy",
    ),
)
def stream(
    _reader: Reader,
    request: Request,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="The last id that arrived; sent by who connects again.",
            json_schema_extra={"pattern": _ID.pattern},
        ),
    ] = None,
) -> Response:
    """The log as server-sent events: from a position on, and then each event as it is recorded.

    Begins behind `Last-Event-ID`, else behind `after`, else at the first event; never ends by itself, and a comment
    says every 15 seconds that it lives. Whoever connects again is told nothing twice and misses nothing. A position
    that nothing was recorded at yet is `projection-is-behind`. With `application/cloudevents+json` among what is
    accepted, each `data` is a CloudEvent.
    """
    service = service_of(request)
    after = query.after if last_event_id is None else _position(last_event_id)
    needed, seconds = max(after, query.min_position), wait_of(request)
    head = service.log.head()
    if needed > head and service.reached(needed, seconds):
        head = service.log.head()
    if needed > head:
        raise ViewIsBehind("log", head, needed, stopped=False)
    return EventStream(live_of(request), asked_form(request.headers.get("accept", "")), after, head)


def _position(last_event_id: str) -> int:
    """The position an id names, as we gave it."""
    if _ID.fullmatch(last_event_id) is None:
        raise BodyIsMalformed("schema", ("/Last-Event-ID",))
    return int(last_event_id)
