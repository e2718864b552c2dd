"""The views themselves: how far each is, and making one anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.commands import Code, FieldName
from ledger.http.answers import service as shapes
from ledger.http.asking import Reader, document, service_of
from ledger.http.document.operations import answers
from ledger.http.paging import Query as PlainQuery
from ledger.http.problems import NotFound
from ledger.http.rebuilds import Rebuilds

router = APIRouter(prefix="/projections", tags=["projections"])
ACCEPTED = 202


def _rebuilds(request: Request) -> Rebuilds:
    rebuilds: Rebuilds = request.app.state.rebuilds
    return rebuilds


@router.get("", operation_id="list-projections", responses=answers(shapes.Projections))
def projections(_reader: Reader, request: Request, _query: Annotated[PlainQuery, Query()]) -> Response:
    """Every view: its position, the head, what it lags, whether it moves, why it has stopped."""
    service = service_of(request)
    found = service.views.status()
    position = service.writer.register.position
    return document({"items": [item.document() for item in found], "position": position}, position)


@router.get("/{name}", operation_id="show-projection", responses=answers(shapes.Projection, "not-found"))
def projection(_reader: Reader, request: Request, name: FieldName, _query: Annotated[PlainQuery, Query()]) -> Response:
    """One view; the answer speaks for the position that the view has."""
    (found,) = service_of(request).views.status(name)
    return document(found.document(), found.position)


@router.post(
    "/{name}/rebuilds",
    operation_id="rebuild-projection",
    status_code=ACCEPTED,
    responses=answers(shapes.Rebuild, "not-found", "rebuild-is-running", status=ACCEPTED),
)
def rebuild(_reader: Reader, request: Request, name: FieldName, _query: Annotated[PlainQuery, Query()]) -> Response:
    """Make a view anew from the log alone, beside the live one.

    It is switched in if it equals the live one at the same position, and refused otherwise. Nothing is recorded, so no
    key is asked for. `Location` tells where to ask how far it is.
    """
    started = _rebuilds(request).start(name)
    response = document(started, service_of(request).writer.register.position, status=ACCEPTED)
    response.headers["Location"] = f"{request.url.path}/{started.rebuild}"
    return response


@router.get("/{name}/rebuilds/{rebuild}", operation_id="show-rebuild", responses=answers(shapes.Rebuild, "not-found"))
def rebuild_state(
    _reader: Reader, request: Request, name: FieldName, rebuild: Code, _query: Annotated[PlainQuery, Query()]
) -> Response:
    """How far a rebuild is, or what came of it; known to the process that runs it."""
    found = _rebuilds(request).find(name, rebuild)
    if found is None:
        raise NotFound
    return document(found, service_of(request).writer.register.position)
