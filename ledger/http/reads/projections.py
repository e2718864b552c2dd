"""The views themselves: how far each is, and making one anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.commands import Code, FieldName
from ledger.http.answers import service as shapes
from ledger.http.asking import Reader, at_head, document, service_of, wait_of
from ledger.http.document.operations import answers
from ledger.http.paging import Query as PlainQuery
from ledger.http.problems import NotFound
from ledger.http.reads.forms import Read
from ledger.http.rebuilds import Rebuilds
from projections import ViewIsBehind

router = APIRouter(prefix="/projections", tags=["projections"], route_class=Read)
ACCEPTED = 202


def _rebuilds(request: Request) -> Rebuilds:
    rebuilds: Rebuilds = request.app.state.rebuilds
    return rebuilds


@router.get("", operation_id="list-projections", responses=answers(shapes.Projections))
def projections(_reader: Reader, request: Request, query: Annotated[PlainQuery, Query()]) -> Response:
    """Every view: its position, the head, what it lags, whether it moves, why it has stopped."""
    with at_head(request, query) as register:
        position = register.position
    found = service_of(request).views.status()
    return document({"items": [item.document() for item in found], "position": position}, position)


@router.get("/{name}", operation_id="show-projection", responses=answers(shapes.ProjectionInFull, "not-found"))
def projection(_reader: Reader, request: Request, name: FieldName, query: Annotated[PlainQuery, Query()]) -> Response:
    """One view, with the events it could not apply and those that were skipped; for the position that the view has."""
    views = service_of(request).views
    reached = views.wait_until(name, query.min_position, wait_of(request))
    (found,) = views.status(name)
    if not reached:
        raise ViewIsBehind(name, found.position, query.min_position, stopped=found.state == "stopped")
    parked, skipped = views.left_out(name)
    in_full = {
        **found.document(),
        "parked_events": [one.document() for one in parked],
        "skipped_events": [one.document() for one in skipped],
    }
    return document(in_full, found.position)


@router.post(
    "/{name}/rebuilds",
    operation_id="rebuild-projection",
    status_code=ACCEPTED,
    responses=answers(shapes.Rebuild, "not-found", "rebuild-is-running", status=ACCEPTED),
)
def rebuild(_reader: Reader, request: Request, name: FieldName, query: Annotated[PlainQuery, Query()]) -> Response:
    """Make a view anew from the log alone, beside the live one.

    It is switched in if it equals the live one at the same position, and refused otherwise. A process of its own does
    it; one that was interrupted goes on from where it was. Nothing is recorded, so no key is asked for. `Location`
    tells where to ask how far it is.
    """
    with at_head(request, query) as register:
        position = register.position
    started = _rebuilds(request).start(name)
    response = document(started, position, status=ACCEPTED)
    response.headers["Location"] = f"{request.url.path}/{started.rebuild}"
    return response


@router.get("/{name}/rebuilds/{rebuild}", operation_id="show-rebuild", responses=answers(shapes.Rebuild, "not-found"))
def rebuild_state(
    _reader: Reader, request: Request, name: FieldName, rebuild: Code, query: Annotated[PlainQuery, Query()]
) -> Response:
    """How far a rebuild is, or what came of it; known to the process that was asked for it."""
    with at_head(request, query) as register:
        position = register.position
    found = _rebuilds(request).find(name, rebuild)
    if found is None:
        raise NotFound
    return document(found, position)
