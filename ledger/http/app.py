"""The application: the thin path of commands in front, FastAPI's routes for what is read behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from domain.refusals import Refusal
from ledger.http import surroundings
from ledger.http.commands.edge import CommandEdge
from ledger.http.commands.routes import BATCH, PREFIX, match
from ledger.http.document.openapi import describe
from ledger.http.document.operations import TITLE, summary_of
from ledger.http.feed import stream
from ledger.http.feed.live import LiveLog
from ledger.http.hosts import TrustedHosts
from ledger.http.problems import MediaTypeIsNotOffered, NotFound, problem_of_fault
from ledger.http.reads import money, people, places, projections, record, registry, transfers
from ledger.http.rebuilds import Rebuilds
from ledger.http.refused_query import refusal_of
from ledger.http.replies import as_response, problem_of_any
from ledger.http.serving.watched import Watched
from ledger.observing.metrics import Metrics, OfTheLog, OfTheServer, OfTheViews, OfTheWriter
from ledger.observing.tally import Serving
from ledger.service import Service
from ledger.store.log import DatabaseUnreachable
from ledger.writer.writer import LedgerIsBusy
from projections import RebuildIsRunning, ViewIsBehind, ViewIsUnknown, ViewsUnreachable

MEANT: Final = (
    Refusal,
    NotFound,
    DatabaseUnreachable,
    LedgerIsBusy,
    MediaTypeIsNotOffered,
    RebuildIsRunning,
    ViewIsBehind,
    ViewIsUnknown,
    ViewsUnreachable,
)
"""What reads raise on purpose; anything else is a fault of ours."""


def create_app(service: Service, *, read_only: bool = False, live: LiveLog | None = None) -> Watched:
    """The ASGI application over an open service; who opened the service closes it, after the application.

    With `read_only` every command is turned away. `live` is what streams tell from, for who wants to stop them.
    """
    live = live if live is not None else LiveLog(service.log)
    tally = Serving()
    api = create_api(service, live, tally)
    hosts = TrustedHosts(service.settings.trusted_hosts)
    edge = CommandEdge(api, service.writer, read_only=read_only, hosts=hosts)
    return Watched(edge, service.writer.register, tally)


def create_api(service: Service, live: LiveLog | None = None, tally: Serving | None = None) -> FastAPI:
    """What stands behind the commands' path: everything that is read, and the document of the whole.

    `tally` is where requests are counted, for `/metrics`.
    """
    live = live if live is not None else LiveLog(service.log)
    tally = tally if tally is not None else Serving()
    rebuilds = Rebuilds(service.views, service.sources.new_id, service.settings)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(live.close)
        await run_in_threadpool(rebuilds.close)

    api = FastAPI(
        lifespan=lifespan,
        title=TITLE,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.service = service
    api.state.rebuilds = rebuilds
    api.state.live = live
    api.state.metrics = Metrics(
        OfTheLog(service.log),
        OfTheWriter(service.writer),
        OfTheViews(service.views),
        OfTheServer(tally, lambda: live.streams),
    )
    for module in (registry, people, places, transfers, money, stream, record, projections):
        api.include_router(_summarised(module.router), prefix=PREFIX)
    api.include_router(_summarised(surroundings.router))
    for kind in MEANT:
        api.add_exception_handler(kind, _problem)
    api.add_exception_handler(RequestValidationError, _refused_query)
    api.add_exception_handler(HTTPException, _no_route)
    api.add_exception_handler(Exception, _fault)
    api.openapi = lambda: describe(api)  # type: ignore[method-assign]  # how FastAPI documents replacing it
    return api


def _summarised(router: APIRouter) -> APIRouter:
    """The first line of each docstring as the summary, the rest as the description."""
    for route in router.routes:
        summary_of(route)
    return router


def _problem(request: Request, error: Exception) -> Response:
    return as_response(problem_of_any(error, request.state.correlation_id))


def _refused_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _problem(request, refusal_of(error))


def _fault(request: Request, _error: Exception) -> Response:
    """The edge logs the error itself: it reaches it in any case."""
    return as_response(problem_of_fault("internal-error", request.state.correlation_id))


def _no_route(request: Request, error: Exception) -> Response:
    """No route, or none for that method: then `Allow` names those there are, the commands' among them."""
    assert isinstance(error, HTTPException)
    allowed = {method.strip() for method in (error.headers or {}).get("Allow", "").split(",") if method}
    if "GET" in allowed:
        allowed.add("HEAD")
    if match(request.url.path) is not None or request.url.path == BATCH:
        allowed.add("POST")
    if not allowed:
        return _problem(request, NotFound())
    response = as_response(problem_of_fault("method-is-not-allowed", request.state.correlation_id))
    response.headers["Allow"] = ", ".join(sorted(allowed))
    return response
