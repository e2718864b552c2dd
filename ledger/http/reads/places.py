"""Places: who is there at an instant, and how many day by day."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from domain.commands import CivilDate, Id
from domain.refusals import BodyIsMalformed, FacilityIsUnknown
from ledger.http.answers import rows
from ledger.http.asking import (
    Reader,
    WhenListQuery,
    WhenQuery,
    at_head,
    document,
    page,
    service_of,
    when_of,
    when_of_page,
)
from ledger.http.document.operations import answers
from ledger.http.paging import asked
from ledger.http.reads.entities import require_known
from ledger.http.reads.forms import Read
from projections import occupancy as occupancy_view
from projections import roll as roll_view

router = APIRouter(prefix="/facilities/{facility}", tags=["places"], route_class=Read)


class RollQuery(WhenListQuery):
    """Filters of a roll."""

    custodian: Id | None = None
    agreement: Id | None = None


class OccupancyQuery(WhenQuery):
    """The local dates asked about, both inclusive."""

    from_: CivilDate = Field(alias="from")
    to: CivilDate
    step: Literal["day"] = "day"


class OccupancyDayQuery(WhenQuery):
    """The local date asked about."""

    date: CivilDate


@router.get(
    "/roll",
    operation_id="show-roll",
    responses=answers(rows.Roll, "facility-is-unknown", "authority-is-unknown", "agreement-is-unknown", dated=True),
)
def roll(_reader: Reader, request: Request, facility: Id, query: Annotated[RollQuery, Query()]) -> Response:
    """Who is in the place at an instant, those longest there first.

    A further page speaks for the instant and the knowledge of the first, whatever is recorded meanwhile.
    """
    asking = asked(request, query)
    wanted = asking.query
    with at_head(request, query) as register:
        require_known(register, facility=facility, authority_custodian=wanted.custodian, agreement=wanted.agreement)
    found = roll_view.roll(
        service_of(request).views,
        when_of_page(request, asking),
        facility,
        custodian=wanted.custodian,
        agreement=wanted.agreement,
        limit=wanted.limit,
        after=asking.instant_after(),
    )
    if found.value is None:
        raise FacilityIsUnknown(facility)
    return page(asking, found.value.items, found.value.next, found.position, as_of=found.as_of, tells_as_of=True)


@router.get(
    "/occupancy",
    operation_id="show-occupancy",
    responses=answers(rows.Occupancy, "facility-is-unknown", dated=True),
)
def occupancy(_reader: Reader, request: Request, facility: Id, query: Annotated[OccupancyQuery, Query()]) -> Response:
    """How many are held on each local date, and why that many: start + in - out = end."""
    if not timedelta(0) <= query.to - query.from_ < timedelta(days=occupancy_view.DAYS_MAX):
        raise BodyIsMalformed("schema", ("/to",))
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = occupancy_view.occupancy(service_of(request).views, when, facility, query.from_, query.to)
    if found.value is None:
        raise FacilityIsUnknown(facility)
    return document({"items": found.value, "as_of": found.as_of, "position": found.position}, found.position)


@router.get(
    "/occupancy/persons",
    operation_id="show-occupancy-persons",
    responses=answers(rows.OccupancyPersons, "facility-is-unknown", dated=True),
)
def persons(_reader: Reader, request: Request, facility: Id, query: Annotated[OccupancyDayQuery, Query()]) -> Response:
    """The persons behind each number of one local date; one who counts twice is named twice."""
    when = when_of(request, query, as_of=query.as_of, known_at=query.known_at)
    found = occupancy_view.persons(service_of(request).views, when, facility, query.date)
    if found.value is None:
        raise FacilityIsUnknown(facility)
    return document({"persons": found.value, "as_of": found.as_of, "position": found.position}, found.position)
