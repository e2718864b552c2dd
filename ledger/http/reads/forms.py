"""The form of an answer: JSON, CSV where it is a table, and what else the document says of the route (RFC 9110 §12).

A route gives what its own documentation names, and refuses nothing before it knows that there would be an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from ledger.http.accepting import accepted
from ledger.http.answers.tables import CSV, Table, as_csv, table_of
from ledger.http.document.operations import JSON, OK, shape_of
from ledger.http.feed.envelopes import CLOUD_EVENT, CLOUD_EVENTS
from ledger.http.problems import MediaTypeIsNotOffered

_ASKED_ALSO: Final = {CLOUD_EVENT: CLOUD_EVENTS, CLOUD_EVENTS: CLOUD_EVENT}
"""One event or many: whoever accepts either gets the one there is."""
_KEPT: Final = ("Ledger-Position", "Link")


class Read(APIRoute):
    """A route that answers in the form `Accept` likes best of those that its documentation names."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What FastAPI calls for each request."""
        answer = super().get_route_handler()
        if "GET" not in (self.methods or ()):
            return answer
        content = self.responses[OK]["content"]
        table = table_of(shape_of(content))
        offers = (*content, *(_ASKED_ALSO[media] for media in content if media in _ASKED_ALSO))

        async def answer_in_form(request: Request) -> Response:
            form = accepted(", ".join(request.headers.getlist("accept")), offers)
            request.state.form = form or JSON
            response = await answer(request)
            if form is None:
                raise MediaTypeIsNotOffered(tuple(content))
            if form == CSV and table is not None:
                response = await run_in_threadpool(_tabled, table, response)
            response.headers["Vary"] = "Accept"
            return response

        return answer_in_form


def form_of(request: Request) -> str:
    """The media type chosen for the answer; JSON where none is accepted, for who looks first whether there is one."""
    form: str = request.state.form
    return form


def _tabled(table: Table, response: Response) -> Response:
    text = as_csv(table, msgspec.json.decode(response.body))
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return Response(text, response.status_code, headers, CSV)
