"""Authorities, facilities as entities, and agreements."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from domain.commands import Code, Id
from domain.files.agreement import AgreementFile
from domain.files.authority import AuthorityFile
from domain.files.facility import FacilityFile
from domain.refusals import AgreementIsUnknown, AuthorityIsUnknown, FacilityIsUnknown
from domain.register import Register
from ledger.http.answers import entities, rows
from ledger.http.asking import Reader, at_head, entity
from ledger.http.document.operations import answers
from ledger.http.paging import ListQuery, asked
from ledger.http.paging import Query as PlainQuery
from ledger.http.reads.entities import listed, require_known
from ledger.http.reads.forms import Read
from ledger.http.reads.links import links_of

router = APIRouter(tags=["registry"], route_class=Read)


class AuthoritiesQuery(ListQuery):
    """Filters of the list of authorities."""

    state: str | None = None
    role: Code | None = None


class FacilitiesQuery(ListQuery):
    """Filters of the list of facilities."""

    authority: Id | None = None
    state: str | None = None


class AgreementsQuery(ListQuery):
    """Filters of the list of agreements: a party."""

    authority: Id | None = None


@router.get("/authorities", operation_id="list-authorities", responses=answers(rows.Authorities))
def authorities(_reader: Reader, request: Request, query: Annotated[AuthoritiesQuery, Query()]) -> Response:
    """The public bodies in the register.

    In the order of their ids; `role` finds those who hold it now or will, in whatever scope.
    """
    page = asked(request, query)
    wanted = page.query

    def look_up(register: Register, id_: str) -> AuthorityFile | None:
        file = register.authority(id_)
        if file is None or wanted.state not in (None, file.state):
            return None
        return file if wanted.role is None or any(held.role == wanted.role for held in file.roles) else None

    return listed(request, page, "authority", look_up, entities.authority)


@router.get(
    "/authorities/{authority}",
    operation_id="show-authority",
    responses=answers(entities.AuthorityInFull, "authority-is-unknown", versioned=True),
)
def authority(reader: Reader, request: Request, authority: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One public body with the roles it holds."""
    with at_head(request, query) as register:
        position, file = register.position, register.authority(authority)
    if file is None:
        raise AuthorityIsUnknown(authority)
    links = partial(links_of, request, reader, "authority", authority)
    return entity(request, entities.authority(file), position, file.version, links)


@router.get("/facilities", operation_id="list-facilities", responses=answers(rows.Facilities, "authority-is-unknown"))
def facilities(_reader: Reader, request: Request, query: Annotated[FacilitiesQuery, Query()]) -> Response:
    """The places where people are held, in the order of their ids."""
    page = asked(request, query)
    wanted = page.query
    with at_head(request, query) as register:
        require_known(register, authority=wanted.authority)

    def look_up(register: Register, id_: str) -> FacilityFile | None:
        file = register.facility(id_)
        if file is None or wanted.state not in (None, file.body.state):
            return None
        return file if wanted.authority in (None, file.authority) else None

    return listed(request, page, "facility", look_up, entities.facility)


@router.get(
    "/facilities/{facility}",
    operation_id="show-facility",
    responses=answers(entities.FacilityInFull, "facility-is-unknown", versioned=True),
)
def facility(reader: Reader, request: Request, facility: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One place, with its capacity certificates and regimes."""
    with at_head(request, query) as register:
        position, file = register.position, register.facility(facility)
    if file is None:
        raise FacilityIsUnknown(facility)
    links = partial(links_of, request, reader, "facility", facility)
    return entity(request, entities.facility(file), position, file.version, links)


@router.get("/agreements", operation_id="list-agreements", responses=answers(rows.Agreements, "authority-is-unknown"))
def agreements(_reader: Reader, request: Request, query: Annotated[AgreementsQuery, Query()]) -> Response:
    """The agreements, in the order of their ids; `authority` finds those it is or was a party of."""
    page = asked(request, query)
    wanted = page.query.authority
    with at_head(request, query) as register:
        require_known(register, authority=wanted)

    def look_up(register: Register, id_: str) -> AgreementFile | None:
        file = register.agreement(id_)
        if file is None or wanted is None:
            return file
        return (
            file if any(party.authority == wanted for item in file.revisions for party in item.body.parties) else None
        )

    return listed(request, page, "agreement", look_up, entities.agreement)


@router.get(
    "/agreements/{agreement}",
    operation_id="show-agreement",
    responses=answers(entities.AgreementInFull, "agreement-is-unknown", versioned=True),
)
def agreement(reader: Reader, request: Request, agreement: Id, query: Annotated[PlainQuery, Query()]) -> Response:
    """One agreement: its revisions and their signatures, its fee schedules, its closed periods and invoices."""
    with at_head(request, query) as register:
        position, file = register.position, register.agreement(agreement)
        if file is None:
            raise AgreementIsUnknown(agreement)
        has_moved = _is_billed_since(register, file)
    schedule = file.schedules[-1].body.schedule if file.schedules else None
    links = partial(links_of, request, reader, "agreement", agreement, schedule=schedule)
    return entity(request, entities.agreement(file), position, file.version, links, has_moved=has_moved)


def _is_billed_since(register: Register, file: AgreementFile) -> bool:
    """Whether an invoice, which has a stream of its own, came after the last event of the agreement's."""
    signatures = (signature for revision in file.revisions for signature in revision.signatures)
    schedules = (event for item in file.schedules for event in (item.proposed, item.signed) if event is not None)
    drafts = (revision.drafted for revision in file.revisions)
    own = max(event.position for event in (*drafts, *signatures, *schedules, *file.closed, *file.on_account))
    return any((register.recorded_first("invoice", number) or 0) > own for number in file.invoices[-1:])
