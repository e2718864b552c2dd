"""What stands outside `/v1`: is the service alive, which one is it, what does a problem mean, what can be asked."""

from __future__ import annotations

import html
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ledger.http.answers import service as shapes
from ledger.http.asking import document, service_of
from ledger.http.document.operations import ANYWHERE, OK, answers, headers, problems
from ledger.http.problems import NotFound, catalogue
from ledger.observing.metrics import MEDIA_TYPE, Metrics
from ledger.store.log import DatabaseUnreachable
from projections import ViewsUnreachable

router = APIRouter(tags=["service"])
PROGRAM: Final = "custody-ledger"
HTML: Final = "text/html"
NUMBERS: Final = {
    OK: {
        "description": "Each number with its meaning; `docs/watching.md` of the program lists them.",
        "headers": headers(),
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": "# TYPE custody_log_position gauge\ncustody_log_position 74.0\n",
            }
        },
    },
    **problems(ANYWHERE),
}
"""What is answered at `/metrics`."""


@router.get("/health/live", operation_id="show-live", responses=answers(shapes.Live, open_to_all=True))
async def live(request: Request) -> Response:
    """Whether the process answers; it asks nobody."""
    # Nor is it answered in a thread: those may all be taken by readers.
    return document({"status": "live"}, service_of(request).writer.register.position)


@router.get(
    "/health/ready",
    operation_id="show-ready",
    responses=answers(shapes.Ready, "database-is-unreachable", open_to_all=True),
)
def ready(request: Request) -> Response:
    """Whether commands can be recorded: 503 only while the database is down.

    `degraded` names what is amiss with the views: one has stopped, is stalled or has parked events, or is driven by no
    process; or their database is unreachable.
    """
    service = service_of(request)
    head = service.log.head()
    try:
        late: dict[str, str] = {item.view: item.trouble for item in service.views.status() if item.trouble is not None}
    except (ViewsUnreachable, DatabaseUnreachable):
        late = {"views": "unreachable"}
    return document({"status": "degraded" if late else "ready", "position": head, "views": late}, head)


@router.get("/metrics", operation_id="show-metrics", response_class=PlainTextResponse, responses=NUMBERS)
def metrics(request: Request) -> Response:
    """What the process counts, as Prometheus reads it."""
    shown: Metrics = request.app.state.metrics
    return Response(shown.text(), media_type=MEDIA_TYPE)


@router.get("/version", operation_id="show-version", responses=answers(shapes.Version, open_to_all=True))
def show_version(request: Request) -> Response:
    """Which program this is."""
    service = service_of(request)
    answer = {"name": PROGRAM, "version": version(PROGRAM), "environment": service.settings.environment}
    return document(answer, service.writer.register.position)


@router.get("/problems/{code}", include_in_schema=False)
def problem(request: Request, code: str) -> Response:
    """What a problem's code means, as a page, or as JSON for who accepts that."""
    found = next((row for row in catalogue() if row[0] == code), None)
    if found is None:
        raise NotFound
    name, statuses, meaning = found
    if "json" in request.headers.get("accept", ""):
        answer = {"code": name, "status": statuses, "meaning": meaning}
        return document(answer, service_of(request).writer.register.position)
    return _page(name, f"<p>{html.escape(meaning)}</p><p>HTTP status: {statuses}</p>")


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """The operations as a plain page, in development; it loads nothing from anywhere."""
    if service_of(request).settings.environment != "development":
        raise NotFound
    lines = [
        f"<dt><code>{method.upper()} {html.escape(path)}</code></dt>"
        f"<dd>{html.escape(operation['operationId'])}: {html.escape(operation['summary'])}</dd>"
        for path, methods in request.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    return _page(
        "Custody Ledger",
        f'<p>The whole contract: <a href="/openapi.json">openapi.json</a></p><dl>{"".join(lines)}</dl>',
    )


def _page(title: str, content: str) -> Response:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return Response(f"{head}<h1>{html.escape(title)}</h1>{content}</html>", media_type=HTML)
